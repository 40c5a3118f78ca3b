//! The task that ships: from the journal to the server, as often as it takes.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::time::Duration;

use measure::Timestamp;
use store::{Position, Sample, SeriesId, Store as _};

use crate::line::{SERVER_END, head, line};
use crate::note;
use crate::store::{Shared, locked};
use crate::{Error, Trouble};

/// The most lines in one request: what InfluxDB recommends.
pub const BODY_LINES_MAX: usize = 5_000;
/// The most commits that are shipped before the cursor is written.
const COMMITS_MAX: usize = 4_096;
/// How many times the older half of the folder's days is forgotten in one go.
const HALVINGS_MAX: u32 = 16;

/// How shipping goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shipping {
    /// What keeps readings from being shipped.
    pub trouble: Option<Trouble>,
    /// The journal up to here is on the server.
    pub shipped: Position,
    /// Points that the server refused for good; they wait in the folder and are read from there.
    pub aside: usize,
    /// Everything is on the server as it is in the folder.
    pub caught_up: bool,
}

/// Ships until the store is closed.
pub(crate) async fn run(shared: &Shared) {
    let mut stop = shared.stop.subscribe();
    let mut heads = HashMap::new();
    let mut failures = 0_u32;
    loop {
        let round = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            round = one_round(shared, &mut heads) => round,
        };
        let pause = match round {
            Ok(more) => {
                if failures > 0 {
                    tracing::info!("InfluxDB takes readings again.");
                }
                failures = 0;
                if !more && let Err(error) = make_room(shared) {
                    tracing::warn!(%error, "Could not make room in the folder before InfluxDB.");
                }
                if more { Duration::ZERO } else { Duration::MAX }
            }
            Err(error) => {
                failures += 1;
                let pause = pause_after(shared, &error, failures);
                tell(shared, &error, failures, pause);
                pause
            }
        };
        let waiting = async {
            if failures > 0 {
                tokio::time::sleep(pause).await;
            } else if pause > Duration::ZERO {
                shared.wake.notified().await;
                // So that many small commits travel together.
                tokio::time::sleep(shared.options.linger).await;
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = waiting => {}
        }
    }
}

/// Returns how long to wait: longer each time, at random, and at least what the server asks for.
fn pause_after(shared: &Shared, error: &store::Error, failures: u32) -> Duration {
    let options = &shared.options;
    let most = options.retry_min.saturating_mul(1 << failures.clamp(1, 16)).min(options.retry_max);
    let drawn = most.mul_f64(0.5 + fastrand::f64() / 2.0);
    let asked = match as_influx(error) {
        Some(Error::Busy { after: Some(after), .. }) => *after,
        _ => Duration::ZERO,
    };
    drawn.max(asked)
}

fn as_influx(error: &store::Error) -> Option<&Error> {
    match error {
        store::Error::Backend { source, .. } => source.downcast_ref(),
        _ => None,
    }
}

fn tell(shared: &Shared, error: &store::Error, failures: u32, pause: Duration) {
    let trouble = as_influx(error).map_or(Trouble::Odd, Trouble::of);
    let why = as_influx(error).map_or_else(|| error.to_string(), Error::to_string);
    if failures == 1 {
        tracing::warn!(error = %why, "Readings wait for InfluxDB; none is lost.");
    } else {
        tracing::debug!(error = %why, ?pause, "Readings still wait for InfluxDB.");
    }
    shared.status.send_modify(|status| {
        status.trouble = Some(trouble);
        status.caught_up = false;
    });
}

/// Ships what comes next; returns whether more may follow at once.
async fn one_round(
    shared: &Shared,
    heads: &mut HashMap<SeriesId, String>,
) -> Result<bool, store::Error> {
    let after = shared.shipped();
    let entries = shared.engine.journal(after, COMMITS_MAX)?;
    if let Some((last, _)) = entries.last() {
        let last = *last;
        let samples: Vec<Sample> = entries.into_iter().flat_map(|(_, samples)| samples).collect();
        deliver(shared, heads, &samples).await?;
        shared.note_shipped(last)?;
        well(shared, false);
        return Ok(true);
    }
    // All of the journal is there: now what was changed in place, as it stands now.
    let touched = locked(&shared.notes).touched.clone();
    if !touched.is_empty() {
        let mut samples = Vec::with_capacity(touched.len());
        for &(series, time) in &touched {
            shared.engine.scan(series, time, time.plus_micros(1), &mut |sample| {
                samples.push(*sample);
                ControlFlow::Continue(())
            })?;
        }
        deliver(shared, heads, &samples).await?;
        settle(shared, &touched, &samples)?;
        return Ok(true);
    }
    well(shared, shared.is_caught_up()?);
    Ok(false)
}

