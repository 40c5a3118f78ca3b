//! The demonstration: live within seconds, one alarm because a mist valve failed, cleared after the
//! repair; none without faults; another house with another seed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use harness::{Client, binary, run, wait_for};
use serde_json::Value;

/// Once started, the houses are live this soon.
const LIVE_WITHIN: Duration = Duration::from_secs(10);
/// The alarm is raised and cleared this soon.
const STORY_WITHIN: Duration = Duration::from_secs(130);
const HOUSES: usize = 5;

struct Demonstration {
    child: Child,
    client: Client,
    began: Instant,
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the demonstration could not be ended: {error}");
        }
    }
}

pub(crate) fn tell() -> Result<()> {
    let first = thread::spawn(|| failing_house(1));
    let second = thread::spawn(|| failing_house(2));
    let calm = thread::spawn(nothing_fails);
    let panicked = |_| anyhow!("a demonstration panicked");
    // All have ended before one is judged: a story that fails leaves no demonstration running.
    let (first, second, calm) = (first.join(), second.join(), calm.join());
    let first = first.map_err(panicked)??;
    let second = second.map_err(panicked)??;
    calm.map_err(panicked)??;
    ensure!(first != second, "both seeds fail the same house `{first}`");
    Ok(())
}

fn start(folder: &Path, arguments: &[&str]) -> Result<Demonstration> {
    let began = Instant::now();
    let data = folder.join("data");
    let log = File::create(folder.join("demo.log"))?;
    let mut child = Command::new(binary()?)
        .args(["demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data"])
        .arg(&data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let output = BufReader::new(child.stdout.take().context("its output is piped")?);
    let mut lines = output.lines();
    let ready = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("ready "));
    let ready = ready.context("the demonstration did not say `ready`")?;
    thread::spawn(move || lines.map_while(Result::ok).count());
    let http = ready.split_whitespace().find_map(|word| word.strip_prefix("http="));
    let http = http.context("`ready` says where http is")?.parse()?;
    let token = run(Command::new(binary()?)
        .args(["token", "new", "--name", "story", "--role", "viewer", "--data"])
        .arg(&data))?;
    Ok(Demonstration { child, client: Client::new(http, &token), began })
}

/// Waits until every house shows a fresh reading.
fn live(demonstration: &Demonstration) -> Result<Duration> {
    wait_for("all houses to be live", Duration::from_secs(60), || {
        let overview = demonstration.client.get("/overview")?;
        let now_ms = overview["now_ms"].as_i64().unwrap_or_default();
        let zones = overview["zones"].as_array().cloned().unwrap_or_default();
        let fresh = |zone: &&Value| {
            zone["newest_ms"].as_i64().is_some_and(|newest| now_ms - newest < 5 * 60_000)
        };
        Ok((zones.iter().filter(fresh).count() >= HOUSES).then(|| demonstration.began.elapsed()))
    })
}

fn alarms(demonstration: &Demonstration) -> Result<Vec<Value>> {
    let listed = demonstration.client.get("/alarms?state=all")?;
    let alarms = listed["alarms"].as_array().cloned().unwrap_or_default();
    Ok(alarms.into_iter().filter(|alarm| alarm["history"] != true).collect())
}

/// Follows the alarm of a failed mist valve and returns its house.
fn failing_house(seed: u64) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let demonstration = start(folder.path(), &["--seed", &seed.to_string()])?;
    let after = live(&demonstration)?;
    println!("  seed {seed}: live after {after:?}");
    ensure!(after <= LIVE_WITHIN, "seed {seed}: live only after {after:?}");
    let raised = wait_for("the alarm", STORY_WITHIN, || {
        Ok(alarms(&demonstration)?.into_iter().find(|alarm| alarm["kind"] == "limit"))
    })?;
    println!("  seed {seed}: raised after {:?}", demonstration.began.elapsed());
    ensure!(raised["quantity"] == "relative_humidity", "seed {seed}: {raised}");
    let left = STORY_WITHIN.saturating_sub(demonstration.began.elapsed());
    wait_for("the return after the repair", left, || {
        let all = alarms(&demonstration)?;
        Ok(all.iter().any(|alarm| alarm["returned_ms"].is_number()).then_some(()))
    })?;
    println!("  seed {seed}: returned after {:?}", demonstration.began.elapsed());
    let zones: BTreeSet<String> = alarms(&demonstration)?
        .iter()
        .filter_map(|alarm| alarm["zone"].as_str().map(str::to_owned))
        .collect();
    ensure!(zones.len() == 1, "seed {seed}: alarms in {zones:?}");
    zones.into_iter().next().context("the alarm names its zone")
}

fn nothing_fails() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let demonstration = start(folder.path(), &["--no-faults"])?;
    live(&demonstration)?;
    let until = STORY_WITHIN.saturating_sub(demonstration.began.elapsed());
    thread::sleep(until);
    let raised = alarms(&demonstration)?;
    ensure!(raised.is_empty(), "raised without a fault: {raised:?}");
    Ok(())
}
