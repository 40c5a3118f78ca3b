//! The stage beside a plain model of it: everything that is stored, derived once at the end.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use measure::{
    Fault, Marks, NodeKey, Quality, Quantity, Reading, Scaled, Sequence, Slug, Timestamp,
};
use people::Actor;
use proptest::prelude::*;
use quality::calibration::Correction;
use quality::{Air, Limits, OF_AIR, derive};
use registry::NewCalibration;
use store::embedded::{Engine, Options};
use store::{Incoming, Origin, SeriesId, SeriesKey};

use super::*;

const BASE_S: i64 = 1_790_000_000;

struct World {
    store: Arc<Calibrated>,
    registry: Arc<Registry>,
    rules: Arc<Rules>,
    readers: Arc<Readers>,
    stage: Option<Stage>,
    _dir: tempfile::TempDir,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis((BASE_S + second) * 1_000).expect("a time")
}

fn key(quantity: Quantity) -> SeriesKey {
    let slug = |name| Slug::new(name).expect("a slug");
    let node = NodeKey { site: slug("s"), node: slug("n") };
    SeriesKey { node, position: slug("canopy"), quantity }
}

fn nursery() -> Nursery {
    Nursery {
        sites: vec![],
        zones: vec![],
        batches: vec![],
        nodes: vec![],
        profiles: vec![],
        sources: vec![],
        confirmed: alarms::ConfirmedLimits::default(),
        derivations: std::collections::BTreeMap::new(),
        rules: alarms::Rules::new(vec![]).expect("no rules"),
    }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let registry = Registry::open(&dir.path().join(registry::FILE)).expect("a registry");
        let engine = Engine::open(dir.path(), Options::default()).expect("a store");
        let store = Calibrated::new(Arc::new(engine), &Calibrations::default()).expect("a store");
        let (store, registry) = (Arc::new(store), Arc::new(registry));
        let (rules, readers) = (Arc::default(), Arc::default());
        let mut world = Self { store, registry, rules, readers, stage: None, _dir: dir };
        world.kill();
        world
    }

    /// Ends the stage without a word to anybody, and takes it up again.
    fn kill(&mut self) {
        let refiner = Refiner {
            store: Arc::clone(&self.store),
            registry: Arc::clone(&self.registry),
            outlets: Arc::default(),
            nursery: watch::channel(Arc::new(nursery())).1,
            rules: watch::channel(Arc::clone(&self.rules)).1,
            readers: Arc::clone(&self.readers),
            clock: Clock::system(),
        };
        self.stage = Some(Stage::take_up(refiner).expect("the stage begins"));
    }

    fn step(&mut self) {
        self.stage.as_mut().expect("there is a stage").step().expect("a step");
    }

    /// Steps until nothing is left to do.
    fn settle(&mut self) {
        self.step();
        while self.stage.as_ref().is_some_and(|stage| stage.is_touched) {
            self.step();
        }
    }

    fn commit(&self, readings: &[(Quantity, i64, Reading)]) {
        let incoming = |&(quantity, second, reading): &(Quantity, i64, Reading)| {
            let series = self.store.series_id(&key(quantity)).expect("a series");
            let quality = if reading.is_ok() { Quality::Good } else { Quality::Missing };
            let (time, marks) = (at(second), Marks::NONE);
            let sample = Sample { series, time, reading, quality, marks, taken: None };
            Incoming { sequence: Sequence(0), sample }
        };
        let samples = readings.iter().map(incoming).collect();
        let part = Part::Readings { origin: Origin::Guest, samples };
        self.store.commit(&Batch { parts: vec![part] }).expect("a commit");
    }

    fn calibrate(&self, quantity: Quantity, second: i64, offset: f64) {
        let channel = key(quantity);
        let correction = Correction::offset(quantity, offset).expect("an offset");
        let (from, by, note) = (at(second), "Li".to_owned(), String::new());
        let new = NewCalibration { channel, from, correction, by, note };
        let now = at(0);
        let store = &*self.store;
        api::add_calibration(&self.registry, store, &new, &Actor::CommandLine, now)
            .expect("a calibration");
    }

    fn all(&self, quantity: Quantity) -> Vec<Sample> {
        let series = self.store.series().expect("the series");
        let found = series.into_iter().find(|(_, it)| *it == key(quantity));
        found.map_or(Vec::new(), |(id, _)| {
            derived::scan(&*self.store, id, (Timestamp::MIN, Timestamp::MAX)).expect("a scan")
        })
    }

    fn id(&self, quantity: Quantity) -> SeriesId {
        self.store.series_id(&key(quantity)).expect("a series")
    }

    /// Returns what all stored readings give, computed once.
    fn expected(&self, quantity: Quantity) -> Vec<Sample> {
        let temperature = self.all(Quantity::AirTemperature);
        let humidity = self.all(Quantity::RelativeHumidity);
        let interval_ms = nursery::INTERVAL_MS_DEFAULT;
        let air = Air { temperature: &temperature, humidity: &humidity, interval_ms };
        derive(&air, quantity, self.id(quantity), (Timestamp::MIN, Timestamp::MAX))
    }

    fn flag(&self, quantity: Quantity, second: i64, quality: Quality) {
        let flag = Flag { series: self.id(quantity), time: at(second), quality };
        self.store.commit(&Batch { parts: vec![Part::Flags(vec![flag])] }).expect("a flag");
    }
}

