//! What every [`Store`] must do, as checks that panic where one does not.
//!
//! [`run`] makes them all, each on a store of its own. They say nothing of speed or of crashes;
//! those are the tests of each store.

use std::ops::ControlFlow;

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Reading, Scaled, Sequence, SequenceRange,
    Slug, Timestamp,
};

use crate::{
    BATCH_SAMPLES_MAX, BUCKETS_MAX, Batch, Columns, Committed, Error, Flag, Gap, GapReason,
    Incoming, Origin, Part, Position, Retained, Sample, SeriesId, SeriesKey, Store, Taken,
};

/// A moment in 2025 at the start of a UTC day, in milliseconds.
const DAY_MS: i64 = 1_735_689_600_000;
const HOUR_MS: i64 = 3_600_000;
const FLASH: FlashId = FlashId(0xF1A5);

/// One check of a fresh store.
type Check = fn(&dyn Store);

/// Makes every check, each on a fresh store.
///
/// # Panics
/// Where a store breaks the contract; the message names the check.
pub fn run(mut fresh: impl FnMut() -> Box<dyn Store>) {
    let checks: [(&str, Check); 19] = [
        ("a series keeps its number", a_series_keeps_its_number),
        ("what is committed is there", what_is_committed_is_there),
        ("a repeat is dropped", a_repeat_is_dropped),
        ("a taken time is shifted", a_taken_time_is_shifted),
        ("a guest repeats by time and reading", a_guest_repeats_by_time_and_reading),
        ("any order is welcome", any_order_is_welcome),
        ("a scan is half open and can be broken off", a_scan_is_half_open),
        ("latest is the greatest event time", latest_is_the_greatest_event_time),
        ("the journal has what is new", the_journal_has_what_is_new),
        ("a gap counts as seen", a_gap_counts_as_seen),
        ("a reading fills its gap", a_reading_fills_its_gap),
        ("buckets are complete", buckets_are_complete),
        ("buckets do not depend on their step", buckets_do_not_depend_on_their_step),
        ("a derived sample stands in place of another", a_derived_sample_stands_in_place),
        ("a reading gives way to no derived sample", a_reading_gives_way_to_none),
        ("a flag changes the quality alone", a_flag_changes_the_quality_alone),
        ("a value at a time is the last before it", a_value_at_a_time_is_the_last_before_it),
        ("a silence reaches from sample to sample", a_silence_reaches_from_sample_to_sample),
        ("what is refused leaves nothing", what_is_refused_leaves_nothing),
    ];
    for (name, check) in checks {
        println!("store conformance: {name}");
        check(&*fresh());
    }
}

fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a name in this file is a slug")
}

fn node() -> NodeKey {
    NodeKey { site: slug("north"), node: slug("n1") }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).expect("a time in this file lies between 1970 and 9999")
}

fn range(first: u64, last: u64) -> SequenceRange {
    SequenceRange::new(Sequence(first), Sequence(last)).expect("a range in this file is in order")
}

fn series(store: &dyn Store, position: &str) -> SeriesId {
    let (position, quantity) = (slug(position), Quantity::AirTemperature);
    store.series_id(&SeriesKey { node: node(), position, quantity }).expect("a series")
}

fn sample(series: SeriesId, ms: i64, value: i32) -> Sample {
    let reading = Ok(Scaled(value));
    let (quality, marks) = (Quality::Good, Marks::NONE);
    Sample { series, time: at(ms), reading, quality, marks, taken: None }
}

fn part(flash: FlashId, first: u64, samples: &[Sample]) -> Part {
    let samples = (first..)
        .zip(samples)
        .map(|(sequence, &sample)| Incoming { sequence: Sequence(sequence), sample })
        .collect();
    Part::Readings { origin: Origin::Node { node: node(), flash }, samples }
}

/// Returns samples as they are kept: with the flash and the sequence that they came with.
fn taken<const N: usize>(flash: FlashId, first: u64, mut samples: [Sample; N]) -> [Sample; N] {
    for (sequence, sample) in (first..).zip(&mut samples) {
        sample.taken = Some(Taken { flash, sequence: Sequence(sequence) });
    }
    samples
}

