//! The gateway as a process, and its commands.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

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
    /// Where its pages are over TLS.
    pub https: Option<SocketAddr>,
    /// Where nodes connect over TLS.
    pub mqtts: Option<SocketAddr>,
}

impl Gateway {
    /// Starts `miaopu serve` and waits until it is ready. Its log is appended to `gateway.log`
    /// beside the data.
    pub fn start(settings: &Settings) -> Result<Self> {
        Self::start_with(settings, "", &[])
    }

    /// Starts it with more tables in its configuration and with more environment.
    pub fn start_with(
        settings: &Settings,
        tables: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let (folder, mut child) = Self::spawn(settings, tables, environment)?;
        let said = File::options().create(true).append(true).open(folder.join("gateway.out"))?;
        match ready(&mut child, said) {
            Ok([http, mqtt, https, mqtts]) => {
                let missing = "the ready line says where pages and broker are";
                let (http, mqtt) = (http.context(missing)?, mqtt.context(missing)?);
                Ok(Self { child, http, mqtt, https, mqtts })
            }
            Err(error) => {
                child.kill().and_then(|()| child.wait()).context("cannot end the gateway")?;
                Err(error.context(format!("see {}", folder.join("gateway.log").display())))
            }
        }
    }

    /// Starts it and ends it with kill -9 so soon that it may not be ready yet.
    pub fn cut_short(settings: &Settings, after: Duration) -> Result<()> {
        let (_, mut child) = Self::spawn(settings, "", &[])?;
        std::thread::sleep(after);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    fn spawn(
        settings: &Settings,
        tables: &str,
        environment: &[(&str, &str)],
    ) -> Result<(PathBuf, Child)> {
        let folder = settings.data.parent().context("the data folder has a parent")?;
        let config = folder.join("gateway.toml");
        let key = if settings.outside { "broker" } else { "listen" };
        // No test opens a door to the network.
        let mut tls = "[https]\nlisten = \"127.0.0.1:0\"\n".to_owned();
        if !settings.outside {
            tls.push_str("[mqtt.tls]\nlisten = \"127.0.0.1:0\"\n");
        }
        let text = format!(
            "data = {:?}\n[http]\nlisten = \"{}\"\n{tls}[mqtt]\n{key} = \"{}\"\n",
            settings.data, settings.http, settings.mqtt
        );
        fs::write(&config, format!("{text}{tables}"))?;
        let log = File::options().create(true).append(true).open(folder.join("gateway.log"))?;
        let child = Command::new(binary()?)
            .args(["serve", "--config"])
            .arg(&config)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the gateway")?;
        Ok((folder.to_owned(), child))
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

/// Waits for the line `ready http=ADDR mqtt=ADDR https=ADDR mqtts=ADDR` and returns them in this
/// order; everything it says is kept in `said`.
fn ready(child: &mut Child, mut said: File) -> Result<[Option<SocketAddr>; 4]> {
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
        let doors: HashMap<&str, &str> =
            rest.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        return Ok(["http", "mqtt", "https", "mqtts"]
            .map(|name| doors.get(name).and_then(|address| address.parse().ok())));
    }
}
