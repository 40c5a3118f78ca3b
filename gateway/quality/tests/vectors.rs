//! The published test vectors of QARTOD's tests go through the gateway's own path: what is known
//! before the commit, and what is found with the next reading and in a second look.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use measure::Quantity;
use measure::qartod::{FlatLimit, GrossRange, RateLimit, SpikeLimit, Thresholds};
use quality::{Limits, Rules, SpikeRule, State, Window, assess, follow, refine};
use store::{Incoming, Sample, SeriesId};

use support::{FLASH, MINUTE_MS, at, channel, incoming, reading, stored};

const NONE: f64 = f64::NAN;
const STEP_MS: i64 = 15 * MINUTE_MS;
const ALL: GrossRange = GrossRange { fail: (i32::MIN, i32::MAX), suspect: (i32::MIN, i32::MAX) };
const UNJUDGED: Thresholds = Thresholds { range: ALL, rate: None, flat: None, flat_below: None };

fn rules(node: Thresholds, spike: Option<SpikeRule>) -> Rules {
    let limits = Limits { node, spike, climate_margin: None, accuracy: None };
    Rules::new([quality::Channel { limits, ..channel(0, "a", "canopy", Quantity::Ppfd) }])
}

fn taken(values: &[f64]) -> Vec<Incoming> {
    (0..).zip(values).map(|(n, &v)| incoming(0, n, n as i64 * STEP_MS, reading(v))).collect()
}

/// Returns the flags that readings get as they come, one commit after the other.
fn assessed(rules: &Rules, values: &[f64]) -> Vec<Sample> {
    let mut state = State::default();
    let mut all = Vec::new();
    for mut one in taken(values) {
        assess(rules, &mut state, Some(FLASH), std::slice::from_mut(&mut one));
        state.settle(true);
        all.push(stored(one));
    }
    all
}

/// Returns the flags after a second look at everything.
fn refined(rules: &Rules, mut samples: Vec<Sample>) -> Vec<u8> {
    let window = Window { series: SeriesId(0), from: at(-1), to: at(1_000 * STEP_MS) };
    let shown = BTreeMap::from([(SeriesId(0), samples.clone())]);
    for flag in refine(rules, &window, &shown) {
        let sample = samples.iter_mut().find(|sample| sample.time == flag.time).unwrap();
        assert_ne!(sample.quality, flag.quality, "a flag that changes nothing");
        sample.quality = flag.quality;
    }
    assert_eq!(refine(rules, &window, &BTreeMap::from([(SeriesId(0), samples.clone())])), []);
    samples.iter().map(|sample| sample.quality.code()).collect()
}

#[track_caller]
fn check(rules: &Rules, values: &[f64], expect: &[u8]) {
    let samples = assessed(rules, values);
    let codes: Vec<u8> = samples.iter().map(|sample| sample.quality.code()).collect();
    assert_eq!(codes, expect, "as they come");
    assert_eq!(refined(rules, samples), expect, "looked at again");
    // A node that was cut off sends everything at once, the newest first.
    let mut late = taken(values);
    late.reverse();
    assess(rules, &mut State::default(), Some(FLASH), &mut late);
    let mut late: Vec<Sample> = late.into_iter().map(stored).collect();
    late.reverse();
    assert_eq!(refined(rules, late), expect, "come late and looked at again");
}

#[test]
fn gross_range() {
    let range = GrossRange { fail: (0, 500_000), suspect: (100_000, 400_000) };
    let rules = rules(Thresholds { range, ..UNJUDGED }, None);
    check(&rules, &[1., 2., 3., 4., 8.], &[1, 1, 1, 1, 4]);
}

#[test]
fn rate_of_change() {
    let rate = Some(RateLimit { steps: 500_000, per_ms: STEP_MS as u32, least: 0 });
    let rules = rules(Thresholds { rate, ..UNJUDGED }, None);
    let values = [
        2., 10., 2.1, 3., 4., 5., 7., 10., 0., 2., 2.2, 2., 1., 2., 3., 90., 91., 92., 93., 1., 2.,
        3., 4., 5.,
    ];
    let flags = [1, 3, 3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 1];
    check(&rules, &values, &flags);
    check(&rules, &[2., 10., 2., 3., NONE, NONE, 7., 10.], &[1, 3, 3, 1, 9, 9, 1, 1]);
}

#[test]
fn flat_line() {
    let flat =
        Some(FlatLimit { tolerance: 1_000, suspect_ms: 3_000_000, fail_ms: Some(4_800_000) });
    let rules = rules(Thresholds { flat, ..UNJUDGED }, None);
    let values = [1., 2., 2.0001, 2., 2.0001, 2., 2.0001, 2., 4., 5., 3., 3.0001, 3.0005, 3.00001];
    check(&rules, &values, &[1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3]);
}

/// The spike test alone: where no test can be run the reading stays as the node left it, "not
/// evaluated": at both ends and beside gaps.
#[test]
fn spike() {
    let limit = SpikeLimit { suspect: 2_500_000, fail: 5_000_000 };
    let within_ms = STEP_MS as u32;
    let values = [10., 12., 999.99, 13., 15., 40., 9., 9., NONE, 10., 10., 999.99, 10., NONE];
    let flags = [2, 4, 4, 4, 1, 3, 1, 2, 9, 2, 4, 4, 2, 9];
    let samples: Vec<Sample> = taken(&values).into_iter().map(stored).collect();
    // A range that was not run says nothing, as the vector has it.
    let spike = Some(SpikeRule { limit, within_ms });
    let with_range = rules(UNJUDGED, spike);
    let flags_with_range = flags.map(|flag| if flag == 2 { 1 } else { flag });
    assert_eq!(refined(&with_range, samples.clone()), flags_with_range);
    assert_eq!(refined(&with_range, samples[..8].to_vec()), [1, 4, 4, 4, 1, 3, 1, 1]);
    // Whoever follows the journal is sent to the same readings, and to no others.
    let mut follower = quality::Follower::default();
    follow(&with_range, &mut follower, &samples[..1]);
    let windows = follow(&with_range, &mut follower, &samples[1..]);
    for (sample, flag) in samples.iter().zip(flags) {
        let is_sent = windows.iter().any(|window| window.contains(sample.time));
        assert_eq!(is_sent, matches!(flag, 3 | 4), "{:?}", sample.reading);
    }
}
