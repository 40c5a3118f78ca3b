//! The node image in QEMU, and QEMU's control socket.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{Ledger, repository, wait_for};

/// How an image is started.
#[derive(Clone, Debug)]
pub struct ImageSettings {
    /// The broker.
    pub mqtt: SocketAddr,
    /// The credentials file.
    pub credentials: PathBuf,
    /// The file that is its flash.
    pub flash: PathBuf,
    /// QEMU's control socket.
    pub qmp: PathBuf,
    /// Time between two samples, in milliseconds.
    pub interval_ms: u32,
    /// The ELF to run; built by the runner where absent.
    pub elf: Option<PathBuf>,
    /// Where its own log goes.
    pub log: PathBuf,
}

/// A running image. Killed when dropped.
pub struct Image {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Image {
    /// Starts the image; what it says goes into `ledger` line by line.
    pub fn start(settings: &ImageSettings, ledger: &Arc<Mutex<Ledger>>) -> Result<Self> {
        let runner = repository().join("firmware/boards/mps2-an385/run.sh");
        let log = File::options().create(true).append(true).open(&settings.log)?;
        let mut command = Command::new(runner);
        command
            .args(["--mqtt", &settings.mqtt.to_string(), "--offline-ok"])
            .args(["--interval-ms", &settings.interval_ms.to_string()])
            .arg("--credentials")
            .arg(&settings.credentials)
            .arg("--flash")
            .arg(&settings.flash)
            .arg("--qmp")
            .arg(&settings.qmp);
        if let Some(elf) = &settings.elf {
            command.arg("--image").arg(elf);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the image's runner")?;
        let output = child.stdout.take().context("the image's output is piped")?;
        let ledger = Arc::clone(ledger);
        let reader = std::thread::spawn(move || {
            let mut lines = BufReader::new(output);
            let mut line = Vec::new();
            // A line that a kill cut short has no end and was not said.
            while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if line.ends_with(b"\n") {
                    let text = String::from_utf8_lossy(&line);
                    ledger.lock().unwrap_or_else(PoisonError::into_inner).hear(text.trim());
                }
                line.clear();
            }
        });
        Ok(Self { child, reader: Some(reader) })
    }

    /// Ends QEMU at once, as a power cut would, and waits until its last line is read.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            reader.join().ok().context("the ledger's reader panicked")?;
        }
        Ok(())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the image could not be ended: {error}");
        }
    }
}

/// How long QEMU may take to open its control socket and to answer: a campaign is not over because the
/// machine has much else to do.
const QMP_PATIENCE: Duration = Duration::from_secs(60);

/// QEMU's control socket.
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and takes the greeting.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = wait_for("QEMU's control socket", QMP_PATIENCE, || {
            Ok(UnixStream::connect(socket).ok())
        })?;
        stream.set_read_timeout(Some(QMP_PATIENCE))?;
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.read()?;
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Sets what the TMP105 measures, in thousandths of a degree Celsius.
    pub fn set_temperature_mc(&mut self, temperature_mc: i32) -> Result<()> {
        let arguments = json!({
            "path": "/machine/peripheral/t0", "property": "temperature", "value": temperature_mc,
        });
        self.execute("qom-set", &arguments)
    }

    /// Pulls or plugs the network cable.
    pub fn set_link(&mut self, up: bool) -> Result<()> {
        self.execute("set_link", &json!({ "name": "n0", "up": up }))
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{request}")?;
        loop {
            let answer = self.read()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused `{command}`: {error}");
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed its control socket");
        }
        Ok(serde_json::from_str(&line)?)
    }
}
