//! The kill campaign: gateway, image and broker are killed with -9 at random instants, and at the end
//! every reading of the image's ledger must stand in a fresh export exactly once.
//!
//! Even rounds use the gateway's own broker, odd ones a Mosquitto in default configuration. The last
//! line is `kept=… lost=… doubled=…`; the exit code is 0 only where nothing was lost or doubled.
//!
//! With `--kills N` gateway and broker are killed N times against publishers in the campaign's own
//! process, each with a ledger; there is no image then, and a kill takes a second or two.
#![expect(clippy::disallowed_methods, reason = "a campaign runs on the wall clock")]

#[path = "kill/crowd.rs"]
mod crowd;
#[path = "kill/publishers.rs"]
mod publishers;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;
use harness::{
    Gateway, Image, ImageSettings, Ledger, Mosquitto, Settings, Verdict, Works, export, free_port,
};

/// Kills gateway, image and broker at random and counts what was lost or doubled.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rounds of a few seconds and a few kills each.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Draws the instants and the targets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the build under test has broken on purpose; only told, the build itself differs.
    #[arg(long = "break", value_parser = ["dedup", "ack", "flash"])]
    broken: Option<String>,
    /// The image to run; built by its runner where absent.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Kills gateway and broker this many times against publishers, in place of rounds with the image.
    #[arg(long)]
    kills: Option<u32>,
    /// How many publishers.
    #[arg(long, default_value_t = 4, requires = "kills")]
    publishers: u32,
    /// Leaves the folder of the campaign behind.
    #[arg(long)]
    keep: bool,
}

/// How often the image samples its five channels.
const INTERVAL_MS: u32 = 250;
/// The shortest and longest time between two kills.
const BETWEEN_KILLS_MS: (u64, u64) = (300, 3_500);
/// How long a part stays down, at least and at most.
const DOWN_MS: (u64, u64) = (0, 1_200);
/// How long the node outlives the gateway when the mains fail.
const MAINS_MS: (u64, u64) = (800, 1_600);
/// How many kills a round has.
const KILLS_A_ROUND: u32 = 3;
/// A part this young is `starting`.
const YOUNG: Duration = Duration::from_millis(1_500);
/// How long the last readings may take to arrive once everything runs again.
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);
/// After this long without any arrival nothing more is waited for: a node sends again after 30 s.
const STILL_PATIENCE: Duration = Duration::from_secs(45);

