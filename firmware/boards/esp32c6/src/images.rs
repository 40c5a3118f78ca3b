//! Firmware updates: offers are checked, chunks go into the slot that does not run, the boot loader is told.
//!
//! `update` decides; this gives it the two regions of the flash, the boot loader's state and the time.
//! The keys and the number of the release are built in (`build.rs`). An image built without a key
//! refuses every offer.
//!
//! The ESP-IDF boot loader keeps its state in `otadata`: a new image starts as `New`, which a boot loader
//! with `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE` turns into `PendingVerify` at its first start and into
//! `Aborted`, and the old image again, at its second. A boot loader without it starts the new image for
//! good: what a trial fails is then still undone here, by choosing the other slot ([`Inner::give_up`]).

use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use esp_bootloader_esp_idf::ota::OtaImageState;
use esp_bootloader_esp_idf::ota_updater::OtaUpdater;
use esp_bootloader_esp_idf::partitions::{
    AppPartitionSubType, PARTITION_TABLE_MAX_LEN, PartitionType, read_partition_table,
};
use esp_hal::rng::Rng;
use esp_hal::system::software_reset;
use measure::Slug;
use static_cell::StaticCell;
use update::{Loader, Ours, Trial, Updater, Verdict, Work};
use wire::{Chunk, Detail, Outcome, SIGNATURE_BYTES, detail};

use crate::power::{self, now};
use crate::storage::{self, Region};
use crate::{RECORDED, Shared, log, stop};

include!(concat!(env!("OUT_DIR"), "/release.rs"));

/// What this board's images are made for.
const TARGET: &str = "esp32c6";
/// How long the word that an image is whole may take to leave, in milliseconds; then the node restarts
/// all the same.
const STAGED_MS: u64 = 2_000;
/// How often the trial is looked at, in milliseconds.
const TRIAL_LOOK_MS: u64 = 250;

/// The updates, which the link and a task of their own use.
pub(crate) type Images = Mutex<CriticalSectionRawMutex, Inner>;

/// Tells the task that there is something to do.
static CHANGED: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// Tells the task that a session has begun.
static LINKED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// What [`Images`] guards.
pub(crate) struct Inner {
    updater: Updater<Region, Region>,
    slot_bytes: u32,
    trial: Option<Trial>,
    staged: Option<Instant>,
}

/// Returns what the board's images are made for.
pub(crate) fn target() -> Slug {
    Slug::new(TARGET).expect("the name is a slug")
}

/// Returns whether a key is built in.
pub(crate) const fn takes_updates() -> bool {
    !KEYS.is_empty()
}

/// Takes up what was under way before the start. Call it once.
#[inline(never)]
pub(crate) async fn open(slots: [Region; 2], progress: Region) -> &'static Images {
    static IMAGES: StaticCell<Images> = StaticCell::new();
    let said = state().unwrap_or_else(|error| stop("update", error));
    let [first, second] = slots;
    let runs_second = runs_second().unwrap_or_else(|error| stop("update", error));
    let slot = if runs_second { first } else { second };
    let slot_bytes = slot.bytes();
    let updater = match Updater::open(slot, progress, RELEASE, said).await {
        Ok(updater) => updater,
        Err(error) => stop("update", error),
    };
    log!("image: release={RELEASE} slot={} state={said:?}", u8::from(runs_second));
    let is_trial = said == Loader::Trial || updater.is_trial();
    let trial = is_trial.then(|| Trial::new(now()));
    IMAGES.init(Mutex::new(Inner { updater, slot_bytes, trial, staged: None }))
}

/// Decides on an offer; returns the manifest, or what to answer.
// Not inlined: the signature takes 9 KiB of stack, only while this runs.
#[inline(never)]
fn check(
    manifest: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
    slot_bytes: u32,
) -> Result<update::Manifest, Detail> {
    let ours = Ours { target: target(), release: RELEASE, slot_bytes };
    update::verify(manifest, signature, KEYS, &ours)
        .map_err(|refusal| detail(format_args!("{refusal}")))
}

