//! A site: where a nursery stands and which time its people live by.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::{ToSpan as _, tz};
use measure::{Slug, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Names};

/// A nursery at one place. Rules, zones and batches never cross sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name in topics and files.
    #[serde(with = "crate::serial::slug")]
    pub id: Slug,
    /// What people call it.
    pub names: Names,
    /// Where it stands.
    pub position: Position,
    /// The time of its people: lamp schedules and days are counted in it.
    pub time_zone: TimeZone,
}

/// A place on the Earth, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Degrees north.
    pub latitude: Latitude,
    /// Degrees east.
    pub longitude: Longitude,
}

/// Degrees north of the equator, -90 to 90.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Latitude(f64);

/// Degrees east of Greenwich, -180 to 180.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Longitude(f64);

fn within(what: &'static str, value: f64, low: f64, high: f64) -> Result<f64, Error> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(Error::Number { what, value, low, high })
    }
}

impl Latitude {
    /// Checks a latitude in degrees.
    ///
    /// # Errors
    /// [`Error::Number`] outside -90 to 90.
    pub fn new(degrees: f64) -> Result<Self, Error> {
        within("latitude", degrees, -90.0, 90.0).map(Self)
    }

    /// Returns the degrees.
    pub const fn degrees(self) -> f64 {
        self.0
    }
}

impl Longitude {
    /// Checks a longitude in degrees.
    ///
    /// # Errors
    /// [`Error::Number`] outside -180 to 180.
    pub fn new(degrees: f64) -> Result<Self, Error> {
        within("longitude", degrees, -180.0, 180.0).map(Self)
    }

    /// Returns the degrees.
    pub const fn degrees(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Latitude {
    type Error = Error;

    fn try_from(degrees: f64) -> Result<Self, Error> {
        Self::new(degrees)
    }
}

impl From<Latitude> for f64 {
    fn from(latitude: Latitude) -> Self {
        latitude.0
    }
}

impl TryFrom<f64> for Longitude {
    type Error = Error;

    fn try_from(degrees: f64) -> Result<Self, Error> {
        Self::new(degrees)
    }
}

impl From<Longitude> for f64 {
    fn from(longitude: Longitude) -> Self {
        longitude.0
    }
}

/// A minute of the local day: 00:00 to 24:00, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// 00:00.
    pub const MIDNIGHT: Self = Self(0);
    /// 24:00.
    pub const END: Self = Self(Self::MINUTES);
    /// The minutes of a whole day.
    const MINUTES: u16 = 24 * 60;

    /// Returns the time this many minutes after midnight.
    ///
    /// # Errors
    /// [`Error::TimeOfDay`] after 24:00.
    pub fn from_minutes(minutes: u16) -> Result<Self, Error> {
        if minutes > Self::MINUTES {
            return Err(Error::TimeOfDay(minutes.to_string()));
        }
        Ok(Self(minutes))
    }

    /// Returns the minutes since midnight, 0 to 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let two = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u16>().ok() } else { None }
        };
        text.split_once(':')
            .and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)))
            .filter(|&(hours, minutes)| minutes < 60 && hours * 60 + minutes <= Self::MINUTES)
            .map(|(hours, minutes)| Self(hours * 60 + minutes))
            .ok_or_else(|| Error::TimeOfDay(text.to_owned()))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone {
    name: String,
    rules: tz::TimeZone,
}

impl TimeZone {
    /// Finds a zone by its name, such as `Asia/Shanghai`.
    ///
    /// # Errors
    /// [`Error::TimeZone`] where the database has no such zone.
    pub fn new(name: &str) -> Result<Self, Error> {
        let rules = tz::TimeZone::get(name).map_err(|_| Error::TimeZone(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), rules })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the local calendar day of `at`, as days since 1970-01-01.
    pub fn day_of(&self, at: Timestamp) -> i32 {
        let local = self.rules.to_datetime(instant(at));
        let days = local.date().duration_since(Date::constant(1970, 1, 1)).as_secs() / 86_400;
        i32::try_from(days).unwrap_or(i32::MAX)
    }

    /// Writes a time as a clock of the place shows it, such as `2026-11-23 14:05`.
    pub fn written(&self, at: Timestamp) -> String {
        self.rules.to_datetime(instant(at)).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Returns when it is `time` on the local calendar `day` (days since 1970-01-01). A time that
    /// daylight saving skips is taken after the jump, one that it repeats is taken first.
    pub fn instant(&self, day: i32, time: TimeOfDay) -> Timestamp {
        let minutes = i64::from(time.minutes());
        let local = Date::constant(1970, 1, 1)
            .checked_add(i64::from(day).days())
            .and_then(|date| DateTime::from(date).checked_add(minutes.minutes()));
        let at = local.and_then(|local| self.rules.to_timestamp(local));
        let bound = if day < 0 { Timestamp::MIN } else { Timestamp::MAX };
        at.map_or(bound, |at| Timestamp::MIN.plus_micros(at.as_microsecond()))
    }
}

/// The same instant; `measure::Timestamp` lies within jiff's range but for its last day.
fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX)
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TimeZone {}

impl TryFrom<String> for TimeZone {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> Self {
        zone.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(at.as_microsecond()).unwrap()
    }

    #[track_caller]
    fn check(zone: &str, utc: &str, time: &str, expect: &str) {
        let zone = TimeZone::new(zone).unwrap();
        assert_eq!(zone.instant(zone.day_of(at(utc)), time.parse().unwrap()), at(expect));
    }

    #[test]
    fn a_local_day_is_the_site_s_own() {
        check("Asia/Shanghai", "2026-11-23T20:00:00Z", "06:00", "2026-11-23T22:00:00Z");
        check("Asia/Shanghai", "2026-11-23T10:00:00Z", "24:00", "2026-11-23T16:00:00Z");
    }

    #[test]
    fn china_s_summer_time_of_1986_is_known() {
        check("Asia/Shanghai", "1987-07-01T03:00:00Z", "06:00", "1987-06-30T21:00:00Z");
    }

    #[test]
    fn a_time_that_summer_time_skips_is_taken_after_the_jump() {
        check("Europe/Amsterdam", "2026-03-29T05:00:00Z", "02:30", "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_time_of_day_is_written_in_one_way() {
        for wrong in ["6:00", "06:60", "24:01", "0600", "-1:00", "06:00:00", "+6:00", ""] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(Error::TimeOfDay(wrong.into())));
        }
        assert_eq!("24:00".parse::<TimeOfDay>().map(TimeOfDay::minutes), Ok(1440));
    }

    #[test]
    fn a_place_off_the_earth_is_refused() {
        assert!(Latitude::new(90.5).is_err() && Latitude::new(f64::NAN).is_err());
        assert!(Longitude::new(-180.5).is_err() && Longitude::new(107.1).is_ok());
        assert!(matches!(TimeZone::new("Asia/Nanchuan"), Err(Error::TimeZone(_))));
    }
}
