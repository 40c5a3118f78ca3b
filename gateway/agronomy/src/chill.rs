//! What one hour of winter counts towards the end of rest, and one hour of spring towards bloom.
//!
//! None of these is a temperature: a sum of one can't be compared with a sum of another. How hours
//! are summed up is in `winter.rs`, the Dynamic Model in `dynamic.rs`.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::Celsius;
use crate::units::celsius_of;

/// The upper end of a chill hour, in degrees Celsius (45 °F).
const CHILL_HOUR_C: f64 = 7.2;

/// Whether an hour at exactly 0 °C is a chill hour. Below it none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freezing {
    /// It counts, 0 <= T <= 7.2 °C: Bennett 1949, California Agriculture 3(11):9–12, as in the
    /// chillR package.
    Counts,
    /// It does not, 0 < T <= 7.2 °C: Weinberger 1950, Proceedings of the American Society for
    /// Horticultural Science 56:122–128, as in the fruclimadapt package.
    DoesNotCount,
}

/// Returns whether an hour is a chill hour.
///
/// Sources with [`Freezing`]. Made for peach; judged weak in warm winters.
pub fn is_chill_hour(air: Celsius, freezing: Freezing) -> bool {
    let above = match freezing {
        Freezing::Counts => air.degrees() >= 0.0,
        Freezing::DoesNotCount => air.degrees() > 0.0,
    };
    above && air.degrees() <= CHILL_HOUR_C
}

/// The upper ends of the bins of the Utah model in degrees Celsius, each with its unit.
const UTAH: [(f64, f64); 6] =
    [(1.4, 0.0), (2.4, 0.5), (9.1, 1.0), (12.4, 0.5), (15.9, 0.0), (18.0, -0.5)];
/// The unit of an hour above all bins.
const UTAH_HOT: f64 = -1.0;

/// Returns the chill units of an hour by the Utah model, -1 to 1.
///
/// Richardson, Seeley and Walker 1974, HortScience 9:331–332, table 1. The upper end belongs to a
/// bin, the lower does not (chillR). Made for peach in Utah; in warm winters its sums fall below 0.
pub fn utah_chill_units(air: Celsius) -> f64 {
    UTAH.iter().find(|(end, _)| air.degrees() <= *end).map_or(UTAH_HOT, |(_, unit)| *unit)
}

/// The ends of the bins of the Mainland model: 45, 55 and 65 °F, in degrees Celsius.
const MAINLAND_C: [f64; 3] = [celsius_of(45.0), celsius_of(55.0), celsius_of(65.0)];

/// Returns the chill of an hour by the Mainland model, -1 to 1.
///
/// Mainland (North Carolina State University), Blueberry Chill Model of the North Carolina State
/// Climate Office: 1 below 45 °F, 0.5 up to 55 °F, -0.25 up to 65 °F, -1 from there on; the lower
/// end belongs to a bin. Made for blueberry in North Carolina, also below freezing. How its sum
/// starts and ends is in [`Winter`](crate::Winter).
pub fn mainland_chill_units(air: Celsius) -> f64 {
    let [cold, cool, mild] = MAINLAND_C;
    match air.degrees() {
        t if t < cold => 1.0,
        t if t < cool => 0.5,
        t if t < mild => -0.25,
        _ => -1.0,
    }
}

/// The base, the optimum and the ceiling of growing degree hours, in degrees Celsius.
const GROWING_C: (f64, f64, f64) = (4.0, 25.0, 36.0);

