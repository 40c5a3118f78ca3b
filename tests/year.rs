//! A year in the store: one-minute readings of 800 series, then the gateway on top of it.
//!
//! Prints how fast the readings were taken, how large they are, how soon the gateway is ready, what
//! a chart of a year costs through HTTP, and how much memory it holds. A measurement, not a test.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the wall clock")]
#![expect(clippy::indexing_slicing, reason = "an absent key of JSON reads as null")]

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use harness::{Client, Gateway, Works};
use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use store::{
    Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store as _,
    embedded::{Engine, Journal, Options},
};

/// Fills a store with a year of readings and measures the gateway on it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many days before 2026-01-01.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// How many nodes of eight channels.
    #[arg(long, default_value_t = 100)]
    nodes: u32,
    /// The folder to fill; a temporary one where absent. One that is filled already is used as it is.
    #[arg(long)]
    folder: Option<PathBuf>,
}

const CHANNELS: [(Quantity, i32, i32); 8] = [
    (Quantity::AirTemperature, 22_000, 6_000),
    (Quantity::RelativeHumidity, 7_500, 1_500),
    (Quantity::Co2, 500, 120),
    (Quantity::Illuminance, 150_000, 140_000),
    (Quantity::SubstrateTemperature, 20_000, 2_000),
    (Quantity::SubstrateMoisture, 6_000, 800),
    (Quantity::SubstrateEc, 900, 200),
    (Quantity::SubstratePh, 550, 40),
];
const MINUTES_A_DAY: u32 = 24 * 60;
/// 2026-01-01T00:00:00Z.
const END_MS: i64 = 1_767_225_600_000;
const QUESTIONS: usize = 20;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    fs::create_dir_all(&folder)?;
    let begin = Timestamp::from_millis(END_MS - i64::from(arguments.days) * 86_400_000);
    let begin = begin.context("the year begins after 1970")?;
    let works = Works::build(&folder)?;
    let store = works.data.join("store");
    if !store.is_dir() {
        fill(&store, begin, &arguments)?;
    }
    let bytes: u64 = fs::read_dir(&store)?
        .map(|entry| Ok(entry?.metadata()?.len()))
        .sum::<std::io::Result<u64>>()?;
    let points = u64::from(arguments.days * MINUTES_A_DAY) * u64::from(arguments.nodes) * 8;
    println!("size: {} MB, {:.2} bytes a reading", bytes >> 20, bytes as f64 / points as f64);
    measure_gateway(&works, begin)
}

fn fill(folder: &std::path::Path, begin: Timestamp, arguments: &Arguments) -> Result<()> {
    let options = Options { journal: Journal::UntilSealed, ..Options::default() };
    let engine = Engine::open(folder, options)?;
    let nodes = (0..arguments.nodes).map(|n| series(&engine, n)).collect::<Result<Vec<_>>>()?;
    let mut rng = fastrand::Rng::with_seed(1);
    let began = Instant::now();
    let minutes = arguments.days * MINUTES_A_DAY;
    for minute in 0..minutes {
        let time = begin.plus_ms(i64::from(minute) * 60_000);
        let sun = f64::from(minute % MINUTES_A_DAY) / f64::from(MINUTES_A_DAY);
        let sun = (sun * std::f64::consts::TAU).sin();
        let mut parts = Vec::with_capacity(nodes.len());
        for (node, ids) in &nodes {
            let jitter = i64::from(rng.u8(..200)) * 1_000;
            let samples =
                ids.iter().zip(CHANNELS).enumerate().map(|(n, (id, (_, mean, swing)))| {
                    let value = mean + (f64::from(swing) * sun) as i32 + rng.i32(-20..20);
                    Incoming {
                        sequence: Sequence(u64::from(minute) * 8 + n as u64 + 1),
                        sample: sample(*id, time.plus_micros(jitter), value.max(0)),
                    }
                });
            let origin = Origin::Node { node: node.clone(), flash: FlashId(1) };
            parts.push(Part::Readings { origin, samples: samples.collect() });
        }
        engine.commit(&Batch { parts })?;
        if minute % (30 * MINUTES_A_DAY) == 0 && minute > 0 {
            eprintln!("day {}: {:?}", minute / MINUTES_A_DAY, began.elapsed());
        }
    }
    engine.checkpoint()?;
    let points = f64::from(minutes) * f64::from(arguments.nodes) * 8.0;
    let seconds = began.elapsed().as_secs_f64();
    println!("taken: {points:.0} readings in {seconds:.0} s, {:.0} k/s", points / seconds / 1e3);
    Ok(())
}

fn series(engine: &Engine, number: u32) -> Result<(NodeKey, Vec<SeriesId>)> {
    let slug = |text: &str| Slug::new(text);
    let node = NodeKey { site: slug("works")?, node: slug(&format!("node-{number}"))? };
    let ids = CHANNELS.into_iter().map(|(quantity, ..)| {
        let key = SeriesKey { node: node.clone(), position: slug("bench")?, quantity };
        Ok(engine.series_id(&key)?)
    });
    let ids = ids.collect::<Result<Vec<_>>>()?;
    Ok((node, ids))
}

fn sample(series: SeriesId, time: Timestamp, value: i32) -> Sample {
    let (reading, quality, marks) = (Ok(Scaled(value)), Quality::Good, Marks::NONE);
    Sample { series, time, reading, quality, marks, taken: None }
}

fn measure_gateway(works: &Works, begin: Timestamp) -> Result<()> {
    let began = Instant::now();
    let gateway = Gateway::start(&works.settings(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    println!("ready after {} ms", began.elapsed().as_millis());
    let token = works.token("viewer")?;
    let client = Client::new(gateway.http, &token);
    println!("memory at the start: {}", memory(gateway.id())?);
    let asked = Instant::now();
    let channels = client.get("/channels")?;
    let channels = channels.as_array().context("the channels are a list")?;
    println!("latest of {} channels: {:?}", channels.len(), asked.elapsed());
    let mut took = Vec::new();
    for (question, channel) in channels.iter().step_by(7).take(QUESTIONS).enumerate() {
        let (id, from, to) = (&channel["id"], begin.millis(), END_MS);
        let path = format!("/channels/{id}/series?from={from}&to={to}&points=1000");
        let asked = Instant::now();
        let answer = client.get(&path)?;
        took.push(asked.elapsed());
        let buckets = answer["time_ms"].as_array().map_or(0, Vec::len);
        ensure!(buckets > 100, "a chart of {buckets} buckets");
        if question == 0 {
            println!("chart: {buckets} buckets of {} ms", answer["step_ms"]);
        }
    }
    took.sort();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or(Duration::ZERO);
    println!("chart of the whole span: median {:?}, worst {:?}", at(50), at(99));
    println!("memory after the questions: {}", memory(gateway.id())?);
    Ok(())
}

fn memory(process: u32) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.map(|rest| rest.trim().to_owned()).unwrap_or_default()
    };
    Ok(format!("{} now, {} at most", line("VmRSS:"), line("VmHWM:")))
}
