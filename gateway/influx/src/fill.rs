//! From the server back into the folder: days that a commit needs, and all series of a bucket that a
//! new folder is put in front of.

use std::collections::BTreeSet;

use measure::Timestamp;
use store::{Batch, Incoming, Origin, Part, Position, SeriesId, Store as _};

use crate::line::SERVER_END;
use crate::read;
use crate::store::{Committing, Shared};

/// One UTC day, in microseconds.
const DAY_US: i64 = 86_400_000_000;
/// How close to the end of a day a time that is taken may shift into the next.
const SHIFT_US: i64 = 1_000_000;
/// How many samples are taken in before the folder is emptied again.
const ADOPT_SAMPLES: usize = 1_000_000;
/// How much of a series is taken in at once.
const ADOPT_US: i64 = 7 * DAY_US;

/// Brings every day into the folder that a batch must be compared with.
///
/// # Errors
/// What the server says; the batch may come again.
pub(crate) fn for_batch(
    shared: &Shared,
    committing: &mut Committing,
    batch: &Batch,
) -> Result<(), store::Error> {
    let floor = *shared.floor.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut wanted = BTreeSet::new();
    for part in &batch.parts {
        match part {
            Part::Readings { origin, samples } => {
                let new = |incoming: &&Incoming| incoming.sample.time < floor;
                let mut samples = samples.iter().filter(new).peekable();
                if samples.peek().is_none() {
                    continue;
                }
                let seen = match origin {
                    Origin::Node { node, flash } => shared.engine.seen(node, *flash)?,
                    Origin::Guest => Vec::new(),
                };
                for Incoming { sequence, sample } in samples {
                    let at = seen.partition_point(|range| range.last < *sequence);
                    let repeat = seen.get(at).is_some_and(|range| range.contains(*sequence));
                    // A guest's sequence says nothing.
                    if !repeat || *origin == Origin::Guest {
                        want(&mut wanted, sample.series, sample.time);
                    }
                }
            }
            Part::Derived(samples) => {
                let old = samples.iter().filter(|sample| sample.time < floor);
                old.for_each(|sample| want(&mut wanted, sample.series, sample.time));
            }
            Part::Flags(flags) => {
                let old = flags.iter().filter(|flag| flag.time < floor);
                old.for_each(|flag| want(&mut wanted, flag.series, flag.time));
            }
            Part::Gap(_) => {}
        }
    }
    wanted.retain(|day| !committing.here.contains(day));
    if wanted.is_empty() {
        return Ok(());
    }
    let known = shared.engine.series()?;
    let newest: std::collections::HashMap<SeriesId, Timestamp> =
        shared.engine.latest()?.into_iter().map(|sample| (sample.series, sample.time)).collect();
    for (series, day) in wanted {
        let (from, to) = day_span(day);
        // The engine refuses what it does not know, and before a series' first sample is nothing.
        let index = (series.0 as usize).wrapping_sub(1);
        let Some((_, key)) = known.get(index).filter(|(id, _)| *id == series) else { continue };
        if newest.get(&series).is_none_or(|newest| *newest < from) {
            continue;
        }
        let remote = read::page(shared, series, key, from, to)?;
        let samples = read::joined(shared, series, (from, to), Vec::new(), remote);
        shared.engine.adopt(series, &samples)?;
        committing.here.insert((series, day));
    }
    Ok(())
}

fn want(wanted: &mut BTreeSet<(SeriesId, i64)>, series: SeriesId, time: Timestamp) {
    let us = time.micros();
    wanted.insert((series, us / DAY_US));
    wanted.insert((series, us.saturating_add(SHIFT_US) / DAY_US));
}

fn day_span(day: i64) -> (Timestamp, Timestamp) {
    let time = |us: i64| Timestamp::from_micros(us).unwrap_or(Timestamp::MAX);
    (time(day * DAY_US), time((day + 1) * DAY_US))
}

/// Takes up what a bucket holds into a folder that does not know: its series, their latest, and what
/// was seen. Returns before when the folder then lacks samples.
///
/// # Errors
/// What the server or the engine says; then the folder is as new the next time.
pub(crate) fn from_bucket(shared: &Shared) -> Result<Timestamp, store::Error> {
    // Of a folder that has shipped before, some may not be on the server: that is never forgotten.
    let is_new = shared.engine.last_position()? == Position(0);
    let keys = read::known(shared)?;
    if keys.is_empty() {
        return Ok(Timestamp::MIN);
    }
    tracing::info!(
        series = keys.len(),
        "The folder does not know what the bucket holds: takes up what was seen."
    );
    let mut kept = 0;
    for key in &keys {
        let series = shared.engine.series_id(key)?;
        let mut next = read::first(shared, key, Timestamp::MIN, SERVER_END)?;
        while let Some(from) = next {
            let end = from.plus_micros(ADOPT_US).min(SERVER_END);
            let samples = read::page(shared, series, key, from, end)?;
            shared.engine.adopt(series, &samples)?;
            kept += samples.len();
            if is_new && kept > ADOPT_SAMPLES {
                shared.engine.forget(SERVER_END)?;
                kept = 0;
            }
            next = read::first(shared, key, end, SERVER_END)?;
        }
    }
    if is_new {
        shared.engine.forget(SERVER_END)?;
    }
    shared.engine.checkpoint()?;
    Ok(SERVER_END)
}
