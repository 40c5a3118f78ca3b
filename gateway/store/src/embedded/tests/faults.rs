//! Full disks, damaged files, other processes, old formats.

use std::fs;

use rusqlite::Connection;

use super::super::FORMAT;
use super::*;
use crate::{Error, Position};

fn minutes(series: SeriesId, count: i64) -> Vec<Sample> {
    (0..count).map(|n| sample(series, n * 60_000_000, n as i32)).collect()
}

#[test]
fn a_second_writer_is_turned_away() {
    let dir = directory();
    let first = open(&dir);
    let second = Engine::open(dir.path(), Options::default());
    let message = second.unwrap_err().to_string();
    let expect = format!("data directory {} is in use by another miaopu", dir.path().display());
    assert_eq!(message, expect);
    drop(first);
    drop(open(&dir));
}

#[test]
fn a_reader_beside_the_writer_stays_at_its_moment() {
    let dir = directory();
    let writer = open(&dir);
    let id = series(&writer, 0);
    writer.commit(&batch(0, minutes(id, 3_000))).unwrap();
    writer.checkpoint().unwrap();
    let more = (3_000..3_100).map(|n| sample(id, n * 60_000_000, 0)).collect();
    writer.commit(&batch(3_000, more)).unwrap();
    let reader = Engine::open_read_only(dir.path()).unwrap();
    writer.commit(&batch(9_000, vec![sample(id, 1, 0)])).unwrap();
    writer.checkpoint().unwrap();
    assert_eq!(scan(&reader, id).len(), 3_100);
    assert_eq!(reader.last_position().unwrap(), Position(2));
    assert_eq!(reader.series_id(&reader.series().unwrap()[0].1).unwrap(), id);
    assert_eq!(reader.seen(&node(), FLASH).unwrap().len(), 1);
    assert!(matches!(reader.commit(&Batch::default()), Err(Error::ReadOnly)));
    assert!(matches!(reader.release(Position(1)), Err(Error::ReadOnly)));
    assert_eq!(scan(&writer, id).len(), 3_101);
}

#[test]
fn closing_leaves_one_file_that_holds_everything() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    engine.commit(&batch(0, minutes(id, 10))).unwrap();
    assert_eq!(scan(&engine, id).len(), 10);
    drop(engine);
    let copy = directory();
    let path = super::super::database::path;
    assert!(!path(dir.path()).with_extension("sqlite-wal").exists());
    fs::copy(path(dir.path()), path(copy.path())).unwrap();
    assert_eq!(scan(&open(&copy), id).len(), 10);
}

#[test]
fn a_store_that_nobody_writes_to_can_be_read() {
    let dir = directory();
    let writer = open(&dir);
    let id = series(&writer, 0);
    writer.commit(&batch(0, minutes(id, 10))).unwrap();
    drop(writer);
    assert_eq!(scan(&Engine::open_read_only(dir.path()).unwrap(), id).len(), 10);
    let nothing = Engine::open_read_only(directory().path());
    assert!(matches!(nothing, Err(Error::NotFound { .. })), "{nothing:?}");
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    let pages_max = |pages: u32| {
        let writer = engine.shared.writing().unwrap().writer();
        let sql = format!("PRAGMA max_page_count = {pages}");
        writer.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    };
    pages_max(200);
    // Noise, so that chunks are not much smaller than the journal.
    let noise = |n: i64| sample(id, n * 977, (n * n * 7_919 % 1_000_003) as i32);
    let mut acknowledged = 0;
    let refused = loop {
        let samples = (acknowledged..acknowledged + 100).map(noise).collect();
        match engine.commit(&batch(acknowledged as u64, samples)) {
            Ok(_) => acknowledged += 100,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full) && refused.is_transient());
    assert!(acknowledged > 1_000);
    // A checkpoint needs room as well; it fails, and nothing is lost by it.
    assert!(matches!(engine.checkpoint(), Err(Error::Full)));
    assert_eq!(scan(&engine, id).len() as i64, acknowledged);
    assert_eq!(engine.seen(&node(), FLASH).unwrap()[0].last.0 as i64, acknowledged - 1);
    pages_max(1_000_000);
    engine.checkpoint().unwrap();
    let samples = (acknowledged..acknowledged + 100).map(noise).collect();
    engine.commit(&batch(acknowledged as u64, samples)).unwrap();
    drop(engine);
    assert_eq!(scan(&open(&dir), id).len() as i64, acknowledged + 100);
}

