//! Where a number comes from, and how far it can be trusted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How good the source of a number is, from the strongest to the weakest.
///
/// The letters are those of the crop profiles; E and F are not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SourceClass {
    /// A primary source was read: a paper, the standard itself, or FAO text.
    A,
    /// One measured point of an A source, or a related species; the width of the band is ours.
    AStar,
    /// An extension service, a government page, a vendor manual.
    B,
    /// A low-authority web page.
    C,
    /// Arithmetic from other numbers, and no better than they are.
    D,
    /// General knowledge or a proposal; no source was read.
    G,
}

impl SourceClass {
    /// Every class, strongest first.
    pub const ALL: [Self; 6] = [Self::A, Self::AStar, Self::B, Self::C, Self::D, Self::G];

    /// Returns the name, such as `A*`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::AStar => "A*",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::G => "G",
        }
    }

    /// Returns the weaker of two classes.
    #[must_use]
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }

    /// Returns whether a default of this class wakes nobody until a person of the nursery has
    /// confirmed it (DESIGN, invariant 12): C and G, and D, which may be computed from those.
    pub const fn needs_confirmation(self) -> bool {
        matches!(self, Self::C | Self::D | Self::G)
    }
}

impl fmt::Display for SourceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SourceClass {
    type Err = Error;

    /// Reads a class; of a combination such as `A/G` the weaker one counts.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::SourceClass(text.to_owned());
        let one = |part: &str| Self::ALL.into_iter().find(|class| class.name() == part.trim());
        let mut parts = text.split('/').map(one);
        let first = parts.next().flatten().ok_or_else(unknown)?;
        parts.try_fold(first, |weakest, part| Some(weakest.weaker(part?))).ok_or_else(unknown)
    }
}

impl TryFrom<String> for SourceClass {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<SourceClass> for String {
    fn from(class: SourceClass) -> Self {
        class.name().to_owned()
    }
}

/// A source that numbers name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name by which numbers refer to it, such as `BB01`.
    pub id: String,
    /// Title and authors, as far as they are known.
    pub title: String,
    /// The year of publication, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// A DOI, an address, or where it can be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How good it is.
    pub class: SourceClass,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_combination_the_weaker_class_counts() {
        assert_eq!("A/G".parse(), Ok(SourceClass::G));
        assert_eq!("C/B".parse(), Ok(SourceClass::C));
        assert_eq!("A*".parse(), Ok(SourceClass::AStar));
        assert_eq!("E".parse::<SourceClass>(), Err(Error::SourceClass("E".into())));
        assert_eq!("A/".parse::<SourceClass>(), Err(Error::SourceClass("A/".into())));
    }

    #[test]
    fn weak_defaults_wake_nobody() {
        let quiet: Vec<_> =
            SourceClass::ALL.into_iter().filter(|class| class.needs_confirmation()).collect();
        assert_eq!(quiet, [SourceClass::C, SourceClass::D, SourceClass::G]);
    }
}
