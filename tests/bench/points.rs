//! The points on which the engine was chosen (`reference/storage.md` of the design): 800 series of one
//! reading a minute, up to 200 ms late, a daily wave and noise rounded to hundredths, in the order in
//! which they would arrive; before them one series with a year. The peers get the same points.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::{Client, Gateway, Works, binary, run};
use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp};
use serde_json::Value;
use store::embedded::{Engine, Journal, Options};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store};

use crate::bridge::write_decimal;
use crate::feed::mix;
use crate::peers::{Database, Kind, escaped};
use crate::table::{Better, Table};
use crate::{Arguments, usage};

const SERIES: u64 = 800;
/// The number of the series with a year, and how many points it has.
const LONG: u64 = SERIES;
const LONG_POINTS: u64 = 525_600;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// 2025-01-01; the long series begins 370 days before.
const BEGIN_MS: i64 = 1_735_689_600_000;
const LONG_BEGIN_MS: i64 = BEGIN_MS - 370 * DAY_MS;
/// Points in a commit, and lines in a request.
const POINTS_A_COMMIT: u64 = 1_000;
const QUESTIONS: usize = 20;
const BUCKETS: i64 = 1_000;

/// What the numbers to reach are.
const BYTES_A_POINT: f64 = 2.5;
const YEAR_MS: f64 = 5.0;
const LATEST_MS: f64 = 1.0;
const SCAN_M_A_SECOND: f64 = 20.0;
const OPEN_S: f64 = 1.0;

const CHANNELS: [(Quantity, f64, f64, f64); 8] = [
    (Quantity::AirTemperature, 22.0, 6.0, 0.2),
    (Quantity::RelativeHumidity, 65.0, 15.0, 0.8),
    (Quantity::SubstrateEc, 450.0, 80.0, 6.0),
    (Quantity::Ppfd, 300.0, 290.0, 12.0),
    (Quantity::SubstrateMoisture, 35.0, 3.0, 0.1),
    (Quantity::SubstrateTemperature, 20.0, 3.0, 0.06),
    (Quantity::VapourPressureDeficit, 1.8, 0.2, 0.04),
    (Quantity::SupplyVoltage, 3.7, 0.2, 0.02),
];

/// A point: its series, its place in it, its time, its value in hundredths.
struct Point {
    series: u64,
    index: u64,
    time_ms: i64,
    hundredths: i32,
}

/// Returns the point that arrives as the `nth`.
fn point(nth: u64) -> Point {
    let (series, index) = match nth.checked_sub(LONG_POINTS) {
        None => (LONG, nth),
        Some(rest) => (rest % SERIES, rest / SERIES),
    };
    let random = mix(series << 32 | index);
    let begin = if series == LONG { LONG_BEGIN_MS } else { BEGIN_MS + (series / 8) as i64 * 37 };
    let time_ms = begin + index as i64 * MINUTE_MS + (random % 200) as i64;
    let channel = CHANNELS.get((series % 8) as usize).copied();
    let (_, mean, swing, noise) = channel.unwrap_or((Quantity::Co2, 0.0, 0.0, 0.0));
    let turn = (index % 1_440) as f64 / 1_440.0 * TAU + series as f64 * 0.01;
    let spread = ((random >> 16) % 2_001) as f64 / 1_000.0 - 1.0;
    let hundredths = ((mean + swing * turn.sin() + noise * spread) * 100.0).round() as i32;
    Point { series, index, time_ms, hundredths }
}

fn points(arguments: &Arguments) -> u64 {
    LONG_POINTS + SERIES * arguments.points
}

