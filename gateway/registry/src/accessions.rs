//! Accessions: kept with every cell of their passport, imported whole or not at all.

use germplasm::{Field, Passport, Sheet};
use measure::Timestamp;
use people::Actor;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, Topic, parse, touch, write};

/// The most accessions; an import that would make more is refused whole.
pub const ACCESSIONS_MAX: usize = 200_000;
/// The most accessions that one call returns; the caller asks again from the last one's number.
pub const ACCESSIONS_PAGE_MAX: usize = 1_000;
/// The longest text to look for, in characters; what stands behind is not looked for.
pub const SEARCH_CHARS_MAX: usize = 200;
/// The most words to look for; what stands behind is not looked for.
const SEARCH_WORDS_MAX: usize = 8;

/// An accession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accession {
    /// Its number in this registry.
    pub id: i64,
    /// Its passport.
    pub passport: Passport,
    /// How many batches were raised from it.
    pub batches: u32,
}

/// A page of accessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many match in all.
    pub total: u32,
    /// Those of the page, by institute and number.
    pub accessions: Vec<Accession>,
    /// After which accession the next page begins; none on the last.
    pub next: Option<i64>,
}

/// What to do with a file of which some rows are faulty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Faulty {
    /// Nothing of it is kept.
    #[default]
    Refuse,
    /// All but the faulty rows are kept.
    Skip,
}

/// What an import changed, or would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Whether anything was kept.
    pub applied: bool,
    /// Rows that are new.
    pub added: u32,
    /// Rows that differ from what was there.
    pub changed: u32,
    /// Rows that were there already.
    pub unchanged: u32,
}

enum Outcome {
    Added(Passport),
    Changed(Passport),
    Unchanged,
}

impl Registry {
    /// Imports a file in one transaction: all of it, all but its faulty rows, or nothing.
    ///
    /// An accession that is there already gets the cells of the file's columns; cells of columns that
    /// the file does not have stay as they are. `progress` is told how many rows are done.
    ///
    /// # Errors
    /// `Refused` for too many accessions, or a failure of the file; then nothing is changed.
    pub fn import_accessions(
        &self,
        sheet: &Sheet,
        faulty: Faulty,
        (by, now): (&Actor, Timestamp),
        progress: &mut dyn FnMut(usize),
    ) -> Result<Imported, Error> {
        if sheet.faulty > 0 && faulty == Faulty::Refuse {
            return self.preview_accessions(sheet);
        }
        self.write(|db| import(db, sheet, (by, now), progress))
    }

    /// Returns what importing the sound rows would change, without changing anything.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn preview_accessions(&self, sheet: &Sheet) -> Result<Imported, Error> {
        self.read(|db| {
            let mut imported = Imported::default();
            for row in &sheet.rows {
                imported.note(&compare(db, sheet, &row.passport)?);
            }
            Ok(imported)
        })
    }

    /// Returns the accessions that hold every word of `search` in what names them, by institute and
    /// number, from behind the accession numbered `after`; at most `limit` and
    /// [`ACCESSIONS_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn accessions(
        &self,
        search: &str,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Found, Error> {
        let search: String = search.chars().take(SEARCH_CHARS_MAX).collect();
        let words: Vec<String> =
            fold(&search).split_whitespace().take(SEARCH_WORDS_MAX).map(str::to_owned).collect();
        let condition: String = (1..=words.len())
            .map(|number| format!(" AND instr(found_by, ?{number}) > 0"))
            .collect();
        let limit = limit.clamp(1, ACCESSIONS_PAGE_MAX);
        self.read(|db| {
            let sql = format!("SELECT COUNT(*) FROM accession WHERE 1{condition}");
            let total = db.query_row(&sql, params_from_iter(&words), |row| row.get(0))?;
            let behind = after.map_or_else(String::new, |id| {
                format!(
                    " AND (institute, number) >
                     (SELECT institute, number FROM accession WHERE id = {id})"
                )
            });
            // One more than asked for tells whether there is another page.
            let sql = format!(
                "SELECT id, body, {BATCHES} FROM accession WHERE 1{condition}{behind}
                 ORDER BY institute, number LIMIT {}",
                limit + 1
            );
            let mut query = db.prepare(&sql)?;
            let mut rows = query.query(params_from_iter(&words))?;
            let mut accessions = Vec::new();
            while let Some(row) = rows.next()? {
                accessions.push(read(row)?);
            }
            let more = accessions.len() > limit;
            accessions.truncate(limit);
            let next = accessions.last().filter(|_| more).map(|last| last.id);
            Ok(Found { total, accessions, next })
        })
    }

    /// Returns one accession.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn accession(&self, id: i64) -> Result<Option<Accession>, Error> {
        let sql = format!("SELECT id, body, {BATCHES} FROM accession WHERE id = ?1");
        self.read(|db| {
            let mut query = db.prepare_cached(&sql)?;
            let mut rows = query.query([id])?;
            rows.next()?.map(read).transpose()
        })
    }

    /// Returns the number of the accession `INSTCODE:ACCENUMB`, or `None` where there is none.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn accession_id(&self, key: &str) -> Result<Option<i64>, Error> {
        self.read(|db| find_id(db, key))
    }

    /// Returns every passport by institute and number, at most [`ACCESSIONS_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn passports(&self) -> Result<Vec<Passport>, Error> {
        self.read(|db| {
            let sql = "SELECT body FROM accession ORDER BY institute, number";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut passports = Vec::new();
            while let Some(row) = rows.next()? {
                passports.push(parse("accession", &row.get::<_, String>(0)?)?);
            }
            Ok(passports)
        })
    }
}

