//! Notes that one shift leaves for the next.

use alarms::AlarmId;
use measure::{Slug, Timestamp};
use people::Actor;
use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::nodes::require_zone;
use crate::{Error, Registry, slug, time};

/// The longest note, in characters; a longer one is refused.
pub const NOTE_CHARS_MAX: usize = 2_000;

/// The most notes that nobody has put away; one more is refused.
pub const NOTES_OPEN_MAX: usize = 1_000;

/// The most notes that were put away; one more drops the oldest. The record of changes keeps all.
pub const NOTES_DONE_MAX: usize = 20_000;

/// The most notes that one call returns: the newest ones.
pub const NOTES_PAGE_MAX: usize = 200;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub number: i64,
    /// About which site.
    pub site: Slug,
    /// About which zone, where it is about one.
    pub zone: Option<Slug>,
    /// About which alarm, where it is about one.
    pub alarm: Option<AlarmId>,
    /// What it says.
    pub text: String,
    /// Who wrote it, as [`Actor`] prints.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who has read it and put it away, and when.
    pub done: Option<(String, Timestamp)>,
}

/// What a new note says, about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// About which site.
    pub site: Slug,
    /// About which zone, where it is about one.
    pub zone: Option<Slug>,
    /// About which alarm, where it is about one.
    pub alarm: Option<AlarmId>,
    /// What it says: 1 to [`NOTE_CHARS_MAX`] characters.
    pub text: String,
}

/// Which notes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichNotes {
    /// Those that nobody has put away.
    Open,
    /// All of them.
    All,
    /// Those about an alarm.
    Of(AlarmId),
}

const COLUMNS: &str = "number, site, zone, alarm, text, by, at_us, done_by, done_us";

impl Registry {
    /// Keeps a note.
    ///
    /// # Errors
    /// `Unknown` for site, zone or alarm, `Refused` for an empty or long text or too many open notes,
    /// or a failure of the file.
    pub fn add_note(&self, note: &NewNote, by: &Actor, now: Timestamp) -> Result<Note, Error> {
        let text = note.text.trim();
        if text.is_empty() || text.chars().count() > NOTE_CHARS_MAX {
            return Err(Error::refused(
                "text",
                format!("留言须为 1 到 {NOTE_CHARS_MAX} 个字符"),
                format!("a note must have 1 to {NOTE_CHARS_MAX} characters"),
            ));
        }
        self.write(|db| {
            let site = note.site.as_str();
            if !db.prepare_cached("SELECT 1 FROM site WHERE site = ?1")?.exists([site])? {
                return Err(Error::Unknown { what: "site", name: site.to_owned() });
            }
            if let Some(zone) = &note.zone {
                require_zone(db, &note.site, zone)?;
            }
            let alarm = note.alarm.map(|alarm| i64::try_from(alarm.0).unwrap_or(i64::MAX));
            if let (Some(row), Some(alarm)) = (alarm, note.alarm)
                && !db.prepare_cached("SELECT 1 FROM alarm WHERE id = ?1")?.exists([row])?
            {
                return Err(Error::Unknown { what: "alarm", name: alarm.0.to_string() });
            }
            let open = "SELECT COUNT(*) FROM note WHERE done_us IS NULL";
            let open: i64 = db.query_row(open, [], |row| row.get(0))?;
            if open >= NOTES_OPEN_MAX as i64 {
                return Err(Error::refused(
                    "text",
                    format!("已有 {NOTES_OPEN_MAX} 条留言未处理,请先收起一些"),
                    format!("{NOTES_OPEN_MAX} notes are open; put some away first"),
                ));
            }
            let zone = note.zone.as_ref().map(Slug::as_str);
            let sql = "INSERT INTO note (site, zone, alarm, text, by, at_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            db.execute(sql, params![site, zone, alarm, text, by.to_string(), now.micros()])?;
            let number = db.last_insert_rowid();
            let detail = json!({ "site": site, "zone": zone, "alarm": alarm, "text": text });
            record(db, now, by, Done::new("note.add", &number.to_string()), &detail)?;
            let (by, text) = (by.to_string(), text.to_owned());
            Ok(Note { number, text, by, at: now, done: None, ..with(note) })
        })
    }

