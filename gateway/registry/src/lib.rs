//! The SQLite file that keeps what people and rules decided: sites, zones, nodes, users, alarms and
//! the record of every change. The only room that writes SQL for them; readings are in `store`.
//!
//! One file, several processes: the gateway has it open while commands add nodes, tokens and zones.
//! Every change is one transaction that is on disk when the call returns. Calls block; an async
//! caller puts them on a blocking thread.

mod accessions;
mod audit;
mod batches;
mod births;
mod calibrations;
mod confirmations;
mod contacts;
mod counts;
mod deliveries;
mod episodes;
mod error;
mod firmware;
mod letters;
mod links;
mod local;
mod nodes;
mod notes;
mod password;
mod plan;
mod secret;
mod sessions;
mod settings;
mod snapshot;
mod tokens;
mod users;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use measure::{NodeKey, Slug, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use accessions::{
    ACCESSIONS_MAX, ACCESSIONS_PAGE_MAX, Accession, Faulty, Found, Imported, SEARCH_CHARS_MAX,
};
pub use audit::{CHANGES_PAGE_MAX, Change};
pub use batches::{BATCH_WHY_CHARS_MAX, BATCHES_MAX, BatchState, Deed};
pub use births::{BIRTH_BYTES_MAX, Birth};
pub use calibrations::{
    CALIBRATION_BY_CHARS_MAX, CALIBRATION_NOTE_CHARS_MAX, Derivation, NewCalibration,
    Recalibration, Recomputed,
};
pub use confirmations::CONFIRMATIONS_MAX;
pub use contacts::Person;
pub use counts::OpenAlarms;
pub use deliveries::{
    Channel, ChannelRecord, DELIVERIES_MAX, Delivery, DeliveryState, Due, REASON_CHARS_MAX,
    Recipient, Tried, WAITING_MAX, message_id,
};
pub use episodes::{ALARMS_PAGE_MAX, Alarm, Message, OUTBOX_MAX, TIMELINE_MAX, Which};
pub use error::{Error, Reason};
pub use firmware::{RELEASE_BYTES_MAX, RELEASES_MAX, Release, ReleaseKey, Rollout, RolloutState};
pub use letters::{
    DEAD_LETTER_BYTES_MAX, DEAD_LETTERS_MAX, DeadLetter, KeptLetter, LetterState, WhichLetters,
};
pub use links::{LINK_MS, LINK_REMEMBERED_MS, LINKS_MAX, Link};
pub use local::{LOCAL_EPISODES_PAGE_MAX, LOCAL_EVENTS_MAX, LocalEpisode, LocalEvent, LocalState};
pub use nodes::{NODES_MAX, Node};
pub use notes::{
    NOTE_CHARS_MAX, NOTES_DONE_MAX, NOTES_OPEN_MAX, NOTES_PAGE_MAX, NewNote, Note, WhichNotes,
};
pub use password::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
pub use plan::{Applied, Grown, Plan, SITES_MAX, ZONES_MAX};
pub use secret::Secret;
pub use sessions::{SESSION_DAYS, SESSIONS_MAX};
pub use settings::{NODE_SETTINGS_BYTES_MAX, NodeSettings};
pub use snapshot::{SCHEMA, Snapshot};
pub use tokens::{TOKENS_MAX, Token};
pub use users::{USERS_MAX, User, Who};

/// How long a call waits for another process that is writing, before it fails as unavailable.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// The name of the file in the data directory.
pub const FILE: &str = "registry.sqlite";

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../migrations/001-first.sql")),
    M::up(include_str!("../migrations/002-batches.sql")),
    M::up(include_str!("../migrations/003-nights.sql")),
    M::up(include_str!("../migrations/004-nodes.sql")),
    M::up(include_str!("../migrations/005-firmware.sql")),
    M::up(include_str!("../migrations/006-calibration.sql")),
    M::up(include_str!("../migrations/007-letters.sql")),
];

/// The registry's file, open for reading and writing.
#[derive(Debug)]
pub struct Registry {
    /// The only connection of this process that writes, so that writers queue here and not in
    /// SQLite's busy loop.
    writer: Mutex<Connection>,
    /// Reads go on while a write waits for the disk.
    reader: Mutex<Connection>,
    /// Told when the disk is full.
    full: OnFull,
}

/// Whom to tell when the disk is full.
#[derive(Default)]
struct OnFull(OnceLock<Arc<dyn Fn() + Send + Sync>>);

impl std::fmt::Debug for OnFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnFull").field(&self.0.get().is_some()).finish()
    }
}

/// What changes hands between processes and is worth noticing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Sites, zones, crops, stages and limits.
    Nursery,
    /// Nodes and where they stand.
    Nodes,
    /// Calibrations of channels.
    Calibrations,
}

impl Topic {
    const fn name(self) -> &'static str {
        match self {
            Self::Nursery => "nursery",
            Self::Nodes => "nodes",
            Self::Calibrations => "calibrations",
        }
    }
}

impl Registry {
    /// Opens the file, making it or bringing its tables up to date where needed.
    ///
    /// # Errors
    /// Where the file can't be made or read, is locked for long, or is newer than this program.
    pub fn open(path: &Path) -> Result<Self, Error> {
        make_private(path).map_err(Error::File)?;
        let mut writer = connect(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        migrate(&mut writer)?;
        let reader = connect(path)?;
        reader.pragma_update(None, "query_only", true)?;
        let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
        Ok(Self { writer, reader, full: OnFull::default() })
    }

    /// Says whom to tell, at once and on the writer's thread, when a change found no room on the
    /// disk. That change was not kept; who is told may make room, so that the next one is. Only the
    /// first one said is told.
    pub fn on_full(&self, tell: Arc<dyn Fn() + Send + Sync>) {
        self.full.0.get_or_init(|| tell);
    }

    /// Returns how often what `topic` names was changed, by any process: where it differs from what
    /// a reader saw last, there is something to read again. Cheap enough to ask every second.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn revision(&self, topic: Topic) -> Result<u64, Error> {
        self.read(|db| {
            let sql = "SELECT value FROM revision WHERE topic = ?1";
            let value: Option<i64> =
                db.prepare_cached(sql)?.query_row([topic.name()], |row| row.get(0)).optional()?;
            Ok(value.unwrap_or(0).unsigned_abs())
        })
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        query(&lock(&self.reader))
    }