fn temperature(second: i64, tenths: i32) -> (Quantity, i64, Reading) {
    (Quantity::AirTemperature, second, Ok(Scaled(tenths * 100)))
}

fn humidity(second: i64, percent: i32) -> (Quantity, i64, Reading) {
    (Quantity::RelativeHumidity, second, Ok(Scaled(percent * 100)))
}

fn values(samples: &[Sample]) -> Vec<(i64, Option<i32>)> {
    let value = |it: &Sample| it.reading.ok().map(|value| value.0);
    samples.iter().map(|it| (it.time.millis() / 1_000 - BASE_S, value(it))).collect()
}

#[test]
fn what_the_air_holds_is_derived_as_readings_come() {
    let mut world = World::new();
    world.commit(&[temperature(0, 250), humidity(0, 60)]);
    world.step();
    world.commit(&[temperature(60, 250), humidity(60, 50)]);
    world.step();
    // FAO-56, equation 11: 3.168 kPa at 25 °C.
    let vpd = world.all(Quantity::VapourPressureDeficit);
    assert_eq!(values(&vpd), [(0, Some(1_267)), (60, Some(1_584))]);
    let derivations = world.registry.derivations().expect("the derivations");
    assert_eq!(derivations.len(), OF_AIR.len());
    // Nothing is derived from what was derived, and nothing is written twice.
    let position = world.store.last_position().expect("a position");
    world.step();
    assert_eq!(world.store.last_position().expect("a position"), position);
}

#[test]
fn nothing_is_derived_in_place_of_what_a_node_measures() {
    let mut world = World::new();
    let measured = (Quantity::VapourPressureDeficit, 0, Ok(Scaled(777)));
    world.commit(&[measured, temperature(0, 250), humidity(0, 60)]);
    world.settle();
    assert_eq!(values(&world.all(Quantity::VapourPressureDeficit)), [(0, Some(777))]);
    assert_eq!(world.all(Quantity::DewPoint).len(), 1);
}

#[test]
fn a_late_calibration_changes_what_is_derived_in_its_span_and_nothing_else() {
    let mut world = World::new();
    for minute in 0..60 {
        world.commit(&[temperature(minute * 60, 250), humidity(minute * 60, 60)]);
    }
    world.settle();
    let before = world.all(Quantity::VapourPressureDeficit);
    world.calibrate(Quantity::RelativeHumidity, 50 * 60, 0.0);
    world.calibrate(Quantity::RelativeHumidity, 20 * 60, 10.0);
    world.kill();
    world.settle();
    let after = world.all(Quantity::VapourPressureDeficit);
    for (before, after) in before.iter().zip(&after) {
        let is_in = (at(20 * 60)..at(50 * 60)).contains(&before.time);
        assert_eq!(before == after, !is_in, "{before:?} {after:?}");
    }
    assert_eq!(after, world.expected(Quantity::VapourPressureDeficit));
    let number = world.registry.calibrations().expect("calibrations")[1].number;
    let work = &world.registry.recalibrations_of(number).expect("its work")[0];
    // 30 readings, and as many samples in each of three series.
    assert_eq!((work.recomputed.samples, work.recomputed.derived), (30, 90));
    assert!(work.done.is_some());
}

#[test]
fn the_journal_is_kept_for_whoever_is_behind() {
    let mut world = World::new();
    for minute in 0..5 {
        world.commit(&[temperature(minute * 60, 250), humidity(minute * 60, 60)]);
    }
    let last = world.store.last_position().expect("a position");
    world.readers.judged(&*world.store, last).expect("released");
    world.settle();
    let stage = world.stage.as_mut().expect("a stage");
    stage.keep(true).expect("kept");
    let refined = world.registry.refined().expect("a position").expect("it was kept");
    assert!(refined >= last.0);
    // Killed before it was kept, it would have found all of the journal again.
    assert!(world.store.journal(Position(0), 10).is_ok());
}