    /// Puts a note away; one that is away already stays as it is.
    ///
    /// # Errors
    /// `Unknown`, or a failure of the file.
    pub fn finish_note(&self, number: i64, by: &Actor, now: Timestamp) -> Result<Note, Error> {
        self.write(|db| {
            let sql = "UPDATE note SET done_by = ?2, done_us = ?3
                       WHERE number = ?1 AND done_us IS NULL";
            if db.execute(sql, params![number, by.to_string(), now.micros()])? > 0 {
                record(db, now, by, Done::new("note.done", &number.to_string()), &json!({}))?;
                let sql = "DELETE FROM note WHERE number IN
                           (SELECT number FROM note WHERE done_us IS NOT NULL
                            ORDER BY number DESC LIMIT -1 OFFSET ?1)";
                db.execute(sql, [NOTES_DONE_MAX as i64])?;
            }
            let sql = format!("SELECT {COLUMNS} FROM note WHERE number = ?1");
            let found = db.query_row(&sql, [number], |row| Ok(read(row))).optional()?;
            found.ok_or_else(|| Error::Unknown { what: "note", name: number.to_string() })?
        })
    }

    /// Returns notes, the newest first, at most [`NOTES_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn notes(&self, which: WhichNotes) -> Result<Vec<Note>, Error> {
        let (condition, alarm) = match which {
            WhichNotes::Open => ("done_us IS NULL AND ?1 = 0", 0),
            WhichNotes::All => ("?1 = 0", 0),
            WhichNotes::Of(alarm) => ("alarm = ?1", i64::try_from(alarm.0).unwrap_or(i64::MAX)),
        };
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM note WHERE {condition} ORDER BY number DESC LIMIT ?2"
            );
            let mut query = db.prepare_cached(&sql)?;
            let mut rows = query.query(params![alarm, NOTES_PAGE_MAX as i64])?;
            let mut notes = Vec::new();
            while let Some(row) = rows.next()? {
                notes.push(read(row)?);
            }
            Ok(notes)
        })
    }

    /// Returns the notes about a site that were written in `[from, to)`, the oldest first, at most
    /// [`NOTES_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn notes_between(
        &self,
        site: &Slug,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Note>, Error> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM note WHERE site = ?1 AND at_us >= ?2 AND at_us < ?3
                 ORDER BY number LIMIT ?4"
            );
            let mut query = db.prepare_cached(&sql)?;
            let span = (from.micros(), to.micros());
            let asked = params![site.as_str(), span.0, span.1, NOTES_PAGE_MAX as i64];
            let mut rows = query.query(asked)?;
            let mut notes = Vec::new();
            while let Some(row) = rows.next()? {
                notes.push(read(row)?);
            }
            Ok(notes)
        })
    }
}

fn with(note: &NewNote) -> Note {
    Note {
        number: 0,
        site: note.site.clone(),
        zone: note.zone.clone(),
        alarm: note.alarm,
        text: String::new(),
        by: String::new(),
        at: Timestamp::MIN,
        done: None,
    }
}

fn read(row: &Row<'_>) -> Result<Note, Error> {
    let zone: Option<String> = row.get(2)?;
    let done: Option<(String, i64)> = row.get::<_, Option<String>>(7)?.zip(row.get(8)?);
    Ok(Note {
        number: row.get(0)?,
        site: slug(&row.get::<_, String>(1)?)?,
        zone: zone.as_deref().map(slug).transpose()?,
        alarm: row.get::<_, Option<i64>>(3)?.map(|id| AlarmId(id.unsigned_abs())),
        text: row.get(4)?,
        by: row.get(5)?,
        at: time(row.get(6)?)?,
        done: done.map(|(by, at)| Ok::<_, Error>((by, time(at)?))).transpose()?,
    })
}
