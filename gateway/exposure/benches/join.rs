//! The join of one batch over 60 days: eight channels, a reading a minute. Prints what memory it took:
//! `cargo bench -p exposure`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use exposure::{House, Light, Span, lived};
use measure::{NodeKey, Slug, Timestamp};
use nursery::{Batch, NodePlaced, PlacedFrom, StageFrom, TimeZone};
use store::Store;
use store::embedded::{Engine, Options};
use store::load::{Load, fill};

const DAYS: u32 = 60;
const DAY_MS: i64 = 86_400_000;

fn start() -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000).unwrap_or(Timestamp::MIN)
}

fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a slug")
}

/// Returns the most memory that the process has had resident, in KiB; 0 where nobody tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Forgets the most memory until now, and returns how much is resident, in KiB.
fn forget_peak() -> u64 {
    // Where the system can't forget, the number is the peak of before, which is an upper bound.
    std::fs::write("/proc/self/clear_refs", "5").map_or(0, |()| peak_kib())
}

fn light(_: &Slug, at: Timestamp) -> Light {
    let half = DAY_MS / 2;
    let number = at.millis().div_euclid(half);
    let until = Timestamp::from_millis((number + 1) * half).unwrap_or(Timestamp::MAX);
    Light { day: number % 2 == 0, until }
}

fn batch(site: &Slug) -> Batch {
    Batch {
        id: slug("rice-1"),
        site: site.clone(),
        label: "rice".to_owned(),
        accession: None,
        crop: slug("rice"),
        method: slug("tray"),
        plants: None,
        started: start(),
        closed: None,
        stages: vec![StageFrom { stage: slug("7-2-leaf"), from: start() }],
        placements: vec![PlacedFrom { zone: slug("house"), position: None, from: start() }],
    }
}

fn join(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(dir.path(), Options::default()).expect("an engine");
    let load = Load { nodes: 1, start: start(), minutes: DAYS * 1_440, minutes_per_commit: 60 };
    fill(&engine, &load, |_| {}).expect("commits");
    engine.checkpoint().expect("a checkpoint");
    let series = engine.series().expect("the series");
    let node: &NodeKey = &series.first().expect("a series").1.node;
    let placed = NodePlaced { node: node.clone(), zone: Some(slug("house")), from: start() };
    let time_zone = TimeZone::new("Asia/Shanghai").expect("a time zone");
    let batch = batch(&node.site);
    let house = House {
        store: &engine,
        site: &node.site,
        series: &series,
        placed: &[placed],
        expected_interval_ms: &|_| 60_000,
        light: &light,
        time_zone: &time_zone,
    };
    let span = Span { from: start(), to: start().plus_ms(i64::from(DAYS) * DAY_MS) };
    let before = forget_peak();
    let found = lived(&house, &batch, None, span).expect("a join");
    let after = peak_kib();
    println!(
        "{} rows and {} days; resident {before} KiB before the join, at most {after} KiB in it",
        found.rows.len(),
        found.days.len()
    );
    let mut group = criterion.benchmark_group("join");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(DAYS) * 1_440 * 8));
    group.bench_function("60 days of 8 channels at one minute", |bench| {
        bench.iter(|| black_box(lived(&house, &batch, None, span).expect("a join")));
    });
    group.finish();
}

criterion_group!(benches, join);
criterion_main!(benches);
