//! A backup is taken under load and restored elsewhere: alarms go on, and an export of what lies before
//! it has the same bytes. A backup that is killed leaves nothing that looks like one.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Simulation, Works, binary, run, wait_for};
use serde_json::{Value, json};

const NODES: usize = 20;
/// How often the backup is killed half way.
const KILLS: u64 = 12;
/// As that of the proving ground, but every simulated house is too hot.
const HOT_PLAN: &str = r#"
[[zone]]
site = "works"
id = "house"
names = { zh = "试验棚", en = "Proving house" }
kind = "house"
expected_interval_ms = 5000

[[zone.overrides]]
quantity = "air_temperature"
side = "high"
severity = "critical"
limit = 1.0
on_delay_ms = 0
reason = "so that there are alarms to be restored"
"#;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let plan = folder.path().join("hot.toml");
    fs::write(&plan, HOT_PLAN)?;
    run(Command::new(binary()?).args(["apply", "--data"]).arg(&works.data).arg(&plan))?;
    let credentials = Simulation::settle(&works, NODES)?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = Gateway::start(&works.settings(mqtt))?;
    let token = works.token("technician")?;
    let client = Client::new(gateway.http, &token);
    let flash = folder.path().join("flash");
    let nodes = Simulation::start(gateway.mqtt, &credentials, &flash, "200ms")?;
    wait_for("the nodes to be under way", Duration::from_secs(60), || {
        Ok((alarms(&client)?.len() >= NODES).then_some(()))
    })?;
    std::thread::sleep(Duration::from_secs(8));

    let (kept, until) = (folder.path().join("backups/first"), now()?);
    // What was taken until then is on disk.
    std::thread::sleep(Duration::from_secs(4));
    let before = alarms(&client)?;
    run(&mut backup(&works.data, &kept)?)?;
    let position = position(&kept)?;
    killed_half_way(&works.data, folder.path())?;
    std::thread::sleep(Duration::from_secs(3));

    let elsewhere = folder.path().join("elsewhere");
    let restored = elsewhere.join("data");
    run(&mut restore(&kept, &restored)?)?;
    same_bytes(&works.data, &restored, &until, folder.path())?;
    let second = folder.path().join("backups/second");
    run(&mut backup(&works.data, &second)?)?;
    ensure!(position_of(&second)? > position, "the gateway stood still during the backup");
    drop(nodes);
    drop(gateway);
    alarms_go_on(&restored, &token, &before, &credentials)?;
    what_is_wrong_is_refused(&kept, &restored, folder.path())
}

fn backup(data: &Path, to: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(["backup", "--data"]).arg(data).arg("--to").arg(to);
    Ok(command)
}

fn restore(from: &Path, data: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.arg("restore").arg(from).arg("--data").arg(data);
    Ok(command)
}

fn alarms(client: &Client) -> Result<Vec<Value>> {
    let listed = client.get("/alarms?state=open&limit=900")?;
    Ok(listed["alarms"].as_array().cloned().unwrap_or_default())
}

/// Now, to the second, as a command line takes it.
fn now() -> Result<String> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(run(Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%FT%TZ"]))?
        .trim()
        .to_owned())
}

fn manifest(folder: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(folder.join("MANIFEST.json"))?)?)
}

fn position_of(folder: &Path) -> Result<u64> {
    manifest(folder)?["store_position"].as_u64().context("a manifest has a position")
}

/// Judges a manifest, and returns its position.
fn position(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::PermissionsExt as _;
    let manifest = manifest(folder)?;
    let (position, judged) = (position_of(folder)?, manifest["judged_position"].as_u64());
    ensure!(judged.is_some_and(|judged| judged <= position && judged > 0), "{manifest}");
    let paths: Vec<_> =
        manifest["files"].as_array().context("a manifest has files")?.iter().collect();
    for required in ["registry.sqlite", "store/series.sqlite"] {
        ensure!(paths.iter().any(|file| file["path"] == required), "no {required}: {manifest}");
    }
    for left_out in ["reserve", "nodes"] {
        ensure!(!folder.join(left_out).exists(), "the backup holds `{left_out}`");
    }
    for file in paths {
        let path = folder.join(file["path"].as_str().unwrap_or_default());
        let mode = fs::metadata(&path)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "others may read {}", path.display());
    }
    println!("  backup of {} commits under load", position);
    Ok(position)
}

/// Kills backups at many moments. Each leaves no folder under its name, or a whole one.
fn killed_half_way(data: &Path, folder: &Path) -> Result<()> {
    let mut half_way = 0;
    for kill in 0..KILLS {
        let to = folder.join(format!("killed/{kill}"));
        let mut child = backup(data, &to)?.stderr(Stdio::null()).spawn()?;
        let partial = folder.join(format!("killed/{kill}.partial"));
        begins(&partial, &to)?;
        std::thread::sleep(Duration::from_micros(kill * 1_500));
        child.kill()?;
        child.wait()?;
        if to.exists() {
            let data = folder.join(format!("killed/{kill}.data"));
            run(&mut restore(&to, &data)?).context("a backup under its own name was not whole")?;
            continue;
        }
        half_way += 1;
        let refused = restore(&partial, &folder.join("killed/data"))?.output()?;
        // With a manifest it is whole but for its name.
        let is_whole = partial.join("MANIFEST.json").exists();
        ensure!(is_whole || !refused.status.success(), "a half backup was restored");
        if refused.status.success() {
            fs::remove_dir_all(folder.join("killed/data"))?;
        }
        // The next one finds what was left, and is whole.
        if kill == 0 {
            run(&mut backup(data, &to)?)?;
            ensure!(!partial.exists() && to.join("MANIFEST.json").exists(), "after a kill");
        }
    }
    println!("  {half_way} of {KILLS} backups were killed half way");
    ensure!(half_way > 0, "no backup was killed half way");
    Ok(())
}

