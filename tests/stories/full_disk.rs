//! The disk is full, truly: people are told, alarms can be answered, and not one reading is lost.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{
    Client, Gateway, Image, Ledger, Metrics, Qmp, Works, binary, export, free_port, run, wait_for,
};
use serde_json::{Value, json};

/// How large the disk is.
const DISK_MIB: u64 = 96;
/// What the filler leaves free.
const LEFT_BYTES: u64 = 64 * 1_024;
/// How soon people must be told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let Some(_disk) = Disk::mount(&data) else {
        println!("SKIPPED: a small disk can't be mounted here; it takes root");
        return Ok(());
    };
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let receiver = Receiver::start()?;
    let tables = receiver.tables(folder.path())?;
    let mut gateway = Gateway::start_with(&works.settings(mqtt), &tables, &[])?;
    let token = works.token("technician")?;
    let client = Client::new(gateway.http, &token);
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut image = Image::start(&works.image(mqtt, 500), &ledger)?;
    let alarm = heat(&works, &client)?;
    ensure!(data.join("reserve").exists(), "there is no reserve");

    let filler = data.join("filler");
    fill(&data, &filler)?;
    let filled = Instant::now();
    told(&client)?;
    println!("  told {} ms after the disk was full", filled.elapsed().as_millis());
    ensure!(filled.elapsed() < TOLD_WITHIN, "told after {:?}", filled.elapsed());
    ensure!(!data.join("reserve").exists(), "the reserve was not given up");
    receiver.wait_for("gateway.disk_full", 1)?;
    readings_are_stopped(&client, &ledger)?;
    let path = format!("/alarms/{alarm}/acknowledge");
    let (status, said) = client.post(&path, &json!({ "comment": "on a full disk" }))?;
    ensure!(status == 200, "acknowledging on a full disk: {status}: {said}");
    let another = works_token(&works)?;
    no_backup_finds_room(&works)?;

    // A gateway that is started anew on the full disk does its duty too.
    gateway.kill()?;
    drop(gateway);
    let mut gateway = Gateway::start_with(&works.settings(mqtt), &tables, &[])?;
    let client = Client::new(gateway.http, &another);
    told(&client)?;
    receiver.wait_for("gateway.disk_full", 2)?;
    let detail = client.get(&format!("/alarms/{alarm}"))?;
    ensure!(detail["alarm"]["acknowledged_ms"].is_number(), "after a restart: {detail}");

    fs::remove_file(&filler)?;
    let freed = Instant::now();
    wait_for("the gateway to be well again", Duration::from_secs(40), || {
        Ok((health(&client)?["status"] == "ok").then_some(()))
    })?;
    println!("  well again {} ms after there was room", freed.elapsed().as_millis());
    ensure!(data.join("reserve").exists(), "the reserve was not made anew");
    receiver.wait_for("gateway.disk_has_room", 1)?;
    let said = more(&ledger, 10)?;
    let verdict = wait_for("every reading in the store", Duration::from_secs(120), || {
        let exported = export(&works.data, &works.folder.join("export.csv"), "bench")?;
        let verdict = said.judge(&exported.rows);
        Ok((verdict.lost == 0).then_some(verdict))
    })?;
    ensure!(verdict.doubled == 0 && verdict.kept == said.entries.len(), "{verdict:?}");
    println!("  {} readings of the node are stored once", verdict.kept);
    image.kill()?;
    gateway.kill()
}

/// A disk of its own. Gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Option<Self> {
        let size = format!("size={DISK_MIB}m,mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "miaopu-test"])
            .arg(at)
            .output();
        let mounted = mounted.ok().filter(|output| output.status.success());
        mounted.map(|_| Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still have a file open.
        if let Err(error) = run(Command::new("umount").arg("-l").arg(&self.0)) {
            eprintln!("the small disk could not be unmounted: {error}");
        }
    }
}

/// A webhook's other side: takes everything, and remembers what kind of news it was.
struct Receiver {
    address: SocketAddr,
    kinds: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let kinds: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&kinds);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                match receive(stream) {
                    Ok(kind) => kept.lock().unwrap_or_else(PoisonError::into_inner).push(kind),
                    Err(error) => eprintln!("the webhook's other side: {error:#}"),
                }
            }
        });
        Ok(Self { address, kinds })
    }

    /// Returns the configuration that leads here.
    fn tables(&self, folder: &Path) -> Result<String> {
        let secret = folder.join("webhook-secret");
        fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")?;
        let url = format!("http://{}/alarms", self.address);
        Ok(format!("[notify.webhook]\nurl = {url:?}\nsecret_file = {secret:?}\n"))
    }

    fn wait_for(&self, kind: &str, times: usize) -> Result<()> {
        wait_for(&format!("`{kind}` at the webhook"), TOLD_WITHIN, || {
            let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            Ok((kinds.iter().filter(|it| *it == kind).count() >= times).then_some(()))
        })
    }
}

