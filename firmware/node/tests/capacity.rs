//! How much finds room in 1 MiB, and what a full ring costs.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use sim::BenchOf;

const PAGE_BYTES: u64 = 4_096;
/// 1 MiB without the identity.
const RING_PAGES: u32 = 252;

fn full_of(rounds: u32) -> BenchOf<4_096> {
    let mut bench = BenchOf::new(8, RING_PAGES);
    // A node in its second year: no number is short.
    bench.value = 100_000;
    bench.boot().unwrap();
    bench.connect().unwrap();
    bench.disconnect();
    for _ in 0..rounds {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    bench
}

#[test]
fn seven_days_of_eight_channels_at_one_minute_find_room_in_one_mebibyte() {
    let week = 7 * 24 * 60;
    let mut bench = full_of(week);
    assert_eq!(bench.node().waiting(), 80_640);
    // And on, until something must go.
    let mut rounds = week;
    while bench.node().waiting() == rounds * 8 {
        bench.wait(60_000);
        bench.record().unwrap();
        rounds += 1;
    }
    let bytes_of_ten = u64::from(RING_PAGES) * PAGE_BYTES * 10 / (u64::from(rounds) * 8);
    println!("{rounds} rounds, {bytes_of_ten} bytes for ten readings");
    assert!(rounds > 10 * 24 * 60, "{rounds} rounds are {} days", rounds / 24 / 60);
    assert!(bytes_of_ten <= 87, "{bytes_of_ten} bytes for ten readings");
    bench.connect().unwrap();
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    bench.nothing_is_unsaid();
    assert_eq!(bench.gateway.gaps.len(), 1);
}

#[test]
fn a_start_with_a_full_ring_reads_little() {
    let mut bench = full_of(15_000);
    let before = bench.flash.bytes_read();
    bench.boot().unwrap();
    let read = bench.flash.bytes_read() - before;
    println!("a start reads {read} bytes");
    assert!(read <= 32 * 1_024, "{read} bytes");
}

#[test]
fn a_full_ring_takes_a_round_at_the_price_of_a_page() {
    let mut bench = full_of(15_000);
    let most = (0..200).map(|_| {
        let before = bench.flash.bytes_read();
        bench.wait(60_000);
        bench.record().unwrap();
        bench.flash.bytes_read() - before
    });
    let most = most.max().unwrap();
    println!("a round reads at most {most} bytes");
    assert!(most <= 24 * 1_024, "{most} bytes");
}