fn main() -> ExitCode {
    match campaign(&Arguments::parse()) {
        Ok(verdict) if verdict.kept > 0 && verdict.lost == 0 && verdict.doubled == 0 => {
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kill: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(arguments: &Arguments) -> Result<Verdict> {
    let mut rng = Rng::with_seed(arguments.seed);
    let mut folder = tempfile::tempdir()?;
    folder.disable_cleanup(arguments.keep);
    if let Some(broken) = &arguments.broken {
        println!("broken on purpose: {broken}");
    }
    if let Some(kills) = arguments.kills {
        let publishers = arguments.publishers;
        println!("{kills} kills beside {publishers} publishers, seed {}", arguments.seed);
        let verdict = crowd::campaign(folder.path(), kills, publishers, &mut rng)?;
        tell(&verdict);
        return Ok(verdict);
    }
    println!("campaign of {} rounds, seed {}", arguments.rounds, arguments.seed);
    let mut plant = Plant::build(folder.path().to_owned(), arguments.image.clone())?;
    let mut kills: BTreeMap<(Target, &str), u32> = BTreeMap::new();
    for round in 0..arguments.rounds {
        plant.begin_round(round % 2 == 1)?;
        for _ in 0..KILLS_A_ROUND {
            pause(&mut rng, BETWEEN_KILLS_MS);
            // Half of the time a second part goes while the first one is away.
            let mut down = vec![plant.choose(&mut rng)];
            let second = plant.choose(&mut rng);
            if rng.bool() && !down.contains(&second) {
                down.push(second);
            }
            for target in &down {
                *kills.entry((*target, plant.phase(*target))).or_default() += 1;
                plant.kill(*target)?;
                pause(&mut rng, DOWN_MS);
            }
            plant.start_all(down)?;
        }
        // Once a round the mains fail: the node has readings that nobody has, and goes too.
        for target in [Target::Gateway, Target::Image] {
            *kills.entry((target, plant.phase(target))).or_default() += 1;
            plant.kill(target)?;
            pause(&mut rng, MAINS_MS);
        }
        plant.start_all(vec![Target::Gateway, Target::Image])?;
        let said = plant.ledger.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
        println!("round {}: {said} readings taken", round + 1);
    }
    for ((target, phase), count) in &kills {
        println!("killed {target:?} {phase}: {count}");
    }
    let verdict = plant.settle()?;
    tell(&verdict);
    Ok(verdict)
}

fn tell(verdict: &Verdict) {
    for example in &verdict.examples {
        println!("  {example}");
    }
    println!("stored before the ledger could say so: {}", verdict.unsaid);
    println!("kept={} lost={} doubled={}", verdict.kept, verdict.lost, verdict.doubled);
}

fn pause(rng: &mut Rng, (least, most): (u64, u64)) {
    std::thread::sleep(Duration::from_millis(rng.u64(least..=most)));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Broker,
    Gateway,
    Image,
}

/// Everything that can be killed, and the ledger that outlives it.
struct Plant {
    folder: PathBuf,
    settings: Settings,
    image_settings: ImageSettings,
    gateway: Option<Gateway>,
    image: Option<Image>,
    broker: Option<Mosquitto>,
    began: BTreeMap<Target, Instant>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Plant {
    fn build(folder: PathBuf, elf: Option<PathBuf>) -> Result<Self> {
        let works = Works::build(&folder)?;
        let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let settings = works.settings(mqtt);
        let image_settings = ImageSettings { elf, ..works.image(mqtt, INTERVAL_MS) };
        Ok(Self {
            folder,
            settings,
            image_settings,
            gateway: None,
            image: None,
            broker: None,
            began: BTreeMap::new(),
            ledger: Arc::default(),
        })
    }

    /// Changes the broker where the round asks for another one, and starts what is not running.
    fn begin_round(&mut self, outside: bool) -> Result<()> {
        if self.gateway.is_none() || self.settings.outside != outside {
            self.gateway = None;
            self.broker = None;
            self.settings.outside = outside;
            if outside {
                self.start(Target::Broker)?;
            }
            self.start(Target::Gateway)?;
        }
        if self.image.is_none() { self.start(Target::Image) } else { Ok(()) }
    }

    fn choose(&self, rng: &mut Rng) -> Target {
        let all = [Target::Gateway, Target::Image, Target::Broker];
        let choice = if self.settings.outside { rng.usize(..3) } else { rng.usize(..2) };
        all.get(choice).copied().unwrap_or(Target::Gateway)
    }

    /// Names what was going on when a part was killed.
    fn phase(&self, target: Target) -> &'static str {
        let young = |of: &Target| self.began.get(of).is_some_and(|began| began.elapsed() < YOUNG);
        if young(&target) {
            "starting"
        } else if [Target::Gateway, Target::Image, Target::Broker].iter().any(young) {
            "while another part recovers"
        } else {
            "in steady flow"
        }
    }

    fn kill(&mut self, target: Target) -> Result<()> {
        match target {
            Target::Gateway => self.gateway.take().context("the gateway runs")?.kill(),
            Target::Image => self.image.take().context("the image runs")?.kill(),
            Target::Broker => self.broker.take().context("the broker runs")?.kill(),
        }
    }

    fn start(&mut self, target: Target) -> Result<()> {
        match target {
            Target::Gateway => self.gateway = Some(Gateway::start(&self.settings)?),
            Target::Image => {
                self.image = Some(Image::start(&self.image_settings, &self.ledger)?);
            }
            Target::Broker => {
                self.broker = Some(Mosquitto::start(&self.folder, self.settings.mqtt)?);
            }
        }
        self.began.insert(target, Instant::now());
        Ok(())
    }

    /// A gateway waits for its broker, so the broker comes first.
    fn start_all(&mut self, mut down: Vec<Target>) -> Result<()> {
        down.sort();
        down.into_iter().try_for_each(|target| self.start(target))
    }

    /// Lets everything arrive that was said until now, and judges it.
    fn settle(&mut self) -> Result<Verdict> {
        let said = self.snapshot();
        ensure!(said.garbled.is_empty(), "the ledger can't be read: {:?}", said.garbled);
        ensure!(!said.entries.is_empty(), "the image took no reading");
        let began = Instant::now();
        let mut last_arrival = (began, usize::MAX);
        loop {
            std::thread::sleep(Duration::from_secs(2));
            let exported = export(&self.settings.data, &self.folder.join("export.csv"), "bench")?;
            let verdict = said.judge(&exported.rows);
            if verdict.lost < last_arrival.1 {
                last_arrival = (Instant::now(), verdict.lost);
            }
            let is_still = last_arrival.0.elapsed() > STILL_PATIENCE;
            if verdict.lost == 0 || is_still || began.elapsed() > DRAIN_PATIENCE {
                return self.judge_all(verdict);
            }
        }
    }

    /// Judges once more with what the image said meanwhile, so that a late double is seen too.
    fn judge_all(&mut self, drained: Verdict) -> Result<Verdict> {
        self.kill(Target::Image)?;
        let exported = export(&self.settings.data, &self.folder.join("export.csv"), "bench")?;
        let verdict = self.snapshot().judge(&exported.rows);
        Ok(Verdict {
            unsaid: verdict.unsaid,
            doubled: verdict.doubled.max(drained.doubled),
            ..drained
        })
    }

    fn snapshot(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