/// Commits the points from `first` on, and says how far it is after each commit.
fn fill(store: &dyn Store, first: u64, last: u64, mut said: impl FnMut(u64)) -> Result<()> {
    let mut ids = HashMap::new();
    for series in 0..=LONG {
        ids.insert(series, series_id(store, series)?);
    }
    for from in (first..last).step_by(POINTS_A_COMMIT as usize) {
        let upto = (from + POINTS_A_COMMIT).min(last);
        let mut parts: Vec<Part> = Vec::new();
        for point in (from..upto).map(point) {
            let series = ids.get(&point.series).copied().context("a series has a number")?;
            let incoming = incoming(&point, series)?;
            let node = node(point.series)?;
            match parts.last_mut() {
                Some(Part::Readings { origin: Origin::Node { node: last, .. }, samples })
                    if *last == node =>
                {
                    samples.push(incoming);
                }
                _ => {
                    let origin = Origin::Node { node, flash: FlashId(1) };
                    parts.push(Part::Readings { origin, samples: vec![incoming] });
                }
            }
        }
        let committed = store.commit(&Batch { parts })?;
        store.release(committed.position)?;
        ensure!(committed.kept == upto - from, "{} of {} points kept", committed.kept, upto - from);
        said(upto);
    }
    Ok(())
}

fn node(series: u64) -> Result<NodeKey> {
    let name = if series == LONG { "year".to_owned() } else { format!("p{}", series / 8) };
    Ok(NodeKey { site: Slug::new("works")?, node: Slug::new(&name)? })
}

fn series_id(store: &dyn Store, series: u64) -> Result<SeriesId> {
    let (quantity, ..) = CHANNELS.get((series % 8) as usize).copied().context("a channel")?;
    let key = SeriesKey { node: node(series)?, position: Slug::new("bench")?, quantity };
    Ok(store.series_id(&key)?)
}

fn incoming(point: &Point, series: SeriesId) -> Result<Incoming> {
    let (quantity, ..) = CHANNELS.get((point.series % 8) as usize).copied().context("a channel")?;
    let tenfold = if quantity.decimals() == 3 { 10 } else { 1 };
    let step = if point.series == LONG { 1 } else { 8 };
    Ok(Incoming {
        sequence: Sequence(point.index * step + point.series % 8 + 1),
        sample: Sample {
            series,
            time: Timestamp::from_millis(point.time_ms).context("a time after 1970")?,
            reading: Ok(Scaled(point.hundredths * tenfold)),
            quality: Quality::Good,
            marks: Marks::NONE,
            taken: None,
        },
    })
}

/// What the hidden command `fill` does: commits points until it is killed, and says how far it is.
pub(crate) fn fill_until_killed(folder: &Path, first: u64, last: u64) -> Result<()> {
    let engine = Engine::open(folder, options())?;
    fill(&engine, first, last, |upto| println!("{upto}"))
}

fn options() -> Options {
    Options { journal: Journal::UntilSealed, ..Options::default() }
}

/// Everything that is measured on these points.
pub(crate) fn measure(arguments: &Arguments, table: &mut Table) -> Result<()> {
    println!("{} points, ours", points(arguments));
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let store = works.data.join("store");
    let began = Instant::now();
    let engine = Engine::open(&store, options())?;
    fill(&engine, 0, points(arguments), |_| {})?;
    let taken = points(arguments) as f64 / began.elapsed().as_secs_f64();
    engine.checkpoint()?;
    drop(engine);
    let own = Own {
        taken,
        bytes: usage::bytes_under(&store)? as f64 / points(arguments) as f64,
        asked: ask(&works, arguments)?,
    };
    let killed = killed(&store, arguments)?;
    table.row(
        "bytes a point, against the number to reach",
        (own.bytes, BYTES_A_POINT),
        "bytes",
        Better::Lower,
    );
    within(&store, arguments, table)?;
    table.row(
        "open after kill -9, against the number to reach",
        (killed.open_s, OPEN_S),
        "s",
        Better::Lower,
    );
    if arguments.without_peers {
        return Ok(());
    }
    for kind in Kind::ALL {
        println!("{} points, {}", points(arguments), kind.name());
        beside(kind, &own, killed.serve_s, arguments, table)?;
    }
    Ok(())
}

/// Our own numbers that have a counterpart.
struct Own {
    taken: f64,
    bytes: f64,
    asked: Asked,
}

/// How long answers took over HTTP, in milliseconds; and rows of an export a second.
struct Asked {
    year_ms: f64,
    day_ms: f64,
    latest_ms: f64,
    export: f64,
}

