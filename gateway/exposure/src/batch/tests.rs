//! The join against a brute force that looks at every minute by itself, and what must hold of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Scaled, SequenceRange, Slug, Timestamp,
};
use nursery::{Batch, NodePlaced, Period, PlacedFrom, Profile, StageFrom, TimeZone};
use proptest::prelude::*;
use store::{Columns, Committed, Gap, Position, Sample, SeriesId, SeriesKey, Store};

use super::*;
use crate::{IntegralKind, Light, course, hold_us, stay, taken_spans};

const MINUTE_US: i64 = 60_000_000;
/// 2026-11-20T00:00:00Z, in minutes.
const FIRST_MINUTE: i64 = 1_795_132_800 / 60;
const MINUTES: i64 = 3 * 1_440;
/// Minutes that Shanghai is ahead of UTC.
const AHEAD: i64 = 480;
const QUANTITIES: [Quantity; 4] = [
    Quantity::AirTemperature,
    Quantity::RelativeHumidity,
    Quantity::Ppfd,
    Quantity::VapourPressureDeficit,
];

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros((FIRST_MINUTE + minute) * MINUTE_US).unwrap()
}

/// A store that holds samples in memory; only what the join asks is there.
struct Memory(BTreeMap<SeriesId, Vec<Sample>>);

impl Store for Memory {
    fn series_id(&self, _: &SeriesKey) -> Result<SeriesId, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn commit(&self, _: &store::Batch) -> Result<Committed, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn seen(&self, _: &NodeKey, _: FlashId) -> Result<Vec<SequenceRange>, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn latest(&self) -> Result<Vec<Sample>, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        let samples = self.0.get(&series).map_or(&[][..], Vec::as_slice);
        let first = samples.partition_point(|it| it.time < from);
        for sample in samples[first..].iter().take_while(|it| it.time < to) {
            if visit(sample).is_break() {
                break;
            }
        }
        Ok(())
    }
    fn downsample(
        &self,
        _: SeriesId,
        _: Timestamp,
        _: Timestamp,
        _: i64,
        _: Timestamp,
    ) -> Result<Columns, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn journal(&self, _: Position, _: usize) -> Result<Vec<(Position, Vec<Sample>)>, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn release(&self, _: Position) -> Result<(), store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn last_position(&self) -> Result<Position, store::Error> {
        Err(store::Error::ReadOnly)
    }
    fn gaps(&self, _: &NodeKey) -> Result<Vec<Gap>, store::Error> {
        Err(store::Error::ReadOnly)
    }
}

/// A nursery drawn at random. Everything happens on whole minutes.
#[derive(Clone, Debug)]
struct Case {
    /// Channel, minute, value in steps, and what is wrong with it: 0 a fault, 1 failed, else nothing.
    samples: Vec<(usize, i64, i32, u8)>,
    /// Node, minute, zone.
    moves: Vec<(usize, i64, usize)>,
    /// Minute, stage.
    stages: Vec<(i64, usize)>,
    /// Minute, zone, position.
    placed: Vec<(i64, usize, usize)>,
    begin: i64,
    end: i64,
}

const NODES: [&str; 2] = ["a", "b"];
const ZONES: [&str; 3] = ["x", "y", "nowhere"];
const POSITIONS: [Option<&str>; 3] = [None, Some("canopy"), Some("tray")];
const STAGES: [&str; 2] = ["one", "two"];

/// The channels: two nodes, two positions, three quantities; node b has no light.
fn channels() -> Vec<(SeriesId, SeriesKey)> {
    let mut channels = Vec::new();
    for node in NODES {
        for position in ["canopy", "tray"] {
            for quantity in QUANTITIES.into_iter().take(if node == "a" { 3 } else { 2 }) {
                let node = NodeKey { site: slug("s"), node: slug(node) };
                let key = SeriesKey { node, position: slug(position), quantity };
                channels.push((SeriesId(channels.len() as u32), key));
            }
        }
    }
    channels
}

fn case() -> impl Strategy<Value = Case> {
    let minute = || 0..MINUTES;
    (
        prop::collection::vec((0_usize..10, minute(), 0_i32..1_000, 0_u8..12), 0..900),
        prop::collection::vec((0_usize..2, minute(), 0_usize..3), 0..6),
        prop::collection::vec((minute(), 0_usize..2), 0..4),
        prop::collection::vec((minute(), 0_usize..2, 0_usize..3), 0..4),
        (0_i64..200, 1_500..MINUTES),
    )
        .prop_map(|(samples, moves, stages, placed, (begin, end))| Case {
            samples,
            moves,
            stages,
            placed,
            begin,
            end,
        })
}

