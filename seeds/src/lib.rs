//! What ships with Miaopu: crop profiles, quality thresholds, and the sources of their numbers.
//!
//! The numbers stand in `profiles/*.toml`, `quality.toml` and `sources.toml`, are embedded in the
//! program, and are read by [`profiles`], [`thresholds`] and [`sources`]. They are defaults to start from: each names its source
//! and class, stand-ins from other species are marked as proxies, and a person of the nursery may
//! override every one of them.

mod file;
mod quality;

use ::quality::Table;
use nursery::{Profile, Source};
use serde::Deserialize;

pub use crate::quality::{Citation, LIMITS_MAX};

/// The profiles as they stand in the files, by the name of the file.
const PROFILES: [(&str, &str); 9] = [
    ("rice", include_str!("../profiles/rice.toml")),
    ("blueberry", include_str!("../profiles/blueberry.toml")),
    ("tea", include_str!("../profiles/tea.toml")),
    ("coptis", include_str!("../profiles/coptis.toml")),
    ("gastrodia", include_str!("../profiles/gastrodia.toml")),
    ("scrophularia", include_str!("../profiles/scrophularia.toml")),
    ("eucommia", include_str!("../profiles/eucommia.toml")),
    ("bamboo", include_str!("../profiles/bamboo.toml")),
    ("genebank", include_str!("../profiles/genebank.toml")),
];

const QUALITY: &str = include_str!("../quality.toml");

const SOURCES: &str = include_str!("../sources.toml");

/// Why a seed file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no TOML, or not of the form of its kind.
    #[error("cannot read the seed file `{name}`")]
    Form {
        /// Which file.
        name: String,
        /// What is wrong, and where.
        source: toml::de::Error,
    },
    /// A part of the file is no valid part of a nursery.
    #[error("the seed file `{name}` is not valid")]
    Invalid {
        /// Which file.
        name: String,
        /// What is wrong.
        source: nursery::Error,
    },
    /// A number holds for a stage that the file does not have.
    #[error("the seed file `{name}` has no stage `{stage}`")]
    Stage {
        /// Which file.
        name: String,
        /// The stage as it is written there, `method/stage`.
        stage: String,
    },
    /// The thresholds of a quantity are no thresholds.
    #[error("the file of thresholds `{name}` is not valid: {what}")]
    Limits {
        /// Which file.
        name: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A number names a source that is not in the list.
    #[error("the seed file `{name}` names the unknown source `{id}`")]
    Source {
        /// Which file.
        name: String,
        /// The source as it is written there.
        id: String,
    },
}

/// Returns the crop profiles that ship with Miaopu.
///
/// # Errors
/// [`Error`] where an embedded file is faulty, which the tests exclude.
pub fn profiles() -> Result<Vec<Profile>, Error> {
    let sources = sources()?;
    PROFILES.into_iter().map(|(name, text)| file::profile(name, text, &sources)).collect()
}

/// Returns the sources that the profiles name.
///
/// # Errors
/// [`Error`] where the embedded file is faulty, which the tests exclude.
pub fn sources() -> Result<Vec<Source>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        source: Vec<Source>,
    }
    let name = "sources";
    let raw: Raw =
        toml::from_str(SOURCES).map_err(|source| Error::Form { name: name.to_owned(), source })?;
    let twin = raw
        .source
        .iter()
        .enumerate()
        .find(|(index, one)| raw.source.iter().skip(index + 1).any(|other| other.id == one.id));
    match twin {
        Some((_, twin)) => Err(Error::Invalid {
            name: name.to_owned(),
            source: nursery::Error::Twice(format!("source `{}`", twin.id)),
        }),
        None => Ok(raw.source),
    }
}

/// Returns what readings are held against, with the class and the sources of each test.
///
/// # Errors
/// [`Error`] where the embedded file is faulty, which the tests exclude.
pub fn thresholds() -> Result<(Table, Vec<Citation>), Error> {
    let (rows, cited) = quality::rows("quality", QUALITY)?;
    Ok((Table::new(rows), cited))
}

/// Returns what ships with what a nursery has set instead, from the text of a file of the same form.
///
/// # Errors
/// [`Error`], with `name` for the file.
pub fn thresholds_with(name: &str, text: &str) -> Result<Table, Error> {
    let (rows, _) = quality::rows(name, text)?;
    Ok(thresholds()?.0.with(rows))
}

/// Reads a profile in the form of the files that ship with Miaopu.
///
/// # Errors
/// [`Error`], with `name` for the file.
pub fn read_profile(name: &str, text: &str, sources: &[Source]) -> Result<Profile, Error> {
    file::profile(name, text, sources)
}
