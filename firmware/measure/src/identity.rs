//! Names and numbers of sites, nodes, flash chips, boots and readings.

use core::fmt;

/// The longest name of a site, node, zone or position, in bytes; a longer one is refused.
pub const SLUG_BYTES_MAX: usize = 32;

/// A name that is safe in a topic, a file name and a URL: 1 to 32 of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(heapless::String<SLUG_BYTES_MAX>);

impl Slug {
    /// Checks and copies a name.
    ///
    /// # Errors
    /// `SlugError` where it is empty, too long or holds another character.
    pub fn new(name: &str) -> Result<Self, SlugError> {
        if name.is_empty() {
            return Err(SlugError::Empty);
        }
        if let Some(character) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return Err(SlugError::Character(character));
        }
        heapless::String::try_from(name).map(Self).map_err(|_| SlugError::TooLong)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for Slug {
    type Err = SlugError;

    fn from_str(name: &str) -> Result<Self, SlugError> {
        Self::new(name)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why a name is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlugError {
    /// It has no character.
    Empty,
    /// It has more than [`SLUG_BYTES_MAX`] bytes.
    TooLong,
    /// It holds a character other than `a-z`, `0-9` and `-`.
    Character(char),
}

impl fmt::Display for SlugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must have 1 to 32 characters"),
            Self::TooLong => f.write_str("a name must not be longer than 32 characters"),
            Self::Character(c) => {
                write!(f, "a name may hold a-z, 0-9 and '-' only, not {c:?}")
            }
        }
    }
}

impl core::error::Error for SlugError {}

/// Which node: its site and its name in the site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// The site.
    pub site: Slug,
    /// The node, unique in its site.
    pub node: Slug,
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.node)
    }
}

/// One life of a node's flash: drawn at random when it is formatted. Sequences count within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlashId(pub u32);

impl fmt::Display for FlashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// One start of a node: counted up in its flash, so that a greater one is a later boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub u32);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The number of a reading in its flash life. Never given twice, not even across a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A closed range of sequences: both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceRange {
    /// The first sequence of the range.
    pub first: Sequence,
    /// The last sequence of the range; never before `first`.
    pub last: Sequence,
}

impl SequenceRange {
    /// Returns the range, or `None` where `last` comes before `first`.
    pub fn new(first: Sequence, last: Sequence) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Returns whether the range holds `sequence`.
    pub fn contains(self, sequence: Sequence) -> bool {
        (self.first..=self.last).contains(&sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_topic_could_not_carry_is_refused() {
        assert_eq!(Slug::new("bench-07").map(|slug| slug.as_str().len()), Ok(8));
        assert_eq!(Slug::new(""), Err(SlugError::Empty));
        assert_eq!(Slug::new("a/b"), Err(SlugError::Character('/')));
        assert_eq!(Slug::new("棚"), Err(SlugError::Character('棚')));
        assert_eq!(Slug::new(&"a".repeat_to_33()), Err(SlugError::TooLong));
    }

    trait RepeatTo33 {
        fn repeat_to_33(&self) -> heapless::String<33>;
    }

    impl RepeatTo33 for str {
        fn repeat_to_33(&self) -> heapless::String<33> {
            let mut out = heapless::String::new();
            while out.push_str(self).is_ok() {}
            out
        }
    }

    #[test]
    fn a_range_is_closed() {
        let range = SequenceRange::new(Sequence(3), Sequence(5)).unwrap();
        assert!(range.contains(Sequence(3)) && range.contains(Sequence(5)));
        assert!(!range.contains(Sequence(6)));
        assert_eq!(SequenceRange::new(Sequence(5), Sequence(3)), None);
    }
}
