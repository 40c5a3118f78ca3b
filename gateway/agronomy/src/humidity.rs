//! Water vapour in air.

use std::fmt;

/// A temperature in degrees Celsius.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Celsius(pub f64);

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
    /// [`HumidityError`] outside 0 to 100, and for what is no number.
    pub fn new(percent: f64) -> Result<Self, HumidityError> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(HumidityError(percent))
        }
    }

    /// Returns the percent.
    pub const fn percent(self) -> f64 {
        self.0
    }
}

/// A number that is no relative humidity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HumidityError(
    /// The number as given.
    pub f64,
);

impl fmt::Display for HumidityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a relative humidity must lie between 0 and 100 %, not {}", self.0)
    }
}

impl std::error::Error for HumidityError {}

/// The factor of the exponent in FAO-56 equation 11.
const TETENS_A: f64 = 17.27;
/// The offset of the exponent in FAO-56 equation 11, in degrees Celsius.
const TETENS_B_C: f64 = 237.3;
/// The saturation vapour pressure at 0 °C in FAO-56 equation 11, in kPa.
const TETENS_KPA: f64 = 0.6108;

/// Returns the saturation vapour pressure over liquid water, in kPa.
///
/// Allen, Pereira, Raes and Smith 1998, FAO Irrigation and Drainage Paper 56, equation 11
/// (Tetens). Against Buck 1996 it is within 0.3 % from -10 to 40 °C.
pub fn saturation_vapour_pressure(air: Celsius) -> Kilopascals {
    Kilopascals(TETENS_KPA * (TETENS_A * air.0 / (air.0 + TETENS_B_C)).exp())
}

/// Returns the vapour pressure deficit of air, in kPa: how much more vapour it could hold.
///
/// From FAO-56 equation 11 and the definition of relative humidity (FAO-56 equation 10). Of the
/// air, not of a leaf, whose temperature differs.
pub fn vapour_pressure_deficit(air: Celsius, humidity: RelativeHumidity) -> Kilopascals {
    Kilopascals(saturation_vapour_pressure(air).0 * (1.0 - humidity.0 / 100.0))
}

/// Returns the dew point of air, or `None` for perfectly dry air, which has none.
///
/// FAO-56 equation 11 solved for temperature. Within 0.1 °C of the Magnus form from -10 to 50 °C.
pub fn dew_point(air: Celsius, humidity: RelativeHumidity) -> Option<Celsius> {
    if humidity.0 <= 0.0 {
        return None;
    }
    let gamma = (humidity.0 / 100.0).ln() + TETENS_A * air.0 / (TETENS_B_C + air.0);
    Some(Celsius(TETENS_B_C * gamma / (TETENS_A - gamma)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    /// FAO-56 column of the table of saturation vapour pressure in the project's agronomy notes,
    /// five decimals; 15 and 24.5 °C agree with FAO-56 example 3 (1.705 and 3.075 kPa).
    #[test]
    fn saturation_follows_the_table() {
        for (air, expect) in [
            (-10.0, 0.285_71),
            (0.0, 0.610_80),
            (5.0, 0.872_31),
            (10.0, 1.227_96),
            (15.0, 1.705_35),
            (20.0, 2.338_28),
            (24.5, 3.074_65),
            (25.0, 3.167_78),
            (30.0, 4.243_07),
            (35.0, 5.622_68),
            (40.0, 7.375_61),
        ] {
            near(saturation_vapour_pressure(Celsius(air)).0, expect, 5e-6);
        }
    }

    #[test]
    fn deficit_and_dew_point_follow_the_table() {
        for (air, percent, deficit, dew) in [
            (20.0, 95.0, 0.1169, 19.1741),
            (22.0, 95.0, 0.1322, 21.1612),
            (24.0, 85.0, 0.4476, 21.3201),
            (25.0, 60.0, 1.2671, 16.6956),
            (25.0, 50.0, 1.5839, 13.8576),
            (30.0, 50.0, 2.1215, 18.4381),
            (35.0, 90.0, 0.5623, 33.1070),
            (10.0, 25.0, 0.9210, -9.0907),
        ] {
            let (air, humidity) = (Celsius(air), RelativeHumidity::new(percent).unwrap());
            near(vapour_pressure_deficit(air, humidity).0, deficit, 5e-5);
            near(dew_point(air, humidity).unwrap().0, dew, 5e-5);
        }
    }

    /// Sensirion's published dew points, made with the Magnus form.
    #[test]
    fn dew_point_is_close_to_the_sensor_maker_s() {
        let dry = dew_point(Celsius(25.0), RelativeHumidity::new(10.0).unwrap()).unwrap();
        near(dry.0, -8.77, 0.1);
        let wet = dew_point(Celsius(50.0), RelativeHumidity::new(90.0).unwrap()).unwrap();
        near(wet.0, 47.90, 0.1);
    }

    #[test]
    fn air_without_vapour_has_no_dew_point() {
        assert_eq!(dew_point(Celsius(20.0), RelativeHumidity::new(0.0).unwrap()), None);
        assert!(RelativeHumidity::new(100.1).is_err() && RelativeHumidity::new(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn dew_point_never_lies_above_the_air(air in -40.0..60.0_f64, percent in 0.01..=100.0_f64) {
            let humidity = RelativeHumidity::new(percent).unwrap();
            let dew = dew_point(Celsius(air), humidity).unwrap();
            prop_assert!(dew.0 <= air + 1e-9);
            let actual = saturation_vapour_pressure(dew).0;
            let deficit = vapour_pressure_deficit(Celsius(air), humidity).0;
            let whole = saturation_vapour_pressure(Celsius(air)).0;
            prop_assert!((actual + deficit - whole).abs() < 1e-9);
        }
    }
}
