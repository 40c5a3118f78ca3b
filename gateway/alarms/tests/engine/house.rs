//! What the tests of the engine share: a nursery, a house with limits, and samples in seconds.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use alarms::{
    Bound, ChannelId, ChannelRules, DayClock, Input, Level, Rule, RuleId, RuleKind, Rules, Sample,
    Severity, Side, State, Threshold, Transition, Trip, ZoneRules, evaluate,
};
use measure::{Fault, Marks, Quality, Quantity, Reading, Scaled, Slug, Timestamp};
use nursery::{Day, LampSpan, Latitude, Longitude, Names, Position, Site, TimeZone};

pub(crate) const CHANNEL: ChannelId = ChannelId(7);
pub(crate) const LIMIT: RuleId = RuleId { channel: CHANNEL, number: RuleId::LIMIT };
pub(crate) const STALE: RuleId = RuleId { channel: CHANNEL, number: RuleId::STALE };
pub(crate) const FAULT: RuleId = RuleId { channel: CHANNEL, number: RuleId::FAULT };
pub(crate) const INTERVAL_S: i64 = 60;

/// Midnight, UTC, of an arbitrary day: times in the tests are seconds after it.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_057_600_000).unwrap().plus_ms(seconds * 1_000)
}

pub(crate) fn site() -> Site {
    Site {
        id: Slug::new("nanchuan").unwrap(),
        names: Names::new("南川", "Nanchuan").unwrap(),
        position: Position {
            latitude: Latitude::new(29.16).unwrap(),
            longitude: Longitude::new(107.1).unwrap(),
        },
        time_zone: TimeZone::new("UTC").unwrap(),
    }
}

/// Lamps from 06:00 to 18:00 of the tests' own days.
pub(crate) fn lamps() -> Day {
    let span = LampSpan { on: "06:00".parse().unwrap(), off: "18:00".parse().unwrap() };
    Day::Lamp { spans: vec![span] }
}

pub(crate) fn bound(degrees: i32, wakes: bool) -> Option<Bound> {
    let limit = Scaled(degrees * 1_000);
    Some(Bound { limit, wakes, class: None, sources: Vec::new(), reason: None, confirmed_by: None })
}

pub(crate) fn limit(
    severity: Severity,
    side: Side,
    (day, night): (Option<Bound>, Option<Bound>),
    (on_s, off_s): (u32, u32),
) -> Level {
    Level {
        severity,
        trip: Trip::Limit(Threshold { side, day, night, deadband: Scaled(500) }),
        on_delay_ms: on_s * 1_000,
        off_delay_ms: off_s * 1_000,
    }
}

fn blind(severity: Severity, on_s: u32, trip: Trip) -> Level {
    Level { severity, trip, on_delay_ms: on_s * 1_000, off_delay_ms: 0 }
}

pub(crate) fn blind_rules() -> [Rule; 2] {
    let silence = |wakes| Trip::Silence { wakes };
    let fault = |wakes| Trip::Fault { wakes };
    [
        Rule {
            id: STALE,
            kind: RuleKind::Stale,
            levels: vec![
                blind(Severity::Medium, 180, silence(false)),
                blind(Severity::High, 1_800, silence(true)),
            ],
            reopen_ms: 3_600_000,
        },
        Rule {
            id: FAULT,
            kind: RuleKind::Fault,
            levels: vec![
                blind(Severity::Medium, 120, fault(false)),
                blind(Severity::High, 1_800, fault(true)),
            ],
            reopen_ms: 3_600_000,
        },
    ]
}

pub(crate) fn limit_rule(levels: Vec<Level>) -> Rule {
    Rule { id: LIMIT, kind: RuleKind::Limit, levels, reopen_ms: 3_600_000 }
}

/// The rules of one channel of air temperature with these levels.
pub(crate) fn rules(levels: Vec<Level>, day: Day) -> Rules {
    let [stale, fault] = blind_rules();
    let channel = ChannelRules {
        channel: CHANNEL,
        quantity: Quantity::AirTemperature,
        expected_interval_ms: (INTERVAL_S * 1_000) as u32,
        asleep_ms: 0,
        rules: vec![limit_rule(levels), stale, fault],
    };
    let clock = DayClock { site: site(), day, light: None };
    let (zone, channels) = (Slug::new("house-1").unwrap(), vec![channel]);
    let zone = ZoneRules { zone, growing: None, clock, channels };
    Rules::new(vec![zone]).unwrap()
}

/// High above 30, critical above 38, high below 12, critical below 5; ten minutes, critical at
/// once.
pub(crate) fn four_levels() -> Vec<Level> {
    let both = |degrees, wakes| (bound(degrees, wakes), bound(degrees, wakes));
    vec![
        limit(Severity::High, Side::High, both(30, false), (600, 600)),
        limit(Severity::Critical, Side::High, both(38, true), (0, 300)),
        limit(Severity::High, Side::Low, both(12, false), (600, 600)),
        limit(Severity::Critical, Side::Low, both(5, true), (0, 300)),
    ]
}

/// A sample, seen by the gateway two seconds after it was taken.
pub(crate) fn sample(seconds: i64, reading: Reading) -> Input {
    Input::Sample(Sample {
        channel: CHANNEL,
        time: at(seconds),
        reading,
        quality: if reading.is_ok() { Quality::Good } else { Quality::Missing },
        marks: Marks::NONE,
        seen: at(seconds + 2),
    })
}

pub(crate) fn degrees(seconds: i64, degrees: f64) -> Input {
    sample(seconds, Ok(Scaled((degrees * 1_000.0) as i32)))
}

pub(crate) fn fault(seconds: i64) -> Input {
    sample(seconds, Err(Fault::Bus))
}

pub(crate) fn tick(seconds: i64) -> Input {
    Input::Tick { now: at(seconds) }
}

pub(crate) fn history(input: Input) -> Input {
    match input {
        Input::Sample(sample) => {
            Input::Sample(Sample { marks: sample.marks.with(Marks::HISTORY), ..sample })
        }
        other => other,
    }
}

/// One sample a minute from `from_s` until before `to_s`.
pub(crate) fn minutes(from_s: i64, to_s: i64, value: f64) -> Vec<Input> {
    (from_s..to_s).step_by(INTERVAL_S as usize).map(|second| degrees(second, value)).collect()
}

pub(crate) fn run(rules: &Rules, state: &mut State, inputs: &[Input]) -> Vec<Transition> {
    inputs.iter().flat_map(|input| evaluate(rules, state, input)).collect()
}

/// Seconds after the tests' midnight.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.ms_since(at(0)) / 1_000
}

pub(crate) fn kinds(transitions: &[Transition]) -> Vec<(alarms::Kind, i64)> {
    transitions.iter().map(|one| (one.kind, seconds(one.at))).collect()
}
