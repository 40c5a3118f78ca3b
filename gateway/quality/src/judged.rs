//! What the tests that run forward say of one reading after the other of a series.

use measure::qartod::{Judge, Run, Verdicts, combined};
use measure::{Quality, Reading, Scaled, Timestamp};

use crate::order::{Newest, Place};
use crate::rules::Channel;

/// What is remembered of a series: bounded, whatever comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) judge: Judge,
    pub(crate) newest: Option<Newest>,
    /// The newest value.
    pub(crate) value: Option<Scaled>,
    /// Since when the values are the same to the last step.
    same: Option<(Scaled, Timestamp)>,
    /// When a value last left what had been the same until then.
    pub(crate) varied: Option<Timestamp>,
}

/// What was found of one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) range: Quality,
    pub(crate) climate: Quality,
    pub(crate) rate: Option<Quality>,
    pub(crate) flat: Option<Flat>,
}

/// A verdict of the flat line test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flat {
    pub(crate) quality: Quality,
    /// Since when the values are the same, where they are.
    pub(crate) since: Timestamp,
    /// For as long as makes them suspect they have been the same to the last step.
    pub(crate) is_frozen: bool,
}

impl Flat {
    /// Returns whether others may speak for the sensor: its values moved a little, so that it lives.
    pub(crate) fn may_be_vouched_for(&self) -> bool {
        matches!(self.quality, Quality::Suspect | Quality::Fail) && !self.is_frozen
    }
}

impl Found {
    /// Returns the one flag; a flat line counts as good where somebody vouches for it.
    pub(crate) fn combined(&self, own: Quality, is_vouched_for: bool) -> Quality {
        let flat = self.flat.map(|flat| if is_vouched_for { Quality::Good } else { flat.quality });
        let run = [Some(own), Some(self.range), Some(self.climate), self.rate, flat];
        combined(run.into_iter().flatten())
    }
}

impl Track {
    /// Judges a reading and remembers it, unless it is late: that one is held against the ranges alone.
    pub(crate) fn judge(&mut self, channel: &Channel, at: Newest, reading: Reading) -> Found {
        let climate = channel.climate.at(at.time);
        let mut thresholds = channel.limits.node;
        if let Some((low, high)) = climate {
            // What is usual for the stage is usual for the sensor: a store at -196 °C is no fault.
            let (least, most) = thresholds.range.suspect;
            thresholds.range.suspect = (least.min(low), most.max(high));
        }
        let climate = held_against(climate, reading);
        let place = at.beside(self.newest.as_ref());
        match place {
            Place::Late => {
                let range = thresholds.range.judge(reading);
                return Found { place, range, climate, rate: None, flat: None };
            }
            Place::Anew => (self.judge, self.varied) = (Judge::default(), None),
            Place::Next => {}
        }
        let before = self.judge.flat.run;
        let at_ms = at.time.millis() as u32;
        let Verdicts { range, rate, flat } = self.judge.each(&thresholds, at_ms, reading);
        self.remember(at, reading, place);
        let flat = flat.and_then(|quality| self.flat(channel, at.time, before, quality));
        (self.newest, self.value) = (Some(at.after(self.newest.as_ref())), reading.ok());
        Found { place, range, climate, rate, flat }
    }

    fn remember(&mut self, at: Newest, reading: Reading, place: Place) {
        if let Ok(value) = reading {
            let kept = self.same.filter(|(same, _)| *same == value && place == Place::Next);
            self.same = Some(kept.unwrap_or((value, at.time)));
        }
    }

    /// Puts a verdict of the flat line test together; `before` is what was the same until now.
    fn flat(
        &mut self,
        channel: &Channel,
        time: Timestamp,
        before: Option<Run>,
        quality: Quality,
    ) -> Option<Flat> {
        let (run, limit) = (self.judge.flat.run?, channel.limits.node.flat?);
        let at_ms = time.millis() as u32;
        let step_ms = before.map_or(0, |before| at_ms.wrapping_sub(before.last_ms));
        let is_left = run.since_ms == at_ms && before.is_some_and(|it| it.since_ms != at_ms);
        if is_left && step_ms <= channel.limits.flat_ms() {
            self.varied = Some(time);
        }
        let suspect_ms = i64::from(limit.suspect_ms);
        let is_frozen = self.same.is_some_and(|(_, since)| {
            time.ms_since(since) + i64::from(step_ms).min(suspect_ms) > suspect_ms
        });
        let since = time.plus_ms(-i64::from(at_ms.wrapping_sub(run.since_ms)));
        Some(Flat { quality, since, is_frozen })
    }
}

fn held_against(climate: Option<(i32, i32)>, reading: Reading) -> Quality {
    match (reading, climate) {
        (Err(_), _) | (_, None) => Quality::NotEvaluated,
        (Ok(Scaled(value)), Some((low, high))) if (low..=high).contains(&value) => Quality::Good,
        (Ok(_), Some(_)) => Quality::Suspect,
    }
}
