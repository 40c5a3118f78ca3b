//! What a batch comes to: which of its readings are new, and at which time each is kept.
//!
//! The plan is made inside the commit's transaction and looks at memory, at chunks on disk where a
//! time is not newer than all else of its series, and at the batch itself. It changes only the
//! table of gaps; memory changes after the transaction.

use std::collections::{BTreeMap, HashMap};

use measure::{FlashId, Marks, NodeKey, Timestamp};
use rusqlite::Connection;

use super::chunk::{self, ChunkKey, DAY_US};
use super::entry::{Entry, Seen};
use super::gaps::{self, GapRow, WAITING};
use super::state::{State, free_from, insert_sorted, sample_at};
use crate::sequences::SequenceSet;
use crate::{Batch, Error, Flag, Gap, Incoming, Origin, Part, Sample, SeriesId, Taken};

/// The most separate ranges of one flash in memory. Beyond, the oldest holes between them move to
/// the table of gaps, where they still count as awaited: nothing is refused and nothing forgotten.
/// (Tests come to it sooner.)
pub(super) const FLASH_RANGES_MAX: usize = if cfg!(test) { 6 } else { 4_096 };

/// Off only in the store that the kill campaign must find broken.
const DROPS_REPEATS: bool = !cfg!(feature = "break-dedup");

/// What a batch comes to.
pub(super) struct Plan {
    /// What the journal will say.
    pub(super) entry: Entry,
    /// The table of gaps has changed.
    pub(super) gaps_changed: bool,
    /// Samples that were there before.
    pub(super) repeated: u64,
    /// Samples moved to the next free microsecond.
    pub(super) shifted: u64,
    /// Samples older than what their series held before.
    pub(super) late: u64,
    /// Derived samples that stand in place of others.
    pub(super) replaced: u64,
    /// Samples whose quality is another.
    pub(super) flagged: u64,
    /// What lies before the boundary of its series and is refused.
    pub(super) expired: u64,
}

/// Plans a batch; every flash that it names is in `state`.
pub(super) fn plan(connection: &Connection, state: &State, batch: &Batch) -> Result<Plan, Error> {
    let plan = Plan {
        entry: Entry::default(),
        gaps_changed: false,
        repeated: 0,
        shifted: 0,
        late: 0,
        replaced: 0,
        flagged: 0,
        expired: 0,
    };
    let stands_anew = |part: &Part| matches!(part, Part::Derived(_) | Part::Flags(_));
    let mut planner = Planner {
        connection,
        state,
        covered: HashMap::new(),
        placed: HashMap::new(),
        new: batch.parts.iter().any(stands_anew).then(HashMap::new),
        replaced: BTreeMap::new(),
        flagged: BTreeMap::new(),
        chunks: HashMap::new(),
        plan,
    };
    for part in &batch.parts {
        match part {
            Part::Readings { origin: Origin::Node { node, flash }, samples } => {
                planner.node(node, *flash, samples)?;
            }
            Part::Readings { origin: Origin::Guest, samples } => planner.guest(samples)?,
            Part::Gap(gap) => planner.gap(gap)?,
            Part::Derived(samples) => planner.derived(samples)?,
            Part::Flags(flags) => planner.flags(flags)?,
        }
    }
    planner.finish()
}

struct Planner<'a> {
    connection: &'a Connection,
    state: &'a State,
    /// Sequences that this batch adds to those seen, by the row of their flash.
    covered: HashMap<i64, SequenceSet>,
    /// Samples that this batch adds or changes, by series, sorted by time.
    placed: HashMap<SeriesId, Vec<Sample>>,
    /// Where in the entry the samples are that it adds, in a batch that may change them again.
    new: Option<HashMap<(SeriesId, Timestamp), usize>>,
    /// Derived samples that it puts in place of others, and samples that it flags.
    replaced: BTreeMap<(SeriesId, Timestamp), Sample>,
    flagged: BTreeMap<(SeriesId, Timestamp), Sample>,
    /// Chunks on disk, by series and day, in so far as they were looked at.
    chunks: HashMap<(SeriesId, i64), Vec<OnDisk>>,
    plan: Plan,
}

