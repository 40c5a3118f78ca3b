//! Where the sun stands, and when it rises and sets.
//!
//! Meeus 1998, Astronomical Algorithms (2nd edition), chapter 25 "low accuracy" and equation 28.3,
//! in the arrangement of the NOAA Solar Calculator. Good to 0.01° and about half a minute between
//! the polar circles from 1901 to 2099; the horizon is flat and the air standard.

use measure::Timestamp;

use crate::Error;
use crate::error::within;

/// The sun's centre below the horizon at sunrise and sunset, in degrees: 34' refraction and 16'
/// radius.
const HORIZON_DEG: f64 = -0.833;
/// Two days on which the sun does not set are joined where their ends differ by no more than this,
/// in microseconds.
const SEAM_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;
const DAY_S: f64 = 86_400.0;

/// A place on the Earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub latitude_deg: f64,
    /// Degrees east, -180 to 180.
    pub longitude_deg: f64,
}

impl Place {
    /// Checks a place in degrees north and east. A place that is made without is a place of
    /// somebody else's checking.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] beyond the poles or half way round, and for what is no number.
    pub fn new(latitude_deg: f64, longitude_deg: f64) -> Result<Self, Error> {
        within("a latitude", "°", latitude_deg, -90.0, 90.0)?;
        within("a longitude", "°", longitude_deg, -180.0, 180.0)?;
        Ok(Self { latitude_deg, longitude_deg })
    }
}

/// Where the sun stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Degrees above the horizon, without refraction.
    pub elevation_deg: f64,
    /// Degrees clockwise from north.
    pub azimuth_deg: f64,
}

/// The sun's course in its own coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Apparent longitude along the ecliptic, in degrees, 0 to 360.
    pub longitude_deg: f64,
    /// Declination, in degrees.
    pub declination_deg: f64,
    /// Apparent minus mean solar time, in minutes.
    pub equation_of_time_min: f64,
}

/// One solar day of a place, from midnight to midnight by the mean sun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// The sun rises and sets.
    Rises {
        /// When.
        rise: Timestamp,
        /// When.
        set: Timestamp,
    },
    /// It does not set (polar day).
    Up,
    /// It does not rise (polar night).
    Down,
}

/// A time of unbroken day or of unbroken night: `from` belongs to it, `until` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Whether the sun is up.
    pub light: bool,
    /// When it began; at most three days back where it began earlier.
    pub from: Timestamp,
    /// When it ends; at most three days ahead where it ends later.
    pub until: Timestamp,
}

/// Returns the sun's course at a time.
///
/// Meeus 1998, equations 25.2 to 25.8 and 28.3.
pub fn course(at: Timestamp) -> Course {
    course_at(at.micros() as f64 / 1e6)
}

fn course_at(unix_s: f64) -> Course {
    // Julian centuries since J2000.0 (2000-01-01T12:00). UTC stands for dynamical time: the
    // difference of about 70 s moves the sun by less than 0.001°.
    let t = (unix_s - 946_728_000.0) / (DAY_S * 36_525.0);
    let mean_longitude = (280.466_46 + t * (36_000.769_83 + t * 0.000_303_2)).rem_euclid(360.0);
    let anomaly = (357.529_11 + t * (35_999.050_29 - t * 0.000_153_7)).to_radians();
    let eccentricity = 0.016_708_634 - t * (0.000_042_037 + t * 0.000_000_126_7);
    let centre = anomaly.sin() * (1.914_602 - t * (0.004_817 + t * 0.000_014))
        + (2.0 * anomaly).sin() * (0.019_993 - t * 0.000_101)
        + (3.0 * anomaly).sin() * 0.000_289;
    let node = (125.04 - 1_934.136 * t).to_radians();
    let longitude = mean_longitude + centre - 0.005_69 - 0.004_78 * node.sin();
    let mean_obliquity =
        23.0 + (26.0 + (21.448 - t * (46.815 + t * (0.000_59 - t * 0.001_813))) / 60.0) / 60.0;
    let obliquity = (mean_obliquity + 0.002_56 * node.cos()).to_radians();
    let declination = (obliquity.sin() * longitude.to_radians().sin()).asin();
    let y = (obliquity / 2.0).tan().powi(2);
    let l = mean_longitude.to_radians();
    let equation = y * (2.0 * l).sin() - 2.0 * eccentricity * anomaly.sin()
        + 4.0 * eccentricity * y * anomaly.sin() * (2.0 * l).cos()
        - 0.5 * y * y * (4.0 * l).sin()
        - 1.25 * eccentricity * eccentricity * (2.0 * anomaly).sin();
    Course {
        longitude_deg: longitude.rem_euclid(360.0),
        declination_deg: declination.to_degrees(),
        equation_of_time_min: 4.0 * equation.to_degrees(),
    }
}

