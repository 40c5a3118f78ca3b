//! Charts: buckets of equal length, from the summaries of whole hours where that is exact.

use std::collections::BTreeSet;

use measure::{Scaled, Timestamp};

use super::Shared;
use super::chunk::DAY_US;
use super::read::{ChunkRow, Snapshot};
use super::recover::corrupt;
use super::retain::tens_of;
use super::summary::{self, Grain, HOUR_US, Slot, Summary};
use crate::{BUCKETS_MAX, Columns, Error, Retained, SeriesId};

/// Buckets of equal length between two times.
struct Grid {
    from_us: i64,
    to_us: i64,
    step_us: i64,
    /// Start of the first bucket.
    start_us: i64,
    buckets: Vec<Summary>,
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
        let (from_us, to_us) = (from.micros(), to.micros());
        let index = |time_us: i64| (time_us - origin.micros()).div_euclid(step_us);
        let first = index(from_us);
        let count = if from < to { index(to_us - 1) - first + 1 } else { 0 };
        let count = usize::try_from(count).ok().filter(|&count| count <= BUCKETS_MAX);
        let buckets = vec![Summary::default(); count.ok_or_else(refused)?];
        // The first bucket may begin before 1970, by less than a step.
        let start_us = origin.micros().saturating_add(first.saturating_mul(step_us));
        Ok(Self { from_us, to_us, step_us, start_us, buckets })
    }

    fn bucket(&mut self, time_us: i64) -> Option<&mut Summary> {
        let index = time_us.saturating_sub(self.start_us).div_euclid(self.step_us);
        usize::try_from(index).ok().and_then(|index| self.buckets.get_mut(index))
    }

    /// Returns whether a slot has any part in the span asked for.
    fn meets(&self, start_us: i64, length_us: i64) -> bool {
        start_us < self.to_us && self.from_us < start_us + length_us
    }

    /// Returns whether a slot lies in one bucket, be it cut by the ends of the span or not.
    fn fits(&self, start_us: i64, length_us: i64) -> bool {
        let index = |time_us: i64| (time_us - self.start_us).div_euclid(self.step_us);
        index(start_us) == index(start_us + length_us - 1)
    }

    /// Returns whether an hour lies in one bucket and in the span asked for, as a whole.
    fn holds_hour(&self, start_us: i64) -> bool {
        let end_us = start_us + HOUR_US;
        let index = |time_us: i64| (time_us - self.start_us) / self.step_us;
        self.from_us <= start_us && end_us <= self.to_us && index(start_us) == index(end_us - 1)
    }
}

pub(super) fn downsample(
    shared: &Shared,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
    step_ms: i64,
    origin: Timestamp,
) -> Result<Columns, Error> {
    let (quantity, retained) = {
        let state = shared.state();
        let series = state.get(series)?;
        (series.key.quantity, series.retained)
    };
    let mut grid = Grid::new(from, to, step_ms, origin)?;
    if from < to {
        fill(&mut grid, &Snapshot::take(shared, series, from, to)?, retained)?;
    }
    let value = |value: i32| Scaled(value).to_f64(quantity);
    let mut columns = Columns { step_ms, ..Columns::default() };
    let mut start_us = grid.start_us;
    for bucket in &grid.buckets {
        let usable = (bucket.count > 0).then_some(bucket);
        columns.time_ms.push(start_us.div_euclid(1_000));
        columns.min.push(usable.map(|bucket| value(bucket.min)));
        columns.max.push(usable.map(|bucket| value(bucket.max)));
        columns.mean.push(usable.map(|bucket| {
            let mean = bucket.sum as f64 / f64::from(bucket.count);
            mean / f64::from(quantity.steps_per_unit())
        }));
        columns.count.push(bucket.count);
        columns.quality.push(bucket.worst);
        start_us = start_us.saturating_add(grid.step_us);
    }
    Ok(columns)
}

