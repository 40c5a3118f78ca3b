//! Which limit counts at an hour, and what it says about a value.

use measure::{Scaled, Timestamp};
use nursery::{Day, Side};

use crate::daylight::phase;
use crate::level::Verdict;
use crate::rule::Judging;
use crate::state::{Light, PhaseCache};
use crate::{Bound, Level, PHASE_SETTLE_MS, Threshold, Trip};

/// Day or night at a zone, and whether it has been so for long enough that its own limit counts
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hour {
    pub(crate) light: bool,
    pub(crate) settled: bool,
}

/// Returns the hour of a zone at a time.
pub(crate) fn at(
    stamp: u64,
    phases: &mut PhaseCache,
    judging: &Judging<'_>,
    light: Option<Light>,
    at: Timestamp,
) -> Hour {
    let found = phases.get(stamp, judging.zone, at, || phase(judging.clock, at));
    let settled = at.ms_since(found.from) >= PHASE_SETTLE_MS;
    let by_clock = Hour { light: found.light, settled };
    let (Day::MeasuredLight { .. }, Some(measured)) = (&judging.clock.day, light) else {
        return by_clock;
    };
    let age_us = at.micros_since(measured.at);
    let gap_us = judging.channel.gap_us();
    if age_us.abs() > gap_us {
        // The sun takes over; where it disagrees, as a change that must settle.
        let settled =
            settled && (found.light == measured.light || age_us > gap_us + PHASE_SETTLE_MS * 1_000);
        return Hour { light: found.light, settled };
    }
    if at < measured.since {
        return Hour { light: !measured.light, settled: false };
    }
    let settled = at.ms_since(measured.since) >= PHASE_SETTLE_MS;
    Hour { light: measured.light, settled }
}

/// Returns what a light channel tells after a value: day from the threshold on, night again below
/// half of it.
pub(crate) fn light_after(
    before: Option<Light>,
    value: Scaled,
    threshold: Scaled,
    at: Timestamp,
) -> Light {
    let was_light = before.is_some_and(|before| before.light);
    let light = if was_light { value.0 >= threshold.0 / 2 } else { value >= threshold };
    let since = before.filter(|before| before.light == light).map_or(at, |before| before.since);
    Light { light, since, at }
}

/// What a sample says to each level of a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdicts {
    /// By its value. The hour matters only where limits differ by it.
    Limit {
        /// The value.
        value: Scaled,
        /// The hour, where a limit of the rule differs by day and by night.
        hour: Option<Hour>,
    },
    /// By whether it is a fault.
    Fault {
        /// It is one.
        faulty: bool,
    },
}

impl Verdicts {
    pub(crate) fn of(self, level: &Level) -> Verdict {
        match (self, &level.trip) {
            (Self::Limit { value, hour }, Trip::Limit(threshold)) => judge(threshold, value, hour),
            (Self::Fault { faulty: true }, Trip::Fault { .. }) => Verdict::Beyond,
            // A level of another kind than its rule never trips.
            _ => Verdict::Inside,
        }
    }
}

fn judge(threshold: &Threshold, value: Scaled, hour: Option<Hour>) -> Verdict {
    let (raises, returns) = in_force(threshold, hour);
    let beyond = |bound: &Bound| match threshold.side {
        Side::High => value > bound.limit,
        Side::Low => value < bound.limit,
    };
    let inside = |bound: &Bound| match threshold.side {
        Side::High => value.0 <= bound.limit.0.saturating_sub(threshold.deadband.0),
        Side::Low => value.0 >= bound.limit.0.saturating_add(threshold.deadband.0),
    };
    if raises.is_some_and(beyond) {
        Verdict::Beyond
    } else if returns.is_none_or(inside) {
        Verdict::Inside
    } else {
        Verdict::Between
    }
}

/// Returns the limit that raises and the limit inside which a value has returned.
fn in_force(threshold: &Threshold, hour: Option<Hour>) -> (Option<&Bound>, Option<&Bound>) {
    let (day, night) = (threshold.day.as_ref(), threshold.night.as_ref());
    match hour {
        None => (day, day),
        Some(Hour { light: true, settled: true }) => (day, day),
        Some(Hour { light: false, settled: true }) => (night, night),
        Some(Hour { settled: false, .. }) => {
            let (Some(day), Some(night)) = (day, night) else { return (None, day.or(night)) };
            let day_is_wider = match threshold.side {
                Side::High => day.limit >= night.limit,
                Side::Low => day.limit <= night.limit,
            };
            if day_is_wider { (Some(day), Some(night)) } else { (Some(night), Some(day)) }
        }
    }
}

/// Returns the limit to name for a level at an hour.
pub(crate) fn bound(threshold: &Threshold, hour: Option<Hour>) -> Option<&Bound> {
    let (raises, returns) = in_force(threshold, hour);
    raises.or(returns).or(threshold.day.as_ref()).or(threshold.night.as_ref())
}