impl Case {
    fn steps(quantity: Quantity, draw: i32) -> i32 {
        match quantity {
            Quantity::AirTemperature => 10_000 + draw * 20,
            Quantity::RelativeHumidity => 3_000 + draw * 7,
            _ => draw * 4,
        }
    }

    fn memory(&self) -> Memory {
        let mut memory: BTreeMap<SeriesId, BTreeMap<i64, Sample>> = BTreeMap::new();
        let channels = channels();
        for (channel, minute, draw, wrong) in &self.samples {
            let (id, key) = &channels[*channel];
            let value = Scaled(Self::steps(key.quantity, *draw));
            let sample = Sample {
                series: *id,
                time: at(*minute),
                reading: if *wrong == 0 { Err(Fault::Bus) } else { Ok(value) },
                quality: match wrong {
                    0 => Quality::Missing,
                    1 => Quality::Fail,
                    2 => Quality::Suspect,
                    _ => Quality::Good,
                },
                marks: Marks::NONE,
                taken: None,
            };
            memory.entry(*id).or_default().insert(*minute, sample);
        }
        Memory(memory.into_iter().map(|(id, it)| (id, it.into_values().collect())).collect())
    }

    fn placements(&self) -> Vec<NodePlaced> {
        let mut moves = self.moves.clone();
        moves.sort_by_key(|(_, minute, _)| *minute);
        let first = NODES.iter().enumerate().map(|(node, _)| (node, 0, node));
        let all: Vec<_> = first.chain(moves).collect();
        let placed = all.iter().map(|(node, minute, zone)| NodePlaced {
            node: NodeKey { site: slug("s"), node: slug(NODES[*node]) },
            zone: (*zone < 2).then(|| slug(ZONES[*zone])),
            from: at(*minute),
        });
        placed.collect()
    }

    fn batch(&self) -> Batch {
        let started = at(self.begin);
        let mut batch = Batch {
            id: slug("b"),
            site: slug("s"),
            label: "b".into(),
            accession: None,
            crop: slug("c"),
            method: slug("m"),
            plants: None,
            started,
            closed: None,
            stages: vec![StageFrom { stage: slug("one"), from: started }],
            placements: vec![PlacedFrom { zone: slug("x"), position: None, from: started }],
        };
        let (mut stages, mut placed) = (self.stages.clone(), self.placed.clone());
        stages.sort_unstable();
        placed.sort_unstable();
        for (minute, stage) in stages {
            // What contradicts itself is refused, and stays as it was.
            drop(batch.enter(slug(STAGES[stage]), at(minute)));
        }
        for (minute, zone, position) in placed {
            let position = POSITIONS[position].map(slug);
            drop(batch.move_to(slug(ZONES[zone]), position, at(minute)));
        }
        batch
    }
}

/// The profile as a person would write it.
fn profile() -> Profile {
    let text = r#"{"crop": "c", "names": {"zh": "稻", "en": "c"}, "methods": [{"id": "m",
        "names": {"zh": "法", "en": "m"}, "stages": [
        {"id": "one", "order": 0, "names": {"zh": "一", "en": "one"}, "bands": [
            {"quantity": "air_temperature", "period": "day", "target": {"lo": 16, "hi": 22},
             "target_class": "G"},
            {"quantity": "air_temperature", "period": "night", "target": {"hi": 18},
             "target_class": "G"},
            {"quantity": "ppfd", "target": {"lo": 150, "hi": 300}, "target_class": "G"}]},
        {"id": "two", "order": 1, "names": {"zh": "二", "en": "two"}, "bands": [
            {"quantity": "relative_humidity", "target": {"lo": 60}, "target_class": "G"},
            {"quantity": "vapour_pressure_deficit", "target": {"lo": 0.5, "hi": 1.1},
             "target_class": "G"}]}]}],
        "thermal_time": [{"applies": ["m/two"], "base_c": 11, "upper_c": 26, "class": "A",
            "sources": ["RI03"]}]}"#;
    serde_json::from_str(text).unwrap()
}

