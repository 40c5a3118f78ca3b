//! A store whose readings are calibrated on their way out. What comes in stays as it was taken.
//!
//! A chart stays as quick as it was, because a calibration is a straight line: least and greatest of a
//! bucket are those of its raw readings, turned around where the line falls. A bucket in which one
//! calibration ends and another begins is put together from its parts. Only where the line leads a
//! bucket out of the range of its quantity are its readings looked at one by one.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use measure::{FlashId, NodeKey, Quality, Quantity, Scaled, SequenceRange, Timestamp};
use store::{
    BUCKETS_MAX, Batch, Columns, Committed, Error, Gap, Position, Retained, Sample, SeriesId,
    SeriesKey, Silence, Store,
};

use crate::calibration::{Correction, Segment, Span, Timeline, Version};

/// The steps of the store's roll-ups, in microseconds.
const ROLL_UP_US: i64 = 600_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// Which correction of every channel holds when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibrations {
    timelines: BTreeMap<SeriesKey, Timeline>,
}

impl Calibrations {
    /// Returns what holds by these versions, of any channels and in any order.
    pub fn of(versions: &[Version]) -> Self {
        let mut by_channel: BTreeMap<&SeriesKey, Vec<&Version>> = BTreeMap::new();
        for version in versions {
            by_channel.entry(&version.channel).or_default().push(version);
        }
        let timelines = by_channel.into_iter().map(|(key, all)| (key.clone(), Timeline::of(all)));
        Self { timelines: timelines.filter(|(_, timeline)| !timeline.is_empty()).collect() }
    }

    /// Returns whether no channel has any.
    pub fn is_empty(&self) -> bool {
        self.timelines.is_empty()
    }

    /// Returns what holds of a channel; `None` where nothing ever does.
    pub fn timeline(&self, channel: &SeriesKey) -> Option<&Timeline> {
        self.timelines.get(channel)
    }
}

/// A store whose readings are calibrated. The same calibrations hold for every answer that is begun
/// after [`Calibrated::set`] has returned.
pub struct Calibrated {
    raw: Arc<dyn Store>,
    table: RwLock<Arc<Table>>,
}

/// The calibrations by the store's own numbers.
#[derive(Default)]
struct Table {
    by_series: HashMap<SeriesId, (Quantity, Timeline)>,
    /// Channels with calibrations that the store has no series of yet.
    unknown: usize,
}

impl Calibrated {
    /// Returns the store with these calibrations.
    ///
    /// # Errors
    /// What the store says.
    pub fn new(raw: Arc<dyn Store>, calibrations: &Calibrations) -> Result<Self, Error> {
        let calibrated = Self { raw, table: RwLock::default() };
        calibrated.set(calibrations)?;
        Ok(calibrated)
    }

    /// Lets other calibrations hold from now on.
    ///
    /// # Errors
    /// What the store says.
    pub fn set(&self, calibrations: &Calibrations) -> Result<(), Error> {
        let series = self.raw.series()?;
        let found = series.into_iter().filter_map(|(id, key)| {
            Some((id, (key.quantity, calibrations.timeline(&key)?.clone())))
        });
        let by_series: HashMap<_, _> = found.collect();
        let unknown = calibrations.timelines.len().saturating_sub(by_series.len());
        let table = Arc::new(Table { by_series, unknown });
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }

    /// Returns how many channels have a calibration that the store has no series of: once it has,
    /// [`Calibrated::set`] must be called again.
    pub fn unknown(&self) -> usize {
        self.table().unknown
    }

    /// Returns whether no channel has a calibration, so that every reading is as it was taken.
    pub fn is_as_taken(&self) -> bool {
        self.table().by_series.is_empty()
    }

    /// Returns a sample of the store below as it is once calibrated.
    #[must_use]
    pub fn calibrated(&self, sample: Sample) -> Sample {
        self.table().calibrated(sample)
    }

    /// Returns the store below, with readings as they were taken.
    pub fn raw(&self) -> &Arc<dyn Store> {
        &self.raw
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Calibrated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channels = self.table().by_series.len();
        f.debug_struct("Calibrated").field("channels", &channels).finish_non_exhaustive()
    }
}

