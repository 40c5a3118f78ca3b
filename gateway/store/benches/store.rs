//! Small measurements of the embedded engine: `cargo bench -p store --features conformance`.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use measure::Timestamp;
use store::embedded::{Engine, Options};
use store::load::{Load, fill};
use store::{SeriesId, Store};

const DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

fn start() -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000).unwrap_or(Timestamp::MIN)
}

fn load(nodes: u32, minutes: u32) -> Load {
    Load { nodes, start: start(), minutes, minutes_per_commit: 120 / nodes.max(1) + 1 }
}

fn commits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10).throughput(Throughput::Elements(16 * 8 * 60));
    group.bench_function("an hour of 128 series", |bench| {
        let fresh = || {
            let dir = tempfile::tempdir().expect("a directory");
            let engine = Engine::open(dir.path(), Options::default()).expect("an engine");
            (dir, engine)
        };
        let hour = |(dir, engine)| {
            let kept = fill(&engine, &load(16, 60), |_| {}).expect("commits");
            (dir, engine, kept)
        };
        bench.iter_batched(fresh, hour, BatchSize::PerIteration);
    });
    group.finish();
}

fn questions(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(dir.path(), Options::default()).expect("an engine");
    fill(&engine, &load(10, DAYS as u32 * 1_440), |_| {}).expect("commits");
    engine.checkpoint().expect("a checkpoint");
    let (id, end) = (SeriesId(5), start().plus_ms(DAYS * DAY_MS));
    let mut group = criterion.benchmark_group("one series of 30 days");
    for (name, step_ms) in [("by hour", 3_600_000), ("by 10 minutes", 600_000)] {
        group.bench_function(name, |bench| {
            bench.iter(|| engine.downsample(id, start(), end, step_ms, start()).expect("buckets"));
        });
    }
    group.throughput(Throughput::Elements(DAYS as u64 * 1_440));
    group.bench_function("scan", |bench| {
        bench.iter(|| {
            let mut sum = 0_i64;
            let mut visit = |sample: &store::Sample| {
                sum += sample.reading.map_or(0, |value| i64::from(value.0));
                ControlFlow::Continue(())
            };
            engine.scan(id, start(), end, &mut visit).expect("a scan");
            black_box(sum)
        });
    });
    group.finish();
    criterion.bench_function("latest of 80 series", |bench| {
        bench.iter(|| engine.latest().expect("the latest"));
    });
}

criterion_group!(benches, commits, questions);
criterion_main!(benches);
