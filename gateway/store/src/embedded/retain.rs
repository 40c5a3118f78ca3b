//! Letting go of what is old: samples become roll-ups, and roll-ups of ten minutes go in their turn.
//!
//! A day of a series is rolled up in one transaction: its hours, of every sample that its chunks
//! hold, and its tens of minutes are written and its samples deleted, so that raw is gone only once
//! what stands for it is durable. What comes late for such a day is kept as it is and rolled up by
//! the next pass. Hours, from which days are made, stay for good.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use measure::{Quantity, Timestamp};
use rusqlite::{Connection, params};

use super::Shared;
use super::bytes::Damage;
use super::checkpoint::{one_checkpoint, stopping};
use super::chunk::{ChunkKey, DAY_US};
use super::commit::Change;
use super::compact::{Meta, metas_of_day, read_body};
use super::recover::corrupt;
use super::summary::{self, Grain, Slot, Summary};
use crate::{Error, Retained, SeriesId};

/// The most days by which one pass moves the boundary of a series: a clock that is wrong for an hour
/// costs little, and a pass over years of backlog does not hold up commits.
pub const PASS_DAYS_MAX: i64 = 7;
/// The most days of series that are rolled up in one transaction.
const SLICE_DAYS_MAX: usize = 32;

/// How long a store keeps samples, and their roll-ups of ten minutes; hours and days are for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// For every quantity that has no rule of its own.
    pub usual: Keep,
    /// Quantities with a rule of their own; the first one counts.
    pub of: Vec<(Quantity, Keep)>,
}

/// How long something is kept, counted back from now; `None` is for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Samples as they were taken.
    pub raw: Option<Duration>,
    /// Roll-ups of ten minutes; never shorter than `raw`.
    pub ten_minutes: Option<Duration>,
}

impl Policy {
    /// Returns what counts for a quantity.
    pub fn keep(&self, quantity: Quantity) -> Keep {
        let own = self.of.iter().find(|(of, _)| *of == quantity);
        own.map_or(self.usual, |(_, keep)| *keep)
    }

    /// Returns whether everything is kept for good.
    pub fn keeps_all(&self) -> bool {
        let all = |keep: &Keep| *keep == Keep::default();
        all(&self.usual) && self.of.iter().all(|(_, keep)| all(keep))
    }
}

/// What a pass has let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Days of series that were rolled up.
    pub days: u64,
    /// Samples in them.
    pub samples: u64,
    /// Days of series whose roll-ups of ten minutes are gone.
    pub ten_minutes_days: u64,
    /// Days that were left as they are, because a chunk of theirs is damaged.
    pub damaged_days: u64,
}

/// Makes one pass.
pub(super) fn retain(shared: &Shared, policy: &Policy, now: Timestamp) -> Result<LetGo, Error> {
    let _one = shared.writing()?.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    raise(shared, policy, now)?;
    // What stands anew in memory, from before the boundary was raised, comes into its chunk first.
    one_checkpoint(shared)?;
    let mut gone = LetGo::default();
    let boundaries: Vec<(SeriesId, Retained)> =
        shared.state().series().map(|(id, series)| (id, series.retained)).collect();
    for (series, retained) in boundaries {
        if stopping(shared) {
            break;
        }
        if retained.raw_from > Timestamp::MIN {
            roll_up(shared, series, retained, &mut gone)?;
        }
        if retained.ten_minutes_from > Timestamp::MIN {
            gone.ten_minutes_days += forget_tens(shared, series, retained)?;
        }
    }
    Ok(gone)
}

/// Raises the boundaries, on disk and then in memory: from then on nothing before them is changed.
fn raise(shared: &Shared, policy: &Policy, now: Timestamp) -> Result<(), Error> {
    // A clock that runs ahead of the readings ages nothing.
    let newest = shared.state().series().filter_map(|(_, series)| series.newest()).max();
    let now = now.min(newest.unwrap_or(Timestamp::MIN));
    let mut writer = shared.writing()?.writer();
    let mut raised = Vec::new();
    for (id, series) in shared.state().series() {
        let keep = policy.keep(series.key.quantity);
        let in_memory = [series.active.first(), series.sealing_samples().first()];
        let in_memory = in_memory.into_iter().flatten().map(|s| s.time.micros() / DAY_US);
        let in_chunks = oldest_day(&writer.connection, id)?;
        let Some(oldest) = in_memory.chain(in_chunks).min() else { continue };
        let raw_from = boundary(now, keep.raw, series.retained.raw_from, oldest);
        let tens = boundary(now, keep.ten_minutes, series.retained.ten_minutes_from, oldest);
        let retained = Retained { raw_from, ten_minutes_from: tens.min(raw_from) };
        if retained != series.retained {
            raised.push((id, retained));
        }
    }
    if raised.is_empty() {
        return Ok(());
    }
    writer.transaction(|connection| {
        let mut update = connection.prepare_cached(
            "UPDATE series SET raw_from_us = ?2, tens_from_us = ?3 WHERE id = ?1",
        )?;
        for (id, Retained { raw_from, ten_minutes_from }) in &raised {
            update.execute(params![id.0, raw_from.micros(), ten_minutes_from.micros()])?;
        }
        Ok(Change::Keep(()))
    })?;
    // The writer is still held: no commit has come between.
    let mut state = shared.state_mut();
    for (id, retained) in raised {
        if let Some(series) = state.get_mut(id) {
            series.retained = retained;
        }
    }
    Ok(())
}

