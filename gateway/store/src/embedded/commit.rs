//! The one way in: a batch becomes a journal entry on disk, then part of the memory.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, TransactionBehavior, params};

use super::entry;
use super::plan::{Plan, plan};
use super::recover;
use super::{JOURNAL_BYTES_MAX, Journal, Options, Shared};
use crate::{
    BATCH_SAMPLES_MAX, Batch, Committed, Error, Origin, Part, Position, Retained, SERIES_MAX,
    SeriesId, SeriesKey,
};

/// How many commits bring the next checkpoint forward, so that opening never replays more.
const CHECKPOINT_COMMITS: u64 = 20_000;

/// The connection that writes, and what it has written since it was last counted.
pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Commits since the last checkpoint began.
    pub(super) commits: u64,
    /// Samples since the last checkpoint began.
    pub(super) samples: usize,
    /// An upper bound of the bytes in the journal that were not released.
    pub(super) journal_bytes: u64,
    /// The greatest `journal_bytes`.
    journal_bytes_max: u64,
    #[cfg(test)]
    pub(super) fail_after: Option<u32>,
    /// Called whenever what was written is on disk.
    #[cfg(test)]
    pub(super) after_sync: Option<Box<dyn FnMut() + Send>>,
}

impl Writer {
    pub(super) fn new(connection: Connection, options: &Options) -> Result<Self, Error> {
        let bounded = options.journal == Journal::UntilReleased;
        let journal_bytes = journal_bytes_after(&connection, 0)?;
        Ok(Self {
            connection,
            commits: 0,
            samples: 0,
            journal_bytes,
            journal_bytes_max: if bounded { JOURNAL_BYTES_MAX } else { u64::MAX },
            #[cfg(test)]
            fail_after: None,
            #[cfg(test)]
            after_sync: None,
        })
    }

    #[cfg(test)]
    pub(super) fn set_journal_bytes_max(&mut self, max: u64) {
        self.journal_bytes_max = max;
    }

    /// Notes that what was written is on disk; only tests look.
    pub(super) fn synced(&mut self) {
        #[cfg(test)]
        if let Some(after_sync) = &mut self.after_sync {
            after_sync();
        }
    }

    /// Runs `work` as one transaction: durable when it returns, undone where it fails.
    pub(super) fn transaction<R>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<Change<R>, Error>,
    ) -> Result<R, Error> {
        #[cfg(test)]
        if let Some(left) = &mut self.fail_after {
            *left = left.checked_sub(1).ok_or(Error::Full)?;
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match work(&transaction)? {
            Change::Keep(result) => {
                transaction.commit()?;
                self.synced();
                Ok(result)
            }
            Change::None(result) => Ok(result),
        }
    }
}

/// What a transaction has to do at its end.
pub(super) enum Change<R> {
    /// Commit.
    Keep(R),
    /// Roll back: nothing has changed.
    None(R),
}

