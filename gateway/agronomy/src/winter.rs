//! A winter, hour by hour: the sums of every chill model and of growing degree hours, and how many
//! hours had no temperature.

use crate::{
    Celsius, Freezing, Intermediate, chill_portions, growing_degree_hours, is_chill_hour,
    mainland_chill_units, utah_chill_units,
};

/// The sum of the Mainland model from which warm hours take nothing away any more.
pub const MAINLAND_KEPT: f64 = 800.0;

/// What a winter has come to. It starts as [`Winter::default`], takes every hour in order with
/// [`take_hour`], and is small enough to be kept whole.
///
/// A sum is of the hours that had a temperature: with [`Winter::missing_hours`] above 0 it is what
/// at least was reached (or, of the models that subtract, what the known hours came to).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Winter {
    known_hours: u32,
    missing_hours: u32,
    gap_hours: u32,
    longest_gap_hours: u32,
    chill_hours: u32,
    freezing_hours: u32,
    utah: f64,
    mainland: f64,
    portions: f64,
    growing: f64,
    intermediate: Intermediate,
}

/// Takes the next hour of a winter: its mean temperature, or `None` where it has none.
///
/// An hour without temperature is counted as such and moves no sum; the intermediate of the Dynamic
/// Model waits through it. The Mainland sum starts over where warmth has taken all of it, and from
/// [`MAINLAND_KEPT`] on only grows (North Carolina State Climate Office); that it ends with
/// February is for the caller, who knows the date.
pub fn take_hour(winter: &mut Winter, hour: Option<Celsius>) {
    let Some(air) = hour else {
        winter.missing_hours = winter.missing_hours.saturating_add(1);
        winter.gap_hours = winter.gap_hours.saturating_add(1);
        winter.longest_gap_hours = winter.longest_gap_hours.max(winter.gap_hours);
        return;
    };
    winter.gap_hours = 0;
    winter.known_hours = winter.known_hours.saturating_add(1);
    if is_chill_hour(air, Freezing::Counts) {
        winter.chill_hours = winter.chill_hours.saturating_add(1);
        if !is_chill_hour(air, Freezing::DoesNotCount) {
            winter.freezing_hours = winter.freezing_hours.saturating_add(1);
        }
    }
    winter.utah += utah_chill_units(air);
    let units = mainland_chill_units(air);
    if units > 0.0 || winter.mainland < MAINLAND_KEPT {
        winter.mainland = (winter.mainland + units).max(0.0);
    }
    winter.portions += chill_portions(&mut winter.intermediate, air);
    winter.growing += growing_degree_hours(air);
}

impl Winter {
    /// Returns how many hours had a temperature.
    pub const fn known_hours(&self) -> u32 {
        self.known_hours
    }

    /// Returns how many hours had none.
    pub const fn missing_hours(&self) -> u32 {
        self.missing_hours
    }

    /// Returns how many hours in a row had none at most.
    pub const fn longest_gap_hours(&self) -> u32 {
        self.longest_gap_hours
    }

    /// Returns the share of hours that had a temperature, 0 to 1; `None` before the first hour.
    pub fn coverage(&self) -> Option<f64> {
        let (known, missing) = (f64::from(self.known_hours), f64::from(self.missing_hours));
        (known + missing > 0.0).then(|| known / (known + missing))
    }

    /// Returns the chill hours, of a convention about 0 °C.
    pub const fn chill_hours(&self, freezing: Freezing) -> u32 {
        match freezing {
            Freezing::Counts => self.chill_hours,
            Freezing::DoesNotCount => self.chill_hours.saturating_sub(self.freezing_hours),
        }
    }

    /// Returns the chill units of the Utah model; warm winters have less than 0.
    pub const fn utah(&self) -> f64 {
        self.utah
    }

    /// Returns the chill of the Mainland model, never below 0.
    pub const fn mainland(&self) -> f64 {
        self.mainland
    }

    /// Returns the chill portions of the Dynamic Model that were fixed before the last hour, as
    /// chillR counts them; what the last hour fixed is in [`Winter::intermediate`].
    pub const fn portions(&self) -> f64 {
        self.portions
    }

    /// Returns how far the next portion has come.
    pub const fn intermediate(&self) -> Intermediate {
        self.intermediate
    }