/// Returns the start of the day from which on something is kept.
fn boundary(
    now: Timestamp,
    keep: Option<Duration>,
    before: Timestamp,
    oldest_day: i64,
) -> Timestamp {
    let Some(keep) = keep else { return before };
    let keep_us = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let wanted = now.micros().saturating_sub(keep_us).div_euclid(DAY_US);
    let reached = before.micros().div_euclid(DAY_US).max(oldest_day);
    let day = wanted.min(reached.saturating_add(PASS_DAYS_MAX));
    let start = day.checked_mul(DAY_US).and_then(Timestamp::from_micros);
    start.map_or(before, |start| start.max(before))
}

fn oldest_day(connection: &Connection, series: SeriesId) -> Result<Option<i64>, Error> {
    let mut select =
        connection.prepare_cached("SELECT min(key) FROM chunk WHERE key BETWEEN ?1 AND ?2")?;
    let keys = [ChunkKey::first(series, 0).0, ChunkKey::last(series, Timestamp::MAX.micros()).0];
    let first: Option<i64> = select.query_row(keys, |row| row.get(0))?;
    Ok(first.map(|key| ChunkKey(key).day()))
}

/// A day of a series that is to be, or was, rolled up.
struct Rolled {
    old: Vec<ChunkKey>,
    key: ChunkKey,
    last_us: i64,
    samples: u64,
    /// Samples that were raw until now.
    new_samples: u64,
    hours: Vec<u8>,
    tens: Option<Vec<u8>>,
}

fn roll_up(
    shared: &Shared,
    series: SeriesId,
    retained: Retained,
    gone: &mut LetGo,
) -> Result<(), Error> {
    let days = raw_days(shared, series, retained.raw_from)?;
    for slice in days.chunks(SLICE_DAYS_MAX) {
        let mut rolled = Vec::with_capacity(slice.len());
        for &day in slice {
            match roll_day(shared, series, day, retained) {
                Ok(day) => rolled.push(day),
                // Its samples stay, unreadable as they are, until somebody repairs the store.
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%error, %series, day, "Left a day that was to be rolled up.");
                    gone.damaged_days += 1;
                }
                Err(error) => return Err(error),
            }
        }
        shared.writing()?.writer().transaction(|connection| {
            rolled.iter().try_for_each(|day| write(connection, day))?;
            Ok(Change::Keep(()))
        })?;
        gone.days += rolled.len() as u64;
        gone.samples += rolled.iter().map(|day| day.new_samples).sum::<u64>();
        if stopping(shared) {
            break;
        }
    }
    Ok(())
}

/// Returns the days before a boundary that have samples still.
fn raw_days(shared: &Shared, series: SeriesId, before: Timestamp) -> Result<Vec<i64>, Error> {
    shared.reads.lease()?.query(|connection| {
        let mut select =
            connection.prepare_cached("SELECT key FROM body WHERE key >= ?1 AND key < ?2")?;
        let keys = [ChunkKey::first(series, 0).0, ChunkKey::first(series, before.micros()).0];
        let keys = select.query_map(keys, |row| Ok(ChunkKey(row.get(0)?)))?;
        let mut days = keys.map(|key| Ok(key?.day())).collect::<Result<Vec<i64>, Error>>()?;
        days.dedup();
        Ok(days)
    })
}

