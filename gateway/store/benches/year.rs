//! A long load, measured once: 100 nodes of eight one-minute series for `MIAOPU_BENCH_DAYS` days
//! (7 unless told; 365 is a year and takes minutes and 1.1 GB), in `MIAOPU_BENCH_DIR`.
//!
//! 0 days open and measure what another run has left in `MIAOPU_BENCH_DIR`.
//!
//! Prints how fast it went in, what it takes on disk and in memory, and how fast it opens and
//! answers.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use measure::Timestamp;
use store::embedded::{Engine, Options};
use store::load::{Load, fill};
use store::{Error, SeriesId, Store};

const NODES: u32 = 100;
const DAY_MS: i64 = 86_400_000;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = now();
    let result = work();
    (result, start.elapsed())
}

/// Returns a line of `/proc/self/status` in MB; 0 where there is none.
fn memory_mb(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().nth(1));
    kb.and_then(|kb| kb.parse::<f64>().ok()).map_or(0.0, |kb| kb / 1_024.0)
}

fn size_of(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

fn main() -> Result<(), Error> {
    let days = std::env::var("MIAOPU_BENCH_DAYS").ok().and_then(|days| days.parse().ok());
    let days: i64 = days.unwrap_or(7);
    let temporary = tempfile::tempdir().expect("a directory");
    let named = std::env::var("MIAOPU_BENCH_DIR").ok();
    let dir = named.as_deref().map_or(temporary.path(), Path::new);
    let start = Timestamp::from_millis(1_735_689_600_000).unwrap_or(Timestamp::MIN);
    let end = start.plus_ms(days * DAY_MS);
    load(dir, start, days)?;
    ask(dir, start, end)
}

fn load(dir: &Path, start: Timestamp, days: i64) -> Result<(), Error> {
    let (engine, took) = timed(|| Engine::open(dir, Options::default()));
    let engine = engine?;
    // After a load that was killed with -9 the directory can be named again, with no days.
    println!("open as it was left: {took:.1?}");
    let minutes = days as u32 * 1_440;
    let load = Load { nodes: NODES, start, minutes, minutes_per_commit: 10 };
    let (mut worst, mut before) = (Duration::ZERO, now());
    let (kept, took) = timed(|| {
        fill(&engine, &load, |_| {
            worst = worst.max(before.elapsed());
            before = now();
        })
    });
    let kept = kept?;
    println!(
        "load: {kept} readings in {took:.1?}, {:.0} a second, the slowest commit {worst:.1?}",
        kept as f64 / took.as_secs_f64()
    );
    println!("memory: {:.0} MB now, {:.0} MB at most", memory_mb("VmRSS"), memory_mb("VmHWM"));
    engine.checkpoint()?;
    drop(engine);
    let size = size_of(dir);
    println!("disk: {:.1} MB, {:.2} bytes a reading", size as f64 / 1e6, size as f64 / kept as f64);
    Ok(())
}

fn ask(dir: &Path, start: Timestamp, end: Timestamp) -> Result<(), Error> {
    let (engine, took) = timed(|| Engine::open(dir, Options::default()));
    let engine = engine?;
    println!("open: {took:.1?}");
    for (name, step_ms) in [("12 h", DAY_MS / 2), ("1 h", DAY_MS / 24), ("10 min", DAY_MS / 144)] {
        let (columns, cold) =
            timed(|| engine.downsample(SeriesId(300), start, end, step_ms, start));
        let rounds = 5;
        let (again, warm) = timed(|| {
            (0..rounds).try_for_each(|index| {
                engine.downsample(SeriesId(301 + index), start, end, step_ms, start).map(|_| ())
            })
        });
        again?;
        let count: u32 = columns?.count.iter().sum();
        println!("chart of {count} by {name}: first {cold:.2?}, then {:.2?}", warm / rounds);
    }
    let (latest, took) = timed(|| engine.latest());
    println!("latest of {}: {took:.2?}", latest?.len());
    let mut count = 0_u64;
    let (scanned, took) = timed(|| {
        (1..=80).try_for_each(|id| {
            engine.scan(SeriesId(id), start, end, &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            })
        })
    });
    scanned?;
    println!("scan: {:.1} million readings a second", count as f64 / took.as_secs_f64() / 1e6);
    println!("memory: {:.0} MB now, {:.0} MB at most", memory_mb("VmRSS"), memory_mb("VmHWM"));
    Ok(())
}
