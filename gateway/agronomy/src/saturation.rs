//! How much water vapour air can hold.

use crate::{Celsius, DayExtremes, Kilopascals};

/// A published formula of the saturation vapour pressure over liquid water. Mixing two of them in
/// one calculation shifts a vapour pressure by up to 0.25 % at 25 °C.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Formula {
    /// Tetens as in Allen, Pereira, Raes and Smith 1998, FAO Irrigation and Drainage Paper 56,
    /// equation 11. What Miaopu computes with where nothing else is said. Within 0.3 % of Buck 1996
    /// from -10 to 40 °C.
    #[default]
    Fao56,
    /// Buck Research CR-1A User's Manual 1996, appendix 1, which revises Buck 1981, Journal of
    /// Applied Meteorology 20:1527–1532, `doi:10.1175/1520-0450(1981)020<1527:NEFCVP>2.0.CO;2`.
    /// Within 0.05 % of ASHRAE's formula (Hyland and Wexler 1983) from 0 to 50 °C.
    Buck1996,
    /// Magnus with the constants of Sensirion's application note "Introduction to Humidity", which
    /// are those of the WMO's guide (WMO-No. 8, annex 4.B; Sonntag 1990); for -45 to 60 °C.
    Magnus,
}

/// The numerator of the exponent in FAO-56 equation 11.
const TETENS_A: f64 = 17.27;
/// The offset of the exponent in FAO-56 equation 11, in degrees Celsius.
const TETENS_B_C: f64 = 237.3;
/// The saturation vapour pressure at 0 °C in FAO-56 equation 11, in kPa.
const TETENS_KPA: f64 = 0.6108;
const MAGNUS_A: f64 = 17.62;
const MAGNUS_B_C: f64 = 243.12;
const MAGNUS_KPA: f64 = 0.6112;
const BUCK_A: f64 = 18.678;
const BUCK_B_C: f64 = 257.14;
const BUCK_D_C: f64 = 234.5;
const BUCK_KPA: f64 = 0.611_21;
const BUCK_ICE_A: f64 = 23.036;
const BUCK_ICE_B_C: f64 = 279.82;
const BUCK_ICE_D_C: f64 = 333.7;
const BUCK_ICE_KPA: f64 = 0.611_15;

/// Returns the saturation vapour pressure over liquid water, in kPa.
///
/// FAO-56 equation 11, as [`Formula::Fao56`].
pub fn saturation_vapour_pressure(air: Celsius) -> Kilopascals {
    saturation_vapour_pressure_by(Formula::Fao56, air)
}

/// Returns the saturation vapour pressure over liquid water by a formula, in kPa.
///
/// Sources and ranges are those of each [`Formula`]; outside of them it extrapolates, and stays
/// above 0 and in order of temperature.
pub fn saturation_vapour_pressure_by(formula: Formula, air: Celsius) -> Kilopascals {
    let t = air.degrees();
    Kilopascals(match formula {
        Formula::Fao56 => TETENS_KPA * (TETENS_A * t / (t + TETENS_B_C)).exp(),
        Formula::Magnus => MAGNUS_KPA * (MAGNUS_A * t / (t + MAGNUS_B_C)).exp(),
        Formula::Buck1996 => BUCK_KPA * ((BUCK_A - t / BUCK_D_C) * (t / (BUCK_B_C + t))).exp(),
    })
}

/// Returns the saturation vapour pressure over ice, in kPa.
///
/// Buck 1996 (see [`Formula::Buck1996`]), for -80 to 0 °C; above 0 °C there is no ice to ask about,
/// and the number means nothing. A humidity sensor reports over liquid water also below 0 °C (WMO
/// convention), so this is for frost, not for its readings.
pub fn saturation_vapour_pressure_over_ice(ice: Celsius) -> Kilopascals {
    let t = ice.degrees();
    Kilopascals(BUCK_ICE_KPA * ((BUCK_ICE_A - t / BUCK_ICE_D_C) * (t / (BUCK_ICE_B_C + t))).exp())
}

/// Returns the temperature at which a vapour pressure saturates, in degrees Celsius: the dew point
/// of `share` of the saturation at `air`. Not bounded from below as `share` goes to 0.
pub(crate) fn saturated_at_c(formula: Formula, air: Celsius, share: f64) -> f64 {
    let t = air.degrees();
    match formula {
        Formula::Fao56 => {
            let gamma = share.ln() + TETENS_A * t / (TETENS_B_C + t);
            TETENS_B_C * gamma / (TETENS_A - gamma)
        }
        Formula::Magnus => {
            let gamma = share.ln() + MAGNUS_A * t / (MAGNUS_B_C + t);
            MAGNUS_B_C * gamma / (MAGNUS_A - gamma)
        }
        Formula::Buck1996 => {
            // The exponent set equal to gamma is a quadratic equation of the dew point.
            let gamma = share.ln() + (BUCK_A - t / BUCK_D_C) * (t / (BUCK_B_C + t));
            let half = BUCK_A - gamma;
            let root = (half * half - 4.0 * BUCK_B_C * gamma / BUCK_D_C).max(0.0).sqrt();
            BUCK_D_C / 2.0 * (half - root)
        }
    }
}

