//! Questions: what the folder has, and for older times what the server has, as one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use measure::{Fault, FlashId, Marks, Quality, Scaled, Sequence, Timestamp};
use store::{Columns, JOURNAL_ANSWER_SAMPLES_MAX, Sample, SeriesId, SeriesKey, Store as _, Taken};
use tokio::sync::mpsc;

use crate::csv::{Reader, Row};
use crate::store::{Shared, locked};
use crate::{Error, flux, wait};

/// How many samples a page of a scan has at most of the folder, and should have of the server.
const PAGE_SAMPLES: usize = 20_000;
/// The first and the shortest span of a page, in microseconds.
const PAGE_FIRST_US: i64 = 86_400_000_000;
const PAGE_LEAST_US: i64 = 60_000_000;
/// How many pieces of an answer may wait to be taken up; then the server waits.
const PIECES_MAX: usize = 4;
/// The longest step that a server can count in; longer buckets are counted here.
const STEP_US_MAX: i64 = i64::MAX / 1_000_000;
/// The most buckets that are counted here one by one; with more, all are, in one go.
const BUCKETS_ONE_BY_ONE_MAX: usize = 64;

/// A piece of an answer.
enum Piece<T> {
    Rows(Vec<T>),
    /// The answer was whole.
    End,
}

/// Asks the server and shows its rows as they come.
fn ask<T: Send + 'static>(
    shared: &Shared,
    query: String,
    parse: impl Fn(&Row<'_>) -> Result<T, Error> + Send + Sync + 'static,
    mut show: impl FnMut(T),
) -> Result<(), Error> {
    let (tell, mut told) = mpsc::channel(PIECES_MAX);
    let server = Arc::clone(&shared.server);
    shared.runtime.spawn(async move {
        let answer = async {
            let mut answer = server.query(&query).await?;
            let mut reader = Reader::default();
            while let Some(bytes) = answer.next().await? {
                let mut rows = Vec::new();
                reader.feed(&bytes, |row| {
                    rows.push(parse(row)?);
                    Ok(())
                })?;
                if !rows.is_empty() && tell.send(Ok(Piece::Rows(rows))).await.is_err() {
                    break;
                }
            }
            reader.finish()
        };
        // Nobody listens any more where it cannot be sent.
        drop(tell.send(answer.await.map(|()| Piece::End)).await);
    });
    loop {
        match wait::for_future(told.recv()) {
            Some(Ok(Piece::Rows(rows))) => rows.into_iter().for_each(&mut show),
            Some(Ok(Piece::End)) => return Ok(()),
            Some(Err(error)) => return Err(error),
            None => {
                let url = shared.server.target.url().to_owned();
                return Err(Error::Away { url, problem: "this store is being closed".to_owned() });
            }
        }
    }
}

/// Returns every series that the server has a point of.
pub(crate) fn known(shared: &Shared) -> Result<Vec<SeriesKey>, Error> {
    let parse = |row: &Row<'_>| {
        let name = |column: &str| {
            let text = row.text(column).unwrap_or_default();
            measure::Slug::new(text).map_err(|error| Error::Answer {
                problem: format!("tag `{column}` has `{text}`: {error}"),
            })
        };
        let quantity = row.text("quantity").unwrap_or_default();
        Ok(SeriesKey {
            node: measure::NodeKey { site: name("site")?, node: name("node")? },
            position: name("position")?,
            quantity: quantity.parse().map_err(|error| Error::Answer {
                problem: format!("tag `quantity` has `{quantity}`: {error}"),
            })?,
        })
    };
    let mut keys = BTreeSet::new();
    ask(shared, flux::known(shared.server.target.bucket()), parse, |key| {
        keys.insert(key);
    })?;
    Ok(keys.into_iter().collect())
}

/// Returns the time of the server's first point of a series in `[from, to)`.
pub(crate) fn first(
    shared: &Shared,
    key: &SeriesKey,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let mut first = None;
    let query = flux::first(shared.server.target.bucket(), key, from, to);
    ask(shared, query, |row| row.time("_time"), |time| first = Some(time))?;
    Ok(first)
}

