//! What is refused, in whose words, and which limits a node is given.

use alarms::{ChannelId, Level, Rule, RuleId};
use measure::{BootId, FlashId, Sequence, Uptime};

use super::*;

fn birth() -> Birth {
    let channel = |quantity, position: &str| wire::Channel {
        quantity,
        position: Slug::new(position).expect("a slug"),
        sensor: Slug::new("sht4x").expect("a slug"),
        calibration: 0,
        enabled: true,
    };
    Birth {
        flash: FlashId(7),
        boot: BootId(1),
        session: 1,
        uptime: Uptime(0),
        next_sequence: Sequence(1),
        ring_used: 0,
        ring_size: 100,
        interval_ms: 60_000,
        next_due_ms: None,
        firmware: Default::default(),
        channels: [
            channel(Quantity::AirTemperature, "canopy"),
            channel(Quantity::RelativeHumidity, "canopy"),
        ]
        .into_iter()
        .collect(),
        settings: 0,
        rolled_back: None,
        heartbeat_ms: None,
        target: None,
        release: 0,
    }
}

fn set(json: serde_json::Value) -> NodeSettings {
    serde_json::from_value(json).expect("settings")
}

#[track_caller]
fn refused(json: serde_json::Value, field: &str, words: &str) {
    let fault = merge(&set(json), &birth(), &[], Timestamp::MIN).map(|_| ()).unwrap_err();
    assert_eq!(fault.field, field);
    assert!(fault.words.en.contains(words), "{}", fault.words.en);
    assert!(!fault.words.zh.is_empty());
}

#[test]
fn a_fault_names_its_field_its_value_and_what_to_do() {
    use serde_json::json;
    refused(json!({ "interval_ms": 99 }), "interval_ms", "99 ms is no good; choose 100");
    let short = json!({ "interval_ms": 60_000, "heartbeat_ms": 1_000 });
    refused(short, "heartbeat_ms", "choose 60000 to");
    let with = |channel: serde_json::Value| json!({ "interval_ms": 60_000, "channels": [channel] });
    refused(with(json!({ "channel": 2 })), "channels[0].channel", "it has 2");
    let negative = json!({ "channel": 0, "deadband": -0.5 });
    refused(with(negative), "channels[0].deadband", "-0.5 is no good");
    let line = |low: f64, high: f64| {
        json!({ "number": 1, "raw_low": low, "reference_low": 0.0, "raw_high": high,
            "reference_high": 50.0, "measured_by": "li", "measured_on": "2026-11-20" })
    };
    let swapped = json!({ "channel": 0, "calibration": line(50.2, 0.3) });
    refused(with(swapped), "channels[0].calibration.raw_high", "above the low point's 50.2");
    let address = json!({ "interval_ms": 60_000, "gateways": ["gateway"] });
    refused(address, "gateways[0]", "`gateway` is no gateway");
    let five = ["a:1", "b:1", "c:1", "d:1", "e:1"];
    refused(json!({ "interval_ms": 60_000, "gateways": five }), "gateways", "4 at most");
    let good = with(json!({ "channel": 0, "deadband": 0.2, "calibration": line(0.3, 50.2) }));
    let merged = merge(&set(good), &birth(), &[], Timestamp::MIN).map_err(|it| it.words.en);
    let channel = merged.expect("it is good").settings.channels[0].clone();
    assert_eq!((channel.deadband, channel.enabled), (200, true));
    assert_eq!(channel.calibration.map(|it| it.raw_high), Some(Scaled(50_200)));
}

fn zone() -> ZoneRules {
    let site = serde_json::from_value(serde_json::json!({
        "id": "s", "names": { "zh": "甲", "en": "A" },
        "position": { "latitude": 29.0, "longitude": 107.0 }, "time_zone": "Asia/Shanghai",
    }));
    let clock = alarms::DayClock { site: site.expect("a site"), day: Day::Sun, light: None };
    let zone = Slug::new("z").expect("a slug");
    ZoneRules { zone, growing: None, clock, channels: Vec::new() }
}

