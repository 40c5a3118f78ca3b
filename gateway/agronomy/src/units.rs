//! The quantities that formulas take and give, each with its unit and its limits.

use crate::Error;
use crate::error::within;

/// The coldest temperature that is taken, in degrees Celsius: below it is nothing of a nursery,
/// liquid nitrogen included, and the vapour pressure formulas lose their meaning at -237 °C.
pub const TEMPERATURE_C_MIN: f64 = -200.0;
/// The hottest temperature that is taken, in degrees Celsius; above it is nothing of a nursery.
pub const TEMPERATURE_C_MAX: f64 = 200.0;

/// A temperature in degrees Celsius, -200 to 200.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Celsius(f64);

impl Celsius {
    /// Checks a temperature in degrees Celsius.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside of [`TEMPERATURE_C_MIN`] to [`TEMPERATURE_C_MAX`], and for
    /// what is no number.
    pub const fn new(degrees: f64) -> Result<Self, Error> {
        match within("a temperature", "°C", degrees, TEMPERATURE_C_MIN, TEMPERATURE_C_MAX) {
            Ok(degrees) => Ok(Self(degrees)),
            Err(error) => Err(error),
        }
    }

    /// Checks a temperature in degrees Fahrenheit.
    ///
    /// # Errors
    /// As [`Celsius::new`], which names the temperature in degrees Celsius.
    pub const fn from_fahrenheit(degrees: f64) -> Result<Self, Error> {
        Self::new(celsius_of(degrees))
    }

    /// Returns a temperature that lies some kelvins away: 0 is the same.
    ///
    /// # Errors
    /// As [`Celsius::new`].
    pub const fn offset(self, kelvins: f64) -> Result<Self, Error> {
        Self::new(self.0 + kelvins)
    }

    /// Returns the degrees Celsius.
    pub const fn degrees(self) -> f64 {
        self.0
    }

    /// Returns the degrees Fahrenheit.
    pub const fn fahrenheit(self) -> f64 {
        self.0 * 1.8 + 32.0
    }

    /// Returns the kelvins.
    pub const fn kelvin(self) -> f64 {
        self.0 + 273.15
    }

    /// For numbers of this crate that are in range by their making.
    pub(crate) const fn known(degrees: f64) -> Self {
        Self(degrees)
    }
}

/// Returns degrees Fahrenheit in degrees Celsius.
pub(crate) const fn celsius_of(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) / 1.8
}

/// A pressure in kilopascals.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Kilopascals(pub f64);

/// A relative humidity over liquid water, 0 to 100 %.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct RelativeHumidity(f64);

impl RelativeHumidity {
    /// Checks a humidity in percent.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside 0 to 100, and for what is no number.
    pub const fn new(percent: f64) -> Result<Self, Error> {
        match within("a relative humidity", "%", percent, 0.0, 100.0) {
            Ok(percent) => Ok(Self(percent)),
            Err(error) => Err(error),
        }
    }

    /// Returns the percent.
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// Returns the share, 0 to 1.
    pub(crate) const fn share(self) -> f64 {
        self.0 / 100.0
    }
}

/// The least and the greatest temperature of a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayExtremes {
    min: Celsius,
    max: Celsius,
}

impl DayExtremes {
    /// Checks the extremes of a day; a day without change has two equal ones.
    ///
    /// # Errors
    /// [`Error::Order`] where the minimum lies above the maximum.
    pub const fn new(min: Celsius, max: Celsius) -> Result<Self, Error> {
        if min.0 > max.0 {
            let (lower, higher) = ("the minimum of a day", "its maximum");
            return Err(Error::Order { lower, low: min.0, higher, high: max.0, unit: "°C" });
        }
        Ok(Self { min, max })
    }

    /// Returns the minimum.
    pub const fn min(self) -> Celsius {
        self.min
    }

    /// Returns the maximum.
    pub const fn max(self) -> Celsius {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_temperature_or_humidity_is_refused() {
        for degrees in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -200.1, 200.1, -273.15] {
            assert!(Celsius::new(degrees).is_err(), "{degrees}");
        }
        for percent in [f64::NAN, -0.1, 100.1, 999.9] {
            assert!(RelativeHumidity::new(percent).is_err(), "{percent}");
        }
        assert!(Celsius::new(200.0).is_ok() && Celsius::new(-200.0).is_ok());
    }

    #[test]
    fn degrees_fahrenheit_are_converted_both_ways() {
        for (fahrenheit, celsius) in [(32.0, 0.0), (212.0, 100.0), (-40.0, -40.0), (95.0, 35.0)] {
            assert_eq!(Celsius::from_fahrenheit(fahrenheit).unwrap().degrees(), celsius);
            assert_eq!(Celsius::new(celsius).unwrap().fahrenheit(), fahrenheit);
        }
    }

    #[test]
    fn a_day_has_its_minimum_below_its_maximum() {
        let of = |degrees| Celsius::new(degrees).unwrap();
        assert!(DayExtremes::new(of(8.0), of(12.0)).is_ok());
        assert!(DayExtremes::new(of(8.0), of(8.0)).is_ok());
        assert!(DayExtremes::new(of(12.0), of(8.0)).is_err());
    }
}
