//! How hot air feels to the people who work in it.

use crate::error::within;
use crate::{Celsius, Error, RelativeHumidity};

/// The hottest air that is taken, in degrees Celsius: the regression's charts end at 43 °C (110
/// °F), and beyond 49 °C (120 °F) it says nothing.
pub const HEAT_INDEX_AIR_C_MAX: f64 = 49.0;
/// Up to here air feels as it is, in degrees Fahrenheit.
const COOL_F: f64 = 40.0;
/// Below this simple index the regression is not used, in degrees Fahrenheit.
const SIMPLE_F: f64 = 80.0;

/// Returns the heat index: the temperature that air feels like in the shade and a light wind.
///
/// Rothfusz 1990, National Weather Service Technical Attachment SR 90-23, the regression of
/// Steadman's tables with both adjustments; below 80 °F the simple formula, as "The Heat Index
/// Equation" of the Weather Prediction Center puts it: computed first and averaged with the
/// temperature. Good to 1.3 °F from 80 to 112 °F; below 80 °F it says little more than the
/// temperature. Full sun adds up to 8 °C. MetPy (after Anderson, Bell and Peng 2013,
/// doi:10.1289/ehp.1206273) does not average again, and differs from this by up to 1 °F about 80
/// °F.
///
/// # Errors
/// [`Error::OutOfRange`] for air above [`HEAT_INDEX_AIR_C_MAX`].
pub fn heat_index(air: Celsius, humidity: RelativeHumidity) -> Result<Celsius, Error> {
    let what = "the air of a heat index";
    within(what, "°C", air.degrees(), crate::TEMPERATURE_C_MIN, HEAT_INDEX_AIR_C_MAX)?;
    let (t, h) = (air.fahrenheit(), humidity.percent());
    if t <= COOL_F {
        return Ok(air);
    }
    let simple = (t + 61.0 + (t - 68.0) * 1.2 + h * 0.094) / 2.0;
    let simple = (simple + t) / 2.0;
    if simple < SIMPLE_F {
        return Celsius::from_fahrenheit(simple);
    }
    Celsius::from_fahrenheit(regression_f(t, h) + adjustment_f(t, h))
}

fn regression_f(t: f64, h: f64) -> f64 {
    -42.379 + 2.049_015_23 * t + 10.143_331_27 * h
        - 0.224_755_41 * t * h
        - 6.837_83e-3 * t * t
        - 5.481_717e-2 * h * h
        + 1.228_74e-3 * t * t * h
        + 8.528_2e-4 * t * h * h
        - 1.99e-6 * t * t * h * h
}

/// Returns what dry heat takes off and damp warmth adds, in degrees Fahrenheit.
fn adjustment_f(t: f64, h: f64) -> f64 {
    if h <= 13.0 && (80.0..=112.0).contains(&t) {
        -(13.0 - h) / 4.0 * ((17.0 - (t - 95.0).abs()) / 17.0).max(0.0).sqrt()
    } else if h > 85.0 && (80.0..=87.0).contains(&t) {
        0.02 * (h - 85.0) * (87.0 - t)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index_f(air_f: f64, percent: f64) -> f64 {
        let humidity = RelativeHumidity::new(percent).unwrap();
        heat_index(Celsius::from_fahrenheit(air_f).unwrap(), humidity).unwrap().fahrenheit()
    }

    /// The vectors of the project's agronomy notes, in °F; MetPy prints the same, rounded to
    /// degrees.
    #[test]
    fn it_follows_the_table() {
        for (air, percent, expect, tolerance) in [
            (80.0, 40.0, 79.79, 5.1e-3),
            (88.0, 100.0, 121.208_3, 5.1e-5),
            (92.0, 70.0, 112.181_9, 5.1e-5),
            (110.0, 40.0, 135.657, 5.1e-4),
            (86.0, 88.0, 104.194_7, 5.1e-5),
            (96.0, 65.0, 121.031_6, 5.1e-5),
            (86.0, 45.0, 86.569_2, 5.1e-5),
            (111.0, 27.0, 121.025_4, 5.1e-5),
            (96.0, 60.0, 116.131_2, 5.1e-5),
            (95.0, 70.0, 122.613, 5.1e-4),
        ] {
            let found = index_f(air, percent);
            assert!((found - expect).abs() < tolerance, "{air}/{percent}: {found}");
        }
        let humidity = RelativeHumidity::new(70.0).unwrap();
        let index = heat_index(Celsius::new(35.0).unwrap(), humidity).unwrap();
        assert!((index.degrees() - 50.340_6).abs() < 1e-4);
    }

    /// MetPy 1.7 where it does the same: cool air as it is, and both adjustments.
    #[test]
    fn the_other_branches_are_those_of_metpy() {
        for (air, percent, expect) in [
            (40.0, 90.0, 40.0),
            (20.0, 50.0, 20.0),
            (90.0, 90.0, 121.901_204),
            (90.0, 5.0, 84.451_744),
            (112.0, 13.0, 108.988_889),
            (112.0, 5.0, 103.650_569),
            (82.0, 95.0, 93.972_167),
            (87.0, 86.0, 106.585_045),
        ] {
            let found = index_f(air, percent);
            assert!((found - expect).abs() < 5.1e-6, "{air}/{percent}: {found}");
        }
        // The simple formula, averaged: (60 + 59.93) / 2.
        assert!((index_f(60.0, 90.0) - 59.965).abs() < 1e-9);
    }

    #[test]
    fn air_that_nobody_works_in_is_refused() {
        let humidity = RelativeHumidity::new(50.0).unwrap();
        assert!(heat_index(Celsius::new(49.1).unwrap(), humidity).is_err());
    }

    proptest! {
        #[test]
        fn it_is_finite_and_damp_heat_feels_hotter_than_dry(
            air in -200.0..=49.0_f64, percent in 0.0..=100.0_f64,
        ) {
            let of = |percent| {
                let humidity = RelativeHumidity::new(percent).unwrap();
                heat_index(Celsius::new(air).unwrap(), humidity).unwrap()
            };
            prop_assert!(of(percent).degrees().is_finite());
            prop_assert!(of(100.0).degrees() >= of(0.0).degrees() - 1e-9);
        }
    }
}
