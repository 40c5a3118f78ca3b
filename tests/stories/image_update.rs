//! Firmware updates of the real image through the real gateway, with the power cut at any moment.
//!
//! Three images are built: release 1, release 2, and a release 3 that dials nobody. Release 1
//! refuses a stranger's signature and takes release 2 with QEMU killed at random instants; to that
//! release 1 is refused, and release 3 must go back by itself. Every reading that was taken meanwhile is in the store once.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use harness::{
    Gateway, Image, ImageSettings, Ledger, Works, binary, export, free_port, repository, run,
    wait_for,
};

/// How often the power is cut while release 2 comes in.
const CUTS: usize = 6;
/// The shortest and longest time between two cuts, in milliseconds.
const BETWEEN_CUTS_MS: (u64, u64) = (700, 3_000);
/// How long an image may take to come in, and to prove itself or not.
const ARRIVAL: Duration = Duration::from_secs(90);
/// How long a refusal may take.
const REFUSAL: Duration = Duration::from_secs(30);

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let (ours, public) = key(folder.path(), "ours.pem")?;
    let (strange, _) = key(folder.path(), "strange.pem")?;
    let first = build(folder.path(), &public, 1, "")?;
    let second = build(folder.path(), &public, 2, "")?;
    let third = build(folder.path(), &public, 3, "break-trial")?;

    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let _gateway = Gateway::start(&works.settings(mqtt))?;
    let settings = ImageSettings { elf: Some(first.clone()), ..works.image(mqtt, 500) };
    let mut plant = Plant { works, settings, ledger: Arc::default(), image: None };
    plant.start()?;
    plant.said("link up", REFUSAL)?;

    plant.offer(&strange, &second, 4)?;
    plant.said("refused: signed by none of our keys", REFUSAL)?;
    a_changed_package_is_none(&plant.works, &ours, &second)?;

    plant.offer(&ours, &second, 2)?;
    plant.said("update: release=2", REFUSAL)?;
    plant.cut_and_cut()?;
    plant.said("update: release=2 stays", ARRIVAL)?;
    plant.offer(&ours, &first, 1)?;
    plant.gateway_said("release=1 state=\"refused\" detail=\"it runs release 2\"")?;

    plant.offer(&ours, &third, 3)?;
    plant.said("update: release=3 fails its trial", ARRIVAL)?;
    plant.said("image: release=2 state=reverted", ARRIVAL)?;
    plant.nothing_is_lost()
}

/// What runs, and what it said.
struct Plant {
    works: Works,
    settings: ImageSettings,
    ledger: Arc<Mutex<Ledger>>,
    image: Option<Image>,
}

impl Plant {
    fn start(&mut self) -> Result<()> {
        self.image = Some(Image::start(&self.settings, &self.ledger)?);
        Ok(())
    }

    /// Signs an image under a number, keeps it and offers it.
    fn offer(&self, key: &Path, image: &Path, release: u32) -> Result<()> {
        let package = sign(&self.works.folder, key, image, release)?;
        let data = &self.works.data;
        firmware("add", data, |command| command.arg(&package))?;
        firmware("offer", data, |command| {
            command.args(["--node", "works/bench", "--release", &release.to_string()])
        })?;
        Ok(())
    }

    /// Waits until the image's log says so.
    fn said(&self, words: &str, patience: Duration) -> Result<()> {
        let log = &self.settings.log;
        wait_for(words, patience, || Ok(fs::read_to_string(log)?.contains(words).then_some(())))
            .with_context(|| {
                let logs = [log.clone(), self.works.folder.join("gateway.log")];
                logs.map(|log| fs::read_to_string(log).unwrap_or_default()).join("\n")
            })
    }

    /// Waits until the gateway's log says so.
    fn gateway_said(&self, words: &str) -> Result<()> {
        let log = self.works.folder.join("gateway.log");
        wait_for(words, REFUSAL, || Ok(fs::read_to_string(&log)?.contains(words).then_some(())))
    }

    /// Cuts the power at random instants: amid chunks, and amid the swap where one hits it.
    fn cut_and_cut(&mut self) -> Result<()> {
        let mut rng = Rng::with_seed(11);
        for _ in 0..CUTS {
            let pause_ms = rng.u64(BETWEEN_CUTS_MS.0..=BETWEEN_CUTS_MS.1);
            std::thread::sleep(Duration::from_millis(pause_ms));
            self.image.take().context("the image runs")?.kill()?;
            self.start()?;
        }
        Ok(())
    }

    fn nothing_is_lost(&mut self) -> Result<()> {
        let said = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(said.garbled.is_empty(), "the ledger can't be read: {:?}", said.garbled);
        ensure!(said.entries.len() > 50, "only {} readings", said.entries.len());
        let verdict = wait_for("every reading in the store", ARRIVAL, || {
            let into = self.works.folder.join("export.csv");
            let verdict = said.judge(&export(&self.works.data, &into, "bench")?.rows);
            Ok((verdict.lost == 0).then_some(verdict))
        })?;
        ensure!(verdict.doubled == 0, "doubled: {verdict:?}");
        Ok(())
    }
}

/// Draws a key; returns its file and its public half.
fn key(folder: &Path, name: &str) -> Result<(PathBuf, String)> {
    let file = folder.join(name);
    let said = run(Command::new(binary()?).args(["firmware", "key", "--out"]).arg(&file))?;
    let public = said.split_whitespace().find(|word| word.len() == 64);
    Ok((file, public.context("the command prints the public half")?.to_owned()))
}

/// Builds an image and copies it out of cargo's way.
pub(crate) fn build(folder: &Path, public: &str, release: u32, features: &str) -> Result<PathBuf> {
    let board = repository().join("firmware/boards/mps2-an385");
    let target = board.join("target/updates");
    run(Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "-p", "mps2-an385"])
        .args(["--features", features])
        .current_dir(&board)
        .env("CARGO_TARGET_DIR", &target)
        .env("MIAOPU_UPDATE_KEY", public)
        .env("MIAOPU_RELEASE", release.to_string()))?;
    let elf = folder.join(format!("release-{release}.elf"));
    fs::copy(target.join("thumbv7m-none-eabi/release/mps2-an385"), &elf)?;
    Ok(elf)
}

/// Signs an image and returns the package.
fn sign(folder: &Path, key: &Path, elf: &Path, release: u32) -> Result<PathBuf> {
    let [image, package] =
        ["bin", "mpf"].map(|kind| folder.join(format!("offered-{release}.{kind}")));
    let tool = repository().join("firmware/boards/mps2-an385/image.py");
    run(Command::new(tool).arg("bin").arg(elf).arg(&image))?;
    run(Command::new(binary()?)
        .args(["firmware", "sign", "--target", "mps2-an385", "--version", "story"])
        .args(["--release", &release.to_string(), "--key"])
        .arg(key)
        .arg("--image")
        .arg(&image)
        .arg("--out")
        .arg(&package))?;
    Ok(package)
}

fn firmware(
    word: &str,
    data: &Path,
    more: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<String> {
    let mut command = Command::new(binary()?);
    run(more(command.args(["firmware", word, "--data"]).arg(data)))
}

/// One byte of the image is another: the gateway does not even keep it.
fn a_changed_package_is_none(works: &Works, key: &Path, image: &Path) -> Result<()> {
    let package = sign(&works.folder, key, image, 5)?;
    let mut bytes = fs::read(&package)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("a package has bytes")? ^= 1;
    fs::write(&package, bytes)?;
    let added = firmware("add", &works.data, |command| command.arg(&package));
    ensure!(added.is_err(), "a changed package was kept");
    Ok(())
}
