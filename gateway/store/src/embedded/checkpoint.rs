//! Checkpoints: heads become chunks, sequences seen become rows, the journal is trimmed.
//!
//! All in slices, each a transaction of its own, so that a commit never waits for more than one;
//! encoding happens outside of any lock. A crash between two slices is no harm: each series says
//! up to where the journal is in its chunks.

use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

use measure::Fault;
use rusqlite::{Connection, params};

use super::chunk::{self, CHUNK_SAMPLES_MAX, ChunkKey, DAY_US, EQUALS_MAX};
use super::commit::{Change, journal_bytes_after};
use super::database::sequence_to_sql;
use super::recover::{corrupt, emit_seen};
use super::state::Sealing;
use super::summary::{self, Grain};
use super::{HEAD_SAMPLES_MAX, Journal, Shared, anew, compact};
use crate::{Error, Position, Sample, SeriesId};

/// The most series, and the most samples, rounded up to a whole series, in one slice.
const SLICE_SERIES_MAX: usize = 64;
const SLICE_SAMPLES_MAX: usize = 32_768;
/// The most journal entries deleted in one slice.
const SLICE_ENTRIES_MAX: i64 = 256;
/// The most flashes whose sequences are written in one slice.
const SLICE_FLASHES_MAX: usize = 256;
/// The most flashes in memory after a checkpoint; the others are read again when they are named.
const FLASHES_MAX: usize = 8_192;
/// How long the thread waits after a checkpoint that failed.
const RETRY: Duration = Duration::from_secs(10);
/// How long a commit that waits for room waits before it looks again.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// What is wanted of the checkpoint thread.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) checkpoint: bool,
    pub(super) stop: bool,
}

