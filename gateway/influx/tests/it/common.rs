//! What the tests of this room share.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use influx::standin::{BUCKET, ORG, StandIn, TOKEN};
use influx::{Influx, Options, Target, Token};
use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp,
};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store};

pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const DAY_MS: i64 = 1_735_689_600_000;

pub(crate) fn options() -> Options {
    let (linger, retry_min) = (Duration::ZERO, Duration::from_millis(5));
    Options { linger, retry_min, retry_max: Duration::from_millis(50), ..Options::default() }
}

pub(crate) fn target(server: &StandIn) -> Target {
    Target::new(&server.url(), ORG, BUCKET, Token::new(TOKEN)).unwrap()
}

pub(crate) fn open(dir: &Path, server: &StandIn) -> Influx {
    Influx::open(dir, target(server), options()).unwrap()
}

pub(crate) fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

pub(crate) fn node() -> NodeKey {
    NodeKey { site: slug("north"), node: slug("n1") }
}

pub(crate) fn key(position: &str) -> SeriesKey {
    SeriesKey { node: node(), position: slug(position), quantity: Quantity::AirTemperature }
}

/// Returns a batch of readings of one node, a second apart, one in seven a fault.
pub(crate) fn batch(series: SeriesId, first: u64, count: u64) -> Batch {
    let samples = (first..first + count).map(|sequence| {
        let time = Timestamp::from_millis(DAY_MS + sequence as i64 * 1_000).unwrap();
        let fault = sequence.is_multiple_of(7);
        let reading = if fault { Err(Fault::Bus) } else { Ok(Scaled(sequence as i32 * 11 - 500)) };
        let quality = if fault { Quality::Missing } else { Quality::Good };
        let marks = Marks::NONE;
        let sample = Sample { series, time, reading, quality, marks, taken: None };
        Incoming { sequence: Sequence(sequence), sample }
    });
    let origin = Origin::Node { node: node(), flash: FlashId(7) };
    Batch { parts: vec![Part::Readings { origin, samples: samples.collect() }] }
}

pub(crate) fn all(store: &dyn Store, series: SeriesId) -> Vec<Sample> {
    let mut samples = Vec::new();
    store
        .scan(series, Timestamp::MIN, Timestamp::MAX, &mut |sample| {
            samples.push(*sample);
            ControlFlow::Continue(())
        })
        .unwrap();
    samples
}

/// Asserts that exactly the sequences `0..count` are there, each once.
#[track_caller]
pub(crate) fn holds(store: &dyn Store, series: SeriesId, count: u64) {
    let sequences: Vec<u64> =
        all(store, series).iter().map(|sample| sample.taken.unwrap().sequence.0).collect();
    assert_eq!(sequences, (0..count).collect::<Vec<_>>());
}

/// Waits until a claim holds.
#[track_caller]
pub(crate) fn eventually(influx: &Influx, mut claim: impl FnMut(&influx::Shipping) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut status = influx.shipping();
    let waited = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, status.wait_for(|status| claim(status))).await.is_ok()
    });
    assert!(waited, "{:?}", influx.shipping().borrow());
}
