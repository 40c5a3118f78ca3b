//! A node whose sampling hangs is started again by its watchdog, though its executor and its link go on; what it
//! took before and after is in the store once.
//!
//! The image under test stops sampling after five rounds (its feature `break-sampling`).

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use harness::{Gateway, Image, ImageSettings, Ledger, Works, export, free_port, wait_for};

use crate::image_update::build;

const INTERVAL_MS: u32 = 500;
/// The node may be late by a minute (`node::SAMPLING_LATE_MS`), and the watchdog runs out twice in 20 s.
const RESTART: Duration = Duration::from_secs(150);
/// What a start is told by, and the readings that must come after it.
const SECOND_START: &str = "boot=2 ";
const ARRIVAL: Duration = Duration::from_secs(60);

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let elf = build(folder.path(), "", 1, "break-sampling")?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let _gateway = Gateway::start(&works.settings(mqtt))?;
    let settings = ImageSettings { elf: Some(elf), ..works.image(mqtt, INTERVAL_MS) };
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut image = Image::start(&settings, &ledger)?;
    let log = || fs::read_to_string(&settings.log).unwrap_or_default();
    wait_for("the second start", RESTART, || Ok(log().contains(SECOND_START).then_some(())))?;
    for words in ["watchdog: sampling or link makes no progress", "watchdog: not fed"] {
        ensure!(log().contains(words), "the image did not say `{words}`:\n{}", log());
    }
    let of_boot = |boot: u32| {
        let said = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        said.entries.iter().filter(|entry| entry.boot == boot).count()
    };
    wait_for("readings of the second start", ARRIVAL, || Ok((of_boot(2) >= 5).then_some(())))?;
    ensure!(of_boot(1) >= 5, "the first start took {} readings", of_boot(1));

    let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(said.garbled.is_empty(), "the ledger can't be read: {:?}", said.garbled);
    let verdict = wait_for("every reading in the store", ARRIVAL, || {
        let rows = export(&works.data, &folder.path().join("export.csv"), "bench")?.rows;
        let verdict = said.judge(&rows);
        Ok((verdict.lost == 0).then_some(verdict))
    })?;
    ensure!(verdict.doubled == 0, "doubled: {verdict:?}");
    image.kill()
}