fn is_day(zone: &Slug, minute: i64) -> bool {
    let of_day = (minute + FIRST_MINUTE).rem_euclid(1_440);
    if zone.as_str() == "x" { (0..600).contains(&of_day) } else { (120..500).contains(&of_day) }
}

fn light(zone: &Slug, time: Timestamp) -> Light {
    let minute = time.micros().div_euclid(MINUTE_US) - FIRST_MINUTE;
    let day = is_day(zone, minute);
    let change = (minute + 1..).find(|it| is_day(zone, *it) != day).unwrap();
    Light { day, until: at(change) }
}

fn interval_ms(zone: &Slug) -> u32 {
    // The hold of y is half an hour, that of x a quarter.
    if zone.as_str() == "y" { 600_000 } else { 60_000 }
}

fn with_house<T>(case: &Case, ask: impl FnOnce(&House<'_>) -> T) -> T {
    let (memory, series, placed) = (case.memory(), channels(), case.placements());
    let (site, time_zone) = (slug("s"), TimeZone::new("Asia/Shanghai").unwrap());
    ask(&House {
        store: &memory,
        site: &site,
        series: &series,
        placed: &placed,
        expected_interval_ms: &interval_ms,
        light: &light,
        time_zone: &time_zone,
    })
}

/// What the brute force sums up of a quantity.
#[derive(Clone, Debug, Default)]
struct Brute {
    minutes: i64,
    covered: i64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    below: i64,
    above: i64,
    integral: f64,
}

/// A minute of a segment and the value that was seen in it.
type Seen<'a> = (&'a Segment, i64, Option<f64>);

/// Looks at one minute by the words of the definition.
struct Minute<'a> {
    memory: &'a Memory,
    placed: &'a [NodePlaced],
}

impl Minute<'_> {
    fn zone_of(&self, node: &NodeKey, minute: i64) -> Option<Slug> {
        let before = |it: &&NodePlaced| it.node == *node && it.from <= at(minute);
        self.placed.iter().rfind(before).and_then(|it| it.zone.clone())
    }

    /// Returns the sum of the standing steps and how many channels stand.
    fn standing(
        &self,
        quantity: Quantity,
        zone: &Slug,
        position: Option<&Slug>,
        minute: i64,
    ) -> (i64, i64) {
        let here = |key: &SeriesKey| {
            key.quantity == quantity && self.zone_of(&key.node, minute).as_ref() == Some(zone)
        };
        let mut found: Vec<_> = channels().into_iter().filter(|(_, key)| here(key)).collect();
        if found.iter().any(|(_, key)| Some(&key.position) == position) {
            found.retain(|(_, key)| Some(&key.position) == position);
        }
        let (mut sum, mut count) = (0, 0);
        for (id, key) in found {
            let samples = self.memory.0.get(&id).into_iter().flatten();
            let Some(last) = samples.rev().find(|it| it.time <= at(minute)) else { continue };
            let taken = (last.time.micros() / MINUTE_US) - FIRST_MINUTE;
            if at(minute).micros_since(last.time) >= hold_us(interval_ms(zone)) {
                continue;
            }
            let stayed =
                (taken..=minute).all(|it| self.zone_of(&key.node, it).as_ref() == Some(zone));
            let good = !matches!(last.quality, Quality::Fail | Quality::Missing);
            if let (Ok(value), true) = (last.reading, stayed && good) {
                (sum, count) = (sum + i64::from(value.0), count + 1);
            }
        }
        (sum, count)
    }

    /// Returns the value of a quantity as steps of a billionth, where it has one.
    fn value(&self, quantity: Quantity, segment: &Segment, minute: i64) -> Option<f64> {
        let of = |quantity: Quantity| {
            let position = segment.position.as_ref();
            let (sum, count) = self.standing(quantity, &segment.zone, position, minute);
            let unit = f64::from(quantity.steps_per_unit());
            (count > 0).then(|| sum as f64 / count as f64 / unit)
        };
        if quantity != Quantity::VapourPressureDeficit {
            return of(quantity);
        }
        let (air, wet) = (of(Quantity::AirTemperature)?, of(Quantity::RelativeHumidity)?);
        Some(0.6108 * (17.27 * air / (air + 237.3)).exp() * (1.0 - wet / 100.0))
    }

    /// Takes a minute into a sum.
    fn take(sum: &mut Brute, quantity: Quantity, (segment, minute, value): Seen<'_>) {
        sum.minutes += 1;
        let Some(value) = value else { return };
        sum.covered += 1;
        sum.sum += value;
        sum.min = Some(sum.min.map_or(value, |min| min.min(value)));
        sum.max = Some(sum.max.map_or(value, |max| max.max(value)));
        let day = is_day(&segment.zone, minute);
        let (low, high) = band(segment.stage.as_str(), quantity, day);
        sum.below += i64::from(low.is_some_and(|low| value < low - 1e-12));
        sum.above += i64::from(high.is_some_and(|high| value > high + 1e-12));
        sum.integral += match quantity {
            Quantity::AirTemperature if segment.stage.as_str() == "two" => {
                (value.min(26.0) - 11.0).max(0.0) / 1_440.0
            }
            Quantity::AirTemperature => (value - 10.0).max(0.0) / 1_440.0,
            Quantity::Ppfd => value * 60.0 / 1e6,
            _ => value / 60.0,
        };
    }
}

