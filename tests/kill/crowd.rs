//! The campaign against publishers: gateway and broker are killed so many times, the publishers never,
//! and at the end everything that they have taken must stand in a fresh export exactly once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use harness::{Gateway, Mosquitto, Settings, Verdict, Works, binary, export, free_port, run};

use crate::publishers::{Publisher, Shared};

/// The shortest and longest time between two kills, once everything runs.
const BETWEEN_KILLS_MS: (u64, u64) = (50, 900);
/// How long a part stays down.
const DOWN_MS: (u64, u64) = (0, 150);
/// When a start is cut short: from before it opens its files until after it is ready.
const START_MS: (u64, u64) = (5, 600);
/// One start in so many is cut short.
const CUT_SHORT_IN: u32 = 6;
/// After so many kills the other broker takes its turn.
const KILLS_A_BROKER: u32 = 25;
/// How long the last readings may take to arrive.
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);
/// How often the campaign says how far it is, in kills.
const TELL_EVERY: u32 = 50;

/// Kills gateway and broker `kills` times beside `count` publishers, and judges what was kept.
pub(crate) fn campaign(folder: &Path, kills: u32, count: u32, rng: &mut Rng) -> Result<Verdict> {
    let works = Works::build(folder)?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let shared = Arc::new(Shared::default());
    let publishers: Vec<Publisher> = (0..count)
        .map(|number| {
            let name = format!("ledger-{number}");
            let secret = add_node(&works, &name)?;
            Publisher::start(&name, &secret, number, mqtt, &shared)
        })
        .collect::<Result<_>>()?;
    let mut plant = Plant { settings: works.settings(mqtt), gateway: None, broker: None };
    let mut tally: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut done, mut told) = (0, 0);
    while done < kills {
        plant.turn(folder, (done / KILLS_A_BROKER) % 2 == 1)?;
        done += plant.kill_once(folder, rng, &mut tally)?;
        if done / TELL_EVERY > told {
            told = done / TELL_EVERY;
            let open = shared.open.load(Ordering::Relaxed);
            println!("{done} kills; {open} frames open");
        }
    }
    for (what, count) in &tally {
        println!("killed {what}: {count}");
    }
    plant.start(folder)?;
    settle(folder, &works, &mut plant, publishers, &shared)
}

fn add_node(works: &Works, name: &str) -> Result<String> {
    let line = run(Command::new(binary()?)
        .args(["node", "add", "--site", "works", "--node", name, "--zone", "house", "--data"])
        .arg(&works.data))?;
    let mut all = fs::read_to_string(&works.credentials)?;
    all.push_str(&line);
    fs::write(&works.credentials, all)?;
    let secret = line.split_whitespace().nth(1);
    secret.map(str::to_owned).context("a credential is two words")
}

struct Plant {
    settings: Settings,
    gateway: Option<Gateway>,
    broker: Option<Mosquitto>,
}

impl Plant {
    /// Changes the broker where it is the other one's turn, and starts what is not running.
    fn turn(&mut self, folder: &Path, outside: bool) -> Result<()> {
        if self.settings.outside != outside {
            self.gateway = None;
            self.broker = None;
            self.settings.outside = outside;
        }
        self.start(folder)
    }

    fn start(&mut self, folder: &Path) -> Result<()> {
        if self.settings.outside && self.broker.is_none() {
            self.broker = Some(Mosquitto::start(folder, self.settings.mqtt)?);
        }
        if self.gateway.is_none() {
            self.gateway = Some(Gateway::start(&self.settings)?);
        }
        Ok(())
    }

