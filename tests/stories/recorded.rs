//! A recorded series is replayed through real MQTT: judged as history, stored once however often it
//! is replayed, and exported as it was recorded.

use std::{fs, net::SocketAddr, process::Command};

use anyhow::{Result, ensure};
use harness::{Client, Gateway, Works, binary, export, run};

/// Minutes of the recording, of two channels each.
const MINUTES: usize = 600;
/// The excursion: hotter than the house's lethal limit.
const HOT: std::ops::Range<usize> = 200..260;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let gateway = Gateway::start(&works.settings(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let client = Client::new(gateway.http, &works.token("viewer")?);
    let recording = folder.path().join("recorded.csv");
    let values = record(&recording)?;
    for time in ["first", "second"] {
        let said = run(Command::new(binary()?)
            .args(["replay", "--mqtt", &gateway.mqtt.to_string(), "--credentials"])
            .arg(&works.credentials)
            .arg(&recording))?;
        let expect = format!("{} acknowledged", 2 * MINUTES);
        ensure!(said.contains(&expect), "{time} replay: {said}");
        let exported = export(&works.data, &folder.path().join("export.csv"), "bench")?;
        ensure!(exported.rows.len() == 2 * MINUTES, "{time}: {} rows", exported.rows.len());
        let stored: Vec<i64> = exported
            .rows
            .iter()
            .filter(|row| row.quantity == "air_temperature")
            .filter_map(|row| row.value.clone().ok())
            .collect();
        ensure!(stored == values, "{time}: other values than recorded");
    }
    let listed = client.get("/alarms?state=all")?;
    let alarms = listed["alarms"].as_array().cloned().unwrap_or_default();
    let limits: Vec<_> = alarms.iter().filter(|alarm| alarm["kind"] == "limit").collect();
    ensure!(limits.len() == 1, "one excursion, {} alarms: {alarms:?}", limits.len());
    for alarm in limits {
        ensure!(alarm["history"] == true, "the past woke somebody: {alarm}");
        ensure!(alarm["peak"] == 39.5, "peak: {}", alarm["peak"]);
        ensure!(alarm["returned_ms"].is_number(), "it did not return: {alarm}");
    }
    Ok(())
}

/// Writes a recording and returns its temperatures in thousandths of a degree.
fn record(path: &std::path::Path) -> Result<Vec<i64>> {
    let mut text = "time,site,node,quantity,position,unit,value\n".to_owned();
    let mut values = Vec::new();
    for minute in 0..MINUTES {
        let time = format!("2025-07-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
        let milli = if HOT.contains(&minute) { 39_500 } else { 24_000 + (minute as i64 % 50) * 10 };
        values.push(milli);
        let celsius = milli as f64 / 1_000.0;
        text += &format!("{time},works,bench,air_temperature,canopy,Cel,{celsius}\n");
        text += &format!("{time},works,bench,co2,canopy,[ppm],{}\n", 420 + minute % 30);
    }
    fs::write(path, text)?;
    Ok(values)
}
