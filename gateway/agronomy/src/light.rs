//! Light for plants: photons over time, and what a lux meter tells of them.

/// How many lux of sunlight go with 1 µmol/(m² s) of photons of 400 to 700 nm.
///
/// Apogee Instruments, "Conversion - PPFD to Lux" (0.0185 µmol/(m² s) for a lux). Of sunlight alone:
/// cool white fluorescent lamps have 74, high-pressure sodium 77 to 82, metal halide 71; a white
/// light-emitting diode depends on its make. A light integral from a lux meter under lamps is
/// therefore an estimate.
pub const SUN_LUX_PER_MICROMOLE: f64 = 54.0;

/// The seconds of a mole of photons at 1 µmol/(m² s), by definition.
const MICROMOLES_A_MOLE: f64 = 1e6;

/// Returns the photon flux density of sunlight of an illuminance, in µmol/(m² s).
pub fn photon_flux_of_sunlight(illuminance_lux: f64) -> f64 {
    illuminance_lux / SUN_LUX_PER_MICROMOLE
}

/// Returns how many photons fell on a square metre, in mol, at a mean flux density for a time.
/// Over a day it is the daily light integral.
///
/// Korczynski, Logan and Faust 2002, HortTechnology 12:12–16: the daily light integral is the
/// photon flux density summed over the day, 0.0036 mol for an hour at 1 µmol/(m² s). By definition
/// at any flux.
pub fn light_integral(mean_ppfd_umol: f64, seconds: f64) -> f64 {
    mean_ppfd_umol * seconds / MICROMOLES_A_MOLE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The project's agronomy notes: days of 20 h of lamp light.
    #[test]
    fn a_day_of_lamps_follows_the_table() {
        for (ppfd, expect) in [(35.0, 2.52), (70.0, 5.04), (105.0, 7.56), (140.0, 10.08)] {
            assert!((light_integral(ppfd, 20.0 * 3_600.0) - expect).abs() < 1e-9);
        }
    }

    #[test]
    fn sunlight_of_10_800_lux_is_200_micromoles() {
        assert!((photon_flux_of_sunlight(10_800.0) - 200.0).abs() < 1e-9);
        assert_eq!(photon_flux_of_sunlight(0.0), 0.0);
    }
}