/// The bands of the profile, written once more.
fn band(stage: &str, quantity: Quantity, day: bool) -> (Option<f64>, Option<f64>) {
    match (stage, quantity, day) {
        ("one", Quantity::AirTemperature, true) => (Some(16.0), Some(22.0)),
        ("one", Quantity::AirTemperature, false) => (None, Some(18.0)),
        ("one", Quantity::Ppfd, true) => (Some(150.0), Some(300.0)),
        ("one", Quantity::Ppfd, false) => (None, Some(300.0)),
        ("two", Quantity::RelativeHumidity, _) => (Some(60.0), None),
        ("two", Quantity::VapourPressureDeficit, _) => (Some(0.5), Some(1.1)),
        _ => (None, None),
    }
}

type Key = (Option<String>, Quantity);

/// Returns the sums by stage, those over all stages, and those by local day.
fn brute(case: &Case) -> (BTreeMap<Key, Brute>, BTreeMap<(i64, Quantity), Brute>) {
    let (memory, placed, batch) = (case.memory(), case.placements(), case.batch());
    let minutes = Minute { memory: &memory, placed: &placed };
    let (mut stages, mut days) = (BTreeMap::new(), BTreeMap::new());
    let segments = batch.segments(at(case.end));
    for minute in case.begin..case.end {
        let Some(segment) = segments.iter().find(|it| it.from <= at(minute) && at(minute) < it.to)
        else {
            continue;
        };
        for quantity in QUANTITIES {
            let seen = (segment, minute, minutes.value(quantity, segment, minute));
            for stage in [Some(segment.stage.to_string()), None] {
                Minute::take(stages.entry((stage, quantity)).or_default(), quantity, seen);
            }
            let day = (FIRST_MINUTE + minute + AHEAD).div_euclid(1_440);
            Minute::take(days.entry((day, quantity)).or_default(), quantity, seen);
        }
    }
    (stages, days)
}

#[track_caller]
fn same(row: &Row, brute: &Brute) {
    let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-6,
        (None, None) => true,
        _ => false,
    };
    let mean = (brute.covered > 0).then(|| brute.sum / brute.covered as f64);
    assert_eq!(row.time_us, brute.minutes * MINUTE_US, "{row:?}");
    assert_eq!(row.covered_us, brute.covered * MINUTE_US, "{row:?} {brute:?}");
    assert!(near(row.mean, mean), "{row:?} {brute:?}");
    assert!(near(row.min, brute.min) && near(row.max, brute.max), "{row:?} {brute:?}");
    assert_eq!(row.below_us.unwrap_or(0), brute.below * MINUTE_US, "{row:?} {brute:?}");
    assert_eq!(row.above_us.unwrap_or(0), brute.above * MINUTE_US, "{row:?} {brute:?}");
    let integral = row.integral.as_ref().map(|it| it.value);
    let expect = IntegralKind::of(row.quantity).map(|_| brute.integral);
    assert!(near(integral, expect), "{row:?} {brute:?}");
}