impl Imported {
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Added(_) => self.added += 1,
            Outcome::Changed(_) => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
        }
    }

    /// Returns whether anything is new or different.
    pub fn is_change(&self) -> bool {
        self.added > 0 || self.changed > 0
    }
}

const BATCHES: &str = "(SELECT COUNT(*) FROM batch WHERE batch.accession = accession.id)";

/// Imports the sound rows of a sheet and records each change and the import itself.
pub(crate) fn import(
    db: &Transaction<'_>,
    sheet: &Sheet,
    (by, now): (&Actor, Timestamp),
    progress: &mut dyn FnMut(usize),
) -> Result<Imported, Error> {
    let mut imported = Imported { applied: true, ..Imported::default() };
    for (done, row) in sheet.rows.iter().enumerate() {
        progress(done);
        let outcome = compare(db, sheet, &row.passport)?;
        imported.note(&outcome);
        let (what, passport) = match outcome {
            Outcome::Added(passport) => ("accession.add", passport),
            Outcome::Changed(passport) => ("accession.change", passport),
            Outcome::Unchanged => continue,
        };
        put(db, &passport)?;
        record(db, now, by, Done::new(what, &passport.key()), &passport)?;
    }
    let count: i64 = db.query_row("SELECT COUNT(*) FROM accession", [], |row| row.get(0))?;
    if count > ACCESSIONS_MAX as i64 {
        return Err(Error::refused(
            "accessions",
            format!("将有 {count} 份种质,超过 {ACCESSIONS_MAX}"),
            format!("there would be {count} accessions, more than {ACCESSIONS_MAX}"),
        ));
    }
    if imported.is_change() {
        let detail = json!({
            "rows": sheet.count, "added": imported.added, "changed": imported.changed,
            "unchanged": imported.unchanged, "skipped": sheet.faulty,
        });
        record(db, now, by, Done::new("accession.import", "accessions"), &detail)?;
        touch(db, Topic::Nursery)?;
    }
    Ok(imported)
}

/// Returns what a row makes of what is kept.
fn compare(db: &Connection, sheet: &Sheet, row: &Passport) -> Result<Outcome, Error> {
    let sql = "SELECT body FROM accession WHERE institute = ?1 AND number = ?2";
    let key = [row.get(Field::InstCode), row.get(Field::AcceNumb)];
    let old: Option<String> =
        db.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let Some(old) = old else { return Ok(Outcome::Added(row.clone())) };
    let old: Passport = parse("accession", &old)?;
    let mut new = old.clone();
    for field in &sheet.fields {
        new.set(*field, row.get(*field));
    }
    for column in &sheet.extra {
        new.set_extra(column, row.extra().get(column).map_or("", String::as_str));
    }
    Ok(if new == old { Outcome::Unchanged } else { Outcome::Changed(new) })
}

fn put(db: &Transaction<'_>, passport: &Passport) -> Result<(), Error> {
    let sql = "INSERT INTO accession (institute, number, found_by, body) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (institute, number) DO UPDATE
               SET found_by = excluded.found_by, body = excluded.body";
    let (institute, number) = (passport.get(Field::InstCode), passport.get(Field::AcceNumb));
    let body = write("accession", passport)?;
    db.prepare_cached(sql)?.execute(params![institute, number, found_by(passport), body])?;
    Ok(())
}

/// Returns the text that a search looks in: whatever names an accession.
fn found_by(passport: &Passport) -> String {
    let fields = [
        Field::CropName,
        Field::AcceName,
        Field::OrigCty,
        Field::CollSite,
        Field::CollNumb,
        Field::DonorNumb,
        Field::OtherNumb,
        Field::Puid,
    ];
    let mut text = format!("{}\n{}", passport.key(), passport.taxon());
    for field in fields {
        text.push('\n');
        text.push_str(passport.get(field));
    }
    fold(&text)
}

fn fold(text: &str) -> String {
    text.to_lowercase()
}

fn read(row: &Row<'_>) -> Result<Accession, Error> {
    let body: String = row.get(1)?;
    Ok(Accession { id: row.get(0)?, passport: parse("accession", &body)?, batches: row.get(2)? })
}

fn find_id(db: &Connection, key: &str) -> Result<Option<i64>, Error> {
    let Some((institute, number)) = key.split_once(':') else { return Ok(None) };
    let sql = "SELECT id FROM accession WHERE institute = ?1 AND number = ?2";
    Ok(db.prepare_cached(sql)?.query_row([institute, number], |row| row.get(0)).optional()?)
}

/// Returns the number of the accession `INSTCODE:ACCENUMB`.
pub(crate) fn id_of(db: &Connection, key: &str) -> Result<i64, Error> {
    find_id(db, key)?.ok_or_else(|| Error::Unknown { what: "accession", name: key.to_owned() })
}
