//! A moment of the store, held still so that it can be copied while the writer goes on.
//!
//! A copy is made by SQLite's online backup from a connection that holds a read transaction open:
//! the backup then reads inside that transaction, so that the whole copy is one moment however long
//! it takes and whatever is committed meanwhile. It does not know where copies are kept, nor what
//! else belongs to a backup.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::database;
use crate::{Error, Position};

/// How many pages are copied between two words of progress: 4 MiB.
const STEP_PAGES: i32 = 4_096;

/// The name of the store's file in its directory.
pub const FILE: &str = database::FILE;
/// The format that this version writes, and the newest that it reads.
pub const FORMAT: i64 = database::FORMAT;

/// A moment of the store.
///
/// As long as it is held, the writer cannot reuse its write-ahead log, which grows by what is
/// committed meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    position: Position,
    trimmed: Position,
    bytes: u64,
}

impl Snapshot {
    /// Holds the store in `dir` as it is now, also while another process writes.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no store, [`Error::Newer`] where a newer version wrote it.
    pub fn take(dir: &Path) -> Result<Self, Error> {
        let connection = database::open_reader(dir)?;
        connection.execute_batch("BEGIN")?;
        let ask = |sql: &str| -> Result<u64, Error> {
            let number: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(number.cast_unsigned())
        };
        // The first question begins the transaction's snapshot.
        let trimmed = ask("SELECT trimmed FROM progress")?;
        let position = ask("SELECT max(sealed, coalesce((SELECT max(position) FROM journal), 0))
                            FROM progress")?;
        let bytes = ask("PRAGMA page_count")? * ask("PRAGMA page_size")?;
        let (position, trimmed) = (Position(position), Position(trimmed));
        Ok(Self { connection, position, trimmed, bytes })
    }

    /// Returns the position of the last commit in it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the position up to which its journal is gone: who reads the journal must have read
    /// so far.
    pub fn trimmed(&self) -> Position {
        self.trimmed
    }

    /// Returns how large a copy of it is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies it into a new file. `progress` is told now and then how many bytes were copied.
    ///
    /// The file is not forced to disk here.
    ///
    /// # Errors
    /// [`Error::Full`], or what the database says; the file may be there in part then.
    pub fn copy_to(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        self.copy_in_steps(path, STEP_PAGES, progress)
    }

    pub(super) fn copy_in_steps(
        &self,
        path: &Path,
        step_pages: i32,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let mut copy = Connection::open(path)?;
        // What stops half way is thrown away, not repaired.
        copy.pragma_update(None, "journal_mode", "OFF")?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        let backup = Backup::new(&self.connection, &mut copy)?;
        loop {
            let step = backup.step(step_pages)?;
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
