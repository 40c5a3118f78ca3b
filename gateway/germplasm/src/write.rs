//! Accessions as an MCPD CSV: all 41 columns in the standard's order, then the extra ones by name.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::{Field, Passport};

/// Writes passports as CSV in UTF-8, with a header, rows ending in a line feed. What [`crate::read`]
/// read comes out with identical cells.
///
/// # Errors
/// Those of the writer.
pub fn write<'a>(
    passports: impl IntoIterator<Item = &'a Passport> + Clone,
    mut to: impl Write,
) -> io::Result<()> {
    let extra: BTreeSet<&str> = passports
        .clone()
        .into_iter()
        .flat_map(|it| it.extra().keys())
        .map(String::as_str)
        .collect();
    let header = Field::ALL.iter().map(|field| field.code()).chain(extra.iter().copied());
    row(header, &mut to)?;
    for passport in passports {
        let known = Field::ALL.iter().map(|field| passport.get(*field));
        let others =
            extra.iter().map(|column| passport.extra().get(*column).map_or("", String::as_str));
        row(known.chain(others), &mut to)?;
    }
    to.flush()
}

fn row<'a>(cells: impl Iterator<Item = &'a str>, to: &mut impl Write) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            to.write_all(b",")?;
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            write!(to, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            to.write_all(cell.as_bytes())?;
        }
    }
    to.write_all(b"\n")
}
