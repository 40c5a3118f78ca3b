//! Accessions: kept with every cell of their passport, imported whole or not at all.

use rusqlite::{Connection, OptionalExtension as _};

use crate::Error;

/// Returns the number of the accession `INSTCODE:ACCENUMB`.
pub(crate) fn id_of(db: &Connection, key: &str) -> Result<i64, Error> {
    let unknown = || Error::Unknown { what: "accession", name: key.to_owned() };
    let (institute, number) = key.split_once(':').ok_or_else(unknown)?;
    let sql = "SELECT id FROM accession WHERE institute = ?1 AND number = ?2";
    let id = db.prepare_cached(sql)?.query_row([institute, number], |row| row.get(0)).optional()?;
    id.ok_or_else(unknown)
}
