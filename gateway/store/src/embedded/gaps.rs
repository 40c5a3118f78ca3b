//! The table of gaps: sequences that count as seen though no reading came with them.
//!
//! Most were given up by their node. Some the gateway still waits for: it took them out of memory
//! because their flash had too many holes ([`WAITING`]).

use measure::{FlashId, NodeKey, Sequence, SequenceRange, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::bytes::Damage;
use super::database::{sequence_from_sql, sequence_to_sql};
use super::recover::corrupt;
use crate::sequences::SequenceSet;
use crate::{Error, GAPS_ANSWER_MAX, Gap, GapReason};

/// The reason of a gap that no node has given up.
pub(super) const WAITING: u8 = 0;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GapRow {
    pub(super) first: u64,
    pub(super) last: u64,
    /// [`WAITING`], or the code of a [`GapReason`].
    pub(super) reason: u8,
    pub(super) at_us: i64,
}

impl GapRow {
    fn from_sql(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            first: sequence_from_sql(row.get(0)?),
            last: sequence_from_sql(row.get(1)?),
            reason: row.get(2)?,
            at_us: row.get(3)?,
        })
    }
}

/// Adds a gap that overlaps none of its flash.
pub(super) fn add(connection: &Connection, flash: i64, gap: GapRow) -> Result<(), Error> {
    let mut insert = connection.prepare_cached("INSERT INTO gap VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let (first, last) = (sequence_to_sql(gap.first), sequence_to_sql(gap.last));
    insert.execute(params![flash, first, last, gap.reason, gap.at_us])?;
    Ok(())
}

/// Returns the gap of a flash that holds `sequence`.
pub(super) fn holding(
    connection: &Connection,
    flash: i64,
    sequence: u64,
) -> Result<Option<GapRow>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT first, last, reason, at_us FROM gap WHERE flash = ?1 AND first <= ?2
         ORDER BY first DESC LIMIT 1",
    )?;
    let found =
        select.query_row(params![flash, sequence_to_sql(sequence)], GapRow::from_sql).optional()?;
    Ok(found.filter(|gap| sequence <= gap.last))
}

/// Takes `first` to `last` out of a gap that holds them all.
pub(super) fn shrink(
    connection: &Connection,
    flash: i64,
    gap: GapRow,
    (first, last): (u64, u64),
) -> Result<(), Error> {
    let mut delete =
        connection.prepare_cached("DELETE FROM gap WHERE flash = ?1 AND first = ?2")?;
    delete.execute(params![flash, sequence_to_sql(gap.first)])?;
    if gap.first < first {
        add(connection, flash, GapRow { last: first - 1, ..gap })?;
    }
    if last < gap.last {
        add(connection, flash, GapRow { first: last + 1, ..gap })?;
    }
    Ok(())
}

/// Returns what the gateway still waits for though it counts as seen.
pub(super) fn waiting(connection: &Connection, flash: i64) -> Result<Vec<GapRow>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT first, last, reason, at_us FROM gap WHERE flash = ?1 AND reason = 0 ORDER BY first",
    )?;
    let rows = select.query_map([flash], GapRow::from_sql)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Takes out of `seen` what the gateway still waits for.
pub(super) fn without_waiting(
    connection: &Connection,
    flash: i64,
    mut seen: SequenceSet,
) -> Result<SequenceSet, Error> {
    for gap in waiting(connection, flash)? {
        seen.remove(gap.first, gap.last);
    }
    Ok(seen)
}

/// Returns what a node gave up and what did not come after all.
pub(super) fn of_node(connection: &Connection, node: &NodeKey) -> Result<Vec<Gap>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT gap.first, gap.last, gap.reason, gap.at_us, flash.flash
         FROM gap JOIN flash ON flash.id = gap.flash
         WHERE flash.site = ?1 AND flash.node = ?2 AND gap.reason > 0
         ORDER BY gap.at_us DESC LIMIT ?3",
    )?;
    let names = params![node.site.as_str(), node.node.as_str(), GAPS_ANSWER_MAX as i64];
    let rows =
        select.query_map(names, |row| Ok((GapRow::from_sql(row)?, row.get::<_, u32>(4)?)))?;
    let mut gaps = Vec::new();
    for row in rows {
        let (gap, flash) = row?;
        let damaged = |reason| corrupt(format_args!("a gap of node {node}"), Damage(reason));
        let range = SequenceRange::new(Sequence(gap.first), Sequence(gap.last));
        gaps.push(Gap {
            node: node.clone(),
            flash: FlashId(flash),
            range: range.ok_or_else(|| damaged("its ends are swapped"))?,
            reason: GapReason::from_code(gap.reason)
                .ok_or_else(|| damaged("its reason is unknown"))?,
            at: Timestamp::from_micros(gap.at_us)
                .ok_or_else(|| damaged("its time is out of range"))?,
        });
    }
    gaps.sort_by_key(|gap| (gap.flash, gap.range));
    Ok(gaps)
}