fn fill(grid: &mut Grid, snapshot: &Snapshot<'_>, retained: Retained) -> Result<(), Error> {
    for sample in &snapshot.head {
        if let Some(bucket) = grid.bucket(sample.time.micros()) {
            bucket.add(sample);
        }
    }
    // No hour fits into a shorter bucket: the summaries need not be read.
    let by_hours = grid.step_us >= HOUR_US;
    let mut after = None;
    loop {
        let rows = snapshot.chunks(after, by_hours)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.key);
        for row in &rows {
            if row.is_rolled {
                fill_rolled(grid, snapshot, row, retained)?;
                continue;
            }
            let mut whole = BTreeSet::new();
            let mut complete = by_hours;
            if by_hours {
                let hours = summary::parse(&row.hours, Grain::Hour)
                    .map_err(|damage| corrupt(row.key, damage))?;
                for hour in hours {
                    if stands_anew(snapshot, hour.slot) || !grid.holds_hour(hour.slot * HOUR_US) {
                        complete = false;
                    } else if let Some(bucket) = grid.bucket(hour.slot * HOUR_US) {
                        bucket.merge(&hour.summary);
                        whole.insert(hour.slot);
                    }
                }
            }
            if complete {
                continue;
            }
            for sample in snapshot.body(row.key)? {
                let time_us = sample.time.micros();
                if !whole.contains(&time_us.div_euclid(HOUR_US))
                    && !snapshot.anew.contains(&sample.time)
                    && let Some(bucket) = grid.bucket(time_us)
                {
                    bucket.add(&sample);
                }
            }
        }
    }
}

/// Returns whether a sample of an hour stands in place of one that a chunk may hold.
fn stands_anew(snapshot: &Snapshot<'_>, hour: i64) -> bool {
    let hour_of = |time: &Timestamp| time.micros().div_euclid(HOUR_US);
    let Some(start) = Timestamp::from_micros(hour * HOUR_US) else { return false };
    snapshot.anew.range(start..).next().is_some_and(|time| hour_of(time) == hour)
}

/// Counts in what is left of a day that was rolled up: its hours where each fits into one bucket,
/// else its tens of minutes. One that an end of the span cuts counts whole.
fn fill_rolled(
    grid: &mut Grid,
    snapshot: &Snapshot<'_>,
    row: &ChunkRow,
    retained: Retained,
) -> Result<(), Error> {
    let hours =
        summary::parse(&row.hours, Grain::Hour).map_err(|damage| corrupt(row.key, damage))?;
    let Some(cut) = add_fitting(grid, &hours, Grain::Hour) else { return Ok(()) };
    let (series, step_ms) = (snapshot.series, grid.step_us / 1_000);
    // A day that a repair has left no samples of lies after the boundary.
    let day_end = Timestamp::from_micros((row.key.day() + 1).saturating_mul(DAY_US));
    let day_end = day_end.unwrap_or(Timestamp::MAX);
    let coarser = |grain: Grain, until| Error::Coarser {
        series,
        step_ms,
        kept_ms: grain.us() / 1_000,
        until,
    };
    let tens = snapshot.lease.query(|connection| tens_of(connection, row.key))?;
    let tens = tens.ok_or_else(|| coarser(Grain::Hour, retained.ten_minutes_from.max(day_end)))?;
    let of_cut = |slot: &Slot| cut.contains(&slot.slot.div_euclid(6));
    let tens: Vec<Slot> = tens.into_iter().filter(of_cut).collect();
    match add_fitting(grid, &tens, Grain::TenMinutes) {
        None => Ok(()),
        Some(_) => Err(coarser(Grain::TenMinutes, retained.raw_from.max(day_end))),
    }
}

/// Counts in the slots that meet the span and fit into one bucket; returns those that do not fit,
/// where there are any.
fn add_fitting(grid: &mut Grid, slots: &[Slot], grain: Grain) -> Option<BTreeSet<i64>> {
    let mut cut = BTreeSet::new();
    for slot in slots {
        let start_us = slot.slot * grain.us();
        if !grid.meets(start_us, grain.us()) {
            continue;
        }
        if !grid.fits(start_us, grain.us()) {
            cut.insert(slot.slot);
        } else if let Some(bucket) = grid.bucket(start_us) {
            bucket.merge(&slot.summary);
        }
    }
    (!cut.is_empty()).then_some(cut)
}
