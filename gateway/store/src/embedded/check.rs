//! Checking every record of a store: readable, in its place, and in agreement with the others.
//!
//! It reads one moment and changes nothing, also beside a gateway that writes. What it finds it
//! names with series and span, and what [`repair`](super::repair) would do about it.

use std::collections::BTreeMap;
use std::path::Path;

use measure::Timestamp;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::bytes::Damage;
use super::chunk::{self, ChunkKey, DAY_US};
use super::database::{self, format_of};
use super::entry;
use super::recover::parse_seen;
use super::summary::{self, Grain, Slot, Summary};
use crate::{Error, Sample, SeriesId};

/// The most faults that SQLite's own check names; with more, the file as a whole is in doubt.
const INTEGRITY_FAULTS_MAX: u32 = 100;

/// One fault of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is at fault.
    pub record: Record,
    /// Of which series, where it is of one.
    pub series: Option<SeriesId>,
    /// The span that it concerns, both ends included, where it has one.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What is wrong.
    pub reason: String,
    /// What can be done.
    pub remedy: Remedy,
}

/// What a fault was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The SQLite file itself.
    File,
    /// The samples of a chunk, by its key.
    Body(i64),
    /// What is known of a chunk besides its samples, by its key.
    Chunk(i64),
    /// The ten minutes of a day that was rolled up, by its key.
    TenMinutes(i64),
    /// An entry of the journal, by its position.
    Journal(u64),
    /// The sequences seen of a flash, by its row.
    Flash(i64),
    /// A series: its latest sample, or how far it is sealed.
    Series,
    /// How far the journal is sealed and trimmed.
    Progress,
}

/// What can be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is computed anew from what is whole: nothing is lost.
    Rebuild,
    /// It is put aside into the table `quarantine`: what it held is lost, but for what the fault
    /// says.
    SetAside,
    /// It cannot be repaired in place: restore a backup.
    Restore,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Chunks, rolled up ones among them.
    pub chunks: u64,
    /// Samples in them that could be read.
    pub samples: u64,
    /// Entries of the journal.
    pub entries: u64,
    /// Faults.
    pub faults: u64,
}

/// Checks the store in `dir` as it stands now, also while another process writes. `progress` hears
/// how many of how many chunks were read, `tell` of every fault.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Newer`], or where the file cannot be opened at all.
pub fn check(
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
    tell: &mut dyn FnMut(&Fault),
) -> Result<Checked, Error> {
    let connection = database::open_reader(dir)?;
    connection.execute_batch("BEGIN")?;
    run(&connection, progress, tell)
}

/// Checks what a connection sees.
pub(super) fn run(
    connection: &Connection,
    progress: &mut dyn FnMut(u64, u64),
    tell: &mut dyn FnMut(&Fault),
) -> Result<Checked, Error> {
    let mut check = Check {
        connection,
        is_format_1: format_of(connection)? < 2,
        checked: Checked::default(),
        tell,
        latest: BTreeMap::new(),
    };
    // Each part goes on where another one failed: a page that cannot be read hides only its own.
    let result = check.file();
    check.note_unreadable(result);
    let result = check.journal();
    check.note_unreadable(result);
    let result = check.flashes();
    check.note_unreadable(result);
    let result = check.orphans();
    check.note_unreadable(result);
    let result = check.progress();
    check.note_unreadable(result);
    let result = check.chunks(progress);
    check.note_unreadable(result);
    let result = check.series();
    check.note_unreadable(result);
    Ok(check.checked)
}

struct Check<'a> {
    connection: &'a Connection,
    is_format_1: bool,
    checked: Checked,
    tell: &'a mut dyn FnMut(&Fault),
    /// The last sample that was found in chunks, by series.
    latest: BTreeMap<SeriesId, Sample>,
}

/// A chunk as its row says.
struct Row {
    key: ChunkKey,
    last_us: i64,
    samples: i64,
    stage: i64,
    hours: Vec<u8>,
}

