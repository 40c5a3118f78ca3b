//! Directories that older versions have written can still be read: one committed for each format.
//!
//! A new one is written by `MIAOPU_STORE_FIXTURE=DIR cargo test -p store --test formats`, once,
//! when the format changes; the old ones are never touched again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug,
    Timestamp,
};
use store::embedded::{Engine, FORMAT, Keep, Options, Policy};
use store::{
    Batch, Flag, Gap, GapReason, Incoming, Origin, Part, Position, Retained, Sample, SeriesId,
    SeriesKey, Store,
};

const FLASH: FlashId = FlashId(0xCAFE);
const START_MS: i64 = 1_735_689_600_000;

fn node() -> NodeKey {
    NodeKey { site: Slug::new("north").unwrap(), node: Slug::new("n1").unwrap() }
}

/// Samples of two series: faults, every quality, marks, odd times.
fn samples(ids: [SeriesId; 2], range: std::ops::Range<u64>) -> Vec<Incoming> {
    range
        .map(|n| {
            // The faults that there were when the fixture was written.
            let fault = Fault::ALL[..7].get(n as usize % 50).copied();
            let sample = Sample {
                series: ids[n as usize % 2],
                time: Timestamp::from_millis(START_MS + n as i64 * 300_000 + (n as i64 % 7))
                    .unwrap(),
                reading: fault.map_or(Ok(Scaled(20_000 + (n * n % 997) as i32 * 10)), Err),
                quality: Quality::ALL[n as usize / 9 % Quality::ALL.len()],
                marks: Marks::from_bits((n / 100) as u8 & 0b101),
                taken: None,
            };
            Incoming { sequence: Sequence(n), sample }
        })
        .collect()
}

/// Fills a store with all that there was in a format, and leaves the younger part in the journal.
fn write(dir: &Path, format: u8) {
    write_1(dir);
    if format > 1 {
        write_2(dir);
    }
}

/// Derived numbers and flags, some in chunks that were changed by them, some in the journal; a day
/// that was rolled up.
fn write_2(dir: &Path) {
    let engine = Engine::open(dir, Options::default()).unwrap();
    let key = |quantity| SeriesKey { node: node(), position: Slug::new("tray").unwrap(), quantity };
    let derived = engine.series_id(&key(Quantity::VapourPressureDeficit)).unwrap();
    let read = engine.series_id(&key(Quantity::AirTemperature)).unwrap();
    let time = |n: i64| Timestamp::from_millis(START_MS + n * 300_000).unwrap();
    let number = |n: i64, value| Sample {
        series: derived,
        time: time(n),
        reading: Ok(Scaled(value)),
        quality: Quality::Good,
        marks: Marks::NONE,
        taken: None,
    };
    let numbers = |from, to, value| Part::Derived((from..to).map(|n| number(n, value)).collect());
    let flag = |n| Flag { series: read, time: time(n), quality: Quality::Suspect };
    let flags = |from, to| Part::Flags((from..to).map(flag).collect());
    let commit = |part| engine.commit(&Batch { parts: vec![part] }).unwrap();
    commit(numbers(0, 600, 1_000));
    engine.checkpoint().unwrap();
    commit(numbers(100, 200, 2_000));
    commit(flags(0, 50));
    engine.checkpoint().unwrap();
    // The first day becomes roll-ups.
    let day = Some(std::time::Duration::from_secs(86_400));
    let policy = Policy { usual: Keep { raw: day, ten_minutes: day }, of: Vec::new() };
    engine.retain(&policy, Timestamp::MAX).unwrap();
    commit(numbers(150, 620, 3_000));
    commit(flags(270, 320));
}

/// Fills a store with chunks sealed and loose, a journal, a gap, a shifted and a late reading.
fn write_1(dir: &Path) {
    let engine = Engine::open(dir, Options::default()).unwrap();
    let id = |quantity| {
        let key = SeriesKey { node: node(), position: Slug::new("tray").unwrap(), quantity };
        engine.series_id(&key).unwrap()
    };
    let ids = [id(Quantity::AirTemperature), id(Quantity::SubstratePh)];
    let readings =
        |samples| Part::Readings { origin: Origin::Node { node: node(), flash: FLASH }, samples };
    let commit = |part| engine.commit(&Batch { parts: vec![part] }).unwrap();
    commit(readings(samples(ids, 0..400)));
    engine.checkpoint().unwrap();
    commit(readings(samples(ids, 400..700)));
    engine.checkpoint().unwrap();
    commit(Part::Gap(Gap {
        node: node(),
        flash: FLASH,
        range: SequenceRange::new(Sequence(700), Sequence(720)).unwrap(),
        reason: GapReason::RingFull,
        at: Timestamp::from_millis(START_MS).unwrap(),
    }));
    let mut late = samples(ids, 0..1);
    late[0].sequence = Sequence(721);
    commit(readings(late.clone()));
    late[0].sample.reading = Ok(Scaled(5));
    commit(Part::Readings { origin: Origin::Guest, samples: late });
    engine.release(Position(3)).unwrap();
}

