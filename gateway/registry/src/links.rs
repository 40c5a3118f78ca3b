//! The links of messages: whoever opens one may acknowledge one alarm, once. Times are wall time.

use alarms::AlarmId;
use measure::Timestamp;
use people::{Role, UserName};
use rusqlite::{OptionalExtension as _, params};

use crate::{Error, Registry, Secret, secret, time, users};

/// How long a link opens, in milliseconds.
pub const LINK_MS: i64 = 86_400_000;

/// How long after its end a link is still known as an old one, in milliseconds; then it is unknown.
pub const LINK_REMEMBERED_MS: i64 = 7 * 86_400_000;

/// The most links; one more drops the one that ends first.
pub const LINKS_MAX: usize = 20_000;

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The alarm that it answers.
    pub alarm: AlarmId,
    /// Who was told.
    pub user: UserName,
    /// What that user may do now.
    pub role: Role,
    /// The message that it stands in.
    pub message: String,
    /// Until when it opens.
    pub expires: Timestamp,
    /// When it was used.
    pub used: Option<Timestamp>,
}

impl Registry {
    /// Draws a link for a message to a user. Only its hash is kept.
    ///
    /// # Errors
    /// Where the user or the alarm is gone, or the file can't be written.
    pub fn draw_link(
        &self,
        alarm: AlarmId,
        user: &UserName,
        message: &str,
        wall: Timestamp,
    ) -> Result<Secret, Error> {
        let token = Secret::drawn()?;
        let expires = wall.plus_ms(LINK_MS);
        self.write(|db| {
            let old = wall.plus_ms(-LINK_REMEMBERED_MS).micros();
            db.execute("DELETE FROM answer_link WHERE expires_us < ?1", [old])?;
            let sql = "DELETE FROM answer_link WHERE hash IN
                       (SELECT hash FROM answer_link ORDER BY expires_us DESC
                        LIMIT -1 OFFSET ?1)";
            db.execute(sql, [LINKS_MAX as i64 - 1])?;
            let sql = "INSERT INTO answer_link (hash, alarm, user, message, made_us, expires_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let alarm = i64::try_from(alarm.0).unwrap_or(i64::MAX);
            let (made, expires) = (wall.micros(), expires.micros());
            let row = params![token.hash(), alarm, user.as_str(), message, made, expires];
            db.execute(sql, row)?;
            Ok(())
        })?;
        Ok(token)
    }

    /// Returns what a link stands for, used or old ones too; `None` where nobody was sent it.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn link(&self, token: &str) -> Result<Option<Link>, Error> {
        // The look-up compares hashes of 256 random bits: what its timing tells helps nobody.
        let sql = "SELECT answer_link.alarm, user.name, user.role, answer_link.message,
                          answer_link.expires_us, answer_link.used_us
                   FROM answer_link JOIN user ON user.name = answer_link.user
                   WHERE answer_link.hash = ?1";
        type Row = (i64, String, String, String, i64, Option<i64>);
        let row: Option<Row> = self.read(|db| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            };
            Ok(db.prepare_cached(sql)?.query_row([secret::hash(token)], read).optional()?)
        })?;
        let Some((alarm, user, role, message, expires, used)) = row else { return Ok(None) };
        Ok(Some(Link {
            alarm: AlarmId(alarm.unsigned_abs()),
            user: users::name(user)?,
            role: users::role(&role)?,
            message,
            expires: time(expires)?,
            used: used.map(time).transpose()?,
        }))
    }

    /// Keeps that a link was used. Returns whether it was unused until now.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn use_link(&self, token: &str, wall: Timestamp) -> Result<bool, Error> {
        let sql = "UPDATE answer_link SET used_us = ?2 WHERE hash = ?1 AND used_us IS NULL";
        self.write(|db| Ok(db.execute(sql, params![secret::hash(token), wall.micros()])? > 0))
    }
}
