//! Which spans of which series must be looked at again, by what the journal brings.
//!
//! On a normal day none: each reading costs a comparison or two, and the store is asked only where a
//! reading stands out, came late, contradicts what was taken beside it, or has been apart from its
//! twins for an hour.

use measure::qartod::Spike;
use measure::{Quality, Timestamp};
use store::{Sample, SeriesId};

use crate::air;
use crate::order::{Newest, Place};
use crate::refine::{Window, joined};
use crate::rules::{Placed, Rules};
use crate::twin::{Hour, are_apart, skew_ms};

/// How far after a late reading others may be judged anew, in milliseconds.
const AFTER_LATE_MS: i64 = 2 * 3_600_000;
/// How far before the first reading after a start the look begins, in milliseconds.
const BEFORE_START_MS: i64 = 3_600_000;

/// What was seen of all series. A start begins with none and looks again at the last hour.
#[derive(Debug, Default)]
pub struct Follower {
    /// By the number of the series, which is dense.
    series: Vec<Followed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Followed {
    newest: Option<Newest>,
    /// The newest usable value, and when it was taken.
    value: Option<(Timestamp, measure::Scaled)>,
    spike: Spike,
    before: Option<Timestamp>,
    hour: Hour,
}

/// Takes in what the journal brings and returns the windows to give to [`crate::look_again`].
pub fn follow(rules: &Rules, follower: &mut Follower, samples: &[Sample]) -> Vec<Window> {
    let mut windows = Vec::new();
    for sample in samples {
        if let Some(placed) = rules.placed(sample.series) {
            follow_one(rules, placed, follower, sample, &mut windows);
        }
    }
    joined(windows)
}

impl Follower {
    fn get(&self, series: SeriesId) -> Option<&Followed> {
        self.series.get(series.0 as usize)
    }

    fn get_mut(&mut self, series: SeriesId) -> Option<&mut Followed> {
        let number = series.0 as usize;
        if self.series.len() <= number {
            self.series.resize(number + 1, Followed::default());
        }
        self.series.get_mut(number)
    }
}

fn follow_one(
    rules: &Rules,
    placed: &Placed,
    follower: &mut Follower,
    sample: &Sample,
    windows: &mut Vec<Window>,
) {
    let channel = &placed.channel;
    let mut look = |series, from, to| windows.push(Window { series, from, to });
    let time = sample.time;
    let Some(followed) = follower.get_mut(sample.series) else { return };
    let at = Newest::of(time, sample.taken, sample.marks);
    let place = at.beside(followed.newest.as_ref());
    if place == Place::Late {
        look(sample.series, time, time.plus_ms(AFTER_LATE_MS));
        return;
    }
    if followed.newest.is_none() {
        look(sample.series, time.plus_ms(-BEFORE_START_MS), time.plus_micros(1));
    }
    if followed.newest.is_some_and(|newest| time <= newest.time) {
        // The clock went back: the readings that are there are not the neighbours of these.
        look(sample.series, time, time.plus_ms(AFTER_LATE_MS));
    }
    if let Some(rule) = channel.limits.spike {
        let newest = followed.newest.map(|newest| newest.time);
        let is_near = newest.is_some_and(|last| time.ms_since(last) <= i64::from(rule.within_ms));
        if !(place == Place::Next && is_near) {
            (followed.spike, followed.before) = (Spike::default(), None);
        }
        let flag = followed.spike.judge(&rule.limit, sample.reading);
        let stands_out = matches!(flag, Some(Quality::Suspect | Quality::Fail));
        if let Some(middle) = followed.before.filter(|_| stands_out) {
            look(sample.series, middle, middle.plus_micros(1));
        }
        followed.before = Some(time);
    }
    followed.newest = Some(at);
    let Some(value) = air::usable(sample.reading, sample.quality) else {
        followed.value = None;
        return;
    };
    followed.value = Some((time, value));
    if !placed.air.is_empty() {
        let beside = placed.air.iter().filter_map(|&other| {
            let (time, value) = follower.get(other)?.value?;
            Some(air::Beside { channel: rules.channel(other)?, time, value })
        });
        if air::judge(channel, sample, beside) == Quality::Suspect {
            let half_ms = i64::from(channel.interval_ms) / 2;
            for series in placed.air.iter().copied().chain([sample.series]) {
                look(series, time.plus_ms(-half_ms), time.plus_ms(half_ms).plus_micros(1));
            }
        }
    }
    if !placed.twins.is_empty() && is_apart_for_an_hour(rules, placed, follower, sample) {
        look(sample.series, time, time.plus_micros(1));
    }
}

fn is_apart_for_an_hour(
    rules: &Rules,
    placed: &Placed,
    follower: &mut Follower,
    sample: &Sample,
) -> bool {
    let Ok(value) = sample.reading else { return false };
    let channel = &placed.channel;
    let (mut compared, mut apart) = (0, 0);
    for &twin in &placed.twins {
        let (Some(other), Some(followed)) = (rules.channel(twin), follower.get(twin)) else {
            continue;
        };
        let Some((time, at)) = followed.value else { continue };
        if sample.time.ms_since(time).abs() <= skew_ms(channel, other) {
            compared += 1;
            apart += usize::from(are_apart((channel, value.0), (other, at.0)));
        }
    }
    let Some(followed) = follower.get_mut(sample.series) else { return false };
    compared > 0
        && followed.hour.take(channel, sample.time, 2 * apart > compared) == Quality::Suspect
}
