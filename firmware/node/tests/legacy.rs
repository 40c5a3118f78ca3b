//! The flash of firmware that kept its readings with `sequential-storage`, and entries of format 1: after
//! an update over the air nothing of it is lost.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use measure::{Quality, Scaled, Timestamp};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use sim::flash::{Flash, PAGE_BYTES};
use sim::{Bench, START, Taken, run};

const LIFE: u32 = 0x00C0_FFEE;
const RING: std::ops::Range<u32> = 4 * PAGE_BYTES as u32..12 * PAGE_BYTES as u32;
const IDENTITY: std::ops::Range<u32> = 0..4 * PAGE_BYTES as u32;

/// A round as firmware of format 1 wrote it.
fn entry(first: u64, value: i32) -> Vec<u8> {
    let utc: Timestamp = START;
    let mut bytes = vec![1, 1, 2, 0];
    bytes.extend(LIFE.to_le_bytes());
    bytes.extend(5_u32.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    bytes.extend((first * 30_000).to_le_bytes());
    bytes.extend(utc.micros().to_le_bytes());
    for channel in 0..2 {
        bytes.extend([channel, Quality::Good.code(), 0]);
        bytes.extend((value + i32::from(channel)).to_le_bytes());
    }
    bytes
}

/// A bench whose chip was in the hands of that firmware: `rounds` rounds of two channels, the first
/// `freed` of them acknowledged.
fn before_the_update(rounds: u64, freed: u64) -> Bench {
    let mut bench = Bench::new(2, 8);
    let config = QueueConfig::<Flash>::try_new(RING).unwrap();
    let mut queue = QueueStorage::new(bench.flash.clone(), config, Cache::new_uncached());
    for round in 0..rounds {
        let value = round as i32 * 2 + 1;
        run(queue.push(&entry(round * 2, value), false)).unwrap();
        if round >= freed {
            for channel in 0..2_u8 {
                let taken = Taken {
                    channel,
                    reading: Ok(Scaled(value + i32::from(channel))),
                    utc: START,
                    history: false,
                };
                bench.taken.insert((LIFE, round * 2 + u64::from(channel)), taken);
            }
        }
        if round < freed {
            run(queue.pop(&mut [0; 256])).unwrap();
        }
    }
    let config = MapConfig::<Flash>::try_new(IDENTITY).unwrap();
    let mut map = MapStorage::<u8, _, _>::new(bench.flash.clone(), config, Cache::new_uncached());
    // Written again and again, as each block of sequences was.
    for block in 0..40_u64 {
        let mut identity = vec![1];
        identity.extend(LIFE.to_le_bytes());
        identity.extend(5_u32.to_le_bytes());
        identity.extend((rounds * 2).next_multiple_of(256).min((block + 1) * 256).to_le_bytes());
        identity.extend(0_u64.to_le_bytes());
        run(map.store_item(&mut [0; 256], &1, &&identity[..])).unwrap();
    }
    run(map.store_item(&mut [0; 256], &3, &&5_000_u32.to_le_bytes()[..])).unwrap();
    bench.value = 1_000_000;
    bench
}

fn after_the_update(bench: &mut Bench) {
    bench.boot().unwrap();
    assert_eq!((bench.node().flash_id().0, bench.node().boot().0), (LIFE, 6));
    assert_eq!(bench.node().interval_ms(), 5_000, "a command had set it");
    bench.connect().unwrap();
    for _ in 0..80 {
        bench.wait(60_000);
        bench.record().unwrap();
        bench.pump().unwrap();
    }
    bench.boot().unwrap();
    assert_eq!(bench.node().interval_ms(), 5_000);
    bench.connect().unwrap();
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    assert!(bench.gateway.gaps.iter().all(|gap| gap.2 == wire::GapReason::Unused));
    assert_eq!(bench.node().waiting(), 0);
}

#[test]
fn the_backlog_of_the_firmware_before_is_sent() {
    for (rounds, freed) in [(1, 0), (5, 0), (5, 3), (40, 0), (56, 0), (200, 150), (300, 290)] {
        let mut bench = before_the_update(rounds, freed);
        after_the_update(&mut bench);
        let first = bench.gateway.readings.keys().next().unwrap().1;
        assert_eq!(first, freed * 2, "{rounds} rounds, {freed} of them acknowledged");
    }
}

#[test]
fn a_ring_that_was_full_goes_on() {
    let mut bench = before_the_update(56, 0);
    bench.boot().unwrap();
    for _ in 0..200 {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    bench.connect().unwrap();
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    bench.nothing_is_unsaid();
}

#[test]
fn a_power_cut_at_any_word_of_the_first_start_after_the_update_loses_nothing() {
    let old = before_the_update(56, 20);
    for cut in 0.. {
        let mut bench = before_the_update(0, 0);
        bench.flash = old.flash.copy();
        bench.taken = old.taken.clone();
        bench.flash.tear(cut);
        bench.flash.cut_after(Some(cut));
        let ended = bench.boot().and_then(|()| {
            (0..12).try_for_each(|_| {
                bench.wait(60_000);
                bench.record().map(drop)
            })
        });
        bench.flash.cut_after(None);
        bench.boot().unwrap();
        bench.connect().unwrap();
        bench.record().unwrap();
        bench.pass(60).unwrap();
        bench.nothing_is_lost();
        if ended.is_ok() {
            assert!(cut > 150, "only {cut} words");
            break;
        }
    }
}