fn guest(samples: &[Sample]) -> Part {
    let samples = samples.iter().map(|&sample| Incoming { sequence: Sequence(0), sample });
    Part::Readings { origin: Origin::Guest, samples: samples.collect() }
}

#[track_caller]
fn commit(store: &dyn Store, parts: Vec<Part>) -> Committed {
    store.commit(&Batch { parts }).expect("a commit")
}

#[track_caller]
fn counts(committed: Committed, kept: u64, repeated: u64, shifted: u64) {
    let found = (committed.kept, committed.repeated, committed.shifted);
    assert_eq!(found, (kept, repeated, shifted), "(kept, repeated, shifted)");
}

#[track_caller]
fn all(store: &dyn Store, series: SeriesId) -> Vec<Sample> {
    between(store, series, Timestamp::MIN, Timestamp::MAX)
}

#[track_caller]
fn between(store: &dyn Store, series: SeriesId, from: Timestamp, to: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut visit = |sample: &Sample| {
        samples.push(*sample);
        ControlFlow::Continue(())
    };
    store.scan(series, from, to, &mut visit).expect("a scan");
    samples
}

fn a_series_keeps_its_number(store: &dyn Store) {
    let (a, b) = (series(store, "a"), series(store, "b"));
    assert_ne!(a, b);
    assert_eq!(series(store, "a"), a);
    let known = store.series().expect("the series");
    assert_eq!(known.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [a.min(b), a.max(b)]);
    assert!(known.iter().any(|(id, key)| *id == b && key.position == slug("b")));
}

fn what_is_committed_is_there(store: &dyn Store) {
    let (a, b) = (series(store, "a"), series(store, "b"));
    let fault = Sample {
        reading: Err(Fault::Checksum),
        quality: Quality::Missing,
        marks: Marks::TIME_UNCERTAIN.with(Marks::HISTORY),
        ..sample(b, DAY_MS + 1, 0)
    };
    let least = sample(b, DAY_MS + 2, i32::MIN);
    let samples = [sample(a, DAY_MS, 23_500), fault, least, sample(a, DAY_MS + 7, i32::MAX)];
    counts(commit(store, vec![part(FLASH, 0, &samples)]), 4, 0, 0);
    let [first, fault, least, last] = taken(FLASH, 0, samples);
    assert_eq!(all(store, a), [first, last]);
    assert_eq!(all(store, b), [fault, least]);
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), [range(0, 3)]);
    assert_eq!(store.seen(&node(), FlashId(1)).expect("seen"), []);
}

fn a_repeat_is_dropped(store: &dyn Store) {
    let a = series(store, "a");
    let samples = [sample(a, DAY_MS, 1), sample(a, DAY_MS + 1, 2)];
    let twice = vec![part(FLASH, 5, &samples), part(FLASH, 5, &samples)];
    counts(commit(store, twice.clone()), 2, 2, 0);
    counts(commit(store, twice), 0, 4, 0);
    // A repeat is a repeat whatever time and value it is said to have.
    counts(commit(store, vec![part(FLASH, 6, &[sample(a, DAY_MS + 9, 9)])]), 0, 1, 0);
    assert_eq!(all(store, a), taken(FLASH, 5, samples));
    // Another life of the flash counts from its own beginning.
    counts(commit(store, vec![part(FlashId(2), 5, &[sample(a, DAY_MS + 9, 3)])]), 1, 0, 0);
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), [range(5, 6)]);
}

fn a_taken_time_is_shifted(store: &dyn Store) {
    let a = series(store, "a");
    let same = [sample(a, DAY_MS, 1), sample(a, DAY_MS, 2), sample(a, DAY_MS, 1)];
    counts(commit(store, vec![part(FLASH, 0, &same)]), 3, 0, 2);
    counts(commit(store, vec![part(FLASH, 3, &[sample(a, DAY_MS, 4)])]), 1, 0, 1);
    let expect: Vec<Sample> = [1, 2, 1, 4]
        .into_iter()
        .zip(0_i64..)
        .map(|(value, later)| {
            let marks = if later > 0 { Marks::SHIFTED } else { Marks::NONE };
            let [sample] = taken(FLASH, later as u64, [sample(a, DAY_MS, value)]);
            Sample { time: at(DAY_MS).plus_micros(later), marks, ..sample }
        })
        .collect();
    assert_eq!(all(store, a), expect);
}

