//! Users and their passwords.

use measure::Timestamp;
use people::{Actor, Contact, Role, UserName};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, Secret, contacts, password, time};

/// The most users; one more is refused.
pub const USERS_MAX: usize = 1_000;

/// The name of the user who is made at the first start.
const FIRST: &str = "admin";

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with.
    pub name: UserName,
    /// What the user may do.
    pub role: Role,
    /// Whether the password was given by another and waits to be changed.
    pub must_change_password: bool,
    /// Since when the user exists.
    pub created: Timestamp,
}

/// Who is asking: a user's session or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user or token.
    pub actor: Actor,
    /// What it may do.
    pub role: Role,
    /// Whether the password was given by another and waits to be changed; never for a token.
    pub must_change_password: bool,
}

impl Registry {
    /// Makes the user `admin` with a drawn password where nobody can sign in yet, and returns the
    /// password to be printed once. As long as nobody has signed in with it, each start draws a new
    /// one, so that a password lost with its terminal locks nobody out.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn first_admin(&self, now: Timestamp) -> Result<Option<Secret>, Error> {
        let used = "SELECT COUNT(*) FROM user WHERE signed_in_us IS NOT NULL OR name <> ?1";
        let used =
            |db: &Connection| Ok(db.query_row(used, [FIRST], |row| row.get::<_, i64>(0))? > 0);
        if self.read(used)? {
            return Ok(None);
        }
        let secret = Secret::draw_password()?;
        let hash = password::hash(secret.reveal())?;
        self.write(|db| {
            if used(db)? {
                return Ok(None);
            }
            db.execute("DELETE FROM user WHERE name = ?1", [FIRST])?;
            let name = UserName::new(FIRST).map_err(|error| Error::broken("name", error))?;
            insert(db, &name, Role::Admin, &hash, now)?;
            let detail = json!({ "role": Role::Admin, "first": true });
            record(db, now, &Actor::Gateway, Done::new("user.add", FIRST), &detail)?;
            Ok(Some(secret))
        })
    }

    /// Adds a user, who must change the password at the first sign-in.
    ///
    /// # Errors
    /// `Taken`, `Refused` for a weak password or too many users, or a failure of the file.
    pub fn add_user(
        &self,
        name: &UserName,
        role: Role,
        password: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<User, Error> {
        password::check("password", name.as_str(), password)?;
        let hash = password::hash(password)?;
        self.write(|db| add(db, name, role, &hash, by, now))?;
        Ok(User { name: name.clone(), role, must_change_password: true, created: now })
    }

    /// Adds a user with a drawn password, which must be changed at the first sign-in, and says where
    /// the user is told of alarms: both or neither.
    ///
    /// # Errors
    /// `Taken`, `Refused` for too many users, or a failure of the file.
    pub fn invite(
        &self,
        name: &UserName,
        role: Role,
        contact: &Contact,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Secret, Error> {
        let secret = Secret::draw_password()?;
        let hash = password::hash(secret.reveal())?;
        self.write(|db| {
            add(db, name, role, &hash, by, now)?;
            contacts::put(db, name, contact, by, now)
        })?;
        Ok(secret)
    }

    /// Removes a user and ends all of the user's sessions.
    ///
    /// # Errors
    /// `Unknown`, `Refused` for the last admin, or a failure of the file.
    pub fn remove_user(&self, name: &UserName, by: &Actor, now: Timestamp) -> Result<(), Error> {
        self.write(|db| {
            let Some(found) = find(db, name.as_str())? else {
                return Err(Error::Unknown { what: "user", name: name.to_string() });
            };
            let others = "SELECT COUNT(*) FROM user WHERE role = 'admin' AND name <> ?1";
            let others: i64 = db.query_row(others, [name.as_str()], |row| row.get(0))?;
            if found.user.role == Role::Admin && others == 0 {
                return Err(Error::refused(
                    "user",
                    "不能删除最后一个管理员,请先添加另一个",
                    "the last admin can't be removed; add another admin first",
                ));
            }
            db.execute("DELETE FROM user WHERE name = ?1", [name.as_str()])?;
            record(db, now, by, Done::new("user.remove", name.as_str()), &json!({}))
        })
    }

    /// Returns all users by name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn users(&self) -> Result<Vec<User>, Error> {
        self.read(|db| {
            let sql =
                "SELECT name, role, must_change, created_us, password FROM user ORDER BY name";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                users.push(read(row)?.user);
            }
            Ok(users)
        })
    }

    /// Checks a password and returns the user whose it is; `None` where name or password is wrong,
    /// after the same work in both cases. Takes tens of milliseconds on purpose.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn check_password(&self, name: &str, password: &str) -> Result<Option<User>, Error> {
        let found = self.read(|db| find(db, name))?;
        let right =
            password::verify(password, found.as_ref().map(|found| found.password.as_str()))?;
        Ok(found.filter(|_| right).map(|found| found.user))
    }

    /// Changes a user's own password, and ends the user's sessions but for `keep`. Returns whether
    /// the old password was right.
    ///
    /// # Errors
    /// `Unknown`, `Refused` for a weak new password, or a failure of the file.
    pub fn change_password(
        &self,
        name: &UserName,
        (old, new): (&str, &str),
        keep: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if self.check_password(name.as_str(), old)?.is_none() {
            return Ok(false);
        }
        password::check("new", name.as_str(), new)?;
        if old == new {
            return Err(Error::refused(
                "new",
                "新密码须与旧密码不同",
                "the new password must differ from the old one",
            ));
        }
        let hash = password::hash(new)?;
        self.write(|db| {
            let sql = "UPDATE user SET password = ?2, must_change = 0 WHERE name = ?1";
            if db.execute(sql, params![name.as_str(), hash])? == 0 {
                return Err(Error::Unknown { what: "user", name: name.to_string() });
            }
            let sql = "DELETE FROM session WHERE user = ?1 AND hash <> ?2";
            db.execute(sql, params![name.as_str(), crate::secret::hash(keep)])?;
            let by = Actor::User(name.clone());
            record(db, now, &by, Done::new("user.password", name.as_str()), &json!({}))?;
            Ok(true)
        })
    }
}

