//! How long a sample takes against a rule, in replay: `cargo bench -p alarms`.
//!
//! Sixty days of one-minute samples of forty channels, each judged by its limits (two levels that
//! differ by day and night), for faults and for silence.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use alarms::{
    ChannelId, ConfirmedLimits, Input, RuleKind, Rules, Sample, State, ZoneChannel, evaluate,
    rules_for,
};
use measure::{Marks, Quality, Quantity, Scaled, Slug, Timestamp};
use nursery::{
    Band, Day, Latitude, Limits, Longitude, Names, Period, Position, Site, SourceClass, Stage,
    TimeZone, Zone, ZoneKind,
};

const CHANNELS: u32 = 40;
const MINUTES: i64 = 60 * 24 * 60;

fn main() {
    let rules = rules();
    let mut state = State::default();
    let start = Timestamp::from_millis(1_767_225_600_000).expect("a time");
    let mut transitions = 0;
    let clock = Instant::now();
    for minute in 0..MINUTES {
        for channel in 0..CHANNELS {
            transitions += evaluate(&rules, &mut state, &input(start, minute, channel)).len();
        }
    }
    let took = clock.elapsed();
    let samples = MINUTES * i64::from(CHANNELS);
    let judged = |kind| kind == RuleKind::Limit || kind == RuleKind::Fault;
    let per_channel = rules.zones().first().and_then(|zone| zone.channels.first());
    let per_channel = per_channel
        .map_or(0, |channel| channel.rules.iter().filter(|rule| judged(rule.kind)).count());
    let ns = took.as_nanos() as f64 / samples as f64;
    println!("{samples} samples in {:.2} s, {transitions} transitions", took.as_secs_f64());
    println!("{ns:.0} ns a sample, {:.0} ns a sample and rule", ns / per_channel as f64);
}

/// A warm day and a cool night with a ripple, at times beyond the limits.
fn input(start: Timestamp, minute: i64, channel: u32) -> Input {
    let hour = minute % 1_440 - 840;
    let swing = 8_000 - (hour.abs().min(1_440 - hour.abs()) * 16) as i32;
    let ripple = ((minute * 7 + i64::from(channel) * 13) % 400) as i32;
    let time = start.plus_ms(minute * 60_000 + i64::from(channel));
    Input::Sample(Sample {
        channel: ChannelId(channel),
        time,
        reading: Ok(Scaled(21_000 + swing + ripple)),
        quality: Quality::Good,
        marks: Marks::NONE,
        seen: time,
    })
}

fn rules() -> Rules {
    let names = Names::new("一", "one").expect("a name");
    let slug = |name| Slug::new(name).expect("a slug");
    let site = Site {
        id: slug("nanchuan"),
        names: names.clone(),
        position: Position {
            latitude: Latitude::new(29.16).expect("a latitude"),
            longitude: Longitude::new(107.1).expect("a longitude"),
        },
        time_zone: TimeZone::new("Asia/Shanghai").expect("a time zone"),
    };
    let zone = Zone {
        id: slug("house-1"),
        site: site.id.clone(),
        names: names.clone(),
        kind: ZoneKind::House,
        growing: None,
        day: Day::Sun,
        overrides: Vec::new(),
        expected_interval_ms: 60_000,
    };
    let band = |period, low, high| {
        let limits =
            Limits::new("alarm", Quantity::AirTemperature, Some(Scaled(low)), Some(Scaled(high)));
        Band {
            quantity: Quantity::AirTemperature,
            period,
            target: Limits::OPEN,
            alarm: limits.expect("limits"),
            target_class: SourceClass::B,
            alarm_class: Some(SourceClass::B),
            sources: Vec::new(),
            note: None,
            proxy: false,
        }
    };
    let stage = Stage {
        id: slug("one"),
        order: 0,
        names,
        note: None,
        duration: None,
        bands: vec![band(Period::Day, 12_000, 29_000), band(Period::Night, 10_000, 25_000)],
        guidance: Vec::new(),
    };
    let channel = |id| ZoneChannel {
        id: ChannelId(id),
        quantity: Quantity::AirTemperature,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived: false,
    };
    let channels: Vec<_> = (0..CHANNELS).map(channel).collect();
    Rules::new(vec![rules_for(&site, &zone, Some(&stage), &channels, &ConfirmedLimits::default())])
        .expect("rules")
}
