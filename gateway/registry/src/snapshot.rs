//! A moment of the registry, held still so that it can be copied while others write.
//!
//! SQLite's online backup reads inside the read transaction that the connection holds, so that the
//! copy is one moment however long it takes.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::{BUSY_WAIT, Error, MIGRATIONS};

/// How many pages are copied between two words of progress: 4 MiB.
const STEP_PAGES: i32 = 1_024;

/// The version of the tables that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// A moment of the registry.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    schema: u32,
    judged: u64,
    bytes: u64,
}

impl Snapshot {
    /// Holds the registry at `path` as it is now; it must be there.
    ///
    /// # Errors
    /// Where the file can't be read, or is newer than this program.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.execute_batch("BEGIN")?;
        let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
        // The first question begins the transaction's snapshot.
        let schema = ask("PRAGMA user_version")?.unwrap_or(0);
        if schema > i64::from(SCHEMA) {
            return Err(Error::Newer);
        }
        let has_engine = ask("SELECT 1 FROM sqlite_schema WHERE name = 'alarm_engine'")?.is_some();
        let judged = if has_engine { ask("SELECT position FROM alarm_engine")? } else { None };
        let has_refine = ask("SELECT 1 FROM sqlite_schema WHERE name = 'refine'")?.is_some();
        let refined = if has_refine { ask("SELECT position FROM refine")? } else { None };
        // Positions are not negative: as they are kept, they order as they count.
        let judged = refined.into_iter().chain(judged).min();
        let pages = ask("PRAGMA page_count")?.unwrap_or(0);
        let page = ask("PRAGMA page_size")?.unwrap_or(0);
        Ok(Self {
            schema: u32::try_from(schema).unwrap_or(0),
            judged: judged.unwrap_or(0).cast_unsigned(),
            bytes: pages.saturating_mul(page).unsigned_abs(),
            connection,
        })
    }

    /// Returns the version of its tables.
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// Returns the position of the store's journal up to which, included, its alarms were judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    /// Returns how large a copy of it is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies it into a new file, which only its owner can read. `progress` is told now and then how
    /// many bytes were copied. The file is not forced to disk here.
    ///
    /// # Errors
    /// Where the file can't be written; it may be there in part then.
    pub fn copy_to(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        crate::make_private(path).map_err(Error::File)?;
        let mut copy = Connection::open(path)?;
        // What stops half way is thrown away, not repaired.
        copy.pragma_update(None, "journal_mode", "OFF")?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        let backup = Backup::new(&self.connection, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let left = backup.progress();
            let done = left.pagecount.saturating_sub(left.remaining);
            let share = f64::from(done) / f64::from(left.pagecount.max(1));
            progress((self.bytes as f64 * share) as u64);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Another process opens or closes the file just now.
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
        drop(backup);
        copy.close().map_err(|(_, error)| error.into())
    }
}

#[cfg(test)]
mod tests {
    use measure::Timestamp;
    use people::{Actor, Role, UserName};

    use super::*;
    use crate::{FILE, Registry};

    #[test]
    fn a_copy_is_the_moment_at_which_it_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join(FILE), dir.path().join("copy.sqlite"));
        let registry = Registry::open(&path).unwrap();
        let add = |name: &str| {
            let name = UserName::new(name).unwrap();
            registry.add_token(&name, Role::Viewer, &Actor::CommandLine, Timestamp::MIN).unwrap()
        };
        let before = add("before");
        registry.commit_alarms(&[], &mut alarms::State::default(), 7).unwrap();
        let snapshot = Snapshot::take(&path).unwrap();
        let after = add("after");
        registry.commit_alarms(&[], &mut alarms::State::default(), 9).unwrap();
        let mut told = 0;
        snapshot.copy_to(&copy, &mut |bytes| told = bytes).unwrap();
        assert_eq!((snapshot.judged(), snapshot.schema(), told), (7, SCHEMA, snapshot.bytes()));
        let restored = Registry::open(&copy).unwrap();
        assert!(restored.token(before.reveal()).unwrap().is_some());
        assert!(restored.token(after.reveal()).unwrap().is_none());
        assert_eq!(restored.alarm_engine().unwrap().unwrap().1, 7);
    }

    #[test]
    fn a_registry_of_a_newer_version_is_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        drop(Registry::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Snapshot::take(&path), Err(Error::Newer)));
    }
}
