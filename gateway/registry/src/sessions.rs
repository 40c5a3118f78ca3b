//! Sessions: what a signed-in browser's cookie stands for. Times here are wall time, also where the
//! nursery's clock runs faster.

use measure::Timestamp;
use people::{Actor, UserName};
use rusqlite::{OptionalExtension as _, params};

use crate::{Error, Registry, Secret, Who, secret, time, users};

/// The most sessions of one user; one more ends the oldest.
pub const SESSIONS_MAX: usize = 32;

/// How many days a session lives without being used; each use moves the end, once a day at most.
pub const SESSION_DAYS: i64 = 30;

const DAY_US: i64 = 86_400_000_000;

impl Registry {
    /// Begins a session of a user whose password was right, and returns what the cookie holds.
    ///
    /// # Errors
    /// `Unknown` where the user is gone, or a failure of the file.
    pub fn begin_session(&self, name: &UserName, now: Timestamp) -> Result<Secret, Error> {
        let secret = Secret::draw("")?;
        self.write(|db| {
            let sql = "UPDATE user SET signed_in_us = ?2 WHERE name = ?1";
            if db.execute(sql, params![name.as_str(), now.micros()])? == 0 {
                return Err(Error::Unknown { what: "user", name: name.to_string() });
            }
            db.execute("DELETE FROM session WHERE expires_us <= ?1", [now.micros()])?;
            let expires = now.plus_micros(SESSION_DAYS * DAY_US);
            let sql =
                "INSERT INTO session (hash, user, begun_us, expires_us) VALUES (?1, ?2, ?3, ?4)";
            let row = params![secret.hash(), name.as_str(), now.micros(), expires.micros()];
            db.execute(sql, row)?;
            let sql = "DELETE FROM session WHERE user = ?1 AND hash NOT IN
                       (SELECT hash FROM session WHERE user = ?1 ORDER BY begun_us DESC LIMIT ?2)";
            db.execute(sql, params![name.as_str(), SESSIONS_MAX as i64])?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Returns whose session a cookie stands for; `None` where it is over or never was.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn session(&self, cookie: &str, now: Timestamp) -> Result<Option<Who>, Error> {
        let hash = secret::hash(cookie);
        let sql = "SELECT user.name, user.role, user.must_change, session.expires_us
                   FROM session JOIN user ON user.name = session.user WHERE session.hash = ?1";
        type Row = (String, String, bool, i64);
        let row: Option<Row> = self.read(|db| {
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            Ok(db.prepare_cached(sql)?.query_row([hash], read).optional()?)
        })?;
        let Some((name, role, must_change_password, expires)) = row else { return Ok(None) };
        let left = time(expires)?.micros_since(now);
        if left <= 0 {
            return Ok(None);
        }
        if left < (SESSION_DAYS - 1) * DAY_US {
            let expires = now.plus_micros(SESSION_DAYS * DAY_US).micros();
            let sql = "UPDATE session SET expires_us = ?2 WHERE hash = ?1";
            self.write(|db| Ok(db.execute(sql, params![hash, expires])?))?;
        }
        let actor = Actor::User(users::name(name)?);
        Ok(Some(Who { actor, role: users::role(&role)?, must_change_password }))
    }

    /// Ends a session; one that is over already stays so.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn end_session(&self, cookie: &str) -> Result<(), Error> {
        let hash = secret::hash(cookie);
        self.write(|db| Ok(db.execute("DELETE FROM session WHERE hash = ?1", [hash])?)).map(drop)
    }
}
