//! The SQLite file of the engine: its tables, how it is opened, and what its errors mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::Error;

/// The format that this version writes, and the newest that it reads. A writer brings an older one
/// up to it when it opens it; a reader reads an older one as it is.
///
/// | format | since then |
/// |---|---|
/// | 1 | the tables of [`CREATE`], journal entries without samples that stand anew |
/// | 2 | journal entries may end with samples that stand anew ([`entry`](super::entry)); what [`TO_2`] adds |
pub(super) const FORMAT: i64 = 2;
/// The oldest format that can be read.
const FORMAT_MIN: i64 = 1;
/// "MiaS" in ASCII: says to `file` and to us whose file it is.
const APPLICATION_ID: i64 = 0x4D69_6153;

/// How long one process waits for another that opens or closes the file.
const BUSY_MAX: Duration = Duration::from_secs(10);
/// The write-ahead log in pages, beyond which the writer itself moves it into the file. The
/// checkpoint thread does so long before, unless a reader holds an old snapshot.
const WAL_PAGES_MAX: u32 = 65_536;
/// What the write-ahead log is cut back to after it was emptied, in bytes.
const WAL_BYTES_KEPT: u32 = 16 << 20;
/// Free pages that are kept for the next journal, and the most that are given back at once.
const FREE_PAGES_KEPT: i64 = 1_024;
const FREE_PAGES_GIVEN_MAX: i64 = 65_536;
/// The page cache of the writer and of each reader, in KiB.
const WRITER_CACHE_KIB: i32 = 8_192;
const READER_CACHE_KIB: i32 = 1_024;

/// Pages of 1 KiB: a commit of a few hundred bytes writes little to an SD card, and a chunk of
/// 3 KB fills its overflow pages, where pages of 4 or 8 KiB would stay a quarter empty.
const CREATE: &str = "
PRAGMA page_size = 1024;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
-- One row a series. `sealed`: the journal up to here is in chunks, as far as this series goes.
-- `latest_*`: the sample with the greatest time among them.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    position TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    sealed INTEGER NOT NULL DEFAULT 0,
    latest_us INTEGER,
    latest_fault INTEGER,
    latest_value INTEGER,
    latest_quality INTEGER,
    latest_marks INTEGER,
    latest_flash INTEGER,
    latest_sequence INTEGER,
    UNIQUE (site, node, position, quantity)
) STRICT;
-- One row a commit that kept something.
CREATE TABLE journal (position INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
-- One row a chunk, under its key; `hours` are its summaries. A chunk whose `sealed` is 0 will be
-- merged with others of its day.
CREATE TABLE chunk (
    key INTEGER PRIMARY KEY,
    last_us INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    hours BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_loose ON chunk (sealed) WHERE sealed = 0;
-- The samples of a chunk, apart, so that reading summaries does not read them.
CREATE TABLE body (key INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
-- One row a life of a node's flash: the sequences seen, as of the last checkpoint.
CREATE TABLE flash (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    flash INTEGER NOT NULL,
    seen BLOB NOT NULL,
    UNIQUE (site, node, flash)
) STRICT;
-- Sequences that `flash.seen` holds though no reading came with them. Reason 0: the gateway still
-- waits for them. Sequences are shifted by 2^63, so that they sort as signed integers.
CREATE TABLE gap (
    flash INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (flash, first)
) STRICT, WITHOUT ROWID;
-- `sealed`: the journal up to here is in chunks. `trimmed`: the journal up to here is gone.
CREATE TABLE progress (sealed INTEGER NOT NULL, trimmed INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (0, 0);
";

/// The name of the database in its directory.
pub(super) const FILE: &str = "series.sqlite";

/// Returns the path of the database in a data directory.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// What format 2 has beyond format 1. Nothing that is there is rewritten.
const TO_2: &str = "
-- Samples before `raw_from_us` are rolled up, and ten minutes before `tens_from_us` are gone: a
-- chunk of them has `sealed` 2, its `hours`, and no row in `body`.
ALTER TABLE series ADD COLUMN raw_from_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE series ADD COLUMN tens_from_us INTEGER NOT NULL DEFAULT 0;
-- The ten minutes of chunks that were rolled up, under their key.
CREATE TABLE tens (key INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
-- Records that a repair has put aside, as they were found: what they were and why.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    key INTEGER NOT NULL,
    reason TEXT NOT NULL,
    record BLOB
) STRICT;
";

/// Opens the database for writing, and creates it where there is none.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, Error> {
    let mut connection = Connection::open(path(dir))?;
    connection.busy_timeout(BUSY_MAX)?;
    if format_of(&connection)? == 0 {
        connection.execute_batch(CREATE)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", FORMAT_MIN)?;
        connection.execute_batch("COMMIT")?;
    }
    if check_format(dir, &connection)? < FORMAT {
        let upgrade = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        upgrade.execute_batch(TO_2)?;
        upgrade.pragma_update(None, "user_version", FORMAT)?;
        upgrade.commit()?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Gives pages back that are free, where they are more than an eighth of the file: what the journal
/// of a long load has left. A file that was made before format 2 stays as it is.
pub(super) fn give_back(connection: &Connection) -> Result<(), Error> {
    let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (free, all) = (ask("PRAGMA freelist_count")?, ask("PRAGMA page_count")?);
    if free > FREE_PAGES_KEPT && free > all / 8 {
        let pages = (free - FREE_PAGES_KEPT).min(FREE_PAGES_GIVEN_MAX);
        let mut give = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut given = give.query([])?;
        // Each row is a page.
        while given.next()?.is_some() {}
    }
    Ok(())
}

/// Opens the database for reading.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let path = path(dir);
    if !path.exists() {
        return Err(Error::NotFound { dir: dir.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(32);
    check_format(dir, &connection)?;
    Ok(connection)
}

/// Returns the format of an open database.
pub(super) fn format_of(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn check_format(dir: &Path, connection: &Connection) -> Result<i64, Error> {
    match format_of(connection)? {
        found @ FORMAT_MIN..=FORMAT => Ok(found),
        found if found > FORMAT => Err(Error::Newer { dir: dir.to_owned(), found, known: FORMAT }),
        _ => Err(Error::NotFound { dir: dir.to_owned() }),
    }
}

/// Returns the integer that stands for a sequence in the database and sorts like it.
pub(super) fn sequence_to_sql(sequence: u64) -> i64 {
    (sequence ^ (1 << 63)).cast_signed()
}

/// Returns the sequence that an integer of the database stands for.
pub(super) fn sequence_from_sql(integer: i64) -> u64 {
    integer.cast_unsigned() ^ (1 << 63)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let transient = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => return Self::Full,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::SystemIoFailure,
            ) => true,
            _ => false,
        };
        Self::Backend { transient, source: Box::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_sort_in_the_database_as_they_do_outside() {
        for (a, b) in [(0, 1), (1, u64::MAX), (i64::MAX as u64, i64::MAX as u64 + 1)] {
            assert!(sequence_to_sql(a) < sequence_to_sql(b));
            assert_eq!(sequence_from_sql(sequence_to_sql(b)), b);
        }
    }
}