impl Table {
    fn calibrated(&self, sample: Sample) -> Sample {
        let Some((quantity, timeline)) = self.by_series.get(&sample.series) else { return sample };
        let holds = timeline.at(sample.time);
        holds.map_or(sample, |segment| segment.correction.corrected(*quantity, sample))
    }
}

impl Store for Calibrated {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, Error> {
        self.raw.series_id(key)
    }

    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, Error> {
        self.raw.series()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, Error> {
        self.raw.commit(batch)
    }

    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, Error> {
        self.raw.seen(node, flash)
    }

    fn latest(&self) -> Result<Vec<Sample>, Error> {
        let (mut latest, table) = (self.raw.latest()?, self.table());
        if !table.by_series.is_empty() {
            latest.iter_mut().for_each(|sample| *sample = table.calibrated(*sample));
        }
        Ok(latest)
    }

    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let table = self.table();
        let Some((quantity, timeline)) = table.by_series.get(&series) else {
            return self.raw.scan(series, from, to, visit);
        };
        let mut parts = timeline.parts(from, to).into_iter().peekable();
        self.raw.scan(series, from, to, &mut |sample| {
            while parts.next_if(|(span, _)| span.to <= sample.time).is_some() {}
            match parts.peek() {
                Some((_, Some(holds))) => visit(&holds.correction.corrected(*quantity, *sample)),
                _ => visit(sample),
            }
        })
    }

    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, Error> {
        let table = self.table();
        let parts = match table.by_series.get(&series) {
            Some((quantity, timeline)) if from < to => Some((*quantity, timeline.parts(from, to))),
            _ => None,
        };
        match parts {
            Some((quantity, parts)) if parts.iter().any(|(_, holds)| holds.is_some()) => {
                let grid = Grid::new(from, to, step_ms, origin)?;
                let retained = self.raw.retained(series)?;
                let chart = Chart { raw: &*self.raw, series, quantity, grid, retained };
                chart.columns(&parts)
            }
            _ => self.raw.downsample(series, from, to, step_ms, origin),
        }
    }

    fn at(
        &self,
        series: SeriesId,
        time: Timestamp,
        age_max_ms: i64,
    ) -> Result<Option<Sample>, Error> {
        let found = self.raw.at(series, time, age_max_ms)?;
        Ok(found.map(|sample| self.calibrated(sample)))
    }

    fn silences(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        longer_than_ms: i64,
    ) -> Result<Vec<Silence>, Error> {
        self.raw.silences(series, from, to, longer_than_ms)
    }

    fn retained(&self, series: SeriesId) -> Result<Retained, Error> {
        self.raw.retained(series)
    }

    fn journal(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Vec<Sample>)>, Error> {
        let (mut commits, table) = (self.raw.journal(after, limit)?, self.table());
        if !table.by_series.is_empty() {
            for sample in commits.iter_mut().flat_map(|(_, samples)| samples) {
                *sample = table.calibrated(*sample);
            }
        }
        Ok(commits)
    }

    fn release(&self, upto: Position) -> Result<(), Error> {
        self.raw.release(upto)
    }

    fn last_position(&self) -> Result<Position, Error> {
        self.raw.last_position()
    }

    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, Error> {
        self.raw.gaps(node)
    }
}

/// Where the buckets of a chart lie.
struct Grid {
    step_ms: i64,
    step_us: i64,
    origin: Timestamp,
    /// Start of the first bucket, in microseconds since 1970; may lie before it, by less than a step.
    start_us: i64,
    count: usize,
}

impl Grid {
    fn new(from: Timestamp, to: Timestamp, step_ms: i64, origin: Timestamp) -> Result<Self, Error> {
        let refused = || Error::TooManyBuckets {
            from: from.millis(),
            to: to.millis(),
            step_ms,
            max: BUCKETS_MAX,
        };
        let step_us = step_ms.checked_mul(1_000).filter(|&step| step > 0).ok_or_else(refused)?;
        let index = |time: Timestamp| (time.micros() - origin.micros()).div_euclid(step_us);
        let first = index(from);
        let count = index(to.plus_micros(-1)) - first + 1;
        let count = usize::try_from(count).ok().filter(|&count| count <= BUCKETS_MAX);
        let start_us = origin.micros().saturating_add(first.saturating_mul(step_us));
        Ok(Self { step_ms, step_us, origin, start_us, count: count.ok_or_else(refused)? })
    }

