//! The engine for one machine: a journal and compressed chunks in one SQLite file.
//!
//! A commit appends one row to the journal, durably, and puts its samples into the heads, one for
//! each series, in memory. A thread of the engine turns heads into chunks (a checkpoint), merges
//! the chunks of a day that is over into one (sealing it), and trims the journal. After a crash at
//! any moment the heads are rebuilt from the journal.
//!
//! A derived number or a flag that comes for what is in chunks already stands in memory until the
//! next checkpoint changes the chunk. [`Engine::retain`] rolls up what is older than a [`Policy`]
//! keeps; nothing goes by itself. Not here: any judgement of a sample. A [`Snapshot`] is what a
//! backup copies.

mod anew;
mod bytes;
mod check;
mod checkpoint;
mod chunk;
mod column;
mod commit;
mod compact;
mod database;
mod downsample;
mod entry;
mod gaps;
mod plan;
mod read;
mod recover;
mod repair;
mod retain;
mod snapshot;
mod state;
mod summary;
#[cfg(test)]
mod tests;
mod window;

use std::fs::{self, File, TryLockError};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use measure::{FlashId, NodeKey, SequenceRange, Timestamp};

pub use check::{Checked, Fault, Record, Remedy, check};
pub use repair::{Repaired, repair};
pub use retain::{Keep, LetGo, PASS_DAYS_MAX, Policy};
pub use snapshot::{FILE, FORMAT, Snapshot};

use crate::{
    Batch, Columns, Committed, Error, Gap, Position, Retained, Sample, SeriesId, SeriesKey, Store,
};

/// The memory budget of the heads, in samples of 48 bytes: a commit that finds more first waits
/// for a checkpoint, so that many series, or a burst, make smaller chunks and never more memory.
pub const HEAD_SAMPLES_MAX: usize = 524_288;
/// The most of the journal that may wait for [`Store::release`], in bytes; with more, commits are
/// refused with [`Error::Backlog`], which is transient: nodes keep what is not acknowledged.
pub const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// How an engine is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The longest time between two checkpoints.
    pub checkpoint_every: Duration,
    /// How many samples bring the next checkpoint forward; at most half of [`HEAD_SAMPLES_MAX`].
    pub checkpoint_samples: usize,
    /// How long the journal is kept.
    pub journal: Journal,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_every: Duration::from_secs(3_600),
            checkpoint_samples: HEAD_SAMPLES_MAX / 2,
            journal: Journal::UntilReleased,
        }
    }
}

/// How long the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// Until its samples are in chunks and its reader has released it (invariant 6).
    UntilReleased,
    /// Until its samples are in chunks: nobody reads it.
    UntilSealed,
}

/// A store on one machine, in one directory.
///
/// Dropping it stops its thread and closes the file; what was committed is on disk already.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    checkpoints: Option<JoinHandle<()>>,
}

impl Engine {
    /// Opens the store in `dir` for reading and writing; creates it where there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process has it open for writing, [`Error::Newer`] where a
    /// newer version wrote it, [`Error::Corrupt`] where its journal is damaged.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let io = |action, path: PathBuf| move |source| Error::Io { action, path, source };
        fs::create_dir_all(dir).map_err(io("create", dir.to_owned()))?;
        let lock = lock_dir(dir)?;
        let connection = database::open_writer(dir)?;
        let state = recover::state(&connection)?;
        let writer = commit::Writer::new(connection, &options)?;
        let reads = read::Reads::pool(dir);
        let shared = Arc::new(Shared::new(state, reads, Some(Writing::new(writer, options, lock))));
        let worker = Arc::clone(&shared);
        let checkpoints = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || checkpoint::run(&worker))
            .map_err(io("start a thread for", dir.to_owned()))?;
        Ok(Self { shared, checkpoints: Some(checkpoints) })
    }

    /// Opens the store in `dir` as it stands now, for reading, also while another process writes.
    ///
    /// Every answer comes from one snapshot, the moment of opening. As long as it is open, the
    /// writer cannot reuse its write-ahead log, which grows by what is committed meanwhile.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no store, and as [`Engine::open`].
    pub fn open_read_only(dir: &Path) -> Result<Self, Error> {
        let connection = database::open_reader(dir)?;
        connection.execute_batch("BEGIN")?;
        let state = recover::state(&connection)?;
        let shared = Shared::new(state, read::Reads::pinned(connection), None);
        Ok(Self { shared: Arc::new(shared), checkpoints: None })
    }

    /// Rolls up what is older than `policy` keeps, counted back from `now` or the newest sample,
    /// whichever is earlier, by whole UTC days. One call moves the boundary by [`PASS_DAYS_MAX`] days
    /// at most; call it about once an hour.
    ///
    /// # Errors
    /// [`Error::Full`], or what the database says; what is done is done, and the next one goes on.
    pub fn retain(&self, policy: &Policy, now: Timestamp) -> Result<LetGo, Error> {
        retain::retain(&self.shared, policy, now)
    }

    /// Puts all samples in memory into chunks now, and merges the chunks of days that are over.
    ///
    /// Nothing needs it: the engine does so by itself. It makes the next opening a little faster.
    ///
    /// # Errors
    /// [`Error::Full`], or what the database says; nothing is lost, and the next one tries again.
    pub fn checkpoint(&self) -> Result<(), Error> {
        checkpoint::checkpoint(&self.shared)
    }

    /// Deletes all samples of UTC days that were over at `before`, because they stand elsewhere too;
    /// returns how many chunks. What was seen, gaps, the journal and the latest of each series stay.
    ///
    /// # Errors
    /// As [`Engine::checkpoint`].
    pub fn forget(&self, before: Timestamp) -> Result<u64, Error> {
        window::forget(&self.shared, before)
    }

    /// Takes in samples of one series, sorted by time, that were forgotten or come from elsewhere,
    /// beside the journal. What stands at a time already stays as it is. Their sequences count as
    /// seen; that is on disk with the next checkpoint.
    ///
    /// # Errors
    /// [`Error::UnknownSeries`], or what the database says.
    pub fn adopt(&self, series: SeriesId, samples: &[Sample]) -> Result<(), Error> {
        window::adopt(&self.shared, series, samples)
    }

    /// Returns how many bytes of the file are in use.
    ///
    /// # Errors
    /// What the database says.
    pub fn used_bytes(&self) -> Result<u64, Error> {
        window::used_bytes(&self.shared)
    }

    /// Returns between which times there are samples in chunks, to the second.
    ///
    /// # Errors
    /// What the database says.
    pub fn span(&self) -> Result<Option<(Timestamp, Timestamp)>, Error> {
        window::span(&self.shared)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(thread) = self.checkpoints.take() {
            self.shared.signal(|wanted| wanted.stop = true);
            if thread.join().is_err() {
                tracing::error!("The checkpoint thread of the store had panicked.");
            }
            if let Ok(writing) = self.shared.writing()
                && let Err(error) = database::give_back(&writing.writer().connection)
            {
                tracing::warn!(%error, "Left free pages in the store; they are used again.");
            }
        }
    }
}

