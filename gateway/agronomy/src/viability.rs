//! How long seed stays alive in store: the improved seed viability equation.
//!
//! Of orthodox seed, which bears drying, kept airtight at a constant moisture and temperature. Tea
//! and bamboo are no such seed. It predicts a mean: a test of the lot decides.

use crate::error::within;
use crate::{Celsius, Error};

/// The temperatures in which the equation was tested, in degrees Celsius.
pub const STORE_C: (f64, f64) = (-20.0, 90.0);
/// The moisture contents in which the equation was tested, in percent of fresh weight. Towards the
/// lower end lies a limit of each species below which drying gains nothing more (Ellis, Hong and
/// Roberts 1992, Annals of Botany 69:53–58); the equation does not know it and promises too much.
pub const SEED_MOISTURE_PERCENT: (f64, f64) = (2.0, 25.0);
/// The viabilities that have a probit here, in percent. All seeds or none of them have none: what a
/// test found is moved off these ends by [`viability_of_test`].
pub const VIABILITY_PERCENT: (f64, f64) = (1e-6, 100.0 - 1e-6);
/// The longest storage that is taken, in days: 10,000 years.
const STORAGE_DAYS_MAX: f64 = 3_652_500.0;

/// The viability constants of a species.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViabilityConstants {
    /// How long it lives at all.
    ke: f64,
    /// How it takes moisture.
    cw: f64,
    /// How it takes temperature.
    ch: f64,
    /// And its square.
    cq: f64,
}

impl ViabilityConstants {
    /// Checks the constants KE, CW, CH and CQ of a species, as published.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for what is not among the orders of any known species.
    pub const fn new(ke: f64, cw: f64, ch: f64, cq: f64) -> Result<Self, Error> {
        if let Err(error) = within("the viability constant KE", "", ke, 0.0, 20.0) {
            return Err(error);
        }
        if let Err(error) = within("the viability constant CW", "", cw, 0.0, 20.0) {
            return Err(error);
        }
        if let Err(error) = within("the viability constant CH", "", ch, 0.0, 1.0) {
            return Err(error);
        }
        if let Err(error) = within("the viability constant CQ", "", cq, 0.0, 0.1) {
            return Err(error);
        }
        Ok(Self { ke, cw, ch, cq })
    }

    /// Returns the constants of a species by its botanical name, as in MCPD (genus and species);
    /// `None` where none were read in a source: a species without is not like another.
    pub fn of_species(name: &str) -> Option<Self> {
        let (_, ke, cw) = TWELVE_CROPS.iter().find(|(species, ..)| *species == name)?;
        Some(Self { ke: *ke, cw: *cw, ch: TWELVE_CROPS_CH, cq: TWELVE_CROPS_CQ })
    }
}

/// KE and CW of twelve crops.
///
/// Ellis and Hong 2007, Seed Science and Technology 35:432–444, the abstract
/// (centaur.reading.ac.uk, item 8496), doi:10.15258/sst.2007.35.2.18: 39 lots at 2 to 25 % moisture
/// and 0 to 50 °C.
const TWELVE_CROPS: [(&str, f64, f64); 12] = [
    ("Zea mays", 9.993, 5.993),
    ("Sorghum bicolor", 9.381, 5.379),
    ("Pennisetum typhoides", 9.336, 5.540),
    ("Beta vulgaris", 8.988, 4.969),
    ("Oryza glaberrima", 8.786, 4.727),
    ("Triticum aestivum", 8.498, 4.836),
    ("Setaria italica", 8.478, 4.829),
    ("Saccharum sp.", 8.454, 4.964),
    ("Eleusine coracana", 8.288, 4.345),
    ("Paspalum scrobiculatum", 8.138, 4.435),
    ("Oryza sativa", 8.096, 4.246),
    ("Solanum tuberosum", 8.037, 5.152),
];
/// CH and CQ, which do not differ among them.
const TWELVE_CROPS_CH: f64 = 0.032_2;
const TWELVE_CROPS_CQ: f64 = 0.000_454;

