//! A gateway is watched from outside: metrics, log and supervisor say what happens, and no secret.

use std::{
    fs,
    net::SocketAddr,
    os::unix::net::UnixDatagram,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Metrics, Simulation, Works, binary, run, wait_for};
use serde_json::{Value, json};

const NODES: usize = 5;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let credentials = Simulation::settle(&works, NODES)?;
    let notified = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&notified)?;
    supervisor.set_read_timeout(Some(Duration::from_secs(10)))?;
    let socket = notified.to_string_lossy();
    // Everything that there is to be logged.
    let tables = "[log]\nformat = \"json\"\nfilter = \"trace\"\n";
    let environment = [("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "400000")];
    let mqtt = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = Gateway::start_with(&works.settings(mqtt), tables, &environment)?;
    ensure!(heard(&supervisor)? == "READY=1\n", "the supervisor did not hear that it is ready");
    let began = Instant::now();
    for _ in 0..4 {
        ensure!(heard(&supervisor)? == "WATCHDOG=1\n", "the supervisor hears no sign of life");
    }
    ensure!(began.elapsed() < Duration::from_secs(3), "signs of life come too late");

    let token = works.token("viewer")?;
    let (viewer, stranger) =
        (Client::new(gateway.http, &token), Client::new(gateway.http, "wrong"));
    ensure!(stranger.text("/metrics")?.0 == 401, "a stranger may read the metrics");
    let before = collect(&viewer)?;
    ensure!(before.get("miaopu_readings_kept_total")? == 0.0, "readings before the first");
    let nodes =
        Simulation::start(gateway.mqtt, &credentials, &folder.path().join("flash"), "500ms")?;
    let secrets = secrets(&works, &credentials, &token)?;
    sign_in(&viewer, &secrets)?;
    let after = wait_for("readings in the metrics", Duration::from_secs(60), || {
        let metrics = collect(&viewer)?;
        Ok((metrics.get("miaopu_readings_kept_total")? >= 100.0).then_some(metrics))
    })?;
    judge_metrics(&before, &after)?;
    let text = viewer.text("/metrics")?.1;
    for secret in secrets.iter().map(String::as_str).chain(["sim-01", "works"]) {
        ensure!(!text.contains(secret), "the metrics hold `{secret}`");
    }
    drop(nodes);
    ends_in_order(&gateway, &supervisor)?;
    judge_log(&works, &secrets)?;
    other_formats_are_refused()
}

fn heard(socket: &UnixDatagram) -> Result<String> {
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).context("the supervisor hears nothing")?;
    Ok(String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned())
}

fn collect(client: &Client) -> Result<Metrics> {
    let (status, text) = client.text("/metrics")?;
    ensure!(status == 200, "/metrics: {status}: {text}");
    Metrics::parse(&text)
}

/// Everything that must not be told to anybody.
fn secrets(works: &Works, credentials: &std::path::Path, token: &str) -> Result<Vec<String>> {
    let lines = fs::read_to_string(credentials)?;
    let mut secrets: Vec<String> =
        lines.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect();
    ensure!(secrets.len() == NODES, "credentials: {lines}");
    secrets.push(token.to_owned());
    let said = fs::read_to_string(works.folder.join("gateway.out"))?;
    let line = said.lines().find_map(|line| line.split_once("one-time password: "));
    secrets.push(line.context("no one-time password")?.1.trim().to_owned());
    Ok(secrets)
}

/// A person signs in, once wrongly.
fn sign_in(client: &Client, secrets: &[String]) -> Result<()> {
    let password = secrets.last().context("the password is a secret")?;
    let (status, _) = client.post("/session", &json!({ "user": "admin", "password": "wrong" }))?;
    ensure!(status == 401, "a wrong password: {status}");
    let (status, _) = client.post("/session", &json!({ "user": "admin", "password": password }))?;
    ensure!(status == 200, "signing in: {status}");
    ensure!(client.get("/alarms/999").is_err(), "there is an alarm 999");
    Ok(())
}

