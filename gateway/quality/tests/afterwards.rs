//! What is found of readings only afterwards.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use measure::{Quality, Quantity, Scaled, Timestamp};
use proptest::prelude::*;
use quality::{
    Channel, Follower, Rules, State, Window, assess, follow, joined, look_again, refine,
};
use store::embedded::{Engine, Options};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, Store};

use support::{FLASH, HOUR_MS, MINUTE_MS, assessed, at, codes, incoming, shipped, stored};

fn air(number: u32, node: &str) -> Channel {
    shipped(number, node, "canopy", Quantity::AirTemperature)
}

fn whole(series: u32) -> Window {
    Window { series: SeriesId(series), from: at(-100 * HOUR_MS), to: at(1_000 * HOUR_MS) }
}

/// Puts the flags of a second look on the samples of a series, which are shown with all others.
fn looked_at(rules: &Rules, series: u32, shown: &BTreeMap<SeriesId, Vec<Sample>>) -> Vec<u8> {
    let mut own = shown[&SeriesId(series)].clone();
    for flag in refine(rules, &whole(series), shown) {
        own.iter_mut().find(|it| it.time == flag.time).unwrap().quality = flag.quality;
    }
    codes(&own)
}

fn minutely(number: u32, values: &[i32]) -> Vec<Sample> {
    let values = (0..).zip(values);
    let one = |(n, v): (u64, &i32)| incoming(number, n, n as i64 * MINUTE_MS, Ok(Scaled(*v)));
    let mut all: Vec<Sample> = values.map(one).map(stored).collect();
    all.iter_mut().for_each(|it| it.quality = Quality::Good);
    all
}

#[test]
fn a_spike_has_neighbours_that_are_near() {
    let rules = Rules::new([air(0, "a")]);
    let mut samples = minutely(0, &[20_000, 20_010, 25_000, 20_020, 20_030]);
    let shown = |samples: &[Sample]| BTreeMap::from([(SeriesId(0), samples.to_vec())]);
    assert_eq!(looked_at(&rules, 0, &shown(&samples))[2], 3);
    // The same values with an hour's silence before the one that stands out.
    for sample in &mut samples[2..] {
        sample.time = sample.time.plus_ms(HOUR_MS);
    }
    let codes = looked_at(&rules, 0, &shown(&samples));
    assert_eq!(codes[2], 1, "{codes:?}");
}

/// How far two sensors read apart, minute by minute.
fn twins(apart: &[i32], third: Option<i32>) -> [Vec<u8>; 3] {
    let rules = Rules::new([air(0, "a"), air(1, "b"), air(2, "c")]);
    let of = |offset: &dyn Fn(usize) -> i32| -> Vec<i32> {
        (0..apart.len()).map(|n| 20_000 + (n as i32 % 5) * 70 + offset(n)).collect()
    };
    let mut shown = BTreeMap::from([
        (SeriesId(0), minutely(0, &of(&|_| 0))),
        (SeriesId(1), minutely(1, &of(&|n| apart[n]))),
        (SeriesId(2), Vec::new()),
    ]);
    if let Some(third) = third {
        shown.insert(SeriesId(2), minutely(2, &of(&|_| third)));
    }
    [0, 1, 2].map(|series| looked_at(&rules, series, &shown))
}

#[test]
fn twins_are_suspect_after_an_hour_of_disagreement_and_not_before() {
    // Twice the combined accuracy of two sensors of 0.8 °C is 2.26 °C.
    let mut apart = vec![2_200; 10];
    apart.extend([2_400; 90]);
    apart.extend([500; 10]);
    let [one, other, _] = twins(&apart, None);
    assert_eq!(one, other, "nobody knows which of two is wrong");
    assert!(one[..70].iter().all(|code| *code == 1), "{one:?}");
    assert!(one[70..100].iter().all(|code| *code == 3), "{one:?}");
    assert!(one[100..].iter().all(|code| *code == 1), "{one:?}");
}