/// Returns the median of a few answers in milliseconds.
fn median(mut ask: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        ask()?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    took.get(took.len() / 2).copied().context("questions were asked")
}

/// The span of the year, and a day in the middle of the 800 series.
fn spans(arguments: &Arguments) -> [(i64, i64); 2] {
    let year = (LONG_BEGIN_MS, LONG_BEGIN_MS + LONG_POINTS as i64 * MINUTE_MS);
    let middle = BEGIN_MS + arguments.points as i64 / 2 * MINUTE_MS;
    let from = (middle - DAY_MS / 2).max(BEGIN_MS);
    [year, (from, from + DAY_MS)]
}

/// How much is exported of all series.
fn export_days(arguments: &Arguments) -> u64 {
    (arguments.points / 1_440).clamp(1, 2)
}

/// Our answers through the gateway's HTTP and command line.
fn ask(works: &Works, arguments: &Arguments) -> Result<Asked> {
    let gateway = Gateway::start(&works.settings(([127, 0, 0, 1], 0).into()))?;
    let client = Client::new(gateway.http, &works.token("viewer")?);
    let channels = client.get("/channels")?;
    let channels = channels.as_array().context("the channels are a list")?;
    let id_of = |node: &str| {
        let found = channels.iter().find(|it| it.get("node").and_then(Value::as_str) == Some(node));
        found.and_then(|it| it.get("id")).cloned().with_context(|| format!("no channel of {node}"))
    };
    let (year, p42) = (id_of("year")?, id_of("p42")?);
    let [of_year, of_day] = spans(arguments);
    let series = |id: &Value, (from, to): (i64, i64), points: i64, least: usize| {
        let path = format!("/channels/{id}/series?from={from}&to={to}&points={points}");
        let answer = client.get(&path)?;
        let buckets = answer.get("time_ms").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(buckets >= least, "a chart of {buckets} buckets");
        Ok(())
    };
    let year_ms = median(|| series(&year, of_year, BUCKETS, 500))?;
    let day_ms = median(|| series(&p42, of_day, 1_440, 1_000))?;
    let latest_ms = median(|| client.get("/channels").map(drop))?;
    drop(gateway);
    let end = format!("2025-01-{:02}T00:00:00Z", 1 + export_days(arguments));
    let file = works.folder.join("export.csv");
    let began = Instant::now();
    run(Command::new(binary()?)
        .args(["export", "--from", "2025-01-01T00:00:00Z", "--to", &end, "--data"])
        .arg(&works.data)
        .arg("-o")
        .arg(&file))?;
    let took = began.elapsed().as_secs_f64();
    let rows = BufReader::new(std::fs::File::open(&file)?).lines().count();
    Ok(Asked { year_ms, day_ms, latest_ms, export: rows as f64 / took })
}

/// Our answers within the process, against the numbers to reach.
fn within(store: &Path, arguments: &Arguments, table: &mut Table) -> Result<()> {
    let engine = Engine::open_read_only(store)?;
    let time = |ms| Timestamp::from_millis(ms).context("a time after 1970");
    let [(from, to), _] = spans(arguments);
    // Whole hours, as the gateway asks for them: nine, which makes 974 buckets of the year.
    let step = ((to - from) / BUCKETS + HOUR_MS - 1) / HOUR_MS * HOUR_MS;
    let year = series_id_of(&engine, LONG)?;
    let (from, to) = (time(from)?, time(to)?);
    let year_ms = median(|| Ok(engine.downsample(year, from, to, step, from).map(drop)?))?;
    table.row(
        "a year of a series in buckets of 9 h, in process",
        (year_ms, YEAR_MS),
        "ms",
        Better::Lower,
    );
    let latest_ms = median(|| {
        ensure!(engine.latest()?.len() as u64 > SERIES, "a series has no latest");
        Ok(())
    })?;
    table.row("latest of 801 series, in process", (latest_ms, LATEST_MS), "ms", Better::Lower);
    let (began, mut seen, mut sum) = (Instant::now(), 0_u64, 0_i64);
    for (id, _) in engine.series()? {
        engine.scan(id, Timestamp::MIN, Timestamp::MAX, &mut |sample| {
            seen += 1;
            sum += sample.reading.map_or(0, |value| i64::from(value.0));
            ControlFlow::Continue(())
        })?;
    }
    let scanned = seen as f64 / began.elapsed().as_secs_f64() / 1e6;
    ensure!(seen >= points(arguments), "{seen} points scanned, sum {sum}");
    table.row(
        "scan of every point, in process",
        (scanned, SCAN_M_A_SECOND),
        "M points/s",
        Better::Higher,
    );
    Ok(())
}