/// Returns where the sun stands over a place.
///
/// Meeus 1998, equations 13.5 and 13.6.
pub fn position(at: Timestamp, place: Place) -> Position {
    let unix_s = at.micros() as f64 / 1e6;
    let course = course_at(unix_s);
    let solar_min =
        unix_s.rem_euclid(DAY_S) / 60.0 + course.equation_of_time_min + 4.0 * place.longitude_deg;
    let hour_angle = (solar_min / 4.0 - 180.0).to_radians();
    let (latitude, declination) =
        (place.latitude_deg.to_radians(), course.declination_deg.to_radians());
    let elevation = (latitude.sin() * declination.sin()
        + latitude.cos() * declination.cos() * hour_angle.cos())
    .clamp(-1.0, 1.0)
    .asin();
    let azimuth = hour_angle
        .sin()
        .atan2(hour_angle.cos() * latitude.sin() - declination.tan() * latitude.cos());
    Position {
        elevation_deg: elevation.to_degrees(),
        azimuth_deg: (azimuth.to_degrees() + 180.0).rem_euclid(360.0),
    }
}

/// Returns the solar day that `at` belongs to at a place.
///
/// Hour angle of the horizon after Meeus 1998, equation 15.1, with the sun's course taken at the
/// event itself.
pub fn day(at: Timestamp, place: Place) -> Day {
    let shift_s = place.longitude_deg * 240.0;
    let midnight_s = ((at.micros() as f64 / 1e6 + shift_s) / DAY_S).floor() * DAY_S - shift_s;
    let noon_s = midnight_s + DAY_S / 2.0;
    let event = |sign: f64| {
        let mut event_s = noon_s;
        for _ in 0..4 {
            let course = course_at(event_s);
            let angle = horizon_hour_angle_deg(course.declination_deg, place.latitude_deg)?;
            event_s = noon_s - course.equation_of_time_min * 60.0 + sign * angle * 240.0;
        }
        Ok(Timestamp::MIN.plus_micros((event_s * 1e6) as i64))
    };
    match (event(-1.0), event(1.0)) {
        (Ok(rise), Ok(set)) => Day::Rises { rise, set },
        (Err(never), _) | (_, Err(never)) => never,
    }
}

/// Returns how long the sun is up on the solar day that `at` belongs to, in hours: 24 on a polar
/// day and 0 in a polar night.
///
/// As [`day`]: the upper edge of the sun with refraction, about 8 minutes more than the
/// astronomical day of FAO-56 equation 34 at middle latitudes.
pub fn day_length_hours(at: Timestamp, place: Place) -> f64 {
    match day(at, place) {
        Day::Rises { rise, set } => set.micros_since(rise) as f64 / 3_600e6,
        Day::Up => 24.0,
        Day::Down => 0.0,
    }
}

/// Returns the hour angle at which the sun stands on the horizon, or how the day is without.
fn horizon_hour_angle_deg(declination_deg: f64, latitude_deg: f64) -> Result<f64, Day> {
    // At the very pole the cosine of the latitude is 0; a hair's breadth away the day is the same.
    let latitude = latitude_deg.clamp(-89.999, 89.999).to_radians();
    let declination = declination_deg.to_radians();
    let cosine = HORIZON_DEG.to_radians().sin() / (latitude.cos() * declination.cos())
        - latitude.tan() * declination.tan();
    if cosine < -1.0 {
        Err(Day::Up)
    } else if cosine > 1.0 {
        Err(Day::Down)
    } else {
        Ok(cosine.acos().to_degrees())
    }
}

