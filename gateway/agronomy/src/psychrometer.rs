//! Air pressure, and humidity from a wet and a dry thermometer.

use crate::error::within;
use crate::{Celsius, Error, Kilopascals, RelativeHumidity};
use crate::{saturation_vapour_pressure, vapour_pressure};

/// The lowest place on land and below it, in m; lower is refused.
pub const ALTITUDE_M_MIN: f64 = -500.0;
/// The top of the troposphere, where the formulas end, in m; higher is refused.
pub const ALTITUDE_M_MAX: f64 = 11_000.0;
/// The air pressures that are taken, in kPa: from above the highest mountain to below the lowest
/// valley in any weather.
const PRESSURE_KPA: (f64, f64) = (20.0, 115.0);

/// Returns the mean air pressure at an altitude, in kPa.
///
/// ASHRAE Handbook of Fundamentals 2017, chapter 1, equation 3 (the standard atmosphere), from
/// -500 to 11,000 m. The weather moves it by about 3 %.
///
/// # Errors
/// [`Error::OutOfRange`] outside of these altitudes.
pub fn air_pressure(altitude_m: f64) -> Result<Kilopascals, Error> {
    let altitude_m = altitude(altitude_m)?;
    Ok(Kilopascals(101.325 * (1.0 - 2.255_77e-5 * altitude_m).powf(5.255_9)))
}

/// Returns the mean air pressure at an altitude, in kPa, as evapotranspiration is computed with.
///
/// FAO-56 equation 7: air of 20 °C at sea level. Above [`air_pressure`] by 0.3 % at 1,800 m.
///
/// # Errors
/// As [`air_pressure`].
pub fn air_pressure_fao56(altitude_m: f64) -> Result<Kilopascals, Error> {
    let altitude_m = altitude(altitude_m)?;
    Ok(Kilopascals(101.3 * ((293.0 - 0.006_5 * altitude_m) / 293.0).powf(5.26)))
}

fn altitude(altitude_m: f64) -> Result<f64, Error> {
    within("an altitude", "m", altitude_m, ALTITUDE_M_MIN, ALTITUDE_M_MAX)
}

fn pressure_kpa(pressure: Kilopascals) -> Result<f64, Error> {
    within("an air pressure", "kPa", pressure.0, PRESSURE_KPA.0, PRESSURE_KPA.1)
}

/// Returns the psychrometric constant of air, in kPa/°C.
///
/// FAO-56 equation 8, with a latent heat of 2.45 MJ/kg (water of 20 °C).
///
/// # Errors
/// [`Error::OutOfRange`] for what is no air pressure of the Earth's surface (20 to 115 kPa).
pub fn psychrometric_constant_kpa_per_c(pressure: Kilopascals) -> Result<f64, Error> {
    Ok(0.000_665 * pressure_kpa(pressure)?)
}

/// How air moves past the wet thermometer of a psychrometer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ventilation {
    /// Drawn past at about 5 m/s (Assmann).
    Aspirated,
    /// By wind of about 1 m/s.
    Natural,
    /// Not at all, indoors.
    Indoor,
}

impl Ventilation {
    /// Returns the coefficient of the psychrometer, in 1/°C, as printed with FAO-56 equation 16.
    pub const fn coefficient_per_c(self) -> f64 {
        match self {
            Self::Aspirated => 0.000_662,
            Self::Natural => 0.000_800,
            Self::Indoor => 0.001_200,
        }
    }
}

/// Returns the vapour pressure of air from a dry and a wet thermometer, in kPa.
///
/// FAO-56 equations 15 and 16, over a wet thermometer that is not frozen.
///
/// # Errors
/// [`Error::Order`] where the wet thermometer is the warmer one, [`Error::OutOfRange`] for what is
/// no air pressure and where the thermometers are too far apart for any air.
pub fn vapour_pressure_of_bulbs(
    dry: Celsius,
    wet: Celsius,
    pressure: Kilopascals,
    ventilation: Ventilation,
) -> Result<Kilopascals, Error> {
    let (low, high) = (wet.degrees(), dry.degrees());
    if low > high {
        let (lower, higher) = ("the wet thermometer", "the dry one");
        return Err(Error::Order { lower, low, higher, high, unit: "°C" });
    }
    let gamma = ventilation.coefficient_per_c() * pressure_kpa(pressure)?;
    let vapour = saturation_vapour_pressure(wet).0 - gamma * (high - low);
    within("the vapour pressure of two thermometers", "kPa", vapour, 0.0, f64::MAX)?;
    Ok(Kilopascals(vapour))
}

