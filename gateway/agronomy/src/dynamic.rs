//! The Dynamic Model of rest completion: chill in two steps, of which warmth undoes the first.
//!
//! Fishman, Erez and Couvillon 1987, Journal of Theoretical Biology 124:473–483,
//! doi:10.1016/S0022-5193(87)80221-7, and 126:309–321, doi:10.1016/S0022-5193(87)80237-0; hour by
//! hour after Erez, Fishman, Linsley-Noakes and Allan 1990, Acta Horticulturae 276:165–174,
//! doi:10.17660/ActaHortic.1990.276.18. Constants as in Luedeling's chillR package, with its 273 K
//! for 0 °C. Made for peach; judged the best of the chill models in warm winters.

use crate::Celsius;

/// The activation energies of making and of destroying the intermediate, over the gas constant, in
/// K.
const E0_K: f64 = 4_153.5;
const E1_K: f64 = 12_888.8;
/// Their rates, per hour.
const A0: f64 = 139_500.0;
const A1: f64 = 2.567e18;
/// How steeply the intermediate turns into a portion around the transition, and where that is, in
/// K.
const SLOPE: f64 = 1.6;
const TRANSITION_K: f64 = 277.0;
/// 0 °C as the model was fitted with, in K.
const ZERO_K: f64 = 273.0;

/// How far the intermediate of the next chill portion has come. It is all that is carried from one
/// hour to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intermediate {
    /// How much there is; a portion is fixed when it reaches 1.
    amount: f64,
    /// What the last hour has fixed, which the next one counts.
    fixed: f64,
}

impl Intermediate {
    /// Returns how much there is, from 0 to about 1.
    pub const fn amount(self) -> f64 {
        self.amount
    }

    /// Returns what the last hour has fixed of a portion, which the next one will count: mostly 0.
    pub const fn fixed(self) -> f64 {
        self.fixed
    }
}

/// Takes an hour, and returns the chill portions that were fixed before it: mostly 0, else a little
/// less than 1.
///
/// Erez and others 1990, with the rows of `Dynamic_Model` in chillR 0.77, where what one hour has
/// fixed stands in the row of the next. Older versions let the first hour count for nothing, and
/// fruclimadapt counts in the row of the hour itself: an hour's shift, which moves sums of winters
/// with warm days by some portions.
pub fn chill_portions(state: &mut Intermediate, air: Celsius) -> f64 {
    let before = state.fixed;
    let kelvin = air.degrees() + ZERO_K;
    // Where the intermediate would settle, and how much of the way it goes in an hour. Neither
    // overflows from -200 °C on.
    let settled = A0 / A1 * ((E1_K - E0_K) / kelvin).exp();
    let way = -(-A1 * (-E1_K / kelvin).exp()).exp_m1();
    state.amount += (settled - state.amount) * way;
    state.fixed = 0.0;
    if state.amount >= 1.0 {
        let odds = (SLOPE * TRANSITION_K * (kelvin - TRANSITION_K) / kelvin).exp();
        state.fixed = state.amount * odds / (1.0 + odds);
        state.amount -= state.fixed;
    }
    before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    fn portions(hours: impl IntoIterator<Item = f64>) -> f64 {
        let mut state = Intermediate::default();
        hours.into_iter().map(|air| chill_portions(&mut state, of(air))).sum()
    }

    /// The project's agronomy notes, run with chillR 0.77: 1,000 h of one temperature.
    #[test]
    fn constant_winters_follow_the_table() {
        for (air, expect) in [
            (-2.0, 0.241_738),
            (0.0, 4.851_926),
            (1.4, 21.067_941),
            (2.0, 26.332_174),
            (2.4, 26.611_122),
            (4.0, 29.849_351),
            (5.0, 32.731_057),
            (6.0, 34.204_222),
            (7.0, 34.851_331),
            (7.2, 34.886_307),
            (8.0, 34.568_443),
            (9.1, 34.053_967),
            (10.0, 32.435_526),
            (12.0, 25.001_544),
            (12.4, 22.045_821),
            (13.0, 0.0),
            (15.9, 0.0),
            (18.0, 0.0),
            (20.0, 0.0),
        ] {
            let sum = portions(std::iter::repeat_n(air, 1_000));
            assert!((sum - expect).abs() < 5.1e-7, "{air} °C: {sum} is not {expect}");
        }
    }

    #[test]
    fn portions_are_complete_in_the_hours_of_the_table() {
        let mut state = Intermediate::default();
        let mut found = Vec::new();
        for hour in 1..=175 {
            let portion = chill_portions(&mut state, of(6.0));
            if portion > 0.0 {
                found.push((hour, portion));
            }
        }
        let expect = [
            (30, 0.980_511_621),
            (58, 0.977_237_728),
            (86, 0.977_167_350),
            (114, 0.977_165_837),
            (142, 0.977_165_804),
            (170, 0.977_165_803),
        ];
        assert_eq!(found.len(), expect.len());
        for ((hour, portion), (at, of)) in found.into_iter().zip(expect) {
            assert!(hour == at && (portion - of).abs() < 5.1e-10, "{hour} {portion}");
        }
    }

    /// Days of 16 h at one temperature and 8 h at another, 60 of them.
    #[test]
    fn cycles_of_cold_and_warm_follow_the_table() {
        for (cold, warm, expect) in [(6.0, 18.0, 29.467_988), (4.0, 12.0, 38.318_604)] {
            let day = |hour: u32| if hour % 24 < 16 { cold } else { warm };
            let sum = portions((0..60 * 24).map(day));
            assert!((sum - expect).abs() < 5.1e-7, "{sum} is not {expect}");
        }
    }

    proptest! {
        #[test]
        fn any_hours_leave_a_finite_state(
            hours in proptest::collection::vec(-200.0..=200.0_f64, 0..200),
        ) {
            let mut state = Intermediate::default();
            for air in hours {
                let portion = chill_portions(&mut state, of(air));
                prop_assert!(portion.is_finite() && portion >= 0.0);
                prop_assert!(state.amount().is_finite() && state.amount() >= 0.0);
            }
        }

        #[test]
        fn hours_of_a_nursery_fix_at_most_about_a_portion_at_once(
            hours in proptest::collection::vec(-20.0..45.0_f64, 0..2_000),
        ) {
            let mut state = Intermediate::default();
            for air in hours {
                prop_assert!(chill_portions(&mut state, of(air)) < 2.0);
            }
        }
    }
}
