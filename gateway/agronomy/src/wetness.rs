//! Whether leaves are wet, from the air around them, and for how long.
//!
//! Estimates for where no wetness sensor hangs. They were made for crops in the open: in the still
//! air of a greenhouse they are untested, and of drip and mist they know nothing.

use crate::error::within;
use crate::{Celsius, Error, Formula, RelativeHumidity, dew_point_depression};

/// Leaves count as wet from this humidity on, in percent.
pub const WET_HUMIDITY_PERCENT: f64 = 90.0;
/// Leaves count as wet where the dew point is nearer than this, in kelvins.
pub const WET_DEPRESSION_K: f64 = 2.0;
/// The strongest wind that is taken, in m/s.
const WIND_M_PER_S_MAX: f64 = 100.0;

/// Returns whether leaves are wet by humidity alone: from 90 % on.
///
/// Sentelhas and others 2008, Agricultural and Forest Meteorology 148:392–400,
/// doi:10.1016/j.agrformet.2007.09.011 (the "number of hours with RH of 90 % or more").
pub fn is_wet_by_humidity(humidity: RelativeHumidity) -> bool {
    humidity.percent() >= WET_HUMIDITY_PERCENT
}

/// Returns whether leaves are wet by the dew-point depression alone: below 2 K, by the Magnus form.
///
/// Sentelhas and others 2008 (see [`is_wet_by_humidity`]), the limit for the onset of wetness.
pub fn is_wet_by_depression(air: Celsius, humidity: RelativeHumidity) -> bool {
    // Air without a dew point wets nothing.
    dew_point_depression(Formula::Magnus, air, humidity)
        .is_some_and(|kelvins| kelvins < WET_DEPRESSION_K)
}

/// Returns whether leaves are wet by the classification tree with stepwise linear discriminants
/// (CART/SLD) from temperature, humidity and wind.
///
/// Gleason, Taylor, Loughin and Koehler 1994, Plant Disease 78:1011–1016, doi:10.1094/PD-78-1011,
/// with the coefficients as in Kim, Taylor, Gleason and Koehler 2002, Plant Disease 86:179–185,
/// doi:10.1094/PDIS.2002.86.2.179; dew point by the Magnus form. Made for open fields in the
/// Midwest of the United States. Below 0 °C, where its square root has no value, leaves are not wet
/// but frosted: `false`. Neither paper was read, only public codes, which agree. As they hold the
/// second discriminant, no air reaches its 37, so leaves are dry in any wind of 2.5 m/s or more.
///
/// # Errors
/// [`Error::OutOfRange`] for a wind below 0, above 100 m/s, and for what is no number.
pub fn is_wet_by_cart(
    air: Celsius,
    humidity: RelativeHumidity,
    wind_m_per_s: f64,
) -> Result<bool, Error> {
    let wind = within("a wind", "m/s", wind_m_per_s, 0.0, WIND_M_PER_S_MAX)?;
    let (t, percent) = (air.degrees(), humidity.percent());
    let Some(depression) = dew_point_depression(Formula::Magnus, air, humidity) else {
        return Ok(false);
    };
    if depression >= 3.7 || t < 0.0 {
        return Ok(false);
    }
    if wind < 2.5 {
        return Ok(discriminant_calm(t, percent, wind, depression) > 14.467_4);
    }
    let windy = 0.792_1 * t.sqrt() + 0.004_6 * percent - 2.388_9 * wind - 0.039_0 * t * wind
        + 1.061_3 * wind * depression;
    Ok(percent >= 87.8 && windy > 37.0)
}

fn discriminant_calm(t: f64, percent: f64, wind: f64, depression: f64) -> f64 {
    1.606_4 * t.sqrt() + 0.003_6 * t * t + 0.153_1 * percent
        - 0.459_9 * wind * depression
        - 0.003_5 * t * percent
}

/// How many dry hours in a row still join two wet periods; one more parts them.
pub const DRY_HOURS_JOINED: u32 = 3;

/// A time of wet leaves. Hours are counted from the first that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WetPeriod {
    /// The first wet hour.
    pub from_hour: u64,
    /// The hour after the last wet one.
    pub until_hour: u64,
    /// How many of its hours were wet.
    pub wet_hours: u32,
    /// How many of its hours nothing is known of; the others were dry.
    pub unknown_hours: u32,
}

impl WetPeriod {
    /// Returns its length, the dry hours that it joins with it.
    pub const fn hours(self) -> u64 {
        self.until_hour.saturating_sub(self.from_hour)
    }
}

/// The wet period that is going on, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wetness {
    hour: u64,
    open: Option<WetPeriod>,
    /// Hours since the last wet one, and how many of them are unknown.
    since: u32,
    unknown_since: u32,
}

impl Wetness {
    /// Returns the wet period that may still go on.
    pub const fn open(&self) -> Option<WetPeriod> {
        self.open
    }
}

