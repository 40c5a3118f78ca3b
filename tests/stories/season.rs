//! A recorded season goes in as its logger left it: outages, a frozen feed, rows said twice, two values at
//! one time, seconds that jitter, cells without a number, and a local clock that is set back an hour in
//! autumn and forward in spring; while gateway and replay are killed. It comes out as it went in.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use harness::{Gateway, Settings, Works, binary, free_port, run};
use measure::{Quantity, Scaled};

const ZONE: &str = "Europe/Amsterdam";
/// 2025-10-26 and 2025-03-30, 01:00 UTC: when the clock of the zone is set, in seconds.
const AUTUMN_S: i64 = 1_761_440_400;
const SPRING_S: i64 = 1_743_296_400;
/// The series, with the unit and the value around which it moves, in its own resolution.
const SERIES: [(&str, &str, i64); 3] =
    [("air_temperature", "Cel", 21_000), ("relative_humidity", "%", 6_500), ("co2", "[ppm]", 420)];
/// Minutes before and after the clock is set.
const AROUND_MIN: std::ops::Range<i64> = -900..900;
const OUTAGE: std::ops::Range<i64> = -600..-420;
const FROZEN: std::ops::Range<i64> = 200..560;

/// What a series holds: by time in microseconds, the value in its resolution or the fault.
type Kept = BTreeMap<(String, i64), Result<i64, String>>;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let settings = works.settings(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
    let mut gateway = Gateway::start(&settings)?;
    let mut rng = Rng::with_seed(20_251_026);
    let mut expected = Kept::new();

    let autumn = folder.path().join("autumn.csv");
    let rows = record(&autumn, AUTUMN_S, &mut rng, &mut expected)?;
    gateway = replay_through_kills(&works, &settings, gateway, &autumn)?;
    for time in ["after the kills", "once more"] {
        let said = run(&mut replay(&works, gateway.mqtt, &autumn))?;
        ensure!(said.contains(&format!("replayed {rows} readings")), "{time}: {said}");
        ensure!(said.contains("repeat another one"), "{time}: {said}");
    }
    let spring = folder.path().join("spring.csv");
    record(&spring, SPRING_S, &mut rng, &mut expected)?;
    run(&mut replay(&works, gateway.mqtt, &spring))?;
    gateway.kill()?;

    let found = exported(&works.data, &folder.path().join("export.csv"))?;
    ensure!(found.len() == expected.len(), "{} rows of {}", found.len(), expected.len());
    for (key, value) in &expected {
        let stored = found.get(key).with_context(|| format!("not there: {key:?} {value:?}"))?;
        ensure!(stored == value, "{key:?}: {value:?} went in, {stored:?} came out");
    }
    the_hour_that_never_was(&works, &settings, folder.path())
}

fn replay(works: &Works, mqtt: SocketAddr, file: &Path) -> Command {
    let mut command = Command::new(binary().unwrap_or_default());
    command
        .args(["replay", "--time-zone", ZONE, "--mqtt", &mqtt.to_string(), "--credentials"])
        .arg(&works.credentials)
        .arg(file);
    command
}

/// Kills the gateway twice while the file goes in, then the replay.
fn replay_through_kills(
    works: &Works,
    settings: &Settings,
    mut gateway: Gateway,
    file: &Path,
) -> Result<Gateway> {
    let mut command = replay(works, gateway.mqtt, file);
    command.args(["--rate", "800"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut replaying: Child = command.spawn().context("cannot start the replay")?;
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(1_200));
        gateway.kill()?;
        gateway = Gateway::start(settings)?;
    }
    std::thread::sleep(Duration::from_millis(300));
    ensure!(replaying.try_wait()?.is_none(), "the replay ended before it was killed");
    replaying.kill()?;
    replaying.wait()?;
    Ok(gateway)
}

