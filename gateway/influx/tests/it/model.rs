//! The same batches into an engine alone and into one in front of a server: every answer is the same,
//! however the days stand between folder and server.

use std::ops::ControlFlow;

use crate::common::{DAY_MS, PATIENCE, key, node, open};
use influx::standin::StandIn;
use measure::{Fault, FlashId, Marks, Quality, Scaled, Sequence, Timestamp};
use proptest::prelude::*;
use store::embedded::{Engine, Options};
use store::{Batch, Flag, Incoming, Origin, Part, Sample, SeriesId, Store};

#[derive(Clone, Debug)]
enum Action {
    /// Readings `(series, time in half days and µs, value, guest)`, from a sequence on.
    Commit(u64, Vec<(u32, i64, i64, i32, bool)>),
    /// Derived numbers, and flags of what may stand there.
    Change(Vec<(u32, i64, i64, i32, bool)>),
    /// All of it reaches the server, and the folder forgets it.
    Forget,
    /// It is closed and opened.
    Reopen,
}

fn reading() -> impl Strategy<Value = (u32, i64, i64, i32, bool)> {
    (1_u32..3, 0_i64..9, 0_i64..3, -3_i32..4, any::<bool>())
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0_u64..40, prop::collection::vec(reading(), 1..8))
            .prop_map(|(first, readings)| Action::Commit(first, readings)),
        2 => prop::collection::vec(reading(), 1..5).prop_map(Action::Change),
        2 => Just(Action::Forget),
        1 => Just(Action::Reopen),
    ]
}

fn batch(first: u64, readings: &[(u32, i64, i64, i32, bool)]) -> Batch {
    let incoming = |wanted: bool| {
        let samples = (first..).zip(readings).filter(move |(_, reading)| reading.4 == wanted);
        samples.map(|(sequence, &(series, half_days, us, value, _))| {
            let time = Timestamp::from_millis(DAY_MS + half_days * 43_200_000).unwrap();
            let reading = if value == 3 { Err(Fault::Open) } else { Ok(Scaled(value)) };
            let quality = if value == 2 { Quality::Fail } else { Quality::Good };
            let (time, marks) = (time.plus_micros(us), Marks::HISTORY);
            let series = SeriesId(series);
            let sample = Sample { series, time, reading, quality, marks, taken: None };
            Incoming { sequence: Sequence(sequence), sample }
        })
    };
    let flash = Origin::Node { node: node(), flash: FlashId(9) };
    let part = |origin, wanted| Part::Readings { origin, samples: incoming(wanted).collect() };
    Batch { parts: vec![part(flash, false), part(Origin::Guest, true)] }
}

fn change(changes: &[(u32, i64, i64, i32, bool)]) -> Batch {
    let parts = changes.iter().map(|&(series, half_days, us, value, flag)| {
        let time = Timestamp::from_millis(DAY_MS + half_days * 43_200_000).unwrap();
        let (series, time) = (SeriesId(series), time.plus_micros(us));
        let quality = if value > 0 { Quality::Suspect } else { Quality::Fail };
        if flag {
            return Part::Flags(vec![Flag { series, time, quality }]);
        }
        let (reading, marks) = (Ok(Scaled(value)), Marks::NONE);
        Part::Derived(vec![Sample { series, time, reading, quality, marks, taken: None }])
    });
    Batch { parts: parts.collect() }
}

fn scan(store: &dyn Store, series: u32, from: Timestamp, to: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut visit = |sample: &Sample| {
        samples.push(*sample);
        ControlFlow::Continue(())
    };
    store.scan(SeriesId(series), from, to, &mut visit).unwrap();
    samples
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn folder_and_server_answer_as_an_engine_alone(
        actions in prop::collection::vec(action(), 1..14),
        asked in (0_i64..5 * 86_400_000, 0_i64..5 * 86_400_000, 1_i64..90_000_000, 0_i64..90_000_000),
    ) {
        let server = StandIn::start();
        let (dir, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = Engine::open(alone.path(), Options::default()).unwrap();
        let mut influx = open(dir.path(), &server);
        for position in ["a", "b"] {
            prop_assert_eq!(influx.series_id(&key(position)).unwrap(), engine.series_id(&key(position)).unwrap());
        }
        for action in &actions {
            match action {
                Action::Commit(first, readings) => {
                    let batch = batch(*first, readings);
                    prop_assert_eq!(influx.commit(&batch).unwrap(), engine.commit(&batch).unwrap());
                }
                Action::Change(changes) => {
                    let batch = change(changes);
                    prop_assert_eq!(influx.commit(&batch).unwrap(), engine.commit(&batch).unwrap());
                }
                Action::Forget => {
                    prop_assert!(influx.flush(PATIENCE).unwrap());
                    prop_assert!(influx.forget_here().unwrap());
                }
                Action::Reopen => {
                    drop(influx);
                    influx = open(dir.path(), &server);
                }
            }
        }
        let at = |ms: i64| Timestamp::from_millis(DAY_MS + ms).unwrap();
        let (from, to) = (at(asked.0.min(asked.1)), at(asked.0.max(asked.1)));
        prop_assert_eq!(influx.latest().unwrap(), engine.latest().unwrap());
        for series in [1, 2] {
            for (from, to) in [(Timestamp::MIN, Timestamp::MAX), (from, to)] {
                prop_assert_eq!(scan(&influx, series, from, to), scan(&engine, series, from, to));
            }
            let ask = |store: &dyn Store| store.downsample(SeriesId(series), from, to, asked.2.max(60_000), at(asked.3));
            prop_assert_eq!(ask(&influx).unwrap(), ask(&engine).unwrap());
        }
    }
}