#[test]
fn disagreement_that_is_broken_off_is_counted_anew() {
    let mut apart = vec![3_000; 50];
    apart.push(0);
    apart.extend([3_000; 50]);
    assert!(twins(&apart, None)[0].iter().all(|code| *code == 1));
}

#[test]
fn of_three_only_the_one_that_stands_alone_is_suspect() {
    let [one, alone, third] = twins(&[4_000; 90], Some(300));
    assert!(one.iter().chain(&third).all(|code| *code == 1));
    assert_eq!(alone[61], 3);
}

#[test]
fn the_air_that_contradicts_a_later_dew_point_is_suspect_as_well() {
    let dew = shipped(1, "a", "canopy", Quantity::DewPoint);
    let rules = Rules::new([air(0, "a"), dew]);
    let mut shown = BTreeMap::from([
        (SeriesId(0), minutely(0, &[20_000, 20_100, 20_050])),
        (SeriesId(1), minutely(1, &[15_000, 23_000, 15_100])),
    ]);
    for sample in shown.get_mut(&SeriesId(1)).unwrap() {
        sample.time = sample.time.plus_ms(500);
    }
    assert_eq!(looked_at(&rules, 0, &shown), [1, 3, 1]);
    assert_eq!(looked_at(&rules, 1, &shown)[1], 3);
}

/// Two hours run through each other, as in a recording that was sorted after its clock was set back.
#[test]
fn hours_that_run_through_each_other_are_no_spikes() {
    let rules = Rules::new([air(0, "a")]);
    let mut all: Vec<Sample> = Vec::new();
    let mut push = |ms: i64, value: i32| {
        let nth = all.len() as u64;
        let mut sample = stored(incoming(0, nth, ms, Ok(Scaled(value))));
        sample.quality = Quality::Good;
        if all.last().is_some_and(|last| last.time == sample.time) {
            sample.time = sample.time.plus_micros(1);
        }
        all.push(sample);
    };
    for minute in 0..180_i64 {
        push(minute * MINUTE_MS, 20_000 + (minute % 3) as i32 * 200);
        if (60..120).contains(&minute) {
            push(minute * MINUTE_MS, 28_000 + (minute % 3) as i32 * 200);
        }
    }
    let shown = BTreeMap::from([(SeriesId(0), all.clone())]);
    assert!(looked_at(&rules, 0, &shown).iter().all(|code| *code == 1));
    let mut follower = Follower::default();
    follow(&rules, &mut follower, &all[..1]);
    assert_eq!(follow(&rules, &mut follower, &all[1..100]), []);
    // As they come, none is suspect either.
    let mut coming = Vec::new();
    for (nth, sample) in (0..).zip(&all) {
        let ms = sample.time.millis() - support::NOON_MS;
        coming.push(incoming(0, nth, ms, sample.reading));
    }
    let assessed = assessed(&rules, &mut State::default(), coming);
    assert!(codes(&assessed).iter().all(|code| *code == 1));
}

#[test]
fn windows_that_touch_are_one_and_long_ones_are_cut() {
    let window = |from: i64, to: i64| Window { series: SeriesId(1), from: at(from), to: at(to) };
    assert_eq!(joined(vec![window(50, 90), window(0, 60)]), [window(0, 90)]);
    assert_eq!(joined(vec![window(0, 10), window(20, 30)]).len(), 2);
    let parts = joined(vec![window(0, quality::WINDOW_MS_MAX * 5 / 2)]);
    assert_eq!(parts.len(), 3);
    assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from));
    assert_eq!(parts.last().unwrap().to, at(quality::WINDOW_MS_MAX * 5 / 2));
}

fn channels() -> [Channel; 3] {
    let humidity = shipped(2, "a", "canopy", Quantity::RelativeHumidity);
    [air(1, "a"), humidity, air(3, "b")]
}

/// Commits what comes as a gateway does, and looks again where the follower says so.
struct Gateway {
    _folder: tempfile::TempDir,
    engine: Engine,
    rules: Rules,
    state: State,
    follower: Follower,
    followed: store::Position,
}

