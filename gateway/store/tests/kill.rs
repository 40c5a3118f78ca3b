//! A real process that commits, killed at any moment: what it acknowledged is on disk, once.
//!
//! The test runs itself as the child, with the directory in the environment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use store::embedded::{Engine, Journal, Options};
use store::{
    Batch, Flag, Incoming, Origin, Part, Position, Sample, SeriesId, SeriesKey, Store, Taken,
};

const CHILD: &str = "MIAOPU_STORE_KILL_DIR";
const ROUNDS: u64 = 12;
const FLASH: FlashId = FlashId(77);
/// Readings of one batch, over as many series.
const WIDTH: u64 = 20;
/// Derived samples stand at as many times, one after the other, again and again.
const PLACES: u64 = 9;

fn options() -> Options {
    // Checkpoints all the time, so that many kills fall into one.
    Options {
        checkpoint_every: Duration::from_millis(3),
        checkpoint_samples: 300,
        journal: Journal::UntilReleased,
    }
}

fn node() -> NodeKey {
    NodeKey { site: Slug::new("north").unwrap(), node: Slug::new("n1").unwrap() }
}

fn series(store: &Engine) -> Vec<SeriesId> {
    let key = |index| SeriesKey {
        node: node(),
        position: Slug::new(&format!("tray-{index}")).unwrap(),
        quantity: Quantity::Illuminance,
    };
    (0..WIDTH).map(|index| store.series_id(&key(index)).unwrap()).collect()
}

fn derived_series(store: &Engine) -> SeriesId {
    let (position, quantity) = (Slug::new("tray-0").unwrap(), Quantity::VapourPressureDeficit);
    store.series_id(&SeriesKey { node: node(), position, quantity }).unwrap()
}

fn time_of(n: u64) -> Timestamp {
    let late_ms = if n % 3 == 2 { 3 * 86_400_000 } else { 0 };
    Timestamp::from_millis(1_735_689_600_000 + n as i64 * 900_000 - late_ms).unwrap()
}

/// Returns batch `n`: the value of each reading is its sequence; every third batch is days late.
/// With it a derived number stands in place of an older one, and what is seven batches old is
/// flagged.
fn batch(ids: &[SeriesId], derived: SeriesId, n: u64) -> Batch {
    let time = time_of(n);
    let samples = ids
        .iter()
        .zip(n * WIDTH..)
        .map(|(&series, sequence)| Incoming {
            sequence: Sequence(sequence),
            sample: Sample {
                series,
                time,
                reading: Ok(Scaled(sequence as i32)),
                quality: Quality::Good,
                marks: Marks::NONE,
                taken: None,
            },
        })
        .collect();
    let place = Timestamp::from_millis((20_000 + (n % PLACES) as i64) * 86_400_000).unwrap();
    let number = Sample {
        series: derived,
        time: place,
        reading: Ok(Scaled(n as i32)),
        quality: Quality::Good,
        marks: Marks::NONE,
        taken: None,
    };
    let flag = |old: u64| {
        let flag = |&series| Flag { series, time: time_of(old), quality: Quality::Suspect };
        ids.iter().map(flag).collect()
    };
    let parts = vec![
        Part::Readings { origin: Origin::Node { node: node(), flash: FLASH }, samples },
        Part::Derived(vec![number]),
        Part::Flags(n.checked_sub(7).map(flag).unwrap_or_default()),
    ];
    Batch { parts }
}

/// Returns the sequences on disk, and fails where one is there twice.
fn sequences(store: &Engine) -> BTreeSet<u64> {
    let (mut found, mut flagged) = (BTreeSet::new(), 0);
    for id in series(store) {
        let mut visit = |sample: &Sample| {
            let sequence = sample.reading.unwrap().0 as u64;
            let taken = Taken { flash: FLASH, sequence: Sequence(sequence) };
            assert_eq!(sample.taken, Some(taken));
            flagged += u64::from(sample.quality == Quality::Suspect);
            assert!(found.insert(sequence), "sequence {sequence} is there twice");
            ControlFlow::Continue(())
        };
        store.scan(id, Timestamp::MIN, Timestamp::MAX, &mut visit).unwrap();
    }
    let batches = found.len() as u64 / WIDTH;
    assert_eq!(flagged, batches.saturating_sub(7) * WIDTH, "what is seven batches old is flagged");
    let mut numbers = Vec::new();
    let mut visit = |sample: &Sample| {
        numbers.push(sample.reading.unwrap().0 as u64);
        ControlFlow::Continue(())
    };
    store.scan(derived_series(store), Timestamp::MIN, Timestamp::MAX, &mut visit).unwrap();
    numbers.sort_unstable();
    let expect: Vec<u64> = (batches.saturating_sub(PLACES)..batches).collect();
    assert_eq!(numbers, expect, "the last number of each place stands");
    found
}

#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let engine = Engine::open(Path::new(&dir), options()).unwrap();
    let (ids, derived) = (series(&engine), derived_series(&engine));
    let done = engine.seen(&node(), FLASH).unwrap().last().map_or(0, |range| range.last.0 + 1);
    for n in done / WIDTH.. {
        // The one before again, as after an acknowledgement that was lost.
        engine.commit(&batch(&ids, derived, n.saturating_sub(1))).unwrap();
        let committed = engine.commit(&batch(&ids, derived, n)).unwrap();
        if n % 7 == 0 {
            engine.release(Position(committed.position.0.saturating_sub(5))).unwrap();
        }
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {n}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_any_kill_and_is_there_once() {
    if std::env::var(CHILD).is_ok() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = 0;
    for _ in 0..ROUNDS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lines = next + 1 + (random >> 33) % 150;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, n)) = line.split_once("acknowledged ") else { continue };
            acknowledged = n.parse::<u64>().ok();
            if acknowledged == Some(lines) {
                child.kill().unwrap();
            }
        }
        let status = child.wait().unwrap();
        assert!(!status.success(), "the child was to be killed, not to end");
        let acknowledged = acknowledged.unwrap();

        // First beside nobody, for reading only, then as the gateway would open it.
        let found = sequences(&Engine::open_read_only(dir.path()).unwrap());
        let engine = Engine::open(dir.path(), options()).unwrap();
        assert_eq!(found, sequences(&engine));
        let kept = found.len() as u64;
        assert!(kept >= (acknowledged + 1) * WIDTH, "an acknowledged batch is missing");
        assert!(found.into_iter().eq(0..kept), "a hole");
        assert_eq!(kept % WIDTH, 0, "half a batch");
        let seen = engine.seen(&node(), FLASH).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].last.0, kept - 1);
        // The journal still has all that was not released, and nothing is in it twice.
        let last = engine.last_position().unwrap().0;
        assert_eq!(last, kept / WIDTH);
        let after = last.saturating_sub(5);
        let entries = engine.journal(Position(after), 100).unwrap();
        assert!(entries.iter().map(|(position, _)| position.0).eq(after + 1..=last));
        next = last;
    }
}
