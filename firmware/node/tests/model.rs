//! Random days of a node against the plain ledger of what it said that it has.

mod sim;

use measure::{Sequence, SequenceRange, Uptime};
use node::Origin;
use proptest::prelude::*;
use sim::{Bench, TestError};
use wire::Command;

#[derive(Clone, Copy, Debug)]
enum Step {
    Record(u8),
    History,
    Wait(u32),
    Connect,
    Disconnect,
    /// Node and gateway talk; whether the gateway acknowledges.
    Talk(bool),
    /// The node says one thing, and it is lost on the way.
    Lose,
    /// The client refuses one message.
    Refuse,
    /// The gateway acknowledges these two ranges of what it has, late and out of order.
    Late(u8, u8),
    Rebirth,
    Interval,
    /// The power goes after so many words, and the node starts again.
    Cut(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_u8..6).prop_map(Step::Record),
        1 => Just(Step::History),
        4 => (1_u32..100_000).prop_map(Step::Wait),
        3 => Just(Step::Connect),
        2 => Just(Step::Disconnect),
        5 => prop::bool::weighted(0.7).prop_map(Step::Talk),
        2 => Just(Step::Lose),
        1 => Just(Step::Refuse),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Late(a, b)),
        1 => Just(Step::Rebirth),
        1 => Just(Step::Interval),
        2 => (0_u16..200).prop_map(Step::Cut),
    ]
}

fn apply(bench: &mut Bench, step: Step) -> Result<(), TestError> {
    match step {
        Step::Record(rounds) => (0..rounds).try_for_each(|_| bench.record().map(drop)),
        Step::History => bench.record_as(Origin::History).map(drop),
        Step::Wait(ms) => {
            bench.wait(i64::from(ms));
            Ok(())
        }
        Step::Connect => bench.connect(),
        Step::Disconnect => {
            bench.disconnect();
            Ok(())
        }
        Step::Talk(acknowledges) => {
            bench.gateway.acknowledges = acknowledges;
            bench.pump()
        }
        Step::Lose => bench.next().map(drop),
        Step::Refuse => {
            if bench.next()?.is_some() {
                bench.node().publish_failed();
            }
            Ok(())
        }
        Step::Late(first, second) => late(bench, &[first, second]),
        Step::Rebirth => {
            let command = bench.gateway.command(Command::Rebirth);
            bench.hear(&command)
        }
        Step::Interval => {
            let command = bench.gateway.command(Command::Interval(5_000));
            bench.hear(&command)
        }
        Step::Cut(words) => {
            bench.flash.cut_after(Some(u64::from(words)));
            Ok(())
        }
    }
}

/// Acknowledges single readings that the gateway has, chosen by `picks`.
fn late(bench: &mut Bench, picks: &[u8]) -> Result<(), TestError> {
    let flash = bench.node().flash_id().0;
    let stored: Vec<u64> = bench.gateway.readings.keys().map(|key| key.1).collect();
    let ranges: Vec<SequenceRange> = picks
        .iter()
        .filter_map(|pick| stored.get(usize::from(*pick) % stored.len().max(1)))
        .filter_map(|sequence| SequenceRange::new(Sequence(*sequence), Sequence(*sequence)))
        .collect();
    let ack = bench.gateway.ack(flash, &ranges, bench.utc, Uptime(3));
    bench.hear(&ack)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_day_loses_a_reading(steps in prop::collection::vec(step(), 1..80), pages in 3_u32..7) {
        let mut bench = Bench::new(2, pages);
        bench.boot().unwrap();
        for step in steps {
            if let Err(error) = apply(&mut bench, step) {
                // The power went; it is back at once.
                prop_assert_eq!(error, node::Error::Flash(sim::flash::PowerCut));
                bench.flash.cut_after(None);
                bench.boot().unwrap();
            }
        }
        bench.flash.cut_after(None);
        bench.gateway.acknowledges = true;
        bench.boot().unwrap();
        bench.connect().unwrap();
        bench.record().unwrap();
        bench.pass(60).unwrap();
        bench.nothing_is_lost();
        bench.nothing_is_unsaid();
        prop_assert_eq!(bench.node().waiting(), 0);
        // In each boot that was dated for sure, the dates are the truth to the round trip.
        for (key, stored) in &bench.gateway.readings {
            let Some(taken) = bench.taken.get(key).filter(|_| !stored.uncertain) else { continue };
            let off_ms = stored.utc.unwrap().ms_since(taken.utc).abs();
            prop_assert!(off_ms <= 2, "{key:?} is off by {off_ms} ms");
        }
    }
}