fn check(case: &Case) {
    let (batch, profile) = (case.batch(), profile());
    let span = Span { from: Timestamp::MIN, to: at(case.end) };
    let ask = |samples| {
        with_house(case, |house| {
            lived_with(house, &batch, Some(&profile), span, |it| it.at_once(samples)).unwrap()
        })
    };
    let found = ask(crate::SAMPLES_AT_ONCE_MAX);
    let (stages, days) = brute(case);
    for row in &found.rows {
        same(row, &stages[&(row.stage.as_ref().map(Slug::to_string), row.quantity)]);
    }
    for (key, sum) in &stages {
        let there = |row: &&Row| {
            (row.stage.as_ref().map(Slug::to_string), row.quantity) == (key.0.clone(), key.1)
        };
        assert!(sum.covered == 0 || found.rows.iter().any(|row| there(&row)), "{key:?} is missing");
    }
    for day in &found.days {
        same(&day.row, &days[&(i64::from(day.day), day.row.quantity)]);
    }
    for row in found.rows.iter().filter(|row| row.stage.is_none()) {
        let Some(integral) = &row.integral else { continue };
        let whole = days.iter().filter(|((_, quantity), it)| {
            *quantity == row.quantity && it.minutes == 1_440 && it.covered * 10 >= 1_440 * 9
        });
        let whole: Vec<f64> = whole.map(|(_, it)| it.integral).collect();
        assert_eq!(integral.days as usize, whole.len());
        let mean = whole.iter().sum::<f64>() / whole.len() as f64;
        assert!(integral.a_day.is_none_or(|it| (it - mean).abs() < 1e-6), "{integral:?} {mean}");
    }
    for samples in [3, 40] {
        assert_eq!(ask(samples), found, "in parts of at most {samples} samples");
    }
    adds_up(&found);
}

/// Stages sum up to the whole, and so do days.
fn adds_up(found: &Lived) {
    for whole in found.rows.iter().filter(|row| row.stage.is_none()) {
        let stages = found.rows.iter().filter(|it| it.stage.is_some());
        let days = found.days.iter().map(|day| &day.row);
        for parts in [stages.collect::<Vec<_>>(), days.collect()] {
            let of: Vec<_> = parts.iter().filter(|it| it.quantity == whole.quantity).collect();
            let sum = |us: &dyn Fn(&Row) -> i64| of.iter().map(|row| us(row)).sum::<i64>();
            assert_eq!(sum(&|row| row.covered_us), whole.covered_us);
            assert_eq!(sum(&|row| row.below_us.unwrap_or(0)), whole.below_us.unwrap_or(0));
            assert_eq!(sum(&|row| row.above_us.unwrap_or(0)), whole.above_us.unwrap_or(0));
            let value = |row: &Row| row.integral.as_ref().map_or(0.0, |it| it.value);
            let integral: f64 = of.iter().map(|row| value(row)).sum();
            assert!((integral - value(whole)).abs() < 1e-9);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 100, ..Default::default() })]
    #[test]
    fn the_join_is_what_a_look_at_every_minute_gives(case in case()) {
        check(&case);
    }
}

fn quiet() -> Case {
    let samples = (0..MINUTES).map(|minute| (0, minute, 500, 9)).collect();
    let (moves, stages, placed) = (vec![], vec![], vec![]);
    Case { samples, moves, stages, placed, begin: 0, end: MINUTES }
}

fn whole(case: &Case, quantity: Quantity) -> Row {
    let span = Span { from: Timestamp::MIN, to: at(case.end) };
    let (batch, profile) = (case.batch(), profile());
    let found = with_house(case, |it| lived(it, &batch, Some(&profile), span).unwrap());
    found.rows.into_iter().find(|row| row.stage.is_none() && row.quantity == quantity).unwrap()
}

#[test]
fn three_days_at_20_degrees_are_30_degree_days_above_10() {
    let row = whole(&quiet(), Quantity::AirTemperature);
    assert_eq!((row.hours(), row.coverage(), row.mean), (72.0, 1.0, Some(20.0)));
    let integral = row.integral.unwrap();
    assert_eq!((integral.value, integral.a_day, integral.days), (30.0, Some(10.0), 2));
}

#[test]
fn a_silent_channel_stands_for_the_hold_and_no_longer() {
    let case = Case { samples: vec![(0, 100, 500, 9)], ..quiet() };
    let row = whole(&case, Quantity::AirTemperature);
    assert_eq!(row.covered_us, 15 * MINUTE_US);
    let faulted = Case { samples: vec![(0, 100, 500, 9), (0, 104, 0, 0)], ..quiet() };
    assert_eq!(whole(&faulted, Quantity::AirTemperature).covered_us, 4 * MINUTE_US);
}

