//! A recorded series is replayed through real MQTT: judged as history, stored once however often it
//! is replayed, exported as it was recorded, and flagged where a feed was frozen and nowhere else. Its
//! clock is set back an hour before the end.

use std::{fs, net::SocketAddr, process::Command};

use anyhow::{Result, ensure};
use harness::{Client, Gateway, Row, Works, binary, export, run};

/// Minutes of the recording, of two channels each.
const MINUTES: usize = 660;
/// Of the last of them the clock is set back by as many: they stand beside those of an hour before.
const SET_BACK: usize = 60;
/// The frozen feed of CO2.
const FROZEN: std::ops::Range<usize> = 300..480;
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
        flags(&exported.rows)?;
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

/// Checks the flags: of CO2 the frozen feed is suspect once it has stood still for an hour, of the
/// temperature at most what stands at the edges of the excursion, and nothing else.
fn flags(rows: &[Row]) -> Result<()> {
    let suspect = |quantity: &str| -> Vec<usize> {
        let rows = rows.iter().filter(|row| row.quantity == quantity).enumerate();
        rows.filter(|(_, row)| row.quality != 1).map(|(at, _)| at).collect()
    };
    let frozen: Vec<usize> = (FROZEN.start + 60..FROZEN.end).collect();
    ensure!(suspect("co2") == frozen, "co2 is suspect at {:?}", suspect("co2"));
    let hot = suspect("air_temperature");
    let edges = [HOT.start - 1, HOT.start, HOT.end - 1, HOT.end];
    ensure!(
        hot.contains(&HOT.start) && hot.iter().all(|at| edges.contains(at)),
        "the temperature is suspect at {hot:?}"
    );
    let bad = rows.iter().find(|row| !matches!(row.quality, 1 | 3));
    ensure!(bad.is_none(), "a flag that nobody gave: {bad:?}");
    Ok(())
}

/// Writes a recording and returns its temperatures in thousandths of a degree.
fn record(path: &std::path::Path) -> Result<Vec<i64>> {
    let mut text = "time,site,node,quantity,position,unit,value\n".to_owned();
    let mut values = Vec::new();
    for minute in 0..MINUTES {
        let shown = if minute < MINUTES - SET_BACK { minute } else { minute - SET_BACK };
        let time = format!("2025-07-01T{:02}:{:02}:00Z", shown / 60, shown % 60);
        let milli = if HOT.contains(&minute) { 39_500 } else { 24_000 + (minute as i64 % 50) * 10 };
        values.push(milli);
        let celsius = milli as f64 / 1_000.0;
        text += &format!("{time},works,bench,air_temperature,canopy,Cel,{celsius}\n");
        let ppm = if FROZEN.contains(&minute) { 430 } else { 420 + minute % 30 };
        text += &format!("{time},works,bench,co2,canopy,[ppm],{ppm}\n");
    }
    // In the order of time those of the hour that came twice stand side by side.
    let again = values.split_off(MINUTES - SET_BACK);
    let hour = values.split_off(MINUTES - 2 * SET_BACK);
    values.extend(hour.into_iter().zip(again).flat_map(|(one, other)| [one, other]));
    fs::write(path, text)?;
    Ok(values)
}
