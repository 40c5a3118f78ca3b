//! Repairing a store: what can be computed anew is, what cannot is put aside, nothing is deleted.
//!
//! What is put aside lies in the table `quarantine` as it was found, with the reason, so that
//! somebody may still get something out of it. Each fault is repaired in a transaction of its own.

use std::path::Path;

use measure::Fault as ReadingFault;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::check::{self, Checked, Fault, Record, Remedy};
use super::checkpoint::{encode, insert};
use super::chunk::{self, ChunkKey};
use super::database::{self, sequence_to_sql};
use super::entry::{self, Entry};
use super::lock_dir;
use super::recover::{emit_seen, parse_seen};
use super::summary::{self, Grain};
use crate::sequences::SequenceSet;
use crate::{Error, Sample, SeriesId};

/// What was done about a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The fault.
    pub fault: Fault,
    /// Whether something was done; else it is there still.
    pub done: bool,
    /// What is lost by it: how many samples at most, of its series and span. Their hours may stay.
    pub lost_samples: u64,
}

/// Repairs the store in `dir`, which nobody may have open for writing; then checks it again, and
/// returns what is left. `progress` hears how many of how many chunks were read, in each check.
///
/// # Errors
/// [`Error::InUse`] where a gateway runs, and as [`check`](check::check).
pub fn repair(
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
    tell: &mut dyn FnMut(&Repaired),
) -> Result<Checked, Error> {
    let _lock = lock_dir(dir)?;
    let mut connection = database::open_writer(dir)?;
    let mut faults = Vec::new();
    check::run(&connection, progress, &mut |fault| faults.push(fault.clone()))?;
    for fault in faults {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let lost = mend(&transaction, &fault)?;
        transaction.commit()?;
        tell(&Repaired { fault, done: lost.is_some(), lost_samples: lost.unwrap_or(0) });
    }
    check::run(&connection, progress, &mut |_| {})
}

/// Repairs one fault; returns how many samples are lost by it, `None` where nothing can be done.
fn mend(connection: &Connection, fault: &Fault) -> Result<Option<u64>, Error> {
    match (fault.record, fault.remedy) {
        (_, Remedy::Restore) => Ok(None),
        (Record::File, _) => {
            connection.execute_batch("REINDEX")?;
            Ok(Some(0))
        }
        (Record::Body(key), Remedy::Rebuild) => adopt(connection, ChunkKey(key), fault),
        (Record::Body(key), _) => set_body_aside(connection, ChunkKey(key), fault),
        (Record::Chunk(key), Remedy::Rebuild) => rebuild(connection, ChunkKey(key)),
        (Record::Chunk(key), _) => set_hours_aside(connection, ChunkKey(key), fault),
        (Record::TenMinutes(key), _) => {
            aside(connection, "tens", "record", key, fault)?;
            connection.execute("DELETE FROM tens WHERE key = ?1", [key])?;
            Ok(Some(0))
        }
        (Record::Journal(position), _) => mend_journal(connection, position.cast_signed(), fault),
        (Record::Flash(row), _) => rebuild_seen(connection, row, fault),
        (Record::Series, _) => {
            fault.series.map_or(Ok(None), |series| rebuild_latest(connection, series))
        }
        (Record::Progress, _) => Ok(None),
    }
}

/// Copies a record into the table `quarantine`.
fn aside(
    connection: &Connection,
    table: &str,
    column: &str,
    key: i64,
    fault: &Fault,
) -> Result<(), Error> {
    let name = if table == "journal" { "position" } else { "key" };
    let name = if table == "flash" { "id" } else { name };
    let sql = format!(
        "INSERT INTO quarantine (origin, key, reason, record)
         VALUES (?1, ?2, ?3, (SELECT CAST({column} AS BLOB) FROM {table} WHERE {name} = ?2))"
    );
    connection.execute(&sql, params![table, key, fault.reason])?;
    Ok(())
}