/// What the checkpoint thread does until it is stopped.
pub(super) fn run(shared: &Shared) {
    let Some(writing) = &shared.writing else { return };
    let mut failed = false;
    loop {
        let wanted = writing.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = if failed { RETRY } else { writing.options.checkpoint_every };
        let idle = |wanted: &mut Wanted| !wanted.stop && (failed || !wanted.checkpoint);
        let (mut wanted, _) = writing
            .wake
            .wait_timeout_while(wanted, pause, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if wanted.stop {
            return;
        }
        wanted.checkpoint = false;
        drop(wanted);
        failed = false;
        if let Err(error) = checkpoint(shared) {
            failed = true;
            tracing::warn!(%error, "Put a checkpoint off; what was committed is in the journal.");
        }
    }
}

/// Waits until the heads are within their budget, with a checkpoint where none is under way.
pub(super) fn make_room(shared: &Shared) -> Result<(), Error> {
    let writing = shared.writing()?;
    while shared.state().head_samples > HEAD_SAMPLES_MAX {
        match writing.checkpoint.try_lock() {
            Ok(_one) => one_checkpoint(shared)?,
            Err(TryLockError::Poisoned(_)) => return checkpoint(shared),
            Err(TryLockError::WouldBlock) => {
                // The one under way says so after each slice; the time is for the last of them.
                let wanted = writing.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                drop(writing.wake.wait_timeout(wanted, ROOM_WAIT));
            }
        }
    }
    Ok(())
}

/// Makes one checkpoint. Where the engine is being closed, it ends early.
pub(super) fn checkpoint(shared: &Shared) -> Result<(), Error> {
    let _one = shared.writing()?.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    one_checkpoint(shared)
}

/// Makes one checkpoint; the caller holds the lock that there is one at a time.
pub(super) fn one_checkpoint(shared: &Shared) -> Result<(), Error> {
    seal_heads(shared)?;
    if stopping(shared) {
        return Ok(());
    }
    compact::compact(shared)?;
    shared.state_mut().forget_flashes(FLASHES_MAX);
    empty_wal(shared)
}

/// Brings all heads into chunks, and trims the journal.
pub(super) fn seal_heads(shared: &Shared) -> Result<(), Error> {
    let upto = shared.state().position;
    let heads: Vec<SeriesId> = {
        let state = shared.state();
        state.series().filter(|(_, series)| series.has_head()).map(|(id, _)| id).collect()
    };
    let mut heads = heads.as_slice();
    while !heads.is_empty() {
        if stopping(shared) {
            return Ok(());
        }
        heads = seal_slice(shared, heads)?;
    }
    write_flashes(shared)?;
    finish(shared, upto)?;
    trim(shared, upto)
}

/// Returns whether the engine is being closed.
pub(super) fn stopping(shared: &Shared) -> bool {
    let Some(writing) = &shared.writing else { return true };
    writing.wanted.lock().unwrap_or_else(PoisonError::into_inner).stop
}

/// A chunk that is about to be written.
pub(super) struct NewChunk {
    first_us: i64,
    last_us: i64,
    series: SeriesId,
    samples: usize,
    pub(super) hours: Vec<u8>,
    pub(super) record: Vec<u8>,
}

/// Encodes samples of one series, sorted by time, as chunks: by day, and evenly within it.
pub(super) fn encode(series: SeriesId, samples: &[Sample]) -> Vec<NewChunk> {
    let day = |sample: &Sample| sample.time.micros().div_euclid(DAY_US);
    let mut chunks = Vec::new();
    for of_day in samples.chunk_by(|a, b| day(a) == day(b)) {
        let pieces = of_day.len().div_ceil(CHUNK_SAMPLES_MAX);
        for piece in of_day.chunks(of_day.len().div_ceil(pieces)) {
            let time_us = |sample: Option<&Sample>| sample.map_or(0, |s| s.time.micros());
            chunks.push(NewChunk {
                first_us: time_us(piece.first()),
                last_us: time_us(piece.last()),
                series,
                samples: piece.len(),
                hours: summary::emit(&summary::slots_of(piece, Grain::Hour), Grain::Hour),
                record: chunk::emit(piece),
            });
        }
    }
    chunks
}

/// Writes a chunk under the next free key of its series and second.
pub(super) fn insert(connection: &Connection, new: &NewChunk, sealed: bool) -> Result<(), Error> {
    let first = ChunkKey::first(new.series, new.first_us);
    let last = ChunkKey::last(new.series, new.first_us);
    let taken: Option<i64> = connection
        .prepare_cached("SELECT max(key) FROM chunk WHERE key BETWEEN ?1 AND ?2")?
        .query_row([first.0, last.0], |row| row.get(0))?;
    let key = ChunkKey(taken.map_or(first.0, |taken| taken + 1));
    if key > last {
        let full = format!("{EQUALS_MAX} chunks begin in one second: {last}");
        return Err(corrupt(full, super::bytes::Damage("they were never merged")));
    }
    connection
        .prepare_cached("INSERT INTO chunk VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![key.0, new.last_us, new.samples as i64, sealed, new.hours])?;
    connection
        .prepare_cached("INSERT INTO body VALUES (?1, ?2)")?
        .execute(params![key.0, new.record])?;
    Ok(())
}

/// A series of a slice: what of it is sealed, its latest sample, the new chunks, and those whose
/// samples stand there as others now.
struct Sealed {
    series: SeriesId,
    sealing: Sealing,
    latest: Option<Sample>,
    chunks: Vec<NewChunk>,
    changed: Vec<(ChunkKey, NewChunk)>,
}

/// Seals the heads of the first series of `heads`; returns the others.
fn seal_slice<'a>(shared: &Shared, heads: &'a [SeriesId]) -> Result<&'a [SeriesId], Error> {
    let mut slice = Vec::new();
    let mut samples = 0;
    {
        let mut state = shared.state_mut();
        let position = state.position;
        for &series in heads.iter().take(SLICE_SERIES_MAX) {
            let Some(head) = state.get_mut(series) else { continue };
            let before = head.head_len();
            let (sealing, latest) = (head.seal(position), head.latest);
            samples += sealing.samples.len();
            state.head_samples -= before - sealing.samples.len();
            let (chunks, changed) = (Vec::new(), Vec::new());
            slice.push(Sealed { series, sealing, latest, chunks, changed });
            if samples >= SLICE_SAMPLES_MAX {
                break;
            }
        }
    }
    for sealed in &mut slice {
        let placed = anew::place(shared, sealed.series, &sealed.sealing)?;
        sealed.chunks = encode(sealed.series, &placed.new);
        sealed.changed = placed.changed;
    }
    shared.writing()?.writer().transaction(|connection| {
        for sealed in &slice {
            for chunk in &sealed.chunks {
                insert(connection, chunk, false)?;
            }
            for (key, chunk) in &sealed.changed {
                anew::rewrite(connection, *key, chunk)?;
            }
            mark_sealed(connection, sealed)?;
        }
        Ok(Change::Keep(()))
    })?;
    let mut state = shared.state_mut();
    for sealed in &slice {
        if let Some(series) = state.get_mut(sealed.series) {
            series.sealing = None;
        }
        state.head_samples -= sealed.sealing.samples.len();
    }
    drop(state);
    shared.signal(|_| {});
    Ok(heads.get(slice.len()..).unwrap_or_default())
}