/// How seed is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeedStore {
    moisture_percent: f64,
    temperature: Celsius,
}

impl SeedStore {
    /// Checks the moisture of seed, in percent of fresh weight, and the temperature of its store.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside of [`SEED_MOISTURE_PERCENT`] and [`STORE_C`].
    pub fn new(moisture_percent: f64, temperature: Celsius) -> Result<Self, Error> {
        let (low, high) = SEED_MOISTURE_PERCENT;
        within("a seed moisture", "%", moisture_percent, low, high)?;
        let (low, high) = STORE_C;
        within("the temperature of a seed store", "°C", temperature.degrees(), low, high)?;
        Ok(Self { moisture_percent, temperature })
    }
}

/// Returns in how many days seed loses one probit of viability (σ).
///
/// Ellis and Roberts 1980, Annals of Botany 45:13–30, doi:10.1093/oxfordjournals.aob.a085797, the
/// improved equation: log10 σ = KE - CW log10 m - CH t - CQ t².
pub fn days_of_a_probit(constants: ViabilityConstants, store: SeedStore) -> f64 {
    let ViabilityConstants { ke, cw, ch, cq } = constants;
    let (m, t) = (store.moisture_percent, store.temperature.degrees());
    10_f64.powf(ke - cw * m.log10() - ch * t - cq * t * t)
}

/// Returns the viability of a seed lot after some days in store, in percent.
///
/// Ellis and Roberts 1980 (see [`days_of_a_probit`]): v = Ki - p/σ in probits.
///
/// # Errors
/// [`Error::OutOfRange`] for a first viability outside of [`VIABILITY_PERCENT`] and for days below
/// 0 or above 10,000 years.
pub fn viability_after(
    first_percent: f64,
    days: f64,
    constants: ViabilityConstants,
    store: SeedStore,
) -> Result<f64, Error> {
    let days = within("a storage", "d", days, 0.0, STORAGE_DAYS_MAX)?;
    Ok(percent_of(probit(first_percent)? - days / days_of_a_probit(constants, store)))
}

/// Returns after how many days a seed lot has come down to a viability; 0 where it is there
/// already.
///
/// Ellis and Roberts 1980 (see [`days_of_a_probit`]): p = σ (Ki - v).
///
/// # Errors
/// [`Error::OutOfRange`] for viabilities outside of [`VIABILITY_PERCENT`].
pub fn days_to_viability(
    first_percent: f64,
    last_percent: f64,
    constants: ViabilityConstants,
    store: SeedStore,
) -> Result<f64, Error> {
    let lost = probit(first_percent)? - probit(last_percent)?;
    Ok((lost * days_of_a_probit(constants, store)).max(0.0))
}

/// Returns the half-viability period of a seed lot (p50), in days.
///
/// Ellis and Roberts 1980 (see [`days_of_a_probit`]): p50 = Ki σ.
///
/// # Errors
/// As [`days_to_viability`].
pub fn half_viability_days(
    first_percent: f64,
    constants: ViabilityConstants,
    store: SeedStore,
) -> Result<f64, Error> {
    days_to_viability(first_percent, 50.0, constants, store)
}

/// Returns the viability that a germination test found, in percent, moved off 0 and 100 by a
/// quarter of a seed, so that it has a probit.
///
/// Miller and Tainter 1944, Experimental Biology and Medicine 57:261–264,
/// doi:10.3181/00379727-57-14776.
///
/// # Errors
/// [`Error::Order`] where more germinated than were sown, [`Error::OutOfRange`] where none was
/// sown.
pub fn viability_of_test(germinated: u32, sown: u32) -> Result<f64, Error> {
    let (low, high) = (f64::from(germinated), f64::from(sown));
    within("the seeds of a germination test", "", high, 1.0, f64::from(u32::MAX))?;
    if germinated > sown {
        let (lower, higher) = ("the germinated seeds", "the sown ones");
        return Err(Error::Order { lower, low, higher, high, unit: "seeds" });
    }
    Ok(100.0 * low.clamp(0.25, high - 0.25) / high)
}