/// Returns the server's points of a series in `[from, to)`, in the order of time.
pub(crate) fn page(
    shared: &Shared,
    series: SeriesId,
    key: &SeriesKey,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Sample>, Error> {
    let mut samples: Vec<Sample> = Vec::new();
    let query = flux::page(shared.server.target.bucket(), key, from, to);
    ask(shared, query, move |row| sample(series, row), |sample| samples.push(sample))?;
    if samples.is_sorted_by(|a, b| a.time < b.time) {
        Ok(samples)
    } else {
        Err(Error::Answer { problem: "its points are not in the order of time".to_owned() })
    }
}

fn sample(series: SeriesId, row: &Row<'_>) -> Result<Sample, Error> {
    let small = |name: &str| {
        let number = row.long(name)?;
        u8::try_from(number).map_err(|_| field(name, number))
    };
    let value = row.long("value")?;
    let reading = match small("fault")? {
        0 => Ok(Scaled(i32::try_from(value).map_err(|_| field("value", value))?)),
        fault => Err(Fault::from_code(fault).ok_or_else(|| field("fault", fault.into()))?),
    };
    let quality = small("quality")?;
    let taken = match row.long("flash")? {
        -1 => None,
        flash => Some(Taken {
            flash: FlashId(u32::try_from(flash).map_err(|_| field("flash", flash))?),
            sequence: Sequence(row.long("sequence")?.cast_unsigned()),
        }),
    };
    Ok(Sample {
        series,
        time: row.time("_time")?,
        reading,
        quality: Quality::from_code(quality).ok_or_else(|| field("quality", quality.into()))?,
        marks: Marks::from_bits(small("marks")?),
        taken,
    })
}

fn field(name: &str, number: i64) -> Error {
    Error::Answer { problem: format!("field `{name}` has {number}, which no reading has") }
}

/// Returns the key of a series.
pub(crate) fn key_of(shared: &Shared, series: SeriesId) -> Result<SeriesKey, store::Error> {
    let index = (series.0 as usize).checked_sub(1).ok_or(store::Error::UnknownSeries(series))?;
    let known = shared.engine.series()?;
    let found = known.get(index).filter(|(id, _)| *id == series);
    found.map(|(_, key)| key.clone()).ok_or(store::Error::UnknownSeries(series))
}

pub(crate) fn scan(
    shared: &Shared,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
    visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
) -> Result<(), store::Error> {
    let key = key_of(shared, series)?;
    // While it is held, nothing is forgotten.
    let floor = shared.floor.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    if from < *floor && scan_old(shared, series, &key, (from, to.min(*floor)), visit)?.is_break() {
        return Ok(());
    }
    shared.engine.scan(series, from.max(*floor), to, visit)
}

/// Scans a span of which the folder may lack samples.
fn scan_old(
    shared: &Shared,
    series: SeriesId,
    key: &SeriesKey,
    (from, to): (Timestamp, Timestamp),
    visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, store::Error> {
    let mut next = from;
    let mut span_us = PAGE_FIRST_US;
    // Before this time the server has nothing that was not shown.
    let mut due = if from < to { first(shared, key, from, to)? } else { None };
    while next < to {
        let mut end = due.map_or(to, |due| due.max(next).plus_micros(span_us).min(to));
        let local = local_page(shared, series, next, &mut end)?;
        let asked = due.filter(|due| *due < end);
        let remote = match asked {
            Some(due) => page(shared, series, key, due.max(next), end)?,
            None => Vec::new(),
        };
        match remote.len() {
            0 if asked.is_some() && end < to => due = first(shared, key, end, to)?,
            count if count > PAGE_SAMPLES => span_us = (span_us / 2).max(PAGE_LEAST_US),
            count if count < PAGE_SAMPLES / 4 => span_us = span_us.saturating_mul(2),
            _ => {}
        }
        for sample in joined(shared, series, (next, end), local, remote) {
            if visit(&sample).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        next = end;
    }
    Ok(ControlFlow::Continue(()))
}

/// Returns what the folder has in `[from, end)`, and moves `end` forward where it has more.
fn local_page(
    shared: &Shared,
    series: SeriesId,
    from: Timestamp,
    end: &mut Timestamp,
) -> Result<Vec<Sample>, store::Error> {
    let mut local = Vec::new();
    shared.engine.scan(series, from, *end, &mut |sample| {
        local.push(*sample);
        if local.len() < PAGE_SAMPLES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if let Some(last) = local.get(PAGE_SAMPLES - 1) {
        *end = last.time.plus_micros(1);
    }
    Ok(local)
}

/// Joins what stands in several places: the folder is the newest, what was put aside the oldest.
pub(crate) fn joined(
    shared: &Shared,
    series: SeriesId,
    (from, to): (Timestamp, Timestamp),
    local: Vec<Sample>,
    remote: Vec<Sample>,
) -> Vec<Sample> {
    let notes = locked(&shared.notes);
    let aside: Vec<Sample> = if from < to {
        notes.aside.range((series, from)..(series, to)).map(|(_, sample)| *sample).collect()
    } else {
        Vec::new()
    };
    drop(notes);
    if aside.is_empty() && (local.is_empty() || remote.is_empty()) {
        return if local.is_empty() { remote } else { local };
    }
    let all = aside.into_iter().chain(remote).chain(local);
    let by_time: BTreeMap<Timestamp, Sample> = all.map(|sample| (sample.time, sample)).collect();
    by_time.into_values().collect()
}

pub(crate) fn downsample(
    shared: &Shared,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
    step_ms: i64,
    origin: Timestamp,
) -> Result<Columns, store::Error> {
    // The folder's answer has every bucket, and checks the question.
    let mut columns = shared.engine.downsample(series, from, to, step_ms, origin)?;
    let floor = *shared.floor.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(first_ms) = columns.time_ms.first().copied().filter(|_| from < floor) else {
        return Ok(columns);
    };
    let key = key_of(shared, series)?;
    // As the engine's grid: the first bucket may begin before 1970.
    let step_us = step_ms.saturating_mul(1_000);
    let grid = Grid { start_us: grid_start(from, origin, step_us), step_us, from, to };
    debug_assert_eq!(grid.start_us.div_euclid(1_000), first_ms, "the grid of the engine");
    let old = columns.time_ms.len().min(grid.index(floor.micros() - 1) + 1);
    let end = grid.span(old - 1).1;
    // What is not on the server yet is looked up before the server is asked.
    let here = shared.unshipped(series, from, end)?;
    let recount = match here {
        Some(times) if step_us <= STEP_US_MAX => {
            from_server(shared, &key, &grid, old, &mut columns)?;
            let touched: BTreeSet<usize> =
                times.iter().map(|time| grid.index(time.micros())).collect();
            touched.into_iter().filter(|index| *index < old).collect()
        }
        _ => (0..old).collect::<Vec<_>>(),
    };
    recount_here(shared, series, &key, &grid, &recount, &mut columns)?;
    Ok(columns)
}

/// Where the buckets of a question lie.
struct Grid {
    start_us: i64,
    step_us: i64,
    from: Timestamp,
    to: Timestamp,
}

fn grid_start(from: Timestamp, origin: Timestamp, step_us: i64) -> i64 {
    let index = (from.micros() - origin.micros()).div_euclid(step_us);
    origin.micros().saturating_add(index.saturating_mul(step_us))
}

impl Grid {
    fn index(&self, time_us: i64) -> usize {
        usize::try_from(time_us.saturating_sub(self.start_us) / self.step_us).unwrap_or(0)
    }

    /// Returns from when to when a bucket is filled.
    fn span(&self, index: usize) -> (Timestamp, Timestamp) {
        let start = self.start_us.saturating_add((index as i64).saturating_mul(self.step_us));
        let time = |us: i64| {
            let within = us.clamp(Timestamp::MIN.micros(), Timestamp::MAX.micros());
            Timestamp::from_micros(within).unwrap_or(Timestamp::MAX)
        };
        let end = if start.saturating_add(self.step_us) > Timestamp::MAX.micros() {
            self.to
        } else {
            time(start.saturating_add(self.step_us)).min(self.to)
        };
        (time(start).max(self.from), end)
    }
}

/// Fills the first `old` buckets with what the server counts.
fn from_server(
    shared: &Shared,
    key: &SeriesKey,
    grid: &Grid,
    old: usize,
    columns: &mut Columns,
) -> Result<(), Error> {
    /// One number of one bucket.
    struct Cell {
        of: String,
        time: Timestamp,
        number: i64,
    }
    for index in 0..old {
        set(columns, index, None, 0, None, None, None);
    }
    let offset_us = grid.start_us.rem_euclid(grid.step_us);
    let span = (grid.from, grid.span(old - 1).1);
    let bucket = shared.server.target.bucket();
    let query = flux::buckets(bucket, key, span, grid.step_us, offset_us);
    let parse = |row: &Row<'_>| {
        let of = row.text("result").unwrap_or_default().to_owned();
        let column = if of == "worst" { "worst" } else { "value" };
        // A first bucket that begins before 1970 begins here with the question.
        Ok(Cell { time: row.time("_time")?, number: row.long(column)?, of })
    };
    let mut cells: BTreeMap<(usize, String), i64> = BTreeMap::new();
    ask(shared, query, parse, |cell| {
        let index = grid.index(cell.time.max(grid.from).micros());
        cells.insert((index, cell.of), cell.number);
    })?;
    let steps = f64::from(key.quantity.steps_per_unit());
    let value = |number: i64| number as f64 / steps;
    let indices: BTreeSet<usize> = cells.keys().map(|(index, _)| *index).collect();
    for index in indices.into_iter().filter(|index| *index < old) {
        let cell = |of: &str| cells.get(&(index, of.to_owned())).copied();
        let count = cell("count").unwrap_or(0);
        let incomplete = || Error::Answer { problem: "a bucket lacks a number".to_owned() };
        let worst = cell("worst").and_then(|code| u8::try_from(code).ok());
        let worst = worst.and_then(Quality::from_code).ok_or_else(incomplete)?;
        let count = u32::try_from(count).map_err(|_| incomplete())?;
        if count == 0 {
            set(columns, index, Some(worst), 0, None, None, None);
            continue;
        }
        let (min, max) = (cell("min").ok_or_else(incomplete)?, cell("max").ok_or_else(incomplete)?);
        let mean = cell("sum").ok_or_else(incomplete)? as f64 / f64::from(count) / steps;
        set(columns, index, Some(worst), count, Some(value(min)), Some(mean), Some(value(max)));
    }
    Ok(())
}

fn set(
    columns: &mut Columns,
    index: usize,
    quality: Option<Quality>,
    count: u32,
    min: Option<f64>,
    mean: Option<f64>,
    max: Option<f64>,
) {
    let cells = (
        columns.quality.get_mut(index),
        columns.count.get_mut(index),
        columns.min.get_mut(index),
        columns.mean.get_mut(index),
        columns.max.get_mut(index),
    );
    if let (Some(q), Some(c), Some(low), Some(middle), Some(high)) = cells {
        (*q, *c, *low, *middle, *high) = (quality, count, min, mean, max);
    }
}

/// Counts some of the first buckets from the samples themselves, wherever they stand.
fn recount_here(
    shared: &Shared,
    series: SeriesId,
    key: &SeriesKey,
    grid: &Grid,
    indices: &[usize],
    columns: &mut Columns,
) -> Result<(), store::Error> {
    let spans: Vec<(Timestamp, Timestamp)> = match (indices.first(), indices.last()) {
        (Some(first), Some(last)) if indices.len() > BUCKETS_ONE_BY_ONE_MAX => {
            vec![(grid.span(*first).0, grid.span(*last).1)]
        }
        _ => indices.iter().map(|index| grid.span(*index)).collect(),
    };
    let steps = f64::from(key.quantity.steps_per_unit());
    let mut counted: BTreeMap<usize, Count> = BTreeMap::new();
    for (from, to) in spans {
        scan(shared, series, from, to, &mut |sample| {
            counted.entry(grid.index(sample.time.micros())).or_default().add(sample);
            ControlFlow::Continue(())
        })?;
    }
    for &index in indices {
        let count = counted.remove(&index).unwrap_or_default();
        let usable = (count.count > 0).then_some(&count);
        let value = |number: i32| f64::from(number) / steps;
        let mean = usable.map(|count| count.sum as f64 / f64::from(count.count) / steps);
        let (min, max) = (usable.map(|c| value(c.min)), usable.map(|c| value(c.max)));
        set(columns, index, count.worst, count.count, min, mean, max);
    }
    Ok(())
}

/// What the columns say of one bucket.
#[derive(Default)]
struct Count {
    count: u32,
    min: i32,
    max: i32,
    sum: i64,
    worst: Option<Quality>,
}

impl Count {
    fn add(&mut self, sample: &Sample) {
        let quality = sample.reading.map_or(Quality::Missing, |_| sample.quality);
        self.worst = self.worst.max(Some(quality));
        if let Ok(Scaled(value)) = sample.reading
            && sample.quality != Quality::Fail
        {
            let empty = self.count == 0;
            self.min = if empty { value } else { self.min.min(value) };
            self.max = if empty { value } else { self.max.max(value) };
            self.sum += i64::from(value);
            self.count += 1;
        }
    }
}

impl Shared {
    /// Returns the times of a series' samples in `[from, to)` that are not on the server as they are
    /// here; `None` where too much waits to be looked through.
    fn unshipped(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<BTreeSet<Timestamp>>, store::Error> {
        let mut times = BTreeSet::new();
        let entries = self.engine.journal(self.shipped(), usize::MAX)?;
        let samples: usize = entries.iter().map(|(_, samples)| samples.len()).sum();
        if samples >= JOURNAL_ANSWER_SAMPLES_MAX {
            return Ok(None);
        }
        let of_series = entries.iter().flat_map(|(_, samples)| samples);
        let of_series = of_series.filter(|sample| sample.series == series);
        times.extend(of_series.map(|sample| sample.time).filter(|time| (from..to).contains(time)));
        if from < to {
            let notes = locked(&self.notes);
            let span = (series, from)..(series, to);
            times.extend(notes.touched.range(span.clone()).map(|(_, time)| *time));
            times.extend(notes.aside.range(span).map(|((_, time), _)| *time));
        }
        Ok(Some(times))
    }
}