fn rules() -> ChannelRules {
    let bound = |limit, wakes| {
        let (class, sources, reason, confirmed_by) = (None, Vec::new(), None, None);
        Some(Bound { limit: Scaled(limit), wakes, class, sources, reason, confirmed_by })
    };
    let level = |severity, side, day, night| Level {
        severity,
        trip: Trip::Limit(Threshold { side, day, night, deadband: Scaled(500) }),
        on_delay_ms: 600_000,
        off_delay_ms: 1,
    };
    let id = RuleId { channel: ChannelId(1), number: RuleId::LIMIT };
    let levels = vec![
        level(Severity::High, Side::High, bound(35_000, true), bound(30_000, true)),
        level(Severity::Critical, Side::High, bound(40_000, true), None),
        level(Severity::High, Side::Low, bound(5_000, false), bound(5_000, false)),
    ];
    let rules = vec![Rule { id, kind: RuleKind::Limit, levels, reopen_ms: 0 }];
    let (channel, quantity) = (ChannelId(1), Quantity::AirTemperature);
    ChannelRules { channel, quantity, expected_interval_ms: 60_000, asleep_ms: 0, rules }
}

/// Returns number, threshold and outputs of each limit at an hour of 2026-11-23 in Nanchuan.
fn given(settings: serde_json::Value, utc: &str) -> Vec<(u32, i32, u8)> {
    let at: jiff::Timestamp = utc.parse().expect("a time");
    let now = Timestamp::from_millis(at.as_millisecond()).expect("a time");
    let (zone, rules) = (zone(), rules());
    let judged = [Judged { channel: 0, zone: &zone, rules: &rules }];
    let merged = merge(&set(settings), &birth(), &judged, now).map_err(|it| it.words.en);
    let limits = merged.expect("it is good").settings.limits;
    limits.iter().map(|it| (it.rule, it.threshold.0, it.outputs)).collect()
}

#[test]
fn a_node_is_given_the_limits_of_the_hour_that_wake_somebody() {
    let usual = || serde_json::json!({ "interval_ms": 60_000 });
    // Noon there; the sun sets at about 10:00 UTC.
    let day = [(0x42, 40_000, 1), (0x32, 35_000, 1)];
    assert_eq!(given(usual(), "2026-11-23T04:00:00Z"), day);
    // Half an hour after sunset the wider one still holds, and the day's alone no longer.
    assert_eq!(given(usual(), "2026-11-23T10:30:00Z"), [(0x32, 35_000, 1)]);
    assert_eq!(given(usual(), "2026-11-23T16:00:00Z"), [(0x32, 30_000, 1)]);
    let relay = serde_json::json!({ "interval_ms": 60_000, "outputs": [
        { "channel": 0, "side": "high", "severity": "high", "outputs": 2 }] });
    assert_eq!(given(relay, "2026-11-23T16:00:00Z"), [(0x32, 30_000, 2)]);
    let off = serde_json::json!({ "interval_ms": 60_000,
        "channels": [{ "channel": 0, "enabled": false }] });
    assert_eq!(given(off, "2026-11-23T04:00:00Z"), []);
    let none = serde_json::json!({ "interval_ms": 60_000, "local_limits": false });
    assert_eq!(given(none, "2026-11-23T04:00:00Z"), []);
}

#[test]
fn settings_that_are_too_long_say_how_long_they_are() {
    let line = serde_json::json!({ "number": 4_000_000_000_u32, "raw_low": -2_000_000.0,
        "reference_low": -2_000_000.0, "raw_high": 2_000_000.0, "reference_high": 2_000_000.0,
        "measured_by": "li", "measured_on": "2026-11-20" });
    let channels: Vec<_> = (0..32)
        .map(|channel| {
            serde_json::json!({ "channel": channel, "position": "a".repeat(32), "calibration": line })
        })
        .collect();
    let settings = set(serde_json::json!({ "interval_ms": 60_000, "channels": channels }));
    let mut birth = birth();
    let channel = birth.channels[0].clone();
    while birth.channels.push(channel.clone()).is_ok() {}
    let fault = merge(&settings, &birth, &[], Timestamp::MIN).map(|_| ()).unwrap_err();
    assert!(fault.words.en.contains("bytes, and a node takes 1024"), "{}", fault.words.en);
}