/// Forgets what was shipped again, unless it has changed once more meanwhile.
fn settle(
    shared: &Shared,
    touched: &BTreeSet<(SeriesId, Timestamp)>,
    shipped: &[Sample],
) -> Result<(), store::Error> {
    // No commit may come between the look and the note.
    let _committing = locked(&shared.committing);
    let mut done = touched.clone();
    for sample in shipped {
        let (series, time) = (sample.series, sample.time);
        shared.engine.scan(series, time, time.plus_micros(1), &mut |now| {
            if now != sample {
                done.remove(&(series, time));
            }
            ControlFlow::Continue(())
        })?;
    }
    locked(&shared.notes).untouch(&done)
}

fn well(shared: &Shared, caught_up: bool) {
    let aside = locked(&shared.notes).aside.len();
    let trouble = (aside > 0).then_some(Trouble::Refused);
    let now = Shipping { trouble, shipped: shared.shipped(), aside, caught_up };
    shared.status.send_if_modified(|status| {
        let changed = *status != now;
        *status = now;
        changed
    });
}

/// Writes samples; those that the server refuses for good are put aside one by one.
async fn deliver(
    shared: &Shared,
    heads: &mut HashMap<SeriesId, String>,
    samples: &[Sample],
) -> Result<(), store::Error> {
    if samples.iter().any(|sample| !heads.contains_key(&sample.series)) {
        heads.extend(shared.engine.series()?.iter().map(|(id, key)| (*id, head(key))));
    }
    let mut parts: Vec<&[Sample]> = samples.chunks(BODY_LINES_MAX).rev().collect();
    while let Some(part) = parts.pop() {
        let mut body = Vec::with_capacity(part.len() * 128);
        for sample in part.iter().filter(|sample| sample.time < SERVER_END) {
            let head =
                heads.get(&sample.series).ok_or(store::Error::UnknownSeries(sample.series))?;
            line(&mut body, head, sample);
        }
        // What lies beyond the end of the server's time stays in the folder, and is read there.
        if body.is_empty() {
            continue;
        }
        match shared.server.write(&body).await {
            Ok(()) => {}
            Err(Error::Points { .. } | Error::TooLarge { .. }) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(error @ (Error::Points { .. } | Error::TooLarge { .. })) => {
                let why = error.to_string();
                for sample in part {
                    tracing::error!(series = %sample.series, time_us = sample.time.micros(), why,
                        "InfluxDB refused a point; it was put aside.");
                    locked(&shared.notes).put_aside(sample, &why)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Forgets the oldest days where the folder has grown too large and all of it is on the server.
pub(crate) fn make_room(shared: &Shared) -> Result<(), store::Error> {
    if shared.engine.used_bytes()? <= shared.options.local_bytes_max {
        return Ok(());
    }
    // What is in the journal alone can be neither forgotten nor trimmed.
    shared.engine.checkpoint()?;
    for _ in 0..HALVINGS_MAX {
        if shared.engine.used_bytes()? <= shared.options.local_bytes_max {
            return Ok(());
        }
        let Some((first, last)) = shared.engine.span()? else { return Ok(()) };
        let half = first.plus_micros(last.micros_since(first) / 2 + 86_400_000_000);
        if !forget(shared, half)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Forgets the days that are over before a time; returns whether it could.
///
/// It can where everything is on the server and nobody is reading old samples just now.
pub(crate) fn forget(shared: &Shared, before: Timestamp) -> Result<bool, store::Error> {
    let mut committing = locked(&shared.committing);
    if !shared.is_caught_up()? {
        return Ok(false);
    }
    let Ok(mut floor) = shared.floor.try_write() else { return Ok(false) };
    let day_us = before.min(SERVER_END).micros() / 86_400_000_000 * 86_400_000_000;
    let new = Timestamp::from_micros(day_us).unwrap_or(*floor).max(*floor);
    // First the note: a crash then leaves samples that are not asked for, and not the other way.
    let state =
        note::State { place: shared.server.target.place(), shipped: shared.shipped(), floor: new };
    note::store_state(&shared.dir, &state)?;
    *floor = new;
    committing.here.clear();
    shared.engine.forget(new)?;
    Ok(true)
}
