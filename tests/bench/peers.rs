//! What stands beside us: Mosquitto, InfluxDB 1.6 and VictoriaMetrics as Debian packages them, on
//! the loopback, in folders that go with the run, and told to report nothing to anybody.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use harness::{free_port, wait_for};
use serde_json::Value;

/// How long a peer may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to answer a question or an export.
const ANSWER_PATIENCE: Duration = Duration::from_secs(300);
/// How long it may take to end in order.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A process that ends with this value.
pub(crate) struct Running(Child);

impl Running {
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let spawned =
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().with_context(
                || format!("cannot start {:?}: is it installed?", command.get_program()),
            );
        Ok(Self(spawned?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it at once: kill -9.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, so that it writes what it has in memory, and waits.
    fn stop(&mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status()?;
        ensure!(asked.success(), "cannot ask a process to end");
        wait_for("a process to end", STOP_PATIENCE, || Ok(self.0.try_wait()?.map(|_| ())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("a process could not be ended: {error}");
        }
    }
}

/// Starts Mosquitto as the peers want it: nothing is dropped, nothing waits for a full packet.
pub(crate) fn mosquitto(folder: &Path) -> Result<(Running, SocketAddr)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let config = folder.join("mosquitto.conf");
    let text = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n\
         set_tcp_nodelay true\nmax_inflight_messages 1024\nmax_queued_messages 0\n",
        address.port()
    );
    fs::write(&config, text)?;
    let program =
        ["/usr/sbin/mosquitto", "mosquitto"].into_iter().find(|it| Path::new(it).exists());
    let mut command = Command::new(program.unwrap_or("mosquitto"));
    let running = Running::start(command.arg("-c").arg(&config), &folder.join("mosquitto.log"))?;
    wait_for("mosquitto to listen", START_PATIENCE, || {
        Ok(TcpStream::connect(address).ok().map(|_| ()))
    })?;
    Ok((running, address))
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Influx,
    Victoria,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Influx, Self::Victoria];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Influx => "InfluxDB",
            Self::Victoria => "VictoriaMetrics",
        }
    }
}

/// A database that speaks line protocol.
pub(crate) struct Database {
    pub(crate) kind: Kind,
    folder: PathBuf,
    address: SocketAddr,
    process: Mutex<Option<Running>>,
    agent: ureq::Agent,
}

