//! What the tests that run forward say of one reading after the other of a series.

use measure::qartod::{Judge, Verdicts, combined};
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
    /// They are the same to the last step.
    pub(crate) is_constant: bool,
}

impl Flat {
    /// Returns whether others may speak for the sensor: its values moved a little, so that it lives.
    pub(crate) fn may_be_vouched_for(&self) -> bool {
        matches!(self.quality, Quality::Suspect | Quality::Fail) && !self.is_constant
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
        let climate = match (reading, climate) {
            (Err(_), _) | (_, None) => Quality::NotEvaluated,
            (Ok(Scaled(value)), Some((low, high))) if !(low..=high).contains(&value) => {
                Quality::Suspect
            }
            (Ok(_), Some(_)) => Quality::Good,
        };
        let place = at.beside(self.newest.as_ref());
        match place {
            Place::Late => {
                let range = thresholds.range.judge(reading);
                return Found { place, range, climate, rate: None, flat: None };
            }
            Place::Anew => self.judge = Judge::default(),
            Place::Next => {}
        }
        let at_ms = at.time.millis() as u32;
        let before = self.judge.flat.run;
        let Verdicts { range, rate, flat } = self.judge.each(&thresholds, at_ms, reading);
        let run = self.judge.flat.run;
        let is_new = |since_ms: u32| since_ms == at_ms && place == Place::Next;
        let longest_ms = channel.limits.flat_ms();
        if let (Some(before), Some(run)) = (before, run)
            && is_new(run.since_ms)
            && !is_new(before.since_ms)
            && at_ms.wrapping_sub(before.last_ms) <= longest_ms
        {
            self.varied = Some(at.time);
        }
        let flat = flat.zip(run).map(|(quality, run)| Flat {
            quality,
            since: at.time.plus_ms(-i64::from(at_ms.wrapping_sub(run.since_ms))),
            is_constant: run.low == run.high,
        });
        (self.newest, self.value) = (Some(at), reading.ok());
        Found { place, range, climate, rate, flat }
    }
}
