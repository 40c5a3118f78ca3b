//! What it costs to flag readings as they come: 800 channels of 100 nodes in frames of eight, with what
//! ships. `cargo bench -p quality`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use quality::{Channel, Climate, Follower, Rules, State, assess, follow};
use store::{Incoming, Sample, SeriesId, SeriesKey, Taken};

const NODES: u32 = 100;
/// What a node measures, its mean in steps, and how far it swings.
const CHANNELS: [(Quantity, i32, i32); 8] = [
    (Quantity::AirTemperature, 22_000, 500),
    (Quantity::RelativeHumidity, 6_500, 300),
    (Quantity::Co2, 600, 40),
    (Quantity::Ppfd, 3_000, 500),
    (Quantity::SubstrateMoisture, 3_500, 50),
    (Quantity::SubstrateTemperature, 20_000, 100),
    (Quantity::SubstrateEc, 1_200, 30),
    (Quantity::SupplyVoltage, 3_700, 10),
];

fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a slug")
}

fn rules() -> Rules {
    let (table, _) = seeds::thresholds().expect("what ships is sound");
    let channels = (0..NODES * 8).map(|number| {
        let (quantity, mean, swing) =
            CHANNELS.get(number as usize % 8).copied().expect("eight channels");
        let node = NodeKey { site: slug("nanchuan"), node: slug(&format!("bench-{}", number / 8)) };
        let key = SeriesKey { node, position: slug("canopy"), quantity };
        let limits = table.limits(&key);
        let range = (mean - 20 * swing, mean + 20 * swing);
        let climate = Climate::new([(Timestamp::MIN, Some(range))]);
        let zone = Some(slug(&format!("house-{}", number / 160)));
        Channel { series: SeriesId(number), key, zone, interval_ms: 60_000, limits, climate }
    });
    Rules::new(channels)
}

/// A frame of each node, a minute after the one before.
fn round(minute: u64) -> Vec<Vec<Incoming>> {
    let time = Timestamp::from_millis(1_790_000_000_000 + minute as i64 * 60_000);
    let time = time.unwrap_or(Timestamp::MIN);
    let sample = |number: u32| {
        let (_, mean, swing) = CHANNELS.get(number as usize % 8).copied().expect("eight channels");
        let moved = (u64::from(number) * 31 + minute * 7) % 100;
        let value = mean + swing * (moved as i32 - 50) / 50;
        let sample = Sample {
            series: SeriesId(number),
            time: time.plus_ms(i64::from(number)),
            reading: Ok(Scaled(value)),
            quality: Quality::Good,
            marks: Marks::NONE,
            taken: None,
        };
        Incoming { sequence: Sequence(minute * 8 + u64::from(number % 8)), sample }
    };
    (0..NODES).map(|node| (node * 8..node * 8 + 8).map(sample).collect()).collect()
}

fn flags(criterion: &mut Criterion) {
    let rules = rules();
    let mut group = criterion.benchmark_group("flags");
    group.throughput(Throughput::Elements(u64::from(NODES * 8)));
    group.bench_function("assess", |bencher| {
        let (mut state, mut minute) = (State::default(), 0);
        bencher.iter_batched(
            || {
                minute += 1;
                round(minute)
            },
            |mut frames| {
                for frame in &mut frames {
                    assess(&rules, &mut state, Some(FlashId(1)), frame);
                }
                state.settle(true);
                black_box(frames)
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("follow", |bencher| {
        let (mut follower, mut minute) = (Follower::default(), 0);
        bencher.iter_batched(
            || {
                minute += 1;
                let stored = |one: Incoming| Sample {
                    taken: Some(Taken { flash: FlashId(1), sequence: one.sequence }),
                    ..one.sample
                };
                round(minute).into_iter().flatten().map(stored).collect::<Vec<Sample>>()
            },
            |samples| black_box(follow(&rules, &mut follower, &samples)),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, flags);
criterion_main!(benches);
