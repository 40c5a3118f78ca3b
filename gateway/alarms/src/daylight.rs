//! Whether it is day in a zone, and since when.

use agronomy::sun;
use measure::Timestamp;
use nursery::{Day, LampSpan, Site, TimeOfDay, TimeZone};

use crate::DayClock;

/// How far to each side a lamp schedule is laid out, in days.
const LAMP_DAYS: i32 = 2;

/// A time of unbroken day or night: `from` belongs to it, `until` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Whether it is day.
    pub light: bool,
    /// Since when; at most some days back.
    pub from: Timestamp,
    /// Until when; at most some days ahead.
    pub until: Timestamp,
}

impl Phase {
    /// Returns whether a time lies in this phase.
    pub fn contains(self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// Returns whether it is day at a time, by the sun or the lamps. A day by measured light is the
/// sun's here: what the light channel says is known to the engine only.
pub fn phase(clock: &DayClock, at: Timestamp) -> Phase {
    match &clock.day {
        Day::Sun | Day::MeasuredLight { .. } => {
            let sun::Phase { light, from, until } = sun::phase(at, place(&clock.site));
            Phase { light, from, until }
        }
        Day::Lamp { spans } => lamp(spans, &clock.site.time_zone, at),
    }
}

/// Returns the nights within `[from, to)`, in order, cut at its ends: what a chart shades. A day
/// by measured light is the sun's here.
pub fn nights(clock: &DayClock, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut nights = Vec::new();
    let mut at = from;
    while at < to {
        let phase = phase(clock, at);
        let until = phase.until.min(to);
        if !phase.light {
            match nights.last_mut() {
                Some((_, end)) if *end == at => *end = until,
                _ => nights.push((at, until)),
            }
        }
        if until <= at {
            break;
        }
        at = until;
    }
    nights
}

fn place(site: &Site) -> sun::Place {
    sun::Place {
        latitude_deg: site.position.latitude.degrees(),
        longitude_deg: site.position.longitude.degrees(),
    }
}

fn lamp(spans: &[LampSpan], zone: &TimeZone, at: Timestamp) -> Phase {
    let today = zone.day_of(at);
    let (first, last) = (today - LAMP_DAYS, today + LAMP_DAYS);
    let mut dark_from = zone.instant(first, TimeOfDay::MIDNIGHT).min(at);
    for (on, off) in lit(spans, zone, first, last) {
        if at < on {
            return Phase { light: false, from: dark_from, until: on };
        }
        if at < off {
            return Phase { light: true, from: on, until: off };
        }
        dark_from = off;
    }
    let until = zone.instant(last, TimeOfDay::END).max(at.plus_micros(1));
    Phase { light: false, from: dark_from, until }
}

/// Returns when the lamps are on from one local day to another, in order and joined.
fn lit(spans: &[LampSpan], zone: &TimeZone, first: i32, last: i32) -> Vec<(Timestamp, Timestamp)> {
    let mut lit: Vec<(Timestamp, Timestamp)> = (first..=last)
        .flat_map(|day| spans.iter().map(move |span| (day, span)))
        .map(|(day, span)| {
            let next_day = i32::from(span.off <= span.on);
            (zone.instant(day, span.on), zone.instant(day + next_day, span.off))
        })
        .collect();
    lit.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(lit.len());
    for (on, off) in lit {
        match joined.last_mut() {
            Some((_, end)) if on <= *end => *end = off.max(*end),
            _ => joined.push((on, off)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use measure::Slug;
    use nursery::{Latitude, Longitude, Names, Position};

    use super::*;

    fn clock(day: Day) -> DayClock {
        let site = Site {
            id: Slug::new("nanchuan").unwrap(),
            names: Names::new("南川", "Nanchuan").unwrap(),
            position: Position {
                latitude: Latitude::new(29.16).unwrap(),
                longitude: Longitude::new(107.1).unwrap(),
            },
            time_zone: TimeZone::new("Asia/Shanghai").unwrap(),
        };
        DayClock { site, day, light: None }
    }

    fn lamps(spans: &[(&str, &str)]) -> Day {
        let span = |&(on, off): &(&str, &str)| LampSpan {
            on: on.parse().unwrap(),
            off: off.parse().unwrap(),
        };
        Day::Lamp { spans: spans.iter().map(span).collect() }
    }

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(at.as_microsecond()).unwrap()
    }

    #[track_caller]
    fn check(day: &Day, time: &str, light: bool, from: &str, until: &str) {
        let phase = phase(&clock(day.clone()), at(time));
        assert_eq!(phase, Phase { light, from: at(from), until: at(until) });
    }

    #[test]
    fn lamps_are_on_in_local_time() {
        let day = lamps(&[("06:00", "22:00")]);
        check(
            &day,
            "2026-11-23T06:00:00+08",
            true,
            "2026-11-23T06:00:00+08",
            "2026-11-23T22:00:00+08",
        );
        check(
            &day,
            "2026-11-23T22:00:00+08",
            false,
            "2026-11-23T22:00:00+08",
            "2026-11-24T06:00:00+08",
        );
        check(
            &day,
            "2026-11-23T05:59:59+08",
            false,
            "2026-11-22T22:00:00+08",
            "2026-11-23T06:00:00+08",
        );
    }

    #[test]
    fn a_lamp_span_may_run_over_midnight() {
        let day = lamps(&[("10:00", "06:00")]);
        check(
            &day,
            "2026-11-23T03:00:00+08",
            true,
            "2026-11-22T10:00:00+08",
            "2026-11-23T06:00:00+08",
        );
        check(
            &day,
            "2026-11-23T07:00:00+08",
            false,
            "2026-11-23T06:00:00+08",
            "2026-11-23T10:00:00+08",
        );
    }

    #[test]
    fn spans_that_touch_are_one_day() {
        let day = lamps(&[("06:00", "12:00"), ("12:00", "18:00")]);
        check(
            &day,
            "2026-11-23T12:00:00+08",
            true,
            "2026-11-23T06:00:00+08",
            "2026-11-23T18:00:00+08",
        );
    }

    #[test]
    fn without_lamps_it_is_always_night_and_with_all_of_them_always_day() {
        let at = at("2026-11-23T12:00:00+08");
        let dark = phase(&clock(lamps(&[])), at);
        assert!(!dark.light && dark.contains(at));
        let lit = phase(&clock(lamps(&[("00:00", "24:00")])), at);
        assert!(lit.light && lit.contains(at));
        assert!(at.ms_since(lit.from) > crate::PHASE_SETTLE_MS);
    }

    #[test]
    fn nights_of_a_week_are_seven() {
        let (from, to) = (at("2026-11-16T12:00:00+08"), at("2026-11-23T12:00:00+08"));
        for day in [Day::Sun, lamps(&[("06:00", "22:00")])] {
            let nights = nights(&clock(day), from, to);
            assert_eq!(nights.len(), 7);
            assert!(nights.iter().all(|(from, to)| from < to));
        }
        assert_eq!(nights(&clock(lamps(&[])), from, to), [(from, to)]);
        assert_eq!(nights(&clock(lamps(&[("00:00", "24:00")])), from, to), []);
    }
}