fn mark_sealed(connection: &Connection, sealed: &Sealed) -> Result<(), Error> {
    let latest = sealed.latest;
    let taken = latest.and_then(|sample| sample.taken);
    let position = sealed.sealing.position.0.cast_signed();
    connection
        .prepare_cached(
            "UPDATE series SET sealed = ?2, latest_us = ?3, latest_fault = ?4, latest_value = ?5,
                latest_quality = ?6, latest_marks = ?7, latest_flash = ?8, latest_sequence = ?9
             WHERE id = ?1",
        )?
        .execute(params![
            sealed.series.0,
            position,
            latest.map(|sample| sample.time.micros()),
            latest.map(|sample| sample.reading.err().map_or(0, Fault::code)),
            latest.map(|sample| sample.reading.map_or(0, |value| value.0)),
            latest.map(|sample| sample.quality.code()),
            latest.map(|sample| sample.marks.bits()),
            taken.map(|taken| taken.flash.0),
            taken.map(|taken| sequence_to_sql(taken.sequence.0)),
        ])?;
    Ok(())
}

/// Writes the sequences seen of every flash that has new ones.
fn write_flashes(shared: &Shared) -> Result<(), Error> {
    let writing = shared.writing()?;
    loop {
        let mut writer = writing.writer();
        let mut dirty = Vec::new();
        for (row, flash) in shared.state_mut().flashes_mut().filter(|(_, flash)| flash.dirty) {
            dirty.push((row, emit_seen(&flash.seen)));
            if dirty.len() == SLICE_FLASHES_MAX {
                break;
            }
        }
        if dirty.is_empty() {
            return Ok(());
        }
        writer.transaction(|connection| {
            let mut update =
                connection.prepare_cached("UPDATE flash SET seen = ?2 WHERE id = ?1")?;
            for (row, seen) in &dirty {
                update.execute(params![row, seen])?;
            }
            Ok(Change::Keep(()))
        })?;
        // No commit can have come between: it would have needed the writer.
        let mut state = shared.state_mut();
        for (row, _) in dirty {
            if let Some(flash) = state.flash_mut(row) {
                flash.dirty = false;
            }
        }
    }
}

/// Notes that the journal is in chunks up to a position.
fn finish(shared: &Shared, upto: Position) -> Result<(), Error> {
    let mut writer = shared.writing()?.writer();
    writer.transaction(|connection| {
        connection.execute("UPDATE progress SET sealed = ?1", [upto.0.cast_signed()])?;
        Ok(Change::Keep(()))
    })
}

/// Deletes the journal up to where it is sealed and released.
fn trim(shared: &Shared, sealed: Position) -> Result<(), Error> {
    let writing = shared.writing()?;
    let released = match writing.options.journal {
        Journal::UntilReleased => writing.released.load(Ordering::Relaxed),
        Journal::UntilSealed => u64::MAX,
    };
    let upto = sealed.0.min(released).cast_signed();
    loop {
        let deleted = writing.writer().transaction(|connection| {
            let deleted = connection
                .prepare_cached(
                    "DELETE FROM journal WHERE position IN
                        (SELECT position FROM journal WHERE position <= ?1 LIMIT ?2)",
                )?
                .execute([upto, SLICE_ENTRIES_MAX])?;
            connection
                .prepare_cached(
                    "UPDATE progress SET trimmed = max(trimmed, min(?1, coalesce(
                        (SELECT min(position) - 1 FROM journal), ?1)))",
                )?
                .execute([upto])?;
            Ok(if deleted > 0 { Change::Keep(deleted) } else { Change::None(0) })
        })?;
        if deleted == 0 {
            break;
        }
    }
    let mut writer = writing.writer();
    writer.journal_bytes = journal_bytes_after(&writer.connection, released.min(i64::MAX as u64))?;
    Ok(())
}

/// Moves the write-ahead log into the file, most of it while commits go on.
fn empty_wal(shared: &Shared) -> Result<(), Error> {
    let move_pages = |connection: &Connection| {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    };
    let own = super::database::open_writer(shared.reads.dir()?)?;
    move_pages(&own)?;
    let mut writer = shared.writing()?.writer();
    writer.synced();
    // The little that has come since; then the log can start again from its beginning.
    move_pages(&writer.connection)?;
    writer.synced();
    Ok(())
}