/// Waits until a backup has written its first file; looks more often than others do, because a small
/// backup is soon done.
fn begins(partial: &Path, whole: &Path) -> Result<()> {
    let began = Instant::now();
    while !partial.join("registry.sqlite").exists() && !whole.exists() {
        ensure!(began.elapsed() < Duration::from_secs(20), "a backup does not begin");
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn same_bytes(one: &Path, other: &Path, until: &str, folder: &Path) -> Result<()> {
    let mut exported: Vec<PathBuf> = Vec::new();
    for (name, data) in [("one", one), ("other", other)] {
        let into = folder.join(format!("export-{name}"));
        fs::create_dir_all(&into)?;
        run(Command::new(binary()?)
            .args(["export", "--from", "2020-01-01T00:00:00Z", "--to", until, "--data"])
            .arg(data)
            .arg("-o")
            .arg(into.join("readings.csv")))?;
        exported.push(into);
    }
    let [one, other] = exported.as_slice() else { return Ok(()) };
    for file in ["readings.csv", "readings.csv.dictionary.json", "readings.csv.sha256"] {
        let (one, other) = (fs::read(one.join(file))?, fs::read(other.join(file))?);
        ensure!(one == other, "`{file}` differs: {} and {} bytes", one.len(), other.len());
    }
    let rows = fs::read_to_string(one.join("readings.csv"))?.lines().count();
    println!("  {rows} rows, the same bytes");
    ensure!(rows > 1_000, "{rows} rows are no load");
    Ok(())
}

/// The gateway of the restored data has the same alarms, takes readings and people's answers.
fn alarms_go_on(data: &Path, token: &str, before: &[Value], credentials: &Path) -> Result<()> {
    let folder = data.parent().context("the data has a parent")?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings =
        harness::Settings { data: data.to_owned(), http: any, mqtt: any, outside: false };
    let gateway = Gateway::start(&settings)?;
    let client = Client::new(gateway.http, token);
    let after = client.get("/alarms?state=all&limit=900")?;
    let after = after["alarms"].as_array().cloned().unwrap_or_default();
    for alarm in before {
        let found = after.iter().find(|found| found["id"] == alarm["id"]);
        let found = found.with_context(|| format!("alarm {} is gone", alarm["id"]))?;
        ensure!(found["raised_ms"] == alarm["raised_ms"], "{found} was {alarm}");
    }
    let first = before.first().context("there are alarms")?;
    let id = first["id"].as_str().context("an alarm has an id")?;
    let path = format!("/alarms/{id}/acknowledge");
    let (status, said) = client.post(&path, &json!({ "comment": "after the restore" }))?;
    ensure!(status == 200, "acknowledging after a restore: {status}: {said}");
    let metrics = || harness::Metrics::parse(&client.text("/metrics")?.1);
    let _nodes = Simulation::start(gateway.mqtt, credentials, &folder.join("flash"), "500ms")?;
    wait_for("readings after the restore", Duration::from_secs(60), || {
        Ok((metrics()?.get("miaopu_readings_kept_total")? > 50.0).then_some(()))
    })?;
    wait_for("the alarms to be judged on", Duration::from_secs(20), || {
        Ok((metrics()?.get("miaopu_judge_lag_commits")? < 20.0).then_some(()))
    })
}

fn what_is_wrong_is_refused(kept: &Path, used: &Path, folder: &Path) -> Result<()> {
    let fresh = folder.join("fresh");
    let check = |from: &Path, data: &Path, code: i32, names: &[&str]| -> Result<()> {
        let output = restore(from, data)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "{}: {said}", output.status);
        for name in names {
            ensure!(said.contains(name), "does not name `{name}`: {said}");
        }
        ensure!(!fresh.exists(), "a refused restore left something");
        Ok(())
    };
    check(kept, used, 64, &["not empty"])?;
    check(folder, &fresh, 69, &["MANIFEST.json"])?;
    let refused = backup(used, kept)?.output()?;
    ensure!(refused.status.code() == Some(69), "a backup over another: {}", refused.status);

    let store = kept.join("store/series.sqlite");
    let whole = fs::read(&store)?;
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    if let Some(byte) = damaged.get_mut(middle) {
        *byte ^= 1;
    }
    fs::write(&store, &damaged)?;
    check(kept, &fresh, 65, &["store/series.sqlite", "damaged"])?;
    fs::write(&store, &whole)?;
    let path = kept.join("MANIFEST.json");
    let mut newer = manifest(kept)?;
    newer["registry_schema"] = json!(9_999);
    newer["version"] = json!("9.0.0");
    fs::write(&path, newer.to_string())?;
    check(kept, &fresh, 65, &["9.0.0", "update miaopu"])
}
