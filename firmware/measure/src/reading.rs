//! A reading: a scaled integer, or the fault that stands in its place.

use core::fmt;

use crate::Quantity;

/// A value as a whole number of its quantity's smallest step: 23_500 is 23.5 °C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scaled(pub i32);

impl Scaled {
    /// Returns the nearest scaled value to `value`, which is in the unit of `quantity`.
    ///
    /// # Errors
    /// `OutOfRange` where `value` is no number or outside the quantity's gross range.
    pub fn from_f64(quantity: Quantity, value: f64) -> Result<Self, OutOfRange> {
        let (low, high) = quantity.range();
        let steps = value * f64::from(quantity.steps_per_unit());
        if !(steps >= f64::from(low) - 0.5 && steps <= f64::from(high) + 0.5) {
            return Err(OutOfRange { quantity });
        }
        // `f64::round` needs std; the range check has made the cast exact.
        let rounded = if steps < 0.0 { steps - 0.5 } else { steps + 0.5 };
        Ok(Self((rounded as i32).clamp(low, high)))
    }

    /// Returns the value in the unit of `quantity`, as the nearest `f64` to its decimal form.
    pub fn to_f64(self, quantity: Quantity) -> f64 {
        f64::from(self.0) / f64::from(quantity.steps_per_unit())
    }

    /// Returns whether the value lies in the gross range of `quantity`.
    pub fn is_in_range(self, quantity: Quantity) -> bool {
        let (low, high) = quantity.range();
        (low..=high).contains(&self.0)
    }
}

/// A value that its quantity's gross range does not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The quantity whose range was left.
    pub quantity: Quantity,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.quantity.range();
        write!(
            f,
            "{} must lie between {} and {} {}",
            self.quantity,
            Scaled(low).to_f64(self.quantity),
            Scaled(high).to_f64(self.quantity),
            self.quantity.ucum()
        )
    }
}

impl core::error::Error for OutOfRange {}

/// Why a reading has no value. The discriminant is its number on the wire and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Fault {
    /// No chip answered at the address.
    NotPresent = 1,
    /// The bus failed: arbitration, a stuck line, a time-out.
    Bus = 2,
    /// The answer came with a wrong checksum.
    Checksum = 3,
    /// The chip had no new measurement when it had to have one.
    NotReady = 4,
    /// The value lies outside what the sensor or the quantity can have.
    OutOfRange = 5,
    /// The input is saturated: too bright, too wet.
    Saturated = 6,
    /// The chip reports a failure of its own.
    Device = 7,
    /// The line is shorted: it does not come back to its idle level.
    Shorted = 8,
    /// The input is open: the wire to the sensor is broken or not plugged in.
    Open = 9,
    /// The probe answered that it will not do what it was asked.
    Refused = 10,
}

impl Fault {
    /// Every fault, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::NotPresent,
        Self::Bus,
        Self::Checksum,
        Self::NotReady,
        Self::OutOfRange,
        Self::Saturated,
        Self::Device,
        Self::Shorted,
        Self::Open,
        Self::Refused,
    ];

    /// Returns the number of the fault on the wire and on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the fault with this number, or `None` where no such fault is known.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }

    /// Returns the name used in files and the API, such as `not_present`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotPresent => "not_present",
            Self::Bus => "bus",
            Self::Checksum => "checksum",
            Self::NotReady => "not_ready",
            Self::OutOfRange => "out_of_range",
            Self::Saturated => "saturated",
            Self::Device => "device",
            Self::Shorted => "shorted",
            Self::Open => "open",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Fault {}

impl core::str::FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}

/// A name that is none of the known faults'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown fault")
    }
}

impl core::error::Error for UnknownFault {}

/// What a sensor gave: a value, or the fault in its place (invariant 1). Never a sentinel.
pub type Reading = Result<Scaled, Fault>;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(quantity: Quantity, value: f64, expect: Result<i32, OutOfRange>) {
        assert_eq!(Scaled::from_f64(quantity, value).map(|scaled| scaled.0), expect);
    }

    #[test]
    fn values_are_rounded_to_the_nearest_step() {
        check(Quantity::AirTemperature, 23.5, Ok(23_500));
        check(Quantity::AirTemperature, -12.500_6, Ok(-12_501));
        check(Quantity::RelativeHumidity, 99.999, Ok(10_000));
    }

    #[test]
    fn what_is_no_value_of_the_quantity_is_refused() {
        let quantity = Quantity::RelativeHumidity;
        for value in [100.01, -0.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(quantity, value, Err(OutOfRange { quantity }));
        }
    }

    #[test]
    fn a_scaled_value_prints_as_its_shortest_decimal() {
        extern crate std;
        let value = Scaled(23_457).to_f64(Quantity::AirTemperature);
        assert_eq!(std::format!("{value}"), "23.457");
    }

    #[test]
    fn names_and_numbers_lead_back_to_their_fault() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(Fault::from_code(fault.code()), Some(fault));
        }
    }
}