#[test]
fn a_damaged_chunk_is_named_and_hides_no_other() {
    let dir = directory();
    let engine = open(&dir);
    let (bad, good) = (series(&engine, 0), series(&engine, 1));
    engine.commit(&batch(0, minutes(bad, 2_000))).unwrap();
    engine.commit(&batch(2_000, minutes(good, 2_000))).unwrap();
    engine.checkpoint().unwrap();
    drop(engine);
    let file = Connection::open(super::super::database::path(dir.path())).unwrap();
    let damage = "UPDATE body SET record = CAST(substr(record, 1, 20) || x'FF' || substr(record, 22) AS BLOB)
        WHERE key = (SELECT min(key) FROM body)";
    assert_eq!(file.execute(damage, []).unwrap(), 1);
    drop(file);
    let engine = open(&dir);
    assert_eq!(scan(&engine, good).len(), 2_000);
    let mut rest = 0;
    let mut count = |_: &Sample| {
        rest += 1;
        ControlFlow::Continue(())
    };
    let second_day = Timestamp::from_millis(DAY_MS).unwrap();
    engine.scan(bad, second_day, Timestamp::MAX, &mut count).unwrap();
    assert_eq!(rest, 560);
    let mut go_on = |_: &Sample| ControlFlow::Continue(());
    let error = engine.scan(bad, Timestamp::MIN, second_day, &mut go_on).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("of series 1") && message.contains("checksum"), "{message}");
    // Late readings for that day are still taken, and its other chunks stay readable.
    engine.commit(&batch(5_000, vec![sample(bad, 30_000_000, 7)])).unwrap();
    engine.checkpoint().unwrap();
    let hours = engine.downsample(bad, Timestamp::MIN, second_day, 3_600_000, second_day).unwrap();
    assert_eq!(hours.count.iter().sum::<u32>(), 1_441, "summaries do not need the damaged record");
}

#[test]
fn a_late_reading_joins_the_chunk_of_its_day() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    engine.commit(&batch(0, minutes(id, 2_000))).unwrap();
    engine.checkpoint().unwrap();
    for late in 0..3 {
        engine.commit(&batch(5_000 + late, vec![sample(id, 30_000_000, 7)])).unwrap();
        engine.checkpoint().unwrap();
    }
    let writer = engine.shared.writing().unwrap().writer();
    let sql = "SELECT samples FROM chunk ORDER BY key LIMIT 1";
    let first_day: i64 = writer.connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(first_day, 1_440 + 3);
}

/// Between the transaction that seals a head and the memory hearing of it, both have its samples.
#[test]
fn what_is_in_a_chunk_and_still_in_memory_is_read_once() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    engine.commit(&batch(0, minutes(id, 10))).unwrap();
    let position = engine.last_position().unwrap();
    let samples = std::sync::Arc::new(scan(&engine, id));
    engine.checkpoint().unwrap();
    let sealing = super::super::state::Sealing { position, samples, anew: Default::default() };
    engine.shared.state_mut().get_mut(id).unwrap().sealing = Some(sealing);
    assert_eq!(scan(&engine, id).len(), 10);
}

#[test]
fn heads_never_outgrow_their_budget() {
    let dir = directory();
    let options = Options { checkpoint_samples: usize::MAX, ..Options::default() };
    let engine = Engine::open(dir.path(), options).unwrap();
    let id = series(&engine, 0);
    let size = crate::BATCH_SAMPLES_MAX;
    let batches = super::super::HEAD_SAMPLES_MAX / size + 3;
    for n in 0..batches {
        let samples = (0..size).map(|k| sample(id, (n * size + k) as i64 * 1_000, k as i32));
        engine.commit(&batch((n * size) as u64, samples.collect())).unwrap();
        assert!(engine.shared.state().head_samples <= super::super::HEAD_SAMPLES_MAX + size);
    }
    let (from, to) = (Timestamp::MIN, Timestamp::from_millis(DAY_MS).unwrap());
    let columns = engine.downsample(id, from, to, DAY_MS, from).unwrap();
    assert_eq!(columns.count, [(batches * size) as u32]);
}