/// Returns the saturation vapour pressure of a day, in kPa: the mean of those at its extremes,
/// which is more than that at its mean temperature.
///
/// FAO-56 equation 12.
pub fn mean_saturation_vapour_pressure(day: DayExtremes) -> Kilopascals {
    let (low, high) =
        (saturation_vapour_pressure(day.min()), saturation_vapour_pressure(day.max()));
    Kilopascals((low.0 + high.0) / 2.0)
}

/// Returns how fast the saturation vapour pressure rises with temperature, in kPa/°C.
///
/// FAO-56 equation 13, the derivative of equation 11 with its factor rounded to 4098.
pub fn saturation_slope_kpa_per_c(air: Celsius) -> f64 {
    4_098.0 * saturation_vapour_pressure(air).0 / (air.degrees() + TETENS_B_C).powi(2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The table of saturation vapour pressure in the project's agronomy notes, five decimals; 15
    /// and 24.5 °C by FAO-56 agree with its example 3 (1.705 and 3.075 kPa).
    #[test]
    fn saturation_follows_the_table() {
        for (air, fao56, buck, magnus) in [
            (-10.0, 0.285_71, 0.286_56, 0.287_03),
            (0.0, 0.610_80, 0.611_21, 0.611_20),
            (5.0, 0.872_31, 0.872_44, 0.871_74),
            (10.0, 1.227_96, 1.227_86, 1.226_03),
            (15.0, 1.705_35, 1.705_17, 1.701_67),
            (20.0, 2.338_28, 2.338_34, 2.332_60),
            (25.0, 3.167_78, 3.168_53, 3.160_06),
            (30.0, 4.243_07, 4.245_13, 4.233_72),
            (35.0, 5.622_68, 5.626_75, 5.612_84),
            (40.0, 7.375_61, 7.382_36, 7.367_46),
        ] {
            let by = |formula| saturation_vapour_pressure_by(formula, of(air)).0;
            near(by(Formula::Fao56), fao56, 5.1e-6);
            near(by(Formula::Buck1996), buck, 5.1e-6);
            near(by(Formula::Magnus), magnus, 5.1e-6);
        }
        near(saturation_vapour_pressure(of(24.5)).0, 3.074_65, 5e-6);
    }

    /// ASHRAE Fundamentals as in psychrolib's tests, in Pa, themselves good to 3e-4. Another
    /// formula than ours, so 5e-4 for Buck and 1.2e-3 for FAO-56, of the value.
    #[test]
    fn water_and_ice_agree_with_ashrae() {
        for (ice, expect_pa) in [(-20.0, 103.24), (-5.0, 401.74)] {
            let pa = saturation_vapour_pressure_over_ice(of(ice)).0 * 1e3;
            near(pa, expect_pa, expect_pa * 5e-4);
        }
        for (water, expect_pa) in [(5.0, 872.6), (25.0, 3_169.7), (50.0, 12_351.3)] {
            let pa = |formula| saturation_vapour_pressure_by(formula, of(water)).0 * 1e3;
            near(pa(Formula::Buck1996), expect_pa, expect_pa * 5e-4);
            near(pa(Formula::Fao56), expect_pa, expect_pa * 1.2e-3);
        }
    }

    /// PyETo's tests, which are FAO-56's examples 3 and 13 to the digits printed there.
    #[test]
    fn mean_and_slope_are_those_of_fao_56() {
        let day = DayExtremes::new(of(15.0), of(24.5)).unwrap();
        near(mean_saturation_vapour_pressure(day).0, 2.39, 5e-3);
        near(saturation_slope_kpa_per_c(of(30.2)), 0.246, 5e-4);
    }

    const FORMULAS: [Formula; 3] = [Formula::Fao56, Formula::Buck1996, Formula::Magnus];

    proptest! {
        #[test]
        fn it_rises_with_temperature_and_its_inverse_finds_back(
            air in TEMPERATURES, more in 0.01..10.0_f64, which in 0..3_usize,
        ) {
            let formula = FORMULAS[which];
            let by = |degrees: f64| saturation_vapour_pressure_by(formula, of(degrees)).0;
            prop_assert!(by(air) > 0.0 && by(air) < by(air + more));
            let share = by(air - more) / by(air);
            prop_assert!((saturated_at_c(formula, of(air), share) - (air - more)).abs() < 1e-6);
        }

        #[test]
        fn any_temperature_has_a_finite_saturation(air in -200.0..=200.0_f64, which in 0..3_usize) {
            let value = saturation_vapour_pressure_by(FORMULAS[which], of(air)).0;
            prop_assert!(value.is_finite() && value > 0.0);
            prop_assert!(saturation_vapour_pressure_over_ice(of(air)).0.is_finite());
            prop_assert!(saturation_slope_kpa_per_c(of(air)) > 0.0);
        }
    }

    const TEMPERATURES: std::ops::Range<f64> = -60.0..100.0;
}
