//! Thermal time: how much of the warmth that moves a plant on has passed.

use crate::Celsius;

/// Between which temperatures a plant develops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cardinal {
    /// Below it nothing moves on.
    pub base: Celsius,
    /// Above it nothing moves on faster; open where nobody has measured it.
    pub upper: Option<Celsius>,
}

/// The base temperature of a crop that nobody has cited one for, in degrees Celsius: a proposal
/// (class G). 10 °C is what much of the literature takes for plants of warm regions.
pub const BASE_C_DEFAULT: f64 = 10.0;

/// Returns how far the air is above the base temperature, counted at most up to the upper one, in
/// degrees Celsius. Its integral over days is the thermal time in degree-days.
///
/// McMaster and Wilhelm 1997, Agricultural and Forest Meteorology 87:291–300, equation 1 in their
/// interpretation 2 (temperatures are cut before they are averaged), taken at every instant instead
/// of at a day's extremes, doi:10.1016/S0168-1923(97)00027-0. The cut at the upper temperature is the
/// horizontal one of Zalom and others 1983. It holds where development runs in proportion to
/// temperature; that it slows down again in great heat is not in it.
pub fn effective_temperature(air: Celsius, cardinal: Cardinal) -> f64 {
    let air_c = cardinal.upper.map_or(air.0, |upper| air.0.min(upper.0));
    (air_c - cardinal.base.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The project's agronomy notes: McMaster and Wilhelm, interpretation 2, base 0 °C.
    #[test]
    fn a_day_of_two_temperatures_follows_the_table() {
        let cardinal = Cardinal { base: Celsius(0.0), upper: None };
        for (max, min, expect) in [
            (20.0, 10.0, 15.0),
            (10.0, 1.0, 5.5),
            (8.0, -2.0, 4.0),
            (6.0, 0.0, 3.0),
            (10.0, 5.0, 7.5),
            (5.0, -5.0, 2.5),
            (-2.0, -7.0, 0.0),
            (10.0, -2.0, 5.0),
            (15.0, 2.0, 8.5),
        ] {
            let of = |air| effective_temperature(Celsius(air), cardinal);
            assert_eq!((of(max) + of(min)) / 2.0, expect, "{max}/{min}");
        }
    }

    /// Rice leaves appear between 11 and 26 °C in proportion to temperature.
    #[test]
    fn warmth_above_the_upper_temperature_adds_nothing() {
        let rice = Cardinal { base: Celsius(11.0), upper: Some(Celsius(26.0)) };
        for (air, expect) in [(5.0, 0.0), (11.0, 0.0), (20.0, 9.0), (26.0, 15.0), (38.0, 15.0)] {
            assert_eq!(effective_temperature(Celsius(air), rice), expect);
        }
    }

    proptest! {
        #[test]
        fn it_never_falls_with_warmth_and_stays_in_its_bounds(
            air in -40.0..60.0_f64, more in 0.0..20.0_f64, base in 0.0..15.0_f64,
            width in 0.0..30.0_f64,
        ) {
            let cardinal = Cardinal { base: Celsius(base), upper: Some(Celsius(base + width)) };
            let (cool, warm) = (
                effective_temperature(Celsius(air), cardinal),
                effective_temperature(Celsius(air + more), cardinal),
            );
            prop_assert!(0.0 <= cool && cool <= warm && warm <= width + 1e-9);
        }
    }
}