fn series_id_of(engine: &Engine, series: u64) -> Result<SeriesId> {
    let node = node(series)?;
    let found = engine.series()?.into_iter().find(|(_, key)| key.node == node);
    Ok(found.context("the series is there")?.0)
}

struct Killed {
    /// Opening the store.
    open_s: f64,
    /// From the start of the gateway to `ready`.
    serve_s: f64,
}

/// Kills a process that commits as fast as it can, and opens what it left.
fn killed(store: &Path, arguments: &Arguments) -> Result<Killed> {
    let first = points(arguments);
    let mut child = Command::new(std::env::current_exe()?)
        .arg("fill")
        .arg(store)
        .args([first.to_string(), (first + 1_000_000_000).to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut lines = BufReader::new(output).lines();
    let (began, mut said) = (Instant::now(), first);
    while began.elapsed() < Duration::from_secs(1) {
        said = lines.next().context("the child says how far it is")??.parse()?;
    }
    child.kill()?;
    child.wait()?;
    while let Some(Ok(line)) = lines.next() {
        said = line.parse().unwrap_or(said);
    }
    let began = Instant::now();
    let engine = Engine::open(store, options())?;
    let open_s = began.elapsed().as_secs_f64();
    let mut kept = 0;
    for (id, _) in engine.series()? {
        engine.scan(id, Timestamp::MIN, Timestamp::MAX, &mut |_| {
            kept += 1;
            ControlFlow::Continue(())
        })?;
    }
    ensure!(kept >= said, "{said} points were committed, {kept} are there");
    drop(engine);
    let works = store.parent().and_then(Path::parent).context("the store lies in a works")?;
    let data = works.join("data");
    let settings = harness::Settings {
        data,
        http: ([127, 0, 0, 1], 0).into(),
        mqtt: ([127, 0, 0, 1], 0).into(),
        outside: false,
    };
    let began = Instant::now();
    let gateway = Gateway::start(&settings)?;
    let serve_s = began.elapsed().as_secs_f64();
    drop(gateway);
    Ok(Killed { open_s, serve_s })
}

/// A peer on the same points, and its rows.
fn beside(
    kind: Kind,
    own: &Own,
    serve_s: f64,
    arguments: &Arguments,
    table: &mut Table,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let database = Database::start(kind, folder.path())?;
    let name = kind.name();
    let began = Instant::now();
    let mut lines = String::new();
    for from in (0..points(arguments)).step_by(POINTS_A_COMMIT as usize) {
        lines.clear();
        for point in (from..(from + POINTS_A_COMMIT).min(points(arguments))).map(point) {
            let Point { series, time_ms, hundredths, .. } = point;
            let device =
                if series == LONG { "year".to_owned() } else { format!("p{}", series / 8) };
            write!(lines, "r,dev={device},m=m{} v=", series % 8)?;
            write_decimal(&mut lines, hundredths, 2);
            writeln!(lines, " {time_ms}")?;
        }
        database.write(&lines)?;
    }
    let taken = points(arguments) as f64 / began.elapsed().as_secs_f64();
    let count = database.count()?;
    ensure!(count == points(arguments), "{name} holds {count} of {} points", points(arguments));
    table.row(
        format!("taking the points in commits of 1,000, against {name}"),
        (own.taken, taken),
        "points/s",
        Better::Higher,
    );
    let theirs = ask_peer(&database, arguments)?;
    let asked = &own.asked;
    for (what, ours, theirs) in [
        ("a year in 1,000 min/mean/max over HTTP", asked.year_ms, theirs.year_ms),
        ("a day of a series over HTTP", asked.day_ms, theirs.day_ms),
        ("latest of 801 series over HTTP", asked.latest_ms, theirs.latest_ms),
    ] {
        table.row(format!("{what}, against {name}"), (ours, theirs), "ms", Better::Lower);
    }
    table.row(
        format!("export as CSV, against {name}"),
        (asked.export, theirs.export),
        "rows/s",
        Better::Higher,
    );
    table.note(format!("{name} on the points: at most {:.0} MB", usage::peak_mb(database.id()?)?));
    // In order first, so that all of it is on the disk and counted.
    database.stop()?;
    let bytes = database.bytes()? as f64 / points(arguments) as f64;
    table.row(format!("bytes a point, against {name}"), (own.bytes, bytes), "bytes", Better::Lower);
    database.start_again()?;
    database.kill()?;
    let again = database.start_again()?.as_secs_f64();
    table.row(
        format!("service on these points after kill -9, against {name}"),
        (serve_s, again),
        "s",
        Better::Lower,
    );
    Ok(())
}

fn ask_peer(database: &Database, arguments: &Arguments) -> Result<Asked> {
    let [(from, to), (day, day_end)] = spans(arguments);
    let step_s = (to - from) / BUCKETS / 1_000;
    let end = BEGIN_MS + arguments.points as i64 * MINUTE_MS;
    let (export_from, export_to) = (BEGIN_MS, BEGIN_MS + export_days(arguments) as i64 * DAY_MS);
    let [year, of_day, latest] = match database.kind {
        Kind::Influx => [
            format!(
                "SELECT min(v), mean(v), max(v) FROM r WHERE dev = 'year' AND time >= {from}ms AND time < {to}ms GROUP BY time({step_s}s)"
            ),
            format!(
                "SELECT v FROM r WHERE dev = 'p42' AND m = 'm0' AND time >= {day}ms AND time < {day_end}ms"
            ),
            "SELECT last(v) FROM r GROUP BY dev, m".to_owned(),
        ],
        Kind::Victoria => {
            let rollup = escaped("rollup(r_v{dev=\"year\"})");
            let one = escaped("r_v{dev=\"p42\",m=\"m0\"}");
            let last = escaped("last_over_time(r_v[800d])");
            [
                format!(
                    "/api/v1/query_range?query={rollup}&start={}&end={}&step={step_s}s",
                    from / 1_000,
                    to / 1_000
                ),
                format!(
                    "/api/v1/export?match[]={one}&start={}&end={}",
                    day / 1_000,
                    day_end / 1_000
                ),
                format!("/api/v1/query?query={last}&time={}", end / 1_000),
            ]
        }
    };
    let year_ms = median(|| database.query(&year).map(drop))?;
    let day_ms = median(|| match database.kind {
        Kind::Influx => database.query(&of_day).map(drop),
        Kind::Victoria => database.export(&of_day, "*/*").map(drop),
    })?;
    let latest_ms = median(|| database.query(&latest).map(drop))?;
    let began = Instant::now();
    let rows = match database.kind {
        Kind::Influx => {
            let question = format!(
                "SELECT v FROM r WHERE time >= {export_from}ms AND time < {export_to}ms GROUP BY dev, m"
            );
            let path = format!("/query?db=bench&epoch=ms&chunked=true&q={}", escaped(&question));
            database.export(&path, "application/csv")?
        }
        Kind::Victoria => {
            let every = escaped("r_v{dev!=\"year\"}");
            let format = "format=dev,m,__timestamp__:unix_ms,__value__";
            let path = format!(
                "/api/v1/export/csv?{format}&match[]={every}&start={}&end={}",
                export_from / 1_000,
                export_to / 1_000
            );
            database.export(&path, "*/*")?
        }
    };
    Ok(Asked { year_ms, day_ms, latest_ms, export: rows as f64 / began.elapsed().as_secs_f64() })
}
