//! A copy of the store while it is written.

use rusqlite::Connection;

use super::super::{FILE, Snapshot};
use super::*;
use crate::{Error, Position};

/// Commits some readings of a minute and now and then brings them into chunks.
fn write(engine: &Engine, ids: &[SeriesId], round: u64) {
    let time_us = round as i64 * 3_600_000_000;
    let of = |id: &SeriesId| sample(*id, time_us, (round as i32).wrapping_mul(7_919));
    let first = round * ids.len() as u64;
    engine.commit(&batch(first, ids.iter().map(of).collect())).unwrap();
    if round.is_multiple_of(20) {
        engine.release(engine.last_position().unwrap()).unwrap();
        engine.checkpoint().unwrap();
    }
}

#[test]
fn a_copy_is_one_moment_while_the_writer_goes_on() {
    let (dir, copy) = (directory(), directory());
    let engine = open(&dir);
    let ids: Vec<_> = (0..8).map(|index| series(&engine, index)).collect();
    (0..400).for_each(|round| write(&engine, &ids, round));
    let expect: Vec<_> = ids.iter().map(|id| scan(&engine, *id)).collect();

    let snapshot = Snapshot::take(dir.path()).unwrap();
    assert_eq!(snapshot.position(), Position(400));
    assert!(snapshot.trimmed() <= Position(400) && snapshot.trimmed() > Position(0));
    let (mut round, mut steps, mut told) = (400, 0, Vec::new());
    let mut hammer = |bytes| {
        (round..round + 7).for_each(|round| write(&engine, &ids, round));
        round += 7;
        steps += 1;
        told.push(bytes);
        assert!(steps < 1_000, "the copy began anew with every commit");
    };
    snapshot.copy_in_steps(&copy.path().join(FILE), 2, &mut hammer).unwrap();
    assert!(steps > 10, "{steps} steps are no load");
    assert!(told.is_sorted() && told.last() == Some(&snapshot.bytes()), "{told:?}");

    let copied = Connection::open(copy.path().join(FILE)).unwrap();
    let said: String = copied.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    drop(copied);
    let restored = open(&copy);
    assert_eq!(restored.last_position().unwrap(), snapshot.position());
    let found: Vec<_> = ids.iter().map(|id| scan(&restored, *id)).collect();
    assert_eq!(found, expect);
    assert!(scan(&engine, ids[0]).len() > expect[0].len());
}

#[test]
fn where_there_is_no_store_there_is_nothing_to_copy() {
    assert!(matches!(Snapshot::take(directory().path()), Err(Error::NotFound { .. })));
}
