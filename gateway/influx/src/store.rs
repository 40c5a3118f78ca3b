//! The store itself: an engine in a local folder, a server, and what joins them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use measure::{FlashId, NodeKey, SequenceRange, Timestamp};
use store::embedded::{self, Engine};
use store::{Batch, Columns, Committed, Gap, Part, Position, Sample, SeriesId, SeriesKey, Store};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::line::SERVER_END;
use crate::note::{self, Notes};
use crate::server::Server;
use crate::{Error, Shipping, Target, fill, read, ship, wait};

/// How much of the folder the youngest days may fill by default, in bytes: about a hundred million
/// samples. Beyond, the oldest days that are on the server are forgotten here.
pub const LOCAL_BYTES_MAX: u64 = 256 << 20;
/// How much more than that the folder may hold while nothing can be shipped or forgotten: the
/// journal, once as it came and once in chunks. Beyond, commits are refused with
/// [`store::Error::Backlog`], which is transient: nodes keep what is not acknowledged.
const UNSHIPPED_BYTES_MAX: u64 = 2 * embedded::JOURNAL_BYTES_MAX;
/// How often whoever waits for everything to be shipped looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often a commit looks at the size of the folder.
const COMMITS_PER_LOOK: u64 = 64;

/// How a store is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much of the folder the youngest days may fill, in bytes.
    pub local_bytes_max: u64,
    /// How long a commit waits for others before it is shipped.
    pub linger: Duration,
    /// The longest first wait after a failure; it doubles with each.
    pub retry_min: Duration,
    /// The longest wait after a failure, unless the server asks for more.
    pub retry_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            local_bytes_max: LOCAL_BYTES_MAX,
            linger: Duration::from_millis(200),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(60),
        }
    }
}

/// A store over an InfluxDB 2, in front of which stands a local folder.
///
/// Dropping it stops shipping and closes the folder; what was committed is there already.
pub struct Influx {
    shared: Arc<Shared>,
    shipping: Option<JoinHandle<()>>,
}

/// What the store and its task share. Locks are taken in the order `committing`, `floor`, `notes`.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) engine: Engine,
    pub(crate) server: Arc<Server>,
    pub(crate) runtime: Handle,
    /// Held during a commit, and while days are forgotten.
    pub(crate) committing: Mutex<Committing>,
    /// Before this time the folder may lack samples that the server has.
    pub(crate) floor: RwLock<Timestamp>,
    pub(crate) notes: Mutex<Notes>,
    shipped: AtomicU64,
    released: AtomicU64,
    commits: AtomicU64,
    pub(crate) wake: Notify,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) status: watch::Sender<Shipping>,
}

/// What a commit knows of the folder.
#[derive(Default)]
pub(crate) struct Committing {
    /// Days before the floor that the folder has as a whole, by series.
    pub(crate) here: BTreeSet<(SeriesId, i64)>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn shipped(&self) -> Position {
        Position(self.shipped.load(Ordering::Acquire))
    }

    /// Notes that the journal is on the server up to a position, and lets go of it here.
    pub(crate) fn note_shipped(&self, upto: Position) -> Result<(), store::Error> {
        {
            // Held, so that the note of the floor and this one do not overwrite each other.
            let floor = self.floor.read().unwrap_or_else(PoisonError::into_inner);
            let place = self.server.target.place();
            note::store_state(&self.dir, &note::State { place, shipped: upto, floor: *floor })?;
            self.shipped.store(upto.0, Ordering::Release);
        }
        self.let_go()
    }

    fn let_go(&self) -> Result<(), store::Error> {
        let released = self.released.load(Ordering::Relaxed);
        self.engine.release(Position(released.min(self.shipped().0)))
    }

    /// Returns whether the server has everything as the folder has it.
    pub(crate) fn is_caught_up(&self) -> Result<bool, store::Error> {
        let all = self.engine.last_position()? == self.shipped();
        Ok(all && locked(&self.notes).touched.is_empty())
    }
}