fn roll_day(
    shared: &Shared,
    series: SeriesId,
    day: i64,
    retained: Retained,
) -> Result<Rolled, Error> {
    let (mut hours, mut tens) = (BTreeMap::new(), BTreeMap::new());
    let (metas, new_samples) = shared.reads.lease()?.query(|connection| {
        let metas = metas_of_day(connection, series, day)?;
        let mut new_samples = 0;
        for meta in &metas {
            if meta.is_rolled() {
                add(&mut hours, &hours_of(connection, meta.key)?);
                add(&mut tens, &tens_of(connection, meta.key)?.unwrap_or_default());
            } else {
                let samples = read_body(connection, meta.key)?;
                new_samples += samples.len() as u64;
                add(&mut hours, &summary::slots_of(&samples, Grain::Hour));
                add(&mut tens, &summary::slots_of(&samples, Grain::TenMinutes));
            }
        }
        Ok((metas, new_samples))
    })?;
    let key = metas.iter().map(|meta| meta.key).min();
    let key = key.ok_or_else(|| corrupt(format_args!("day {day}"), Damage("it has no chunk")))?;
    let keeps_tens = day * DAY_US >= retained.ten_minutes_from.micros();
    Ok(Rolled {
        old: metas.iter().map(|meta| meta.key).collect(),
        key,
        last_us: metas.iter().map(|meta| meta.last_us).max().unwrap_or_default(),
        samples: metas.iter().map(Meta::samples).sum(),
        new_samples,
        hours: checked(key, &to_slots(hours), Grain::Hour)?,
        tens: keeps_tens.then(|| checked(key, &to_slots(tens), Grain::TenMinutes)).transpose()?,
    })
}

fn add(to: &mut BTreeMap<i64, Summary>, slots: &[Slot]) {
    for slot in slots {
        to.entry(slot.slot).or_default().merge(&slot.summary);
    }
}

fn to_slots(slots: BTreeMap<i64, Summary>) -> Vec<Slot> {
    slots.into_iter().map(|(slot, summary)| Slot { slot, summary }).collect()
}

/// Returns a record that was read back before anything is deleted for it.
fn checked(key: ChunkKey, slots: &[Slot], grain: Grain) -> Result<Vec<u8>, Error> {
    let record = summary::emit(slots, grain);
    if summary::parse(&record, grain).is_ok_and(|read| read == slots) {
        return Ok(record);
    }
    Err(corrupt(key, Damage("its roll-up does not read back as it was written")))
}

/// Returns the hours of a chunk.
pub(super) fn hours_of(connection: &Connection, key: ChunkKey) -> Result<Vec<Slot>, Error> {
    let mut select = connection.prepare_cached("SELECT hours FROM chunk WHERE key = ?1")?;
    let record: Vec<u8> = select.query_row([key.0], |row| row.get(0))?;
    summary::parse(&record, Grain::Hour).map_err(|damage| corrupt(key, damage))
}

/// Returns the tens of minutes of a day that was rolled up, where they are left.
pub(super) fn tens_of(connection: &Connection, key: ChunkKey) -> Result<Option<Vec<Slot>>, Error> {
    let mut select = connection.prepare_cached("SELECT record FROM tens WHERE key = ?1")?;
    let mut rows = select.query([key.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    summary::parse(record, Grain::TenMinutes).map(Some).map_err(|damage| corrupt(key, damage))
}

fn write(connection: &Connection, day: &Rolled) -> Result<(), Error> {
    for key in &day.old {
        for table in ["chunk", "body", "tens"] {
            let delete = format!("DELETE FROM {table} WHERE key = ?1");
            connection.prepare_cached(&delete)?.execute([key.0])?;
        }
    }
    connection.prepare_cached("INSERT INTO chunk VALUES (?1, ?2, ?3, 2, ?4)")?.execute(params![
        day.key.0,
        day.last_us,
        day.samples as i64,
        day.hours
    ])?;
    if let Some(tens) = &day.tens {
        connection
            .prepare_cached("INSERT INTO tens VALUES (?1, ?2)")?
            .execute(params![day.key.0, tens])?;
    }
    Ok(())
}

fn forget_tens(shared: &Shared, series: SeriesId, retained: Retained) -> Result<u64, Error> {
    let before = ChunkKey::first(series, retained.ten_minutes_from.micros()).0;
    let keys = [ChunkKey::first(series, 0).0, before];
    let held: bool = shared.reads.lease()?.query(|connection| {
        let sql = "SELECT EXISTS (SELECT 1 FROM tens WHERE key >= ?1 AND key < ?2)";
        Ok(connection.prepare_cached(sql)?.query_row(keys, |row| row.get(0))?)
    })?;
    if !held {
        return Ok(0);
    }
    shared.writing()?.writer().transaction(|connection| {
        let sql = "DELETE FROM tens WHERE key >= ?1 AND key < ?2";
        Ok(Change::Keep(connection.prepare_cached(sql)?.execute(keys)? as u64))
    })
}
