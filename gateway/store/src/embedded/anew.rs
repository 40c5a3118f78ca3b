//! Samples that stand anew: a derived number in place of another, a quality found afterwards.
//!
//! Until a checkpoint the newer version is in memory and wins over what chunks hold. The checkpoint
//! then changes the chunks themselves, in the transaction that seals the head: no two chunks ever
//! hold the same time of a series, so that their summaries add up and merging needs no order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use measure::Timestamp;
use rusqlite::{Connection, params};

use super::Shared;
use super::checkpoint::{NewChunk, encode};
use super::chunk::{ChunkKey, DAY_US};
use super::compact::{metas_of_day, read_body};
use super::state::{Sealing, insert_sorted, sample_at};
use crate::{Error, Sample, SeriesId};

/// What becomes of a head.
pub(super) struct Placed<'a> {
    /// Samples that need new chunks.
    pub(super) new: Cow<'a, [Sample]>,
    /// Chunks that change, because others stand in them.
    pub(super) changed: Vec<(ChunkKey, NewChunk)>,
}

/// Returns what becomes of a head.
///
/// # Errors
/// What the database says.
pub(super) fn place<'a>(
    shared: &Shared,
    series: SeriesId,
    sealing: &'a Sealing,
) -> Result<Placed<'a>, Error> {
    if sealing.anew.is_empty() {
        return Ok(Placed { new: Cow::Borrowed(&sealing.samples), changed: Vec::new() });
    }
    let mut days: BTreeMap<i64, Vec<Timestamp>> = BTreeMap::new();
    for &time in sealing.anew.iter() {
        days.entry(time.micros().div_euclid(DAY_US)).or_default().push(time);
    }
    let lease = shared.reads.lease()?;
    let (mut placed, mut changed) = (BTreeSet::new(), Vec::new());
    for (day, times) in days {
        let metas = lease.query(|connection| metas_of_day(connection, series, day))?;
        for meta in metas.iter().filter(|meta| !meta.is_rolled()) {
            let is_over =
                |time: &&Timestamp| (meta.key.start_us()..=meta.last_us).contains(&time.micros());
            let times: Vec<Timestamp> = times.iter().filter(is_over).copied().collect();
            if times.is_empty() {
                continue;
            }
            let mut body = match lease.query(|connection| read_body(connection, meta.key)) {
                Ok(body) => body,
                // It keeps what it has, unreadable; the newer samples get a chunk of their own.
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%error, "Left a chunk as it is.");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let here: Vec<Sample> = times
                .iter()
                .filter(|time| sample_at(&body, **time).is_some())
                .filter_map(|time| sample_at(&sealing.samples, *time).copied())
                .collect();
            here.iter().for_each(|sample| insert_sorted(&mut body, *sample));
            if !here.is_empty() {
                placed.extend(here.iter().map(|sample| sample.time));
                changed.extend(encode(series, &body).into_iter().map(|chunk| (meta.key, chunk)));
            }
        }
    }
    let new = sealing.samples.iter().filter(|sample| !placed.contains(&sample.time));
    Ok(Placed { new: Cow::Owned(new.copied().collect()), changed })
}

/// Writes a chunk whose times are those it had.
pub(super) fn rewrite(
    connection: &Connection,
    key: ChunkKey,
    chunk: &NewChunk,
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE chunk SET hours = ?2 WHERE key = ?1")?
        .execute(params![key.0, chunk.hours])?;
    connection
        .prepare_cached("UPDATE body SET record = ?2 WHERE key = ?1")?
        .execute(params![key.0, chunk.record])?;
    Ok(())
}
