//! The power-cut campaign: the node image loses its power at random instants, a thousand times if asked,
//! while its link fails at random too. At the end every reading of its ledger must stand in a fresh
//! export once, in order and with its flag, and every sequence that never came must be declared.
//!
//! The last line is `kept=… lost=… doubled=… gaps_declared=…`; the exit code is 0 only where nothing was
//! lost, doubled, out of order or left undeclared.
#![expect(clippy::disallowed_methods, reason = "a campaign runs on the wall clock")]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use fastrand::Rng;
use harness::{DeclaredGap, Exported, Gateway, Image, ImageSettings, Ledger, Qmp, Row, Verdict};
use harness::{Works, export, free_port};

/// Cuts the power of the image at random and counts what was lost, doubled or not declared.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many power cuts.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Draws the instants, and when the link fails.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the image under test has broken on purpose; only told, the image itself differs.
    #[arg(long = "break", value_parser = ["flash", "sequence"])]
    broken: Option<String>,
    /// The image to run; built by its runner where absent.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Leaves the folder of the campaign behind.
    #[arg(long)]
    keep: bool,
}

/// The name of the node in the proving ground.
const NODE: &str = "bench";
/// How often the image samples its channels.
const INTERVAL_MS: u32 = 200;
/// For how long the image has power, at least and at most: from before it reaches its first reading to
/// long after its backlog is gone.
const POWERED_MS: (u64, u64) = (150, 2_600);
/// How long the link stays as it is, at least and at most.
const LINK_MS: (u64, u64) = (80, 1_200);
/// How many of ten times the link is plugged in.
const PLUGGED_OF_TEN: u8 = 7;
/// How many rounds are between two lines of progress.
const ROUNDS_A_LINE: u32 = 25;
/// How long the last readings may take to arrive once the link is up for good.
const DRAIN_PATIENCE: Duration = Duration::from_secs(180);
/// After this long without any arrival nothing more is waited for: a node sends again after 30 s.
const STILL_PATIENCE: Duration = Duration::from_secs(60);
/// The most holes and disorders that are printed.
const EXAMPLES_MAX: usize = 10;

fn main() -> ExitCode {
    match campaign(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("powercut: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(arguments: &Arguments) -> Result<bool> {
    let mut rng = Rng::with_seed(arguments.seed);
    let mut folder = tempfile::tempdir()?;
    folder.disable_cleanup(arguments.keep);
    println!("campaign of {} power cuts, seed {}", arguments.rounds, arguments.seed);
    if let Some(broken) = &arguments.broken {
        println!("broken on purpose: {broken}");
    }
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let image = ImageSettings { elf: arguments.image.clone(), ..works.image(mqtt, INTERVAL_MS) };
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut unplugged = 0;
    for round in 1..=arguments.rounds {
        unplugged += power_round(&image, &ledger, &mut rng)?;
        if round % ROUNDS_A_LINE == 0 || round == arguments.rounds {
            let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
            println!("{round} power cuts, {unplugged} times unplugged, {said} readings taken");
        }
    }
    let mut last = Image::start(&image, &ledger)?;
    let drained = drain(&works.data, folder.path(), &ledger)?;
    last.kill()?;
    drop(gateway);

    let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(said.garbled.is_empty(), "the ledger can't be read: {:?}", said.garbled);
    ensure!(!said.entries.is_empty(), "the image took no reading");
    let exported = export(&works.data, &folder.path().join("export.csv"), NODE)?;
    let late = said.judge(&exported.rows);
    let verdict = Verdict { doubled: late.doubled.max(drained.doubled), ..drained };
    let gaps = exported.gaps(NODE)?;
    let undeclared = undeclared(&said, &exported, &gaps);
    let disorders = disorders(&exported.rows);
    for example in verdict.examples.iter().chain(&undeclared).chain(&disorders).take(EXAMPLES_MAX) {
        println!("  {example}");
    }
    println!("stored before the ledger could say so: {}", late.unsaid);
    if let Some(words) = stack_high_water(&std::fs::read_to_string(&image.log)?) {
        println!("the image says: {words}");
    }
    println!("holes not declared: {}, out of order: {}", undeclared.len(), disorders.len());
    let (kept, lost, doubled) = (verdict.kept, verdict.lost, verdict.doubled);
    println!("kept={kept} lost={lost} doubled={doubled} gaps_declared={}", gaps.len());
    Ok(kept > 0 && lost == 0 && doubled == 0 && undeclared.is_empty() && disorders.is_empty())
}

/// Gives the image power for a while, with a link that comes and goes, and takes it away. Returns how
/// often the link was pulled.
fn power_round(
    settings: &ImageSettings,
    ledger: &Arc<Mutex<Ledger>>,
    rng: &mut Rng,
) -> Result<u32> {
    let mut image = Image::start(settings, ledger)?;
    let mut qmp = Qmp::connect(&settings.qmp)?;
    // From here on, so that a cut can fall into the very start.
    let end = Instant::now() + between(rng, POWERED_MS);
    let mut pulled = 0;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        let plugged = rng.u8(..10) < PLUGGED_OF_TEN;
        qmp.set_link(plugged)?;
        pulled += u32::from(!plugged);
        std::thread::sleep(between(rng, LINK_MS).min(left));
    }
    image.kill()?;
    Ok(pulled)
}

fn between(rng: &mut Rng, (least, most): (u64, u64)) -> Duration {
    Duration::from_millis(rng.u64(least..=most))
}

/// Waits until everything that was said before has arrived, or nothing arrives any more.
fn drain(data: &Path, folder: &Path, ledger: &Mutex<Ledger>) -> Result<Verdict> {
    let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let began = Instant::now();
    let mut last_arrival = (began, usize::MAX);
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let verdict = said.judge(&export(data, &folder.join("export.csv"), NODE)?.rows);
        if verdict.lost < last_arrival.1 {
            last_arrival = (Instant::now(), verdict.lost);
        }
        let is_still = last_arrival.0.elapsed() > STILL_PATIENCE;
        if verdict.lost == 0 || is_still || began.elapsed() > DRAIN_PATIENCE {
            return Ok(verdict);
        }
    }
}

