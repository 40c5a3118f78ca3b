//! What the engine keeps in memory: samples not yet in chunks, the latest of each series, and the
//! sequences seen.

use std::collections::{BTreeSet, HashMap};

use measure::{FlashId, NodeKey, Timestamp};

use super::entry::Entry;
use crate::sequences::SequenceSet;
use crate::{Error, Position, Retained, Sample, SeriesId, SeriesKey};

/// Everything that the engine keeps in memory. It can be rebuilt from the file at any moment.
#[derive(Default)]
pub(super) struct State {
    series: Vec<Series>,
    ids: HashMap<SeriesKey, SeriesId>,
    flashes: HashMap<i64, Flash>,
    flash_rows: HashMap<(NodeKey, FlashId), i64>,
    /// The last commit that is on disk and in memory.
    pub(super) position: Position,
    /// How many samples the heads hold.
    pub(super) head_samples: usize,
}

/// One series: its head is what no chunk holds yet.
pub(super) struct Series {
    pub(super) key: SeriesKey,
    /// Samples not yet in chunks, sorted by time.
    pub(super) active: Vec<Sample>,
    /// Times of `active` whose samples may stand in place of others in `sealing` or in chunks.
    pub(super) anew: BTreeSet<Timestamp>,
    /// Samples that the checkpoint is writing, or failed to write.
    pub(super) sealing: Option<Sealing>,
    /// The sample with the greatest time, wherever it is.
    pub(super) latest: Option<Sample>,
    /// From when on samples and their roll-ups are kept.
    pub(super) retained: Retained,
}

/// Samples on their way into chunks.
#[derive(Clone)]
pub(super) struct Sealing {
    /// The journal up to here is sealed, for this series, once they are written.
    pub(super) position: Position,
    /// The samples, sorted by time.
    pub(super) samples: std::sync::Arc<Vec<Sample>>,
    /// Times of those that may stand in place of others in chunks.
    pub(super) anew: std::sync::Arc<BTreeSet<Timestamp>>,
}

/// What was seen of one life of a node's flash.
#[derive(Default)]
pub(super) struct Flash {
    /// Sequences that came, were given up, or are rows of the table of gaps.
    pub(super) seen: SequenceSet,
    /// The table of flashes has a row for it.
    pub(super) stored: bool,
    /// `seen` has grown since it was last written.
    pub(super) dirty: bool,
}

impl State {
    /// Adds the next series.
    pub(super) fn add_series(
        &mut self,
        key: SeriesKey,
        latest: Option<Sample>,
        retained: Retained,
    ) -> SeriesId {
        let id = self.next_series();
        self.ids.insert(key.clone(), id);
        let (active, anew) = (Vec::new(), BTreeSet::new());
        self.series.push(Series { key, active, anew, sealing: None, latest, retained });
        id
    }

    /// Returns the number that the next new series will have.
    pub(super) fn next_series(&self) -> SeriesId {
        SeriesId(self.series.len() as u32 + 1)
    }

    /// Returns the number of a series that is known.
    pub(super) fn id_of(&self, key: &SeriesKey) -> Option<SeriesId> {
        self.ids.get(key).copied()
    }

    /// Returns every series in the order of its number.
    pub(super) fn series(&self) -> impl Iterator<Item = (SeriesId, &Series)> {
        (1_u32..).map(SeriesId).zip(&self.series)
    }

    /// Returns one series.
    pub(super) fn get(&self, id: SeriesId) -> Result<&Series, Error> {
        let index = (id.0 as usize).checked_sub(1);
        index.and_then(|index| self.series.get(index)).ok_or(Error::UnknownSeries(id))
    }

    /// Returns one series, to be changed.
    pub(super) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        (id.0 as usize).checked_sub(1).and_then(|index| self.series.get_mut(index))
    }

    /// Returns the row of a flash that is in memory.
    pub(super) fn flash_row(&self, node: &NodeKey, flash: FlashId) -> Option<i64> {
        self.flash_rows.get(&(node.clone(), flash)).copied()
    }

    /// Returns whose flash a row is, where it is in memory.
    pub(super) fn flash_name(&self, row: i64) -> Option<&(NodeKey, FlashId)> {
        self.flash_rows.iter().find(|(_, other)| **other == row).map(|(name, _)| name)
    }

    /// Returns a flash that is in memory.
    pub(super) fn flash(&self, row: i64) -> Option<&Flash> {
        self.flashes.get(&row)
    }

    /// Returns a flash that is in memory, to be changed.
    pub(super) fn flash_mut(&mut self, row: i64) -> Option<&mut Flash> {
        self.flashes.get_mut(&row)
    }

    /// Takes a flash into memory.
    pub(super) fn add_flash(&mut self, row: i64, node: NodeKey, id: FlashId, flash: Flash) {
        self.flash_rows.insert((node, id), row);
        self.flashes.insert(row, flash);
    }

    /// Returns every flash in memory with its row.
    pub(super) fn flashes_mut(&mut self) -> impl Iterator<Item = (i64, &mut Flash)> {
        self.flashes.iter_mut().map(|(&row, flash)| (row, flash))
    }

    /// Forgets flashes that are on disk as they are, where there are more than `max`.
    pub(super) fn forget_flashes(&mut self, max: usize) {
        let mut spare = self.flashes.len().saturating_sub(max);
        self.flashes.retain(|_, flash| {
            let forget = spare > 0 && flash.stored && !flash.dirty;
            spare -= usize::from(forget);
            !forget
        });
        let Self { flashes, flash_rows, .. } = self;
        flash_rows.retain(|_, row| flashes.contains_key(row));
    }

    /// Takes in what a commit has put on disk; `wanted` says which samples no chunk holds yet.
    pub(super) fn apply(
        &mut self,
        position: Position,
        entry: &Entry,
        wanted: impl Fn(SeriesId) -> bool,
    ) -> Result<(), Error> {
        for seen in &entry.seen {
            if let Some(flash) = self.flashes.get_mut(&seen.flash) {
                flash.seen.insert(seen.first, seen.last);
                flash.dirty = true;
                flash.stored = true;
            }
        }
        let new = entry.samples.iter().map(|sample| (sample, false));
        let anew = entry.replaced.iter().chain(&entry.flagged).map(|sample| (sample, true));
        for (sample, anew) in new.chain(anew).filter(|(sample, _)| wanted(sample.series)) {
            let series = self.get_mut(sample.series).ok_or(Error::UnknownSeries(sample.series))?;
            let before = series.active.len();
            series.put(*sample, anew);
            let grown = series.active.len() - before;
            self.head_samples += grown;
        }
        self.position = position;
        Ok(())
    }
}