    /// Kills one part or both, and now and then a gateway that is only starting; returns how many.
    fn kill_once(
        &mut self,
        folder: &Path,
        rng: &mut Rng,
        tally: &mut BTreeMap<&str, u32>,
    ) -> Result<u32> {
        let mut count = |what: &'static str| *tally.entry(what).or_default() += 1;
        pause(rng, BETWEEN_KILLS_MS);
        let (of_gateway, of_broker) = match rng.u32(..4) {
            _ if !self.settings.outside => (true, false),
            0 => (false, true),
            1 => (true, true),
            _ => (true, false),
        };
        let mut killed = 0;
        if of_broker {
            self.broker.take().context("the broker runs")?.kill()?;
            count("Mosquitto");
            killed += 1;
        }
        if of_gateway {
            self.gateway.take().context("the gateway runs")?.kill()?;
            count(if self.settings.outside {
                "gateway beside Mosquitto"
            } else {
                "gateway with its own broker"
            });
            killed += 1;
        }
        pause(rng, DOWN_MS);
        if of_gateway && rng.u32(..CUT_SHORT_IN) == 0 {
            if self.settings.outside && self.broker.is_none() && rng.bool() {
                self.broker = Some(Mosquitto::start(folder, self.settings.mqtt)?);
            }
            let (least, most) = START_MS;
            Gateway::cut_short(&self.settings, Duration::from_millis(rng.u64(least..=most)))?;
            count("gateway while it starts");
            killed += 1;
        }
        Ok(killed)
    }
}

fn pause(rng: &mut Rng, (least, most): (u64, u64)) {
    std::thread::sleep(Duration::from_millis(rng.u64(least..=most)));
}

/// Lets everything arrive that was taken, cuts the power once more, and judges the export.
fn settle(
    folder: &Path,
    works: &Works,
    plant: &mut Plant,
    publishers: Vec<Publisher>,
    shared: &Shared,
) -> Result<Verdict> {
    shared.is_closed.store(true, Ordering::Relaxed);
    let began = Instant::now();
    while shared.open.load(Ordering::Relaxed) > 0 && began.elapsed() < DRAIN_PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
    }
    let open = shared.open.load(Ordering::Relaxed);
    shared.is_over.store(true, Ordering::Relaxed);
    // What was acknowledged last is on disk, or it was said too early.
    plant.gateway.take().context("the gateway runs")?.kill()?;
    let (mut sum, mut acknowledged, mut broken) = (Verdict::default(), 0, 0);
    for publisher in publishers {
        let (name, ledger, named) = (publisher.name.clone(), publisher.ledger(), publisher.named());
        publisher.end()?;
        ensure!(!ledger.entries.is_empty(), "{name} took nothing");
        let exported = export(&works.data, &folder.join("export.csv"), &name)?;
        let verdict = ledger.judge(&exported.rows);
        let stored: BTreeSet<u64> = exported.rows.iter().map(|row| row.sequence).collect();
        acknowledged += named.len();
        broken += named.difference(&stored).count();
        sum.kept += verdict.kept;
        sum.lost += verdict.lost;
        sum.doubled += verdict.doubled;
        sum.unsaid += verdict.unsaid;
        sum.examples.extend(verdict.examples.into_iter().map(|it| format!("{name}: {it}")));
    }
    println!("acknowledged={acknowledged} of which lost={broken}");
    println!("frames that were never acknowledged: {open}");
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use harness::{Entry, Ledger, Row};

    #[test]
    fn a_ledger_knows_what_was_lost_and_what_stands_twice() {
        let entry = |sequence| Entry {
            flash: "5eed0000".to_owned(),
            boot: 1,
            sequence,
            channel: 0,
            uptime_ms: sequence,
            value: Ok(20_000),
            quality: None,
        };
        let place = ("air_temperature".to_owned(), "canopy".to_owned());
        let ledger = Ledger {
            entries: vec![entry(1), entry(2)],
            channels: [(0, place)].into(),
            ..Ledger::default()
        };
        let row = |sequence| Row {
            flash: "5eed0000".to_owned(),
            sequence,
            quantity: "air_temperature".to_owned(),
            position: "canopy".to_owned(),
            value: Ok(20_000),
            quality: 1,
        };
        let judge = |rows: &[Row]| {
            let verdict = ledger.judge(rows);
            (verdict.kept, verdict.lost, verdict.doubled)
        };
        assert_eq!(judge(&[row(1), row(2)]), (2, 0, 0));
        assert_eq!(judge(&[row(1)]), (1, 1, 0));
        assert_eq!(judge(&[row(1), row(2), row(2)]), (2, 0, 1));
    }
}