/// Returns all that a store answers, as text.
fn describe(engine: &Engine) -> String {
    let mut text = String::new();
    for (id, key) in engine.series().unwrap() {
        text += &format!("series {id} {key}\n");
        if engine.retained(id).unwrap() != Retained::ALL {
            text += &format!("{:?}\n", engine.retained(id).unwrap());
        }
        let mut visit = |sample: &Sample| {
            let reading = sample.reading.map_or_else(|f| f.to_string(), |v| v.0.to_string());
            let (time, marks) = (sample.time.micros(), sample.marks.bits());
            let taken = sample
                .taken
                .map_or_else(String::new, |taken| format!(" {} {}", taken.flash, taken.sequence));
            text += &format!("{time} {reading} {} {marks}{taken}\n", sample.quality);
            ControlFlow::Continue(())
        };
        engine.scan(id, Timestamp::MIN, Timestamp::MAX, &mut visit).unwrap();
        let start = Timestamp::from_millis(START_MS).unwrap();
        let end = start.plus_ms(3 * 86_400_000);
        let columns = engine.downsample(id, start, end, 21_600_000, start).unwrap();
        for (index, time) in columns.time_ms.iter().enumerate() {
            let (min, max, count) = (columns.min[index], columns.max[index], columns.count[index]);
            text +=
                &format!("bucket {time} {min:?} {max:?} {count} {:?}\n", columns.quality[index]);
        }
    }
    for gap in engine.gaps(&node()).unwrap() {
        text +=
            &format!("gap {} {}-{} {}\n", gap.flash, gap.range.first, gap.range.last, gap.reason);
    }
    text += &format!("seen {:?}\n", engine.seen(&node(), FLASH).unwrap());
    let entries = engine.journal(Position(3), 9).unwrap();
    let entries: Vec<_> = entries.into_iter().map(|(p, samples)| (p.0, samples.len())).collect();
    text += &format!("journal {entries:?} latest {}\n", engine.latest().unwrap().len());
    text
}

/// Returns what a store answers to a reader that leaves it as it is, then to a writer, which brings
/// it to the format of this version, then to a reader again.
#[track_caller]
fn check(dir: &Path, expect: &str) {
    let read = || describe(&Engine::open_read_only(dir).unwrap());
    assert_eq!(read(), expect);
    let writer = Engine::open(dir, Options::default()).unwrap();
    assert_eq!(describe(&writer), expect);
    drop(writer);
    assert_eq!(read(), expect);
    let writer = Engine::open(dir, Options::default()).unwrap();
    writer.checkpoint().unwrap();
    assert_eq!(describe(&writer), expect);
}

fn check_fixture(format: u8) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/format-{format}"));
    let copy = tempfile::tempdir().unwrap();
    fs::copy(fixture.join("series.sqlite"), copy.path().join("series.sqlite")).unwrap();
    let expect = fs::read_to_string(fixture.join("expect.txt")).unwrap();
    check(copy.path(), &expect);
    // What this version writes is no different.
    let fresh = tempfile::tempdir().unwrap();
    write(fresh.path(), format);
    check(fresh.path(), &expect);
}

#[test]
fn a_directory_of_format_1_reads_as_it_did() {
    check_fixture(1);
}

#[test]
fn a_directory_of_the_newest_format_reads_as_it_did() {
    if let Ok(dir) = std::env::var("MIAOPU_STORE_FIXTURE") {
        let dir = Path::new(&dir);
        write(dir, FORMAT as u8);
        let engine = Engine::open_read_only(dir).unwrap();
        fs::write(dir.join("expect.txt"), describe(&engine)).unwrap();
        return;
    }
    check_fixture(FORMAT as u8);
}
