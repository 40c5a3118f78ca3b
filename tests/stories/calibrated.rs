//! A sensor turns out to read too high, since a day in the past: its readings, charts, exports and what
//! is derived from them change from that day on and nowhere else, whatever is killed meanwhile.

use std::{
    collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command, time::Duration,
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Works, binary, run, wait_for};

/// Minutes of the recording, of temperature and humidity each.
const MINUTES: usize = 240;
/// From which minute on the sensor is off.
const FROM: usize = 100;
const CHANNEL: &str = "works/bench/canopy/air_temperature";
const PATIENCE: Duration = Duration::from_secs(60);

/// A row of an export, by the name of its column.
type Row = BTreeMap<String, String>;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut gateway = Gateway::start(&works.settings(any))?;
    let recording = folder.path().join("recorded.csv");
    record(&recording)?;
    run(Command::new(binary()?)
        .args(["replay", "--mqtt", &gateway.mqtt.to_string(), "--credentials"])
        .arg(&works.credentials)
        .arg(&recording))?;
    let into = folder.path().join("export.csv");
    let before = wait_for("derived numbers", PATIENCE, || {
        let rows = export(&works.data, &into)?;
        Ok((of(&rows, "vapour_pressure_deficit").len() == MINUTES).then_some(rows))
    })?;
    ensure!(before.iter().all(|row| !row.contains_key("raw_value")), "raw values without cause");

    let said = calibrate(&works.data)?;
    for expected in ["calibration 1 of", "140 readings and 420 derived samples"] {
        ensure!(said.contains(expected), "not `{expected}` in: {said}");
    }
    gateway.kill()?;
    let gateway = Gateway::start(&works.settings(any))?;
    let client = Client::new(gateway.http, &works.token("viewer")?);
    let channels = client.get("/channels")?;
    let channels = channels.as_array().context("no channels")?;
    let id = |quantity: &str| {
        channels.iter().find(|it| it["quantity"] == quantity).map(|it| it["id"].clone())
    };
    let temperature = id("air_temperature").context("no temperature")?;
    let known = wait_for("what the calibration touches", PATIENCE, || {
        let known = client.get(&format!("/channels/{temperature}/calibrations"))?;
        Ok(known["calibrations"][0]["work"][0]["done_ms"].is_number().then_some(known))
    })?;
    let work = &known["calibrations"][0]["work"][0];
    ensure!(work["readings"] == MINUTES - FROM, "other readings than stored: {work}");

    let after = export(&works.data, &into)?;
    compare(&before, &after)?;
    let vpd = id("vapour_pressure_deficit").context("nothing is derived")?;
    let of_vpd = channels.iter().find(|it| it["id"] == vpd).context("no such channel")?;
    let inputs = of_vpd["derived_from"].as_array().map_or(0, Vec::len);
    ensure!(inputs == 2, "it does not say what it is derived from: {of_vpd}");
    let alarms = client.get("/alarms?state=all")?;
    let silent = alarms["alarms"].as_array().into_iter().flatten();
    let doubled = silent.filter(|it| it["kind"] != "limit" && it["channel"] == vpd).count();
    ensure!(doubled == 0, "a derived channel has an alarm of silence of its own: {alarms}");
    drop(gateway);

    let again = export(&works.data, &into)?;
    ensure!(again == after, "another start changed what is exported");
    Ok(())
}

/// Holds what is exported after the calibration against what was before.
fn compare(before: &[Row], after: &[Row]) -> Result<()> {
    ensure!(before.len() == after.len(), "{} rows became {}", before.len(), after.len());
    for quantity in ["air_temperature", "relative_humidity", "vapour_pressure_deficit", "dew_point"]
    {
        let (old, new) = (of(before, quantity), of(after, quantity));
        for (minute, (old, new)) in old.iter().zip(&new).enumerate() {
            let is_touched = minute >= FROM && quantity != "relative_humidity";
            ensure!(
                (old["value"] != new["value"]) == is_touched,
                "{quantity} in minute {minute}: {} became {}",
                old["value"],
                new["value"]
            );
            let raw =
                if minute >= FROM && quantity == "air_temperature" { &old["value"] } else { "" };
            ensure!(
                new["raw_value"] == raw,
                "{quantity} in minute {minute}: raw {}",
                new["raw_value"]
            );
        }
    }
    // 26 - 2 °C at 60 %: 2.984 kPa times 0.4 (FAO-56, equation 11).
    let derived = of(after, "vapour_pressure_deficit");
    let last = derived.last().context("nothing is derived")?;
    ensure!(last["value"] == "1.194", "a deficit of {} kPa", last["value"]);
    Ok(())
}

fn calibrate(data: &Path) -> Result<String> {
    let from = time(FROM);
    run(Command::new(binary()?)
        .args(["calibration", "add", "--channel", CHANNEL, "--from", &from, "--offset", "-2"])
        .args(["--by", "Li Na", "--note", "ice point", "--data"])
        .arg(data))
}

fn export(data: &Path, into: &Path) -> Result<Vec<Row>> {
    run(Command::new(binary()?)
        .args(["export", "--from", "2025-07-01T00:00:00Z", "--to", "2025-07-02T00:00:00Z", "-o"])
        .arg(into)
        .arg("--data")
        .arg(data))?;
    let mut reader = csv::Reader::from_path(into)?;
    let rows: Result<Vec<Row>, csv::Error> = reader.deserialize().collect();
    Ok(rows?)
}

/// Returns the rows of a quantity, in the order of time.
fn of<'a>(rows: &'a [Row], quantity: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row["quantity"] == quantity).collect()
}

fn time(minute: usize) -> String {
    format!("2025-07-01T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

fn record(path: &Path) -> Result<()> {
    let mut text = "time,site,node,quantity,position,unit,value\n".to_owned();
    for minute in 0..MINUTES {
        let time = time(minute);
        text += &format!("{time},works,bench,air_temperature,canopy,Cel,26\n");
        text += &format!("{time},works,bench,relative_humidity,canopy,%,60\n");
    }
    fs::write(path, text)?;
    Ok(())
}
