//! Electrical conductivity and pH at a common temperature.

use crate::error::within;
use crate::{Celsius, Error};

/// The temperatures in which the ratio form of conductivity holds, in degrees Celsius.
pub const CONDUCTIVITY_C: (f64, f64) = (3.0, 47.0);
/// The greatest conductivity that is taken, in mS/cm: above saturated brine.
const CONDUCTIVITY_MS_PER_CM_MAX: f64 = 300.0;
/// The temperature that conductivities are compared at, in degrees Celsius.
const REFERENCE_C: f64 = 25.0;

/// How much conductivity grows with temperature, as a share of that at 25 °C for each degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compensation {
    /// 2 %: nutrient solutions in general, and Campbell Scientific's probes.
    TwoPercent,
    /// 1.9 %: natural waters and soils, and probes of the TEROS kind.
    OnePointNinePercent,
}

impl Compensation {
    /// Returns the share, in 1/°C.
    pub const fn per_c(self) -> f64 {
        match self {
            Self::TwoPercent => 0.02,
            Self::OnePointNinePercent => 0.019,
        }
    }
}

/// Returns the electrical conductivity at 25 °C of one that was measured at another temperature, in
/// the unit of the latter (mS/cm).
///
/// The ratio form, EC / (1 + k (T - 25)), by Ma, McBratney, Whelan, Minasny and Short 2011,
/// Precision Agriculture 12:55–66, doi:10.1007/s11119-009-9156-7, who find it good from 3 to 47 °C.
/// A probe that compensates itself must not be compensated again.
///
/// # Errors
/// [`Error::OutOfRange`] outside of these temperatures, below 0 and above 300 mS/cm, and for what
/// is no number.
pub fn conductivity_at_25_c(
    measured_ms_per_cm: f64,
    sample: Celsius,
    compensation: Compensation,
) -> Result<f64, Error> {
    let what = "a conductivity";
    let measured = within(what, "mS/cm", measured_ms_per_cm, 0.0, CONDUCTIVITY_MS_PER_CM_MAX)?;
    let (low, high) = CONDUCTIVITY_C;
    let t = within("the sample of a conductivity", "°C", sample.degrees(), low, high)?;
    Ok(measured / (1.0 + compensation.per_c() * (t - REFERENCE_C)))
}

/// The molar gas constant, in J/(mol K), exact since 2019 (CODATA 2018).
const GAS: f64 = 8.314_462_618_153_24;
/// The Faraday constant, in C/mol, exact since 2019 (CODATA 2018).
const FARADAY: f64 = 96_485.332_123_310_02;
/// Where glass electrodes give 0 mV at any temperature.
const ISOPOTENTIAL_PH: f64 = 7.0;
/// The acidities that are taken: what an electrode may say before it is found broken.
const PH: (f64, f64) = (-2.0, 16.0);

/// Returns the slope of a perfect pH electrode, in mV for each unit of pH.
///
/// Nernst's equation, ln(10) R T / F (IUPAC Recommendations 2002, Buck and others, Pure and Applied
/// Chemistry 74:2169–2200, doi:10.1351/pac200274112169). At any temperature of liquid water.
pub fn nernst_slope_mv_per_ph(sample: Celsius) -> f64 {
    std::f64::consts::LN_10 * GAS * sample.kelvin() / FARADAY * 1e3
}

/// Returns the pH that an electrode shows in a sample if its slope follows the temperature, from
/// what it showed when its slope was taken for that at the temperature of calibration.
///
/// Nernst's equation about an isopotential point at pH 7. It corrects the electrode alone: that the
/// pH of the sample itself changes with temperature is true, and is left in.
///
/// # Errors
/// [`Error::OutOfRange`] for a pH outside -2 to 16, and for what is no number.
pub fn ph_compensated(shown: f64, calibration: Celsius, sample: Celsius) -> Result<f64, Error> {
    let shown = within("a pH", "", shown, PH.0, PH.1)?;
    let ratio = nernst_slope_mv_per_ph(calibration) / nernst_slope_mv_per_ph(sample);
    Ok(ISOPOTENTIAL_PH + (shown - ISOPOTENTIAL_PH) * ratio)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The project's agronomy notes; published as 54.20, 56.18, 58.17, 59.16, 60.15 and 62.14.
    #[test]
    fn the_slope_follows_the_table() {
        for (sample, expect) in [
            (0.0, 54.198_8),
            (10.0, 56.183_0),
            (20.0, 58.167_2),
            (25.0, 59.159_3),
            (30.0, 60.151_5),
            (40.0, 62.135_7),
        ] {
            let slope = nernst_slope_mv_per_ph(of(sample));
            assert!((slope - expect).abs() < 6e-5, "{slope} is not {expect}");
        }
    }

    #[test]
    fn conductivity_at_25_degrees_follows_the_table() {
        for (sample, two, nineteen) in [
            (15.0, 1.25, 1.234_57),
            (20.0, 1.111_11, 1.104_97),
            (25.0, 1.0, 1.0),
            (30.0, 0.909_09, 0.913_24),
            (35.0, 0.833_33, 0.840_34),
        ] {
            let by = |compensation| conductivity_at_25_c(1.0, of(sample), compensation).unwrap();
            assert!((by(Compensation::TwoPercent) - two).abs() < 5.1e-6);
            assert!((by(Compensation::OnePointNinePercent) - nineteen).abs() < 5.1e-6);
        }
    }

    /// At 25 °C a slope of 59.159 mV; the same 177.478 mV are 3 units there and 2.951 at 30 °C.
    #[test]
    fn an_electrode_in_a_warmer_sample_has_a_steeper_slope() {
        let shown = |ph| ph_compensated(ph, of(25.0), of(30.0)).unwrap();
        assert!((shown(4.0) - (7.0 - 177.478 / 60.151_5)).abs() < 1e-4);
        assert_eq!(shown(7.0), 7.0);
        assert_eq!(ph_compensated(5.5, of(20.0), of(20.0)), Ok(5.5));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for measured in [-0.1, f64::NAN, 301.0] {
            assert!(conductivity_at_25_c(measured, of(20.0), Compensation::TwoPercent).is_err());
        }
        for sample in [2.9, 47.1] {
            assert!(conductivity_at_25_c(1.0, of(sample), Compensation::TwoPercent).is_err());
        }
        assert!(ph_compensated(f64::NAN, of(20.0), of(25.0)).is_err());
    }

    proptest! {
        #[test]
        fn compensating_there_and_back_changes_nothing(
            ph in 0.0..14.0_f64, one in 0.0..50.0_f64, other in 0.0..50.0_f64,
            ec in 0.0..300.0_f64, sample in 3.0..=47.0_f64,
        ) {
            let there = ph_compensated(ph, of(one), of(other)).unwrap();
            prop_assert!((ph_compensated(there, of(other), of(one)).unwrap() - ph).abs() < 1e-9);
            let at_25 = conductivity_at_25_c(ec, of(sample), Compensation::TwoPercent).unwrap();
            prop_assert!(at_25.is_finite() && at_25 >= 0.0);
        }
    }
}