impl Check<'_> {
    fn fault(&mut self, record: Record, reason: impl Into<String>, remedy: Remedy) {
        self.tell(Fault { record, series: None, span: None, reason: reason.into(), remedy });
    }

    fn of_chunk(&mut self, record: Record, row: &Row, reason: &str, remedy: Remedy) {
        let time = |us| Timestamp::from_micros(us);
        let span = time(row.key.start_us()).zip(time(row.last_us.max(row.key.start_us())));
        let (series, reason) = (Some(row.key.series()), reason.to_owned());
        self.tell(Fault { record, series, span, reason, remedy });
    }

    fn tell(&mut self, fault: Fault) {
        self.checked.faults += 1;
        (self.tell)(&fault);
    }

    fn note_unreadable(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let reason = format!("cannot be read: {}", source.unwrap_or_else(|| error.to_string()));
            self.fault(Record::File, reason, Remedy::Restore);
        }
    }

    fn file(&mut self) -> Result<(), Error> {
        let sql = format!("PRAGMA integrity_check({INTEGRITY_FAULTS_MAX})");
        let mut select = self.connection.prepare(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let said: String = row.get(0)?;
            if said != "ok" {
                let is_of_index = said.contains("index");
                let remedy = if is_of_index { Remedy::Rebuild } else { Remedy::Restore };
                self.fault(Record::File, said, remedy);
            }
        }
        Ok(())
    }

    fn journal(&mut self) -> Result<(), Error> {
        let trimmed: i64 = self.connection.query_row("SELECT trimmed FROM progress", [], first)?;
        let flashes = self.ids("SELECT id FROM flash")?;
        let series = self.ids("SELECT id FROM series")?;
        let mut select =
            self.connection.prepare("SELECT position, entry FROM journal ORDER BY position")?;
        let mut rows = select.query([])?;
        let mut before = None;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let record = Record::Journal(position.cast_unsigned());
            self.checked.entries += 1;
            let expect = before.map_or(trimmed + 1, |before: i64| before + 1);
            if position > expect {
                let reason = format!("positions {expect} to {} are missing", position - 1);
                self.fault(record, reason, Remedy::SetAside);
            }
            before = Some(position);
            let parsed = blob(row.get_ref(1)?).and_then(entry::parse);
            let entry = match parsed {
                Ok(entry) => entry,
                Err(Damage(reason)) => {
                    self.fault(record, reason, Remedy::SetAside);
                    continue;
                }
            };
            let samples = entry.samples.iter().chain(&entry.replaced).chain(&entry.flagged);
            if samples.clone().any(|it| !series.contains_key(&i64::from(it.series.0))) {
                self.fault(record, "it names a series that there is not", Remedy::Restore);
            }
            if entry.seen.iter().any(|it| !flashes.contains_key(&it.flash)) {
                self.fault(record, "it names a flash that there is not", Remedy::Restore);
            }
        }
        let sealed: i64 = self.connection.query_row("SELECT sealed FROM progress", [], first)?;
        let last = before.unwrap_or(trimmed).max(trimmed);
        if last < sealed {
            let reason = format!("positions {} to {sealed} are missing", last + 1);
            self.fault(Record::Journal(sealed.cast_unsigned()), reason, Remedy::SetAside);
        }
        Ok(())
    }

    fn ids(&self, sql: &str) -> Result<BTreeMap<i64, ()>, Error> {
        let mut select = self.connection.prepare(sql)?;
        let ids = select.query_map([], |row| Ok((row.get(0)?, ())))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn flashes(&mut self) -> Result<(), Error> {
        let mut select = self.connection.prepare("SELECT id, seen FROM flash")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if let Err(Damage(reason)) = blob(row.get_ref(1)?).and_then(parse_seen) {
                self.fault(Record::Flash(id), reason, Remedy::Rebuild);
            }
        }
        Ok(())
    }

    fn progress(&mut self) -> Result<(), Error> {
        let (sealed, trimmed, last): (i64, i64, i64) = self.connection.query_row(
            "SELECT sealed, trimmed, coalesce((SELECT max(position) FROM journal), sealed)
             FROM progress",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        if trimmed > sealed || sealed > last.max(sealed) || sealed < 0 || trimmed < 0 {
            let reason = format!("sealed {sealed}, trimmed {trimmed} and last {last} do not fit");
            self.fault(Record::Progress, reason, Remedy::Restore);
        }
        Ok(())
    }

    fn orphans(&mut self) -> Result<(), Error> {
        let keys = |connection: &Connection, sql: &str| -> Result<Vec<i64>, Error> {
            let mut select = connection.prepare(sql)?;
            let keys = select.query_map([], |row| row.get(0))?;
            Ok(keys.collect::<Result<_, _>>()?)
        };
        let bodies = "SELECT key FROM body WHERE key NOT IN
                      (SELECT key FROM chunk WHERE sealed IN (0, 1))";
        for key in keys(self.connection, bodies)? {
            let row = Row::alone(key);
            let reason = "its samples have no chunk";
            self.of_chunk(Record::Body(key), &row, reason, Remedy::Rebuild);
        }
        if self.is_format_1 {
            return Ok(());
        }
        let tens = "SELECT key FROM tens WHERE key NOT IN (SELECT key FROM chunk WHERE sealed = 2)";
        for key in keys(self.connection, tens)? {
            let row = Row::alone(key);
            let reason = "its ten minutes have no day that was rolled up";
            self.of_chunk(Record::TenMinutes(key), &row, reason, Remedy::SetAside);
        }
        Ok(())
    }

    fn chunks(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let total: i64 = self.connection.query_row("SELECT count(*) FROM chunk", [], first)?;
        let series = self.ids("SELECT id FROM series")?;
        let mut select = self
            .connection
            .prepare("SELECT key, last_us, samples, sealed, hours FROM chunk ORDER BY key")?;
        let mut rows = select.query([])?;
        let mut day: Option<(SeriesId, i64)> = None;
        let mut times: Vec<i64> = Vec::new();
        while let Some(row) = rows.next()? {
            let hours = row.get_ref(4)?.as_blob().map(<[u8]>::to_vec).unwrap_or_default();
            let row = Row {
                key: ChunkKey(row.get(0)?),
                last_us: row.get(1)?,
                samples: row.get(2)?,
                stage: row.get(3)?,
                hours,
            };
            self.checked.chunks += 1;
            progress(self.checked.chunks, total.cast_unsigned());
            if !series.contains_key(&i64::from(row.key.series().0)) {
                let reason = "it is of a series that there is not";
                self.of_chunk(Record::Chunk(row.key.0), &row, reason, Remedy::Restore);
                continue;
            }
            let of = (row.key.series(), row.key.day());
            if day.replace(of) != Some(of) {
                times.clear();
            }
            match row.stage {
                0 | 1 => self.chunk(&row, &mut times)?,
                2 if !self.is_format_1 => self.rolled(&row)?,
                _ => {
                    let reason = "it is of an unknown stage";
                    self.of_chunk(Record::Chunk(row.key.0), &row, reason, Remedy::Rebuild);
                }
            }
        }
        Ok(())
    }

    /// Checks a chunk with samples; `times` are those of its day so far.
    fn chunk(&mut self, row: &Row, times: &mut Vec<i64>) -> Result<(), Error> {
        let (body, chunk) = (Record::Body(row.key.0), Record::Chunk(row.key.0));
        let samples = match read(self.connection, row.key)? {
            Ok(samples) => samples,
            Err(Damage(reason)) => {
                let (hours, reason) =
                    (self.hours(row), format!("{reason}; {} samples", row.samples));
                let kept = if hours.is_some() { ", of which the hours stay" } else { "" };
                self.of_chunk(body, row, &format!("{reason}{kept}"), Remedy::SetAside);
                return Ok(());
            }
        };
        self.checked.samples += samples.len() as u64;
        let (Some(head), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
        let key = ChunkKey::first(row.key.series(), head.time.micros());
        let is_in_place =
            (key.0..=ChunkKey::last(row.key.series(), head.time.micros()).0).contains(&row.key.0);
        if !is_in_place {
            self.of_chunk(chunk, row, "its key is not that of its first sample", Remedy::Rebuild);
        }
        if samples.len() as i64 != row.samples || last.time.micros() != row.last_us {
            self.of_chunk(
                chunk,
                row,
                "its count or its end is not that of its samples",
                Remedy::Rebuild,
            );
        }
        if last.time.micros().div_euclid(DAY_US) != head.time.micros().div_euclid(DAY_US) {
            self.of_chunk(chunk, row, "it reaches over the end of its day", Remedy::Rebuild);
        }
        match self.hours(row) {
            Some(hours) if hours == summary::slots_of(&samples, Grain::Hour) => {}
            Some(_) => {
                self.of_chunk(
                    chunk,
                    row,
                    "its hours are not those of its samples",
                    Remedy::Rebuild,
                );
            }
            None => self.of_chunk(chunk, row, "its hours cannot be read", Remedy::Rebuild),
        }
        if samples.iter().any(|sample| times.binary_search(&sample.time.micros()).is_ok()) {
            let reason = "another chunk holds a time of it as well";
            self.of_chunk(chunk, row, reason, Remedy::Rebuild);
        }
        times.extend(samples.iter().map(|sample| sample.time.micros()));
        times.sort_unstable();
        let latest = self.latest.entry(row.key.series()).or_insert(*last);
        if latest.time <= last.time {
            *latest = *last;
        }
        Ok(())
    }

    fn hours(&self, row: &Row) -> Option<Vec<Slot>> {
        summary::parse(&row.hours, Grain::Hour).ok()
    }

    /// Checks a day that was rolled up: its ten minutes add up to its hours.
    fn rolled(&mut self, row: &Row) -> Result<(), Error> {
        let Some(hours) = self.hours(row) else {
            let reason = "its hours cannot be read, and its samples are rolled up";
            self.of_chunk(Record::Chunk(row.key.0), row, reason, Remedy::SetAside);
            return Ok(());
        };
        let mut select =
            self.connection.prepare_cached("SELECT record FROM tens WHERE key = ?1")?;
        let mut rows = select.query([row.key.0])?;
        let Some(found) = rows.next()? else { return Ok(()) };
        let tens = blob(found.get_ref(0)?).and_then(|it| summary::parse(it, Grain::TenMinutes));
        let reason = match tens {
            Err(Damage(reason)) => reason,
            Ok(tens) if by_hour(&tens) == hours => return Ok(()),
            Ok(_) => "its ten minutes do not add up to its hours",
        };
        self.of_chunk(Record::TenMinutes(row.key.0), row, reason, Remedy::SetAside);
        Ok(())
    }

    fn series(&mut self) -> Result<(), Error> {
        let mut state = super::state::State::default();
        // Names and numbers; what cannot be read is an error, which is noted as one of the file.
        super::recover::load_series(self.connection, &mut state)?;
        let found: Vec<(SeriesId, Sample, Option<Sample>)> = state
            .series()
            .filter_map(|(id, series)| Some((id, *self.latest.get(&id)?, series.latest)))
            .collect();
        for (id, in_chunks, noted) in found {
            let is_older = noted.is_none_or(|noted| noted.time < in_chunks.time);
            let differs = noted.is_some_and(|it| it.time == in_chunks.time && it != in_chunks);
            if is_older || differs {
                let reason = "its latest sample is not the last one in its chunks".to_owned();
                let span = Some((in_chunks.time, in_chunks.time));
                let (record, remedy) = (Record::Series, Remedy::Rebuild);
                self.tell(Fault { record, series: Some(id), span, reason, remedy });
            }
        }
        Ok(())
    }
}