/// Returns the growing degree hours of an hour, 0 to 21.
///
/// Anderson, Richardson and Kesner 1986, Acta Horticulturae 184:71–78, equations 1 and 2 (ASYMCUR)
/// without stress, doi:10.17660/ActaHortic.1986.184.7: a cosine up from 4 to 25 °C and one down to
/// 36 °C. Made for sour cherry.
pub fn growing_degree_hours(air: Celsius) -> f64 {
    let (t, (base, optimum, ceiling)) = (air.degrees(), GROWING_C);
    let width = optimum - base;
    if (base..=optimum).contains(&t) {
        width / 2.0 * (1.0 + (PI + PI * (t - base) / width).cos())
    } else if t > optimum && t <= ceiling {
        let share = (t - optimum) / (ceiling - optimum);
        width * (1.0 + (FRAC_PI_2 + FRAC_PI_2 * share).cos())
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    /// The table of constant temperatures in the project's agronomy notes (chillR 0.77): whether an
    /// hour is one of chill, its Utah units and growing degree hours.
    #[test]
    fn an_hour_follows_the_table() {
        for (air, chill, utah, growing) in [
            (-2.0, false, 0.0, Some(0.0)),
            (0.0, true, 0.0, Some(0.0)),
            (1.4, true, 0.0, Some(0.0)),
            (2.0, true, 0.5, Some(0.0)),
            (2.4, true, 0.5, Some(0.0)),
            (4.0, true, 1.0, Some(0.0)),
            (5.0, true, 1.0, Some(0.117_276)),
            (6.0, true, 1.0, Some(0.466_486)),
            (7.0, true, 1.0, Some(1.039_827)),
            (7.2, true, 1.0, Some(1.180_349)),
            (8.0, false, 1.0, Some(1.824_493)),
            (9.1, false, 1.0, Some(2.910_654)),
            (10.0, false, 0.5, Some(3.953_357)),
            (12.0, false, 0.5, Some(6.663_919)),
            (12.4, false, 0.5, None),
            (13.0, false, 0.0, Some(8.163_530)),
            (15.9, false, 0.0, Some(12.683_073)),
            (18.0, false, -0.5, Some(15.75)),
            (20.0, false, -1.0, Some(18.197_045)),
        ] {
            assert_eq!(is_chill_hour(of(air), Freezing::Counts), chill, "{air}");
            assert_eq!(utah_chill_units(of(air)), utah, "{air}");
            if let Some(growing) = growing {
                assert!((growing_degree_hours(of(air)) - growing).abs() < 5.1e-7, "{air}");
            }
        }
    }

    #[test]
    fn the_two_chill_hours_differ_at_freezing_only() {
        for (air, counts, does_not) in
            [(-0.01, false, false), (0.0, true, false), (0.01, true, true), (7.21, false, false)]
        {
            assert_eq!(is_chill_hour(of(air), Freezing::Counts), counts);
            assert_eq!(is_chill_hour(of(air), Freezing::DoesNotCount), does_not);
        }
    }

    #[test]
    fn a_bin_of_utah_is_open_below_and_closed_above() {
        for (end, at, above) in [
            (1.4, 0.0, 0.5),
            (2.4, 0.5, 1.0),
            (9.1, 1.0, 0.5),
            (12.4, 0.5, 0.0),
            (15.9, 0.0, -0.5),
            (18.0, -0.5, -1.0),
        ] {
            assert_eq!(utah_chill_units(of(end)), at);
            assert_eq!(utah_chill_units(of(end + 1e-9)), above);
        }
    }

    #[test]
    fn a_bin_of_mainland_is_closed_below_and_open_above() {
        for (fahrenheit, at, below) in [(45.0, 0.5, 1.0), (55.0, -0.25, 0.5), (65.0, -1.0, -0.25)] {
            let edge = Celsius::from_fahrenheit(fahrenheit).unwrap();
            assert_eq!(mainland_chill_units(edge), at);
            assert_eq!(mainland_chill_units(edge.offset(-1e-9).unwrap()), below);
        }
        assert_eq!(mainland_chill_units(of(-10.0)), 1.0);
    }

    #[test]
    fn growth_is_greatest_at_its_optimum_and_ends_at_its_ceiling() {
        for (air, expect) in [(4.0, 0.0), (25.0, 21.0), (36.0, 0.0), (36.1, 0.0)] {
            assert!((growing_degree_hours(of(air)) - expect).abs() < 1e-12, "{air}");
        }
    }

    proptest! {
        #[test]
        fn every_hour_stays_in_its_bounds(air in -200.0..=200.0_f64) {
            let air = of(air);
            prop_assert!((-1.0..=1.0).contains(&utah_chill_units(air)));
            prop_assert!((-1.0..=1.0).contains(&mainland_chill_units(air)));
            prop_assert!((0.0..=21.0).contains(&growing_degree_hours(air)));
        }
    }
}