impl Database {
    /// Starts one with an empty folder.
    pub(crate) fn start(kind: Kind, folder: &Path) -> Result<Self> {
        let folder = folder.join(kind.name());
        fs::create_dir_all(&folder)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_PATIENCE))
            .build();
        let process = Mutex::default();
        let database = Self { kind, folder, address, process, agent: config.into() };
        database.start_again()?;
        if kind == Kind::Influx {
            database.ask("/query?q=CREATE%20DATABASE%20bench", "POST")?;
        }
        Ok(database)
    }

    /// Starts it on what its folder holds; returns how long until it answers a question.
    pub(crate) fn start_again(&self) -> Result<Duration> {
        let began = Instant::now();
        let log = self.folder.with_extension("log");
        let mut command = match self.kind {
            Kind::Influx => self.influx()?,
            Kind::Victoria => self.victoria(),
        };
        *self.lock() = Some(Running::start(&mut command, &log)?);
        let question = match self.kind {
            Kind::Influx => "/query?q=SHOW%20DATABASES",
            Kind::Victoria => "/api/v1/query?query=1",
        };
        loop {
            let answer = self.agent.get(format!("http://{}{question}", self.address)).call();
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(began.elapsed());
            }
            ensure!(began.elapsed() < START_PATIENCE, "{} does not start", self.kind.name());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// InfluxDB syncs every write to the disk before it answers: `wal-fsync-delay` is 0.
    fn influx(&self) -> Result<Command> {
        let (config, folder) = (self.folder.with_extension("conf"), self.folder.display());
        let rpc = free_port()?;
        let text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
             [meta]\ndir = \"{folder}/meta\"\n\
             [data]\ndir = \"{folder}/data\"\nwal-dir = \"{folder}/wal\"\n\
             wal-fsync-delay = \"0s\"\nquery-log-enabled = false\n\
             [http]\nbind-address = \"{}\"\nlog-enabled = false\nmax-row-limit = 0\n\
             [monitor]\nstore-enabled = false\n[logging]\nlevel = \"warn\"\n",
            self.address
        );
        fs::write(&config, text)?;
        let mut command = Command::new("influxd");
        command.arg("-config").arg(&config);
        Ok(command)
    }

    fn victoria(&self) -> Command {
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-storageDataPath={}", self.folder.display()))
            .arg(format!("-httpListenAddr={}", self.address))
            .args(["-retentionPeriod=100y", "-selfScrapeInterval=0", "-loggerLevel=ERROR"])
            .args(["-search.latencyOffset=0s", "-search.disableCache"]);
        command
    }

    /// Takes lines with times in milliseconds; returns when the database says that it has them.
    pub(crate) fn write(&self, lines: &str) -> Result<()> {
        let url = format!("http://{}/write?db=bench&precision=ms", self.address);
        let mut answer = self.agent.post(url).send(lines)?;
        if answer.status().as_u16() != 204 {
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            bail!("{} refuses lines: {}: {text}", self.kind.name(), answer.status());
        }
        // Read to its end, so that the connection is used again.
        answer.body_mut().read_to_string()?;
        Ok(())
    }

    fn ask(&self, path: &str, method: &str) -> Result<Value> {
        let url = format!("http://{}{path}", self.address);
        let mut answer = match method {
            "POST" => self.agent.post(url).send_empty()?,
            _ => self.agent.get(url).call()?,
        };
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        ensure!(answer.status().is_success(), "{path}: {}: {text}", answer.status());
        Ok(serde_json::from_str(&text)?)
    }

    /// Asks and returns JSON: InfluxQL, or a path of VictoriaMetrics.
    pub(crate) fn query(&self, question: &str) -> Result<Value> {
        match self.kind {
            Kind::Influx => {
                let path = format!("/query?db=bench&epoch=ms&q={}", escaped(question));
                let answer = self.ask(&path, "GET")?;
                let refused = answer.pointer("/results/0/error");
                ensure!(refused.is_none(), "InfluxDB: {question}: {answer}");
                Ok(answer)
            }
            Kind::Victoria => self.ask(question, "GET"),
        }
    }

    /// Reads an answer of any size to its end; returns its lines.
    pub(crate) fn export(&self, path: &str, accept: &str) -> Result<u64> {
        let url = format!("http://{}{path}", self.address);
        let answer = self.agent.get(url).header("Accept", accept).call()?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        let mut reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let (mut buffer, mut lines) = (vec![0; 1 << 16], 0);
        loop {
            match std::io::Read::read(&mut reader, &mut buffer)? {
                0 => return Ok(lines),
                read => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                }
            }
        }
    }

    /// Returns how many values it holds.
    pub(crate) fn count(&self) -> Result<u64> {
        match self.kind {
            Kind::Influx => {
                let answer = self.query("SELECT count(v) FROM r")?;
                let count = answer.pointer("/results/0/series/0/values/0/1");
                Ok(count.and_then(Value::as_u64).unwrap_or(0))
            }
            Kind::Victoria => {
                // What came last is shown once it is flushed into a part in memory.
                self.agent
                    .get(format!("http://{}/internal/force_flush", self.address))
                    .call()?
                    .body_mut()
                    .read_to_string()?;
                let question = "sum(count_over_time({__name__=\"r_v\"}[5y]))";
                let path = format!("/api/v1/query?query={}", escaped(question));
                let answer = self.query(&path)?;
                let count = answer.pointer("/data/result/0/value/1").and_then(Value::as_str);
                Ok(count.map_or(Ok(0.0), str::parse::<f64>)? as u64)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn id(&self) -> Result<u32> {
        self.lock().as_ref().map(Running::id).context("the database runs")
    }

    pub(crate) fn kill(&self) -> Result<()> {
        self.lock().as_mut().context("the database runs")?.kill()
    }

    /// Ends it in order.
    pub(crate) fn stop(&self) -> Result<()> {
        self.lock().as_mut().context("the database runs")?.stop()
    }

    /// Returns what lies on the disk, in bytes of whole blocks.
    pub(crate) fn bytes(&self) -> Result<u64> {
        crate::usage::bytes_under(&self.folder)
    }
}

/// Escapes a part of an address (RFC 3986, section 2.1).
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