    /// Runs `change` in one transaction; on disk when this returns, and not at all on an error.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let written = self.transact(change);
        if let Err(error) = &written
            && error.is_full()
            && let Some(tell) = self.full.0.get()
        {
            tell();
        }
        written
    }

    fn transact<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// A panic under the lock dropped its transaction, which rolled it back: nothing is half done.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), Error> {
    use rusqlite_migration::{Error as Fault, MigrationDefinitionError::DatabaseTooFarAhead};
    let migrations = Migrations::from_slice(MIGRATIONS);
    // Another process may have made the tables between the look and the leap; then the second try
    // finds them made.
    let done = migrations.to_latest(connection).or_else(|_| migrations.to_latest(connection));
    done.map_err(|error| match error {
        Fault::MigrationDefinition(DatabaseTooFarAhead) => Error::Newer,
        other => Error::Migration(other),
    })
}

/// Makes the file readable by its owner only; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn touch(transaction: &Transaction<'_>, topic: Topic) -> Result<(), Error> {
    let sql = "INSERT INTO revision (topic, value) VALUES (?1, 1)
               ON CONFLICT (topic) DO UPDATE SET value = value + 1";
    transaction.prepare_cached(sql)?.execute([topic.name()])?;
    Ok(())
}

fn parse<T: DeserializeOwned>(what: &'static str, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|error| Error::broken(what, error))
}

fn write(what: &'static str, body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| Error::broken(what, error))
}

fn time(micros: i64) -> Result<Timestamp, Error> {
    Timestamp::from_micros(micros)
        .ok_or_else(|| Error::broken("time", format!("{micros} µs lies outside 1970 to 9999")))
}

fn slug(text: &str) -> Result<Slug, Error> {
    Slug::new(text).map_err(|error| Error::broken("name", error))
}

fn node_key(site: &str, node: &str) -> Result<NodeKey, Error> {
    Ok(NodeKey { site: slug(site)?, node: slug(node)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_valid() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }

    #[test]
    fn a_registry_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        drop(Registry::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Registry::open(&path), Err(Error::Newer)));
    }

    #[test]
    fn where_nodes_stood_is_known_from_the_record_of_an_older_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut db = Connection::open(&path).unwrap();
        Migrations::from_slice(MIGRATIONS).to_version(&mut db, 1).unwrap();
        db.execute_batch(
            r#"INSERT INTO site VALUES ('s', '{}');
            INSERT INTO zone VALUES ('s', 'a', '{}'), ('s', 'b', '{}');
            INSERT INTO node VALUES ('s', 'moved', 'b', NULL, 10), ('s', 'silent', 'a', NULL, 30),
                ('s', 'nowhere', NULL, NULL, 40);
            INSERT INTO change (at_us, by, what, subject, detail) VALUES
                (10, 'command line', 'node.place', 's/moved', '{"zone":"a"}'),
                (20, 'command line', 'node.move', 's/moved', '{"zone":"b"}'),
                (20, 'command line', 'zone.add', 's/silent', '{"zone":"b"}');"#,
        )
        .unwrap();
        drop(db);
        let told = |it: &nursery::NodePlaced| {
            let zone = it.zone.as_ref().map_or("-", Slug::as_str);
            format!("{} {zone} {}", it.node, it.from.micros())
        };
        let history = Registry::open(&path).unwrap().node_history().unwrap();
        let history: Vec<_> = history.iter().map(told).collect();
        assert_eq!(history, ["s/moved a 10", "s/moved b 20", "s/silent a 30"]);
    }

    #[test]
    fn a_full_disk_is_told_at_once_and_what_found_no_room_is_not_kept() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join(FILE)).unwrap();
        let told = Arc::new(AtomicU32::new(0));
        let teller = Arc::clone(&told);
        registry.on_full(Arc::new(move || {
            teller.fetch_add(1, Ordering::Relaxed);
        }));
        let letter = |number: usize| DeadLetter {
            received: Timestamp::MIN,
            topic: number.to_string(),
            reason: String::new(),
            payload: vec![7; DEAD_LETTER_BYTES_MAX],
        };
        let letters: Vec<_> = (0..100).map(letter).collect();
        let limit =
            |pages: u32| lock(&registry.writer).pragma_update(None, "max_page_count", pages);
        // SQLite takes no less than the file has.
        limit(1).unwrap();
        let refused = registry.add_dead_letters(&letters).unwrap_err();
        assert!(refused.is_full() && refused.is_transient());
        assert_eq!(told.load(Ordering::Relaxed), 1);
        assert!(registry.dead_letters(10).unwrap().is_empty());
        limit(100_000).unwrap();
        registry.add_dead_letters(&letters).unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_machine_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let registry = Registry::open(&path).unwrap();
        registry.first_admin(Timestamp::MIN).unwrap();
        for name in [FILE, "registry.sqlite-wal"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
    }

    #[test]
    fn two_processes_may_open_it_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::thread::scope(|scope| {
            let opened: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Registry::open(&path).map(drop))).collect();
            for thread in opened {
                thread.join().unwrap().unwrap();
            }
        });
    }
}
