//! What can be said of readings only afterwards: with the next one, with those that came late, with
//! what others in the house measured.
//!
//! A flag that was given is only ever made worse: what its node knew of a reading is in it and cannot
//! be told apart any more. So the order in which windows are looked at again does not matter, and
//! looking twice changes nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use measure::qartod::{Spike, combined};
use measure::{Quality, Timestamp};
use store::{Flag, Sample, SeriesId, Store};

use crate::air;
use crate::judged::{Found, Track};
use crate::order::{Newest, Place, as_taken};
use crate::rules::{Placed, Rules};
use crate::twin::{self, TWIN_MS};

/// The longest window, in milliseconds: a week; a longer one is looked at in parts.
pub const WINDOW_MS_MAX: i64 = 7 * 86_400_000;
/// How far before a window the look begins at least, in milliseconds.
const LEAD_MS: i64 = 3 * 3_600_000;

/// A window that is no longer, in milliseconds, is one of a moment.
const MOMENT_MS: i64 = 120_000;

/// A span of a series whose flags may be others than they are: `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The series.
    pub series: SeriesId,
    /// The first time.
    pub from: Timestamp,
    /// The time after the last.
    pub to: Timestamp,
}

impl Window {
    /// Returns whether a time lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }

    /// Returns the span whose samples [`refine`] must be shown, of this series and all related ones. A
    /// window of a moment is looked at with its neighbours alone: what reaches further back was seen
    /// when its readings came.
    pub fn to_read(&self, rules: &Rules) -> (Timestamp, Timestamp) {
        let limits = rules.channel(self.series).map(|channel| &channel.limits);
        let flat_ms = limits.map_or(0, |limits| 2 * i64::from(limits.flat_ms()));
        let after_ms =
            limits.and_then(|limits| limits.spike).map_or(0, |spike| spike.within_ms.into());
        let is_moment = self.to.ms_since(self.from) <= MOMENT_MS;
        let far_ms = LEAD_MS.max(flat_ms).max(2 * TWIN_MS);
        let lead_ms = if is_moment { 2 * after_ms.max(MOMENT_MS) } else { far_ms };
        (self.from.plus_ms(-lead_ms), self.to.plus_ms(after_ms).plus_micros(1))
    }
}

impl Rules {
    /// Returns the series whose samples [`refine`] wants to see beside those of `series`.
    pub fn related(&self, series: SeriesId) -> impl Iterator<Item = SeriesId> + '_ {
        let placed = self.placed(series).into_iter();
        placed.flat_map(|it| it.siblings.iter().chain(&it.air).chain(&it.twins).copied())
    }
}

/// Puts windows in order and together, where they touch, and cuts those that are longer than
/// [`WINDOW_MS_MAX`].
pub fn joined(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_unstable();
    let mut joined: Vec<Window> = Vec::new();
    for window in windows {
        match joined.last_mut() {
            Some(last) if last.series == window.series && window.from <= last.to => {
                last.to = last.to.max(window.to);
            }
            _ => joined.push(window),
        }
    }
    let cut = |window: Window| {
        let parts = std::iter::successors(Some(window.from), move |from| {
            Some(from.plus_ms(WINDOW_MS_MAX)).filter(|next| *next < window.to)
        });
        parts.map(move |from| Window {
            from,
            to: from.plus_ms(WINDOW_MS_MAX).min(window.to),
            ..window
        })
    };
    joined.into_iter().flat_map(cut).collect()
}

/// Returns which flags of a window are to be others. `samples` holds those of the series and of
/// [`Rules::related`] in [`Window::to_read`], each in the order of time, with their flags of now.
pub fn refine(
    rules: &Rules,
    window: &Window,
    samples: &BTreeMap<SeriesId, Vec<Sample>>,
) -> Vec<Flag> {
    let Some(placed) = rules.placed(window.series) else { return Vec::new() };
    let Some(own) = samples.get(&window.series) else { return Vec::new() };
    let moved = moved(rules, placed, samples);
    let twins = twin::judge(rules, placed, own, samples);
    let mut flags = Vec::new();
    let mut pass = Pass::new(placed);
    let mut last: Option<(Sample, Quality)> = None;
    for sample in as_taken(own) {
        let (found, spike) = pass.take(sample);
        let is_vouched_for = found.flat.is_some_and(|flat| {
            let moves = moved.iter().any(|at| flat.since < *at && *at <= sample.time);
            flat.may_be_vouched_for() && moves
        });
        let run = [
            found.combined(sample.quality, is_vouched_for),
            twins.get(&sample.time).copied().unwrap_or(Quality::NotEvaluated),
            beside(rules, placed, sample, samples),
        ];
        if let Some((last, quality)) = last.replace((*sample, combined(run))) {
            push(&mut flags, window, &last, combined([quality, spike.unwrap_or(quality)]));
        }
    }
    if let Some((last, quality)) = last {
        let spike = pass.finish();
        push(&mut flags, window, &last, combined([quality, spike.unwrap_or(quality)]));
    }
    flags
}

