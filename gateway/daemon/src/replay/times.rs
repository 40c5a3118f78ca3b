//! The times of a recording: with an offset, or as a wall clock of a named zone showed them.
//!
//! In a zone whose clock is set back an hour once a year that hour comes twice. Its rows are told apart by
//! their order: the first pass, until a series goes back in time, then the second one. A time that comes
//! twice in a row is one time, unless the series has only one reading an hour. Where the first
//! pass is missing as a whole, its rows can't be told from the second's, and count as the first; such a
//! file has to say offsets.

use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use measure::Timestamp;

/// How the times of a file are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// The zone of times that have no offset.
    zone: Option<(String, TimeZone)>,
    /// How they are written, as strptime(3) says it; ISO 8601 where absent.
    format: Option<String>,
}

/// The reading of a series before the one at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    time: Timestamp,
    /// From the reading before it, in microseconds; 0 where there was none.
    step_us: i64,
}

/// An hour, in microseconds.
const HOUR_US: i64 = 3_600_000_000;

impl Before {
    /// Returns what is before the next reading, after one at `time`.
    pub(super) fn next(before: Option<Self>, time: Timestamp) -> Self {
        let step_us = before.map_or(0, |before| time.micros_since(before.time));
        // A repeat of a time says nothing of how often there is a reading.
        Self {
            time,
            step_us: if step_us > 0 { step_us } else { before.map_or(0, |it| it.step_us) },
        }
    }

    fn has_passed(self, time: Timestamp) -> bool {
        time < self.time || time == self.time && self.step_us >= HOUR_US
    }
}

impl Times {
    /// # Errors
    /// For a zone that nobody knows, in words.
    pub(super) fn new(zone: Option<&str>, format: Option<&str>) -> Result<Self, String> {
        let known = |name: &str| {
            let zone = TimeZone::get(name).map_err(|_| {
                format!("`{name}` is no time zone; write one such as Asia/Shanghai or Etc/GMT-1")
            })?;
            Ok::<_, String>((name.to_owned(), zone))
        };
        Ok(Self { zone: zone.map(known).transpose()?, format: format.map(str::to_owned) })
    }

    /// Returns what the file's sums depend on beside its bytes.
    pub(super) fn words(&self) -> String {
        let zone = self.zone.as_ref().map_or("", |(name, _)| name);
        format!("{zone} {}", self.format.as_deref().unwrap_or_default())
    }

    /// Returns the time of a cell; `before` says what the series had before.
    ///
    /// # Errors
    /// What is wrong with it and what to do, in words.
    pub(super) fn parse(&self, text: &str, before: Option<Before>) -> Result<Timestamp, String> {
        if self.format.is_none()
            && let Ok(time) = text.parse::<jiff::Timestamp>()
        {
            return within(time, text);
        }
        let civil = match &self.format {
            None => text.parse::<DateTime>().ok(),
            Some(format) => DateTime::strptime(format, text).ok(),
        };
        match (&self.zone, civil) {
            (Some((name, zone)), Some(civil)) => placed(name, zone, civil, text, before),
            (None, Some(_)) => Err(format!(
                "`{text}` says no offset from UTC; write 2026-05-01T06:00:00+08:00, or name its zone \
                 by --time-zone"
            )),
            (_, None) => Err(match &self.format {
                None => format!("`{text}` is no RFC 3339 time such as 2026-05-01T06:00:00Z"),
                Some(format) => format!("`{text}` is no time written as `{format}`"),
            }),
        }
    }
}

fn placed(
    name: &str,
    zone: &TimeZone,
    civil: DateTime,
    text: &str,
    before: Option<Before>,
) -> Result<Timestamp, String> {
    let at = |offset: jiff::tz::Offset| {
        let time = offset.to_timestamp(civil).map_err(|error| format!("`{text}`: {error}"))?;
        within(time, text)
    };
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => at(offset),
        AmbiguousOffset::Fold { before: first, after: second } => {
            let first = at(first)?;
            if before.is_some_and(|before| before.has_passed(first)) {
                at(second)
            } else {
                Ok(first)
            }
        }
        AmbiguousOffset::Gap { .. } => Err(format!(
            "`{text}` never was in {name}: its clock was set forward over it. Where the recorder's clock \
             is not set twice a year, name a zone without that, such as Etc/GMT-1 for UTC+1"
        )),
    }
}

