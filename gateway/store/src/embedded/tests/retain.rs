//! Letting go of what is old.

use rusqlite::Connection;

use super::super::{Keep, LetGo, PASS_DAYS_MAX, Policy};
use super::*;
use crate::{Error, Flag};

const DAY_US: i64 = DAY_MS * 1_000;
/// The day that the samples of these tests begin on.
const FIRST: i64 = 20_000;

fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_secs(days * 86_400))
}

fn keep(raw: u64, ten_minutes: u64) -> Policy {
    let usual = Keep { raw: days(raw), ten_minutes: days(ten_minutes) };
    Policy { usual, of: Vec::new() }
}

fn at(day: i64, minute: i64) -> Timestamp {
    Timestamp::from_micros((FIRST + day) * DAY_US + minute * 60_000_000).unwrap()
}

/// Commits a sample each ten minutes of some days: the value counts the samples.
fn fill(engine: &Engine, id: SeriesId, days: i64) {
    let of = |n: i64| sample(id, at(0, n * 10).micros(), n as i32);
    engine.commit(&batch(0, (0..days * 144).map(of).collect())).unwrap();
}

fn counts(engine: &Engine, id: SeriesId, step_ms: i64) -> Result<u32, Error> {
    let columns = engine.downsample(id, at(0, 0), at(40, 0), step_ms, at(0, 0))?;
    Ok(columns.count.iter().sum())
}

#[test]
fn samples_become_ten_minutes_then_hours_and_days_stay() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    fill(&engine, id, 5);
    let before = engine.downsample(id, at(0, 0), at(5, 0), 3_600_000, at(0, 0)).unwrap();
    let gone = engine.retain(&keep(2, 3), Timestamp::MAX).unwrap();
    // The newest sample is of day 4: from day 2 on, at its last minute, all is kept.
    assert_eq!(gone, LetGo { days: 2, samples: 288, ten_minutes_days: 0, damaged_days: 0 });
    assert_eq!(engine.retained(id).unwrap().raw_from, at(2, 0));
    assert_eq!(engine.retained(id).unwrap().ten_minutes_from, at(1, 0));
    assert_eq!(scan(&engine, id).len(), 3 * 144);
    for step_ms in [3_600_000, 4 * 3_600_000, DAY_MS] {
        assert_eq!(counts(&engine, id, step_ms).unwrap(), 5 * 144);
    }
    let after = engine.downsample(id, at(0, 0), at(5, 0), 3_600_000, at(0, 0)).unwrap();
    assert_eq!(after, before);
    // From the second day on ten minutes are left, and no more than they.
    let second = engine.downsample(id, at(1, 0), at(5, 0), 600_000, at(0, 0)).unwrap();
    assert!(second.count.iter().all(|count| *count == 1));
    let refused = engine.downsample(id, at(1, 0), at(5, 0), 60_000, at(0, 0)).unwrap_err();
    let message = refused.to_string();
    assert!(message.contains("roll-ups of 10 minutes alone"), "{message}");
    assert!(message.ends_with("ask for a multiple of 600000 ms with an origin that is one"));
    let refused = counts(&engine, id, 600_000).unwrap_err();
    assert!(matches!(refused, Error::Coarser { kept_ms: 3_600_000, .. }), "{refused}");
    let silences = engine.silences(id, at(0, 0), at(5, 0), 600_000).unwrap();
    assert_eq!(silences, [], "what was rolled up is no silence");
    drop(engine);
    let engine = open(&dir);
    assert_eq!(counts(&engine, id, DAY_MS).unwrap(), 5 * 144);
    assert_eq!(engine.retained(id).unwrap().raw_from, at(2, 0));
}

