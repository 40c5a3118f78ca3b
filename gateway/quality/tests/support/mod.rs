//! Channels and readings to judge.

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Reading, Scaled, Sequence, Slug, Timestamp,
};
use quality::{Channel, Climate, Limits};
use store::{Incoming, Sample, SeriesId, SeriesKey, Taken};

pub(crate) const FLASH: FlashId = FlashId(7);
pub(crate) const NOON_MS: i64 = 1_790_000_000_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

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
