//! Samples as line protocol.
//!
//! One point a sample. Every field is there in every point, so that writing a point again replaces
//! all of it: the server keeps fields that a later point at the same series and time leaves out.
//!
//! | part | what |
//! |---|---|
//! | measurement | `reading` |
//! | tags | `node`, `position`, `quantity`, `site`, in the order that the server sorts them by |
//! | `value` | the reading as a whole number of its quantity's smallest step; 0 where it is a fault |
//! | `fault` | the number of the fault; 0 where there is a value |
//! | `quality` | the QARTOD flag |
//! | `marks` | the marks, as bits |
//! | `flash` | the flash id; -1 where no node of ours took it |
//! | `sequence` | the sequence, as a signed number of 64 bits; 0 where `flash` is -1 |
//! | time | microseconds since 1970 |
//!
//! Nothing needs to be escaped: names are [`Slug`](measure::Slug)s or those of quantities, which hold
//! letters, digits, `-` and `_` alone, and every field is an integer.

use std::io::Write as _;

use measure::{Fault, Timestamp};
use store::{Sample, SeriesKey};

/// The measurement that all readings are points of.
pub const MEASUREMENT: &str = "reading";
/// The names of the fields, in the order that they are written in.
pub(crate) const FIELDS: [&str; 6] = ["value", "fault", "quality", "marks", "flash", "sequence"];
/// The first time that a server cannot keep: it counts nanoseconds in 64 bits, until 2262-04-11. A
/// whole day, so that days are on the server as a whole.
pub(crate) const SERVER_END: Timestamp = match Timestamp::from_micros(9_223_286_400_000_000) {
    Some(end) => end,
    None => Timestamp::MAX,
};

/// Returns the measurement and the tags of a series, as every line of it begins.
pub(crate) fn head(key: &SeriesKey) -> String {
    let (site, node) = (&key.node.site, &key.node.node);
    format!(
        "{MEASUREMENT},node={node},position={},quantity={},site={site} ",
        key.position, key.quantity
    )
}

/// Appends the line of a sample, which begins with the `head` of its series.
pub(crate) fn line(out: &mut Vec<u8>, head: &str, sample: &Sample) {
    let value = sample.reading.map_or(0, |value| value.0);
    let fault = sample.reading.err().map_or(0, Fault::code);
    let (quality, marks) = (sample.quality.code(), sample.marks.bits());
    let (flash, sequence) = match sample.taken {
        Some(taken) => (i64::from(taken.flash.0), taken.sequence.0.cast_signed()),
        None => (-1, 0),
    };
    let time = sample.time.micros();
    out.extend_from_slice(head.as_bytes());
    writeln!(
        out,
        "value={value}i,fault={fault}i,quality={quality}i,marks={marks}i,flash={flash}i,\
         sequence={sequence}i {time}"
    )
    .unwrap_or_else(|_| unreachable!("a vector takes every byte"));
}

/// Returns samples of one series as line protocol in microseconds: the very bytes that are shipped.
pub fn encode(key: &SeriesKey, samples: &[Sample]) -> Vec<u8> {
    let (mut out, head) = (Vec::new(), head(key));
    samples.iter().for_each(|sample| line(&mut out, &head, sample));
    out
}
