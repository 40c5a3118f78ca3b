//! The channels that count for a stay in a zone, and for how long each of their samples stands.

use std::ops::ControlFlow;

use measure::{Quality, Quantity, Slug, Timestamp};
use store::{Sample, SeriesId, SeriesKey};

use crate::Error;
use crate::house::{House, Stay, Window};
use crate::sweep::Stand;

/// How many samples are held in memory at once, of 24 bytes. A day that has more is joined in
/// halves, and those in halves; the result is the same.
pub const SAMPLES_AT_ONCE_MAX: usize = 262_144;
/// A span that is not halved any more, in microseconds.
const SPAN_US_MIN: i64 = 1_000_000;

/// The channels of a stay.
pub(crate) struct Channels<'a> {
    house: &'a House<'a>,
    hold_us: i64,
    channels: Vec<Channel<'a>>,
    at_once: usize,
}

struct Channel<'a> {
    id: SeriesId,
    key: &'a SeriesKey,
    /// When its node stood in the zone, from one hold before the stay on.
    present: Vec<Window>,
    /// When it counts: present, and not silent for a channel at the batch's own position.
    counts: Vec<Window>,
    reading: Reading,
}

/// How far a channel was read.
#[derive(Clone, Copy, Default)]
struct Reading {
    /// Until when; nothing was read where absent.
    upto: Option<Timestamp>,
    /// The last sample: its time, and its value where it is usable.
    last: Option<(Timestamp, Option<i32>)>,
}

/// Samples of a part of a stay, by channel.
pub(crate) type Stands = Vec<(Quantity, Vec<Stand>)>;

impl<'a> Channels<'a> {
    pub(crate) fn of(house: &'a House<'a>, stay: &Stay) -> Self {
        let hold_us = house.hold_us(&stay.zone);
        let span = (stay.from.plus_micros(-hold_us), stay.to);
        let mut channels: Vec<Channel<'_>> = joined_series(house)
            .filter_map(|(id, key)| {
                let present = house.presence(&key.node, &stay.zone, span);
                let counts = present.clone();
                let reading = Reading::default();
                (!present.is_empty()).then_some(Channel { id, key, present, counts, reading })
            })
            .collect();
        channels.sort_by(|one, other| one.key.cmp(other.key));
        if let Some(position) = &stay.position {
            let own = |channel: &&Channel<'_>| channel.key.position == *position;
            let own: Vec<(Quantity, Vec<Window>)> = channels
                .iter()
                .filter(own)
                .map(|channel| (channel.key.quantity, channel.present.clone()))
                .collect();
            for channel in channels.iter_mut().filter(|it| it.key.position != *position) {
                for (_, windows) in own.iter().filter(|(it, _)| *it == channel.key.quantity) {
                    channel.counts = without(&channel.counts, windows);
                }
            }
        }
        Self { house, hold_us, channels, at_once: SAMPLES_AT_ONCE_MAX }
    }

    /// Leaves only the channels of the quantities that are asked for.
    pub(crate) fn only(mut self, asked: impl Fn(Quantity) -> bool) -> Self {
        self.channels.retain(|channel| asked(channel.key.quantity));
        self
    }

    #[cfg(test)]
    pub(crate) fn at_once(mut self, samples: usize) -> Self {
        self.at_once = samples;
        self
    }

    /// Returns the quantities that some channel counts for within a span, in their order, with the
    /// channels as `node/position`.
    pub(crate) fn quantities(&self, span: Window) -> Vec<(Quantity, String)> {
        let counts = |channel: &&Channel<'_>| !within(&channel.counts, span).is_empty();
        let name = |key: &SeriesKey| format!("{}/{}", key.node.node, key.position);
        let channels = self.channels.iter().filter(counts);
        channels.map(|channel| (channel.key.quantity, name(channel.key))).collect()
    }

    /// Returns each channel that counts at some time with when its node stood in the zone, lead-in
    /// included.
    fn windows(&self) -> impl Iterator<Item = (SeriesId, &[Window])> {
        let counts = self.channels.iter().filter(|channel| !channel.counts.is_empty());
        counts.map(|channel| (channel.id, channel.present.as_slice()))
    }

    /// Hands every part of a span to `take`, in order: as much at once as memory is meant for.
    pub(crate) fn read(
        &mut self,
        span: Window,
        take: &mut dyn FnMut(Window, Stands),
    ) -> Result<(), Error> {
        let mut parts = vec![span];
        while let Some((from, to)) = parts.pop() {
            match self.gather((from, to))? {
                Some(stands) => take((from, to), stands),
                None => {
                    let middle = from.plus_micros(to.micros_since(from) / 2);
                    parts.extend([(middle, to), (from, middle)]);
                }
            }
        }
        Ok(())
    }

    /// Returns what stands within a span; `None`, and nothing changed, where it is too much at once.
    fn gather(&mut self, (from, to): Window) -> Result<Option<Stands>, Error> {
        let halves = to.micros_since(from) > SPAN_US_MIN;
        let mut room = if halves { self.at_once } else { usize::MAX };
        let mut all = Vec::new();
        let mut readings = Vec::new();
        for channel in &self.channels {
            let Some((stands, reading)) =
                channel.gather(self.house, self.hold_us, (from, to), &mut room)?
            else {
                return Ok(None);
            };
            all.push((channel.key.quantity, stands));
            readings.push(reading);
        }
        for (channel, reading) in self.channels.iter_mut().zip(readings) {
            channel.reading = reading;
        }
        Ok(Some(all))
    }
}