struct Found {
    user: User,
    password: String,
}

fn find(db: &Connection, name: &str) -> Result<Option<Found>, Error> {
    let sql = "SELECT name, role, must_change, created_us, password FROM user WHERE name = ?1";
    db.prepare_cached(sql)?.query_row([name], |row| Ok(read(row))).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<Found, Error> {
    let user = User {
        name: name(row.get(0)?)?,
        role: role(&row.get::<_, String>(1)?)?,
        must_change_password: row.get(2)?,
        created: time(row.get(3)?)?,
    };
    Ok(Found { user, password: row.get(4)? })
}

fn add(
    db: &Transaction<'_>,
    name: &UserName,
    role: Role,
    hash: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Error> {
    if find(db, name.as_str())?.is_some() {
        return Err(Error::Taken { what: "user", name: name.to_string() });
    }
    let count: i64 = db.query_row("SELECT COUNT(*) FROM user", [], |row| row.get(0))?;
    if count >= USERS_MAX as i64 {
        return Err(Error::refused(
            "user",
            format!("已有 {USERS_MAX} 个用户,请先删除一个"),
            format!("there are {USERS_MAX} users already; remove one first"),
        ));
    }
    insert(db, name, role, hash, now)?;
    record(db, now, by, Done::new("user.add", name.as_str()), &json!({ "role": role }))
}

fn insert(
    db: &Transaction<'_>,
    name: &UserName,
    role: Role,
    hash: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO user (name, role, password, must_change, created_us)
               VALUES (?1, ?2, ?3, 1, ?4)";
    db.execute(sql, params![name.as_str(), role.name(), hash, now.micros()])?;
    Ok(())
}

pub(crate) fn name(text: String) -> Result<UserName, Error> {
    UserName::new(text).map_err(|error| Error::broken("name", error))
}

pub(crate) fn role(text: &str) -> Result<Role, Error> {
    text.parse().map_err(|error: people::UnknownRole| Error::broken("role", error.to_string()))
}
