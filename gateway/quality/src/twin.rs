//! Whether sensors of one quantity in one zone agree.

use std::collections::{BTreeMap, HashMap};

use measure::{Quality, Timestamp};
use store::{Sample, SeriesId};

use crate::air::usable;
use crate::rules::{Channel, Placed, Rules};

/// For how many milliseconds twins must disagree: an hour (class G).
pub const TWIN_MS: i64 = 3_600_000;
/// How many intervals a twin's reading may lie away, and how many may be missing in the hour.
const SKEW_INTERVALS: i64 = 2;

/// How many times their combined accuracy two twins may be apart, squared.
pub(crate) const APART_SQUARED: u64 = 4;

/// Returns whether two values of two channels are further apart than so many times their combined
/// accuracy (the root of the sum of squares, after JCGM 100:2008, 5.1.2), squared.
pub(crate) fn are_apart(one: (&Channel, i32), other: (&Channel, i32), times_squared: u64) -> bool {
    let (Some(accuracy), Some(twin)) = (one.0.limits.accuracy, other.0.limits.accuracy) else {
        return false;
    };
    let square = |steps: u32| u64::from(steps).saturating_mul(u64::from(steps));
    let sum = square(accuracy).saturating_add(square(twin));
    square(one.1.abs_diff(other.1)) > sum.saturating_mul(times_squared)
}

/// Returns how far in time twins may lie apart to be compared, in milliseconds.
pub(crate) fn skew_ms(one: &Channel, other: &Channel) -> i64 {
    SKEW_INTERVALS * i64::from(one.interval_ms.max(other.interval_ms))
}

/// Returns what the twins of a series say of each of its samples, by time: suspect where for a whole
/// hour it has been apart from more than half of those that can be compared, good where it is not.
/// Of two alone nobody knows which is wrong, so both are suspect.
pub(crate) fn judge(
    rules: &Rules,
    placed: &Placed,
    own: &[Sample],
    samples: &BTreeMap<SeriesId, Vec<Sample>>,
) -> HashMap<Timestamp, Quality> {
    let twins: Vec<(&Channel, &[Sample])> = placed
        .twins
        .iter()
        .filter_map(|twin| Some((rules.channel(*twin)?, samples.get(twin)?.as_slice())))
        .collect();
    let mut said = HashMap::new();
    if twins.is_empty() {
        return said;
    }
    let mut hour = Hour::default();
    for sample in own {
        let Some(value) = usable(sample.reading, sample.quality) else { continue };
        let (mut compared, mut apart) = (0, 0);
        for (channel, samples) in &twins {
            let Some(nearest) = nearest(samples, sample.time) else { continue };
            let Some(other) = usable(nearest.reading, nearest.quality) else { continue };
            let skew_ms = skew_ms(&placed.channel, channel);
            if nearest.time.ms_since(sample.time).abs() <= skew_ms {
                compared += 1;
                apart += usize::from(are_apart(
                    (&placed.channel, value.0),
                    (channel, other.0),
                    APART_SQUARED,
                ));
            }
        }
        if compared > 0 {
            let is_apart = 2 * apart > compared;
            said.insert(sample.time, hour.take(&placed.channel, sample.time, is_apart));
        }
    }
    said
}

/// Since when a series has been apart from its twins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hour {
    since: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Hour {
    /// Takes in whether the series is apart at a time, and returns what that makes of the reading.
    fn take(&mut self, channel: &Channel, time: Timestamp, is_apart: bool) -> Quality {
        let gap_ms = SKEW_INTERVALS * i64::from(channel.interval_ms);
        let is_gap = self.last.is_none_or(|last| time.ms_since(last) > gap_ms || time < last);
        self.last = Some(time);
        if !is_apart {
            self.since = None;
            return Quality::Good;
        }
        if is_gap {
            self.since = None;
        }
        let since = *self.since.get_or_insert(time);
        if time.ms_since(since) >= TWIN_MS { Quality::Suspect } else { Quality::Good }
    }
}

/// Returns the sample that is nearest in time, the earlier one of two.
pub(crate) fn nearest(samples: &[Sample], time: Timestamp) -> Option<&Sample> {
    let after = samples.partition_point(|sample| sample.time <= time);
    let before = after.checked_sub(1).and_then(|at| samples.get(at));
    let next = samples.get(after);
    match (before, next) {
        (Some(before), Some(next)) => {
            let is_nearer = next.time.micros_since(time) < time.micros_since(before.time);
            Some(if is_nearer { next } else { before })
        }
        (before, next) => before.or(next),
    }
}
