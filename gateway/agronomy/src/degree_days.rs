//! Degree-days of a day of which only the least and the greatest temperature are known.
//!
//! Where a day was measured throughout, the mean of
//! [`effective_temperature`](crate::effective_temperature) over it is better than any of these.
//!
//! Both curves are taken as symmetrical about the maximum. Areas of degree-days under them have
//! closed forms: Zalom and others 1983 (Leaflet 21373) tables 3 to 6 with their six cases, which
//! are written here as differences of one area above a threshold. Single triangle and single sine
//! see one day; the double ones run the second half day to the minimum of the next.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::{Cardinal, Celsius, Cutoff, DayExtremes, Error};

/// How the mean of a day is cut at the base temperature, where only the mean is asked for.
///
/// McMaster and Wilhelm 1997, Agricultural and Forest Meteorology 87:291–300, equation 1 and its
/// two interpretations, doi:10.1016/S0168-1923(97)00027-0. They give different numbers on cool
/// days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpretation {
    /// The mean is cut: method 1, most common in wheat.
    CutMean,
    /// Minimum and maximum are cut before they are averaged: method 2, most common in maize.
    CutExtremes,
}

/// Returns the degree-days of a day from the mean of its extremes, in °C d.
///
/// McMaster and Wilhelm 1997 (see [`Interpretation`]); an upper temperature cuts in the same way.
pub fn mean_degree_days(how: Interpretation, day: DayExtremes, cardinal: Cardinal) -> f64 {
    let (min, max) = (day.min().degrees(), day.max().degrees());
    let (base, upper) = (cardinal.base().degrees(), cardinal.upper_c());
    match how {
        Interpretation::CutMean => ((min + max) / 2.0).clamp(base, upper) - base,
        Interpretation::CutExtremes => {
            (min.clamp(base, upper) + max.clamp(base, upper)) / 2.0 - base
        }
    }
}

/// A course of temperature through a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// Straight up and straight down again (Lindsey and Newman 1956, Ecology 37:812–823,
    /// doi:10.2307/1933072).
    SingleTriangle,
    /// Straight up, and straight down to the minimum of the next day (Sevacherian, Stern and
    /// Mueller 1977, Journal of Economic Entomology 70:399–402, doi:10.1093/jee/70.4.399).
    DoubleTriangle {
        /// The minimum of the next day.
        next_min: Celsius,
    },
    /// One sine (Baskerville and Emin 1969, Ecology 50:514–517, doi:10.2307/1933912).
    SingleSine,
    /// Half a sine each up and down (Allen 1976, Environmental Entomology 5:388–396,
    /// doi:10.1093/ee/5.3.388).
    DoubleSine {
        /// The minimum of the next day.
        next_min: Celsius,
    },
}

#[derive(Clone, Copy)]
enum Shape {
    Triangle,
    Sine,
}

/// Returns the degree-days of a day, in °C d, never below 0.
///
/// Zalom and others 1983, Leaflet 21373, tables 3 to 6, for the horizontal cutoff; the others as
/// areas by their definition (see [`Cutoff`]). The double curves come out as in their table 7 but
/// for its day of 60/100/75 °F by double triangle, where it prints 24.88 and its own formula gives
/// 27.125.
///
/// # Errors
/// [`Error::Order`] where the minimum of the next day lies above the maximum of this one: there the
/// curves mean nothing.
pub fn degree_days(
    curve: Curve,
    cutoff: Cutoff,
    day: DayExtremes,
    cardinal: Cardinal,
) -> Result<f64, Error> {
    let half = |shape, min: DayExtremes| rate(shape, cutoff, min, cardinal) / 2.0;
    let second = |next_min: Celsius| {
        DayExtremes::new(next_min, day.max()).map_err(|_| Error::Order {
            lower: "the minimum of the next day",
            low: next_min.degrees(),
            higher: "the maximum of this one",
            high: day.max().degrees(),
            unit: "°C",
        })
    };
    Ok(match curve {
        Curve::SingleTriangle => rate(Shape::Triangle, cutoff, day, cardinal),
        Curve::SingleSine => rate(Shape::Sine, cutoff, day, cardinal),
        Curve::DoubleTriangle { next_min } => {
            half(Shape::Triangle, day) + half(Shape::Triangle, second(next_min)?)
        }
        Curve::DoubleSine { next_min } => {
            half(Shape::Sine, day) + half(Shape::Sine, second(next_min)?)
        }
    })
}

/// Returns the mean rate of a curve between two extremes.
fn rate(shape: Shape, cutoff: Cutoff, day: DayExtremes, cardinal: Cardinal) -> f64 {
    let base = cardinal.base().degrees();
    let above = |threshold| area_above(shape, day, threshold);
    let Some(upper) = cardinal.upper().map(Celsius::degrees) else {
        return above(base);
    };
    let cut = match cutoff {
        Cutoff::Horizontal => above(base) - above(upper),
        // Twice the slope goes off at the upper temperature; once more back where nothing is left.
        Cutoff::Intermediate => above(base) - 2.0 * above(upper) + above(2.0 * upper - base),
        Cutoff::Vertical => {
            above(base) - above(upper) - (upper - base) * time_above(shape, day, upper)
        }
    };
    // A difference of areas may round to less than nothing.
    cut.max(0.0)
}