fn a_guest_repeats_by_time_and_reading(store: &dyn Store) {
    let a = series(store, "a");
    let (one, other) = (sample(a, DAY_MS, 1), sample(a, DAY_MS, 2));
    counts(commit(store, vec![guest(&[one, one, other])]), 2, 1, 1);
    // The one that was shifted is known again.
    counts(commit(store, vec![guest(&[other, one])]), 0, 2, 0);
    let fault = Sample { reading: Err(Fault::Bus), ..one };
    counts(commit(store, vec![guest(&[fault])]), 1, 0, 1);
    counts(commit(store, vec![guest(&[fault])]), 0, 1, 0);
    assert!(all(store, a).iter().all(|sample| sample.taken.is_none()));
    let readings: Vec<Reading> = all(store, a).iter().map(|sample| sample.reading).collect();
    assert_eq!(readings, [Ok(Scaled(1)), Ok(Scaled(2)), Err(Fault::Bus)]);
}

fn any_order_is_welcome(store: &dyn Store) {
    let a = series(store, "a");
    let hours = [70, 3, 50, 50, 1, 71, 2, 49];
    for (index, hour) in (0..).zip(hours) {
        let one = sample(a, DAY_MS + hour * HOUR_MS, index as i32);
        commit(store, vec![part(FLASH, index, &[one])]);
    }
    let found = all(store, a);
    assert!(found.is_sorted_by(|a, b| a.time < b.time));
    let order: Vec<i32> = found.iter().filter_map(|s| s.reading.ok()).map(|v| v.0).collect();
    assert_eq!(order, [4, 6, 1, 7, 2, 3, 0, 5]);
}

fn a_scan_is_half_open(store: &dyn Store) {
    let a = series(store, "a");
    let samples = [0, 1, 2, 3, 4].map(|n| sample(a, DAY_MS + n * HOUR_MS, n as i32));
    let samples = taken(FLASH, 0, samples);
    commit(store, vec![part(FLASH, 0, &samples)]);
    let found = between(store, a, at(DAY_MS + HOUR_MS), at(DAY_MS + 3 * HOUR_MS));
    assert_eq!(found, samples.get(1..3).unwrap_or_default());
    assert_eq!(between(store, a, at(DAY_MS), at(DAY_MS)), []);
    assert_eq!(between(store, a, at(DAY_MS + 1), at(DAY_MS)), []);
    let mut visited = 0;
    let mut visit = |_: &Sample| {
        visited += 1;
        if visited == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan(a, Timestamp::MIN, Timestamp::MAX, &mut visit).expect("a scan");
    assert_eq!(visited, 2);
}

fn latest_is_the_greatest_event_time(store: &dyn Store) {
    let (a, b, _) = (series(store, "a"), series(store, "b"), series(store, "never"));
    let newest = Sample { reading: Err(Fault::Bus), ..sample(a, DAY_MS + 10, 0) };
    commit(store, vec![part(FLASH, 0, &[newest, sample(a, DAY_MS, 1), sample(b, DAY_MS, 2)])]);
    commit(store, vec![part(FLASH, 3, &[sample(a, DAY_MS + 9, 3)])]);
    let [newest] = taken(FLASH, 0, [newest]);
    let [other] = taken(FLASH, 2, [sample(b, DAY_MS, 2)]);
    let mut expect = [newest, other];
    expect.sort_by_key(|sample| sample.series);
    assert_eq!(store.latest().expect("the latest"), expect);
}

fn the_journal_has_what_is_new(store: &dyn Store) {
    let a = series(store, "a");
    assert_eq!(store.last_position().expect("a position"), Position(0));
    let (one, other) = (sample(a, DAY_MS, 1), sample(a, DAY_MS, 2));
    let first = commit(store, vec![part(FLASH, 0, &[one])]);
    let second = commit(store, vec![part(FLASH, 0, &[one, other])]);
    let repeat = commit(store, vec![part(FLASH, 0, &[one, other])]);
    let positions = [first, second, repeat].map(|committed| committed.position.0);
    assert_eq!(positions, [1, 2, 2]);
    let [one, other] = taken(FLASH, 0, [one, other]);
    let time = other.time.plus_micros(1);
    let moved = Sample { time, marks: Marks::SHIFTED, ..other };
    let entries = [(Position(1), vec![one]), (Position(2), vec![moved])];
    let journal = |after, limit| store.journal(Position(after), limit).expect("the journal");
    assert_eq!(journal(0, 9), entries);
    assert_eq!(journal(1, 9), entries.get(1..).unwrap_or_default());
    assert_eq!(journal(0, 1), entries.get(..1).unwrap_or_default());
    assert_eq!(journal(2, 9), []);
    store.release(Position(1)).expect("a release");
    assert_eq!(journal(1, 9), entries.get(1..).unwrap_or_default());
    assert_eq!(store.last_position().expect("a position"), Position(2));
}

fn gap(first: u64, last: u64, reason: GapReason) -> Gap {
    Gap { node: node(), flash: FLASH, range: range(first, last), reason, at: at(DAY_MS) }
}

fn a_gap_counts_as_seen(store: &dyn Store) {
    let a = series(store, "a");
    commit(store, vec![part(FLASH, 3, &[sample(a, DAY_MS, 1)])]);
    let given_up = gap(1, 6, GapReason::RingFull);
    let first = commit(store, vec![Part::Gap(given_up.clone())]);
    assert_eq!(first.position, Position(2));
    // The reading that came is no part of the gap, and the same gap again changes nothing.
    let again = commit(store, vec![Part::Gap(given_up)]);
    assert_eq!(again.position, Position(2));
    let expect = [gap(1, 2, GapReason::RingFull), gap(4, 6, GapReason::RingFull)];
    assert_eq!(store.gaps(&node()).expect("the gaps"), expect);
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), [range(1, 6)]);
    let entries = store.journal(Position(1), 9).expect("the journal");
    assert_eq!(entries, [(Position(2), vec![])]);
}

