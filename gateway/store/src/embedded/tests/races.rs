//! Readers, the writer and the checkpoint thread at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[test]
fn a_reader_beside_checkpoints_sees_every_sample_once() {
    let dir = directory();
    let options = Options {
        checkpoint_every: Duration::from_millis(1),
        checkpoint_samples: 50,
        journal: Journal::UntilSealed,
    };
    let engine = Engine::open(dir.path(), options).unwrap();
    let ids = [series(&engine, 0), series(&engine, 1)];
    let committed = AtomicU64::new(0);
    let rounds = 1_500;
    std::thread::scope(|scope| {
        for id in ids {
            let (engine, committed) = (&engine, &committed);
            scope.spawn(move || {
                loop {
                    let before = committed.load(Ordering::Acquire);
                    let samples = scan(engine, id);
                    let values = samples.iter().filter_map(|s| s.reading.ok()).map(|v| v.0);
                    assert!(values.eq(0..samples.len() as i32), "a sample is missing or doubled");
                    assert!(samples.len() as u64 >= before, "a committed sample is missing");
                    let day = Timestamp::from_micros(30 * DAY_MS * 1_000).unwrap();
                    let columns = engine.downsample(id, Timestamp::MIN, day, DAY_MS, day).unwrap();
                    let count: u32 = columns.count.iter().sum();
                    assert!(u64::from(count) >= samples.len() as u64);
                    assert!(u64::from(count) <= committed.load(Ordering::Acquire) + 1);
                    if before == rounds {
                        break;
                    }
                }
            });
        }
        for round in 0..rounds {
            // A hundred samples a day, so that days are sealed all the time.
            let time_us = round as i64 * DAY_MS * 10;
            let samples = ids.map(|id| sample(id, time_us, round as i32)).to_vec();
            engine.commit(&batch(2 * round, samples)).unwrap();
            committed.store(round + 1, Ordering::Release);
        }
    });
}
