//! An update from the compiler's output to a node that runs it: keys and packages by the commands, a
//! stranger as the node, chunks lost, the gateway killed halfway.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Works, binary, free_port, repository, run, wait_for};
use serde_json::Value;

const TARGET: &str = "stranger";
const IMAGE_BYTES: usize = 60_001;
const PATIENCE: Duration = Duration::from_secs(30);

fn firmware(folder: &Path, words: &[&str]) -> Result<String> {
    run(Command::new(binary()?).current_dir(folder).arg("firmware").args(words))
}

fn rollout(client: &Client) -> Result<Option<Value>> {
    Ok(client.get("/firmware")?.pointer("/rollouts/0").cloned())
}

fn wait_for_state(client: &Client, state: &str) -> Result<Value> {
    wait_for(&format!("the update to be {state}"), PATIENCE, || {
        let rollout = rollout(client)?;
        Ok(rollout.filter(|it| it["state"] == state))
    })
}

/// A node takes a signed image with losses and a gateway killed halfway, and is known to run it.
pub(crate) fn update() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let image: Vec<u8> = (0..IMAGE_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    fs::write(folder.path().join("app.bin"), &image)?;
    let public = firmware(folder.path(), &["key", "--out", "key.pem"])?.trim().to_owned();
    let sign =
        ["sign", "--key", "key.pem", "--target", TARGET, "--release", "2", "--version", "0.2.0"];
    firmware(folder.path(), &[&sign[..], &["--image", "app.bin", "--out", "app.mpf"]].concat())?;
    let shown = firmware(folder.path(), &["show", "app.mpf", "--public", &public])?;
    let sum = shown.lines().find_map(|line| line.strip_prefix("sha256: "));
    let sum = sum.context("the package's sum is shown")?.to_owned();
    firmware(folder.path(), &["add", "--data", "data", "app.mpf"])?;

    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut gateway = Gateway::start(&works.settings(mqtt))?;
    let token = works.token("admin")?;
    let credentials = fs::read_to_string(&works.credentials)?;
    let secret = credentials.split_whitespace().nth(1).context("a credential is two words")?;
    let early = Client::new(gateway.http, &token)
        .post("/nodes/works/bench/firmware", &serde_json::json!({ "release": 2 }))?;
    ensure!(early.0 == 409, "a node that never reported is offered nothing: {early:?}");
    let mut stranger = Command::new("/usr/bin/python3")
        .arg(repository().join("tests/foreign/update.py"))
        .args([&mqtt.port().to_string(), "works", "bench", TARGET, &public])
        .arg(folder.path())
        .env("SECRET", secret)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(stranger.stdout.take().context("it is piped")?).lines();
    let mut next = || {
        lines.next().context("the stranger ended early; see its words above")?.map_err(Into::into)
    };

    let client = Client::new(gateway.http, &token);
    wait_for("the node to be offered the release", PATIENCE, || {
        let (status, _) =
            client.post("/nodes/works/bench/firmware", &serde_json::json!({ "release": 2 }))?;
        Ok((status == 202).then_some(()))
    })?;
    let half: Result<String> = next();
    ensure!(half? == "half", "it stops halfway");
    wait_for_state(&client, "wanting")?;
    gateway.kill()?;
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let client = Client::new(gateway.http, &token);
    let whole: String = next()?;
    let words: Vec<&str> = whole.split_whitespace().collect();
    ensure!(words.get(1) == Some(&sum.as_str()), "another image arrived: {whole}");
    let resumed: usize = words.get(2).context("it says where it went on")?.parse()?;
    ensure!((IMAGE_BYTES / 2..IMAGE_BYTES).contains(&resumed), "it went on at {resumed}");
    let confirmed = wait_for_state(&client, "confirmed")?;
    ensure!(confirmed["had"] == IMAGE_BYTES && confirmed["release"] == 2, "{confirmed}");
    let done: String = next()?;
    ensure!(done == "done" && stranger.wait()?.success(), "it ended early: {done}");
    let again = client.post("/nodes/works/bench/firmware", &serde_json::json!({ "release": 2 }))?;
    ensure!(again.0 == 422, "the running release is not offered: {again:?}");
    Ok(())
}