#[test]
fn a_calibration_takes_back_a_flag_that_the_raw_value_had_and_gives_one_where_it_leads_out() {
    let mut world = World::new();
    let channel = |quantity| quality::Channel {
        series: world.id(quantity),
        key: key(quantity),
        zone: None,
        interval_ms: 60_000,
        limits: Limits::of(quantity),
        climate: quality::Climate::default(),
    };
    let rules = Rules::new([channel(Quantity::RelativeHumidity)]);
    world.rules = Arc::new(rules);
    world.kill();
    world.commit(&[humidity(0, 40), humidity(60, 101), humidity(120, 41)]);
    world.settle();
    world.flag(Quantity::RelativeHumidity, 60, Quality::Fail);
    let flags = |world: &World| -> Vec<Quality> {
        world.all(Quantity::RelativeHumidity).iter().map(|it| it.quality).collect()
    };
    assert_eq!(flags(&world).get(1), Some(&Quality::Fail));
    world.calibrate(Quantity::RelativeHumidity, 0, -2.0);
    world.settle();
    assert_ne!(flags(&world).get(1), Some(&Quality::Fail));
    world.calibrate(Quantity::RelativeHumidity, 0, -40.5);
    world.settle();
    assert_eq!(flags(&world).first(), Some(&Quality::Fail));
    world.calibrate(Quantity::RelativeHumidity, 0, 0.0);
    world.settle();
    assert_ne!(flags(&world).first(), Some(&Quality::Fail));
}

#[derive(Clone, Debug)]
enum Deed {
    Commit(Vec<(bool, i64, i32)>),
    Step,
    Kill,
    Calibrate(bool, i64, i32),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let reading = (any::<bool>(), 0..240_i64, 0..60_i32);
    prop_oneof![
        6 => prop::collection::vec(reading, 1..12).prop_map(Deed::Commit),
        4 => Just(Deed::Step),
        2 => Just(Deed::Kill),
        1 => (any::<bool>(), 0..240_i64, -30..30_i32).prop_map(|(a, b, c)| Deed::Calibrate(a, b, c)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Each channel has one reading at a time: of two at the same one the second stands a microsecond
    /// later, and whether its fault is derived once more depends on what came with it.
    #[test]
    fn whatever_comes_when_and_whenever_it_is_killed_the_same_is_derived(
        deeds in prop::collection::vec(any_deed(), 1..24),
    ) {
        let quantity = |is_air| match is_air {
            true => Quantity::AirTemperature,
            false => Quantity::RelativeHumidity,
        };
        let mut world = World::new();
        // Both channels are there from the start, so that they can be calibrated.
        world.commit(&[temperature(0, 200), humidity(0, 50)]);
        let mut taken = BTreeSet::from([(true, 0), (false, 0)]);
        for deed in &deeds {
            match deed {
                Deed::Commit(readings) => {
                    let readings: Vec<_> = readings
                        .iter()
                        .filter(|&&(is_air, place, _)| taken.insert((is_air, place)))
                        .map(|&(is_air, place, value)| {
                            let reading = if value == 0 { Err(Fault::Bus) } else { Ok(Scaled(value * 100)) };
                            (quantity(is_air), place * 15, reading)
                        })
                        .collect();
                    world.commit(&readings);
                }
                Deed::Step => world.step(),
                Deed::Kill => world.kill(),
                Deed::Calibrate(is_air, place, tenths) => {
                    world.calibrate(quantity(*is_air), place * 15, f64::from(*tenths) / 10.0);
                }
            }
        }
        world.settle();
        for quantity in OF_AIR {
            prop_assert_eq!(world.all(quantity), world.expected(quantity));
        }
    }
}

#[test]
fn a_node_s_day_costs_no_question_to_the_store_for_each_reading() {
    let mut world = World::new();
    for minute in 0..1_440 {
        world.commit(&[temperature(minute * 60, 250), humidity(minute * 60, 60)]);
        if minute % 60 == 0 {
            world.step();
            let stage = world.stage.as_ref().expect("a stage");
            assert!(stage.deriver.remembered() <= 2 * 70, "{}", stage.deriver.remembered());
        }
    }
    world.settle();
    let mut count = 0;
    let series = world.id(Quantity::VapourPressureDeficit);
    let visit = &mut |_: &Sample| {
        count += 1;
        ControlFlow::Continue(())
    };
    world.store.scan(series, Timestamp::MIN, Timestamp::MAX, visit).expect("a scan");
    assert_eq!(count, 1_440);
}
