//! Reading: connections, snapshots, and the scan of a series in the order of time.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use measure::{FlashId, NodeKey, SequenceRange, Timestamp};
use rusqlite::Connection;

use super::chunk::{ChunkKey, DAY_US};
use super::compact::read_body;
use super::state::{between, merge};
use super::{Shared, database, entry, gaps, recover};
use crate::{Error, JOURNAL_ANSWER_SAMPLES_MAX, Position, Sample, SeriesId};

/// The most connections that are kept open for the next reader; more are opened when more read at
/// once, and closed afterwards.
const READERS_IDLE_MAX: usize = 4;
/// How many chunks are looked up at once.
const PAGE_CHUNKS: usize = 64;

/// Where connections for reading come from.
pub(super) enum Reads {
    /// Each reader has one, with a snapshot of its own.
    Pool { dir: PathBuf, idle: Mutex<Vec<Connection>> },
    /// All readers share one, and its snapshot.
    Pinned(Mutex<Connection>),
}

impl Reads {
    pub(super) fn pool(dir: &Path) -> Self {
        Self::Pool { dir: dir.to_owned(), idle: Mutex::default() }
    }

    pub(super) fn pinned(connection: Connection) -> Self {
        Self::Pinned(Mutex::new(connection))
    }

    /// Returns the directory of an engine that writes.
    pub(super) fn dir(&self) -> Result<&Path, Error> {
        match self {
            Self::Pool { dir, .. } => Ok(dir),
            Self::Pinned(_) => Err(Error::ReadOnly),
        }
    }

