//! Simulated nodes over real MQTT: `miaopu node simulate`.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{Works, binary, run};

/// Running simulated nodes. Killed when dropped.
pub struct Simulation {
    child: Child,
}

impl Simulation {
    /// Adds `nodes` nodes to a proving ground and returns the file of their credentials.
    pub fn settle(works: &Works, nodes: usize) -> Result<PathBuf> {
        let mut lines = String::new();
        for number in 1..=nodes {
            let name = format!("sim-{number:02}");
            lines += &run(Command::new(binary()?)
                .args(["node", "add", "--site", "works", "--zone", "house", "--node", &name])
                .arg("--data")
                .arg(&works.data))?;
        }
        let file = works.folder.join("simulated");
        std::fs::write(&file, lines)?;
        Ok(file)
    }

    /// Plays the nodes of a credentials file at a broker; their flash is kept in `flash`.
    pub fn start(
        mqtt: SocketAddr,
        credentials: &Path,
        flash: &Path,
        interval: &str,
    ) -> Result<Self> {
        let log = flash.with_extension("log");
        let log = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(binary()?)
            .args(["node", "simulate", "--mqtt", &mqtt.to_string(), "--interval", interval])
            .arg("--credentials")
            .arg(credentials)
            .arg("--flash")
            .arg(flash)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the simulated nodes")?;
        Ok(Self { child })
    }

    /// Ends them at once.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the simulated nodes could not be ended: {error}");
        }
    }
}
