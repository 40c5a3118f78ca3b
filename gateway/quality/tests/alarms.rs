//! From a raw reading to an alarm: a failed reading is a fault and moves no limit, a suspect one is
//! judged, and said to be uncertain.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use alarms::{ChannelId, Input, InputState, Kind, RuleKind, Transition, ZoneChannel};
use measure::{Quantity, Scaled};
use nursery::{Site, Stage, Zone};
use quality::{Rules, State};

use support::{MINUTE_MS, assessed, at, incoming, shipped};

/// The alarms of a house whose air may have 12 to 30 °C.
fn alarm_rules() -> alarms::Rules {
    let site: Site = serde_json::from_str(
        r#"{"id": "nanchuan", "names": {"zh": "南川", "en": "Nanchuan"},
            "position": {"latitude": 29.16, "longitude": 107.1}, "time_zone": "Asia/Shanghai"}"#,
    )
    .unwrap();
    let zone: Zone = serde_json::from_str(
        r#"{"id": "house-1", "site": "nanchuan", "names": {"zh": "一号棚", "en": "House 1"},
            "kind": "house"}"#,
    )
    .unwrap();
    let stage: Stage = serde_json::from_str(
        r#"{"id": "leaf", "order": 0, "names": {"zh": "叶", "en": "leaf"}, "bands": [
            {"quantity": "air_temperature", "target": {"lo": 18, "hi": 26},
             "alarm": {"lo": 12, "hi": 30}, "target_class": "B", "alarm_class": "B",
             "sources": ["RI13"]}]}"#,
    )
    .unwrap();
    let channel = ZoneChannel {
        id: ChannelId(0),
        quantity: Quantity::AirTemperature,
        expected_interval_ms: Some(60_000),
        asleep_ms: 0,
        is_derived: false,
    };
    let confirmed = alarms::ConfirmedLimits::default();
    let zone = alarms::rules_for(&site, &zone, Some(&stage), &[channel], &confirmed);
    alarms::Rules::new(vec![zone]).unwrap()
}

/// Takes readings a minute through both rooms, and returns what was raised.
fn raised(values: impl IntoIterator<Item = i32>) -> Vec<Transition> {
    let quality_rules = Rules::new([shipped(0, "a", "canopy", Quantity::AirTemperature)]);
    let taken = (0..).zip(values);
    let taken = taken.map(|(n, v)| incoming(0, n, n as i64 * MINUTE_MS, Ok(Scaled(v)))).collect();
    let samples = assessed(&quality_rules, &mut State::default(), taken);
    let (rules, mut state) = (alarm_rules(), alarms::State::default());
    let mut raised = BTreeMap::new();
    alarms::evaluate(&rules, &mut state, &Input::Listening { now: at(0) });
    for sample in samples {
        let input = Input::Sample(alarms::Sample {
            channel: ChannelId(sample.series.0),
            time: sample.time,
            reading: sample.reading,
            quality: sample.quality,
            marks: sample.marks,
            seen: sample.time,
        });
        for transition in alarms::evaluate(&rules, &mut state, &input) {
            if transition.kind == Kind::Raised {
                raised.insert(transition.episode.kind as u8, transition);
            }
        }
    }
    raised.into_values().collect()
}

#[test]
fn a_failed_reading_is_a_fault_and_no_heat() {
    let broken = [20_000; 5].into_iter().chain([140_000; 20]);
    let raised = raised(broken);
    let kinds: Vec<RuleKind> = raised.iter().map(|it| it.episode.kind).collect();
    assert_eq!(kinds, [RuleKind::Fault]);
}

#[test]
fn a_suspect_reading_raises_an_alarm_that_says_that_it_is_uncertain() {
    // A sensor that jumped and stands still since: frozen, and too hot all the same.
    let frozen = [20_000; 5].into_iter().chain([33_000; 100]);
    let frozen = raised(frozen);
    assert_eq!(frozen.first().map(|it| it.episode.kind), Some(RuleKind::Limit));
    // Suspect from the very reading that raises it.
    let jumping = (0..40).map(|n| if n < 5 { 20_000 } else { 33_000 + (n % 2) * 4_000 });
    let jumping = raised(jumping);
    let limit = jumping.iter().find(|it| it.episode.kind == RuleKind::Limit).unwrap();
    assert_eq!(limit.episode.input, InputState::Uncertain);
    // And a sound one.
    let sound = raised((0..40).map(|n| 20_000 + n * 500));
    let limit = sound.iter().find(|it| it.episode.kind == RuleKind::Limit).unwrap();
    assert_eq!(limit.episode.input, InputState::Good);
}
