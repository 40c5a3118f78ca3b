//! An engine in front of another store: it may hold a part of the samples, and take some in again.
//!
//! Days whose samples stand elsewhere too are forgotten as a whole, and adopted again when something
//! of them is needed. Sequences, gaps, the journal and the latest of each series are never forgotten.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use measure::{Fault, Timestamp};
use rusqlite::params;

use super::checkpoint::{encode, insert, one_checkpoint};
use super::chunk::{ChunkKey, DAY_US};
use super::commit::Change;
use super::database::sequence_to_sql;
use super::recover::{emit_seen, load_flash};
use super::{Shared, read};
use crate::sequences::SequenceSet;
use crate::{Error, Sample, SeriesId};

/// How many series are looked after in one transaction.
const SLICE_SERIES: u32 = 256;

/// Deletes the chunks of all days that are over before `before`; returns how many.
pub(super) fn forget(shared: &Shared, before: Timestamp) -> Result<u64, Error> {
    let writing = shared.writing()?;
    let _one = writing.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    one_checkpoint(shared)?;
    let day_us = before.micros() / DAY_US * DAY_US;
    let count = shared.state().series().count() as u32;
    let mut forgotten = 0;
    for first in (1..=count).step_by(SLICE_SERIES as usize) {
        forgotten += writing.writer().transaction(|connection| {
            let mut chunks = 0;
            for series in (first..first + SLICE_SERIES).map(SeriesId) {
                // No chunk reaches over the end of its day, so its beginning says it all.
                let keys = [ChunkKey::first(series, 0).0, ChunkKey::first(series, day_us).0];
                chunks += connection
                    .prepare_cached("DELETE FROM chunk WHERE key >= ?1 AND key < ?2")?
                    .execute(keys)?;
                for table in ["body", "tens"] {
                    let sql = format!("DELETE FROM {table} WHERE key >= ?1 AND key < ?2");
                    connection.prepare_cached(&sql)?.execute(keys)?;
                }
            }
            Ok(if chunks > 0 { Change::Keep(chunks) } else { Change::None(0) })
        })?;
    }
    Ok(forgotten as u64)
}

/// Takes in samples of one series, sorted by time, that another store holds.
///
/// What stands at a time already stays. Their sequences count as seen.
pub(super) fn adopt(shared: &Shared, series: SeriesId, samples: &[Sample]) -> Result<(), Error> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
    let writing = shared.writing()?;
    let _one = writing.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    let mut here = Vec::new();
    read::scan(shared, series, first.time, last.time.plus_micros(1), &mut |sample| {
        here.push(sample.time);
        ControlFlow::Continue(())
    })?;
    let new: Vec<Sample> =
        samples.iter().filter(|s| here.binary_search(&s.time).is_err()).copied().collect();
    let chunks = encode(series, &new);
    let node = shared.state().get(series)?.key.node.clone();
    let mut writer = writing.writer();
    let newest = new.last().filter(|new| {
        shared.state().get(series).ok().and_then(|s| s.newest()).is_none_or(|n| n < new.time)
    });
    writer.transaction(|connection| {
        let mut state = shared.state_mut();
        for taken in samples.iter().filter_map(|sample| sample.taken) {
            let row = load_flash(connection, &mut state, &node, taken.flash)?;
            let Some(flash) = state.flash_mut(row) else { continue };
            if !flash.stored {
                connection
                    .prepare_cached("INSERT INTO flash VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        row,
                        node.site.as_str(),
                        node.node.as_str(),
                        taken.flash.0,
                        emit_seen(&SequenceSet::default())
                    ])?;
                flash.stored = true;
            }
            if !flash.seen.contains(taken.sequence.0) {
                flash.seen.insert(taken.sequence.0, taken.sequence.0);
                flash.dirty = true;
            }
        }
        drop(state);
        for chunk in &chunks {
            insert(connection, chunk, false)?;
        }
        if let Some(latest) = newest {
            connection
                .prepare_cached(
                    "UPDATE series SET latest_us = ?2, latest_fault = ?3, latest_value = ?4,
                        latest_quality = ?5, latest_marks = ?6, latest_flash = ?7,
                        latest_sequence = ?8 WHERE id = ?1",
                )?
                .execute(params![
                    series.0,
                    latest.time.micros(),
                    latest.reading.err().map_or(0, Fault::code),
                    latest.reading.map_or(0, |value| value.0),
                    latest.quality.code(),
                    latest.marks.bits(),
                    latest.taken.map(|taken| taken.flash.0),
                    latest.taken.map(|taken| sequence_to_sql(taken.sequence.0)),
                ])?;
        }
        Ok(Change::Keep(()))
    })?;
    if let (Some(latest), Some(series)) = (newest, shared.state_mut().get_mut(series)) {
        series.latest = Some(*latest);
    }
    Ok(())
}

/// Returns how many bytes of the file are in use.
pub(super) fn used_bytes(shared: &Shared) -> Result<u64, Error> {
    let lease = shared.reads.lease()?;
    lease.query(|connection| {
        let pragma = |name| connection.query_row(name, [], |row| row.get::<_, i64>(0));
        let pages = pragma("PRAGMA page_count")? - pragma("PRAGMA freelist_count")?;
        Ok((pages * pragma("PRAGMA page_size")?).cast_unsigned())
    })
}

/// Returns the first and the last second with a chunk, as times; `None` where there is no chunk.
pub(super) fn span(shared: &Shared) -> Result<Option<(Timestamp, Timestamp)>, Error> {
    let count = shared.state().series().count() as u32;
    let lease = shared.reads.lease()?;
    lease.query(|connection| {
        let mut ends = connection
            .prepare_cached("SELECT min(key), max(key) FROM chunk WHERE key >= ?1 AND key < ?2")?;
        let mut span: Option<(i64, i64)> = None;
        for series in 1..=count {
            let keys = [
                ChunkKey::first(SeriesId(series), 0).0,
                ChunkKey::first(SeriesId(series + 1), 0).0,
            ];
            let (first, last): (Option<i64>, Option<i64>) =
                ends.query_row(keys, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let Some((first, last)) = first.zip(last) else { continue };
            let of_series = (ChunkKey(first).start_us(), ChunkKey(last).start_us());
            span = Some(span.map_or(of_series, |(a, b)| (a.min(of_series.0), b.max(of_series.1))));
        }
        let time = |us| Timestamp::from_micros(us).unwrap_or(Timestamp::MAX);
        Ok(span.map(|(first, last)| (time(first), time(last))))
    })
}