#[test]
fn a_damaged_journal_is_refused() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    engine.commit(&batch(0, minutes(id, 10))).unwrap();
    drop(engine);
    let file = Connection::open(super::super::database::path(dir.path())).unwrap();
    file.execute("UPDATE journal SET entry = substr(entry, 1, length(entry) - 1)", []).unwrap();
    drop(file);
    let message = Engine::open(dir.path(), Options::default()).unwrap_err().to_string();
    assert!(message.starts_with("journal entry 1 is damaged"), "{message}");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = directory();
    drop(open(&dir));
    let file = Connection::open(super::super::database::path(dir.path())).unwrap();
    file.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(file);
    for refused in
        [Engine::open(dir.path(), Options::default()), Engine::open_read_only(dir.path())]
    {
        let Err(Error::Newer { found, known, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((found, known), (FORMAT + 1, FORMAT));
    }
}

#[test]
fn what_is_released_is_trimmed_and_nothing_else() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    for n in 0..5 {
        engine.commit(&batch(n, vec![sample(id, n as i64, 0)])).unwrap();
    }
    engine.release(Position(3)).unwrap();
    assert_eq!(engine.journal(Position(0), 9).unwrap().len(), 5, "not yet in chunks");
    engine.checkpoint().unwrap();
    assert_eq!(engine.journal(Position(3), 9).unwrap().len(), 2, "not yet released");
    let error = engine.journal(Position(2), 9).unwrap_err();
    assert!(matches!(error, Error::Trimmed { oldest: Position(3), .. }), "{error}");
    drop(engine);
    let engine = open(&dir);
    assert_eq!(engine.journal(Position(3), 9).unwrap().len(), 2);
    engine.release(Position(5)).unwrap();
    engine.checkpoint().unwrap();
    drop(engine);
    assert_eq!(open(&dir).last_position().unwrap(), Position(5));
}

#[test]
fn a_journal_that_is_never_released_stops_the_writer() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    engine.commit(&batch(0, vec![sample(id, 0, 0)])).unwrap();
    engine.shared.writing().unwrap().writer().set_journal_bytes_max(10);
    let refused = engine.commit(&batch(1, vec![sample(id, 1, 0)])).unwrap_err();
    assert!(matches!(refused, Error::Backlog { .. }) && refused.is_transient());
    engine.release(Position(1)).unwrap();
    engine.commit(&batch(1, vec![sample(id, 1, 0)])).unwrap();
}

/// Cuts the write-ahead log where a power cut may have: what is left is a prefix of the commits.
#[test]
fn a_torn_log_leaves_whole_commits_from_the_first_on() {
    let dir = directory();
    let engine = open(&dir);
    let ids = [series(&engine, 0), series(&engine, 1)];
    // The file as it was before; from here on everything is in the log.
    drop(engine);
    let engine = open(&dir);
    for n in 0..40 {
        let samples = ids.map(|id| sample(id, n * 7_000_000_000, n as i32)).to_vec();
        engine.commit(&batch(2 * n as u64, samples)).unwrap();
        if n % 16 == 9 {
            fail_after(&engine, 6);
            // Its slices succeed; it ends before the log is emptied.
            drop(engine.checkpoint());
            engine.shared.writing().unwrap().writer().fail_after = None;
        }
    }
    let file = super::super::database::path(dir.path());
    let log = fs::read(file.with_extension("sqlite-wal")).unwrap();
    let mut longest = 0;
    for cut in (0..=log.len()).step_by(701).chain([log.len()]) {
        let copy = directory();
        let copied = super::super::database::path(copy.path());
        fs::copy(&file, &copied).unwrap();
        fs::write(copied.with_extension("sqlite-wal"), &log[..cut]).unwrap();
        let torn = open(&copy);
        let found = ids.map(|id| scan(&torn, id).len());
        assert_eq!(found[0], found[1], "half a commit was left by a cut at {cut}");
        assert!(found[0] >= longest, "a longer log left less");
        longest = found[0];
        assert!(scan(&torn, ids[0]).iter().zip(0..).all(|(s, n)| s.reading == Ok(Scaled(n))));
        assert_eq!(torn.last_position().unwrap(), Position(longest as u64));
    }
    assert_eq!(longest, 40);
}