/// Looks at a window again with what a store has.
///
/// # Errors
/// What the store says.
pub fn look_again(
    rules: &Rules,
    store: &dyn Store,
    window: &Window,
) -> Result<Vec<Flag>, store::Error> {
    let span = window.to_read(rules);
    let mut samples = BTreeMap::new();
    for series in std::iter::once(window.series).chain(rules.related(window.series)) {
        if let Entry::Vacant(entry) = samples.entry(series) {
            entry.insert(crate::scan(store, series, span)?);
        }
    }
    Ok(refine(rules, window, &samples))
}

fn push(flags: &mut Vec<Flag>, window: &Window, sample: &Sample, quality: Quality) {
    let quality = if sample.reading.is_err() { Quality::Missing } else { quality };
    if quality != sample.quality && window.contains(sample.time) {
        flags.push(Flag { series: sample.series, time: sample.time, quality });
    }
}

/// One walk through a series in the order in which it was taken.
struct Pass<'a> {
    placed: &'a Placed,
    track: Track,
    spike: Spike,
}

impl<'a> Pass<'a> {
    fn new(placed: &'a Placed) -> Self {
        Self { placed, track: Track::default(), spike: Spike::default() }
    }

    /// Judges a sample forward, and with it the one before it by the spike test.
    fn take(&mut self, sample: &Sample) -> (Found, Option<Quality>) {
        let channel = &self.placed.channel;
        let before = self.track.newest;
        let at = Newest::of(sample.time, sample.taken, sample.marks);
        let found = self.track.judge(channel, at, sample.reading);
        let Some(rule) = channel.limits.spike else { return (found, None) };
        let is_near = before
            .is_some_and(|before| sample.time.ms_since(before.time) <= i64::from(rule.within_ms));
        if found.place == Place::Next && is_near {
            return (found, self.spike.judge(&rule.limit, sample.reading));
        }
        let last = std::mem::take(&mut self.spike).finish();
        self.spike.judge(&rule.limit, sample.reading);
        (found, last)
    }

    fn finish(self) -> Option<Quality> {
        self.placed.channel.limits.spike.and_then(|_| self.spike.finish())
    }
}

/// Returns when siblings of a channel left what had been the same until then.
fn moved(
    rules: &Rules,
    placed: &Placed,
    samples: &BTreeMap<SeriesId, Vec<Sample>>,
) -> Vec<Timestamp> {
    let mut moved = Vec::new();
    for sibling in &placed.siblings {
        let (Some(other), Some(samples)) = (rules.placed(*sibling), samples.get(sibling)) else {
            continue;
        };
        let mut track = Track::default();
        for sample in as_taken(samples) {
            let before = track.varied;
            let at = Newest::of(sample.time, sample.taken, sample.marks);
            track.judge(&other.channel, at, sample.reading);
            moved.extend(track.varied.filter(|_| track.varied != before));
        }
    }
    moved
}

/// Judges a sample by what was taken with it at its place.
fn beside(
    rules: &Rules,
    placed: &Placed,
    sample: &Sample,
    samples: &BTreeMap<SeriesId, Vec<Sample>>,
) -> Quality {
    if placed.air.is_empty() {
        return Quality::NotEvaluated;
    }
    let beside = placed.air.iter().filter_map(|other| {
        let nearest = twin::nearest(samples.get(other)?, sample.time)?;
        let value = air::usable(nearest.reading, nearest.quality)?;
        Some(air::Beside { channel: rules.channel(*other)?, time: nearest.time, value })
    });
    air::judge(&placed.channel, sample, beside)
}