fn within(time: jiff::Timestamp, text: &str) -> Result<Timestamp, String> {
    Timestamp::from_micros(time.as_microsecond())
        .ok_or_else(|| format!("`{text}` does not lie between 1970 and 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        Times::default().parse(text, None).unwrap()
    }

    #[track_caller]
    fn check(times: &Times, text: &str, before: Option<&str>, expect: &str) {
        let before = before.map(|time| Before { time: utc(time), step_us: 60_000_000 });
        assert_eq!(times.parse(text, before), Ok(utc(expect)), "{text}");
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart_by_its_order() {
        let times = Times::new(Some("Europe/Amsterdam"), None).unwrap();
        check(&times, "2025-10-26 01:59:00", None, "2025-10-25T23:59:00Z");
        check(&times, "2025-10-26 02:59:00", Some("2025-10-25T23:59:00Z"), "2025-10-26T00:59:00Z");
        check(&times, "2025-10-26 02:00:00", Some("2025-10-26T00:59:00Z"), "2025-10-26T01:00:00Z");
        check(&times, "2025-10-26 02:01:00", Some("2025-10-26T01:00:00Z"), "2025-10-26T01:01:00Z");
        check(&times, "2025-10-26 03:00:00", Some("2025-10-26T01:59:00Z"), "2025-10-26T02:00:00Z");
        // A row that is said twice is no second pass, but where there is one an hour it is.
        check(&times, "2025-10-26 02:30:00", Some("2025-10-26T00:30:00Z"), "2025-10-26T00:30:00Z");
        let hourly = Before { time: utc("2025-10-26T00:30:00Z"), step_us: HOUR_US };
        let second = times.parse("2025-10-26 02:30:00", Some(hourly));
        assert_eq!(second, Ok(utc("2025-10-26T01:30:00Z")));
        // An offset says it by itself.
        check(&times, "2025-10-26T02:30:00+01:00", None, "2025-10-26T01:30:00Z");
        // Shanghai had summer time from 1986 to 1991.
        let times = Times::new(Some("Asia/Shanghai"), None).unwrap();
        check(&times, "1988-07-01T12:00:00", None, "1988-07-01T03:00:00Z");
        check(&times, "2026-07-01T12:00:00", None, "2026-07-01T04:00:00Z");
    }

    #[test]
    fn the_hour_that_never_was_is_a_fault_with_a_remedy() {
        let times = Times::new(Some("Europe/Amsterdam"), None).unwrap();
        let words = times.parse("2025-03-30 02:30:00", None).unwrap_err();
        assert!(words.contains("never was") && words.contains("Etc/GMT-1"), "{words}");
        let fixed = Times::new(Some("Etc/GMT-1"), None).unwrap();
        check(&fixed, "2025-03-30 02:30:00", None, "2025-03-30T01:30:00Z");
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let times = Times::new(Some("Asia/Shanghai"), Some("%d/%m/%Y %H:%M")).unwrap();
        check(&times, "01/05/2026 14:00", None, "2026-05-01T06:00:00Z");
        let words = times.parse("2026-05-01T06:00:00Z", None).unwrap_err();
        assert!(words.contains("`%d/%m/%Y %H:%M`"), "{words}");
        let words = Times::default().parse("2026-05-01 06:00", None).unwrap_err();
        assert!(words.contains("--time-zone"), "{words}");
        let words = Times::default().parse("yesterday", None).unwrap_err();
        assert!(words.contains("RFC 3339"), "{words}");
        assert!(Times::new(Some("Mars/Olympus"), None).unwrap_err().contains("`Mars/Olympus`"));
    }
}