impl Series {
    /// Returns the greatest time of any sample.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.latest.map(|sample| sample.time)
    }

    /// Returns the samples being sealed.
    pub(super) fn sealing_samples(&self) -> &[Sample] {
        self.sealing.as_ref().map_or(&[], |sealing| &sealing.samples)
    }

    /// Returns whether any sample is in no chunk yet.
    pub(super) fn has_head(&self) -> bool {
        !self.active.is_empty() || self.sealing.is_some()
    }

    /// Returns how many samples are in memory.
    pub(super) fn head_len(&self) -> usize {
        self.active.len() + self.sealing_samples().len()
    }

    /// Takes a sample in; what stood at its time in memory is gone.
    fn put(&mut self, sample: Sample, anew: bool) {
        let before = self.active.len();
        insert_sorted(&mut self.active, sample);
        // One that has come since the last checkpoint stands in no other place.
        if anew && self.active.len() > before {
            self.anew.insert(sample.time);
        }
        if self.newest().is_none_or(|newest| newest <= sample.time) {
            self.latest = Some(sample);
        }
    }

    /// Turns the head over to be sealed, with what an earlier attempt has left.
    pub(super) fn seal(&mut self, position: Position) -> Sealing {
        let mut samples = std::mem::take(&mut self.active);
        let mut anew = std::mem::take(&mut self.anew);
        if let Some(left) = self.sealing.take() {
            samples = merge(&left.samples, &samples);
            anew.extend(left.anew.iter());
        }
        let (samples, anew) = (std::sync::Arc::new(samples), std::sync::Arc::new(anew));
        self.sealing.insert(Sealing { position, samples, anew }).clone()
    }
}

/// Puts a sample where it belongs, at the end nearly always; in place of what has its time.
pub(super) fn insert_sorted(samples: &mut Vec<Sample>, sample: Sample) {
    if samples.last().is_none_or(|last| last.time < sample.time) {
        samples.push(sample);
        return;
    }
    let at = samples.partition_point(|other| other.time < sample.time);
    match samples.get_mut(at).filter(|other| other.time == sample.time) {
        Some(other) => *other = sample,
        None => samples.insert(at, sample),
    }
}

/// Merges two lists that are sorted by time into one; of two samples with one time the newer one,
/// from the second list, is left.
pub(super) fn merge(older: &[Sample], newer: &[Sample]) -> Vec<Sample> {
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    merged.extend_from_slice(newer);
    merged.extend_from_slice(older);
    // A stable sort finds the two runs and merges them, the newer one first.
    merged.sort_by_key(|sample| sample.time);
    merged.dedup_by_key(|sample| sample.time);
    merged
}

/// Returns the part of `samples`, which are sorted by time, that lies in `[from, to)`.
pub(super) fn between(samples: &[Sample], from: Timestamp, to: Timestamp) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.time < from);
    let end = samples.partition_point(|sample| sample.time < to);
    samples.get(start..end).unwrap_or_default()
}

/// Returns the sample at `time`, if there is one.
pub(super) fn sample_at(samples: &[Sample], time: Timestamp) -> Option<&Sample> {
    let at = samples.partition_point(|sample| sample.time < time);
    samples.get(at).filter(|sample| sample.time == time)
}

/// Returns the first microsecond from `time` on at which `samples` has none.
pub(super) fn free_from(samples: &[Sample], time: Timestamp) -> Timestamp {
    let at = samples.partition_point(|sample| sample.time < time);
    let rest = samples.get(at..).unwrap_or_default();
    // Times differ, so the n-th sample is n µs after `time` only where all before it are in a row.
    let in_row =
        |n: usize| rest.get(n).is_some_and(|sample| sample.time.micros_since(time) == n as i64);
    let (mut low, mut high) = (0, rest.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if in_row(middle) { low = middle + 1 } else { high = middle }
    }
    time.plus_micros(low as i64)
}

#[cfg(test)]
mod tests {
    use measure::{Marks, Quality, Scaled};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn the_next_free_microsecond_is_found_behind_any_row() {
        let samples: Vec<Sample> = [3, 5, 6, 7, 9]
            .map(|time| Sample {
                series: SeriesId(1),
                time: at(time),
                reading: Ok(Scaled(0)),
                quality: Quality::Good,
                marks: Marks::NONE,
                taken: None,
            })
            .into();
        for (asked, free) in [(2, 2), (3, 4), (4, 4), (5, 8), (6, 8), (8, 8), (9, 10), (10, 10)] {
            assert_eq!(free_from(&samples, at(asked)), at(free), "from {asked}");
        }
    }
}
