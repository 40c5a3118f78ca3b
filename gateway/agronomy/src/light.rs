//! Light for plants: photons over time, and what a lux meter or a pyranometer tells of them.

use crate::Error;
use crate::error::within;

/// How many lux of sunlight go with 1 µmol/(m² s) of photons of 400 to 700 nm.
///
/// Apogee Instruments, "Conversion - PPFD to Lux" (0.0185 µmol/(m² s) for a lux). Of sunlight
/// alone: lamps have their own, see [`Lamp`]. A light integral from a lux meter under other lamps
/// than the one it was converted for is an estimate.
pub const SUN_LUX_PER_MICROMOLE: f64 = 54.0;
/// The factors that a measured one must lie between: every lamp of [`Lamp`] does, and blue or red
/// light alone, which a lux meter can't be used for, does not.
const LUX_PER_MICROMOLE: (f64, f64) = (20.0, 120.0);
/// The brightest light that is taken, in lx: above the sun in space.
const ILLUMINANCE_LX_MAX: f64 = 200_000.0;
/// The most photons that are taken, in µmol/(m² s): twice the sun at noon.
const PPFD_UMOL_MAX: f64 = 5_000.0;
/// The most radiation that is taken, in W/m²: above the sun in space.
const RADIATION_W_MAX: f64 = 1_500.0;
/// Photons of 400 to 700 nm in global radiation, in µmol/J.
const MICROMOLES_A_JOULE: f64 = 2.3;
const HOUR_S: f64 = 3_600.0;

/// The micromoles of a mole of photons, by definition.
const MICROMOLES_A_MOLE: f64 = 1e6;

/// Where light comes from, which decides how many photons are in a lux.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lamp {
    /// Sunlight, the blue sky with it.
    Sun,
    /// The blue sky alone, in the shade of the sun.
    BlueSky,
    /// Fluorescent tubes, cool white.
    CoolWhiteFluorescent,
    /// High-pressure sodium, mogul base.
    SodiumMogul,
    /// High-pressure sodium, double-ended.
    SodiumDoubleEnded,
    /// Metal halide.
    MetalHalide,
    /// Ceramic metal halide 942 (4,200 K).
    CeramicMetalHalide942,
    /// Ceramic metal halide 930 (3,100 K).
    CeramicMetalHalide930,
    /// Incandescent bulbs.
    Incandescent,
    /// Another lamp. White light-emitting diodes differ by make, so nothing is known of them but
    /// what was measured beside a quantum sensor.
    Measured(LuxPerMicromole),
}

impl Lamp {
    /// Returns how many lux go with 1 µmol/(m² s) of photons of 400 to 700 nm.
    ///
    /// Apogee Instruments, "Conversion - PPFD to Lux"; blue sky and incandescent by Thimijan and
    /// Heins 1983, HortScience 18:818–822, table 3.
    pub const fn lux_per_micromole(self) -> f64 {
        match self {
            Self::Sun => SUN_LUX_PER_MICROMOLE,
            Self::BlueSky => 52.0,
            Self::CoolWhiteFluorescent => 74.0,
            Self::SodiumMogul => 82.0,
            Self::SodiumDoubleEnded => 77.0,
            Self::MetalHalide => 71.0,
            Self::CeramicMetalHalide942 => 65.0,
            Self::CeramicMetalHalide930 => 59.0,
            Self::Incandescent => 50.0,
            Self::Measured(factor) => factor.0,
        }
    }
}

/// How many lux go with 1 µmol/(m² s) of a lamp, as somebody has measured it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LuxPerMicromole(f64);

impl LuxPerMicromole {
    /// Checks a measured factor, in lx per µmol/(m² s).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside 20 to 120: no white light is there, so the factor may be
    /// upside down.
    pub const fn new(factor: f64) -> Result<Self, Error> {
        let (low, high) = LUX_PER_MICROMOLE;
        match within("a lamp's factor", "lx per µmol/(m² s)", factor, low, high) {
            Ok(factor) => Ok(Self(factor)),
            Err(error) => Err(error),
        }
    }
}

/// Returns the photon flux density of an illuminance by a lamp, in µmol/(m² s).
///
/// Sources as [`Lamp::lux_per_micromole`]; a proportion, at any brightness.
///
/// # Errors
/// [`Error::OutOfRange`] below 0 lx, above 200,000 lx, and for what is no number.
pub fn photon_flux(illuminance_lux: f64, lamp: Lamp) -> Result<f64, Error> {
    let lux = within("an illuminance", "lx", illuminance_lux, 0.0, ILLUMINANCE_LX_MAX)?;
    Ok(lux / lamp.lux_per_micromole())
}

/// Returns the photon flux density of sunlight of an illuminance, in µmol/(m² s). A proportion:
/// what is no illuminance is not refused.
pub fn photon_flux_of_sunlight(illuminance_lux: f64) -> f64 {
    illuminance_lux / SUN_LUX_PER_MICROMOLE
}