/// Takes the lock of a directory, which the system gives back when the process ends, however.
fn lock_dir(dir: &Path) -> Result<File, Error> {
    let path = dir.join("series.lock");
    let io = |source| Error::Io { action: "lock", path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// What the engine and its thread share. Locks are taken in the order of the fields of
/// [`Writing`], then `state`, and never the other way round.
struct Shared {
    /// Closed before the writer, which, as the last one, moves its log into the file.
    reads: read::Reads,
    writing: Option<Writing>,
    state: RwLock<State>,
}

/// What only an engine that writes has.
struct Writing {
    options: Options,
    /// Held during a checkpoint, so that there is one at a time.
    checkpoint: Mutex<()>,
    /// Held during every transaction that writes.
    writer: Mutex<commit::Writer>,
    wanted: Mutex<checkpoint::Wanted>,
    wake: std::sync::Condvar,
    released: AtomicU64,
    _lock: File,
}

use state::State;

impl Writing {
    fn new(writer: commit::Writer, options: Options, lock: File) -> Self {
        Self {
            options,
            checkpoint: Mutex::new(()),
            writer: Mutex::new(writer),
            wanted: Mutex::default(),
            wake: std::sync::Condvar::new(),
            released: AtomicU64::new(0),
            _lock: lock,
        }
    }

    fn writer(&self) -> MutexGuard<'_, commit::Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn new(state: State, reads: read::Reads, writing: Option<Writing>) -> Self {
        Self { writing, state: RwLock::new(state), reads }
    }

    fn writing(&self) -> Result<&Writing, Error> {
        self.writing.as_ref().ok_or(Error::ReadOnly)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the checkpoint thread something.
    fn signal(&self, change: impl FnOnce(&mut checkpoint::Wanted)) {
        if let Some(writing) = &self.writing {
            change(&mut writing.wanted.lock().unwrap_or_else(PoisonError::into_inner));
            writing.wake.notify_all();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("writes", &self.writing.is_some()).finish_non_exhaustive()
    }
}

impl Store for Engine {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, Error> {
        commit::series_id(&self.shared, key)
    }

    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, Error> {
        Ok(self.shared.state().series().map(|(id, series)| (id, series.key.clone())).collect())
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, Error> {
        commit::commit(&self.shared, batch)
    }

    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, Error> {
        read::seen(&self.shared, node, flash)
    }

    fn latest(&self) -> Result<Vec<Sample>, Error> {
        Ok(self.shared.state().series().filter_map(|(_, series)| series.latest).collect())
    }

    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        read::scan(&self.shared, series, from, to, visit)
    }

    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, Error> {
        downsample::downsample(&self.shared, series, from, to, step_ms, origin)
    }

    fn retained(&self, series: SeriesId) -> Result<Retained, Error> {
        Ok(self.shared.state().get(series)?.retained)
    }

    fn journal(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Vec<Sample>)>, Error> {
        read::journal(&self.shared, after, limit)
    }

    fn release(&self, upto: Position) -> Result<(), Error> {
        let writing = self.shared.writing()?;
        writing.released.fetch_max(upto.0, Ordering::Relaxed);
        Ok(())
    }

    fn last_position(&self) -> Result<Position, Error> {
        Ok(self.shared.state().position)
    }

    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, Error> {
        let lease = self.shared.reads.lease()?;
        lease.query(|connection| gaps::of_node(connection, node))
    }
}