impl Gateway {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), Options::default()).unwrap();
        for channel in channels() {
            assert_eq!(engine.series_id(&channel.key).unwrap(), channel.series);
        }
        let rules = Rules::new(channels());
        let (state, follower) = (State::default(), Follower::default());
        let followed = store::Position::default();
        Self { _folder: folder, engine, rules, state, follower, followed }
    }

    fn take(&mut self, mut samples: Vec<Incoming>) {
        assess(&self.rules, &mut self.state, Some(FLASH), &mut samples);
        let node = channels()[0].key.node.clone();
        let origin = Origin::Node { node, flash: FLASH };
        let parts = vec![Part::Readings { origin, samples }];
        self.engine.commit(&Batch { parts }).unwrap();
        self.state.settle(true);
    }

    fn look_again(&mut self) {
        let mut windows = Vec::new();
        for (position, samples) in self.engine.journal(self.followed, 100).unwrap() {
            windows.extend(follow(&self.rules, &mut self.follower, &samples));
            self.followed = position;
        }
        for window in joined(windows) {
            let flags = look_again(&self.rules, &self.engine, &window).unwrap();
            self.engine.commit(&Batch { parts: vec![Part::Flags(flags)] }).unwrap();
        }
    }

    /// Looks at everything there is, and returns what was overlooked.
    fn overlooked(&self) -> Vec<store::Flag> {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let look = |channel: &Channel| {
            let window = Window { series: channel.series, from, to };
            look_again(&self.rules, &self.engine, &window).unwrap()
        };
        channels().iter().flat_map(look).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default() })]

    /// Spikes, backlogs behind fresh readings and gateways that start anew in between: whoever follows
    /// the journal overlooks nothing. Not in it: twins that are apart and values that stand still, where
    /// a few readings at the edge may keep the flag that they came with (docs/quality.md).
    #[test]
    fn who_follows_the_journal_overlooks_nothing(
        kinds in prop::collection::vec(0..100_u8, 150..320),
        size in 20..60_usize,
        seed in any::<u64>(),
    ) {
        let mut all = Vec::new();
                for (minute, kind) in (0_i64..).zip(&kinds) {
            let noise = (minute * 7_919 % 13) as i32 * 17;
            let base = 20_000 + noise;
            let spike = if *kind == 7 { 6_000 } else { 0 };
            for (series, value) in [(1, base + spike), (2, 6_000 + noise), (3, base)] {
                let sequence = 3 * minute as u64 + u64::from(series);
                let ms = minute * MINUTE_MS + i64::from(series);
                all.push(incoming(series, sequence, ms, Ok(Scaled(value))));
            }
        }
        let mut batches: Vec<Vec<Incoming>> = all.chunks(size).map(<[_]>::to_vec).collect();
        // Some come late: a backlog of some commits behind what was taken after it.
        let at = (seed % batches.len() as u64) as usize;
        let end = (at + 3).min(batches.len());
        let backlog: Vec<_> = batches.drain(at..end).collect();
        let behind = (at + 4).min(batches.len());
        batches.splice(behind..behind, backlog);
        let mut gateway = Gateway::new();
        for (nth, batch) in batches.into_iter().enumerate() {
            gateway.take(batch);
            if nth % 2 == 0 {
                gateway.look_again();
            }
            if nth % 10 == 9 {
                gateway.follower = Follower::taking_up(&gateway.engine.latest().unwrap());
            }
        }
        gateway.look_again();
        // What twins say is looked at every ten minutes: the last of it is still to come.
        let overlooked = gateway.overlooked();
        let end = kinds.len() as i64 * MINUTE_MS;
        let old: Vec<_> =
            overlooked.iter().filter(|flag| flag.time < support::at(end - 11 * MINUTE_MS)).collect();
        prop_assert!(old.is_empty(), "{:?}", old);
    }
}
