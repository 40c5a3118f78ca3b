//! Channels, readings and a store to judge.

#![expect(dead_code, reason = "each file of tests uses a part of it")]

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Reading, Scaled, Sequence, Slug, Timestamp,
};
use quality::{Channel, Climate, Limits, Rules, State, assess};
use store::{Incoming, Sample, SeriesId, SeriesKey, Taken};

pub(crate) const FLASH: FlashId = FlashId(7);
pub(crate) const NOON_MS: i64 = 1_790_000_000_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;

pub(crate) fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(NOON_MS + ms).unwrap()
}

/// A channel of `house-1` with what a node would hold it against.
pub(crate) fn channel(number: u32, node: &str, position: &str, quantity: Quantity) -> Channel {
    let node = NodeKey { site: slug("nanchuan"), node: slug(node) };
    Channel {
        series: SeriesId(number),
        key: SeriesKey { node, position: slug(position), quantity },
        zone: Some(slug("house-1")),
        interval_ms: 60_000,
        limits: Limits::of(quantity),
        climate: Climate::default(),
    }
}

/// The same with what ships.
pub(crate) fn shipped(number: u32, node: &str, position: &str, quantity: Quantity) -> Channel {
    let channel = channel(number, node, position, quantity);
    let (table, _) = seeds::thresholds().unwrap();
    Channel { limits: table.limits(&channel.key), ..channel }
}

pub(crate) fn incoming(number: u32, sequence: u64, ms: i64, reading: Reading) -> Incoming {
    let quality = if reading.is_ok() { Quality::NotEvaluated } else { Quality::Missing };
    let series = SeriesId(number);
    let sample = Sample { series, time: at(ms), reading, quality, marks: Marks::NONE, taken: None };
    Incoming { sequence: Sequence(sequence), sample }
}

/// A sample as the store gives it back.
pub(crate) fn stored(one: Incoming) -> Sample {
    let taken = Some(Taken { flash: FLASH, sequence: one.sequence });
    Sample { taken, ..one.sample }
}

/// Values in hundred-thousandths, so that each of the vectors is whole; NaN is a fault.
pub(crate) fn reading(value: f64) -> Reading {
    if value.is_nan() { Err(Fault::NotReady) } else { Ok(Scaled((value * 1e5).round() as i32)) }
}

/// Returns the samples with the flags that they get as they come, each in a commit of its own.
pub(crate) fn assessed(rules: &Rules, state: &mut State, mut all: Vec<Incoming>) -> Vec<Sample> {
    for one in &mut all {
        assess(rules, state, Some(FLASH), std::slice::from_mut(one));
        state.settle(true);
    }
    all.into_iter().map(stored).collect()
}

pub(crate) fn codes(samples: &[Sample]) -> Vec<u8> {
    samples.iter().map(|sample| sample.quality.code()).collect()
}