impl Row {
    fn alone(key: i64) -> Self {
        let last_us = ChunkKey(key).start_us();
        Self { key: ChunkKey(key), last_us, samples: 0, stage: 0, hours: Vec::new() }
    }
}

fn by_hour(tens: &[Slot]) -> Vec<Slot> {
    let mut hours: BTreeMap<i64, Summary> = BTreeMap::new();
    for ten in tens {
        hours.entry(ten.slot.div_euclid(6)).or_default().merge(&ten.summary);
    }
    hours.into_iter().map(|(slot, summary)| Slot { slot, summary }).collect()
}

fn first<T: rusqlite::types::FromSql>(row: &rusqlite::Row<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

fn blob(value: ValueRef<'_>) -> Result<&[u8], Damage> {
    value.as_blob().map_err(|_| Damage("it is no record"))
}

/// Reads the samples of a chunk, whatever is in their place.
pub(super) fn read(
    connection: &Connection,
    key: ChunkKey,
) -> Result<Result<Vec<Sample>, Damage>, Error> {
    let mut select = connection.prepare_cached("SELECT record FROM body WHERE key = ?1")?;
    let mut rows = select.query([key.0])?;
    let Some(row) = rows.next()? else { return Ok(Err(Damage("its samples are missing"))) };
    Ok(blob(row.get_ref(0)?).and_then(|record| chunk::parse(key.series(), record)))
}
