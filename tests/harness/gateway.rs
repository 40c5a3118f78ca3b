//! The gateway as a process, and its commands.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{binary, run};

/// How long a gateway may take to say that it is ready.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// How a gateway is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of its data.
    pub data: PathBuf,
    /// Where its pages listen; port 0 picks a free one.
    pub http: SocketAddr,
    /// Where its own broker listens, or the outside broker to use.
    pub mqtt: SocketAddr,
    /// Whether `mqtt` is an outside broker.
    pub outside: bool,
}

/// A running gateway. Killed when dropped.
pub struct Gateway {
    child: Child,
    /// Where its pages are.
    pub http: SocketAddr,
    /// Where nodes connect.
    pub mqtt: SocketAddr,
}

impl Gateway {
    /// Starts `miaopu serve` and waits until it is ready. Its log is appended to `gateway.log`
    /// beside the data.
    pub fn start(settings: &Settings) -> Result<Self> {
        let folder = settings.data.parent().context("the data folder has a parent")?;
        let config = folder.join("gateway.toml");
        let key = if settings.outside { "broker" } else { "listen" };
        let text = format!(
            "data = {:?}\n[http]\nlisten = \"{}\"\n[mqtt]\n{key} = \"{}\"\n",
            settings.data, settings.http, settings.mqtt
        );
        fs::write(&config, text)?;
        let log = File::options().create(true).append(true).open(folder.join("gateway.log"))?;
        let mut child = Command::new(binary()?)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the gateway")?;
        let said = File::options().create(true).append(true).open(folder.join("gateway.out"))?;
        match ready(&mut child, said) {
            Ok((http, mqtt)) => Ok(Self { child, http, mqtt }),
            Err(error) => {
                child.kill().and_then(|()| child.wait()).context("cannot end the gateway")?;
                Err(error.context(format!("see {}", folder.join("gateway.log").display())))
            }
        }
    }

    /// Ends it at once, as a power cut would: kill -9.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Returns the process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Runs a command of `miaopu` and returns what it printed.
    pub fn command(arguments: &[&str], path: &Path) -> Result<String> {
        run(Command::new(binary()?).args(arguments).arg(path))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the gateway could not be ended: {error}");
        }
    }
}

/// Waits for the line `ready http=ADDR mqtt=ADDR`; everything it says is kept in `said`.
fn ready(child: &mut Child, mut said: File) -> Result<(SocketAddr, SocketAddr)> {
    let output = child.stdout.take().context("the gateway's output is piped")?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The pipe is read on when nobody asks any more, so that the gateway never blocks.
            let kept = writeln!(said, "{line}");
            if tell.send(line).is_err() && kept.is_err() {
                return;
            }
        }
    });
    loop {
        let line = told
            .recv_timeout(READY_PATIENCE)
            .map_err(|_| anyhow!("the gateway did not say `ready` in {READY_PATIENCE:?}"))?;
        let Some(rest) = line.strip_prefix("ready ") else { continue };
        let mut found = rest.split_whitespace().filter_map(|word| word.split_once('='));
        let mut address = |name: &str| -> Result<SocketAddr> {
            match found.next() {
                Some((key, address)) if key == name => Ok(address.parse()?),
                _ => bail!("`{line}` does not say where {name} is"),
            }
        };
        return Ok((address("http")?, address("mqtt")?));
    }
}
