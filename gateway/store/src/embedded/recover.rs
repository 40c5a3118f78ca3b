//! From the file back to memory: what the engine knew when it last committed.

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::bytes::{Damage, Reader, Writer};
use super::database::{format_of, sequence_from_sql};
use super::entry;
use super::state::{Flash, State};
use crate::sequences::SequenceSet;
use crate::{Error, Position, Retained, Sample, SeriesId, SeriesKey, Taken};

/// The most separate ranges in the record of a flash; a record that claims more is damaged.
const RANGES_MAX: usize = 1 << 20;

/// Rebuilds the memory from the file: the series, and the journal that is not yet in chunks.
///
/// A damaged journal entry is an error: it was acknowledged and is nowhere else.
pub(super) fn state(connection: &Connection) -> Result<State, Error> {
    let mut state = State::default();
    let sealed_of = load_series(connection, &mut state)?;
    let sealed: i64 = connection.query_row("SELECT sealed FROM progress", [], |row| row.get(0))?;
    state.position = Position(sealed.cast_unsigned());
    let mut statement =
        connection.prepare("SELECT position, entry FROM journal WHERE position > ?1 ORDER BY 1")?;
    let mut rows = statement.query([sealed])?;
    while let Some(row) = rows.next()? {
        let position = row.get::<_, i64>(0)?;
        let entry = entry::parse(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)
            .map_err(|damage| corrupt(format_args!("journal entry {position}"), damage))?;
        for seen in &entry.seen {
            if state.flash(seen.flash).is_none() {
                load_flash_row(connection, &mut state, seen.flash)?;
            }
        }
        let wanted = |series: SeriesId| {
            let index = (series.0 as usize).wrapping_sub(1);
            sealed_of.get(index).is_none_or(|&sealed| sealed < position)
        };
        state.apply(Position(position.cast_unsigned()), &entry, wanted)?;
    }
    Ok(state)
}

/// Returns the error for a record that cannot be read.
pub(super) fn corrupt(record: impl std::fmt::Display, Damage(reason): Damage) -> Error {
    Error::Corrupt { record: record.to_string(), reason }
}

