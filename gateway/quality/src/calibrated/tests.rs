//! The calibrated store beside a plain model of it: every reading corrected by itself, then counted.

use std::path::Path;

use measure::{Fault, Marks, Reading, Sequence, Slug};
use proptest::prelude::*;
use store::embedded::{Engine, Options};
use store::{Incoming, Origin, Part};

use super::*;
use crate::calibration::Point;

const QUANTITY: Quantity = Quantity::RelativeHumidity;
const MINUTE_US: i64 = 60_000_000;

fn key() -> SeriesKey {
    let slug = |name| Slug::new(name).unwrap();
    let node = NodeKey { site: slug("s"), node: slug("n") };
    SeriesKey { node, position: slug("canopy"), quantity: QUANTITY }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * MINUTE_US).unwrap()
}

fn version(number: u32, from: Timestamp, correction: Correction) -> Version {
    let (by, note) = (String::new(), String::new());
    let entered = Timestamp::MIN;
    Version { number, channel: key(), from, correction, by, entered, note, withdrawn: None }
}

fn line(low: (i32, i32), high: (i32, i32)) -> Option<Correction> {
    let point = |(raw, reference)| Point { raw: Scaled(raw), reference: Scaled(reference) };
    Correction::from_points(point(low), Some(point(high)))
}

fn filled(dir: &Path, readings: &[(i64, Reading, Quality)]) -> (Arc<dyn Store>, SeriesId) {
    let engine = Engine::open(dir, Options::default()).unwrap();
    let series = engine.series_id(&key()).unwrap();
    let samples = (0..).zip(readings).map(|(number, &(minute, reading, quality))| {
        let (time, marks) = (at(minute), Marks::NONE);
        let sample = Sample { series, time, reading, quality, marks, taken: None };
        Incoming { sequence: Sequence(number), sample }
    });
    let part = Part::Readings { origin: Origin::Guest, samples: samples.collect() };
    engine.commit(&Batch { parts: vec![part] }).unwrap();
    engine.checkpoint().unwrap();
    (Arc::new(engine), series)
}

fn all(store: &dyn Store, series: SeriesId) -> Vec<Sample> {
    let mut all = Vec::new();
    let visit = &mut |sample: &Sample| {
        all.push(*sample);
        ControlFlow::Continue(())
    };
    store.scan(series, Timestamp::MIN, Timestamp::MAX, visit).unwrap();
    all
}

#[test]
fn the_raw_store_is_untouched_and_every_answer_is_calibrated() {
    let dir = tempfile::tempdir().unwrap();
    let good = |minute, value| (minute, Ok(Scaled(value)), Quality::Good);
    let (raw, series) = filled(dir.path(), &[good(0, 5_000), good(10, 5_100), good(20, 5_200)]);
    let before = all(&*raw, series);
    let offset = Correction::offset(QUANTITY, 2.0).unwrap();
    let calibrations = Calibrations::of(&[version(1, at(10), offset)]);
    let store = Calibrated::new(Arc::clone(&raw), &calibrations).unwrap();
    let values = |samples: &[Sample]| -> Vec<i32> {
        samples.iter().map(|sample| sample.reading.unwrap().0).collect()
    };
    assert_eq!(values(&all(&store, series)), [5_000, 5_300, 5_400]);
    assert_eq!(values(&store.latest().unwrap()), [5_400]);
    let journal = store.journal(Position(0), 10).unwrap();
    assert_eq!(values(&journal.first().unwrap().1), [5_000, 5_300, 5_400]);
    let chart = store.downsample(series, at(0), at(30), 1_800_000, at(0)).unwrap();
    assert_eq!((&*chart.min, &*chart.max), (&[Some(50.0)][..], &[Some(54.0)][..]));
    assert_eq!(all(&*raw, series), before);
    store.set(&Calibrations::default()).unwrap();
    assert_eq!(all(&store, series), before);
}

#[test]
fn a_calibration_of_a_channel_that_the_store_does_not_know_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine: Arc<dyn Store> = Arc::new(Engine::open(dir.path(), Options::default()).unwrap());
    let offset = Correction::offset(QUANTITY, 2.0).unwrap();
    let calibrations = Calibrations::of(&[version(1, at(0), offset)]);
    let store = Calibrated::new(Arc::clone(&engine), &calibrations).unwrap();
    assert_eq!(store.unknown(), 1);
    engine.series_id(&key()).unwrap();
    store.set(&calibrations).unwrap();
    assert_eq!(store.unknown(), 0);
}

