//! Which spans of which series must be looked at again, by what the journal brings.
//!
//! On a normal day none: each reading costs a comparison or two, and the store is asked only where a
//! reading stands out, came late, contradicts what was taken beside it, or has been apart from its
//! twins for a while.

use measure::qartod::Spike;
use measure::{Quality, Timestamp};
use store::{Sample, SeriesId};

use crate::air;
use crate::order::{Newest, Place};
use crate::refine::{Window, joined};
use crate::rules::{Placed, Rules};
use crate::twin::{APART_SQUARED, TWIN_MS, are_apart, skew_ms};

/// How far after a late reading others may be judged anew at least, in milliseconds.
const AFTER_LATE_MS: i64 = 2 * 3_600_000;
/// How often a series that stays apart from its twins is looked at, in milliseconds.
const LOOK_EVERY_MS: i64 = 600_000;
/// How far before the first reading after a start the look begins, in milliseconds.
const BEFORE_START_MS: i64 = 3_600_000;

/// What was seen of all series. A start begins with the latest samples of the store.
#[derive(Debug, Default)]
pub struct Follower {
    /// By the number of the series, which is dense.
    series: Vec<Followed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Followed {
    /// Something of it has come since the start.
    has_come: bool,
    newest: Option<Newest>,
    /// The newest usable value, and when it was taken.
    value: Option<(Timestamp, measure::Scaled)>,
    spike: Spike,
    before: Option<Timestamp>,
    /// Since when it has been apart from its twins.
    apart_since: Option<Timestamp>,
    /// Until when that was looked at.
    looked: Option<Timestamp>,
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
    /// Takes up a journal behind a store whose latest samples are these: what the journal still holds
    /// counts as late, so that nothing is overlooked, however long nobody followed it.
    pub fn taking_up(latest: &[Sample]) -> Self {
        let mut follower = Self::default();
        for sample in latest {
            if let Some(followed) = follower.get_mut(sample.series) {
                followed.newest = Some(Newest::of(sample.time, sample.taken, sample.marks));
            }
        }
        follower
    }

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
    let before_ms = channel.limits.spike.map_or(0, |spike| i64::from(spike.within_ms));
    let after_late_ms = AFTER_LATE_MS.max(2 * i64::from(channel.limits.flat_ms()));
    let Some(followed) = follower.get_mut(sample.series) else { return };
    if !std::mem::replace(&mut followed.has_come, true) {
        // What was not looked at yet when the gateway ended, as of twins that were apart.
        look(sample.series, time.plus_ms(-BEFORE_START_MS), time.plus_ms(after_late_ms));
    }
    let at = Newest::of(time, sample.taken, sample.marks);
    let place = at.beside(followed.newest.as_ref());
    if place == Place::Late {
        // It may be what its twins and the air beside it are to be held against.
        for series in placed.twins.iter().copied().chain([sample.series]) {
            look(series, time.plus_ms(-before_ms), time.plus_ms(after_late_ms));
        }
        let half_ms = i64::from(channel.interval_ms) / 2;
        for series in placed.air.iter().copied() {
            look(series, time.plus_ms(-half_ms), time.plus_ms(half_ms).plus_micros(1));
        }
        return;
    }
    if followed.newest.is_some_and(|newest| time <= newest.time) {
        // The clock went back: the readings that are there are not the neighbours of these.
        look(sample.series, time.plus_ms(-before_ms), time.plus_ms(after_late_ms));
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
    followed.newest = Some(at.after(followed.newest.as_ref()));
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
    if !placed.twins.is_empty()
        && let Some((from, to)) = follow_twins(rules, placed, follower, sample.series, time)
    {
        look(sample.series, from, to);
    }
}

/// Returns the span in which a series was apart from its twins, where it has become time to look at it.
/// It is held against the newest values of the twins, which are not always those that [`crate::refine`]
/// holds it against: so a smaller distance and half the time are enough to look.
fn follow_twins(
    rules: &Rules,
    placed: &Placed,
    follower: &mut Follower,
    series: SeriesId,
    time: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let channel = &placed.channel;
    let (_, value) = follower.get(series)?.value?;
    let (mut compared, mut apart) = (0, 0);
    for &twin in &placed.twins {
        let (Some(other), Some(followed)) = (rules.channel(twin), follower.get(twin)) else {
            continue;
        };
        let Some((at, theirs)) = followed.value else { continue };
        if time.ms_since(at).abs() <= skew_ms(channel, other) {
            let times_squared = APART_SQUARED / 2;
            compared += 1;
            apart += i32::from(are_apart((channel, value.0), (other, theirs.0), times_squared));
        }
    }
    let followed = follower.get_mut(series)?;
    let is_apart = compared > 0 && 2 * apart > compared;
    let since = match followed.apart_since {
        Some(since) => since,
        None if is_apart => *followed.apart_since.insert(time),
        None => return None,
    };
    let from = followed.looked.map_or(since, |looked| looked.max(since));
    let is_long = time.ms_since(since) >= TWIN_MS / 2;
    let is_due = is_long && (!is_apart || time.ms_since(from) >= LOOK_EVERY_MS);
    if is_due {
        followed.looked = Some(time);
    }
    if !is_apart {
        followed.apart_since = None;
    }
    is_due.then_some((from, time.plus_micros(1)))
}