#[test]
fn a_reading_stays_in_the_house_that_it_was_taken_in() {
    let case = Case { samples: vec![(0, 100, 500, 9)], moves: vec![(0, 105, 1)], ..quiet() };
    assert_eq!(whole(&case, Quantity::AirTemperature).covered_us, 5 * MINUTE_US);
    let back = Case { moves: vec![(0, 105, 1), (0, 107, 0)], ..case.clone() };
    assert_eq!(whole(&back, Quantity::AirTemperature).covered_us, 5 * MINUTE_US);
    let follows = Case { placed: vec![(105, 1, 0)], ..case };
    assert_eq!(whole(&follows, Quantity::AirTemperature).covered_us, 5 * MINUTE_US);
}

#[test]
fn a_reading_of_before_the_start_counts_while_it_stands() {
    let case = Case { samples: vec![(0, 100, 500, 9)], begin: 110, ..quiet() };
    assert_eq!(whole(&case, Quantity::AirTemperature).covered_us, 5 * MINUTE_US);
    let batch = case.batch();
    let stays: Vec<Stay> = batch.segments(at(case.end)).iter().map(Stay::from).collect();
    let spans = with_house(&case, |house| taken_spans(house, &stays));
    assert!(spans.iter().all(|span| span.from == at(95) && span.to == at(MINUTES)), "{spans:?}");
}

#[test]
fn a_position_of_the_batch_s_own_silences_the_others() {
    // Channel 3 is the temperature at the tray of the same node.
    let samples = vec![(0, 100, 500, 9), (3, 100, 0, 9)];
    let case = Case { samples, placed: vec![(0, 0, 2)], ..quiet() };
    let row = whole(&case, Quantity::AirTemperature);
    assert_eq!((row.mean, row.channels.as_slice()), (Some(10.0), &["a/tray".to_owned()][..]));
    let both = whole(&Case { placed: vec![], ..case }, Quantity::AirTemperature);
    assert_eq!(both.mean, Some(15.0));
}

#[test]
fn a_life_of_more_than_twenty_years_is_refused() {
    let batch = Batch { started: Timestamp::MIN, ..quiet().batch() };
    let batch = Batch {
        stages: vec![StageFrom { stage: slug("one"), from: Timestamp::MIN }],
        placements: vec![PlacedFrom { zone: slug("x"), position: None, from: Timestamp::MIN }],
        ..batch
    };
    let span = Span { from: Timestamp::MIN, to: at(0) };
    let refused = with_house(&quiet(), |house| lived(house, &batch, None, span).unwrap_err());
    assert!(matches!(refused, Error::TooLong { days: 20_777, .. }), "{refused}");
}

#[test]
fn a_day_on_a_sheet_is_told_by_day_and_by_night() {
    let case = quiet();
    let of_day = Stay { zone: slug("x"), position: None, from: at(0), to: at(1_440) };
    let profile = profile();
    let growing = Some((&profile, &slug("m"), &slug("one")));
    let rows = with_house(&case, |house| stay(house, &of_day, growing).unwrap());
    let air = rows.iter().find(|it| it.row.quantity == Quantity::AirTemperature).unwrap();
    assert_eq!((air.day_mean, air.night_mean), (Some(20.0), Some(20.0)));
    // Above 18 °C in the 14 hours of its night.
    assert_eq!(air.row.hours_above(), Some(14.0));
    assert_eq!(profile.stage(&slug("m"), &slug("one")).map(|it| it.bands.len()), Some(3));
    assert!(Period::Day.overlaps(Period::All));
}

#[test]
fn a_course_begins_with_the_batch() {
    let case = Case { begin: 90, end: 330, ..quiet() };
    let span = Span { from: at(90), to: at(330) };
    let batch = case.batch();
    let buckets = with_house(&case, |house| {
        course(house, &batch, Quantity::AirTemperature, span, 60 * MINUTE_US).unwrap()
    });
    assert_eq!(buckets.len(), 4);
    assert!(buckets.iter().all(|it| it.mean == Some(20.0)), "{buckets:?}");
}