#[test]
fn too_many_buckets_are_refused_as_the_store_does() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, series) = filled(dir.path(), &[(0, Ok(Scaled(1)), Quality::Good)]);
    let offset = Correction::offset(QUANTITY, 2.0).unwrap();
    let calibrations = Calibrations::of(&[version(1, at(500), offset)]);
    let store = Calibrated::new(raw, &calibrations).unwrap();
    for step_ms in [1, 0, -5, i64::MAX] {
        let asked = store.downsample(series, at(0), at(100_000), step_ms, at(0));
        assert!(matches!(asked, Err(Error::TooManyBuckets { .. })), "{step_ms}");
    }
}

fn any_reading() -> impl Strategy<Value = (Reading, Quality)> {
    prop_oneof![
        8 => (0..=10_000_i32).prop_map(|value| (Ok(Scaled(value)), Quality::Good)),
        1 => (0..=10_000_i32).prop_map(|value| (Ok(Scaled(value)), Quality::Suspect)),
        1 => (-5_000..20_000_i32).prop_map(|value| (Ok(Scaled(value)), Quality::Fail)),
        1 => Just((Err(Fault::Bus), Quality::Missing)),
    ]
}

/// Lines of every kind: flat, steep, falling, and such as lead out of range or out of 32 bits.
fn any_correction() -> impl Strategy<Value = Correction> {
    let offset = (-3_000..3_000_i32)
        .prop_map(|steps| Correction::offset(QUANTITY, f64::from(steps) / 100.0).unwrap());
    let near = (0..500_i32, -300..300_i32, 9_000..10_000_i32, 9_000..10_000_i32)
        .prop_filter_map("a line", |(a, b, c, d)| line((a, b), (c, d)));
    let falling = (0..5_000_i32, 5_001..10_000_i32)
        .prop_filter_map("a line", |(a, b)| line((a, 10_000 - a), (b, 10_000 - b)));
    let wild = any::<[(i32, i32); 2]>().prop_filter_map("a line", |[a, b]| line(a, b));
    prop_oneof![3 => offset, 3 => near, 2 => falling, 1 => wild]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn charts_and_scans_are_those_of_readings_corrected_one_by_one(
        readings in prop::collection::btree_map(0..3_000_i64, any_reading(), 1..60),
        corrections in prop::collection::vec((0..3_200_i64, any_correction()), 1..5),
        (from, length) in (0..3_000_i64, 1..3_000_i64),
        (step_minutes, origin) in (1..700_i64, 0..90_i64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let readings: Vec<_> = readings.into_iter().map(|(at, (it, flag))| (at, it, flag)).collect();
        let (raw, series) = filled(dir.path(), &readings);
        let versions: Vec<_> = (1..).zip(&corrections)
            .map(|(number, &(from, correction))| version(number, at(from), correction))
            .collect();
        let timeline = Timeline::of(&versions);
        let expect: Vec<Sample> = all(&*raw, series).into_iter().map(|sample| {
            timeline.at(sample.time).map_or(sample, |it| it.correction.corrected(QUANTITY, sample))
        }).collect();
        let store = Calibrated::new(raw, &Calibrations::of(&versions)).unwrap();
        prop_assert_eq!(&all(&store, series), &expect);

        let (from, to) = (at(from), at(from + length));
        let (step_ms, origin) = (step_minutes * 60_000, at(origin));
        let chart = store.downsample(series, from, to, step_ms, origin).unwrap();
        let grid = Grid::new(from, to, step_ms, origin).unwrap();
        let mut buckets = vec![Bucket::default(); grid.count];
        for sample in expect.iter().filter(|it| from <= it.time && it.time < to) {
            let index = grid.bucket(sample.time.micros()).unwrap();
            buckets.get_mut(index).unwrap().add(sample);
        }
        prop_assert_eq!(chart.count.len(), buckets.len());
        let steps = |value: Option<f64>| value.map(|value| (value * 100.0).round() as i32);
        for (index, bucket) in buckets.iter().enumerate() {
            let usable = (bucket.count > 0).then_some(bucket);
            prop_assert_eq!(chart.count.get(index), Some(&bucket.count));
            prop_assert_eq!(chart.quality.get(index), Some(&bucket.worst));
            prop_assert_eq!(steps(*chart.min.get(index).unwrap()), usable.map(|it| it.min));
            prop_assert_eq!(steps(*chart.max.get(index).unwrap()), usable.map(|it| it.max));
            // The mean is that of the line itself: each reading is rounded by half a step at most.
            let mean = chart.mean.get(index).unwrap().map(|mean| mean * 100.0);
            let apart = mean.zip(usable).map(|(mean, it)| mean - it.sum / f64::from(it.count));
            prop_assert!(apart.is_none_or(|apart| apart.abs() <= 0.5 + 1e-4), "{:?}", apart);
        }
    }
}
