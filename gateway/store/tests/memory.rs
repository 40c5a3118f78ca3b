//! Another process reads everything beside a writer, in little memory.
//!
//! The test runs itself as the child, with the directory in the environment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use store::embedded::{Engine, Options};
use store::{Batch, Incoming, Origin, Part, Position, Sample, SeriesId, SeriesKey, Store};

const CHILD: &str = "MIAOPU_STORE_MEMORY_DIR";
/// As samples in memory they would take 29 MB.
const SAMPLES: i64 = 600_000;
/// What reading them may take beyond an open store.
const GROWTH_MAX_KB: u64 = 8 * 1_024;

fn batch(series: SeriesId, from: i64, count: i64) -> Batch {
    let samples = (from..from + count)
        .map(|n| Incoming {
            sequence: Sequence(n as u64),
            sample: Sample {
                series,
                time: Timestamp::from_millis(1_735_689_600_000 + n * 60_000).unwrap(),
                reading: Ok(Scaled((n * 7_919 % 10_007) as i32)),
                quality: Quality::Good,
                marks: Marks::NONE,
                taken: None,
            },
        })
        .collect();
    let node = NodeKey { site: Slug::new("north").unwrap(), node: Slug::new("n1").unwrap() };
    Batch {
        parts: vec![Part::Readings { origin: Origin::Node { node, flash: FlashId(1) }, samples }],
    }
}

/// Returns the most memory that this process has had, in KB; `None` where nobody says.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let engine = Engine::open_read_only(Path::new(&dir)).unwrap();
    let Some(before) = peak_kb() else { return };
    let mut count = 0;
    let mut visit = |_: &Sample| {
        count += 1;
        ControlFlow::Continue(())
    };
    engine.scan(SeriesId(1), Timestamp::MIN, Timestamp::MAX, &mut visit).unwrap();
    println!("read {count}");
    println!("grown {}", peak_kb().unwrap() - before);
}

#[test]
fn an_export_beside_a_writer_takes_little_memory() {
    if std::env::var(CHILD).is_ok() {
        return;
    }
    if peak_kb().is_none() {
        println!("SKIPPED: nobody says how much memory a process has");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), Options::default()).unwrap();
    let node = NodeKey { site: Slug::new("north").unwrap(), node: Slug::new("n1").unwrap() };
    let (position, quantity) = (Slug::new("tray").unwrap(), Quantity::Co2);
    let id = engine.series_id(&SeriesKey { node, position, quantity }).unwrap();
    for from in (0..SAMPLES).step_by(16_000) {
        let count = 16_000.min(SAMPLES - from);
        let committed = engine.commit(&batch(id, from, count)).unwrap();
        engine.release(Position(committed.position.0)).unwrap();
    }
    engine.checkpoint().unwrap();
    let is_done = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut from = SAMPLES;
            while !is_done.load(Ordering::Relaxed) {
                engine.commit(&batch(id, from, 100)).unwrap();
                from += 100;
            }
        });
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .output();
        is_done.store(true, Ordering::Relaxed);
        String::from_utf8(output.unwrap().stdout).unwrap()
    });
    let number = |word: &str| -> u64 {
        let line = said.lines().find_map(|line| line.split_once(word));
        line.unwrap().1.trim().parse().unwrap()
    };
    assert!(number("read ") >= SAMPLES as u64);
    assert!(number("grown ") <= GROWTH_MAX_KB, "{said}");
}
