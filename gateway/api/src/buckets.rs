//! How wide the buckets of a chart are: whole roll-up steps, aligned to the site's midnight.

use measure::Timestamp;
use nursery::{TimeOfDay, TimeZone};

/// The most points that a chart may ask for; more are refused with 422.
pub const POINTS_MAX: usize = 10_000;

/// How many points a chart gets that doesn't say.
pub const POINTS_DEFAULT: usize = 500;

const S: i64 = 1_000;
const M: i64 = 60 * S;
const H: i64 = 60 * M;
const D: i64 = 24 * H;

/// The roll-up steps, in milliseconds. Each divides the day, or is a number of days.
pub const STEPS_MS: [i64; 21] = [
    S,
    2 * S,
    5 * S,
    10 * S,
    15 * S,
    30 * S,
    M,
    2 * M,
    5 * M,
    10 * M,
    15 * M,
    30 * M,
    H,
    2 * H,
    3 * H,
    6 * H,
    12 * H,
    D,
    2 * D,
    7 * D,
    30 * D,
];

/// How the buckets of a chart lie: how wide, and where one of them begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) step_ms: i64,
    pub(crate) origin: Timestamp,
}

/// Returns the narrowest grid on which the span touches at most `points` buckets, or the widest
/// there is where none is that wide.
pub(crate) fn grid(zone: Option<&TimeZone>, from: Timestamp, to: Timestamp, points: usize) -> Grid {
    let mut widest = Grid { step_ms: S, origin: Timestamp::MIN };
    for step_ms in STEPS_MS {
        let grid = Grid { step_ms, origin: origin(zone, from, step_ms) };
        if grid.buckets(from, to) <= points as i64 {
            return grid;
        }
        widest = grid;
    }
    widest
}

impl Grid {
    /// Returns how many buckets a span touches.
    pub(crate) fn buckets(self, from: Timestamp, to: Timestamp) -> i64 {
        let step_us = self.step_ms * 1_000;
        let first = from.micros_since(self.origin).div_euclid(step_us);
        let last = (to.micros_since(self.origin) - 1).div_euclid(step_us);
        last - first + 1
    }
}

/// Returns the midnight, at the site, of the day at which a step of days begins: weeks on Mondays.
pub(crate) fn origin(zone: Option<&TimeZone>, from: Timestamp, step_ms: i64) -> Timestamp {
    const MONDAY: i32 = 4; // 1970-01-05
    let day = zone.map_or((from.millis() / D) as i32, |zone| zone.day_of(from));
    let days = (step_ms / D).max(1) as i32;
    let first = if days == 7 { MONDAY } else { 0 };
    let day = day - (day - first).rem_euclid(days);
    let utc = || Timestamp::MIN.plus_ms(i64::from(day) * D);
    match TimeOfDay::from_minutes(0) {
        Ok(midnight) => zone.map_or_else(utc, |zone| zone.instant(day, midnight)),
        Err(_) => utc(),
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
    fn check(from: &str, to: &str, points: usize, step_ms: i64, origin: &str) {
        let zone = TimeZone::new("Asia/Shanghai").unwrap();
        let grid = grid(Some(&zone), at(from), at(to), points);
        assert_eq!(grid, Grid { step_ms, origin: at(origin) });
    }

    #[test]
    fn buckets_widen_to_whole_steps_from_the_site_s_midnight() {
        let (from, to) = ("2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z");
        check(from, to, 1_440, M, from);
        check(from, to, 1_439, 2 * M, from);
        check(from, to, 1, D, from);
        check("2026-11-24T03:07:00Z", "2026-11-25T03:07:00Z", 500, 5 * M, from);
        check("2026-11-24T03:07:00Z", "2026-11-24T03:07:01Z", 10, S, from);
    }

    #[test]
    fn weeks_begin_on_mondays() {
        let monday = "2026-11-22T16:00:00Z";
        check("2026-11-25T00:00:00Z", "2027-11-24T00:00:00Z", 100, 7 * D, monday);
    }

    #[test]
    fn a_span_too_long_for_its_points_gets_the_widest_step() {
        let grid = grid(None, Timestamp::MIN, at("2026-11-24T00:00:00Z"), 2);
        assert_eq!(grid.step_ms, 30 * D);
    }

    #[test]
    fn every_step_divides_the_day_or_is_made_of_days() {
        for step in STEPS_MS {
            assert!(D % step == 0 || step % D == 0, "{step}");
        }
        assert!(STEPS_MS.is_sorted());
    }
}