/// Takes the next hour: whether leaves were wet, or `None` where nothing is known. Returns the wet
/// period that has now ended.
///
/// Up to [`DRY_HOURS_JOINED`] dry hours join two wet periods. An hour that nothing is known of
/// joins and parts as a dry one does, and is counted in the period that it lies in.
pub fn take_wetness(state: &mut Wetness, hour: Option<bool>) -> Option<WetPeriod> {
    let at = state.hour;
    state.hour = at.saturating_add(1);
    if hour == Some(true) {
        let from_new = WetPeriod { from_hour: at, until_hour: at, wet_hours: 0, unknown_hours: 0 };
        let mut period = state.open.unwrap_or(from_new);
        period.until_hour = state.hour;
        period.wet_hours = period.wet_hours.saturating_add(1);
        period.unknown_hours = period.unknown_hours.saturating_add(state.unknown_since);
        state.open = Some(period);
        (state.since, state.unknown_since) = (0, 0);
        return None;
    }
    state.open?;
    state.since = state.since.saturating_add(1);
    state.unknown_since = state.unknown_since.saturating_add(u32::from(hour.is_none()));
    if state.since <= DRY_HOURS_JOINED {
        return None;
    }
    (state.since, state.unknown_since) = (0, 0);
    state.open.take()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    fn humid(percent: f64) -> RelativeHumidity {
        RelativeHumidity::new(percent).unwrap()
    }

    /// The vectors of the project's agronomy notes, with the Magnus dew point.
    #[test]
    fn the_tree_follows_the_table() {
        for (air, percent, wind, depression, calm, wet) in [
            (20.0, 95.0, 0.5, 0.826_37, Some(16.328_51), true),
            (15.0, 90.0, 1.0, 1.628_34, Some(15.336_68), true),
            (10.0, 85.0, 1.0, 2.407_57, Some(14.371_14), false),
            (20.0, 80.0, 0.3, 3.557_57, Some(14.781_20), true),
            (20.0, 75.0, 0.3, 4.568_64, None, false),
        ] {
            let (t, humidity) = (of(air), humid(percent));
            let kelvins = dew_point_depression(Formula::Magnus, t, humidity).unwrap();
            assert!((kelvins - depression).abs() < 5.1e-6, "{kelvins}");
            if let Some(calm) = calm {
                let value = discriminant_calm(air, percent, wind, kelvins);
                assert!((value - calm).abs() < 5.1e-6, "{value}");
            }
            assert_eq!(is_wet_by_cart(t, humidity, wind), Ok(wet));
        }
    }

    /// In wind the second discriminant decides, and a humidity below 87.8 % is dry whatever it
    /// says.
    #[test]
    fn wind_dries_leaves() {
        let wet = |percent, wind| is_wet_by_cart(of(20.0), humid(percent), wind).unwrap();
        assert!(wet(92.0, 2.4) && !wet(92.0, 2.5));
        assert!(!wet(87.7, 40.0));
        assert!(is_wet_by_cart(of(20.0), humid(90.0), -0.1).is_err());
        assert!(is_wet_by_cart(of(20.0), humid(90.0), f64::NAN).is_err());
        assert_eq!(is_wet_by_cart(of(-1.0), humid(100.0), 0.0), Ok(false));
        assert_eq!(is_wet_by_cart(of(20.0), humid(0.0), 0.0), Ok(false));
    }

    #[test]
    fn the_simple_rules_begin_at_their_limits() {
        assert!(is_wet_by_humidity(humid(90.0)) && !is_wet_by_humidity(humid(89.9)));
        assert!(is_wet_by_depression(of(20.0), humid(89.0)));
        assert!(!is_wet_by_depression(of(20.0), humid(88.0)));
        assert!(!is_wet_by_depression(of(20.0), humid(0.0)));
    }

    fn periods(hours: &[Option<bool>]) -> Vec<WetPeriod> {
        let mut state = Wetness::default();
        let ended: Vec<_> =
            hours.iter().filter_map(|hour| take_wetness(&mut state, *hour)).collect();
        ended.into_iter().chain(state.open()).collect()
    }

    #[track_caller]
    fn check(hours: &str, expect: &[(u64, u64, u32, u32)]) {
        let hours: Vec<_> = hours
            .chars()
            .map(|hour| match hour {
                'w' => Some(true),
                'd' => Some(false),
                _ => None,
            })
            .collect();
        let found: Vec<_> = periods(&hours)
            .into_iter()
            .map(|it| (it.from_hour, it.until_hour, it.wet_hours, it.unknown_hours))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn three_dry_hours_join_and_four_part() {
        check("dwwdddwd", &[(1, 7, 3, 0)]);
        check("dwwddddwd", &[(1, 3, 2, 0), (7, 8, 1, 0)]);
        check("dddd", &[]);
        check("wwww", &[(0, 4, 4, 0)]);
    }

    #[test]
    fn an_unknown_hour_is_named_and_not_taken_for_wet() {
        check("ww??ww", &[(0, 6, 4, 2)]);
        check("ww????ww", &[(0, 2, 2, 0), (6, 8, 2, 0)]);
        check("wd?dw", &[(0, 5, 2, 1)]);
    }

    proptest! {
        #[test]
        fn the_tree_has_an_answer_to_any_air_and_a_dry_one_in_wind(
            air in -200.0..=200.0_f64, percent in 0.0..=100.0_f64, wind in 0.0..=100.0_f64,
        ) {
            let wet = is_wet_by_cart(of(air), humid(percent), wind).unwrap();
            prop_assert!(!wet || wind < 2.5);
        }

        #[test]
        fn every_wet_hour_lies_in_one_period(
            hours in proptest::collection::vec(
                proptest::option::weighted(0.9, any::<bool>()), 0..300,
            ),
        ) {
            let found = periods(&hours);
            let wet = hours.iter().filter(|hour| **hour == Some(true)).count();
            let told: u32 = found.iter().map(|it| it.wet_hours).sum();
            prop_assert_eq!(usize::try_from(told).unwrap(), wet);
            for pair in found.windows(2) {
                let apart = pair[1].from_hour - pair[0].until_hour;
                prop_assert!(apart > u64::from(DRY_HOURS_JOINED));
            }
            for it in found {
                prop_assert!(u64::from(it.wet_hours + it.unknown_hours) <= it.hours());
            }
        }
    }
}
