//! A hot bench: the image's TMP105 is heated from outside, a person sees the alarm in a browser and
//! acknowledges it, and the export holds exactly what the image says it took.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Image, Ledger, Qmp, Works, export, free_port, wait_for};

use crate::page::browse;

/// The image's interval in the story.
const INTERVAL_MS: u32 = 5_000;
/// How soon after the heat a person must see the alarm.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
/// How many readings are compared at the end.
const ENTRIES_MIN: usize = 20;
const COMMENT: &str = "Vents opened by hand 手动开窗";

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let password = first_password(&works)?;
    let technician = Client::new(gateway.http, &works.token("technician")?);
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut image = Image::start(&works.image(mqtt, INTERVAL_MS), &ledger)?;
    wait_for("the first temperature", Duration::from_secs(180), || {
        Ok(temperature(&technician)?.filter(|celsius| *celsius < 35.0))
    })?;

    let mut qmp = Qmp::connect(&works.folder.join("qmp.sock"))?;
    let mut heated = Instant::now();
    let url = format!("http://{}/", gateway.http);
    let patience = SEEN_WITHIN.as_millis().to_string();
    let arguments = [&*url, "admin", &password, COMMENT, &patience];
    let seen = browse("acknowledge.mjs", &arguments, || {
        heated = Instant::now();
        qmp.set_temperature_mc(38_000)
    })?;
    let seen_ms = seen["seen_ms"].as_u64().context("the page says when it saw the alarm")?;
    println!(
        "  alarm in the browser after {seen_ms} ms, acknowledged after {:?}",
        heated.elapsed()
    );

    let acknowledged = wait_for("the acknowledgement", Duration::from_secs(5), || {
        let listed = technician.get("/alarms?state=all")?;
        let alarms = listed["alarms"].as_array().cloned().unwrap_or_default();
        let found = alarms.into_iter().find(|alarm| alarm["quantity"] == "air_temperature");
        Ok(found.filter(|alarm| alarm["acknowledged_ms"].is_number()))
    })?;
    ensure!(acknowledged["comment"] == COMMENT, "comment: {}", acknowledged["comment"]);
    ensure!(acknowledged["severity"] == "critical", "severity: {}", acknowledged["severity"]);
    let by = acknowledged["acknowledged_by"].as_str().unwrap_or_default().to_owned();
    ensure!(by.contains("admin"), "acknowledged by `{by}`");
    agrees_with_the_ledger(&works, &ledger)?;
    image.kill()?;
    drop(gateway);
    let id = acknowledged["id"].as_str().context("an alarm has an id")?;
    survives_a_restart(&works, mqtt, id, &by)
}

/// Who acknowledged, and when, is on disk.
fn survives_a_restart(works: &Works, mqtt: SocketAddr, id: &str, by: &str) -> Result<()> {
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let viewer = Client::new(gateway.http, &works.token("viewer")?);
    let detail = viewer.get(&format!("/alarms/{id}"))?;
    ensure!(detail["alarm"]["acknowledged_by"] == by, "after a restart: {detail}");
    ensure!(detail["alarm"]["acknowledged_ms"].is_number(), "after a restart: {detail}");
    Ok(())
}

/// Everything that the image has said until now is in the export once, and nothing twice.
fn agrees_with_the_ledger(works: &Works, ledger: &Mutex<Ledger>) -> Result<()> {
    let said = wait_for("more readings of the image", Duration::from_secs(60), || {
        let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((said.entries.len() >= ENTRIES_MIN).then_some(said))
    })?;
    let verdict = wait_for("the last readings", Duration::from_secs(60), || {
        let exported = export(&works.data, &works.folder.join("export.csv"), "bench")?;
        let verdict = said.judge(&exported.rows);
        Ok((verdict.lost == 0).then_some(verdict))
    })?;
    ensure!(verdict.doubled == 0, "doubled: {verdict:?}");
    ensure!(verdict.kept == said.entries.len(), "kept: {verdict:?}");
    Ok(())
}

fn temperature(client: &Client) -> Result<Option<f64>> {
    let channels = client.get("/channels")?;
    let channels = channels.as_array().cloned().unwrap_or_default();
    let found = channels.iter().find(|channel| {
        channel["quantity"] == "air_temperature" && channel["position"] == "canopy"
    });
    Ok(found.and_then(|channel| channel["latest"]["value"].as_f64()))
}

/// The one-time password that the gateway printed at its first start.
fn first_password(works: &Works) -> Result<String> {
    let said = fs::read_to_string(works.folder.join("gateway.out"))?;
    let line = said.lines().find_map(|line| line.split_once("one-time password: "));
    let (_, password) = line.context("the gateway printed no one-time password")?;
    Ok(password.trim().to_owned())
}