fn a_reading_fills_its_gap(store: &dyn Store) {
    let a = series(store, "a");
    let late = part(FLASH, 4, &[sample(a, DAY_MS, 1)]);
    commit(store, vec![Part::Gap(gap(2, 9, GapReason::Corrupt))]);
    counts(commit(store, vec![late.clone(), late.clone()]), 1, 1, 0);
    counts(commit(store, vec![late]), 0, 1, 0);
    let expect = [gap(2, 3, GapReason::Corrupt), gap(5, 9, GapReason::Corrupt)];
    assert_eq!(store.gaps(&node()).expect("the gaps"), expect);
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), [range(2, 9)]);
    assert_eq!(all(store, a).len(), 1);
}

fn buckets_are_complete(store: &dyn Store) {
    let a = series(store, "a");
    let minute = |n: i64, value| sample(a, DAY_MS + n * 60_000, value);
    let samples = [
        minute(1, 10_000),
        Sample { quality: Quality::Suspect, ..minute(2, 13_000) },
        Sample { quality: Quality::Fail, ..minute(31, 90_000) },
        Sample { reading: Err(Fault::Bus), quality: Quality::Good, ..minute(62, 0) },
        minute(63, -4_000),
    ];
    commit(store, vec![part(FLASH, 0, &samples)]);
    let (from, to) = (at(DAY_MS), at(DAY_MS + 2 * HOUR_MS));
    let found = store.downsample(a, from, to, 30 * 60_000, from).expect("buckets");
    let expect = Columns {
        step_ms: 30 * 60_000,
        time_ms: [0, 1, 2, 3].map(|n| DAY_MS + n * 30 * 60_000).to_vec(),
        min: vec![Some(10.0), None, Some(-4.0), None],
        mean: vec![Some(11.5), None, Some(-4.0), None],
        max: vec![Some(13.0), None, Some(-4.0), None],
        count: vec![2, 0, 1, 0],
        quality: vec![Some(Quality::Suspect), Some(Quality::Fail), Some(Quality::Missing), None],
    };
    assert_eq!(found, expect);
    // The origin lies after `from`; the first and the last bucket are partial.
    let (from, to) = (at(DAY_MS + 90_000), at(DAY_MS + 63 * 60_000));
    let origin = at(DAY_MS + 5 * HOUR_MS + 60_000);
    let found = store.downsample(a, from, to, HOUR_MS, origin).expect("buckets");
    assert_eq!(found.time_ms, [DAY_MS + 60_000, DAY_MS + 61 * 60_000]);
    assert_eq!(found.count, [1, 0]);
    assert_eq!(found.quality, [Some(Quality::Fail), Some(Quality::Missing)]);
    let none = store.downsample(a, to, to, HOUR_MS, origin).expect("buckets");
    assert_eq!(none, Columns { step_ms: HOUR_MS, ..Columns::default() });
}

