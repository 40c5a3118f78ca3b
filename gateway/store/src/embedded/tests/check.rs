//! Faults that a check finds and a repair mends.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::super::{Checked, Fault, Keep, Policy, Record, Remedy, Repaired, check, repair};
use super::*;
use crate::{Error, Flag, Position};

fn minute(n: i64) -> i64 {
    20_000 * DAY_MS * 1_000 + n * 60_000_000
}

/// Fills a store with all there is: a day rolled up, chunks sealed and loose, derived samples and
/// flags, a journal of which a part is in no chunk.
fn write(dir: &TempDir) {
    let engine = open(dir);
    let ids = [series(&engine, 0), series(&engine, 1)];
    for (index, id) in ids.into_iter().enumerate() {
        let value = |n: i64| ((n * 7_919 + index as i64) % 997) as i32;
        for day in 0..5 {
            let samples = (day * 1_440..(day + 1) * 1_440).step_by(3);
            let first = (index as i64 * 100_000 + day * 1_440) as u64;
            let samples = samples.map(|n| sample(id, minute(n), value(n))).collect();
            engine.commit(&batch(first, samples)).unwrap();
            engine.checkpoint().unwrap();
        }
    }
    let day = Some(Duration::from_secs(86_400 * 3));
    let policy =
        Policy { usual: Keep { raw: day, ten_minutes: day.map(|day| day * 2) }, of: vec![] };
    engine.retain(&policy, Timestamp::MAX).unwrap();
    let last = engine.last_position().unwrap();
    engine.release(Position(last.0 - 3)).unwrap();
    let flag = |n| Flag { series: ids[0], time: at(minute(n)), quality: Quality::Suspect };
    engine.commit(&Batch { parts: vec![Part::Flags((3_000..3_300).map(flag).collect())] }).unwrap();
    engine.checkpoint().unwrap();
    engine.commit(&batch(500_000, vec![sample(ids[0], minute(4_001), 5)])).unwrap();
    engine.checkpoint().unwrap();
    engine.commit(&batch(500_001, vec![sample(ids[1], minute(9_001), 6)])).unwrap();
}

fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(us).unwrap()
}

fn faults_of(dir: &Path) -> (Checked, Vec<Fault>) {
    let mut faults = Vec::new();
    let checked = check(dir, &mut |_, _| {}, &mut |fault| faults.push(fault.clone())).unwrap();
    assert_eq!(checked.faults as usize, faults.len());
    (checked, faults)
}

fn repaired(dir: &Path) -> (Checked, Vec<Repaired>) {
    let mut told = Vec::new();
    let left = repair(dir, &mut |_, _| {}, &mut |it| told.push(it.clone())).unwrap();
    (left, told)
}