/// Returns the probit of a percentage: how many standard deviations of the normal distribution it
/// lies above 50 %.
///
/// Bliss 1934, Science 79:38–39, doi:10.1126/science.79.2037.38, without the 5 that he added. The
/// inverse of [`percent_of_probit`], by bisection to 1e-12.
///
/// # Errors
/// [`Error::OutOfRange`] outside of [`VIABILITY_PERCENT`].
pub fn probit(percent: f64) -> Result<f64, Error> {
    let (low, high) = VIABILITY_PERCENT;
    let percent = within("a viability", "%", percent, low, high)?;
    // 1e-6 % lies 5.6 standard deviations below the middle.
    let (mut low, mut high) = (-6.0, 6.0);
    while high - low > 1e-12 {
        let middle = (low + high) / 2.0;
        if percent_of(middle) < percent { low = middle } else { high = middle }
    }
    Ok((low + high) / 2.0)
}

/// Returns the percentage of a probit.
///
/// # Errors
/// [`Error::OutOfRange`] for what is no number.
pub fn percent_of_probit(probit: f64) -> Result<f64, Error> {
    Ok(percent_of(within("a probit", "", probit, f64::MIN, f64::MAX)?))
}

/// Returns the normal distribution in percent, to 1e-13.
///
/// Marsaglia 2004, Journal of Statistical Software 11(4), equation 3, doi:10.18637/jss.v011.i04.
fn percent_of(probit: f64) -> f64 {
    let x = probit.abs();
    // Beyond 8.3 standard deviations nothing is left that a number of 16 digits could show.
    if x > 8.3 {
        return if probit < 0.0 { 0.0 } else { 100.0 };
    }
    let (mut sum, mut term, mut next) = (x, x, 3.0);
    while term > sum * 1e-17 {
        term *= x * x / next;
        sum += term;
        next += 2.0;
    }
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let beyond = (density * sum).min(0.5).copysign(probit);
    100.0 * (0.5 + beyond)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    fn store(moisture: f64, degrees: f64) -> SeedStore {
        SeedStore::new(moisture, Celsius::new(degrees).unwrap()).unwrap()
    }

    /// Rice as in the examples of the viabilitymetrics package for R, its entry 87.
    fn rice_87() -> ViabilityConstants {
        ViabilityConstants::new(8.242, 4.345, 0.030_7, 0.000_501).unwrap()
    }

    /// The examples of viabilitymetrics: a year at 10 % and 5 °C from 98 % and from 50 of 50 seeds;
    /// ten years from 98 to 95 % at 8.900918 % and 5 °C, and at 8 % and 10.252 °C.
    #[test]
    fn rice_keeps_as_in_the_published_examples() {
        let year = |first| viability_after(first, 365.0, rice_87(), store(10.0, 5.0)).unwrap();
        near(year(98.0), 97.647_97, 5.1e-6);
        near(year(viability_of_test(50, 50).unwrap()), 99.392_94, 5.1e-6);
        let decade = |at| days_to_viability(98.0, 95.0, rice_87(), at).unwrap();
        near(decade(store(8.900_918, 5.0)), 3_650.0, 0.01);
        near(decade(store(8.0, 10.252)), 3_650.0, 0.1);
    }

    /// Tables of the normal distribution (Abramowitz and Stegun 1964, table 26.1).
    #[test]
    fn probits_are_those_of_the_table() {
        for (probit_of, percent) in [
            (0.0, 50.0),
            (1.0, 84.134_474_606_854_3),
            (2.0, 97.724_986_805_182_1),
            (3.0, 99.865_010_196_837_0),
            (-1.0, 15.865_525_393_145_7),
            (-4.0, 0.003_167_124_183_312),
            (1.959_963_984_540_05, 97.5),
        ] {
            near(percent_of_probit(probit_of).unwrap(), percent, 1e-11);
            near(probit(percent).unwrap(), probit_of, 1e-8);
        }
        assert_eq!(percent_of_probit(-40.0), Ok(0.0));
        assert_eq!(percent_of_probit(1e300), Ok(100.0));
    }

    #[test]
    fn the_twelve_crops_are_known_and_no_other() {
        let rice = ViabilityConstants::of_species("Oryza sativa").unwrap();
        assert_eq!(rice, ViabilityConstants::new(8.096, 4.246, 0.032_2, 0.000_454).unwrap());
        // Both estimates of rice agree on a genebank's store within a factor of two.
        let ratio = half_viability_days(95.0, rice, store(6.0, -18.0)).unwrap()
            / half_viability_days(95.0, rice_87(), store(6.0, -18.0)).unwrap();
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
        for name in ["Camellia sinensis", "Vaccinium corymbosum", "oryza sativa", ""] {
            assert_eq!(ViabilityConstants::of_species(name), None);
        }
    }

    #[test]
    fn half_of_a_lot_is_dead_after_its_half_viability_period() {
        let at = store(12.0, 25.0);
        let days = half_viability_days(95.0, rice_87(), at).unwrap();
        near(days, probit(95.0).unwrap() * days_of_a_probit(rice_87(), at), 1e-6);
        near(viability_after(95.0, days, rice_87(), at).unwrap(), 50.0, 1e-9);
        assert_eq!(days_to_viability(80.0, 85.0, rice_87(), at), Ok(0.0));
    }

    #[test]
    fn what_the_equation_was_not_tested_with_is_refused() {
        let at = |moisture, degrees| SeedStore::new(moisture, Celsius::new(degrees).unwrap());
        for (moisture, degrees) in [(1.9, 5.0), (25.1, 5.0), (f64::NAN, 5.0), (6.0, -196.0)] {
            assert!(at(moisture, degrees).is_err());
        }
        for percent in [0.0, 100.0, -1.0, f64::NAN] {
            assert!(probit(percent).is_err(), "{percent}");
        }
        assert!(viability_after(95.0, -1.0, rice_87(), store(10.0, 5.0)).is_err());
        assert!(viability_after(95.0, f64::NAN, rice_87(), store(10.0, 5.0)).is_err());
        assert!(ViabilityConstants::new(f64::NAN, 4.0, 0.03, 0.000_5).is_err());
        assert!(viability_of_test(51, 50).is_err() && viability_of_test(0, 0).is_err());
        near(viability_of_test(0, 50).unwrap(), 0.5, 1e-12);
        near(viability_of_test(49, 50).unwrap(), 98.0, 1e-12);
    }

    proptest! {
        #[test]
        fn drier_cooler_and_sooner_is_never_worse(
            first in 1.0..99.9_f64, days in 0.0..100_000.0_f64, moisture in 2.0..24.0_f64,
            degrees in -20.0..89.0_f64, more in 0.0..1.0_f64,
        ) {
            let after = |days, moisture, degrees| {
                viability_after(first, days, rice_87(), store(moisture, degrees)).unwrap()
            };
            let base = after(days, moisture, degrees);
            prop_assert!((0.0..=first + 1e-9).contains(&base));
            prop_assert!(after(days, moisture + more, degrees) <= base + 1e-9);
            prop_assert!(after(days, moisture, degrees + more) <= base + 1e-9);
            prop_assert!(after(days * (1.0 + more), moisture, degrees) <= base + 1e-9);
        }

        #[test]
        fn a_probit_and_its_percent_are_inverse(percent in 1e-6..=100.0_f64 - 1e-6) {
            let back = percent_of_probit(probit(percent).unwrap()).unwrap();
            prop_assert!((back - percent).abs() < 1e-9);
        }
    }
}
