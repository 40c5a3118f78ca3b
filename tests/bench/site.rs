//! The site that the nodes stand on, and its gateway: a limit above and below each channel, so that
//! every reading is judged by two of them, by its input and by its silence.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::{Gateway, Settings, binary, free_port, run};
use measure::{NodeKey, Slug, Timestamp};
use store::{Store as _, embedded::Engine};

use crate::feed::{CHANNELS, READINGS};

const HEAD: &str = r#"
[[site]]
id = "works"
names = { zh = "试验场", en = "Proving ground" }
position = { latitude = 29.15, longitude = 107.10 }
time_zone = "Asia/Shanghai"

[[zone]]
site = "works"
id = "house"
names = { zh = "试验棚", en = "Proving house" }
kind = "house"
expected_interval_ms = 60000
"#;

pub(crate) struct Site {
    /// Goes with the site.
    _folder: tempfile::TempDir,
    folder: PathBuf,
    pub(crate) nodes: Vec<(NodeKey, Option<String>)>,
}

impl Site {
    pub(crate) fn build(nodes: usize) -> Result<Self> {
        let temporary = tempfile::tempdir()?;
        let folder = temporary.path().to_owned();
        let mut plan = HEAD.to_owned();
        for (quantity, mean, swing) in CHANNELS {
            let step = f64::from(quantity.steps_per_unit());
            // Air temperature: 34.44 °C; the others as far from their swing. None measures below 0.
            let (high, low) = (mean + 2 * swing + mean / 50, (mean - 3 * swing).max(0));
            for (side, limit) in [("high", high), ("low", low)] {
                writeln!(
                    plan,
                    "[[zone.overrides]]\nquantity = \"{}\"\nside = \"{side}\"\n\
                     severity = \"critical\"\nlimit = {:?}\non_delay_ms = 0\noff_delay_ms = 0\n\
                     reason = \"for the measurement\"",
                    quantity.name(),
                    f64::from(limit) / step
                )?;
            }
        }
        std::fs::write(folder.join("plan.toml"), plan)?;
        let data = folder.join("data");
        run(Command::new(binary()?)
            .args(["apply", "--data"])
            .arg(&data)
            .arg(folder.join("plan.toml")))?;
        let nodes = names(nodes)?.into_iter().map(|key| {
            let said = run(Command::new(binary()?)
                .args(["node", "add", "--site", "works", "--zone", "house"])
                .args(["--node", key.node.as_str(), "--data"])
                .arg(&data))?;
            let secret = said.split_whitespace().nth(1).context("a node has a secret")?;
            Ok((key, Some(secret.to_owned())))
        });
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        Ok(Self { _folder: temporary, folder, nodes })
    }

    /// Starts its gateway with the broker inside.
    pub(crate) fn gateway(&self) -> Result<Gateway> {
        let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let http = SocketAddr::from(([127, 0, 0, 1], 0));
        let data = self.folder.join("data");
        Gateway::start(&Settings { data, http, mqtt, outside: false })
    }

    /// Issues a token.
    pub(crate) fn token(&self) -> Result<String> {
        let said = run(Command::new(binary()?)
            .args(["token", "new", "--role", "viewer", "--name", "bench", "--data"])
            .arg(self.folder.join("data")))?;
        Ok(said.trim().to_owned())
    }

    /// Checks in the store that each node's sequences from 1 to what it was told are there, each
    /// once; `exact`: and no others.
    pub(crate) fn check(&self, frames: &[u64], exact: bool) -> Result<u64> {
        let engine = Engine::open_read_only(&self.folder.join("data").join("store"))?;
        let mut seen: Vec<HashSet<u64>> = frames.iter().map(|_| HashSet::new()).collect();
        let mut doubled = 0_u64;
        for (id, key) in engine.series()? {
            let Some(number) = self.nodes.iter().position(|(node, _)| *node == key.node) else {
                continue;
            };
            let of_node = seen.get_mut(number).context("a node has a set")?;
            engine.scan(id, Timestamp::MIN, Timestamp::MAX, &mut |sample| {
                if let Some(taken) = sample.taken {
                    doubled += u64::from(!of_node.insert(taken.sequence.0));
                }
                ControlFlow::Continue(())
            })?;
        }
        ensure!(doubled == 0, "{doubled} readings are stored twice");
        let mut kept = 0;
        for (number, (seen, frames)) in seen.iter().zip(frames).enumerate() {
            let lost = (1..=frames * READINGS).filter(|sequence| !seen.contains(sequence)).count();
            ensure!(lost == 0, "node {number}: {lost} of {} readings are lost", frames * READINGS);
            let beyond = seen.len() as u64 - frames * READINGS;
            ensure!(!exact || beyond == 0, "node {number}: {beyond} readings that it did not take");
            kept += seen.len() as u64;
        }
        Ok(kept)
    }
}

/// Returns the names of nodes: `works/n0` and on.
pub(crate) fn names(nodes: usize) -> Result<Vec<NodeKey>> {
    let site = Slug::new("works")?;
    let key = |n: usize| Ok(NodeKey { site: site.clone(), node: Slug::new(&format!("n{n}"))? });
    (0..nodes).map(key).collect()
}