/// Takes one request and returns the `type` of its body.
fn receive(stream: TcpStream) -> Result<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
    let body: Value = serde_json::from_slice(&body)?;
    Ok(body["type"].as_str().unwrap_or_default().to_owned())
}

/// Heats the bench, so that there is an alarm to answer.
fn heat(works: &Works, client: &Client) -> Result<String> {
    let mut qmp = Qmp::connect(&works.folder.join("qmp.sock"))?;
    qmp.set_temperature_mc(38_000)?;
    wait_for("the alarm", Duration::from_secs(180), || {
        let listed = client.get("/alarms?state=unacknowledged")?;
        let alarms = listed["alarms"].as_array().cloned().unwrap_or_default();
        let hot = alarms.iter().find(|alarm| alarm["quantity"] == "air_temperature");
        Ok(hot.and_then(|alarm| alarm["id"].as_str().map(str::to_owned)))
    })
}

/// Fills the disk in one go, but for a little.
fn fill(disk: &Path, filler: &Path) -> Result<()> {
    let said = run(Command::new("df").args(["-B1", "--output=avail"]).arg(disk))?;
    let free: u64 = said.lines().last().context("df says what is free")?.trim().parse()?;
    let bytes = free.saturating_sub(LEFT_BYTES);
    run(Command::new("fallocate").args(["-l", &bytes.to_string()]).arg(filler)).map(drop)
}

fn health(client: &Client) -> Result<Value> {
    client.get("/health")
}

/// The page says that the disk is full, in both languages, and so do the metrics.
fn told(client: &Client) -> Result<()> {
    let troubles = wait_for("the gateway to say that the disk is full", TOLD_WITHIN, || {
        let health = health(client)?;
        let is_told = health["status"] == "degraded" && health["troubles"][0]["en"].is_string();
        Ok(is_told.then(|| health["troubles"].clone()))
    })?;
    let text = troubles.to_string();
    ensure!(text.contains("disk is full") && text.contains("磁盘已满"), "{text}");
    let metrics = Metrics::parse(&client.text("/metrics")?.1)?;
    ensure!(metrics.get("miaopu_readings_stopped")? == 1.0, "the metrics say that readings flow");
    ensure!(metrics.get("miaopu_reserve_present")? == 0.0, "the metrics say there is a reserve");
    Ok(())
}

/// Nothing is stored, while the node goes on taking readings.
fn readings_are_stopped(client: &Client, ledger: &Mutex<Ledger>) -> Result<()> {
    let kept = || Metrics::parse(&client.text("/metrics")?.1)?.get("miaopu_readings_kept_total");
    let before = kept()?;
    more(ledger, 20)?;
    let after = kept()?;
    ensure!(before == after, "{before} readings, then {after} on a full disk");
    Ok(())
}

/// Waits until the node has taken so many more readings; returns all of them.
fn more(ledger: &Mutex<Ledger>, readings: usize) -> Result<Ledger> {
    let said = || ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let before = said().entries.len();
    wait_for("more readings of the image", Duration::from_secs(60), || {
        let said = said();
        Ok((said.entries.len() >= before + readings).then_some(said))
    })
}

/// Another process writes too: a token, and the record of it.
fn works_token(works: &Works) -> Result<String> {
    let said = run(Command::new(binary()?)
        .args(["token", "new", "--role", "technician", "--name", "on-a-full-disk", "--data"])
        .arg(&works.data))
    .context("a token on a full disk")?;
    Ok(said.trim().to_owned())
}

fn no_backup_finds_room(works: &Works) -> Result<()> {
    // Beside the filler there is less room than the backup needs.
    let crowd = works.data.join("crowd");
    fill(&works.data, &crowd)?;
    let to = works.data.join("backup");
    let mut backup = Command::new(binary()?);
    let output =
        backup.args(["backup", "--data"]).arg(&works.data).arg("--to").arg(&to).output()?;
    fs::remove_file(&crowd)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(69), "{}: {said}", output.status);
    ensure!(said.contains("needed") && said.contains("free"), "{said}");
    for left in ["backup", "backup.partial"] {
        ensure!(!works.data.join(left).exists(), "`{left}` was left behind");
    }
    Ok(())
}