/// Returns the greatest `stack_high_water=…` line of an image's log.
fn stack_high_water(log: &str) -> Option<&str> {
    let lines = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("stack_high_water=")?;
        let digits = rest.split_whitespace().next()?;
        Some((digits.parse::<u32>().ok()?, line))
    });
    lines.max().map(|(_, line)| line)
}

/// Returns the runs of sequences below the newest stored one that are neither stored, nor an event, nor
/// declared as a gap, and the declared ones that are stored all the same.
fn undeclared(said: &Ledger, exported: &Exported, gaps: &[DeclaredGap]) -> Vec<String> {
    let mut stored: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for row in &exported.rows {
        stored.entry(&row.flash).or_default().insert(row.sequence);
    }
    let events = said.events.iter().map(|event| (event.flash.as_str(), event.sequence));
    let events: BTreeSet<(&str, u64)> = events.collect();
    let mut found = Vec::new();
    for (flash, stored) in &stored {
        let of_flash = || gaps.iter().filter(|gap| gap.flash == **flash);
        for gap in of_flash() {
            if let Some(sequence) = stored.range(gap.first..=gap.last).next() {
                found.push(format!("declared as a gap and stored: {flash} {sequence}"));
            }
        }
        let newest = stored.last().copied().unwrap_or(0);
        let is_known = |sequence: &u64| {
            stored.contains(sequence)
                || events.contains(&(flash, *sequence))
                || of_flash().any(|gap| (gap.first..=gap.last).contains(sequence))
        };
        let missing = (0..=newest).filter(|sequence| !is_known(sequence));
        found.extend(
            missing.map(|sequence| format!("neither stored nor declared: {flash} {sequence}")),
        );
    }
    found
}

/// Returns the places where, in the order of time, a series does not stand in the order of its sequences.
fn disorders(rows: &[Row]) -> Vec<String> {
    let mut newest: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    let mut found = Vec::new();
    // An export has the rows of a series in the order of their time.
    for row in rows {
        let series = (row.flash.as_str(), row.quantity.as_str(), row.position.as_str());
        let before = newest.insert(series, row.sequence);
        if let Some(before) = before.filter(|before| *before >= row.sequence) {
            found.push(format!("out of order: {series:?} has {} after {before}", row.sequence));
        }
    }
    found
}
