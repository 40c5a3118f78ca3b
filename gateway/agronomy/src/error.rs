//! What a number is refused for.

use std::fmt;

/// A number that a formula can't take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Error {
    /// It lies outside of what it may be, or is no number.
    OutOfRange {
        /// What it is of, with its article.
        what: &'static str,
        /// The unit of the numbers; empty for a pure number.
        unit: &'static str,
        /// The number as given.
        value: f64,
        /// The least that is taken.
        low: f64,
        /// The greatest that is taken.
        high: f64,
    },
    /// Two numbers that belong together are the wrong way round.
    Order {
        /// What must be the lower one.
        lower: &'static str,
        /// Its value.
        low: f64,
        /// What must be the higher one.
        higher: &'static str,
        /// Its value.
        high: f64,
        /// The unit of both.
        unit: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutOfRange { what, unit, value, low, high } => {
                let space = if unit.is_empty() { "" } else { " " };
                write!(f, "{what} must lie between {low} and {high}{space}{unit}, not {value}")
            }
            Self::Order { lower, low, higher, high, unit } => {
                write!(f, "{lower} must lie below {higher}, not {low} and {high} {unit}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Returns a number that lies between two others, both included.
pub(crate) const fn within(
    what: &'static str,
    unit: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<f64, Error> {
    // What is no number compares as false, and is refused.
    if value >= low && value <= high {
        Ok(value)
    } else {
        Err(Error::OutOfRange { what, unit, value, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_thing_its_value_and_what_is_taken() {
        let error = within("a relative humidity", "%", 130.0, 0.0, 100.0).unwrap_err();
        assert_eq!(error.to_string(), "a relative humidity must lie between 0 and 100 %, not 130");
        assert!(within("a wind", "m/s", f64::NAN, 0.0, 100.0).is_err());
        assert!(within("a wind", "m/s", f64::INFINITY, 0.0, 100.0).is_err());
        let error = Error::Order {
            lower: "the minimum of a day",
            low: 12.0,
            higher: "its maximum",
            high: 8.0,
            unit: "°C",
        };
        assert_eq!(
            error.to_string(),
            "the minimum of a day must lie below its maximum, not 12 and 8 °C"
        );
    }
}
