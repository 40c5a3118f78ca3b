//! Mosquitto in its default configuration, on a port of its own.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::wait_for;

/// A running Mosquitto. Killed when dropped.
pub struct Mosquitto {
    child: Child,
}

impl Mosquitto {
    /// Starts it on `address` with nothing but a listener that lets everyone in.
    pub fn start(folder: &Path, address: SocketAddr) -> Result<Self> {
        let config = folder.join("mosquitto.conf");
        let text = format!("listener {} {}\nallow_anonymous true\n", address.port(), address.ip());
        fs::write(&config, text)?;
        let program = if Path::new("/usr/sbin/mosquitto").is_file() {
            "/usr/sbin/mosquitto"
        } else {
            "mosquitto"
        };
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start mosquitto (Debian: apt-get install mosquitto)")?;
        let mosquitto = Self { child };
        wait_for("mosquitto to listen", Duration::from_secs(10), || {
            Ok(TcpStream::connect(address).ok().map(|_| ()))
        })?;
        Ok(mosquitto)
    }

    /// Ends it at once: kill -9.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("mosquitto could not be ended: {error}");
        }
    }
}
