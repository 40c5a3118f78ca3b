//! The two kinds of time: since the node started, and UTC.

use core::fmt;

/// Milliseconds since the node started. Says nothing about the date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(pub u64);

impl Uptime {
    /// Returns the uptime `ms` milliseconds later, at most the greatest there is.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns how many milliseconds have passed since `earlier`; 0 where it lies ahead.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Microseconds since 1970-01-01T00:00:00 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time: 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// The latest time: 9999-12-31T23:59:59.999999Z. Arithmetic stops here.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Returns the time this many microseconds after 1970, or `None` outside 1970 to 9999.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Self(micros)) }
    }

    /// Returns the time this many milliseconds after 1970, or `None` outside 1970 to 9999.
    pub const fn from_millis(millis: i64) -> Option<Self> {
        match millis.checked_mul(1_000) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// Returns the microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the whole milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0 / 1_000
    }

    /// Returns the time `micros` later (or earlier, where negative), within 1970 to 9999.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        let moved = self.0.saturating_add(micros);
        if moved < Self::MIN.0 {
            Self::MIN
        } else if moved > Self::MAX.0 {
            Self::MAX
        } else {
            Self(moved)
        }
    }

    /// Returns the time `ms` milliseconds later (or earlier), within 1970 to 9999.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        self.plus_micros(ms.saturating_mul(1_000))
    }

    /// Returns the microseconds from `earlier` until this time; negative where it comes first.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Returns the whole milliseconds from `earlier` until this time.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.micros_since(earlier) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stays_between_1970_and_9999() {
        assert_eq!(Timestamp::from_micros(-1), None);
        assert_eq!(Timestamp::from_millis(i64::MAX), None);
        assert_eq!(Timestamp::MIN.plus_ms(-1), Timestamp::MIN);
        assert_eq!(Timestamp::MAX.plus_ms(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(1_500).map(Timestamp::micros), Some(1_500_000));
    }

    #[test]
    fn uptime_never_wraps() {
        assert_eq!(Uptime(u64::MAX).plus_ms(1), Uptime(u64::MAX));
        assert_eq!(Uptime(1).ms_since(Uptime(2)), 0);
    }
}