    fn bucket(&self, time_us: i64) -> Option<usize> {
        usize::try_from(time_us.saturating_sub(self.start_us) / self.step_us).ok()
    }

    /// Returns the part of a span that buckets hold, from one to another, both included.
    fn within(&self, span: Span, (first, last): (usize, usize)) -> Span {
        let edge = |index: usize| {
            let steps = i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(self.step_us);
            Timestamp::from_micros(self.start_us.saturating_add(steps))
        };
        let from = edge(first).unwrap_or(Timestamp::MIN).max(span.from);
        let to = edge(last + 1).unwrap_or(Timestamp::MAX).min(span.to);
        Span { from, to }
    }
}

/// What a bucket comes to, in steps of the quantity.
#[derive(Clone, Copy, Default)]
struct Bucket {
    min: i32,
    max: i32,
    sum: f64,
    count: u32,
    worst: Option<Quality>,
}

impl Bucket {
    /// Counts a sample in, as the store does.
    fn add(&mut self, sample: &Sample) {
        let (mut one, mut worst) = (Self::default(), sample.quality);
        match sample.reading {
            Ok(Scaled(value)) if sample.quality != Quality::Fail => {
                let sum = f64::from(value);
                one = Self { min: value, max: value, sum, count: 1, worst: None };
            }
            Ok(_) => {}
            Err(_) => worst = Quality::Missing,
        }
        self.merge(&Self { worst: Some(worst), ..one });
    }

    fn merge(&mut self, other: &Self) {
        if other.count > 0 {
            let is_first = self.count == 0;
            self.min = if is_first { other.min } else { self.min.min(other.min) };
            self.max = if is_first { other.max } else { self.max.max(other.max) };
            self.sum += other.sum;
            self.count = self.count.saturating_add(other.count);
        }
        self.worst = self.worst.max(other.worst);
    }
}

/// One chart of one channel.
struct Chart<'a> {
    raw: &'a dyn Store,
    series: SeriesId,
    quantity: Quantity,
    grid: Grid,
    retained: Retained,
}

