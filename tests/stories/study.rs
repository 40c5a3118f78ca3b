//! A researcher takes a study of a batch that was moved and went through stages: the page's ZIP and the
//! command's folder are the same bytes, the sums hold, and a brute force over the raw readings, written
//! in another language, finds the same numbers.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Works, binary, run};
use serde_json::json;

/// Minutes between two readings of a channel.
const EVERY: usize = 2;
/// Minutes of the recording: two days and a half from 2025-07-01.
const MINUTES: usize = 3_600;
/// Nothing was recorded in the house meanwhile.
const SILENCE: std::ops::Range<usize> = 700..790;

/// A house more, whose own light makes its day, and a node there.
const YARD: &str = r#"
[[zone]]
site = "works"
id = "yard"
names = { zh = "炼苗场", en = "Hardening yard" }
kind = "house"
expected_interval_ms = 600000
day = { by = "lamp", spans = [{ on = "06:00", off = "20:30" }] }
"#;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    grow(&works)?;
    let gateway = Gateway::start(&works.settings(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let recording = folder.path().join("recorded.csv");
    record(&recording)?;
    run(Command::new(binary()?)
        .args(["replay", "--mqtt", &gateway.mqtt.to_string(), "--credentials"])
        .arg(&works.credentials)
        .arg(&recording))?;
    raise(&Client::new(gateway.http, &works.token("grower")?))?;

    let token = works.token("researcher")?;
    let client = Client::new(gateway.http, &token);
    let asked = json!({ "batches": ["works/rice-1", "works/rice-2"] });
    let (status, preview) = client.post("/studies/preview", &asked)?;
    ensure!(status == 200, "preview: {status}: {preview}");
    for command in ["curl", "python", "r", "miaopu"] {
        let line = preview["commands"][command].as_str().context("a command line")?;
        ensure!(!line.contains(&token), "the {command} line holds a secret");
    }
    let python = preview["commands"]["python"].as_str().context("a command line")?;
    run(Command::new("python3")
        .args(["-c", python])
        .env("MIAOPU_TOKEN", &token)
        .current_dir(folder.path()))
    .context("the page's own lines of Python")?;
    let zip = folder.path().join("study.zip");
    let (from, to) = (preview["from"].as_str(), preview["to"].as_str());
    let span = from.zip(to).context("a span")?;
    let study = command(&works, span, &folder.path().join("study"))?;
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&study))?;
    let said = run(Command::new("python3").arg(brute_force()).arg(&study).arg(&zip))?;
    ensure!(said.contains("0 differ"), "{said}");
    println!("  {}", said.trim());
    let again = command(&works, span, &folder.path().join("again"))?;
    let sums = |folder: &Path| fs::read_to_string(folder.join("SHA256SUMS"));
    ensure!(sums(&study)? == sums(&again)?, "other bytes the second time");
    notices_a_change(&study)?;
    refuses(&works, &study)
}

fn brute_force() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("exposure_brute_force.py")
}

/// Adds a yard and a second node.
fn grow(works: &Works) -> Result<()> {
    let plan = works.folder.join("yard.toml");
    fs::write(&plan, YARD)?;
    run(Command::new(binary()?).args(["apply", "--data"]).arg(&works.data).arg(&plan))?;
    let line = run(Command::new(binary()?)
        .args(["node", "add", "--site", "works", "--node", "mast", "--zone", "yard", "--data"])
        .arg(&works.data))?;
    let known = fs::read_to_string(&works.credentials)?;
    Ok(fs::write(&works.credentials, format!("{}\n{}\n", known.trim(), line.trim()))?)
}

/// Begins two batches in the past, and moves and raises the first.
fn raise(client: &Client) -> Result<()> {
    let post = |path: &str, body: serde_json::Value| -> Result<()> {
        let (status, said) = client.post(path, &body)?;
        ensure!(status < 300, "POST {path}: {status}: {said}");
        Ok(())
    };
    let begin = |batch: &str, at: &str, position: Option<&str>| {
        json!({
            "site": "works", "batch": batch, "label": "=早稻, \"甲\"", "crop": "rice",
            "method": "tray", "stage": "5-dark-emergence", "zone": "house",
            "position": position, "started": at,
        })
    };
    post("/batches", begin("rice-1", "2025-07-01T00:37:05Z", None))?;
    post("/batches", begin("rice-2", "2025-07-01T12:00:00.25Z", Some("tray")))?;
    let stage = |stage: &str, at: &str| json!({ "stage": stage, "at": at });
    post("/batches/works/rice-1/stage", stage("6-to-1-leaf", "2025-07-01T10:23:00Z"))?;
    let there = json!({ "zone": "yard", "at": "2025-07-02T03:11:07Z", "reason": "to harden" });
    post("/batches/works/rice-1/move", there)?;
    post("/batches/works/rice-1/stage", stage("7-2-leaf", "2025-07-02T20:00:00.5Z"))?;
    let end = json!({ "reason": "dispatched", "at": "2025-07-03T18:00:00Z" });
    post("/batches/works/rice-1/close", end.clone())?;
    post("/batches/works/rice-2/close", end)
}

