//! What the join needs to know of a site: its series, where its nodes stood, its light and its days.

use measure::{NodeKey, Slug, Timestamp};
use nursery::{NodePlaced, TimeOfDay, TimeZone};
use store::{SeriesId, SeriesKey, Store};

/// The shortest time that a sample may stand for, in milliseconds: a quarter of an hour.
pub const HOLD_MS_MIN: u32 = 900_000;
/// How many expected intervals a sample may stand for where that is longer.
const HOLD_INTERVALS: i64 = 3;

/// Returns for how many microseconds a sample may stand in a zone that expects one every
/// `expected_interval_ms`.
pub fn hold_us(expected_interval_ms: u32) -> i64 {
    let hold_ms = (HOLD_INTERVALS * i64::from(expected_interval_ms)).max(i64::from(HOLD_MS_MIN));
    hold_ms * 1_000
}

/// Whether it is day, and until when that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    /// Whether it is day.
    pub day: bool,
    /// Until when; later than the time that was asked for.
    pub until: Timestamp,
}

/// A site as the join sees it.
pub struct House<'a> {
    /// Where the samples are.
    pub store: &'a dyn Store,
    /// The site.
    pub site: &'a Slug,
    /// Every series; those of other sites are not looked at.
    pub series: &'a [(SeriesId, SeriesKey)],
    /// Where nodes stood, oldest first.
    pub placed: &'a [NodePlaced],
    /// How often channels of a zone are expected to report, in milliseconds.
    pub expected_interval_ms: &'a dyn Fn(&Slug) -> u32,
    /// Whether it is day in a zone at a time.
    pub light: &'a dyn Fn(&Slug, Timestamp) -> Light,
    /// The site's own time: its days are counted in it.
    pub time_zone: &'a TimeZone,
}

/// A time that a batch stood in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The zone.
    pub zone: Slug,
    /// The bench or tray.
    pub position: Option<Slug>,
    /// From when, included.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
}

/// A span of time: from, included, and to, not included.
pub(crate) type Window = (Timestamp, Timestamp);

impl House<'_> {
    /// Returns for how many microseconds a sample may stand in a zone.
    pub(crate) fn hold_us(&self, zone: &Slug) -> i64 {
        hold_us((self.expected_interval_ms)(zone))
    }

    /// Returns when a node stood in a zone within a span, in order and joined.
    pub(crate) fn presence(&self, node: &NodeKey, zone: &Slug, (from, to): Window) -> Vec<Window> {
        let mut moves = self.placed.iter().filter(|it| it.node == *node).peekable();
        let mut since = Timestamp::MIN;
        let mut found: Vec<Window> = Vec::new();
        while let Some(placed) = moves.next() {
            let until = moves.peek().map_or(Timestamp::MAX, |next| next.from);
            let (start, end) = (since.max(from), until.min(to));
            since = until;
            if placed.zone.as_ref() != Some(zone) || start >= end {
                continue;
            }
            match found.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ => found.push((start, end)),
            }
        }
        found
    }

    /// Returns a span cut at the site's midnights: each day (since 1970-01-01) with its part.
    pub(crate) fn local_days(&self, (from, to): Window) -> Vec<(i32, Window)> {
        let mut days = Vec::new();
        let mut at = from;
        while at < to {
            let day = self.time_zone.day_of(at);
            let end = self.day_window(day).1;
            // A midnight that lies behind would never end; no zone of the database has one.
            let end = if end > at { end.min(to) } else { to };
            days.push((day, (at, end)));
            at = end;
        }
        days
    }

    /// Returns from when to when a local day lasts.
    pub(crate) fn day_window(&self, day: i32) -> Window {
        let midnight = |day| self.time_zone.instant(day, TimeOfDay::MIDNIGHT);
        (midnight(day), midnight(day.saturating_add(1)))
    }

    /// Returns a span of a zone cut at its dusks and dawns: each part with whether it is day.
    pub(crate) fn lights(&self, zone: &Slug, (from, to): Window) -> Vec<(bool, Timestamp)> {
        let mut lights: Vec<(bool, Timestamp)> = Vec::new();
        let mut at = from;
        while at < to {
            let light = (self.light)(zone, at);
            // A light that says no end would never end.
            let until = if light.until > at { light.until.min(to) } else { to };
            match lights.last_mut() {
                Some((day, end)) if *day == light.day => *end = until,
                _ => lights.push((light.day, until)),
            }
            at = until;
        }
        lights
    }
}