/// Returns the area of a curve above a threshold, in degree-days of one day.
fn area_above(shape: Shape, day: DayExtremes, threshold: f64) -> f64 {
    let (min, max) = (day.min().degrees(), day.max().degrees());
    let mean = (min + max) / 2.0;
    if threshold >= max {
        return 0.0;
    }
    if threshold <= min {
        return mean - threshold;
    }
    match shape {
        Shape::Triangle => (max - threshold).powi(2) / (2.0 * (max - min)),
        Shape::Sine => {
            let amplitude = (max - min) / 2.0;
            let angle = ((threshold - mean) / amplitude).clamp(-1.0, 1.0).asin();
            ((mean - threshold) * (FRAC_PI_2 - angle) + amplitude * angle.cos()) / PI
        }
    }
}

/// Returns the share of a curve that lies above a threshold; at the threshold itself it does not.
fn time_above(shape: Shape, day: DayExtremes, threshold: f64) -> f64 {
    let (min, max) = (day.min().degrees(), day.max().degrees());
    if threshold >= max {
        return 0.0;
    }
    if threshold < min {
        return 1.0;
    }
    match shape {
        Shape::Triangle => (max - threshold) / (max - min),
        Shape::Sine => {
            let (mean, amplitude) = ((min + max) / 2.0, (max - min) / 2.0);
            let angle = ((threshold - mean) / amplitude).clamp(-1.0, 1.0).asin();
            (FRAC_PI_2 - angle) / PI
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::effective_temperature_cut;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    fn day(min: f64, max: f64) -> DayExtremes {
        DayExtremes::new(of(min), of(max)).unwrap()
    }

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    /// The formulas know no unit, so degrees Fahrenheit stand for Celsius here.
    fn zalom() -> Cardinal {
        Cardinal::new(55.0, Some(90.0)).unwrap()
    }

    /// Zalom and others 1983, table 7, as in the degday package for R: thresholds 55 and 90 °F, two
    /// decimals. The flagged cell (60/100/75, double triangle) is what its formula gives.
    #[test]
    fn the_four_curves_follow_zalom_s_table() {
        for (min, max, next, expect) in [
            (96.0, 110.0, 91.0, [35.0, 35.0, 35.0, 35.0]),
            (91.0, 105.0, 96.0, [35.0, 35.0, 35.0, 35.0]),
            (45.0, 54.0, 38.0, [0.0, 0.0, 0.0, 0.0]),
            (38.0, 50.0, 45.0, [0.0, 0.0, 0.0, 0.0]),
            (60.0, 80.0, 75.0, [15.0, 18.75, 15.0, 18.75]),
            (75.0, 88.0, 60.0, [26.5, 22.75, 26.5, 22.75]),
            (50.0, 82.0, 45.0, [11.39, 10.62, 11.85, 11.31]),
            (45.0, 70.0, 50.0, [4.5, 5.06, 5.31, 5.70]),
            (60.0, 100.0, 75.0, [23.75, 27.125, 22.82, 26.26]),
            (75.0, 95.0, 60.0, [29.38, 25.76, 28.91, 25.30]),
            (50.0, 101.0, 48.0, [19.56, 19.19, 18.95, 18.69]),
            (48.0, 95.0, 50.0, [16.76, 17.13, 16.96, 17.23]),
        ] {
            let next_min = of(next);
            let curves = [
                Curve::SingleTriangle,
                Curve::DoubleTriangle { next_min },
                Curve::SingleSine,
                Curve::DoubleSine { next_min },
            ];
            for (curve, expect) in curves.into_iter().zip(expect) {
                let sum = degree_days(curve, Cutoff::Horizontal, day(min, max), zalom()).unwrap();
                near(sum, expect, 0.0051);
            }
        }
    }

    /// McMaster and Wilhelm 1997, table 1: base 0 °C, methods 1 and 2.
    #[test]
    fn the_two_means_follow_mcmaster_and_wilhelm_s_table() {
        let cardinal = Cardinal::new(0.0, None).unwrap();
        for (max, min, first, second) in [
            (20.0, 10.0, 15.0, 15.0),
            (10.0, 1.0, 5.5, 5.5),
            (8.0, -2.0, 3.0, 4.0),
            (6.0, 0.0, 3.0, 3.0),
            (10.0, 5.0, 7.5, 7.5),
            (5.0, -5.0, 0.0, 2.5),
            (-2.0, -7.0, 0.0, 0.0),
            (-5.0, -10.0, 0.0, 0.0),
            (10.0, -2.0, 4.0, 5.0),
            (15.0, 2.0, 8.5, 8.5),
        ] {
            let by = |how| mean_degree_days(how, day(min, max), cardinal);
            assert_eq!(by(Interpretation::CutMean), first, "{max}/{min}");
            assert_eq!(by(Interpretation::CutExtremes), second, "{max}/{min}");
        }
    }

    #[test]
    fn an_upper_temperature_cuts_both_means() {
        let cardinal = Cardinal::new(10.0, Some(30.0)).unwrap();
        let by = |how, min, max| mean_degree_days(how, day(min, max), cardinal);
        assert_eq!(by(Interpretation::CutMean, 25.0, 37.0), 20.0);
        assert_eq!(by(Interpretation::CutMean, 20.0, 36.0), 18.0);
        assert_eq!(by(Interpretation::CutExtremes, 20.0, 36.0), 15.0);
        assert_eq!(by(Interpretation::CutExtremes, 32.0, 36.0), 20.0);
    }

    const CURVES: [Curve; 2] = [Curve::SingleTriangle, Curve::SingleSine];
    const CUTOFFS: [Cutoff; 3] = [Cutoff::Horizontal, Cutoff::Intermediate, Cutoff::Vertical];

    /// Where extremes meet thresholds, degday takes the closed side; neither side makes a
    /// difference.
    #[test]
    fn extremes_at_a_threshold_and_days_without_change_are_whole() {
        let cardinal = Cardinal::new(10.0, Some(30.0)).unwrap();
        for curve in CURVES {
            for cutoff in CUTOFFS {
                let of = |min, max| degree_days(curve, cutoff, day(min, max), cardinal).unwrap();
                assert_eq!(of(10.0, 10.0), 0.0);
                assert_eq!(of(20.0, 20.0), 10.0);
                assert_eq!(of(30.0, 30.0), 20.0);
                assert_eq!(of(4.0, 10.0), 0.0);
                near(of(10.0, 30.0), 10.0, 1e-12);
            }
            let hot =
                |cutoff, min, max| degree_days(curve, cutoff, day(min, max), cardinal).unwrap();
            near(hot(Cutoff::Horizontal, 30.0, 40.0), 20.0, 1e-12);
            near(hot(Cutoff::Intermediate, 30.0, 40.0), 15.0, 1e-12);
            near(hot(Cutoff::Vertical, 30.0, 40.0), 0.0, 1e-12);
            assert_eq!(hot(Cutoff::Horizontal, 35.0, 35.0), 20.0);
            assert_eq!(hot(Cutoff::Intermediate, 35.0, 35.0), 15.0);
            assert_eq!(hot(Cutoff::Intermediate, 60.0, 70.0), 0.0);
            assert_eq!(hot(Cutoff::Vertical, 35.0, 35.0), 0.0);
        }
    }

    #[test]
    fn a_next_minimum_above_the_maximum_is_refused() {
        let next_min = of(31.0);
        for curve in [Curve::DoubleTriangle { next_min }, Curve::DoubleSine { next_min }] {
            let error = degree_days(curve, Cutoff::Horizontal, day(10.0, 30.0), zalom());
            assert!(matches!(error, Err(Error::Order { low: 31.0, high: 30.0, .. })));
        }
    }

    proptest! {
        /// The closed forms against the curve itself, summed at 20,000 instants.
        #[test]
        fn they_are_the_integral_of_the_rate_along_the_curve(
            min in -10.0..35.0_f64, swing in 0.0..25.0_f64, base in 0.0..15.0_f64,
            width in 0.0..25.0_f64, which in 0..3_usize, sine in any::<bool>(),
        ) {
            let cardinal = Cardinal::new(base, Some(base + width)).unwrap();
            let (cutoff, steps) = (CUTOFFS[which], 20_000);
            let curve = CURVES[usize::from(sine)];
            let sum: f64 = (0..steps).map(|step| {
                let at = (f64::from(step) + 0.5) / f64::from(steps);
                let share = if sine { (1.0 - (PI * at).cos()) / 2.0 } else { at };
                effective_temperature_cut(of(min + swing * share), cardinal, cutoff)
            }).sum();
            let closed = degree_days(curve, cutoff, day(min, min + swing), cardinal).unwrap();
            // A vertical cut has a step, which the sum hits within one instant.
            prop_assert!((closed - sum / f64::from(steps)).abs() < 5e-3);
        }

        #[test]
        fn every_curve_is_finite_and_lies_between_nothing_and_all(
            min in -200.0..=200.0_f64, share in 0.0..=1.0_f64, next in 0.0..=1.0_f64,
            base in -200.0..=200.0_f64, width in 0.0..=1.0_f64, which in 0..3_usize,
        ) {
            let max = min + (200.0 - min) * share;
            let next_min = of(-200.0 + (max + 200.0) * next);
            let upper = base + (200.0 - base) * width;
            let cardinal = Cardinal::new(base, Some(upper)).unwrap();
            for curve in [
                Curve::SingleTriangle,
                Curve::DoubleTriangle { next_min },
                Curve::SingleSine,
                Curve::DoubleSine { next_min },
            ] {
                let sum = degree_days(curve, CUTOFFS[which], day(min, max), cardinal).unwrap();
                prop_assert!((0.0..=upper - base + 1e-9).contains(&sum), "{sum}");
            }
        }
    }
}