fn buckets_do_not_depend_on_their_step(store: &dyn Store) {
    let a = series(store, "a");
    let samples: Vec<Sample> = (0..2_000_i64)
        .map(|n| sample(a, DAY_MS + n * 131_071, ((n * 7_919) % 40_001) as i32 - 20_000))
        .collect();
    commit(store, vec![part(FLASH, 0, &samples)]);
    let (from, to) = (at(DAY_MS + 12_345), at(DAY_MS + 70 * HOUR_MS + 99));
    let inside = between(store, a, from, to);
    let values = || inside.iter().filter_map(|s| s.reading.ok()).map(|v| v.0);
    let mean = values().map(f64::from).sum::<f64>() / inside.len() as f64 / 1_000.0;
    for step_ms in [HOUR_MS / 4, HOUR_MS, 5 * HOUR_MS / 2, 12 * HOUR_MS, 400 * HOUR_MS] {
        let columns = store.downsample(a, from, to, step_ms, at(DAY_MS)).expect("buckets");
        let (counts, means) = (columns.count.iter(), columns.mean.iter());
        let sum: f64 = means.zip(counts).filter_map(|(m, c)| Some((*m)? * f64::from(*c))).sum();
        let total: u32 = columns.count.iter().sum();
        assert_eq!(total as usize, inside.len(), "in steps of {step_ms} ms");
        assert!((sum / f64::from(total) - mean).abs() < 1e-9, "in steps of {step_ms} ms");
        let least = columns.min.iter().flatten().copied().reduce(f64::min);
        assert_eq!(least, values().min().map(|v| f64::from(v) / 1_000.0));
        let greatest = columns.max.iter().flatten().copied().reduce(f64::max);
        assert_eq!(greatest, values().max().map(|v| f64::from(v) / 1_000.0));
    }
}

fn a_derived_sample_stands_in_place(store: &dyn Store) {
    let (a, b) = (series(store, "a"), series(store, "b"));
    let hour = |n: i64, value| sample(a, DAY_MS + n * HOUR_MS, value);
    let derived = |samples: &[Sample]| vec![Part::Derived(samples.to_vec())];
    let first = [hour(0, 1_000), hour(1, 2_000), hour(2, 3_000), hour(30, 4_000)];
    counts(commit(store, derived(&first)), 4, 0, 0);
    // The same again writes nothing.
    let again = commit(store, derived(&first));
    counts(again, 0, 4, 0);
    assert_eq!((again.position, again.replaced), (Position(1), 0));
    // Another value, another quality, a fault: each stands from now on. One is new.
    let suspect = Sample { quality: Quality::Suspect, ..hour(1, 2_000) };
    let fault = Sample { reading: Err(Fault::Bus), quality: Quality::Missing, ..hour(30, 0) };
    let second = [hour(0, -7_000), suspect, hour(2, 3_000), hour(3, 5_000), fault];
    let changed = commit(store, derived(&second));
    counts(changed, 1, 1, 0);
    assert_eq!((changed.position, changed.replaced, changed.flagged), (Position(2), 3, 0));
    assert_eq!(all(store, a), second);
    assert_eq!(store.latest().expect("the latest"), [fault]);
    let entries = store.journal(Position(1), 9).expect("the journal");
    let [(Position(2), told)] = entries.as_slice() else { panic!("{entries:?}") };
    let mut told = told.clone();
    told.sort_by_key(|sample| sample.time);
    assert_eq!(told, [hour(0, -7_000), suspect, hour(3, 5_000), fault]);
    let (from, to) = (at(DAY_MS), at(DAY_MS + 48 * HOUR_MS));
    let days = store.downsample(a, from, to, 24 * HOUR_MS, from).expect("buckets");
    assert_eq!(days.min, [Some(-7.0), None]);
    assert_eq!(days.max, [Some(5.0), None]);
    assert_eq!(days.mean, [Some(0.75), None]);
    assert_eq!(days.count, [4, 0]);
    assert_eq!(days.quality, [Some(Quality::Suspect), Some(Quality::Missing)]);
    // Within one batch the last one stands; it was kept once.
    let both = [sample(b, DAY_MS, 1), sample(b, DAY_MS, 2)];
    let committed = commit(store, derived(&both));
    assert_eq!((committed.kept, committed.replaced), (1, 1));
    assert_eq!(all(store, b), both[1..]);
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), []);
}