/// Writes a recording of two nodes: the house falls silent for a while, the yard is uneven.
fn record(path: &Path) -> Result<()> {
    let mut text = "time,site,node,quantity,position,unit,value\n".to_owned();
    for minute in (0..MINUTES).step_by(EVERY) {
        let (day, of_day) = (1 + minute / 1_440, minute % 1_440);
        let time = format!("2025-07-{day:02}T{:02}:{:02}:00Z", of_day / 60, of_day % 60);
        let turn = (minute as f64 / 1_440.0) * std::f64::consts::TAU;
        let (warm, wet) = (24.0 + 7.0 * turn.sin(), 78.0 - 15.0 * turn.sin());
        let light = (60_000.0 * turn.sin()).max(0.0);
        let mut line = |node: &str, position: &str, quantity: &str, unit: &str, value: f64| {
            writeln!(text, "{time},works,{node},{quantity},{position},{unit},{value:.2}")
        };
        if !SILENCE.contains(&minute) {
            line("bench", "canopy", "air_temperature", "Cel", warm)?;
            line("bench", "tray", "air_temperature", "Cel", warm - 1.5)?;
            line("bench", "canopy", "relative_humidity", "%", wet)?;
            line("bench", "canopy", "illuminance", "lx", light.round())?;
        }
        if minute % 7 != 0 {
            line("mast", "top", "air_temperature", "Cel", warm + 2.25)?;
        }
        if minute % 22 == 0 {
            line("mast", "top", "relative_humidity", "%", wet - 6.0)?;
        }
    }
    Ok(fs::write(path, text)?)
}

/// Takes the study by the command line, beside the running gateway.
fn command(works: &Works, (from, to): (&str, &str), into: &Path) -> Result<PathBuf> {
    run(Command::new(binary()?)
        .args(["export", "--study", "--batch", "works/rice-2", "--batch", "works/rice-1"])
        .args(["--from", from, "--to", to, "--data"])
        .arg(&works.data)
        .arg("-o")
        .arg(into))?;
    Ok(into.to_owned())
}

/// The brute force would see a number that is wrong, and the sums would too.
fn notices_a_change(study: &Path) -> Result<()> {
    let file = study.join("exposure.csv");
    let right = fs::read_to_string(&file)?;
    let wrong = right.replacen(",0.9", ",0.8", 1);
    ensure!(wrong != right, "no coverage of 0.9 to falsify");
    fs::write(&file, wrong)?;
    let failed = Command::new("python3").arg(brute_force()).arg(study).output()?;
    ensure!(!failed.status.success(), "a falsified number went unnoticed");
    let sums =
        Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(study).output()?;
    ensure!(!sums.status.success(), "a falsified file went unnoticed");
    Ok(fs::write(&file, right)?)
}

/// What can't be done is named, with the remedy, and leaves nothing.
fn refuses(works: &Works, study: &Path) -> Result<()> {
    let check = |arguments: &[&str], into: &Path, code: i32, names: &[&str]| -> Result<()> {
        let output = Command::new(binary()?)
            .args(["export", "--study", "--data"])
            .arg(&works.data)
            .args(arguments)
            .arg("-o")
            .arg(into)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "{arguments:?}: {}: {said}", output.status);
        for name in names {
            ensure!(said.contains(name), "{arguments:?} does not name `{name}`: {said}");
        }
        Ok(())
    };
    let none = works.folder.join("none");
    let names = ["works/rice-9", "works/rice-1", "works/rice-2"];
    check(&["--batch", "works/rice-9"], &none, 64, &names)?;
    check(&[], study, 69, &["there already"])?;
    let late = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    check(&late, &none, 64, &["must come before"])?;
    ensure!(!none.exists(), "a refused study left something");
    Ok(())
}