impl Channel<'_> {
    fn gather(
        &self,
        house: &House<'_>,
        hold_us: i64,
        (from, to): Window,
        room: &mut usize,
    ) -> Result<Option<(Vec<Stand>, Reading)>, Error> {
        let lead_in = from.plus_micros(-hold_us);
        if within(&self.counts, (from, to)).is_empty() {
            return Ok(Some((Vec::new(), Reading::default())));
        }
        let goes_on = self.reading.upto == Some(from);
        let mut last = self.reading.last.filter(|_| goes_on);
        let start = if goes_on { from } else { lead_in };
        let mut stands = Vec::new();
        let mut stand = |last: Option<(Timestamp, Option<i32>)>, until: Timestamp| {
            let Some((time, Some(value))) = last else { return };
            let there = self.present.iter().find(|(since, left)| *since <= time && time < *left);
            let Some((_, left)) = there else { return };
            let until = until.min(time.plus_micros(hold_us)).min(*left).min(to);
            for (from, to) in within(&self.counts, (time.max(from), until)) {
                stands.push(Stand { from, to, value });
            }
        };
        let mut full = false;
        let visit = &mut |sample: &Sample| {
            stand(last, sample.time);
            last = Some((sample.time, usable(sample)));
            full = *room == 0;
            *room = room.saturating_sub(1);
            if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let scanned = house.store.scan(self.id, start, to, visit);
        scanned.map_err(|source| Error::Store { series: self.key.to_string(), source })?;
        stand(last, to);
        Ok((!full).then_some((stands, Reading { upto: Some(to), last })))
    }
}

/// Returns the value of a sample that may be joined.
fn usable(sample: &Sample) -> Option<i32> {
    let good = !matches!(sample.quality, Quality::Fail | Quality::Missing);
    sample.reading.ok().filter(|_| good).map(|value| value.0)
}

/// Returns the series of the site that are joined.
fn joined_series<'a>(house: &House<'a>) -> impl Iterator<Item = (SeriesId, &'a SeriesKey)> {
    let site = house.site;
    // What follows from other channels is made anew of those, or is no more than they say.
    let joined = |quantity| {
        !matches!(
            quantity,
            Quantity::VapourPressureDeficit
                | Quantity::DewPoint
                | Quantity::AbsoluteHumidity
                | Quantity::DailyLightIntegral
                | Quantity::SupplyVoltage
        )
    };
    let series = house.series.iter().map(|(id, key)| (*id, key));
    series.filter(move |(_, key)| key.node.site == *site && joined(key.quantity))
}

/// Returns the parts of windows, which are in order and apart, that lie within a span.
fn within(windows: &[Window], (from, to): Window) -> Vec<Window> {
    let cut = windows.iter().map(|(start, end)| ((*start).max(from), (*end).min(to)));
    cut.filter(|(start, end)| start < end).collect()
}

/// Returns windows without what lies in others; both are in order and apart.
fn without(windows: &[Window], others: &[Window]) -> Vec<Window> {
    let mut left = Vec::new();
    for (from, to) in windows {
        let mut at = *from;
        for (start, end) in within(others, (*from, *to)) {
            if at < start {
                left.push((at, start));
            }
            at = end;
        }
        if at < *to {
            left.push((at, *to));
        }
    }
    left
}

/// When the samples of a series take part in a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenSpan {
    /// The series.
    pub series: SeriesId,
    /// The zone that its node stood in.
    pub zone: Slug,
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
}

/// Returns when which series take part in the join of some stays, the hold before each of them
/// included: in the order of series and time, joined where they touch.
pub fn taken_spans(house: &House<'_>, stays: &[Stay]) -> Vec<TakenSpan> {
    let mut spans = Vec::new();
    for stay in stays {
        for (series, windows) in Channels::of(house, stay).windows() {
            spans.extend(windows.iter().map(|(from, to)| {
                let zone = stay.zone.clone();
                TakenSpan { series, zone, from: *from, to: *to }
            }));
        }
    }
    spans.sort_by_key(|span| (span.series, span.from, span.to));
    let mut joined: Vec<TakenSpan> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            // A node stands in one zone at a time, so that spans that overlap are of one zone.
            Some(last)
                if last.series == span.series && last.zone == span.zone && span.from <= last.to =>
            {
                last.to = last.to.max(span.to);
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Timestamp {
        Timestamp::MIN.plus_micros(us)
    }

    fn windows(spans: &[(i64, i64)]) -> Vec<Window> {
        spans.iter().map(|(from, to)| (at(*from), at(*to))).collect()
    }

    #[track_caller]
    fn check(all: &[(i64, i64)], others: &[(i64, i64)], expect: &[(i64, i64)]) {
        assert_eq!(without(&windows(all), &windows(others)), windows(expect));
    }

    #[test]
    fn what_is_taken_out_of_windows_leaves_the_rest() {
        check(&[(0, 10)], &[], &[(0, 10)]);
        check(&[(0, 10)], &[(0, 10)], &[]);
        check(&[(0, 10), (20, 30)], &[(2, 3), (5, 25)], &[(0, 2), (3, 5), (25, 30)]);
    }
}