fn a_reading_gives_way_to_none(store: &dyn Store) {
    let a = series(store, "a");
    let reading = [sample(a, DAY_MS, 1)];
    commit(store, vec![part(FLASH, 0, &reading)]);
    let derived = commit(store, vec![Part::Derived(vec![sample(a, DAY_MS, 2)])]);
    counts(derived, 0, 1, 0);
    assert_eq!((derived.position, derived.replaced), (Position(1), 0));
    assert_eq!(all(store, a), taken(FLASH, 0, reading));
    // The other way round both are kept.
    commit(store, vec![Part::Derived(vec![sample(a, DAY_MS + 5, 3)])]);
    counts(commit(store, vec![part(FLASH, 1, &[sample(a, DAY_MS + 5, 4)])]), 1, 0, 1);
    assert_eq!(all(store, a).len(), 3);
}

fn a_flag_changes_the_quality_alone(store: &dyn Store) {
    let a = series(store, "a");
    let samples = [0, 1, 2].map(|n| sample(a, DAY_MS + n * HOUR_MS, 1_000 * n as i32));
    let samples = taken(FLASH, 0, samples);
    commit(store, vec![part(FLASH, 0, &samples)]);
    let flag = |ms, quality| Flag { series: a, time: at(ms), quality };
    // The second one; one that is so already; a time at which nothing stands.
    let flags = vec![
        flag(DAY_MS + HOUR_MS, Quality::Fail),
        flag(DAY_MS, Quality::Good),
        flag(DAY_MS + 1, Quality::Fail),
        flag(DAY_MS + 2 * HOUR_MS, Quality::Suspect),
    ];
    let flagged = commit(store, vec![Part::Flags(flags.clone())]);
    counts(flagged, 0, 0, 0);
    assert_eq!((flagged.position, flagged.flagged, flagged.replaced), (Position(2), 2, 0));
    let again = commit(store, vec![Part::Flags(flags)]);
    assert_eq!((again.position, again.flagged), (Position(2), 0));
    let [first, second, third] = samples;
    let expect = [
        first,
        Sample { quality: Quality::Fail, ..second },
        Sample { quality: Quality::Suspect, ..third },
    ];
    assert_eq!(all(store, a), expect);
    assert_eq!(store.latest().expect("the latest"), expect[2..]);
    let entries = store.journal(Position(1), 9).expect("the journal");
    assert_eq!(entries, [(Position(2), vec![])]);
    let (from, to) = (at(DAY_MS), at(DAY_MS + 3 * HOUR_MS));
    let hours = store.downsample(a, from, to, HOUR_MS, from).expect("buckets");
    assert_eq!(hours.count, [1, 0, 1]);
    let qualities = [Quality::Good, Quality::Fail, Quality::Suspect].map(Some);
    assert_eq!(hours.quality, qualities);
    // A repeat of the reading is one still, and its flag stays.
    counts(commit(store, vec![part(FLASH, 1, &[second])]), 0, 1, 0);
    assert_eq!(all(store, a), expect);
    let unknown = Flag { series: SeriesId(a.0 + 1_000), time: at(DAY_MS), quality: Quality::Good };
    let refused = store.commit(&Batch { parts: vec![Part::Flags(vec![unknown])] });
    assert!(matches!(refused, Err(Error::UnknownSeries(_))), "{refused:?}");
}