/// Returns what an aspirated wet thermometer would show, in °C.
///
/// FAO-56 equations 15 and 16 solved by bisection to 1e-9 °C. Within 0.35 °C of ASHRAE's
/// thermodynamic wet bulb from 0 to 50 °C and 70 to 110 kPa, the most in dry heat.
///
/// # Errors
/// [`Error::OutOfRange`] for what is no air pressure.
pub fn wet_bulb(
    air: Celsius,
    humidity: RelativeHumidity,
    pressure: Kilopascals,
) -> Result<Celsius, Error> {
    let gamma = Ventilation::Aspirated.coefficient_per_c() * pressure_kpa(pressure)?;
    let vapour = vapour_pressure(air, humidity).0;
    // What is missing rises with the wet temperature; at the air's it is the deficit, 0 or more.
    let (mut low, mut high) = (crate::TEMPERATURE_C_MIN, air.degrees());
    while high - low > 1e-9 {
        let middle = low + (high - low) / 2.0;
        let missing = saturation_vapour_pressure(Celsius::new(middle)?).0
            - gamma * (air.degrees() - middle)
            - vapour;
        if missing < 0.0 { low = middle } else { high = middle }
    }
    Celsius::new(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::relative_humidity;

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The project's agronomy notes, in Pa; psychrolib 2.5.0 prints 95,461 and 89,875.
    #[test]
    fn pressure_by_altitude_follows_the_table() {
        for (altitude, expect) in [
            (0.0, 101_325.0),
            (250.0, 98_357.5),
            (500.0, 95_460.8),
            (700.0, 93_193.5),
            (1_000.0, 89_874.5),
            (1_500.0, 84_555.9),
        ] {
            near(air_pressure(altitude).unwrap().0 * 1e3, expect, 0.06);
        }
    }

    /// FAO-56 example 2 (1,800 m: 81.8 kPa, 0.054 kPa/°C) and example 4 (1.91 kPa of 19.5 and
    /// 25.6 °C at 1,200 m, 87.9 kPa).
    #[test]
    fn the_examples_of_fao_56_come_out() {
        near(air_pressure_fao56(1_800.0).unwrap().0, 81.8, 0.05);
        near(air_pressure_fao56(1_200.0).unwrap().0, 87.9, 0.05);
        near(psychrometric_constant_kpa_per_c(Kilopascals(81.8)).unwrap(), 0.054, 5e-4);
        let vapour =
            vapour_pressure_of_bulbs(of(25.6), of(19.5), Kilopascals(87.9), Ventilation::Aspirated);
        near(vapour.unwrap().0, 1.91, 5e-3);
    }

    /// psychrolib 2.5.0 at 101,325 Pa.
    #[test]
    fn the_wet_bulb_agrees_with_ashrae() {
        for (air, percent, expect) in [
            (20.0, 50.0, 13.7834),
            (25.0, 60.0, 19.4711),
            (30.0, 90.0, 28.5861),
            (5.0, 80.0, 3.5876),
            (35.0, 20.0, 18.8704),
        ] {
            let humidity = RelativeHumidity::new(percent).unwrap();
            let wet = wet_bulb(of(air), humidity, Kilopascals(101.325)).unwrap();
            near(wet.degrees(), expect, 0.15);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for altitude in [f64::NAN, -501.0, 11_001.0] {
            assert!(air_pressure(altitude).is_err() && air_pressure_fao56(altitude).is_err());
        }
        for pressure in [f64::NAN, 0.0, -1.0, 1_013.25] {
            assert!(psychrometric_constant_kpa_per_c(Kilopascals(pressure)).is_err());
        }
        let of_bulbs = |dry, wet| {
            let (at, aired) = (Kilopascals(101.3), Ventilation::Aspirated);
            vapour_pressure_of_bulbs(of(dry), of(wet), at, aired)
        };
        assert!(matches!(of_bulbs(20.0, 20.1), Err(Error::Order { .. })));
        assert!(matches!(of_bulbs(40.0, 5.0), Err(Error::OutOfRange { .. })));
        assert_eq!(of_bulbs(20.0, 20.0).unwrap(), saturation_vapour_pressure(of(20.0)));
    }

    proptest! {
        #[test]
        fn the_wet_bulb_lies_below_the_air_and_gives_its_humidity_back(
            air in -10.0..60.0_f64, percent in 1.0..=100.0_f64, kpa in 60.0..110.0_f64,
        ) {
            let (air, pressure) = (of(air), Kilopascals(kpa));
            let humidity = RelativeHumidity::new(percent).unwrap();
            let wet = wet_bulb(air, humidity, pressure).unwrap();
            prop_assert!(wet <= air);
            let aired = Ventilation::Aspirated;
            let vapour = vapour_pressure_of_bulbs(air, wet, pressure, aired).unwrap();
            let back = relative_humidity(air, vapour).unwrap().percent();
            prop_assert!((back - percent).abs() < 1e-4);
        }
    }
}
