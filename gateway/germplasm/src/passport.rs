//! The passport of one accession: its cells, each as the text that stands in the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Field;

/// The longest cell, in characters; a row with a longer one is faulty.
pub const CELL_CHARS_MAX: usize = 10_000;
/// The longest ACCENUMB, in characters; a row with a longer one is faulty.
pub const NUMBER_CHARS_MAX: usize = 1_000;

/// The cells of one accession. What is empty isn't kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// The descriptors of MCPD.
    #[serde(default)]
    cells: BTreeMap<Field, String>,
    /// Columns that MCPD does not know, by their name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extra: BTreeMap<String, String>,
}

impl Passport {
    /// Returns a cell as it stands in the file; empty where it is missing.
    pub fn get(&self, field: Field) -> &str {
        self.cells.get(&field).map_or("", String::as_str)
    }

    /// Sets a cell; an empty text empties it.
    pub fn set(&mut self, field: Field, value: impl Into<String>) {
        put(&mut self.cells, field, value.into());
    }

    /// Returns the cells of columns that MCPD does not know, by the column's name.
    pub fn extra(&self) -> &BTreeMap<String, String> {
        &self.extra
    }

    /// Sets a cell of a column that MCPD does not know.
    pub fn set_extra(&mut self, column: &str, value: impl Into<String>) {
        put(&mut self.extra, column.to_owned(), value.into());
    }

    /// Returns `INSTCODE:ACCENUMB`.
    pub fn key(&self) -> String {
        format!("{}:{}", self.get(Field::InstCode), self.get(Field::AcceNumb))
    }

    /// Returns genus, species and subtaxon as one name.
    pub fn taxon(&self) -> String {
        let parts = [Field::Genus, Field::Species, Field::SubTaxa];
        let parts = parts.iter().flat_map(|field| self.get(*field).split_whitespace());
        parts.collect::<Vec<_>>().join(" ")
    }
}

fn put<K: Ord>(cells: &mut BTreeMap<K, String>, key: K, value: String) {
    if value.is_empty() {
        cells.remove(&key);
    } else {
        cells.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passport_comes_back_as_it_was_written() {
        let mut passport = Passport::default();
        passport.set(Field::InstCode, "CHN999");
        passport.set(Field::AcceNumb, "NC-1");
        passport.set(Field::SubTaxa, "var.  sinensis");
        passport.set(Field::Genus, "Camellia");
        passport.set(Field::CollDate, "1959----");
        passport.set_extra("Entity type", "Accession");
        let text = serde_json::to_string(&passport).unwrap();
        assert_eq!(serde_json::from_str::<Passport>(&text).unwrap(), passport);
        assert_eq!(
            (passport.key(), passport.taxon()),
            ("CHN999:NC-1".into(), "Camellia var. sinensis".into())
        );
        passport.set(Field::CollDate, "");
        assert!(!serde_json::to_string(&passport).unwrap().contains("COLLDATE"));
    }
}