/// Puts the samples of a chunk aside. Where its hours can be read they stay, as of a day that was
/// rolled up.
fn set_body_aside(
    connection: &Connection,
    key: ChunkKey,
    fault: &Fault,
) -> Result<Option<u64>, Error> {
    aside(connection, "body", "record", key.0, fault)?;
    connection.execute("DELETE FROM body WHERE key = ?1", [key.0])?;
    let found: Option<(i64, Vec<u8>)> = connection
        .query_row("SELECT samples, hours FROM chunk WHERE key = ?1", [key.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((samples, hours)) = found else { return Ok(Some(0)) };
    if summary::parse(&hours, Grain::Hour).is_ok() {
        connection.execute("UPDATE chunk SET sealed = 2 WHERE key = ?1", [key.0])?;
    } else {
        set_hours_aside(connection, key, fault)?;
    }
    Ok(Some(samples.cast_unsigned()))
}

fn set_hours_aside(
    connection: &Connection,
    key: ChunkKey,
    fault: &Fault,
) -> Result<Option<u64>, Error> {
    aside(connection, "chunk", "hours", key.0, fault)?;
    let samples = connection
        .query_row("SELECT samples FROM chunk WHERE key = ?1", [key.0], |row| row.get(0))
        .optional()?;
    connection.execute("DELETE FROM chunk WHERE key = ?1", [key.0])?;
    Ok(Some(samples.map_or(0, i64::cast_unsigned)))
}

/// Gives samples without a chunk one, or puts them aside where they cannot be read.
fn adopt(connection: &Connection, key: ChunkKey, fault: &Fault) -> Result<Option<u64>, Error> {
    let samples = match check::read(connection, key)? {
        Ok(samples) => samples,
        Err(_) => {
            aside(connection, "body", "record", key.0, fault)?;
            connection.execute("DELETE FROM body WHERE key = ?1", [key.0])?;
            return Ok(Some(0));
        }
    };
    rewrite(connection, key, samples)
}

/// Writes what is known of a chunk anew from its samples; those that another chunk of its day holds
/// as well are left to that one.
fn rebuild(connection: &Connection, key: ChunkKey) -> Result<Option<u64>, Error> {
    match check::read(connection, key)? {
        Ok(samples) => rewrite(connection, key, samples),
        // That is a fault of its own.
        Err(_) => Ok(None),
    }
}

fn rewrite(
    connection: &Connection,
    key: ChunkKey,
    mut samples: Vec<Sample>,
) -> Result<Option<u64>, Error> {
    connection.execute("DELETE FROM chunk WHERE key = ?1", [key.0])?;
    connection.execute("DELETE FROM body WHERE key = ?1", [key.0])?;
    let series = key.series();
    let mut others = Vec::new();
    let days: Vec<i64> = samples.iter().map(|it| it.time.micros() / chunk::DAY_US).collect();
    let (first, last) = (days.first().copied().unwrap_or(0), days.last().copied().unwrap_or(0));
    for day in first..=last {
        for meta in super::compact::metas_of_day(connection, series, day)? {
            let held = check::read(connection, meta.key)?.unwrap_or_default();
            others.extend(held.into_iter().map(|it| it.time));
        }
    }
    others.sort_unstable();
    samples.retain(|it| others.binary_search(&it.time).is_err());
    for chunk in encode(series, &samples) {
        insert(connection, &chunk, false)?;
    }
    Ok(Some(0))
}

/// Puts an entry that cannot be read aside and an empty one in its place, so that readers go on.
fn mend_journal(
    connection: &Connection,
    position: i64,
    fault: &Fault,
) -> Result<Option<u64>, Error> {
    let record: Option<Vec<u8>> = connection
        .query_row(
            "SELECT CAST(entry AS BLOB) FROM journal WHERE position = ?1",
            [position],
            |row| row.get(0),
        )
        .optional()?;
    let is_there = record.is_some();
    if record.is_none_or(|record| entry::parse(&record).is_ok()) {
        // What is missing are those before it, and itself where it is not there.
        let before: i64 = connection.query_row(
            "SELECT max((SELECT trimmed FROM progress),
                coalesce((SELECT max(position) FROM journal WHERE position < ?1), 0))",
            [position],
            |row| row.get(0),
        )?;
        let empty = entry::emit(&Entry::default());
        for missing in before + 1..position + i64::from(!is_there) {
            connection.execute("INSERT INTO journal VALUES (?1, ?2)", params![missing, empty])?;
        }
        return Ok(Some(0));
    }
    aside(connection, "journal", "entry", position, fault)?;
    let empty = entry::emit(&Entry::default());
    connection
        .execute("UPDATE journal SET entry = ?2 WHERE position = ?1", params![position, empty])?;
    let sealed: i64 = connection.query_row("SELECT sealed FROM progress", [], |row| row.get(0))?;
    // What is in chunks already is lost to those alone who have not read the journal yet.
    let lost = if position <= sealed { 0 } else { crate::BATCH_SAMPLES_MAX as u64 };
    Ok(Some(lost))
}

/// Finds the sequences seen of a flash anew, from its readings, its gaps and the journal.
fn rebuild_seen(connection: &Connection, row: i64, fault: &Fault) -> Result<Option<u64>, Error> {
    aside(connection, "flash", "seen", row, fault)?;
    let (site, node, flash): (String, String, u32) = connection.query_row(
        "SELECT site, node, flash FROM flash WHERE id = ?1",
        [row],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let mut seen = SequenceSet::default();
    let mut keys = connection.prepare(
        "SELECT body.key FROM series JOIN body
            ON body.key BETWEEN series.id << 47 AND (series.id << 47) + ((1 << 47) - 1)
         WHERE series.site = ?1 AND series.node = ?2",
    )?;
    let keys =
        keys.query_map([&site, &node], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for key in keys {
        let samples = check::read(connection, ChunkKey(key))?.unwrap_or_default();
        for taken in samples.iter().filter_map(|it| it.taken).filter(|it| it.flash.0 == flash) {
            seen.insert(taken.sequence.0, taken.sequence.0);
        }
    }
    let mut gaps = connection.prepare("SELECT first, last FROM gap WHERE flash = ?1")?;
    let gaps = gaps.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for gap in gaps {
        let (first, last) = gap?;
        seen.insert(database::sequence_from_sql(first), database::sequence_from_sql(last));
    }
    let record = emit_seen(&seen);
    if parse_seen(&record).is_err() {
        return Ok(None);
    }
    connection.execute("UPDATE flash SET seen = ?2 WHERE id = ?1", params![row, record])?;
    Ok(Some(0))
}

/// Writes the latest sample of a series anew from its chunks.
fn rebuild_latest(connection: &Connection, series: SeriesId) -> Result<Option<u64>, Error> {
    let mut keys = connection
        .prepare("SELECT key FROM chunk WHERE key BETWEEN ?1 AND ?2 AND sealed < 2 ORDER BY last_us DESC LIMIT 64")?;
    let last = ChunkKey::last(series, measure::Timestamp::MAX.micros()).0;
    let keys = keys
        .query_map([ChunkKey::first(series, 0).0, last], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut latest: Option<Sample> = None;
    for key in keys {
        let samples = check::read(connection, ChunkKey(key))?.unwrap_or_default();
        let newest = samples.last().copied();
        latest = [latest, newest].into_iter().flatten().max_by_key(|sample| sample.time);
    }
    let Some(sample) = latest else { return Ok(None) };
    connection.execute(
        "UPDATE series SET latest_us = ?2, latest_fault = ?3, latest_value = ?4,
            latest_quality = ?5, latest_marks = ?6, latest_flash = ?7, latest_sequence = ?8
         WHERE id = ?1",
        params![
            series.0,
            sample.time.micros(),
            sample.reading.err().map_or(0, ReadingFault::code),
            sample.reading.map_or(0, |value| value.0),
            sample.quality.code(),
            sample.marks.bits(),
            sample.taken.map(|taken| taken.flash.0),
            sample.taken.map(|taken| sequence_to_sql(taken.sequence.0)),
        ],
    )?;
    Ok(Some(0))
}