/// Returns the photon flux density of the sun's global radiation, in µmol/(m² s).
///
/// 2.3 µmol/J: half of the energy lies between 400 and 700 nm, at 4.6 µmol/J (Knauer and others
/// 2018, bigleaf, PLoS ONE 13:e0201114, doi:10.1371/journal.pone.0201114). Of the sun only; clouds
/// move it by some percent.
///
/// # Errors
/// [`Error::OutOfRange`] below 0 W/m², above 1,500 W/m², and for what is no number.
pub fn photon_flux_of_global_radiation(watts_per_m2: f64) -> Result<f64, Error> {
    let watts = within("a global radiation", "W/m²", watts_per_m2, 0.0, RADIATION_W_MAX)?;
    Ok(watts * MICROMOLES_A_JOULE)
}

/// Returns how many photons fell on a square metre, in mol, at a mean flux density for a time. A
/// proportion: what is no flux is not refused.
///
/// Korczynski, Logan and Faust 2002, HortTechnology 12:12–16: the daily light integral is the
/// photon flux density summed over the day, 0.0036 mol for an hour at 1 µmol/(m² s). By definition
/// at any flux.
pub fn light_integral(mean_ppfd_umol: f64, seconds: f64) -> f64 {
    mean_ppfd_umol * seconds / MICROMOLES_A_MOLE
}

/// Returns the daily light integral of a mean flux density that lasts some hours a day, in
/// mol/(m² d).
///
/// As [`light_integral`].
///
/// # Errors
/// [`Error::OutOfRange`] for a flux below 0 or above 5,000 µmol/(m² s), and for more than 24 hours.
pub fn daily_light_integral(mean_ppfd_umol: f64, hours: f64) -> Result<f64, Error> {
    let what = "a photon flux density";
    let ppfd = within(what, "µmol/(m² s)", mean_ppfd_umol, 0.0, PPFD_UMOL_MAX)?;
    let hours = within("the light of a day", "h", hours, 0.0, 24.0)?;
    Ok(light_integral(ppfd, hours * HOUR_S))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The project's agronomy notes: days of 20 h of lamp light (Gómez and others 2021 print 2.5,
    /// 5.0, 7.6 and 10.1).
    #[test]
    fn a_day_of_lamps_follows_the_table() {
        for (ppfd, expect) in [(35.0, 2.52), (70.0, 5.04), (105.0, 7.56), (140.0, 10.08)] {
            assert!((light_integral(ppfd, 20.0 * 3_600.0) - expect).abs() < 1e-9);
            assert!((daily_light_integral(ppfd, 20.0).unwrap() - expect).abs() < 1e-9);
        }
    }

    /// Apogee's page prints 40,800 lx for 200 µmol/(m² s) of sun, a misprint of 10,800.
    #[test]
    fn sunlight_of_10_800_lux_is_200_micromoles() {
        assert!((photon_flux_of_sunlight(10_800.0) - 200.0).abs() < 1e-9);
        assert_eq!(photon_flux(10_800.0, Lamp::Sun), Ok(200.0));
        assert_eq!(photon_flux_of_sunlight(0.0), 0.0);
    }

    #[test]
    fn each_lamp_has_the_factor_of_its_table() {
        let led = LuxPerMicromole::new(68.0).unwrap();
        for (lamp, lux) in [
            (Lamp::Sun, 54.0),
            (Lamp::BlueSky, 52.0),
            (Lamp::CoolWhiteFluorescent, 74.0),
            (Lamp::SodiumMogul, 82.0),
            (Lamp::SodiumDoubleEnded, 77.0),
            (Lamp::MetalHalide, 71.0),
            (Lamp::CeramicMetalHalide942, 65.0),
            (Lamp::CeramicMetalHalide930, 59.0),
            (Lamp::Incandescent, 50.0),
            (Lamp::Measured(led), 68.0),
        ] {
            assert_eq!(photon_flux(lux * 100.0, lamp), Ok(100.0), "{lamp:?}");
        }
    }

    /// The bigleaf package: 500 W/m² are 1,150 µmol/(m² s).
    #[test]
    fn radiation_of_500_watts_is_1_150_micromoles() {
        assert!((photon_flux_of_global_radiation(500.0).unwrap() - 1_150.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_light_is_refused() {
        for wrong in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(photon_flux(wrong, Lamp::Sun).is_err());
            assert!(photon_flux_of_global_radiation(wrong).is_err());
            assert!(daily_light_integral(wrong, 12.0).is_err());
            assert!(daily_light_integral(100.0, wrong).is_err());
        }
        // A factor in µmol per lux is upside down.
        assert!(LuxPerMicromole::new(0.0185).is_err() && LuxPerMicromole::new(0.0).is_err());
    }

    proptest! {
        #[test]
        fn light_adds_up_over_the_day(
            ppfd in 0.0..=5_000.0_f64, hours in 0.0..=24.0_f64, share in 0.0..=1.0_f64,
        ) {
            let whole = daily_light_integral(ppfd, hours).unwrap();
            let parts = daily_light_integral(ppfd, hours * share).unwrap()
                + daily_light_integral(ppfd, hours * (1.0 - share)).unwrap();
            prop_assert!((whole - parts).abs() < 1e-9 && whole >= 0.0);
        }
    }
}
