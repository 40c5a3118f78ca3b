//! The proving ground: a site with one house and one node, made with the commands a person uses.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{ImageSettings, Settings, binary, run};

/// The house is lethal above 35 °C, at once.
const PLAN: &str = r#"
[[site]]
id = "works"
names = { zh = "试验场", en = "Proving ground" }
position = { latitude = 29.15, longitude = 107.10 }
time_zone = "Asia/Shanghai"

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
limit = 35.0
on_delay_ms = 0
reason = "lethal for the seedlings of the proving ground"
"#;

/// The folder of a proving ground.
pub struct Works {
    /// Everything lies in here.
    pub folder: PathBuf,
    /// The gateway's data.
    pub data: PathBuf,
    /// The credentials of the node `works/bench`.
    pub credentials: PathBuf,
}

impl Works {
    /// Makes site, house and node.
    pub fn build(folder: &Path) -> Result<Self> {
        let works = Self {
            folder: folder.to_owned(),
            data: folder.join("data"),
            credentials: folder.join("credentials"),
        };
        let plan = folder.join("plan.toml");
        fs::write(&plan, PLAN)?;
        run(Command::new(binary()?).args(["apply", "--data"]).arg(&works.data).arg(&plan))?;
        let line = run(Command::new(binary()?)
            .args(["node", "add", "--site", "works", "--node", "bench", "--zone", "house"])
            .arg("--data")
            .arg(&works.data))?;
        fs::write(&works.credentials, line)?;
        Ok(works)
    }

    /// How its gateway is started.
    pub fn settings(&self, mqtt: SocketAddr) -> Settings {
        let http = SocketAddr::from(([127, 0, 0, 1], 0));
        Settings { data: self.data.clone(), http, mqtt, outside: false }
    }

    /// How its image is started.
    pub fn image(&self, mqtt: SocketAddr, interval_ms: u32) -> ImageSettings {
        ImageSettings {
            mqtt,
            credentials: self.credentials.clone(),
            flash: self.folder.join("flash.img"),
            qmp: self.folder.join("qmp.sock"),
            interval_ms,
            elf: None,
            log: self.folder.join("image.log"),
        }
    }

    /// Issues a bearer token of a role.
    pub fn token(&self, role: &str) -> Result<String> {
        let token = run(Command::new(binary()?)
            .args(["token", "new", "--role", role])
            // A folder may be used again by another run.
            .args(["--name", &format!("{role}-{}", std::process::id())])
            .arg("--data")
            .arg(&self.data))?;
        Ok(token.trim().to_owned())
    }
}
