//! Where and in which language users are told of alarms.

use measure::Timestamp;
use people::{Actor, Contact, EmailAddress, Language, Role, UserName};
use rusqlite::{Row, Transaction, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, users};

/// A user with what the user may do and where the user is told of alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub user: UserName,
    /// What the user may do.
    pub role: Role,
    /// Where the user is told of alarms.
    pub contact: Contact,
}

impl Registry {
    /// Returns every user by name, with where the user is told of alarms.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn people(&self) -> Result<Vec<Person>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT user.name, user.role, contact.email, contact.language, contact.wakes
                 FROM user LEFT JOIN contact ON contact.user = user.name ORDER BY user.name",
            )?;
            let mut rows = query.query([])?;
            let mut people = Vec::new();
            while let Some(row) = rows.next()? {
                people.push(person(row)?);
            }
            Ok(people)
        })
    }

    /// Returns one user; `None` where there is none of that name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn person(&self, user: &str) -> Result<Option<Person>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT user.name, user.role, contact.email, contact.language, contact.wakes
                 FROM user LEFT JOIN contact ON contact.user = user.name WHERE user.name = ?1",
            )?;
            let mut rows = query.query([user])?;
            rows.next()?.map(person).transpose()
        })
    }

    /// Says where a user is told of alarms.
    ///
    /// # Errors
    /// `Unknown`, or a failure of the file.
    pub fn set_contact(
        &self,
        user: &UserName,
        contact: &Contact,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| {
            if !db.prepare_cached("SELECT 1 FROM user WHERE name = ?1")?.exists([user.as_str()])? {
                return Err(Error::Unknown { what: "user", name: user.to_string() });
            }
            put(db, user, contact, by, now)
        })
    }
}

pub(crate) fn put(
    db: &Transaction<'_>,
    user: &UserName,
    contact: &Contact,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Error> {
    let email = contact.email.as_ref().map(EmailAddress::as_str);
    let language = contact.language.name();
    let sql = "INSERT INTO contact (user, email, language, wakes) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (user) DO UPDATE SET email = excluded.email,
                   language = excluded.language, wakes = excluded.wakes";
    db.execute(sql, params![user.as_str(), email, language, contact.wakes])?;
    let detail = json!({ "email": email, "language": language, "wakes": contact.wakes });
    record(db, now, by, Done::new("user.contact", user.as_str()), &detail)
}

fn person(row: &Row<'_>) -> Result<Person, Error> {
    let email: Option<String> = row.get(2)?;
    let language: Option<String> = row.get(3)?;
    let checked = email.as_deref().map(EmailAddress::new).transpose();
    let language = language.map(|name| name.parse::<Language>()).transpose();
    let contact = Contact {
        email: checked.map_err(|error| Error::broken("e-mail address", error))?,
        language: language.map_err(|error| Error::broken("language", error))?.unwrap_or_default(),
        wakes: row.get::<_, Option<bool>>(4)?.unwrap_or(true),
    };
    Ok(Person {
        user: users::name(row.get(0)?)?,
        role: users::role(&row.get::<_, String>(1)?)?,
        contact,
    })
}
