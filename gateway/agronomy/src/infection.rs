//! How likely a fungus has infected, from how long leaves were wet and how warm it was.
//!
//! Each model is of the host and the fungus that it was made with. A number for another crop is a
//! guess, and which number asks for action is for the grower to say: no source gives levels.

use crate::error::within;
use crate::{Celsius, Error};

/// The longest wetness that is taken, in hours: a month.
const WET_HOURS_MAX: f64 = 744.0;

/// What an infection model says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Infection {
    /// The logit of the incidence.
    pub logit: f64,
    /// The share of fruit that is infected, 0 to 1.
    pub incidence: f64,
}

impl Infection {
    fn of(logit: f64) -> Self {
        Self { logit, incidence: 1.0 / (1.0 + (-logit).exp()) }
    }
}

fn hours(wet_hours: f64) -> Result<f64, Error> {
    within("a wetness", "h", wet_hours, 0.0, WET_HOURS_MAX)
}

/// Returns the incidence of grey mould (Botrytis cinerea) on **strawberry** fruit after a wetness
/// during flowering.
///
/// Bulger, Ellis and Madden 1987, Phytopathology 77:1225–1230, the logistic model of fruit
/// incidence, doi:10.1094/Phyto-77-1225. From 5 to 30 °C and up to 32 h of wetness; outside it
/// extrapolates, and 0 h still has the 1.4 % of its intercept. Some copies hold a coefficient ten
/// times too large.
///
/// # Errors
/// [`Error::OutOfRange`] below 0 h, above a month, and for what is no number.
pub fn botrytis_of_strawberry(wet_hours: f64, air: Celsius) -> Result<Infection, Error> {
    let (w, t) = (hours(wet_hours)?, air.degrees());
    let logit = -4.268 - 0.090_1 * w + 0.029_4 * w * t - 2.35e-5 * w * t.powi(3);
    Ok(Infection::of(logit))
}

/// Returns the incidence of anthracnose (Colletotrichum acutatum) on immature **strawberry** fruit
/// after a wetness.
///
/// Wilson, Madden and Ellis 1990, Phytopathology 80:111–116, the regression of the logit on W, WT,
/// WT² and WT³, doi:10.1094/Phyto-80-111. From 4 to 35 °C, where nothing was infected at either
/// end, and up to 51 h of wetness; outside it extrapolates.
///
/// # Errors
/// As [`botrytis_of_strawberry`].
pub fn anthracnose_of_strawberry(wet_hours: f64, air: Celsius) -> Result<Infection, Error> {
    let (w, t) = (hours(wet_hours)?, air.degrees());
    let logit = -3.7 + 0.33 * w - 0.069 * w * t + 0.005 * w * t * t - 9.3e-5 * w * t.powi(3);
    Ok(Infection::of(logit))
}

/// What the generic model must know of a fungus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pathogen {
    min: Celsius,
    optimum: Celsius,
    max: Celsius,
    wet_hours_min: f64,
    wet_hours_max: f64,
}

impl Pathogen {
    /// Checks the temperatures between which a fungus infects, and the wetness that it needs at the
    /// optimum and at most, in hours.
    ///
    /// # Errors
    /// [`Error::Order`] where the temperatures do not rise or the least wetness exceeds the
    /// greatest, [`Error::OutOfRange`] for a wetness of 0 h or less or above a month.
    pub fn new(
        [min, optimum, max]: [Celsius; 3],
        [wet_hours_min, wet_hours_max]: [f64; 2],
    ) -> Result<Self, Error> {
        let order =
            |lower, low, higher, high, unit| Error::Order { lower, low, higher, high, unit };
        for (lower, low, higher, high) in [
            ("the least temperature", min, "the optimum", optimum),
            ("the optimum", optimum, "the greatest temperature", max),
        ] {
            if low >= high {
                return Err(order(lower, low.degrees(), higher, high.degrees(), "°C"));
            }
        }
        for wet in [wet_hours_min, wet_hours_max] {
            within("a wetness that a fungus needs", "h", wet, f64::MIN_POSITIVE, WET_HOURS_MAX)?;
        }
        if wet_hours_min > wet_hours_max {
            let (lower, higher) = ("the least wetness", "the greatest");
            return Err(order(lower, wet_hours_min, higher, wet_hours_max, "h"));
        }
        Ok(Self { min, optimum, max, wet_hours_min, wet_hours_max })
    }
}