/// Loads the series; returns up to which position of the journal each is sealed.
pub(super) fn load_series(connection: &Connection, state: &mut State) -> Result<Vec<i64>, Error> {
    let mut sealed_of = Vec::new();
    // Format 1 lets go of nothing.
    let retained = if format_of(connection)? < 2 { "0, 0" } else { "raw_from_us, tens_from_us" };
    let mut statement = connection.prepare(&format!(
        "SELECT id, site, node, position, quantity, sealed,
                latest_us, latest_fault, latest_value, latest_quality, latest_marks,
                latest_flash, latest_sequence, {retained}
         FROM series ORDER BY id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = SeriesId(row.get(0)?);
        let damaged = |reason| corrupt(format_args!("series {id}"), Damage(reason));
        if id != state.next_series() {
            return Err(damaged("its number is out of order"));
        }
        let node = NodeKey { site: slug(row, 1)?, node: slug(row, 2)? };
        let quantity =
            Quantity::from_code(row.get(4)?).ok_or_else(|| damaged("its quantity is unknown"))?;
        let key = SeriesKey { node, position: slug(row, 3)?, quantity };
        let latest = match row.get::<_, Option<i64>>(6)? {
            Some(time) => {
                Some(latest(id, time, row)?.ok_or_else(|| damaged("its latest is unknown"))?)
            }
            None => None,
        };
        let boundary = |time_us| {
            Timestamp::from_micros(time_us).ok_or_else(|| damaged("a boundary is out of range"))
        };
        let raw_from = boundary(row.get(13)?)?;
        let retained = Retained { raw_from, ten_minutes_from: boundary(row.get(14)?)? };
        state.add_series(key, latest, retained);
        sealed_of.push(row.get(5)?);
    }
    Ok(sealed_of)
}

fn latest(series: SeriesId, time_us: i64, row: &Row<'_>) -> Result<Option<Sample>, Error> {
    let reading = match Fault::from_code(row.get(7)?) {
        Some(fault) => Err(fault),
        None => Ok(Scaled(row.get(8)?)),
    };
    let time = Timestamp::from_micros(time_us);
    let quality = Quality::from_code(row.get(9)?);
    let marks = Marks::from_bits(row.get(10)?);
    let (flash, sequence): (Option<u32>, Option<i64>) = (row.get(11)?, row.get(12)?);
    let taken = flash.zip(sequence).map(|(flash, sequence)| Taken {
        flash: FlashId(flash),
        sequence: Sequence(sequence_from_sql(sequence)),
    });
    let sample = |(time, quality)| Sample { series, time, reading, quality, marks, taken };
    Ok(time.zip(quality).map(sample))
}

fn slug(row: &Row<'_>, column: usize) -> Result<Slug, Error> {
    let text: String = row.get(column)?;
    Slug::new(&text).map_err(|_| corrupt(format_args!("name {text:?}"), Damage("it is no name")))
}

/// Takes a flash into memory, from disk where it is there, and returns its row.
pub(super) fn load_flash(
    connection: &Connection,
    state: &mut State,
    node: &NodeKey,
    id: FlashId,
) -> Result<i64, Error> {
    if let Some(row) = state.flash_row(node, id) {
        return Ok(row);
    }
    if let Some((row, seen)) = stored_flash(connection, node, id)? {
        state.add_flash(row, node.clone(), id, Flash { seen, stored: true, dirty: false });
        return Ok(row);
    }
    let stored: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM flash", [], |row| row.get(0))?;
    let taken = state.flashes_mut().map(|(row, _)| row).max().unwrap_or(0);
    let row = stored.max(taken) + 1;
    state.add_flash(row, node.clone(), id, Flash::default());
    Ok(row)
}

/// Returns the row of a flash and what was seen of it, as of the last checkpoint.
pub(super) fn stored_flash(
    connection: &Connection,
    node: &NodeKey,
    id: FlashId,
) -> Result<Option<(i64, SequenceSet)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, seen FROM flash WHERE site = ?1 AND node = ?2 AND flash = ?3",
    )?;
    let found: Option<(i64, Vec<u8>)> = statement
        .query_row(params![node.site.as_str(), node.node.as_str(), id.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((row, record)) = found else { return Ok(None) };
    let seen = parse_seen(&record)
        .map_err(|damage| corrupt(format_args!("flash {id} of node {node}"), damage))?;
    Ok(Some((row, seen)))
}

fn load_flash_row(connection: &Connection, state: &mut State, row: i64) -> Result<(), Error> {
    let mut statement =
        connection.prepare_cached("SELECT site, node, flash FROM flash WHERE id = ?1")?;
    let mut rows = statement.query([row])?;
    let missing = || corrupt(format_args!("flash row {row}"), Damage("it is missing"));
    let found = rows.next()?.ok_or_else(missing)?;
    let node = NodeKey { site: slug(found, 0)?, node: slug(found, 1)? };
    let id = FlashId(found.get(2)?);
    load_flash(connection, state, &node, id).map(|_| ())
}

/// Returns the record of the sequences seen: a count, then for each range the distance from the end
/// of the one before and its length, less one, unsigned.
pub(super) fn emit_seen(seen: &SequenceSet) -> Vec<u8> {
    let mut out = Writer::new();
    out.unsigned(seen.len() as u64);
    let mut before = 0;
    for (first, last) in seen.iter() {
        out.unsigned(first - before);
        out.unsigned(last - first);
        before = last;
    }
    out.finish()
}

pub(super) fn parse_seen(record: &[u8]) -> Result<SequenceSet, Damage> {
    let far = Damage("a sequence is out of range");
    let mut reader = Reader::open(record)?;
    let mut seen = SequenceSet::default();
    let mut before = 0_u64;
    for _ in 0..reader.length(RANGES_MAX)? {
        let first = before.checked_add(reader.unsigned()?).ok_or(far)?;
        before = first.checked_add(reader.unsigned()?).ok_or(far)?;
        seen.insert(first, before);
    }
    reader.finish()?;
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_seen_come_back() {
        let mut seen = SequenceSet::default();
        assert_eq!(parse_seen(&emit_seen(&seen)), Ok(seen.clone()));
        for (first, last) in [(0, 0), (5, 900), (u64::MAX - 3, u64::MAX)] {
            seen.insert(first, last);
        }
        assert_eq!(parse_seen(&emit_seen(&seen)), Ok(seen));
    }
}