/// Writes a recording around the moment at which the clock is set, in local time without an offset, and
/// adds to `expected` what must come out; returns how many readings it has.
fn record(path: &Path, set_s: i64, rng: &mut Rng, expected: &mut Kept) -> Result<usize> {
    let mut text = "time,site,node,quantity,position,unit,value\n".to_owned();
    let mut rows = 0;
    for (name, unit, middle) in SERIES {
        let quantity: Quantity = name.parse()?;
        for minute in AROUND_MIN.filter(|minute| !OUTAGE.contains(minute)) {
            // The logger is up to twenty seconds off its minute, never out of its order.
            let at_us = (set_s + minute * 60) * 1_000_000 + rng.i64(0..20_000_000);
            let value = match rng.u32(..100) {
                _ if name == "co2" && FROZEN.contains(&minute) => Ok(middle),
                0 => Err("not_present"),
                1 => Err("checksum"),
                _ => Ok(middle + minute.rem_euclid(97) * 7),
            };
            let mut write = |value: Result<i64, &str>, keeps: bool| -> Result<()> {
                let cell = match value {
                    Ok(raw) => Scaled(i32::try_from(raw)?).to_f64(quantity).to_string(),
                    Err("not_present") => ["", "NaN", "null"][rng.usize(..3)].to_owned(),
                    Err(fault) => fault.to_owned(),
                };
                let time = local(at_us, set_s);
                writeln!(text, "{time},works,bench,{name},canopy,{unit},{cell}")?;
                rows += 1;
                if keeps {
                    let free = (at_us..).find(|at| !expected.contains_key(&(name.to_owned(), *at)));
                    let free = free.context("a microsecond is free")?;
                    expected.insert((name.to_owned(), free), value.map_err(str::to_owned));
                }
                Ok(())
            };
            write(value, true)?;
            // Now and then a row is said twice, or another value stands at its time.
            if minute % 50 == 0 {
                write(value, false)?;
            }
            if minute % 70 == 0 {
                write(Ok(middle + 1_001), true)?;
            }
        }
    }
    fs::write(path, text)?;
    Ok(rows)
}

/// Writes a time as the zone's clock showed it: two hours ahead of UTC in summer, one in winter.
fn local(at_us: i64, set_s: i64) -> String {
    let is_summer = (set_s == AUTUMN_S) == (at_us < set_s * 1_000_000);
    let shown = at_us + if is_summer { 7_200_000_000 } else { 3_600_000_000 };
    let (day, of_day) = (shown.div_euclid(86_400_000_000), shown.rem_euclid(86_400_000_000));
    let (second, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    // Howard Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (date, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02} {h:02}:{m:02}:{s:02}.{micros:06}")
}

/// Returns the microseconds since 1970 of `YYYY-MM-DDTHH:MM:SS.ffffffZ`; the fraction may be absent.
fn micros(text: &str) -> Result<i64> {
    let number = |from: usize, to: usize| -> Result<i64> {
        text.get(from..to).and_then(|part| part.parse().ok()).with_context(|| text.to_owned())
    };
    let (year, month, date) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let second = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let fraction = text.get(19..).unwrap_or_default().trim_end_matches('Z').trim_start_matches('.');
    let fraction: i64 = format!("{fraction:0<6}").parse().with_context(|| text.to_owned())?;
    let y = year - i64::from(month <= 2);
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    let day = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    Ok((day * 86_400 + second) * 1_000_000 + fraction)
}

fn exported(data: &Path, into: &Path) -> Result<Kept> {
    run(Command::new(binary()?)
        .args(["export", "--from", "1970-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"])
        .arg("--data")
        .arg(data)
        .arg("-o")
        .arg(into))?;
    let mut reader = csv::Reader::from_path(into)?;
    let headers = reader.headers()?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.with_context(|| format!("the export has no column `{name}`"))
    };
    let [at_time, at_quantity] = [column("time")?, column("quantity")?];
    let [at_value, at_fault] = [column("value")?, column("fault")?];
    let at_sequence = column("sequence")?;
    let mut kept = Kept::new();
    for record in reader.records() {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        if cell(at_sequence).is_empty() {
            // The gateway computed it; it was in no recording.
            continue;
        }
        let quantity: Quantity = cell(at_quantity).parse()?;
        let value = match cell(at_value) {
            "" => Err(cell(at_fault).to_owned()),
            text => Ok(i64::from(Scaled::from_f64(quantity, text.parse()?)?.0)),
        };
        let key = (quantity.name().to_owned(), micros(cell(at_time))?);
        ensure!(kept.insert(key.clone(), value).is_none(), "it stands twice: {key:?}");
    }
    Ok(kept)
}

/// A time that the clock skipped is refused with its line, its value and what to do.
fn the_hour_that_never_was(works: &Works, settings: &Settings, folder: &Path) -> Result<()> {
    let file = folder.join("never.csv");
    let row = "2025-03-30 02:30:00,works,bench,co2,canopy,[ppm],420";
    fs::write(&file, format!("time,site,node,quantity,position,unit,value\n{row}\n"))?;
    let output = replay(works, settings.mqtt, &file).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "a time that never was went in");
    for words in ["line 2", "`2025-03-30 02:30:00`", ZONE, "Etc/GMT-1"] {
        ensure!(said.contains(words), "`{words}` is not said: {said}");
    }
    Ok(())
}
