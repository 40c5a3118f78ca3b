//! How values came about that nobody measured so: which calibration a value was corrected by, and what a
//! derived series is computed from. Where there is none of either, an export is the same without it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use measure::{Reading, Timestamp};
use quality::calibration::{Point, Timeline, Version};
use serde_json::{Value, json};
use store::{Sample, SeriesId, SeriesKey, Store};

use crate::rows::{Column, column, instant};

/// The columns that follow the others where a calibration holds somewhere in the file.
pub(crate) const COLUMNS: [Column; 2] = [
    column(
        "raw_value",
        "number",
        "The value as the node sent it, before the calibration; empty where none holds.",
        "节点发来的、未经校准的数值；没有校准时为空",
    ),
    column(
        "calibration",
        "integer",
        "The number of the calibration by which `value` was corrected; see `calibrations`. Empty where none holds.",
        "`value` 所用校准的编号，见 `calibrations`；没有校准时为空",
    ),
];

/// How values came about.
#[derive(Clone, Default)]
pub struct Corrections {
    /// The store with readings as they were taken; needed where there are versions.
    pub raw: Option<Arc<dyn Store>>,
    /// The calibrations, of any channels.
    pub versions: Vec<Version>,
    /// The derived series, each with those that it is computed from.
    pub derivations: BTreeMap<SeriesKey, Vec<SeriesKey>>,
}

/// What a reading was before its calibration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    pub(crate) reading: Reading,
    pub(crate) number: u32,
}

impl Corrections {
    /// Returns what holds of a channel at some time.
    pub(crate) fn timeline(&self, channel: &SeriesKey) -> Timeline {
        Timeline::of(self.versions.iter().filter(|it| it.channel == *channel))
    }

    /// Returns whether a calibration of a channel holds in a span.
    pub(crate) fn hold(&self, channel: &SeriesKey, (from, to): (Timestamp, Timestamp)) -> bool {
        let parts = self.timeline(channel).parts(from, to);
        parts.iter().any(|(_, holds)| holds.is_some())
    }

    /// Shows every sample of a series as it is after its calibration, and what it was before.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn scan(
        &self,
        store: &dyn Store,
        (id, key): (SeriesId, &SeriesKey),
        (from, to): (Timestamp, Timestamp),
        visit: &mut dyn FnMut(&Sample, Option<Raw>) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        let timeline = self.timeline(key);
        let Some(raw) = self.raw.as_ref().filter(|_| !timeline.is_empty()) else {
            return store.scan(id, from, to, &mut |sample| visit(sample, None));
        };
        raw.scan(id, from, to, &mut |sample| match timeline.at(sample.time) {
            None => visit(sample, None),
            Some(holds) => {
                let corrected = holds.correction.corrected(key.quantity, *sample);
                visit(&corrected, Some(Raw { reading: sample.reading, number: holds.number }))
            }
        })
    }

    /// Returns the calibrations that hold in a span of some channels, for a dictionary.
    pub(crate) fn told<'a>(
        &self,
        channels: impl Iterator<Item = &'a SeriesKey>,
        (from, to): (Timestamp, Timestamp),
    ) -> Vec<Value> {
        let mut told = Vec::new();
        for channel in channels {
            let parts = self.timeline(channel).parts(from, to);
            for segment in parts.into_iter().filter_map(|(_, holds)| holds) {
                let version = self.versions.iter().find(|it| it.number == segment.number);
                told.extend(version.map(words));
            }
        }
        told
    }

    /// Returns what a series is computed from, for a dictionary; `None` where it is measured.
    pub(crate) fn derived_from(&self, channel: &SeriesKey) -> Option<Vec<String>> {
        let inputs = self.derivations.get(channel)?;
        Some(inputs.iter().map(SeriesKey::to_string).collect())
    }
}

fn words(version: &Version) -> Value {
    let quantity = version.channel.quantity;
    let point = |it: Point| json!({ "raw": it.raw.to_f64(quantity), "reference": it.reference.to_f64(quantity) });
    let (low, high) = version.correction.points();
    let points: Vec<Value> = [Some(low), high].into_iter().flatten().map(point).collect();
    json!({
        "number": version.number,
        "channel": version.channel.to_string(),
        "unit": quantity.ucum(),
        "from": instant(version.from),
        "points": points,
        "rule": "value = reference + (raw_value - raw) * slope, the product rounded half away from zero to the quantity's decimals; slope is 1 for one point, (reference2 - reference1) / (raw2 - raw1) for two",
        "measured_by": version.by,
        "note": version.note,
        "entered": instant(version.entered),
    })
}