/// Returns how many bytes the journal holds after a position.
pub(super) fn journal_bytes_after(connection: &Connection, after: u64) -> Result<u64, Error> {
    let mut select = connection.prepare_cached(
        "SELECT coalesce(sum(length(entry)), 0) FROM journal WHERE position > ?1",
    )?;
    Ok(select.query_row([after.cast_signed()], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

pub(super) fn commit(shared: &Shared, batch: &Batch) -> Result<Committed, Error> {
    let writing = shared.writing()?;
    let samples = size_of(batch);
    if samples > BATCH_SAMPLES_MAX {
        return Err(Error::BatchTooLarge { samples, max: BATCH_SAMPLES_MAX });
    }
    super::checkpoint::make_room(shared)?;
    let mut writer = writing.writer();
    check_backlog(&mut writer, writing.released.load(Ordering::Relaxed))?;
    load_flashes(shared, &writer.connection, batch)?;
    let position = Position(shared.state().position.0 + 1);
    let (plan, bytes) = writer.transaction(|connection| {
        let plan = plan(connection, &shared.state(), batch)?;
        if plan.entry.is_empty() && !plan.gaps_changed {
            return Ok(Change::None((plan, 0)));
        }
        let record = entry::emit(&plan.entry);
        store_flashes(shared, connection, &plan)?;
        connection
            .prepare_cached("INSERT INTO journal VALUES (?1, ?2)")?
            .execute(params![position.0.cast_signed(), record])?;
        Ok(Change::Keep((plan, record.len() as u64)))
    })?;
    let Plan { entry, repeated, shifted, late, replaced, flagged, expired, .. } = plan;
    let kept = entry.samples.len() as u64;
    if bytes == 0 {
        let position = shared.state().position;
        return Ok(Committed { position, repeated, expired, ..Committed::default() });
    }
    shared.state_mut().apply(position, &entry, |_| true)?;
    writer.commits += 1;
    writer.samples += entry.samples.len() + entry.replaced.len() + entry.flagged.len();
    writer.journal_bytes += bytes;
    if writer.samples >= writing.options.checkpoint_samples || writer.commits >= CHECKPOINT_COMMITS
    {
        (writer.samples, writer.commits) = (0, 0);
        shared.signal(|wanted| wanted.checkpoint = true);
    }
    Ok(Committed { position, kept, repeated, shifted, late, replaced, flagged, expired })
}

fn size_of(batch: &Batch) -> usize {
    let size = |part: &Part| match part {
        Part::Readings { samples, .. } => samples.len(),
        Part::Gap(_) => 1,
        Part::Derived(samples) => samples.len(),
        Part::Flags(flags) => flags.len(),
    };
    batch.parts.iter().map(size).sum()
}

fn check_backlog(writer: &mut Writer, released: u64) -> Result<(), Error> {
    let max = writer.journal_bytes_max;
    if writer.journal_bytes > max {
        writer.journal_bytes = journal_bytes_after(&writer.connection, released)?;
    }
    let bytes = writer.journal_bytes;
    if bytes > max { Err(Error::Backlog { bytes, max }) } else { Ok(()) }
}

fn load_flashes(shared: &Shared, connection: &Connection, batch: &Batch) -> Result<(), Error> {
    for part in &batch.parts {
        let (node, flash) = match part {
            Part::Readings { origin: Origin::Node { node, flash }, .. } => (node, *flash),
            Part::Gap(gap) => (&gap.node, gap.flash),
            Part::Readings { origin: Origin::Guest, .. } | Part::Derived(_) | Part::Flags(_) => {
                continue;
            }
        };
        if shared.state().flash_row(node, flash).is_none() {
            recover::load_flash(connection, &mut shared.state_mut(), node, flash)?;
        }
    }
    Ok(())
}

/// Writes the rows of the flashes that are new, so that the journal may name them.
fn store_flashes(shared: &Shared, connection: &Connection, plan: &Plan) -> Result<(), Error> {
    let state = shared.state();
    let mut rows: Vec<i64> = plan.entry.seen.iter().map(|seen| seen.flash).collect();
    rows.dedup();
    for row in rows {
        if state.flash(row).is_some_and(|flash| !flash.stored)
            && let Some((node, flash)) = state.flash_name(row)
        {
            let none = recover::emit_seen(&crate::sequences::SequenceSet::default());
            connection
                .prepare_cached("INSERT INTO flash VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![row, node.site.as_str(), node.node.as_str(), flash.0, none])?;
        }
    }
    Ok(())
}

pub(super) fn series_id(shared: &Shared, key: &SeriesKey) -> Result<SeriesId, Error> {
    if let Some(id) = shared.state().id_of(key) {
        return Ok(id);
    }
    let mut writer = shared.writing()?.writer();
    let id = {
        let state = shared.state();
        if let Some(id) = state.id_of(key) {
            return Ok(id);
        }
        state.next_series()
    };
    if id.0 > SERIES_MAX {
        return Err(Error::TooManySeries { key: Box::new(key.clone()), max: SERIES_MAX });
    }
    writer.transaction(|connection| {
        let (site, node) = (key.node.site.as_str(), key.node.node.as_str());
        connection
            .prepare_cached(
                "INSERT INTO series (id, site, node, position, quantity)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id.0, site, node, key.position.as_str(), key.quantity.code()])?;
        Ok(Change::Keep(()))
    })?;
    Ok(shared.state_mut().add_series(key.clone(), None, Retained::ALL))
}
