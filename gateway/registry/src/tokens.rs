//! Bearer tokens for programs.

use measure::Timestamp;
use people::{Actor, Role, UserName};
use rusqlite::{OptionalExtension as _, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, Secret, Who, secret, time, users};

/// The most tokens; one more is refused.
pub const TOKENS_MAX: usize = 1_000;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: UserName,
    /// What the program may do.
    pub role: Role,
    /// Since when it exists.
    pub created: Timestamp,
}

impl Registry {
    /// Adds a token and returns its secret, which is kept only as a hash.
    ///
    /// # Errors
    /// `Taken`, `Refused` for too many tokens, or a failure of the file.
    pub fn add_token(
        &self,
        name: &UserName,
        role: Role,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Secret, Error> {
        let secret = Secret::draw("miaopu_")?;
        self.write(|db| {
            let count: i64 = db.query_row("SELECT COUNT(*) FROM token", [], |row| row.get(0))?;
            if count >= TOKENS_MAX as i64 {
                return Err(Error::refused(
                    "name",
                    format!("已有 {TOKENS_MAX} 个令牌,请先删除一个"),
                    format!("there are {TOKENS_MAX} tokens already; remove one first"),
                ));
            }
            let sql = "INSERT INTO token (name, role, hash, created_us) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO NOTHING";
            let row = params![name.as_str(), role.name(), secret.hash(), now.micros()];
            if db.execute(sql, row)? == 0 {
                return Err(Error::Taken { what: "token", name: name.to_string() });
            }
            record(db, now, by, Done::new("token.add", name.as_str()), &json!({ "role": role }))
        })?;
        Ok(secret)
    }

    /// Removes a token; its secret opens nothing from then on.
    ///
    /// # Errors
    /// `Unknown`, or a failure of the file.
    pub fn remove_token(&self, name: &UserName, by: &Actor, now: Timestamp) -> Result<(), Error> {
        self.write(|db| {
            if db.execute("DELETE FROM token WHERE name = ?1", [name.as_str()])? == 0 {
                return Err(Error::Unknown { what: "token", name: name.to_string() });
            }
            record(db, now, by, Done::new("token.remove", name.as_str()), &json!({}))
        })
    }

    /// Returns all tokens by name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        self.read(|db| {
            let mut query =
                db.prepare_cached("SELECT name, role, created_us FROM token ORDER BY name")?;
            let mut rows = query.query([])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(Token {
                    name: users::name(row.get(0)?)?,
                    role: users::role(&row.get::<_, String>(1)?)?,
                    created: time(row.get(2)?)?,
                });
            }
            Ok(tokens)
        })
    }

    /// Returns who a bearer secret stands for; `None` where no token has it.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn token(&self, secret: &str) -> Result<Option<Who>, Error> {
        // The look-up compares hashes of 256 random bits: what its timing tells helps nobody to
        // find a secret.
        let sql = "SELECT name, role FROM token WHERE hash = ?1";
        let row: Option<(String, String)> = self.read(|db| {
            let mut query = db.prepare_cached(sql)?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            Ok(query.query_row([secret::hash(secret)], read).optional()?)
        })?;
        let Some((name, role)) = row else { return Ok(None) };
        let actor = Actor::Token(users::name(name)?);
        Ok(Some(Who { actor, role: users::role(&role)?, must_change_password: false }))
    }
}