fn edit(dir: &TempDir, sql: &str) {
    let file = Connection::open(super::super::database::path(dir.path())).unwrap();
    assert!(file.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

/// All that a store answers, or that it refuses.
fn answers(dir: &TempDir) -> Result<String, Error> {
    let engine = Engine::open_read_only(dir.path())?;
    let mut text = format!("{:?}\n", engine.last_position()?);
    for (id, key) in engine.series()? {
        text += &format!("{key} {:?} {:?}\n", engine.retained(id)?, engine.latest()?);
        let mut visit = |sample: &Sample| {
            text += &format!("{sample:?}\n");
            ControlFlow::Continue(())
        };
        engine.scan(id, Timestamp::MIN, Timestamp::MAX, &mut visit)?;
        let (from, to) = (at(minute(0)), at(minute(9_000)));
        text += &format!("{:?}\n", engine.downsample(id, from, to, 7_200_000, from)?);
    }
    text += &format!("{:?} {:?}\n", engine.seen(&node(), FLASH)?, engine.gaps(&node())?);
    let after = Position(engine.last_position()?.0.saturating_sub(4));
    text += &format!("{:?}\n", engine.journal(after, 99)?);
    Ok(text)
}

#[test]
fn a_whole_store_has_no_fault_also_beside_a_gateway() {
    let dir = directory();
    write(&dir);
    let engine = open(&dir);
    let (checked, faults) = faults_of(dir.path());
    assert_eq!(faults, []);
    assert!(
        checked.chunks >= 10 && checked.samples >= 2_800 && checked.entries >= 4,
        "{checked:?}"
    );
    let refused = repair(dir.path(), &mut |_, _| {}, &mut |_| {});
    assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
    drop(engine);
    let before = answers(&dir).unwrap();
    let (left, told) = repaired(dir.path());
    assert_eq!((left.faults, told), (0, vec![]));
    assert_eq!(answers(&dir).unwrap(), before);
    let nothing = check(directory().path(), &mut |_, _| {}, &mut |_| {});
    assert!(matches!(nothing, Err(Error::NotFound { .. })));
}

#[test]
fn what_can_be_computed_anew_is_and_nothing_is_lost() {
    let edits = [
        ("UPDATE chunk SET hours = substr(hours, 2) WHERE sealed = 1", "hours cannot be read"),
        ("UPDATE chunk SET last_us = last_us + 1 WHERE sealed = 1", "its count or its end"),
        ("UPDATE chunk SET samples = 3 WHERE sealed = 1", "its count or its end"),
        (
            "UPDATE chunk SET hours = (SELECT hours FROM chunk WHERE sealed = 1 ORDER BY key DESC)
             WHERE key = (SELECT min(key) FROM chunk WHERE sealed = 1)",
            "not those of its samples",
        ),
        ("DELETE FROM chunk WHERE sealed = 1", "its samples have no chunk"),
        ("UPDATE chunk SET sealed = 2 WHERE sealed = 1", "its samples have no chunk"),
        ("UPDATE series SET latest_value = 1 + latest_value WHERE id = 1", "its latest sample"),
    ];
    for (sql, reason) in edits {
        let dir = directory();
        write(&dir);
        let before = answers(&dir).unwrap();
        edit(&dir, sql);
        let (_, faults) = faults_of(dir.path());
        assert!(faults.iter().any(|fault| fault.reason.contains(reason)), "{sql}: {faults:?}");
        assert!(faults.iter().all(|fault| fault.remedy == Remedy::Rebuild), "{sql}: {faults:?}");
        let (left, told) = repaired(dir.path());
        assert_eq!(left.faults, 0, "{sql}");
        assert!(told.iter().all(|it| it.done && it.lost_samples == 0), "{sql}: {told:?}");
        assert_eq!(answers(&dir).unwrap(), before, "{sql}");
    }
}

#[test]
fn the_sequences_seen_are_found_again_in_readings_and_gaps() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    let of = |from: i64, to: i64| (from..to).map(|n| sample(id, minute(n), 0)).collect();
    engine.commit(&batch(5, of(5, 2_000))).unwrap();
    let range = measure::SequenceRange::new(Sequence(2_000), Sequence(2_099)).unwrap();
    let (reason, at) = (crate::GapReason::RingFull, at(minute(0)));
    let gap = crate::Gap { node: node(), flash: FLASH, range, reason, at };
    engine.commit(&Batch { parts: vec![Part::Gap(gap)] }).unwrap();
    engine.checkpoint().unwrap();
    engine.commit(&batch(3_000, of(3_000, 3_001))).unwrap();
    drop(engine);
    let before = answers(&dir).unwrap();
    edit(&dir, "UPDATE flash SET seen = substr(seen, 2)");
    let (_, faults) = faults_of(dir.path());
    assert!(matches!(faults[0].record, Record::Flash(_)), "{faults:?}");
    assert_eq!(repaired(dir.path()).0.faults, 0);
    assert_eq!(answers(&dir).unwrap(), before);
}

#[test]
fn a_damaged_chunk_is_put_aside_and_its_hours_stay() {
    let dir = directory();
    write(&dir);
    let damage = "UPDATE body
                  SET record = CAST(substr(record, 1, 99) || x'00' || substr(record, 101) AS BLOB)
                  WHERE key = (SELECT min(key) FROM body)";
    edit(&dir, damage);
    let (_, faults) = faults_of(dir.path());
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(matches!(fault.record, Record::Body(_)));
    assert_eq!((fault.series, fault.remedy), (Some(SeriesId(1)), Remedy::SetAside));
    let (from, to) = fault.span.unwrap();
    assert!((from.micros(), to.micros()) == (minute(1_440), minute(2_877)), "{fault:?}");
    let (left, told) = repaired(dir.path());
    assert_eq!((left.faults, told.len()), (0, 1));
    assert_eq!((told[0].done, told[0].lost_samples), (true, 480));
    let engine = open(&dir);
    assert!(scan(&engine, SeriesId(1)).iter().all(|it| it.time.micros() >= minute(2_880)));
    let (from, to) = (at(minute(1_440)), at(minute(2_880)));
    let days = engine.downsample(SeriesId(1), from, to, DAY_MS, from).unwrap();
    assert_eq!(days.count, [480]);
    let writer = engine.shared.writing().unwrap().writer();
    let sql = "SELECT origin, reason, length(record) > 99 FROM quarantine";
    let kept: (String, String, bool) = writer
        .connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert!(kept.0 == "body" && kept.1.contains("checksum") && kept.2, "{kept:?}");
}

#[test]
fn a_damaged_journal_opens_again_with_what_is_lost_named() {
    for sql in [
        "UPDATE journal SET entry = substr(entry, 2) WHERE position = (SELECT max(position) FROM journal)",
        "DELETE FROM journal WHERE position = (SELECT max(position) - 1 FROM journal)",
        "DELETE FROM journal WHERE position = (SELECT min(position) FROM journal)",
    ] {
        let dir = directory();
        write(&dir);
        let last = open(&dir).last_position().unwrap();
        edit(&dir, sql);
        let (_, faults) = faults_of(dir.path());
        assert!(matches!(faults[0].record, Record::Journal(_)), "{faults:?}");
        let (left, told) = repaired(dir.path());
        assert_eq!(left.faults, 0, "{sql}");
        assert_eq!(told[0].lost_samples > 0, sql.starts_with("UPDATE"), "{told:?}");
        let engine = open(&dir);
        assert_eq!(engine.last_position().unwrap(), last);
        let entries = engine.journal(Position(last.0 - 4), 99).unwrap();
        assert!(entries.iter().map(|(position, _)| position.0).eq(last.0 - 3..=last.0));
    }
}

/// A bit anywhere in the file: it is found, or it changes no answer.
#[test]
fn no_flipped_bit_is_answered_from_unless_a_check_finds_it() {
    let dir = directory();
    write(&dir);
    let before = answers(&dir).unwrap();
    let file = fs::read(super::super::database::path(dir.path())).unwrap();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let (mut found, mut harmless) = (0, 0);
    for round in 0..120 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let bit = (random >> 16) as usize % (file.len() * 8);
        let copy = directory();
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(super::super::database::path(copy.path()), &damaged).unwrap();
        let mut faults = Vec::new();
        let checked = check(copy.path(), &mut |_, _| {}, &mut |fault| faults.push(fault.clone()));
        if checked.is_err() || !faults.is_empty() {
            found += 1;
            // It never makes things worse, nor panics.
            drop(repair(copy.path(), &mut |_, _| {}, &mut |_| {}));
            continue;
        }
        let after = answers(&copy);
        assert!(after.is_ok_and(|it| it == before), "round {round}: bit {bit} is not found");
        harmless += 1;
    }
    assert!(found > 30, "{found} found, {harmless} harmless");
}