    /// Returns the growing degree hours.
    pub const fn growing_degree_hours(&self) -> f64 {
        self.growing
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use proptest::prelude::*;

    use super::*;

    fn winter(hours: impl IntoIterator<Item = Option<f64>>) -> Winter {
        let mut winter = Winter::default();
        for hour in hours {
            take_hour(&mut winter, hour.map(|degrees| Celsius::new(degrees).unwrap()));
        }
        winter
    }

    /// The project's agronomy notes, run with chillR 0.77: 60 days of 16 and 8 hours, and 90 days
    /// of 7 + 5 sin(2π (h - 9)/24).
    #[test]
    fn three_winters_follow_the_table() {
        let cycle = |cold, warm| {
            winter((0..60 * 24).map(move |hour| Some(if hour % 24 < 16 { cold } else { warm })))
        };
        let wave = |hour: u32| 7.0 + 5.0 * (2.0 * PI * (f64::from(hour) - 9.0) / 24.0).sin();
        for (winter, chill, utah, portions) in [
            (cycle(6.0, 18.0), 960, 720.0, 29.467_988),
            (cycle(4.0, 12.0), 960, 1_200.0, 38.318_604),
            (winter((0..2_160).map(|hour| Some(wave(hour)))), 1_170, 1_620.0, 70.389_740),
        ] {
            assert_eq!(winter.chill_hours(Freezing::Counts), chill);
            assert_eq!(winter.utah(), utah);
            assert!((winter.portions() - portions).abs() < 5.1e-7, "{}", winter.portions());
            assert_eq!(winter.missing_hours(), 0);
        }
        let growing = winter((0..2_160).map(|hour| Some(wave(hour)))).growing_degree_hours();
        assert!((growing - 4_850.129_529).abs() < 5.1e-7, "{growing}");
    }

    #[test]
    fn a_thousand_hours_of_one_temperature_follow_the_table() {
        for (air, chill, utah, growing) in [
            (-2.0, 0, 0.0, 0.0),
            (0.0, 1_000, 0.0, 0.0),
            (2.0, 1_000, 500.0, 0.0),
            (6.0, 1_000, 1_000.0, 466.486),
            (7.2, 1_000, 1_000.0, 1_180.349),
            (8.0, 0, 1_000.0, 1_824.493),
            (18.0, 0, -500.0, 15_750.0),
            (20.0, 0, -1_000.0, 18_197.045),
        ] {
            let winter = winter(std::iter::repeat_n(Some(air), 1_000));
            assert_eq!(winter.chill_hours(Freezing::Counts), chill, "{air}");
            assert_eq!(winter.utah(), utah, "{air}");
            assert!((winter.growing_degree_hours() - growing).abs() < 5.1e-4, "{air}");
        }
        let freezing = winter(std::iter::repeat_n(Some(0.0), 1_000));
        assert_eq!(freezing.chill_hours(Freezing::DoesNotCount), 0);
    }

    #[test]
    fn mainland_starts_over_when_warmth_has_taken_all_and_keeps_what_reached_800() {
        let cold = |hours| std::iter::repeat_n(Some(5.0), hours);
        let warm = |hours| std::iter::repeat_n(Some(20.0), hours);
        assert_eq!(winter(cold(10).chain(warm(4))).mainland(), 6.0);
        assert_eq!(winter(cold(10).chain(warm(40)).chain(cold(3))).mainland(), 3.0);
        assert_eq!(winter(cold(799).chain(warm(9))).mainland(), 790.0);
        assert_eq!(winter(cold(800).chain(warm(900)).chain(cold(5))).mainland(), 805.0);
    }

    #[test]
    fn an_hour_without_temperature_is_counted_and_not_taken_for_zero() {
        let whole = winter(std::iter::repeat_n(Some(6.0), 100));
        let hole = |hour: u32| (!hour.is_multiple_of(10)).then_some(6.0);
        let holes = winter((0..110).map(hole).chain([None, None]));
        assert_eq!(holes.missing_hours(), 13);
        assert_eq!(holes.longest_gap_hours(), 2);
        assert_eq!(holes.coverage(), Some(99.0 / 112.0));
        assert_eq!(holes.chill_hours(Freezing::Counts), 99);
        assert!(holes.utah() < whole.utah() && holes.portions() <= whole.portions());
        assert_eq!(winter([]).coverage(), None);
        assert_eq!(winter([None]).coverage(), Some(0.0));
    }

    proptest! {
        #[test]
        fn gaps_leave_the_sums_of_the_known_hours(
            hours in proptest::collection::vec(
                proptest::option::weighted(0.8, -30.0..45.0_f64), 0..400,
            ),
        ) {
            let known = winter(hours.iter().copied().filter(Option::is_some));
            let all = winter(hours.iter().copied());
            prop_assert_eq!(all.known_hours(), known.known_hours());
            prop_assert_eq!(all.utah(), known.utah());
            prop_assert_eq!(all.portions(), known.portions());
            prop_assert_eq!(all.mainland(), known.mainland());
            prop_assert!(all.mainland() >= 0.0 && all.growing_degree_hours().is_finite());
            let hours = u32::try_from(hours.len()).unwrap();
            prop_assert_eq!(all.known_hours() + all.missing_hours(), hours);
        }
    }
}
