//! Sealing a day: its loose chunks, and sealed ones that they overlap, become one.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Shared;
use super::checkpoint::{NewChunk, encode, insert, seal_heads, stopping};
use super::chunk::{self, CHUNK_SAMPLES_MAX, ChunkKey, DAY_US};
use super::commit::Change;
use super::recover::corrupt;
use crate::{Error, Sample, SeriesId};

/// So many loose chunks of a day are merged before the day is over.
const LOOSE_MAX: usize = 32;
/// The most samples merged in one go, which bounds memory; the others stay loose until the next
/// checkpoint.
const MERGE_SAMPLES_MAX: usize = 32 * CHUNK_SAMPLES_MAX;
/// A sealed chunk with less is merged with the loose ones of its day, whether they overlap or not.
const SMALL_SAMPLES_MAX: usize = CHUNK_SAMPLES_MAX / 2;
/// The most days of a series in one slice.
const SLICE_DAYS_MAX: usize = 32;

/// What is known of a chunk without reading it.
#[derive(Clone, Copy)]
pub(super) struct Meta {
    pub(super) key: ChunkKey,
    pub(super) last_us: i64,
    samples: usize,
    stage: Stage,
}

/// What a chunk is, by its number on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// 0: it will be merged with others of its day.
    Loose,
    /// 1.
    Sealed,
    /// 2: its summaries alone are left.
    RolledUp,
}

impl Meta {
    /// Returns whether its summaries alone are left.
    pub(super) fn is_rolled(&self) -> bool {
        self.stage == Stage::RolledUp
    }

    /// Returns how many samples it has, or had.
    pub(super) fn samples(&self) -> u64 {
        self.samples as u64
    }
}

/// What one day of a series becomes.
struct Merge {
    old: Vec<ChunkKey>,
    new: Vec<NewChunk>,
}

/// Seals every day that is over in its series, and those that have many loose chunks.
pub(super) fn compact(shared: &Shared) -> Result<(), Error> {
    let due = due_days(shared)?;
    for slice in due.chunks(SLICE_DAYS_MAX) {
        if stopping(shared) {
            return Ok(());
        }
        // Sealing many days takes long: heads and journal must not fill up meanwhile.
        if shared.state().head_samples >= shared.writing()?.options.checkpoint_samples {
            seal_heads(shared)?;
        }
        let mut merges = Vec::with_capacity(slice.len());
        for &(series, day) in slice {
            match merge_day(shared, series, day) {
                Ok(merge) => merges.extend(merge),
                // The chunk stays as it is; all others are worth sealing still.
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%error, %series, day, "Left a day unsealed.");
                }
                Err(error) => return Err(error),
            }
        }
        shared.writing()?.writer().transaction(|connection| {
            for merge in &merges {
                replace(connection, merge)?;
            }
            Ok(Change::Keep(()))
        })?;
    }
    Ok(())
}

/// Returns the days with loose chunks that are to be sealed now.
fn due_days(shared: &Shared) -> Result<Vec<(SeriesId, i64)>, Error> {
    let lease = shared.reads.lease()?;
    let mut loose: BTreeMap<(SeriesId, i64), usize> = BTreeMap::new();
    lease.query(|connection| {
        let mut select = connection.prepare_cached("SELECT key FROM chunk WHERE sealed = 0")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let key = ChunkKey(row.get(0)?);
            *loose.entry((key.series(), key.day())).or_default() += 1;
        }
        Ok(())
    })?;
    let state = shared.state();
    let newest_day = |series| {
        let newest = state.get(series).ok().and_then(|series| series.newest());
        newest.map_or(0, |time| time.micros() / DAY_US)
    };
    let due = |&((series, day), count): &((SeriesId, i64), usize)| {
        day < newest_day(series) || count >= LOOSE_MAX
    };
    Ok(loose.into_iter().filter(due).map(|(day, _)| day).collect())
}

/// Merges the loose chunks of a day with the sealed ones that they overlap.
fn merge_day(shared: &Shared, series: SeriesId, day: i64) -> Result<Option<Merge>, Error> {
    let lease = shared.reads.lease()?;
    lease.query(|connection| {
        let metas = metas_of_day(connection, series, day)?;
        let mut chosen = Vec::new();
        let mut samples = 0;
        for meta in metas.iter().filter(|meta| meta.stage == Stage::Loose) {
            samples += meta.samples;
            if samples > MERGE_SAMPLES_MAX && !chosen.is_empty() {
                break;
            }
            chosen.push(*meta);
        }
        let from = chosen.iter().map(|meta| meta.key.start_us()).min().unwrap_or_default();
        let to = chosen.iter().map(|meta| meta.last_us).max().unwrap_or_default();
        // A small one that was sealed before its day was over is no chunk for good.
        let overlaps = |meta: &&Meta| {
            meta.last_us >= from && meta.key.start_us() <= to || meta.samples < SMALL_SAMPLES_MAX
        };
        chosen.extend(metas.iter().filter(|meta| meta.stage == Stage::Sealed).filter(overlaps));
        if chosen.is_empty() {
            return Ok(None);
        }
        let mut merged: Vec<Sample> = Vec::new();
        for meta in &chosen {
            merged.extend(read_body(connection, meta.key)?);
        }
        merged.sort_by_key(|sample| sample.time);
        // No two chunks share a time; should they ever, the merged one must still be readable.
        merged.dedup_by_key(|sample| sample.time);
        let old = chosen.iter().map(|meta| meta.key).collect();
        Ok(Some(Merge { old, new: encode(series, &merged) }))
    })
}

/// Returns the chunks of a series and day, in the order of their keys.
pub(super) fn metas_of_day(
    connection: &Connection,
    series: SeriesId,
    day: i64,
) -> Result<Vec<Meta>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT key, last_us, samples, sealed FROM chunk WHERE key >= ?1 AND key < ?2 ORDER BY key",
    )?;
    let (from, to) = (day * DAY_US, (day + 1) * DAY_US);
    let keys = [ChunkKey::first(series, from).0, ChunkKey::first(series, to).0];
    let rows = select.query_map(keys, |row| {
        Ok(Meta {
            key: ChunkKey(row.get(0)?),
            last_us: row.get(1)?,
            samples: row.get::<_, u32>(2)? as usize,
            stage: match row.get::<_, i64>(3)? {
                0 => Stage::Loose,
                1 => Stage::Sealed,
                _ => Stage::RolledUp,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the samples of a chunk.
pub(super) fn read_body(connection: &Connection, key: ChunkKey) -> Result<Vec<Sample>, Error> {
    let mut select = connection.prepare_cached("SELECT record FROM body WHERE key = ?1")?;
    let mut rows = select.query([key.0])?;
    let missing = || corrupt(key, super::bytes::Damage("it is missing"));
    let row = rows.next()?.ok_or_else(missing)?;
    let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    chunk::parse(key.series(), record).map_err(|damage| corrupt(key, damage))
}

fn replace(connection: &Connection, merge: &Merge) -> Result<(), Error> {
    for key in &merge.old {
        connection.prepare_cached("DELETE FROM chunk WHERE key = ?1")?.execute([key.0])?;
        connection.prepare_cached("DELETE FROM body WHERE key = ?1")?.execute([key.0])?;
    }
    for chunk in &merge.new {
        insert(connection, chunk, true)?;
    }
    Ok(())
}