impl Influx {
    /// Opens the store whose local folder is `dir`, and ships what waits there.
    ///
    /// The server need not be reached, except where the folder is new or without its note: then it is
    /// asked what the bucket holds, which is taken up.
    ///
    /// # Errors
    /// As [`Engine::open`], and an [`Error`] of this room as [`store::Error::Backend`] where the
    /// folder belongs to another bucket, or is new and the server cannot be asked.
    pub fn open(dir: &Path, target: Target, options: Options) -> Result<Self, store::Error> {
        let engine = Engine::open(dir, embedded::Options::default())?;
        let state = note::load_state(dir)?;
        let notes = Notes::open(dir)?;
        let place = target.place();
        if let Some(state) = state.as_ref().filter(|state| state.place != place) {
            let found = state.place.clone();
            return Err(Error::OtherBucket { found, asked: place }.into());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("influx")
            .enable_all()
            .build()
            .map_err(note::io("start threads for", dir))?;
        let (stop, status) = (watch::Sender::new(false), watch::Sender::default());
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            options,
            engine,
            server: Arc::new(Server::new(target)?),
            runtime: runtime.handle().clone(),
            committing: Mutex::default(),
            floor: RwLock::new(SERVER_END),
            notes: Mutex::new(notes),
            shipped: AtomicU64::new(0),
            released: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            wake: Notify::new(),
            stop,
            status,
        });
        let worker = Arc::clone(&shared);
        // The runtime lives on a thread of its own, because it must not be dropped on one of another.
        let shipping = std::thread::Builder::new().name("shipping".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut stop = worker.stop.subscribe();
                // Nothing is shipped before it is known how far it was.
                tokio::select! {
                    () = worker.wake.notified() => ship::run(&worker).await,
                    stopped = stop.wait_for(|stop| *stop) => drop(stopped),
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        let shipping = Some(shipping.map_err(note::io("start a thread for", dir))?);
        let influx = Self { shared, shipping };
        influx.take_up(state)?;
        influx.shared.wake.notify_one();
        Ok(influx)
    }

    fn take_up(&self, state: Option<note::State>) -> Result<(), store::Error> {
        let shared = &self.shared;
        let is_new = shared.engine.last_position()? == Position(0);
        let (shipped, floor) = match state {
            Some(state) => (state.shipped, state.floor),
            None if is_new => (Position(0), fill::from_bucket(shared)?),
            // The note is lost, as in a restored backup, which may be older than what the bucket holds.
            // What the journal has is shipped again, and the server asked for all.
            None => {
                fill::from_bucket(shared)?;
                match shared.engine.journal(Position(0), 1) {
                    Err(store::Error::Trimmed { oldest, .. }) => (oldest, SERVER_END),
                    other => other.map(|_| (Position(0), SERVER_END))?,
                }
            }
        };
        *shared.floor.write().unwrap_or_else(PoisonError::into_inner) = floor;
        shared.note_shipped(shipped)
    }

    /// Returns how shipping goes, also from now on.
    pub fn shipping(&self) -> watch::Receiver<Shipping> {
        self.shared.status.subscribe()
    }

    /// Waits until everything that was committed is on the server; returns whether that came within
    /// `patience`.
    ///
    /// # Errors
    /// What the folder says.
    pub fn flush(&self, patience: Duration) -> Result<bool, store::Error> {
        let shared = Arc::clone(&self.shared);
        let (tell, told) = tokio::sync::oneshot::channel();
        self.shared.runtime.spawn(async move {
            let waiting = async {
                let mut status = shared.status.subscribe();
                loop {
                    if shared.is_caught_up()? {
                        return Ok(true);
                    }
                    shared.wake.notify_one();
                    // What changes nothing is not told of, so that it is looked at again.
                    drop(tokio::time::timeout(LOOK_AGAIN, status.changed()).await);
                }
            };
            let done = tokio::time::timeout(patience, waiting).await.unwrap_or(Ok(false));
            drop(shared);
            drop(tell.send(done));
        });
        wait::for_future(told).unwrap_or(Ok(false))
    }

    /// Forgets every day here that the server can hold, so that it alone answers for them; returns
    /// whether it could: everything must be on the server, and nobody may be reading.
    ///
    /// Nothing needs it: the folder is kept within its limit by itself.
    ///
    /// # Errors
    /// What the folder says.
    pub fn forget_here(&self) -> Result<bool, store::Error> {
        ship::forget(&self.shared, SERVER_END)
    }

    /// Waits until the server answers, which proves that address, organization and token are right.
    ///
    /// # Errors
    /// What the server says.
    pub fn check(&self) -> Result<usize, store::Error> {
        Ok(read::known(&self.shared)?.len())
    }

    /// Returns how many bytes of the folder are in use.
    ///
    /// # Errors
    /// What the folder says.
    pub fn local_bytes(&self) -> Result<u64, store::Error> {
        self.shared.engine.used_bytes()
    }

    fn check_room(&self) -> Result<(), store::Error> {
        let shared = &self.shared;
        if !shared.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(COMMITS_PER_LOOK) {
            return Ok(());
        }
        let max = shared.options.local_bytes_max.saturating_add(UNSHIPPED_BYTES_MAX);
        if shared.engine.used_bytes()? > max {
            ship::make_room(shared)?;
        }
        let bytes = shared.engine.used_bytes()?;
        if bytes <= max {
            return Ok(());
        }
        // The next commit looks again.
        shared.commits.store(0, Ordering::Relaxed);
        Err(store::Error::Backlog { bytes, max })
    }
}

impl Drop for Influx {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        if let Some(thread) = self.shipping.take()
            && thread.join().is_err()
        {
            tracing::error!("The thread that ships to InfluxDB had panicked.");
        }
    }
}

impl std::fmt::Debug for Influx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Influx").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl Store for Influx {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, store::Error> {
        self.shared.engine.series_id(key)
    }

    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, store::Error> {
        self.shared.engine.series()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, store::Error> {
        self.check_room()?;
        let shared = &self.shared;
        let mut committing = locked(&shared.committing);
        fill::for_batch(shared, &mut committing, batch)?;
        // What changes in place is in no journal: that it must travel is noted before it changes.
        let changed = batch.parts.iter().filter_map(|part| match part {
            Part::Flags(flags) => Some(flags.iter().map(|flag| (flag.series, flag.time))),
            Part::Readings { .. } | Part::Gap(_) | Part::Derived(_) => None,
        });
        let changed: Vec<_> = changed.flatten().collect();
        if !changed.is_empty() {
            locked(&shared.notes).touch(changed.into_iter())?;
        }
        let committed = shared.engine.commit(batch)?;
        drop(committing);
        shared.wake.notify_one();
        Ok(committed)
    }

    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, store::Error> {
        self.shared.engine.seen(node, flash)
    }

    fn latest(&self) -> Result<Vec<Sample>, store::Error> {
        self.shared.engine.latest()
    }

    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        read::scan(&self.shared, series, from, to, visit)
    }

    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, store::Error> {
        read::downsample(&self.shared, series, from, to, step_ms, origin)
    }

    fn journal(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Vec<Sample>)>, store::Error> {
        self.shared.engine.journal(after, limit)
    }

    fn release(&self, upto: Position) -> Result<(), store::Error> {
        self.shared.released.fetch_max(upto.0, Ordering::Relaxed);
        self.shared.let_go()
    }

    fn last_position(&self) -> Result<Position, store::Error> {
        self.shared.engine.last_position()
    }

    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, store::Error> {
        self.shared.engine.gaps(node)
    }
}
