//! Charts: buckets of equal length, from the summaries of whole hours where that is exact.

use std::collections::BTreeSet;

use measure::{Scaled, Timestamp};

use super::Shared;
use super::read::Snapshot;
use super::recover::corrupt;
use super::summary::{self, HOUR_US, Summary};
use crate::{BUCKETS_MAX, Columns, Error, SeriesId};

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
        let index = time_us.saturating_sub(self.start_us) / self.step_us;
        usize::try_from(index).ok().and_then(|index| self.buckets.get_mut(index))
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
    let quantity = shared.state().get(series)?.key.quantity;
    let mut grid = Grid::new(from, to, step_ms, origin)?;
    if from < to {
        fill(&mut grid, &Snapshot::take(shared, series, from, to)?)?;
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

fn fill(grid: &mut Grid, snapshot: &Snapshot<'_>) -> Result<(), Error> {
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
            let mut whole = BTreeSet::new();
            let mut complete = by_hours;
            if by_hours {
                let hours =
                    summary::parse(&row.hours).map_err(|damage| corrupt(row.key, damage))?;
                for hour in hours {
                    if stands_anew(snapshot, hour.hour) || !grid.holds_hour(hour.hour * HOUR_US) {
                        complete = false;
                    } else if let Some(bucket) = grid.bucket(hour.hour * HOUR_US) {
                        bucket.merge(&hour.summary);
                        whole.insert(hour.hour);
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
