//! What flags readings get as they come.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use measure::{Fault, Marks, Quality, Quantity, Reading, Scaled, Timestamp};
use proptest::prelude::*;
use quality::{Channel, Climate, Rules, State, assess, prime};
use store::embedded::{Engine, Options};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, Store};

use support::{FLASH, HOUR_MS, MINUTE_MS, assessed, at, codes, incoming, shipped, slug, stored};

/// Readings of one channel a minute, in steps.
fn minutely(values: impl IntoIterator<Item = i32>) -> Vec<Incoming> {
    let values = (0..).zip(values);
    values.map(|(n, v)| incoming(0, n, n as i64 * MINUTE_MS, Ok(Scaled(v)))).collect()
}

fn one(channel: Channel, all: Vec<Incoming>) -> Vec<u8> {
    codes(&assessed(&Rules::new([channel]), &mut State::default(), all))
}

fn air() -> Channel {
    shipped(0, "bench-1", "canopy", Quantity::AirTemperature)
}

#[test]
fn a_frozen_feed_is_suspect_after_an_hour_until_it_moves() {
    let values = (0..300).map(|n| if n < 60 { 20_000 + (n & 7) * 130 } else { 20_500 });
    let values = values.chain([22_000]);
    let codes = one(air(), minutely(values));
    assert!(codes[..120].iter().all(|code| *code == 1), "{codes:?}");
    assert!(codes[121..300].iter().all(|code| *code == 3), "{codes:?}");
    assert_eq!(codes[300], 1);
}

#[test]
fn a_frozen_feed_fails_only_after_the_time_that_a_nursery_has_set() {
    let text = "[[limits]]\nquantity = \"air_temperature\"\n\
                flat = { within = 0.1, suspect_min = 60, fail_min = 180 }";
    let limits = seeds::thresholds_with("mine", text).unwrap().limits(&air().key);
    let codes = one(Channel { limits, ..air() }, minutely((0..300).map(|_| 20_500)));
    assert_eq!((codes[30], codes[100], codes[179], codes[185]), (1, 3, 3, 4));
}

/// Two channels of a node, the second of which moves or not.
fn with_sibling(own: impl Fn(i64) -> i32, sibling: impl Fn(i64) -> i32) -> Vec<u8> {
    let humidity = shipped(1, "bench-1", "canopy", Quantity::RelativeHumidity);
    let all = (0..180).flat_map(|n: i64| {
        let ms = n * MINUTE_MS;
        [
            incoming(0, 2 * n as u64, ms, Ok(Scaled(own(n)))),
            incoming(1, 2 * n as u64 + 1, ms, Ok(Scaled(sibling(n)))),
        ]
    });
    let rules = Rules::new([air(), humidity]);
    let samples = assessed(&rules, &mut State::default(), all.collect());
    let own: Vec<Sample> = samples.into_iter().filter(|it| it.series == SeriesId(0)).collect();
    codes(&own)
}

#[test]
fn an_even_house_is_vouched_for_by_a_sibling_that_moves_and_a_frozen_value_is_not() {
    let (even, frozen) = (|n: i64| 20_000 + (n & 1) as i32 * 20, |_: i64| 20_000);
    let (moves, still) = (|n: i64| 6_000 + ((n / 10) & 7) as i32 * 150, |_: i64| 6_000);
    assert!(with_sibling(even, moves).iter().all(|code| *code == 1));
    assert_eq!(with_sibling(even, still).last(), Some(&3));
    assert_eq!(with_sibling(frozen, moves).last(), Some(&3));
}

#[test]
fn nights_rest_and_a_wet_air_are_no_flat_lines() {
    for (quantity, value) in [
        (Quantity::Illuminance, 0),
        (Quantity::Ppfd, 0),
        (Quantity::MistFlow, 0),
        (Quantity::Rainfall, 0),
        (Quantity::RelativeHumidity, 9_800),
    ] {
        let channel = shipped(0, "bench-1", "canopy", quantity);
        let codes = one(channel, minutely((0..600).map(|_| value)));
        assert!(codes.iter().all(|code| *code == 1), "{quantity}");
    }
}

#[test]
fn what_is_unusual_for_the_stage_is_suspect_and_nothing_is_said_where_no_stage_is_known() {
    let summer = (at(0), Some((5_000, 45_000)));
    let empty = (at(10 * MINUTE_MS), None);
    let climate = Climate::new([empty, summer]);
    let channel = Channel { climate, ..air() };
    let values = [20_000, 46_000, 44_000, 3_000, 20_000];
    let mut all = minutely(values);
    for (nth, it) in (0..).zip(&mut all) {
        // Far enough apart that no rate is broken.
        it.sample.time = at(nth * HOUR_MS / 60);
    }
    let slow = |nth: i64, value| incoming(0, nth as u64, nth * 20 * MINUTE_MS, Ok(Scaled(value)));
    assert_eq!(one(channel.clone(), vec![slow(0, 20_000)]), [1]);
    assert_eq!(one(channel.clone(), vec![slow(0, 46_000)]), [3]);
    // The house is empty by then.
    assert_eq!(one(channel, vec![slow(1, 46_000)]), [1]);
}

