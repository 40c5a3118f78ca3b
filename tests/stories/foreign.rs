//! Strangers: clients in another language, with another CBOR and another MQTT library, written from the
//! CDDL alone, play the gateway to our image and a node to our gateway.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use harness::{
    Gateway, Image, Ledger, Mosquitto, Works, export, free_port, is_kept_flag, repository, run,
};

/// How often the image samples.
const INTERVAL_MS: u32 = 500;
/// How many readings the foreign gateway takes.
const READINGS_WANTED: usize = 120;

/// Debian's own Python: its packages are there for no other.
fn python(script: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(repository().join("tests/foreign").join(script));
    command
}

/// A foreign gateway decodes every frame of the image, and its commands are understood.
pub(crate) fn gateway() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let _broker = Mosquitto::start(folder.path(), mqtt)?;
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut image = Image::start(&works.image(mqtt, INTERVAL_MS), &ledger)?;
    let port = mqtt.port().to_string();
    let said =
        run(python("gateway.py").args([&port, "works", "bench"]).arg(READINGS_WANTED.to_string()))?;
    image.kill()?;
    ensure!(said.lines().last() == Some("done"), "it ended early: {said}");
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(ledger.garbled.is_empty(), "the ledger can't be read: {:?}", ledger.garbled);
    let mut taken = BTreeMap::new();
    for entry in &ledger.entries {
        let value = entry.value.as_ref().map_or_else(Clone::clone, ToString::to_string);
        let words = format!("{} {} {value}", entry.channel, entry.uptime_ms);
        taken.insert((entry.flash.clone(), entry.sequence), (words, entry.quality));
    }
    let mut count = 0;
    for line in said.lines().filter_map(|line| line.strip_prefix("reading ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [flash, sequence, channel, uptime, value, quality] = words[..] else {
            anyhow::bail!("not six words: {line}");
        };
        let key = (flash.to_owned(), sequence.parse()?);
        let (expected, flag) = taken.get(&key).with_context(|| format!("never taken: {line}"))?;
        ensure!(*expected == format!("{channel} {uptime} {value}"), "{line}, taken as {expected}");
        let quality: u8 = quality.parse()?;
        ensure!(flag.is_none_or(|flag| flag == quality), "{line}, taken with flag {flag:?}");
        count += 1;
    }
    ensure!(count >= READINGS_WANTED, "only {count} readings came");
    Ok(())
}

/// A foreign node is accepted, whichever MQTT it speaks.
pub(crate) fn node() -> Result<()> {
    node_of("5")?;
    node_of("311")
}

/// What it says stands in the export once, with its flags and its gap.
fn node_of(protocol: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let credentials = std::fs::read_to_string(&works.credentials)?;
    let secret = credentials.split_whitespace().nth(1).context("a credential is two words")?;
    let port = gateway.mqtt.port().to_string();
    let mut stranger = python("node.py");
    stranger.args([&port, "works", "bench"]).env("SECRET", secret).env("MQTT", protocol);
    let said = run(&mut stranger)?;
    ensure!(said.lines().last() == Some("done"), "it ended early: {said}");
    let exported = export(&works.data, &folder.path().join("export.csv"), "bench")?;
    let stored = exported.rows.iter().map(|row| {
        let value = row.value.as_ref().map_or_else(Clone::clone, ToString::to_string);
        (format!("reading {} {value}", row.sequence), row.quality)
    });
    let (stored, kept): (Vec<String>, Vec<u8>) = stored.unzip();
    let taken = said.lines().filter(|line| line.starts_with("reading "));
    let (taken, flags): (Vec<&str>, Vec<&str>) =
        taken.filter_map(|line| line.rsplit_once(' ')).unzip();
    ensure!(stored == taken, "stored {stored:?}, taken {taken:?}");
    for (kept, flag) in kept.iter().zip(&flags) {
        ensure!(is_kept_flag(*kept, flag.parse()?), "flags {kept:?}, taken with {flags:?}");
    }
    let gaps = exported.gaps("bench")?;
    ensure!(
        gaps.iter().any(|gap| (gap.first, gap.last, gap.reason.as_str()) == (10, 19, "unused")),
        "the gap is not declared: {gaps:?}"
    );
    Ok(())
}
