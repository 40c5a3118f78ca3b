//! Thermal time at an instant: how fast warmth moves a plant on.

use crate::{Celsius, Error};

/// Between which temperatures a plant develops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cardinal {
    base: Celsius,
    upper: Option<Celsius>,
}

/// The base temperature of a crop that nobody has cited one for, in degrees Celsius: a proposal
/// (class G). 10 °C is what much of the literature takes for plants of warm regions.
pub const BASE_C_DEFAULT: f64 = 10.0;

impl Cardinal {
    /// The default: [`BASE_C_DEFAULT`] and no upper temperature.
    pub const DEFAULT: Self = Self { base: Celsius::known(BASE_C_DEFAULT), upper: None };

    /// Checks a base temperature and an upper one, which is open where nobody has measured it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for what is no temperature, [`Error::Order`] where the base lies above
    /// the upper one.
    pub fn new(base_c: f64, upper_c: Option<f64>) -> Result<Self, Error> {
        let base = Celsius::new(base_c)?;
        let upper = upper_c.map(Celsius::new).transpose()?;
        if let Some(high) = upper_c
            && base_c > high
        {
            let (lower, higher) = ("the base temperature", "the upper one");
            return Err(Error::Order { lower, low: base_c, higher, high, unit: "°C" });
        }
        Ok(Self { base, upper })
    }

    /// Returns the temperature below which nothing moves on.
    pub const fn base(self) -> Celsius {
        self.base
    }

    /// Returns the temperature above which nothing moves on faster.
    pub const fn upper(self) -> Option<Celsius> {
        self.upper
    }

    /// Returns the upper temperature in degrees Celsius, infinite where it is open.
    pub(crate) fn upper_c(self) -> f64 {
        self.upper.map_or(f64::INFINITY, Celsius::degrees)
    }
}

/// What becomes of development above the upper temperature.
///
/// Zalom, Goodell, Wilson, Barnett and Bentley 1983, Degree-days: the calculation and use of heat
/// units in pest management, University of California DANR Leaflet 21373.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cutoff {
    /// It goes on as fast as at the upper temperature.
    #[default]
    Horizontal,
    /// It slows down by as much as it had grown faster below, and stands still where nothing is
    /// left. Roltsch, Zalom, Strawn, Strand and Pitcairn 1999, International Journal of
    /// Biometeorology 42:169–176, doi:10.1007/s004840050101.
    Intermediate,
    /// It stands still.
    Vertical,
}

/// Returns how far the air is above the base temperature, counted at most up to the upper one, in
/// degrees Celsius. Its integral over days is the thermal time in degree-days.
///
/// McMaster and Wilhelm 1997, Agricultural and Forest Meteorology 87:291–300, equation 1 in their
/// interpretation 2 (temperatures are cut before they are averaged), taken at every instant instead
/// of at a day's extremes, doi:10.1016/S0168-1923(97)00027-0. The cut at the upper temperature is
/// the horizontal one of Zalom and others 1983. It holds where development runs in proportion to
/// temperature; that it slows down again in great heat is not in it.
pub fn effective_temperature(air: Celsius, cardinal: Cardinal) -> f64 {
    effective_temperature_cut(air, cardinal, Cutoff::Horizontal)
}

/// Returns how far the air is above the base temperature with a cutoff at the upper one, in degrees
/// Celsius.
///
/// As [`effective_temperature`]; sources of the others with [`Cutoff`]. At the upper temperature
/// itself none of them cuts anything.
pub fn effective_temperature_cut(air: Celsius, cardinal: Cardinal, cutoff: Cutoff) -> f64 {
    let (air_c, base_c, upper_c) = (air.degrees(), cardinal.base.degrees(), cardinal.upper_c());
    let rate = if air_c <= upper_c {
        air_c - base_c
    } else {
        match cutoff {
            Cutoff::Horizontal => upper_c - base_c,
            Cutoff::Intermediate => upper_c - base_c - (air_c - upper_c),
            Cutoff::Vertical => 0.0,
        }
    };
    rate.max(0.0)
}

/// The thermal time of a row of hours, and how many of them had no temperature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThermalSum {
    /// The thermal time of the hours that had a temperature, in °C d.
    pub degree_days: f64,
    /// How many hours had a temperature.
    pub known_hours: u32,
    /// How many hours had none: with any, the sum is what at least has passed.
    pub missing_hours: u32,
}