    /// Lends a connection.
    pub(super) fn lease(&self) -> Result<Lease<'_>, Error> {
        match self {
            Self::Pinned(connection) => Ok(Lease::Pinned(connection)),
            Self::Pool { dir, idle } => {
                let connection = match lock(idle).pop() {
                    Some(connection) => connection,
                    None => database::open_reader(dir)?,
                };
                Ok(Lease::Own { idle, connection: Some(Mutex::new(connection)) })
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection for reading, given back when it is dropped.
pub(super) enum Lease<'a> {
    Own { idle: &'a Mutex<Vec<Connection>>, connection: Option<Mutex<Connection>> },
    Pinned(&'a Mutex<Connection>),
}

impl Lease<'_> {
    /// Asks the database.
    pub(super) fn query<R>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match self {
            Self::Own { connection: Some(connection), .. } => ask(&lock(connection)),
            Self::Own { connection: None, .. } => Err(Error::ReadOnly),
            Self::Pinned(connection) => ask(&lock(connection)),
        }
    }

    /// Keeps the database as it is now for all queries that follow.
    fn pin(&self) -> Result<(), Error> {
        match self {
            Self::Pinned(_) => Ok(()),
            Self::Own { .. } => self.query(|connection| Ok(connection.execute_batch("BEGIN")?)),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Self::Own { idle, connection } = self else { return };
        let Some(connection) = connection.take() else { return };
        let connection = connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        // One that cannot end its transaction is closed, which ends it.
        let ended = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        let mut idle = lock(idle);
        if ended && idle.len() < READERS_IDLE_MAX {
            idle.push(connection);
        }
    }
}

/// One series at one moment: what is in chunks and what is not.
pub(super) struct Snapshot<'a> {
    pub(super) lease: Lease<'a>,
    pub(super) series: SeriesId,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The samples in `[from, to)` that no chunk holds so, sorted by time.
    pub(super) head: Vec<Sample>,
    /// Times of `head` at which chunks may hold what stood there before.
    pub(super) anew: BTreeSet<Timestamp>,
}

/// What is known of a chunk without reading it.
pub(super) struct ChunkRow {
    pub(super) key: ChunkKey,
    /// The record of its summaries, where it was asked for or is all that is left.
    pub(super) hours: Vec<u8>,
    /// Its summaries are all that is left.
    pub(super) is_rolled: bool,
}

impl<'a> Snapshot<'a> {
    /// Takes a snapshot of the samples of a series in `[from, to)`.
    pub(super) fn take(
        shared: &'a Shared,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, Error> {
        let lease = shared.reads.lease()?;
        // The memory is held still while the snapshot of the file is taken.
        let state = shared.state();
        let head = state.get(series)?;
        lease.pin()?;
        let sealed: i64 = lease.query(|connection| {
            let mut select =
                connection.prepare_cached("SELECT sealed FROM series WHERE id = ?1")?;
            Ok(select.query_row([series.0], |row| row.get(0))?)
        })?;
        let active = between(&head.active, from, to);
        let mut anew: BTreeSet<Timestamp> = head.anew.range(from..to).copied().collect();
        // What is being sealed may be in chunks already, though memory does not know it yet.
        let head = match &head.sealing {
            Some(sealing) if sealing.position.0 > sealed.cast_unsigned() => {
                anew.extend(sealing.anew.range(from..to));
                merge(between(&sealing.samples, from, to), active)
            }
            _ => active.to_vec(),
        };
        drop(state);
        Ok(Self { lease, series, from, to, head, anew })
    }

    /// Returns the next chunks with samples in the span, after `after`, in the order of keys;
    /// nothing where there are no more.
    pub(super) fn chunks(
        &self,
        after: Option<ChunkKey>,
        with_hours: bool,
    ) -> Result<Vec<ChunkRow>, Error> {
        let day = self.from.micros().div_euclid(DAY_US);
        let first = ChunkKey::first(self.series, day * DAY_US);
        let after = after.unwrap_or(ChunkKey(first.0 - 1));
        let last = ChunkKey::last(self.series, self.to.micros() - 1);
        let sql = if with_hours {
            "SELECT key, hours, sealed = 2 FROM chunk
             WHERE key > ?1 AND key <= ?2 AND last_us >= ?3 ORDER BY key LIMIT ?4"
        } else {
            "SELECT key, CASE sealed WHEN 2 THEN hours ELSE x'' END, sealed = 2 FROM chunk
             WHERE key > ?1 AND key <= ?2 AND last_us >= ?3 ORDER BY key LIMIT ?4"
        };
        self.lease.query(|connection| {
            let mut select = connection.prepare_cached(sql)?;
            let limit = PAGE_CHUNKS as i64;
            let rows = select.query_map([after.0, last.0, self.from.micros(), limit], |row| {
                let (key, hours) = (ChunkKey(row.get(0)?), row.get(1)?);
                Ok(ChunkRow { key, hours, is_rolled: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Returns the samples of a chunk that lie in the span.
    pub(super) fn body(&self, key: ChunkKey) -> Result<Vec<Sample>, Error> {
        let samples = self.lease.query(|connection| read_body(connection, key))?;
        let inside = between(&samples, self.from, self.to);
        Ok(if inside.len() == samples.len() { samples } else { inside.to_vec() })
    }
}

pub(super) fn scan(
    shared: &Shared,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
    visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
) -> Result<(), Error> {
    if from >= to {
        return shared.state().get(series).map(|_| ());
    }
    let mut snapshot = Snapshot::take(shared, series, from, to)?;
    // Sorted lists that are open, the head first; chunks are opened when time comes to them.
    let mut open = vec![std::mem::take(&mut snapshot.head).into_iter().peekable()];
    let mut rows = snapshot.chunks(None, false)?.into_iter().peekable();
    loop {
        let next = open.iter_mut().filter_map(|list| list.peek().map(|sample| sample.time)).min();
        if let Some(row) = rows.peek()
            && next.is_none_or(|time| row.key.start_us() <= time.micros())
        {
            let key = row.key;
            if !row.is_rolled {
                open.push(snapshot.body(key)?.into_iter().peekable());
            }
            rows.next();
            if rows.peek().is_none() {
                rows = snapshot.chunks(Some(key), false)?.into_iter().peekable();
            }
            continue;
        }
        let Some(time) = next else { return Ok(()) };
        // Until the next chunk has to be opened, or another list comes first.
        let until = rows.peek().map_or(i64::MAX, |row| row.key.start_us());
        let alone = open.len() == 1;
        // Of several with one time the first counts: the head, as long as it has any, is in front.
        let mut shown = None;
        for list in &mut open {
            while let Some(sample) =
                list.next_if(|sample| sample.time == time || alone && sample.time.micros() < until)
            {
                if shown.replace(sample.time) != Some(sample.time) && visit(&sample).is_break() {
                    return Ok(());
                }
            }
        }
        open.retain_mut(|list| list.peek().is_some());
    }
}

pub(super) fn seen(
    shared: &Shared,
    node: &NodeKey,
    id: FlashId,
) -> Result<Vec<SequenceRange>, Error> {
    let lease = shared.reads.lease()?;
    let state = shared.state();
    lease.pin()?;
    let in_memory = state
        .flash_row(node, id)
        .and_then(|row| state.flash(row).map(|flash| (row, flash.seen.clone())));
    lease.query(|connection| {
        let found = match in_memory {
            Some(found) => Some(found),
            None => recover::stored_flash(connection, node, id)?,
        };
        let Some((row, seen)) = found else { return Ok(Vec::new()) };
        Ok(gaps::without_waiting(connection, row, seen)?.to_ranges())
    })
}

pub(super) fn journal(
    shared: &Shared,
    after: Position,
    limit: usize,
) -> Result<Vec<(Position, Vec<Sample>)>, Error> {
    let lease = shared.reads.lease()?;
    lease.pin()?;
    lease.query(|connection| {
        let trimmed: i64 =
            connection.query_row("SELECT trimmed FROM progress", [], |row| row.get(0))?;
        let oldest = Position(trimmed.cast_unsigned());
        if after < oldest {
            return Err(Error::Trimmed { after, oldest });
        }
        let mut select = connection.prepare_cached(
            "SELECT position, entry FROM journal WHERE position > ?1 ORDER BY position LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query([after.0.min(i64::MAX as u64).cast_signed(), limit])?;
        let (mut entries, mut samples) = (Vec::new(), 0);
        while samples < JOURNAL_ANSWER_SAMPLES_MAX
            && let Some(row) = rows.next()?
        {
            let position = Position(row.get::<_, i64>(0)?.cast_unsigned());
            let entry = entry::parse(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)
                .map_err(|damage| {
                    recover::corrupt(format_args!("journal entry {position}"), damage)
                })?;
            let answer = entry.into_answer();
            samples += answer.len();
            entries.push((position, answer));
        }
        Ok(entries)
    })
}