fn judge_metrics(before: &Metrics, after: &Metrics) -> Result<()> {
    let online = after.get("miaopu_nodes{state=\"online\"}")?;
    ensure!(online == NODES as f64, "{online} nodes are online");
    ensure!(after.get("miaopu_nodes_known")? == NODES as f64 + 1.0, "nodes that are known");
    for rising in ["frames_received_total", "commits_total", "acknowledgements_total"] {
        let name = format!("miaopu_{rising}");
        ensure!(after.get(&name)? > before.get(&name)?, "{name} does not move");
    }
    let commits = after.get("miaopu_commit_duration_seconds_count")?;
    ensure!(commits >= after.get("miaopu_commits_total")?, "{commits} commits were timed");
    ensure!(after.get("miaopu_judge_lag_commits")? < 200.0, "judging lags behind");
    ensure!(after.get("miaopu_reserve_present")? == 1.0, "there is no reserve");
    ensure!(after.get("miaopu_store_bytes")? > 1_000.0, "the store has no bytes");
    ensure!(after.get("miaopu_process_resident_memory_bytes")? > 1e6, "no memory");
    let alarm =
        "miaopu_http_requests_total{method=\"GET\",route=\"/api/v1/alarms/{id}\",status=\"404\"}";
    ensure!(after.get(alarm)? == 1.0, "the route of an alarm is not counted by its template");
    let routes = after.values_of("route")?;
    ensure!(routes.len() < 10, "routes are not templates: {routes:?}");
    let of_ours = |name: &str| name.starts_with("miaopu_");
    ensure!(after.families().all(of_ours), "families without our name");
    println!("  {} families of metrics", after.families().count());
    Ok(())
}

fn ends_in_order(gateway: &Gateway, supervisor: &UnixDatagram) -> Result<()> {
    // A socket holds ten messages (`net.unix.max_dgram_qlen`). Nobody has read the signs of life meanwhile,
    // and the farewell would find it full.
    supervisor.set_nonblocking(true)?;
    while heard(supervisor).is_ok() {}
    supervisor.set_nonblocking(false)?;
    run(Command::new("kill").args(["-TERM", &gateway.id().to_string()]))?;
    let began = Instant::now();
    while heard(supervisor)? != "STOPPING=1\n" {
        ensure!(began.elapsed() < Duration::from_secs(10), "the end was not told");
    }
    let status = format!("/proc/{}/stat", gateway.id());
    wait_for("the gateway to end", Duration::from_secs(20), || {
        // One that has ended waits for its parent as a zombie.
        let state = fs::read_to_string(&status).unwrap_or_default();
        Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
    })
}

/// Every line is one JSON object with its time, level, target and fields.
fn judge_log(works: &Works, secrets: &[String]) -> Result<()> {
    let log = fs::read_to_string(works.folder.join("gateway.log"))?;
    ensure!(log.lines().count() > 20, "a log of {} lines", log.lines().count());
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).with_context(|| format!("log: {line}"))?;
        let told = value["timestamp"].is_string() && value["target"].is_string();
        let level = value["level"].as_str().unwrap_or_default();
        let known = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level);
        ensure!(told && known && value["fields"].is_object(), "log: {line}");
    }
    for (number, secret) in secrets.iter().enumerate() {
        if let Some(line) = log.lines().find(|line| line.contains(secret.as_str())) {
            anyhow::bail!("the log holds secret {number}: {line}");
        }
        // As the bytes of a packet would be printed.
        let bytes: Vec<String> = secret.bytes().take(8).map(|byte| byte.to_string()).collect();
        let bytes = bytes.join(", ");
        if let Some(line) = log.lines().find(|line| line.contains(&bytes)) {
            anyhow::bail!("the log holds the bytes of secret {number}: {line}");
        }
    }
    Ok(())
}

fn other_formats_are_refused() -> Result<()> {
    let output = Command::new(binary()?)
        .args(["demo", "--data", "/nonexistent/x"])
        .env("MIAOPU_LOG_FORMAT", "xml")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(64) && said.contains("xml"), "{}: {said}", output.status);
    Ok(())
}