/// Takes the next hour: its mean temperature, or `None` where it has none, which is counted and adds
/// nothing.
///
/// As [`effective_temperature_cut`], a 24th of a day for each hour.
pub fn take_warm_hour(
    sum: &mut ThermalSum,
    hour: Option<Celsius>,
    cardinal: Cardinal,
    cutoff: Cutoff,
) {
    let Some(air) = hour else {
        sum.missing_hours = sum.missing_hours.saturating_add(1);
        return;
    };
    sum.known_hours = sum.known_hours.saturating_add(1);
    sum.degree_days += effective_temperature_cut(air, cardinal, cutoff) / 24.0;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The project's agronomy notes: McMaster and Wilhelm, interpretation 2, base 0 °C.
    #[test]
    fn a_day_of_two_temperatures_follows_the_table() {
        let cardinal = Cardinal::new(0.0, None).unwrap();
        for (max, min, expect) in [
            (20.0, 10.0, 15.0),
            (10.0, 1.0, 5.5),
            (8.0, -2.0, 4.0),
            (6.0, 0.0, 3.0),
            (10.0, 5.0, 7.5),
            (5.0, -5.0, 2.5),
            (-2.0, -7.0, 0.0),
            (10.0, -2.0, 5.0),
            (15.0, 2.0, 8.5),
        ] {
            let rate = |air| effective_temperature(of(air), cardinal);
            assert_eq!((rate(max) + rate(min)) / 2.0, expect, "{max}/{min}");
        }
    }

    /// Rice leaves appear between 11 and 26 °C in proportion to temperature.
    #[test]
    fn warmth_above_the_upper_temperature_is_cut_as_asked() {
        let rice = Cardinal::new(11.0, Some(26.0)).unwrap();
        for (air, horizontal, intermediate, vertical) in [
            (5.0, 0.0, 0.0, 0.0),
            (11.0, 0.0, 0.0, 0.0),
            (20.0, 9.0, 9.0, 9.0),
            (26.0, 15.0, 15.0, 15.0),
            (38.0, 15.0, 3.0, 0.0),
            (60.0, 15.0, 0.0, 0.0),
        ] {
            let by = |cutoff| effective_temperature_cut(of(air), rice, cutoff);
            assert_eq!(effective_temperature(of(air), rice), horizontal);
            assert_eq!(by(Cutoff::Horizontal), horizontal);
            assert_eq!(by(Cutoff::Intermediate), intermediate);
            assert_eq!(by(Cutoff::Vertical), vertical);
        }
    }

    #[test]
    fn a_day_of_hours_is_a_day_and_an_hour_without_temperature_is_told() {
        let rice = Cardinal::new(11.0, Some(26.0)).unwrap();
        let sum = |hours: &[Option<f64>]| {
            let mut sum = ThermalSum::default();
            for hour in hours {
                take_warm_hour(&mut sum, hour.map(of), rice, Cutoff::Horizontal);
            }
            sum
        };
        let whole = sum(&[[Some(21.0); 12], [Some(5.0); 12]].concat());
        assert!((whole.degree_days - 5.0).abs() < 1e-12);
        assert_eq!((whole.known_hours, whole.missing_hours), (24, 0));
        let holes = sum(&[[Some(21.0); 12], [None; 12]].concat());
        assert!((holes.degree_days - 5.0).abs() < 1e-12);
        assert_eq!((holes.known_hours, holes.missing_hours), (12, 12));
    }

    #[test]
    fn temperatures_that_are_none_or_crossed_are_refused() {
        assert!(matches!(Cardinal::new(30.0, Some(20.0)), Err(Error::Order { .. })));
        assert!(Cardinal::new(f64::NAN, None).is_err());
        assert!(Cardinal::new(10.0, Some(f64::NAN)).is_err());
        assert_eq!(Cardinal::new(BASE_C_DEFAULT, None), Ok(Cardinal::DEFAULT));
    }

    proptest! {
        #[test]
        fn it_never_falls_with_warmth_and_stays_in_its_bounds(
            air in -40.0..60.0_f64, more in 0.0..20.0_f64, base in 0.0..15.0_f64,
            width in 0.0..30.0_f64,
        ) {
            let cardinal = Cardinal::new(base, Some(base + width)).unwrap();
            let (cool, warm) = (
                effective_temperature(of(air), cardinal),
                effective_temperature(of(air + more), cardinal),
            );
            prop_assert!(0.0 <= cool && cool <= warm && warm <= width + 1e-9);
            for cutoff in [Cutoff::Intermediate, Cutoff::Vertical] {
                let cut = effective_temperature_cut(of(air), cardinal, cutoff);
                prop_assert!((0.0..=cool).contains(&cut));
            }
        }
    }
}