fn a_value_at_a_time_is_the_last_before_it(store: &dyn Store) {
    let a = series(store, "a");
    let days = [0, 1, 40].map(|n| sample(a, DAY_MS + n * 24 * HOUR_MS, n as i32));
    let days = taken(FLASH, 0, days);
    commit(store, vec![part(FLASH, 0, &days)]);
    let [first, second, third] = days.map(Some);
    let found = |time, age_max_ms| store.at(a, time, age_max_ms).expect("an answer");
    assert_eq!(found(at(DAY_MS), 0), first);
    assert_eq!(found(at(DAY_MS).plus_micros(-1), 24 * HOUR_MS), None);
    assert_eq!(found(at(DAY_MS + 5), 4), None);
    assert_eq!(found(at(DAY_MS + 5), 5), first);
    assert_eq!(found(at(DAY_MS + 24 * HOUR_MS), 48 * HOUR_MS), second);
    assert_eq!(found(at(DAY_MS + 39 * 24 * HOUR_MS), 38 * 24 * HOUR_MS), second);
    assert_eq!(found(at(DAY_MS + 39 * 24 * HOUR_MS), 38 * 24 * HOUR_MS - 1), None);
    assert_eq!(found(Timestamp::MAX, i64::MAX), third);
    assert_eq!(found(at(DAY_MS), -1), first);
    assert_eq!(store.retained(a).expect("what is left"), Retained::ALL);
    let unknown = store.at(SeriesId(a.0 + 1_000), at(DAY_MS), 1);
    assert!(matches!(unknown, Err(Error::UnknownSeries(_))), "{unknown:?}");
    let unknown = store.retained(SeriesId(a.0 + 1_000));
    assert!(matches!(unknown, Err(Error::UnknownSeries(_))), "{unknown:?}");
}

fn a_silence_reaches_from_sample_to_sample(store: &dyn Store) {
    let a = series(store, "a");
    let minutes = [10, 11, 12, 30, 31, 50].map(|n| sample(a, DAY_MS + n * 60_000, 0));
    commit(store, vec![part(FLASH, 0, &minutes)]);
    let found = |from: i64, to: i64, longer_ms: i64| -> Vec<(i64, i64)> {
        let (from, to) = (at(DAY_MS + from * 60_000), at(DAY_MS + to * 60_000));
        let silences = store.silences(a, from, to, longer_ms).expect("the silences");
        let minute = |time: Timestamp| (time.millis() - DAY_MS) / 60_000;
        silences.iter().map(|silence| (minute(silence.from), minute(silence.to))).collect()
    };
    assert_eq!(found(0, 60, 5 * 60_000), [(0, 10), (12, 30), (31, 50), (50, 60)]);
    assert_eq!(found(0, 60, 18 * 60_000), [(31, 50)]);
    assert_eq!(found(11, 31, 60_000), [(12, 30), (30, 31)][..1]);
    assert_eq!(found(13, 30, 60_000), [(13, 30)]);
    assert_eq!(found(20, 20, 0), []);
    assert_eq!(found(10, 13, 60_000), []);
}

fn what_is_refused_leaves_nothing(store: &dyn Store) {
    let a = series(store, "a");
    let unknown = SeriesId(a.0 + 1_000);
    let samples = [sample(a, DAY_MS, 1), sample(unknown, DAY_MS, 1)];
    let refused = store.commit(&Batch { parts: vec![part(FLASH, 0, &samples)] });
    assert!(matches!(refused, Err(Error::UnknownSeries(id)) if id == unknown), "{refused:?}");
    let many = vec![sample(a, DAY_MS, 1); BATCH_SAMPLES_MAX + 1];
    let refused = store.commit(&Batch { parts: vec![part(FLASH, 0, &many)] });
    assert!(matches!(refused, Err(Error::BatchTooLarge { .. })), "{refused:?}");
    assert_eq!(all(store, a), []);
    assert_eq!(store.last_position().expect("a position"), Position(0));
    assert_eq!(store.seen(&node(), FLASH).expect("seen"), []);
    let (from, to) = (at(0), at(BUCKETS_MAX as i64 + 1));
    for step_ms in [1, 0, -5] {
        let refused = store.downsample(a, from, to, step_ms, from);
        assert!(matches!(refused, Err(Error::TooManyBuckets { .. })), "{refused:?}");
    }
    let refused = store.downsample(unknown, from, to, HOUR_MS, from);
    assert!(matches!(refused, Err(Error::UnknownSeries(_))), "{refused:?}");
    let refused = store.scan(unknown, from, to, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(Error::UnknownSeries(_))), "{refused:?}");
}