/// Takes an offer, or refuses it.
pub(crate) async fn offer(
    images: &Images,
    manifest: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> (Outcome, Detail) {
    let mut images = images.lock().await;
    if images.trial.is_some() {
        return (Outcome::Refused, detail(format_args!("the running image is on trial")));
    }
    let manifest = match check(manifest, signature, images.slot_bytes) {
        Ok(manifest) => manifest,
        Err(why) => {
            log!("update: refused: {why}");
            return (Outcome::Refused, why);
        }
    };
    match images.updater.begin(&manifest).await {
        Ok(_) => {
            log!("update: release={} of {} bytes begins", manifest.release, manifest.length);
            CHANGED.signal(());
            (Outcome::Done, Detail::new())
        }
        Err(error) => (Outcome::Refused, detail(format_args!("{error}"))),
    }
}

/// Takes bytes of an image.
pub(crate) async fn chunk(images: &Images, chunk: &Chunk<'_>) {
    if let Err(error) = images.lock().await.updater.chunk(chunk).await {
        log!("update: {error}");
    }
    CHANGED.signal(());
}

/// Notes a round of readings in flash.
pub(crate) async fn sampled(images: &Images) {
    if let Some(trial) = &mut images.lock().await.trial {
        trial.sampled();
    }
}

/// Notes a new session.
pub(crate) fn linked() {
    LINKED.signal(());
    CHANGED.signal(());
}

/// Returns whether an update or a trial is under way, for which a sleeper stays awake.
pub(crate) async fn is_busy(images: &Images) -> bool {
    let images = images.lock().await;
    images.updater.is_busy() || images.trial.is_some()
}

/// Goes on with updates and trials, for ever.
#[embassy_executor::task]
pub(crate) async fn run(images: &'static Images, node: &'static Shared) -> ! {
    loop {
        let wake = {
            let mut images = images.lock().await;
            if LINKED.try_take().is_some() {
                images.updater.linked();
                if let Some(trial) = &mut images.trial {
                    trial.connected();
                }
            }
            images.judge(node).await;
            images.go_on(node).await
        };
        match wake {
            Some(at) => {
                select(CHANGED.wait(), Timer::at(at)).await;
            }
            None => CHANGED.wait().await,
        }
    }
}

impl Inner {
    /// Ends the trial of the running image, one way or the other.
    async fn judge(&mut self, node: &Shared) {
        let Some(trial) = &mut self.trial else { return };
        // In this boot nothing but an acknowledged birth sets the clock.
        if node.lock().await.boot_utc().is_some() {
            trial.birth_acknowledged();
        }
        match trial.verdict(now()) {
            Verdict::Keep => match set_state(OtaImageState::Valid) {
                Ok(()) => {
                    log!("update: release={RELEASE} stays");
                    self.trial = None;
                    self.updater.confirmed();
                }
                Err(error) => log!("update: {error}"),
            },
            Verdict::Wait(_) => {}
            Verdict::Reset => {
                let missing = trial.missing().unwrap_or_default();
                log!("update: release={RELEASE} fails its trial: {missing}; restart");
                give_up()
            }
        }
    }

    /// Does the next piece of work and returns when there is more.
    async fn go_on(&mut self, node: &Shared) -> Option<Instant> {
        match self.updater.work().await {
            Ok(Work::More) => return Some(Instant::now()),
            Ok(Work::Done) => {}
            Err(error) => log!("update: {error}"),
        }
        let random = u64::from(Rng::new().random());
        if let Some(word) = self.updater.say(now(), random) {
            let update::Word { release, state, offset, length, detail } = word;
            let report = node::Update { release, state, offset, length, detail };
            node.lock().await.report_update(report);
            RECORDED.signal(());
        }
        if self.updater.is_staged() {
            let since = *self.staged.get_or_insert_with(Instant::now);
            if since.elapsed().as_millis() >= STAGED_MS {
                swap();
            }
            return Some(Instant::from_millis(since.as_millis() + STAGED_MS));
        }
        let wake = self.updater.next_wake(now()).map(power::instant);
        let look = self.trial.is_some().then(|| power::instant(now().plus_ms(TRIAL_LOOK_MS)));
        wake.into_iter().chain(look).min()
    }
}

/// Tells the boot loader to take the new image, and restarts.
fn swap() {
    let told = with_loader(|loader| {
        loader.activate_next_partition()?;
        loader.set_current_ota_state(OtaImageState::New)
    });
    match told {
        Ok(()) => {
            log!("update: the image is whole; restart");
            software_reset()
        }
        Err(error) => log!("update: {error}"),
    }
}

/// Says that the running image is no good, chooses the other slot and restarts.
fn give_up() -> ! {
    let told = with_loader(|loader| {
        loader.set_current_ota_state(OtaImageState::Invalid)?;
        let running = loader.selected_partition()?;
        let other = match running {
            AppPartitionSubType::Ota0 => AppPartitionSubType::Ota1,
            _ => AppPartitionSubType::Ota0,
        };
        let mut data = loader.ota_data()?;
        data.set_current_app_partition(other)?;
        data.set_current_ota_state(OtaImageState::Valid)
    });
    if let Err(error) = told {
        log!("update: {error}");
    }
    software_reset()
}

fn set_state(state: OtaImageState) -> Result<(), storage::Error> {
    with_loader(|loader| loader.set_current_ota_state(state))
}

/// Returns what the boot loader says of this start. A new image counts as on trial whether the boot loader
/// rolls back by itself or not.
fn state() -> Result<Loader, storage::Error> {
    let state = with_loader(|loader| match loader.current_ota_state() {
        // Never updated: there is no record yet.
        Err(esp_bootloader_esp_idf::partitions::Error::InvalidState) => Ok(OtaImageState::Valid),
        state => state,
    })?;
    Ok(match state {
        OtaImageState::New | OtaImageState::PendingVerify => Loader::Trial,
        OtaImageState::Aborted | OtaImageState::Invalid => Loader::Reverted,
        OtaImageState::Valid | OtaImageState::Undefined => Loader::Settled,
    })
}

/// Returns whether the image of `ota_1` runs.
fn runs_second() -> Result<bool, storage::Error> {
    storage::with(|flash| {
        let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
        let table = read_partition_table(flash, &mut buffer).map_err(|_| storage::Error::Table)?;
        let running = table.booted_partition().map_err(|_| storage::Error::Table)?;
        let running = running.ok_or(storage::Error::Table)?;
        Ok(running.partition_type() == PartitionType::App(AppPartitionSubType::Ota1))
    })
}

fn with_loader<T>(
    work: impl FnOnce(&mut OtaUpdater<'_, '_>) -> Result<T, esp_bootloader_esp_idf::partitions::Error>,
) -> Result<T, storage::Error> {
    storage::with(|flash| {
        let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
        let failed = |_| storage::Error::Partition("otadata");
        let mut loader = OtaUpdater::new(flash, &mut buffer).map_err(failed)?;
        work(&mut loader).map_err(failed)
    })
}
