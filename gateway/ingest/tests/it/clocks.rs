//! Clocks that are set: whatever a node says of the time, each reading is kept once.

use std::ops::ControlFlow;
use std::sync::Arc;

use ingest::{Link, Outlets};
use measure::{BootId, FlashId, Marks, Scaled, Sequence, Timestamp, Uptime};
use store::embedded::{Engine, Options};
use store::{Sample, Store};
use tokio_util::sync::CancellationToken;
use wire::{Body, Data};

use crate::common::{Book, NOW_MS, Node, config, embedded, eventually, now, ports, range, sampled};

const HOUR_MS: i64 = 3_600_000;
/// Readings in each frame below, a second apart.
const COUNT: u64 = 10;
/// When the last frame is sent, in milliseconds of uptime.
const SENT_MS: u64 = 100_000;

/// A frame whose first reading was taken at uptime 10 s, by a clock that stood `off_ms` off the
/// gateway's. Values tell the sequences apart.
fn frame(first: u64, off_ms: Option<i64>) -> Data {
    let readings = (0..COUNT).map(|nth| {
        let value = i32::try_from(first + nth).unwrap();
        sampled(0, 10_000 + nth * 1_000, value)
    });
    let boot = NOW_MS - i64::try_from(SENT_MS).unwrap();
    Data {
        flash: FlashId(7),
        boot: BootId(1),
        sent: Uptime(SENT_MS),
        body: Body::Readings {
            first: Sequence(first),
            boot_utc: off_ms.map(|off| Timestamp::from_millis((boot + off).max(0)).unwrap()),
            uncertain: false,
            history: false,
            readings: readings.collect(),
        },
    }
}

fn all(engine: &Engine) -> Vec<Sample> {
    let (series, _) = engine.series().unwrap()[0].clone();
    let mut found = Vec::new();
    let mut take = |sample: &Sample| {
        found.push(*sample);
        ControlFlow::Continue(())
    };
    engine.scan(series, Timestamp::MIN, Timestamp::MAX, &mut take).unwrap();
    found
}

#[tokio::test]
async fn a_clock_that_is_set_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(0);
    let port = broker.address().port();
    let engine = Arc::new(Engine::open(folder.path(), Options::default()).unwrap());
    let (outlets, stop) = (Arc::new(Outlets::default()), CancellationToken::new());
    let ports = ports(Arc::clone(&engine) as Arc<dyn Store>, Arc::new(Book::default()));
    let running =
        tokio::spawn(ingest::run(config(port), ports, Arc::clone(&outlets), stop.clone()));
    eventually("the link", || outlets.health.borrow().link == Link::Up).await;
    let mut node = Node::born(port, "clock").await;

    let year_ms = 365 * 24 * HOUR_MS;
    // An hour ago, now, set back onto the very times of an hour ago, forward within two minutes and
    // beyond, no clock at all, and what clocks say that were never set or overflowed.
    let offsets = [
        Some(-HOUR_MS),
        Some(0),
        Some(-HOUR_MS),
        Some(60_000),
        Some(10 * 60_000),
        None,
        Some(-NOW_MS),
        Some(10 * year_ms),
        Some(80 * year_ms),
        Some(-HOUR_MS),
    ];
    // Each is sent twice, as where an acknowledgement was lost.
    for _ in 0..2 {
        for (off, first) in offsets.iter().zip((1..).step_by(COUNT as usize)) {
            node.send(&frame(first, *off)).await;
            node.acknowledged(&[range(first, first + COUNT - 1)]).await;
        }
    }

    let found = all(&engine);
    let mut values: Vec<i32> = found.iter().map(|it| it.reading.unwrap().0).collect();
    values.sort_unstable();
    let expect: Vec<i32> = (1..=i32::try_from(COUNT).unwrap() * 10).collect();
    assert_eq!(values, expect, "each once");
    // Nothing stands in the future, and nothing in 1970.
    for sample in &found {
        let off = sample.time.ms_since(now());
        assert!((-2 * HOUR_MS..=60_000).contains(&off), "{sample:?}");
    }
    // Those that stood at a taken time are microseconds later and say so.
    let shifted = found.iter().filter(|it| it.marks.contains(Marks::SHIFTED)).count();
    assert!(shifted >= 2 * COUNT as usize, "{shifted} shifted");
    let uncertain = found.iter().filter(|it| it.marks.contains(Marks::TIME_UNCERTAIN)).count();
    assert_eq!(uncertain, 5 * COUNT as usize, "by their receipt");
    let late = outlets.counters.late.get();
    assert!(late >= 2 * COUNT, "{late} late");
    // The latest is the one of the greatest time, not the one that came last.
    let latest = engine.latest().unwrap()[0];
    assert_eq!(Some(latest.time), found.iter().map(|it| it.time).max());
    assert_eq!(latest.reading, Ok(Scaled(i32::try_from(4 * COUNT).unwrap())));
    stop.cancel();
    running.await.unwrap().unwrap();
}