/// Returns whether the sun is up, and since and until when.
pub fn phase(at: Timestamp, place: Place) -> Phase {
    let (from, to) = (at.plus_micros(-3 * DAY_US), at.plus_micros(3 * DAY_US));
    let mut dark_from = from;
    for (rise, set) in daylight(from, to, place) {
        if at < rise {
            return Phase { light: false, from: dark_from, until: rise };
        }
        if at < set {
            return Phase { light: true, from: rise, until: set };
        }
        dark_from = set;
    }
    Phase { light: false, from: dark_from, until: to }
}

/// Returns the spans of daylight within `[from, to)`, in order, cut at its ends.
pub fn daylight(from: Timestamp, to: Timestamp, place: Place) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    let shift_us = (place.longitude_deg * 240e6) as i64;
    let first = (from.micros() + shift_us).div_euclid(DAY_US) - 1;
    let last = (to.micros() + shift_us).div_euclid(DAY_US) + 1;
    for number in first..=last {
        let noon = Timestamp::MIN.plus_micros(number * DAY_US + DAY_US / 2 - shift_us);
        let (rise, set) = match day(noon, place) {
            Day::Rises { rise, set } => (rise, set),
            Day::Up => (noon.plus_micros(-DAY_US / 2), noon.plus_micros(DAY_US / 2)),
            Day::Down => continue,
        };
        match spans.last_mut() {
            Some((_, end)) if rise <= end.plus_micros(SEAM_US) => *end = set.max(*end),
            _ => spans.push((rise, set)),
        }
    }
    spans.retain_mut(|(rise, set)| {
        (*rise, *set) = ((*rise).max(from), (*set).min(to));
        rise < set
    });
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NANCHUAN: Place = Place { latitude_deg: 29.16, longitude_deg: 107.1 };

    /// Seconds since 1970 of a UTC time, by the day number (Howard Hinnant's `days_from_civil`).
    fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Timestamp {
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let doe = (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 + doy;
        let days = era * 146_097 + doe - 719_468;
        Timestamp::from_millis(((days * 24 + hour) * 3_600 + minute * 60 + second) * 1_000).unwrap()
    }

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    #[track_caller]
    fn near_s(at: Timestamp, expect: Timestamp, tolerance_s: i64) {
        let apart_s = at.ms_since(expect) / 1_000;
        assert!(apart_s.abs() <= tolerance_s, "{apart_s} s apart");
    }

    /// Meeus 1998, example 25.a (1992 October 13.0): longitude 199.909°, declination -7.785°;
    /// example 28.b: equation of time +13 min 42.7 s by equation 28.3.
    #[test]
    fn the_course_is_that_of_meeus_s_examples() {
        let course = course(utc(1992, 10, 13, 0, 0, 0));
        near(course.longitude_deg, 199.908_95, 0.001);
        near(course.declination_deg, -7.785_07, 0.001);
        near(course.equation_of_time_min, 13.0 + 42.7 / 60.0, 0.01);
    }

    const GOLDEN: Place = Place { latitude_deg: 39.742_476, longitude_deg: -105.178_6 };

    /// Reda and Andreas 2004, NREL/TP-560-34302, table A5.1: 2003-10-17T19:30:30Z, topocentric
    /// elevation without refraction 39.872°, azimuth 194.340°.
    #[test]
    fn the_position_is_that_of_nrel_s_example() {
        let position = position(utc(2003, 10, 17, 19, 30, 30), GOLDEN);
        near(position.elevation_deg, 39.872, 0.02);
        near(position.azimuth_deg, 194.340, 0.02);
    }

    /// The same table: sunrise 06:12:43 and sunset 17:20:19 at UTC-7. Both are of the UTC day, so
    /// the sunset is that of the local evening before.
    #[test]
    fn the_sun_rises_and_sets_as_in_nrel_s_example() {
        let Day::Rises { rise, .. } = day(utc(2003, 10, 17, 19, 30, 30), GOLDEN) else {
            panic!("the sun rises in Golden");
        };
        near_s(rise, utc(2003, 10, 17, 13, 12, 43), 15);
        let Day::Rises { set, .. } = day(utc(2003, 10, 16, 19, 30, 30), GOLDEN) else {
            panic!("the sun sets in Golden");
        };
        near_s(set, utc(2003, 10, 17, 0, 20, 19), 15);
    }

    #[test]
    fn beyond_the_polar_circle_the_sun_stays_up_or_down() {
        let tromso = Place { latitude_deg: 69.65, longitude_deg: 18.96 };
        assert_eq!(day(utc(2026, 6, 21, 12, 0, 0), tromso), Day::Up);
        assert_eq!(day(utc(2026, 12, 21, 12, 0, 0), tromso), Day::Down);
        let summer = phase(utc(2026, 6, 21, 0, 0, 0), tromso);
        assert!(summer.light && summer.until.ms_since(summer.from) > 5 * 86_400_000);
        let winter = phase(utc(2026, 12, 21, 12, 0, 0), tromso);
        assert!(!winter.light && winter.until.ms_since(winter.from) > 5 * 86_400_000);
    }

    /// Nanchuan on the equinox and the solstices, by the hour angle of -0.833° at the declinations
    /// of 0° and ±23.436° (Meeus 1998, equation 15.1); Tromsø without sunset and sunrise.
    #[test]
    fn days_are_as_long_as_their_season() {
        let hours = |latitude_deg, month, of_month| {
            let place = Place { latitude_deg, longitude_deg: 107.1 };
            day_length_hours(utc(2026, month, of_month, 5, 0, 0), place)
        };
        near(hours(29.16, 3, 20), 12.127, 0.02);
        near(hours(29.16, 6, 21), 14.009, 0.02);
        near(hours(29.16, 12, 21), 10.276, 0.02);
        near(hours(0.0, 6, 21), 12.121, 0.02);
        assert_eq!((hours(69.65, 6, 21), hours(69.65, 12, 21)), (24.0, 0.0));
        assert_eq!((hours(90.0, 6, 21), hours(-90.0, 6, 21)), (24.0, 0.0));
        assert!(Place::new(90.1, 0.0).is_err() && Place::new(0.0, f64::NAN).is_err());
        assert_eq!(Place::new(29.16, 107.1), Ok(NANCHUAN));
    }

    #[test]
    fn a_day_of_nanchuan_begins_in_the_utc_evening_before() {
        let spans = daylight(utc(2026, 3, 19, 16, 0, 0), utc(2026, 3, 20, 16, 0, 0), NANCHUAN);
        assert_eq!(spans.len(), 1);
        // Around the equinox the day is 12 h and about 8 min long.
        let (rise, set) = spans[0];
        near(set.ms_since(rise) as f64 / 60_000.0, 728.0, 4.0);
        assert!(rise > utc(2026, 3, 19, 22, 0, 0) && set < utc(2026, 3, 20, 12, 0, 0));
    }

    #[test]
    fn daylight_is_cut_at_the_ends() {
        let (from, to) = (utc(2026, 3, 20, 2, 0, 0), utc(2026, 3, 20, 4, 0, 0));
        assert_eq!(daylight(from, to, NANCHUAN), [(from, to)]);
        assert_eq!(daylight(to, from, NANCHUAN), []);
    }

    proptest! {
        #[test]
        fn the_phase_agrees_with_the_height_of_the_sun(
            unix_s in 0_i64..4_000_000_000,
            latitude_deg in -65.0..65.0_f64,
            longitude_deg in -180.0..180.0_f64,
        ) {
            let place = Place { latitude_deg, longitude_deg };
            let at = Timestamp::from_millis(unix_s * 1_000).unwrap();
            let phase = phase(at, place);
            prop_assert!(phase.from <= at && at < phase.until);
            let elevation = position(at, place).elevation_deg;
            if (elevation - HORIZON_DEG).abs() > 0.02 {
                prop_assert_eq!(phase.light, elevation > HORIZON_DEG);
            }
        }
    }
}