#[test]
fn a_store_over_liquid_nitrogen_is_no_fault_where_it_is_known_as_one() {
    assert_eq!(one(air(), minutely([-190_000])), [3]);
    let climate = Climate::new([(Timestamp::MIN, Some((-211_000, -150_000)))]);
    assert_eq!(one(Channel { climate, ..air() }, minutely([-190_000])), [1]);
}

#[test]
fn the_worse_of_the_flags_of_node_and_gateway_is_kept_and_a_fault_is_missing() {
    let mut all = minutely([20_000, 20_100, 200_000]);
    all[0].sample.quality = Quality::Fail;
    all[1].sample.quality = Quality::Suspect;
    all.push(incoming(0, 3, 3 * MINUTE_MS, Err(Fault::Bus)));
    assert_eq!(one(air(), all), [4, 3, 4, 9]);
}

#[test]
fn a_dew_point_above_the_air_is_suspect() {
    let dew = shipped(1, "bench-1", "canopy", Quantity::DewPoint);
    let elsewhere = shipped(2, "bench-1", "door", Quantity::DewPoint);
    let rules = Rules::new([air(), dew, elsewhere]);
    let all = vec![
        incoming(0, 0, 0, Ok(Scaled(20_000))),
        incoming(1, 1, 10, Ok(Scaled(19_500))),
        incoming(2, 2, 20, Ok(Scaled(24_000))),
        incoming(1, 3, 20_000, Ok(Scaled(23_000))),
        // The air of ten minutes ago says nothing of now.
        incoming(1, 4, 600_000, Ok(Scaled(23_000))),
    ];
    let codes = codes(&assessed(&rules, &mut State::default(), all));
    assert_eq!(codes, [1, 1, 1, 3, 1]);
}

/// A node's clock is set back an hour and goes on: nothing of that is a spike, a fall or a flat line.
#[test]
fn a_clock_that_is_set_back_makes_no_reading_suspect() {
    let wave = |n: i64| 15_000 + ((n % 97) * 60) as i32 + ((n % 2) * 150) as i32;
    let all: Vec<Incoming> = (0..400_i64)
        .map(|n| {
            let back_ms = if n >= 200 { HOUR_MS } else { 0 };
            incoming(0, n as u64, n * MINUTE_MS - back_ms, Ok(Scaled(wave(n))))
        })
        .filter(|it| (it.sequence.0 % 97) != 0)
        .collect();
    let codes = one(air(), all);
    let falls = codes.iter().filter(|code| **code != 1).count();
    // The wave itself falls at its end, 5.8 °C in two minutes, less than the limit.
    assert_eq!(falls, 0, "{codes:?}");
}

#[test]
fn what_comes_again_moves_nothing_even_where_it_is_dated_a_little_later() {
    let values: Vec<i32> = (0..240).map(|n| 20_000 + (n * 37 % 500)).collect();
    let rules = Rules::new([air()]);
    let all = minutely(values);
    let straight = codes(&assessed(&rules, &mut State::default(), all.clone()));
    let mut state = State::default();
    let mut flags = Vec::new();
    for nth in 0..all.len() {
        flags.extend(codes(&assessed(&rules, &mut state, vec![all[nth]])));
        // The last ten come once more, each some milliseconds later than it was.
        for again in &all[nth.saturating_sub(9)..=nth] {
            let mut again = *again;
            again.sample.time = again.sample.time.plus_ms(7);
            assessed(&rules, &mut state, vec![again]);
        }
    }
    assert_eq!(flags, straight);
}

#[test]
fn what_was_not_kept_is_judged_again_as_if_for_the_first_time() {
    let rules = Rules::new([air()]);
    let all = minutely([20_000, 20_100, 25_000, 25_100, 20_200]);
    let straight = codes(&assessed(&rules, &mut State::default(), all.clone()));
    assert_eq!(straight, [1, 1, 3, 1, 3]);
    let mut state = State::default();
    let mut flags = Vec::new();
    for part in all.chunks(2) {
        for _ in 0..3 {
            let mut refused = part.to_vec();
            assess(&rules, &mut state, Some(FLASH), &mut refused);
            state.settle(false);
        }
        let mut kept = part.to_vec();
        assess(&rules, &mut state, Some(FLASH), &mut kept);
        state.settle(true);
        flags.extend(kept.into_iter().map(|it| it.sample.quality.code()));
    }
    assert_eq!(flags, straight);
}

#[test]
fn a_backlog_behind_fresh_readings_is_held_against_the_ranges_alone() {
    let mut all = minutely([20_000, 20_100, 29_000, 130_000, 20_100]);
    let fresh = all.pop().unwrap();
    all.insert(0, fresh);
    assert_eq!(one(air(), all), [1, 1, 1, 1, 4]);
}