/// A chunk on disk, read when it is needed.
struct OnDisk {
    key: ChunkKey,
    last_us: i64,
    samples: Option<Vec<Sample>>,
}

impl Planner<'_> {
    fn node(&mut self, node: &NodeKey, id: FlashId, samples: &[Incoming]) -> Result<(), Error> {
        let Some(row) = self.state.flash_row(node, id) else { return Ok(()) };
        for incoming in samples {
            let sequence = incoming.sequence.0;
            if self.is_covered(row, sequence) {
                // Most likely a repeat; but it may be one that was given up.
                if let Some(gap) = gaps::holding(self.connection, row, sequence)? {
                    gaps::shrink(self.connection, row, gap, (sequence, sequence))?;
                    self.plan.gaps_changed = true;
                } else if DROPS_REPEATS {
                    self.plan.repeated += 1;
                    continue;
                }
            } else {
                self.covered.entry(row).or_default().insert(sequence, sequence);
            }
            let time = self.free_time(incoming.sample.series, incoming.sample.time)?;
            let taken = Some(Taken { flash: id, sequence: incoming.sequence });
            self.keep(Sample { taken, ..incoming.sample }, time);
        }
        self.move_holes_to_disk(row)
    }

    fn guest(&mut self, samples: &[Incoming]) -> Result<(), Error> {
        for Incoming { sample, .. } in samples {
            if self.is_expired(sample.series, sample.time)? {
                continue;
            }
            let mut time = sample.time;
            let repeated = loop {
                let Some(there) = self.sample_at(sample.series, time)? else { break false };
                let same_time = time == sample.time || there.marks.contains(Marks::SHIFTED);
                if DROPS_REPEATS && same_time && there.reading == sample.reading {
                    break true;
                }
                time = self.after(sample.series, time)?;
            };
            if repeated {
                self.plan.repeated += 1;
            } else {
                self.keep(Sample { taken: None, ..*sample }, time);
            }
        }
        Ok(())
    }

    fn derived(&mut self, samples: &[Sample]) -> Result<(), Error> {
        for &sample in samples {
            let sample = Sample { taken: None, ..sample };
            if self.is_expired(sample.series, sample.time)? {
                continue;
            }
            let there = self.sample_at(sample.series, sample.time)?;
            match there {
                None => self.keep(sample, sample.time),
                // A reading that a node took gives way to nothing (invariant 7).
                Some(there) if there == sample || there.taken.is_some() => self.plan.repeated += 1,
                Some(_) => {
                    self.plan.replaced += 1;
                    if !self.change_new(sample) {
                        let key = (sample.series, sample.time);
                        self.flagged.remove(&key);
                        self.replaced.insert(key, sample);
                    }
                }
            }
        }
        Ok(())
    }

    fn flags(&mut self, flags: &[Flag]) -> Result<(), Error> {
        for flag in flags {
            if self.is_expired(flag.series, flag.time)? {
                continue;
            }
            let there = self.sample_at(flag.series, flag.time)?;
            let Some(there) = there.filter(|there| there.quality != flag.quality) else { continue };
            let sample = Sample { quality: flag.quality, ..there };
            self.plan.flagged += 1;
            if !self.change_new(sample) {
                let key = (sample.series, sample.time);
                match self.replaced.get_mut(&key) {
                    Some(replaced) => *replaced = sample,
                    None => drop(self.flagged.insert(key, sample)),
                }
            }
        }
        Ok(())
    }

    /// Counts what lies where samples are no longer kept: whether it is a repeat, or what stands
    /// there, can no longer be told.
    fn is_expired(&mut self, series: SeriesId, time: Timestamp) -> Result<bool, Error> {
        let expired = time < self.state.get(series)?.retained.raw_from;
        self.plan.expired += u64::from(expired);
        Ok(expired)
    }

    /// Takes in that `sample` stands at its time now; returns whether this batch has put what stood
    /// there before, which is gone then.
    fn change_new(&mut self, sample: Sample) -> bool {
        insert_sorted(self.placed.entry(sample.series).or_default(), sample);
        let at = self.new.as_ref().and_then(|new| new.get(&(sample.series, sample.time)));
        let new = at.and_then(|&at| self.plan.entry.samples.get_mut(at));
        new.is_some_and(|new| {
            *new = sample;
            true
        })
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        let Some(row) = self.state.flash_row(&gap.node, gap.flash) else { return Ok(()) };
        let (first, last) = (gap.range.first.0, gap.range.last.0);
        let new = GapRow { first, last, reason: gap.reason.code(), at_us: gap.at.micros() };
        // What the gateway waited for on disk is given up now.
        for waiting in gaps::waiting(self.connection, row)? {
            let overlap = (waiting.first.max(first), waiting.last.min(last));
            if overlap.0 <= overlap.1 {
                gaps::shrink(self.connection, row, waiting, overlap)?;
                let given_up = GapRow { first: overlap.0, last: overlap.1, ..new };
                gaps::add(self.connection, row, given_up)?;
                self.plan.gaps_changed = true;
            }
        }
        let seen = self.state.flash(row).map(|flash| flash.seen.missing(first, last));
        for (first, last) in seen.unwrap_or_default() {
            let covered = self.covered.entry(row).or_default();
            for (first, last) in covered.missing(first, last) {
                gaps::add(self.connection, row, GapRow { first, last, ..new })?;
                covered.insert(first, last);
                self.plan.gaps_changed = true;
            }
        }
        self.move_holes_to_disk(row)
    }

    fn is_covered(&self, row: i64, sequence: u64) -> bool {
        self.state.flash(row).is_some_and(|flash| flash.seen.contains(sequence))
            || self.covered.get(&row).is_some_and(|covered| covered.contains(sequence))
    }

    fn move_holes_to_disk(&mut self, row: i64) -> Result<(), Error> {
        let Some(flash) = self.state.flash(row) else { return Ok(()) };
        let covered = self.covered.entry(row).or_default();
        if flash.seen.len() + covered.len() <= FLASH_RANGES_MAX {
            return Ok(());
        }
        let mut all = flash.seen.clone();
        covered.iter().for_each(|(first, last)| all.insert(first, last));
        if all.len() <= FLASH_RANGES_MAX {
            return Ok(());
        }
        // Half of them, so that this is rare.
        for (first, last) in all.oldest_holes(all.len() - FLASH_RANGES_MAX / 2) {
            gaps::add(self.connection, row, GapRow { first, last, reason: WAITING, at_us: 0 })?;
            covered.insert(first, last);
            self.plan.gaps_changed = true;
        }
        Ok(())
    }

    /// Returns the first microsecond from `time` on at which the series has no sample.
    fn free_time(&mut self, id: SeriesId, mut time: Timestamp) -> Result<Timestamp, Error> {
        let state = self.state;
        let series = state.get(id)?;
        let newest = self.placed.get(&id).and_then(|placed| placed.last()).map(|last| last.time);
        if series.newest().max(newest).is_none_or(|newest| newest < time) {
            return Ok(time);
        }
        let asked = time;
        loop {
            let before = time;
            time = free_from(series.sealing_samples(), time);
            time = free_from(&series.active, time);
            time = free_from(self.placed.get(&id).map_or(&[], Vec::as_slice), time);
            for samples in self.chunks_over(id, time)? {
                time = free_from(samples, time);
            }
            if time == before {
                break;
            }
        }
        // Time ends in 9999, where it can no longer move.
        if time == Timestamp::MAX && self.sample_at(id, time)?.is_some() {
            return Err(Error::NoFreeTime { series: id, time: asked });
        }
        Ok(time)
    }

    fn after(&self, series: SeriesId, time: Timestamp) -> Result<Timestamp, Error> {
        let next = time.plus_micros(1);
        if next > time { Ok(next) } else { Err(Error::NoFreeTime { series, time }) }
    }

    fn sample_at(&mut self, id: SeriesId, time: Timestamp) -> Result<Option<Sample>, Error> {
        let state = self.state;
        let series = state.get(id)?;
        let placed = self.placed.get(&id).map_or(&[][..], Vec::as_slice);
        for samples in [placed, &series.active, series.sealing_samples()] {
            if let Some(sample) = sample_at(samples, time) {
                return Ok(Some(*sample));
            }
        }
        if series.newest().is_none_or(|newest| newest < time) {
            return Ok(None);
        }
        let found = self.chunks_over(id, time)?.find_map(|samples| sample_at(samples, time));
        Ok(found.copied())
    }

    /// Returns the samples of every chunk on disk whose span holds `time`.
    fn chunks_over(
        &mut self,
        series: SeriesId,
        time: Timestamp,
    ) -> Result<impl Iterator<Item = &[Sample]>, Error> {
        let time_us = time.micros();
        let day = time_us.div_euclid(DAY_US);
        if !self.chunks.contains_key(&(series, day)) {
            self.chunks.insert((series, day), chunks_of_day(self.connection, series, day)?);
        }
        let chunks = self.chunks.get_mut(&(series, day)).map_or(&mut [][..], Vec::as_mut_slice);
        let over =
            move |chunk: &OnDisk| chunk.key.start_us() <= time_us && time_us <= chunk.last_us;
        for chunk in chunks.iter_mut().filter(|chunk| over(chunk) && chunk.samples.is_none()) {
            chunk.samples = Some(read_chunk(self.connection, chunk.key)?);
        }
        let chunks = chunks.iter().filter(move |chunk| over(chunk));
        Ok(chunks.map(|chunk| chunk.samples.as_deref().unwrap_or_default()))
    }

    fn keep(&mut self, mut sample: Sample, time: Timestamp) {
        if time != sample.time {
            sample.time = time;
            sample.marks = sample.marks.with(Marks::SHIFTED);
            self.plan.shifted += 1;
        }
        insert_sorted(self.placed.entry(sample.series).or_default(), sample);
        if let Some(new) = &mut self.new {
            new.insert((sample.series, sample.time), self.plan.entry.samples.len());
        }
        self.plan.entry.samples.push(sample);
    }

    fn finish(mut self) -> Result<Plan, Error> {
        for sample in &self.plan.entry.samples {
            let newest = self.state.get(sample.series)?.newest();
            self.plan.late += u64::from(newest.is_some_and(|newest| newest > sample.time));
        }
        self.plan.entry.replaced = self.replaced.into_values().collect();
        self.plan.entry.flagged = self.flagged.into_values().collect();
        let mut covered: Vec<_> = self.covered.into_iter().collect();
        covered.sort_by_key(|(flash, _)| *flash);
        for (flash, covered) in covered {
            let seen = covered.iter().map(|(first, last)| Seen { flash, first, last });
            self.plan.entry.seen.extend(seen);
        }
        Ok(self.plan)
    }
}

fn chunks_of_day(
    connection: &Connection,
    series: SeriesId,
    day: i64,
) -> Result<Vec<OnDisk>, Error> {
    let mut select =
        connection.prepare_cached("SELECT key, last_us FROM chunk WHERE key >= ?1 AND key < ?2")?;
    let from = ChunkKey::first(series, day * DAY_US).0;
    let to = ChunkKey::first(series, (day + 1) * DAY_US).0;
    let rows = select.query_map([from, to], |row| {
        Ok(OnDisk { key: ChunkKey(row.get(0)?), last_us: row.get(1)?, samples: None })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads a chunk. A damaged one counts as empty here: new readings are not turned away for it.
fn read_chunk(connection: &Connection, key: ChunkKey) -> Result<Vec<Sample>, Error> {
    let mut select = connection.prepare_cached("SELECT record FROM body WHERE key = ?1")?;
    let mut rows = select.query([key.0])?;
    let Some(row) = rows.next()? else { return Ok(Vec::new()) };
    let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(chunk::parse(key.series(), record).unwrap_or_else(|damage| {
        tracing::warn!(chunk = %key, reason = damage.0, "Passed over a damaged chunk.");
        Vec::new()
    }))
}
