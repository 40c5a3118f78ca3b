//! The record of every change: who, when, what, why. Rows are only ever added (triggers see to it).

use measure::{Slug, Timestamp};
use people::Actor;
use rusqlite::{Connection, Params, Transaction, params};
use serde::Serialize;

use crate::{Error, Registry, time};

/// The most changes that one call returns; the caller asks again from the last one's number.
pub const CHANGES_PAGE_MAX: usize = 1_000;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number: counts up.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What was done, such as `node.add`.
    pub what: String,
    /// What it was done to, such as `nanchuan/house-2`.
    pub subject: String,
    /// Why, where a reason was asked for.
    pub why: Option<String>,
    /// The new state as JSON, enough to rebuild it; never a secret.
    pub detail: String,
}

impl Registry {
    /// Returns the changes after number `after`, oldest first, at most [`CHANGES_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn changes(&self, after: i64) -> Result<Vec<Change>, Error> {
        self.read(|db| {
            let sql = "SELECT number, at_us, by, what, subject, why, detail FROM change
                       WHERE number > ?1 ORDER BY number LIMIT ?2";
            list(db, sql, params![after, CHANGES_PAGE_MAX as i64])
        })
    }

    /// Returns what was done to one batch, oldest first, at most [`CHANGES_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn changes_of_batch(&self, site: &Slug, id: &Slug) -> Result<Vec<Change>, Error> {
        self.read(|db| {
            let sql = "SELECT number, at_us, by, what, subject, why, detail FROM change
                       WHERE subject = ?1 AND what LIKE 'batch.%' ORDER BY number LIMIT ?2";
            list(db, sql, params![format!("{site}/{id}"), CHANGES_PAGE_MAX as i64])
        })
    }
}

fn list(db: &Connection, sql: &str, values: impl Params) -> Result<Vec<Change>, Error> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(values)?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let by: String = row.get(2)?;
        changes.push(Change {
            number: row.get(0)?,
            at: time(row.get(1)?)?,
            by: by.parse().map_err(|error| Error::broken("actor", error))?,
            what: row.get(3)?,
            subject: row.get(4)?,
            why: row.get(5)?,
            detail: row.get(6)?,
        });
    }
    Ok(changes)
}

/// What a change did to what; the rest of a [`Change`] is given beside it.
pub(crate) struct Done<'a> {
    pub(crate) what: &'static str,
    pub(crate) subject: &'a str,
    pub(crate) why: Option<&'a str>,
}

impl<'a> Done<'a> {
    pub(crate) fn new(what: &'static str, subject: &'a str) -> Self {
        Self { what, subject, why: None }
    }
}

/// Adds a change to the record, in the transaction that makes it.
pub(crate) fn record(
    transaction: &Transaction<'_>,
    now: Timestamp,
    by: &Actor,
    done: Done<'_>,
    detail: &impl Serialize,
) -> Result<(), Error> {
    let detail = serde_json::to_string(detail).map_err(|error| Error::broken("detail", error))?;
    let sql = "INSERT INTO change (at_us, by, what, subject, why, detail)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = params![now.micros(), by.to_string(), done.what, done.subject, done.why, detail];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}