/// Returns how many hours of wetness a fungus needs to infect at a temperature; `None` where it
/// does not infect.
///
/// Magarey, Sutton and Russo 2005, Phytopathology 95:92–100, with the beta function of Yin and
/// others 1995 for temperature, doi:10.1094/PHYTO-95-0092. Generic: what it is worth depends on
/// what is known of the fungus.
pub fn wetness_needed_hours(air: Celsius, pathogen: Pathogen) -> Option<f64> {
    let (t, min) = (air.degrees(), pathogen.min.degrees());
    let (optimum, max) = (pathogen.optimum.degrees(), pathogen.max.degrees());
    if t <= min || t >= max {
        return None;
    }
    let falling = (max - t) / (max - optimum);
    let rising = (t - min) / (optimum - min);
    let response = falling * rising.powf((optimum - min) / (max - optimum));
    // Near the ends the response goes to 0 and the need to infinity, which the greatest cuts.
    Some((pathogen.wet_hours_min / response).min(pathogen.wet_hours_max))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The vectors of the project's agronomy notes, which three independent codes agree with.
    #[test]
    fn botrytis_and_anthracnose_follow_the_table() {
        for (wet, air, botrytis, anthracnose) in [
            (12.0, 20.0, (-0.549_200, 0.366_050), (-1.228_000, 0.226_532)),
            (24.0, 20.0, (3.169_600, 0.959_674), (1.244_000, 0.776_260)),
            (24.0, 15.0, (2.250_100, 0.904_659), (-1.153_000, 0.239_942)),
            (6.0, 10.0, (-3.185_600, 0.039_711), (-3.418_000, 0.031_738)),
            (18.0, 25.0, (0.730_825, 0.674_986), (1.283_750, 0.783_087)),
        ] {
            for (found, (logit, incidence)) in [
                (botrytis_of_strawberry(wet, of(air)).unwrap(), botrytis),
                (anthracnose_of_strawberry(wet, of(air)).unwrap(), anthracnose),
            ] {
                assert!((found.logit - logit).abs() < 5.1e-7, "{found:?}");
                assert!((found.incidence - incidence).abs() < 5.1e-7, "{found:?}");
            }
        }
    }

    fn zebook() -> Pathogen {
        Pathogen::new([of(7.0), of(18.0), of(30.0)], [10.0, 42.0]).unwrap()
    }

    /// The parameters of the ZeBook package's example: 7, 18 and 30 °C, 10 and 42 h.
    #[test]
    fn the_wetness_needed_follows_the_table() {
        for (air, expect) in [
            (8.0, 42.0),
            (10.0, 19.742_405),
            (12.0, 13.733_973),
            (15.0, 10.711_923),
            (18.0, 10.0),
            (20.0, 10.296_188),
            (22.0, 11.288_015),
            (25.0, 15.281_104),
            (28.0, 33.168_578),
        ] {
            let hours = wetness_needed_hours(of(air), zebook()).unwrap();
            assert!((hours - expect).abs() < 5.1e-7, "{hours} is not {expect}");
        }
        for air in [-5.0, 7.0, 30.0, 35.0] {
            assert_eq!(wetness_needed_hours(of(air), zebook()), None);
        }
    }

    #[test]
    fn what_is_no_wetness_or_fungus_is_refused() {
        for wet in [-1.0, 745.0, f64::NAN] {
            assert!(botrytis_of_strawberry(wet, of(20.0)).is_err());
            assert!(anthracnose_of_strawberry(wet, of(20.0)).is_err());
        }
        let [min, optimum, max] = [of(7.0), of(18.0), of(30.0)];
        assert!(Pathogen::new([optimum, min, max], [10.0, 42.0]).is_err());
        assert!(Pathogen::new([min, max, max], [10.0, 42.0]).is_err());
        assert!(Pathogen::new([min, optimum, max], [42.0, 10.0]).is_err());
        assert!(Pathogen::new([min, optimum, max], [0.0, 10.0]).is_err());
        assert!(Pathogen::new([min, optimum, max], [f64::NAN, 10.0]).is_err());
    }

    proptest! {
        #[test]
        fn incidences_and_needs_stay_in_their_bounds(
            wet in 0.0..=744.0_f64, air in -200.0..=200.0_f64,
        ) {
            for found in [
                botrytis_of_strawberry(wet, of(air)).unwrap(),
                anthracnose_of_strawberry(wet, of(air)).unwrap(),
            ] {
                prop_assert!((0.0..=1.0).contains(&found.incidence) && found.logit.is_finite());
            }
            if let Some(hours) = wetness_needed_hours(of(air), zebook()) {
                prop_assert!((10.0..=42.0).contains(&hours));
            }
        }
    }
}