impl Chart<'_> {
    fn columns(&self, parts: &[(Span, Option<Segment>)]) -> Result<Columns, Error> {
        let mut buckets = vec![Bucket::default(); self.grid.count];
        for (index, (span, holds)) in parts.iter().enumerate() {
            let from = if index == 0 { span.from } else { self.edge(span.from) };
            let to = if index + 1 == parts.len() { span.to } else { self.edge(span.to) };
            let span = Span { from, to };
            if from < to {
                self.add_part(span, holds.map(|segment| segment.correction), &mut buckets)?;
            }
        }
        let unit = f64::from(self.quantity.steps_per_unit());
        let mut columns = Columns { step_ms: self.grid.step_ms, ..Columns::default() };
        let mut start_us = self.grid.start_us;
        for bucket in &buckets {
            let usable = (bucket.count > 0).then_some(bucket);
            columns.time_ms.push(start_us.div_euclid(1_000));
            columns.min.push(usable.map(|it| Scaled(it.min).to_f64(self.quantity)));
            columns.max.push(usable.map(|it| Scaled(it.max).to_f64(self.quantity)));
            columns.mean.push(usable.map(|it| it.sum / f64::from(it.count) / unit));
            columns.count.push(bucket.count);
            columns.quality.push(bucket.worst);
            start_us = start_us.saturating_add(self.grid.step_us);
        }
        Ok(columns)
    }

    /// Returns where one part ends and the next begins: where no single readings are kept any more, at
    /// the end of the roll-up that holds the time, because a roll-up that is cut is counted whole.
    fn edge(&self, time: Timestamp) -> Timestamp {
        let step_us = match time {
            time if time >= self.retained.raw_from => return time,
            time if time >= self.retained.ten_minutes_from => ROLL_UP_US,
            _ => HOUR_US,
        };
        let beyond = time.micros().rem_euclid(step_us);
        if beyond == 0 { time } else { time.plus_micros(step_us - beyond) }
    }

    /// Counts in what the store says of a span in which one correction holds.
    fn add_part(
        &self,
        span: Span,
        correction: Option<Correction>,
        buckets: &mut [Bucket],
    ) -> Result<(), Error> {
        let Grid { step_ms, origin, .. } = self.grid;
        let raw = self.raw.downsample(self.series, span.from, span.to, step_ms, origin)?;
        let first = self.grid.bucket(span.from.micros()).unwrap_or_default();
        // Neighbouring buckets that have to be looked into are read at once.
        let mut look: Option<(usize, usize)> = None;
        for (index, raw) in (first..).zip(raw_buckets(&raw, self.quantity)) {
            let Some(bucket) = buckets.get_mut(index) else { continue };
            let mapped = match correction {
                Some(correction) => mapped(correction, self.quantity, &raw),
                None => Some(raw),
            };
            match (mapped, look) {
                (Some(mapped), _) => bucket.merge(&mapped),
                (None, Some((from, to))) if to + 1 == index => look = Some((from, index)),
                (None, before) => {
                    self.look(span, correction, before, buckets)?;
                    look = Some((index, index));
                }
            }
        }
        self.look(span, correction, look, buckets)
    }

    /// Counts in the readings of buckets one by one.
    fn look(
        &self,
        span: Span,
        correction: Option<Correction>,
        which: Option<(usize, usize)>,
        buckets: &mut [Bucket],
    ) -> Result<(), Error> {
        let (Some(which), Some(correction)) = (which, correction) else { return Ok(()) };
        let Span { from, to } = self.grid.within(span, which);
        if from < self.retained.raw_from {
            // What is left of them does not say which of them are in range.
            for bucket in buckets.iter_mut().take(which.1 + 1).skip(which.0) {
                bucket.worst = bucket.worst.max(Some(Quality::Fail));
            }
        }
        self.raw.scan(self.series, from, to, &mut |sample| {
            let index = self.grid.bucket(sample.time.micros());
            if let Some(bucket) = index.and_then(|index| buckets.get_mut(index)) {
                bucket.add(&correction.corrected(self.quantity, *sample));
            }
            ControlFlow::Continue(())
        })
    }
}

/// Returns the buckets of the store in steps of the quantity.
fn raw_buckets(columns: &Columns, quantity: Quantity) -> impl Iterator<Item = Bucket> {
    let unit = f64::from(quantity.steps_per_unit());
    // Exact: the store has divided a whole number of steps by `unit`.
    let steps = move |value: Option<f64>| (value.unwrap_or_default() * unit).round() as i32;
    let ends = columns.min.iter().zip(&columns.max).zip(&columns.mean);
    let ends = ends.zip(columns.count.iter().zip(&columns.quality));
    ends.map(move |(((min, max), mean), (&count, &worst))| Bucket {
        min: steps(*min),
        max: steps(*max),
        sum: mean.unwrap_or_default() * unit * f64::from(count),
        count,
        worst,
    })
}

/// Returns a bucket as it is after a correction; `None` where that leads one of its readings out of the
/// range of the quantity, so that they have to be looked at. One that failed before is in neither end
/// of its bucket and may become a fault.
fn mapped(correction: Correction, quantity: Quantity, raw: &Bucket) -> Option<Bucket> {
    if raw.worst == Some(Quality::Fail) {
        return None;
    }
    if raw.count == 0 {
        return Some(*raw);
    }
    let value = |steps| {
        let value = correction.value(Scaled(steps)).ok()?;
        value.is_in_range(quantity).then_some(value.0)
    };
    let (one, other) = (value(raw.min)?, value(raw.max)?);
    let count = f64::from(raw.count);
    let sum = correction.line(raw.sum / count) * count;
    Some(Bucket { min: one.min(other), max: one.max(other), sum, ..*raw })
}

#[cfg(test)]
mod tests;
