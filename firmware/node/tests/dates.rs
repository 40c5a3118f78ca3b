//! Readings that were taken before anybody knew the time.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use sim::gateway::Stored;
use sim::{Bench, Taken};

/// What was taken and what came, in the order of sequences.
fn pairs(bench: &Bench) -> Vec<(Taken, Stored)> {
    let readings = &bench.gateway.readings;
    bench.taken.iter().map(|(key, taken)| (*taken, readings[key])).collect()
}

fn sample(bench: &mut Bench, rounds: u32) {
    for _ in 0..rounds {
        bench.wait(60_000);
        bench.record().unwrap();
    }
}

#[test]
fn readings_before_the_clock_are_dated_in_order() {
    let mut bench = Bench::new(1, 8);
    // Three boots that never had a clock, with pauses that nobody measured, and one that gets it.
    for rounds in [3, 1, 4, 2] {
        bench.boot().unwrap();
        sample(&mut bench, rounds);
        bench.wait(600_000);
    }
    bench.connect().unwrap();
    let pairs = pairs(&bench);
    for (taken, stored) in &pairs {
        let utc = stored.utc.unwrap();
        if stored.boot == 4 {
            assert_eq!(utc, taken.utc);
            assert!(!stored.uncertain);
        } else {
            assert!(stored.uncertain && utc > taken.utc, "{taken:?} {stored:?}");
        }
    }
    assert!(pairs.is_sorted_by(|one, two| one.1.utc < two.1.utc));
    // The boots without a clock end just before the fourth one began.
    assert_eq!(pairs[7].1.utc, Some(bench.booted.plus_ms(-1)));
}

#[test]
fn a_boot_keeps_its_clock_over_a_power_cut() {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    sample(&mut bench, 3);
    bench.gateway.acknowledges = false;
    bench.node().connected();
    let birth = bench.next().unwrap().unwrap();
    bench.gateway.acknowledges = true;
    let answers = bench.gateway.hear(&birth, bench.utc);
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    // It knows the time; nothing is sent, and the power goes.
    sample(&mut bench, 2);
    bench.wait(3_600_000);
    bench.boot().unwrap();
    bench.connect().unwrap();
    for (taken, stored) in pairs(&bench) {
        assert_eq!(stored.utc, Some(taken.utc));
        assert!(!stored.uncertain);
    }
}

#[test]
fn a_boot_without_a_clock_lies_before_the_next_one_that_had_it() {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    sample(&mut bench, 2);
    bench.wait(3_600_000);
    // The second boot gets its clock, and loses the link and the power before it has sent anything.
    bench.boot().unwrap();
    let second = bench.booted;
    sample(&mut bench, 1);
    bench.node().connected();
    let birth = bench.next().unwrap().unwrap();
    let answers = bench.gateway.hear(&birth, bench.utc);
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    bench.wait(7_200_000);
    bench.boot().unwrap();
    bench.connect().unwrap();
    let stored: Vec<Stored> = pairs(&bench).iter().map(|pair| pair.1).collect();
    assert_eq!(stored[1].utc, Some(second.plus_ms(-1)));
    assert_eq!(stored[0].utc, Some(second.plus_ms(-60_001)));
    assert!(stored[0].uncertain && !stored[2].uncertain);
}

#[test]
fn an_answer_to_another_boot_does_not_set_the_clock() {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    bench.wait(10_000);
    bench.node().connected();
    bench.next().unwrap().unwrap();
    let flash = bench.node().flash_id().0;
    // The broker had kept an answer to the boot before, whose birth was sent at 4 s.
    let stale =
        bench.gateway.ack(flash, &[], bench.utc.plus_ms(-86_400_000), measure::Uptime(4_000));
    bench.hear(&stale).unwrap();
    assert_eq!(bench.node().boot_utc(), None);
    bench.connect().unwrap();
    assert_eq!(bench.node().boot_utc(), Some(bench.booted));
}

#[test]
fn resent_readings_keep_their_date() {
    let mut bench = Bench::new(1, 8);
    bench.gateway.latency_ms = 400;
    bench.boot().unwrap();
    bench.connect().unwrap();
    sample(&mut bench, 1);
    let first = bench.next().unwrap().unwrap();
    // A faster answer sets the clock right before the frame is sent again.
    bench.gateway.latency_ms = 5;
    sample(&mut bench, 1);
    bench.pump().unwrap();
    bench.disconnect();
    bench.connect().unwrap();
    let wire::Body::Readings { boot_utc, .. } = first.data().body else { panic!("no readings") };
    let (_, stored) = pairs(&bench)[0];
    assert_eq!(stored.utc, boot_utc.map(|utc| utc.plus_ms(60_800)));
}
