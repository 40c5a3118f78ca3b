//! Tests of the engine as a whole.

mod basics;
mod check;
mod faults;
mod model;
mod powercut;
mod races;
mod retain;
mod snapshot;

use std::ops::ControlFlow;
use std::time::Duration;

use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use tempfile::TempDir;

use super::{Engine, Journal, Options};
use crate::{Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store};

const DAY_MS: i64 = 86_400_000;
const FLASH: FlashId = FlashId(9);

/// Returns an empty directory, in memory where the system has such: these tests end no process, so
/// that what was written is there whether or not it has reached a disk.
fn directory() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Opens the engine in `dir`, with checkpoints only where a test asks for them.
fn open(dir: &TempDir) -> Engine {
    let checkpoint_every = Duration::from_secs(1_000_000);
    Engine::open(dir.path(), Options { checkpoint_every, ..Options::default() }).unwrap()
}

fn node() -> NodeKey {
    NodeKey { site: Slug::new("north").unwrap(), node: Slug::new("n1").unwrap() }
}

fn series(store: &Engine, index: usize) -> SeriesId {
    let position = Slug::new(&format!("tray-{index}")).unwrap();
    store.series_id(&SeriesKey { node: node(), position, quantity: Quantity::Co2 }).unwrap()
}

fn sample(series: SeriesId, time_us: i64, value: i32) -> Sample {
    Sample {
        series,
        time: Timestamp::from_micros(time_us).unwrap(),
        reading: Ok(Scaled(value)),
        quality: Quality::Good,
        marks: Marks::NONE,
        taken: None,
    }
}

/// Returns a batch of one flash whose sequences begin with `first`.
fn batch(first: u64, samples: Vec<Sample>) -> Batch {
    let samples = (first..)
        .zip(samples)
        .map(|(sequence, sample)| Incoming { sequence: Sequence(sequence), sample })
        .collect();
    let origin = Origin::Node { node: node(), flash: FLASH };
    Batch { parts: vec![Part::Readings { origin, samples }] }
}

fn scan(store: &Engine, series: SeriesId) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut visit = |sample: &Sample| {
        samples.push(*sample);
        ControlFlow::Continue(())
    };
    store.scan(series, Timestamp::MIN, Timestamp::MAX, &mut visit).unwrap();
    samples
}

/// Makes the n-th transaction from now, and all that follow, fail as on a full disk.
fn fail_after(store: &Engine, transactions: u32) {
    store.shared.writing().unwrap().writer().fail_after = Some(transactions);
}