#[test]
fn what_a_node_brings_late_is_rolled_up_and_what_cannot_be_is_counted() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    fill(&engine, id, 5);
    engine.retain(&keep(2, 9), Timestamp::MAX).unwrap();
    let late = sample(id, at(0, 5).micros(), 77);
    let committed = engine.commit(&batch(9_000, vec![late])).unwrap();
    assert_eq!((committed.kept, committed.late, committed.expired), (1, 1, 0));
    assert_eq!(scan(&engine, id).len(), 3 * 144 + 1, "it is there as it came until the next pass");
    assert_eq!(counts(&engine, id, DAY_MS).unwrap(), 5 * 144 + 1);
    let guest = Incoming { sequence: Sequence(0), sample: late };
    let flag = Flag { series: id, time: at(0, 10), quality: Quality::Fail };
    let parts = vec![
        Part::Readings { origin: Origin::Guest, samples: vec![guest] },
        Part::Derived(vec![late]),
        Part::Flags(vec![flag]),
    ];
    let refused = engine.commit(&Batch { parts }).unwrap();
    assert_eq!((refused.kept, refused.replaced, refused.flagged, refused.expired), (0, 0, 0, 3));
    assert_eq!(refused.position, committed.position, "nothing was written");
    let gone = engine.retain(&keep(2, 9), Timestamp::MAX).unwrap();
    assert_eq!((gone.days, gone.samples), (1, 1));
    assert_eq!(counts(&engine, id, DAY_MS).unwrap(), 5 * 144 + 1);
    assert_eq!(scan(&engine, id).len(), 3 * 144);
    let first = engine.downsample(id, at(0, 0), at(0, 10), 600_000, at(0, 0)).unwrap();
    assert_eq!((first.count, first.max), (vec![2], vec![Some(77.0)]));
    // The same reading again is a repeat still.
    assert_eq!(engine.commit(&batch(9_000, vec![late])).unwrap().repeated, 1);
}

#[test]
fn a_pass_goes_some_days_and_a_clock_ahead_of_the_readings_ages_nothing() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    fill(&engine, id, 30);
    for pass in 1..=3 {
        engine.retain(&keep(5, 5), at(9_000, 0)).unwrap();
        assert_eq!(engine.retained(id).unwrap().raw_from, at(pass * PASS_DAYS_MAX, 0));
    }
    for _ in 0..3 {
        engine.retain(&keep(5, 5), at(9_000, 0)).unwrap();
    }
    assert_eq!(engine.retained(id).unwrap().raw_from, at(24, 0), "five days before the newest");
    // A shorter rule comes into force; a longer one brings nothing back.
    engine.retain(&keep(9, 9), at(9_000, 0)).unwrap();
    assert_eq!(engine.retained(id).unwrap().raw_from, at(24, 0));
    assert_eq!(counts(&engine, id, DAY_MS).unwrap(), 30 * 144);
}

#[test]
fn each_quantity_has_its_own_rule_and_none_keeps_all() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    fill(&engine, id, 5);
    let keep_co2 = Policy { of: vec![(Quantity::Co2, Keep::default())], ..keep(1, 1) };
    assert_eq!(engine.retain(&keep_co2, Timestamp::MAX).unwrap(), LetGo::default());
    assert!(Policy::default().keeps_all() && !keep_co2.keeps_all());
    assert_eq!(engine.retain(&Policy::default(), Timestamp::MAX).unwrap(), LetGo::default());
    assert_eq!(scan(&engine, id).len(), 5 * 144);
}

#[test]
fn a_damaged_day_is_left_as_it_is() {
    let dir = directory();
    let engine = open(&dir);
    let id = series(&engine, 0);
    fill(&engine, id, 5);
    engine.checkpoint().unwrap();
    drop(engine);
    let file = Connection::open(super::super::database::path(dir.path())).unwrap();
    let damage =
        "UPDATE body SET record = substr(record, 2) WHERE key = (SELECT min(key) FROM body)";
    assert_eq!(file.execute(damage, []).unwrap(), 1);
    drop(file);
    let engine = open(&dir);
    let gone = engine.retain(&keep(2, 2), Timestamp::MAX).unwrap();
    assert_eq!((gone.days, gone.damaged_days), (1, 1));
    let writer = engine.shared.writing().unwrap().writer();
    let sql = "SELECT count(*) FROM body WHERE key = (SELECT min(key) FROM chunk)";
    let left: i64 = writer.connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1, "nothing is deleted that was not rolled up");
}
