//! How far a sample can be trusted: the QARTOD flag, and marks about where it came from.

use core::fmt;

/// The quality flag of a sample, after IOOS QARTOD ("Manual for Real-Time Oceanographic Data
/// Quality Control Flags", version 1.2, 2020). The discriminant is QARTOD's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Quality {
    /// Passed every test that was run.
    Good = 1,
    /// Not evaluated: no test was run.
    #[default]
    NotEvaluated = 2,
    /// Failed a test that makes it suspect, or of high interest.
    Suspect = 3,
    /// Failed a test that makes it unusable.
    Fail = 4,
    /// There is no value: a fault stands in its place.
    Missing = 9,
}

impl Quality {
    /// Every flag, in the order of its number.
    pub const ALL: [Self; 5] =
        [Self::Good, Self::NotEvaluated, Self::Suspect, Self::Fail, Self::Missing];

    /// Returns QARTOD's number for the flag.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the flag with this number, or `None` where QARTOD has no such flag.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.code() == code)
    }

    /// Returns the worse of two flags: missing, fail, suspect, not evaluated, good.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }

    /// Returns the name used in files and the API, such as `suspect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NotEvaluated => "not_evaluated",
            Self::Suspect => "suspect",
            Self::Fail => "fail",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Marks on a sample that are no judgement of its value, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks(u8);

impl Marks {
    /// No mark.
    pub const NONE: Self = Self(0);
    /// The node had no clock when it took the reading; the time is an estimate.
    pub const TIME_UNCERTAIN: Self = Self(1);
    /// Another reading stood at this time; this one was moved to the next free microsecond.
    pub const SHIFTED: Self = Self(1 << 1);
    /// Recorded earlier and brought in afterwards: judged as history, wakes nobody.
    pub const HISTORY: Self = Self(1 << 2);

    const ALL: u8 = 0b111;

    /// Returns the marks with these bits; unknown bits are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL)
    }

    /// Returns the marks as bits, for the wire and the disk.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns these marks and `other` together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether every mark of `other` is among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_flag_wins() {
        assert_eq!(Quality::Good.worst(Quality::Suspect), Quality::Suspect);
        assert_eq!(Quality::Missing.worst(Quality::Fail), Quality::Missing);
        for quality in Quality::ALL {
            assert_eq!(Quality::from_code(quality.code()), Some(quality));
        }
    }

    #[test]
    fn marks_add_up() {
        let both = Marks::SHIFTED.with(Marks::HISTORY);
        assert!(both.contains(Marks::SHIFTED) && both.contains(Marks::HISTORY));
        assert!(!both.contains(Marks::TIME_UNCERTAIN));
        assert_eq!(Marks::from_bits(0xFF).bits(), 0b111);
    }
}
