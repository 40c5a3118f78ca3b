//! Where in a row of a recording its readings stand: one reading a row, with columns that say which, or
//! many a row, with a file that says what each column is.
//!
//! The file, for `--columns`:
//!
//! ```toml
//! time = "Timestamp"              # the column of the time
//! format = "%d/%m/%Y %H:%M"       # as strptime(3); ISO 8601 where absent
//! time_zone = "Europe/Amsterdam"  # of times without an offset
//!
//! [[series]]
//! column = "Tair"
//! site = "works"
//! node = "bench"
//! quantity = "air_temperature"
//! position = "canopy"
//! unit = "Cel"
//! ```

use measure::{NodeKey, Quantity, Slug};
use serde::Deserialize;

/// The columns of one reading a row, which the header must name; their order is free. A column `fault`
/// is read where it is there: an export can be replayed.
pub(super) const COLUMNS: [&str; 7] =
    ["time", "site", "node", "quantity", "position", "unit", "value"];

/// What `--columns` names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    /// The column of the time.
    pub(super) time: String,
    /// How times are written.
    pub(super) format: Option<String>,
    /// The zone of times without an offset.
    pub(super) time_zone: Option<String>,
    /// What the other columns are; one that is not named here is left out.
    series: Vec<Column>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    column: String,
    site: String,
    node: String,
    quantity: String,
    position: String,
    unit: String,
}

/// A series of readings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) node: NodeKey,
    pub(super) quantity: Quantity,
    pub(super) position: Slug,
}

impl Series {
    /// # Errors
    /// What is wrong with which of the names, in words.
    pub(super) fn named([site, node, quantity, position, unit]: [&str; 5]) -> Result<Self, String> {
        let slug = |column: &str, text: &str| {
            Slug::new(text).map_err(|error| format!("{column} `{text}`: {error}"))
        };
        let node = NodeKey { site: slug("site", site)?, node: slug("node", node)? };
        let quantity: Quantity =
            quantity.parse().map_err(|error| format!("quantity `{quantity}`: {error}"))?;
        if unit != quantity.ucum() {
            let ucum = quantity.ucum();
            return Err(format!("unit `{unit}`: {quantity} is given in `{ucum}`; convert it"));
        }
        Ok(Self { node, quantity, position: slug("position", position)? })
    }
}

/// Where the readings of a row stand.
pub(super) enum Shape {
    /// One a row: the places of [`COLUMNS`], and of `fault`.
    Long([usize; COLUMNS.len()], Option<usize>),
    /// Many a row: the place of the time, and each series with its column's name and place.
    Wide(usize, Vec<(Series, String, usize)>),
}

impl Shape {
    /// Finds the columns in a header.
    ///
    /// # Errors
    /// Which one is missing, or what is wrong with what `--columns` says, in words.
    pub(super) fn find(
        headers: &csv::StringRecord,
        columns: Option<&Columns>,
    ) -> Result<Self, String> {
        let place = |name: &str| headers.iter().position(|header| header.trim() == name);
        let Some(columns) = columns else {
            let mut places = [0; COLUMNS.len()];
            for (at, name) in places.iter_mut().zip(COLUMNS) {
                *at = place(name).ok_or_else(|| {
                    format!(
                        "header: the column `{name}` is missing; there must be {}, or say by \
                         --columns what the columns are",
                        COLUMNS.join(",")
                    )
                })?;
            }
            return Ok(Self::Long(places, place("fault")));
        };
        let missing = |name: &str| {
            let found: Vec<&str> = headers.iter().map(str::trim).collect();
            format!("header: there is no column `{name}`; there are {}", found.join(","))
        };
        let time = place(&columns.time).ok_or_else(|| missing(&columns.time))?;
        let mut series: Vec<(Series, String, usize)> = Vec::with_capacity(columns.series.len());
        for it in &columns.series {
            let named = Series::named(
                [&it.site, &it.node, &it.quantity, &it.position, &it.unit].map(|it| it.as_str()),
            );
            let named = named.map_err(|words| format!("--columns, `{}`: {words}", it.column))?;
            if series.iter().any(|(other, ..)| *other == named) {
                return Err(format!(
                    "--columns, `{}`: another column is this series too",
                    it.column
                ));
            }
            let at = place(&it.column).ok_or_else(|| missing(&it.column))?;
            series.push((named, it.column.clone(), at));
        }
        Ok(Self::Wide(time, series))
    }
}

/// Returns what parts the cells: what stands most often in the header.
pub(super) fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |of: u8| header.iter().filter(|&&byte| byte == of).count();
    // Of equals the last one counts, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(|&of| count(of)).unwrap_or(b',')
}
