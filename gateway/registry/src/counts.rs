//! Numbers for whoever watches the gateway: cheap enough to be asked every few seconds.

use rusqlite::OptionalExtension as _;

use crate::{Error, Registry};

/// How many open alarms have a severity and a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAlarms {
    /// The severity, as `alarms` names it.
    pub severity: String,
    /// Whether what raised them is still there.
    pub active: bool,
    /// Whether they wait for somebody to acknowledge them.
    pub unacknowledged: bool,
    /// How many.
    pub count: u64,
}

impl Registry {
    /// Returns how many alarms are open, by severity and state; states that none has are absent.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn open_alarms(&self) -> Result<Vec<OpenAlarms>, Error> {
        self.read(|db| {
            let sql = "SELECT json_extract(body, '$.severity'), active, wants, COUNT(*) FROM alarm
                       WHERE closed_us IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
            let mut query = db.prepare_cached(sql)?;
            let rows = query.query_map([], |row| {
                Ok(OpenAlarms {
                    severity: row.get(0)?,
                    active: row.get(1)?,
                    unacknowledged: row.get(2)?,
                    count: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Returns the position of the store's journal up to which, included, its alarms were judged.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn judged(&self) -> Result<u64, Error> {
        self.read(|db| {
            let sql = "SELECT position FROM alarm_engine";
            let found: Option<i64> =
                db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            Ok(found.unwrap_or(0).unsigned_abs())
        })
    }
}