/// Two channels, by the numbers that a store gives them.
fn two() -> [Channel; 2] {
    let humidity = shipped(2, "bench-1", "canopy", Quantity::RelativeHumidity);
    [Channel { series: SeriesId(1), ..air() }, humidity]
}

fn folder_of(all: &[Vec<Incoming>]) -> (tempfile::TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), Options::default()).unwrap();
    for channel in two() {
        assert_eq!(engine.series_id(&channel.key).unwrap(), channel.series);
    }
    assert!(!all.is_empty());
    (folder, engine)
}

/// Commits the batches one after the other; before each of them a gateway starts anew. Returns the
/// flags that the one which never stopped gave, and those that the starting ones gave.
fn with_and_without_starts(rules: &Rules, all: Vec<Vec<Incoming>>) -> (Vec<u8>, Vec<u8>) {
    let (_folder, engine) = folder_of(&all);
    let node = air().key.node;
    let mut state = State::default();
    let (mut straight, mut started) = (Vec::new(), Vec::new());
    for batch in all {
        let mut anew = State::default();
        for latest in engine.latest().unwrap() {
            prime(rules, &mut anew, &engine, &latest).unwrap();
        }
        let (mut one, mut other) = (batch.clone(), batch);
        assess(rules, &mut state, Some(FLASH), &mut one);
        state.settle(true);
        assess(rules, &mut anew, Some(FLASH), &mut other);
        straight.extend(one.iter().map(|it| it.sample.quality.code()));
        started.extend(other.iter().map(|it| it.sample.quality.code()));
        let origin = Origin::Node { node: node.clone(), flash: FLASH };
        let parts = vec![Part::Readings { origin, samples: one }];
        engine.commit(&Batch { parts }).unwrap();
    }
    (straight, started)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 0, ..ProptestConfig::default() })]

    /// Small steps, jumps, faults, silences, a clock that is set back once: a gateway that starts before
    /// every commit gives the flags of one that never stopped.
    #[test]
    fn a_start_gives_the_same_flags_as_no_start(
        steps in prop::collection::vec((0..100_u8, -40..40_i32, 1..5_i64), 60..500),
        size in 1..7_usize,
    ) {
        let rules = Rules::new(two());
        let (mut ms, mut values, mut all) = (0, [20_000, 6_000], Vec::new());
        let mut was_set_back = false;
        for (nth, (kind, step, minutes)) in (0_u64..).zip(steps) {
            ms += minutes * 2 * MINUTE_MS;
            let mut reading: Reading = Ok(Scaled(0));
            match kind {
                0..2 => ms += 3 * HOUR_MS,
                2..4 if !was_set_back => {
                    was_set_back = true;
                    ms -= HOUR_MS;
                }
                4..7 => reading = Err(Fault::Bus),
                7..12 => values = [values[0] + step * 100, values[1] - step * 10],
                12..60 => {}
                _ => values = [values[0] + step, values[1] + step],
            }
            for (series, value) in (0_u32..).zip(values) {
                let value = value.clamp(0, if series == 1 { 9_400 } else { 60_000 });
                let sequence = 2 * nth + u64::from(series);
                let reading = reading.map(|_| Scaled(value));
                let mut one = incoming(series + 1, sequence, ms + i64::from(series), reading);
                one.sample.marks = if nth % 50 == 49 { Marks::HISTORY } else { Marks::NONE };
                all.push(one);
            }
        }
        let batches = all.chunks(size).map(<[Incoming]>::to_vec).collect();
        let (straight, started) = with_and_without_starts(&rules, batches);
        prop_assert_eq!(straight, started);
    }
}

/// Right after the clock was set back the first reading is dated before all that a start would read
/// of the last hours; it is the one that the fall of a whole degree begins with.
#[test]
fn a_start_knows_what_was_taken_first_after_a_clock_was_set_back() {
    let times =
        [335, 277].into_iter().chain((283..445).step_by(6)).chain([445, 447, 453, 459, 461]);
    let value = |minute| match minute {
        335 | 277 => 20_000,
        ..445 => 19_962,
        _ => 19_900,
    };
    let all = (0..)
        .zip(times)
        .map(|(nth, minute)| vec![incoming(1, nth, minute * MINUTE_MS, Ok(Scaled(value(minute))))]);
    let (straight, started) = with_and_without_starts(&Rules::new(two()), all.collect());
    assert_eq!(straight.last(), Some(&1));
    assert_eq!(straight, started);
}

/// The last samples of a store are all that a start has; it must not change them.
#[test]
fn nothing_is_known_of_a_channel_that_no_rule_names() {
    let mut state = State::default();
    let mut all = minutely([20_000]);
    assess(&Rules::default(), &mut state, Some(FLASH), &mut all);
    assert_eq!(stored(all[0]).quality, Quality::NotEvaluated);
    assert_eq!(air().key.position, slug("canopy"));
}
