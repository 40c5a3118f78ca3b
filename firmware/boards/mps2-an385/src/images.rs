//! Firmware updates: offers are checked, chunks go into the slot, the boot loader is told.
//!
//! `update` decides; this gives it the two regions of the flash, the boot loader's state and the time.
//! The keys and the number of the release are built in (`build.rs`). An image built without a key
//! refuses every offer.

use embassy_boot::{BlockingFirmwareState, State};
use embassy_futures::block_on;
use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use flash::Region;
use measure::Slug;
use static_cell::StaticCell;
use update::{Loader, Ours, Trial, Updater, Verdict, Work};
use wire::{Chunk, Detail, Outcome, SIGNATURE_BYTES, detail};

use crate::{RECORDED, Shared, host, now, stop};

include!(concat!(env!("OUT_DIR"), "/release.rs"));

/// What this board's images are made for.
const TARGET: &str = "mps2-an385";
/// How long the word that an image is whole may take to leave, in milliseconds; then the machine
/// restarts all the same.
const STAGED_MS: u64 = 2_000;
/// How often the trial is looked at, in milliseconds.
const TRIAL_LOOK_MS: u64 = 250;
/// The fault of the feature `break-trial` ends its trial after so long, in milliseconds.
const BROKEN_TRIAL_MS: u64 = 15_000;

/// The updates, which the link and a task of their own use.
pub(crate) type Images = Mutex<ThreadModeRawMutex, Inner>;

/// Tells the task that there is something to do.
static CHANGED: Signal<ThreadModeRawMutex, ()> = Signal::new();

/// What [`Images`] guards.
pub(crate) struct Inner {
    updater: Updater<Region, Region>,
    loader: BlockingFirmwareState<'static, Region>,
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
pub(crate) fn open() -> &'static Images {
    static IMAGES: StaticCell<Images> = StaticCell::new();
    static WORD: StaticCell<[u8; 4]> = StaticCell::new();
    // SAFETY: called once, or the cells here would panic; the loader is done.
    let slot = unsafe { Region::take(flash::DFU) };
    // SAFETY: as above.
    let progress = unsafe { Region::take(flash::PROGRESS) };
    // SAFETY: as above.
    let state = unsafe { Region::take(flash::STATE) };
    let mut loader = BlockingFirmwareState::new(state, WORD.init([0; 4]));
    let state = loader.get_state().unwrap_or(State::Boot);
    let said = match state {
        State::Swap => Loader::Trial,
        State::Revert => Loader::Reverted,
        State::Boot | State::DfuDetach => Loader::Settled,
    };
    let updater = block_on(Updater::open(slot, progress, RELEASE, said))
        .unwrap_or_else(|error| stop("update", error));
    // Only now: the updater has noted that the image did not stay.
    if said == Loader::Reverted && loader.mark_booted().is_err() {
        log!("update: the boot loader's state cannot be written");
    }
    log!(
        "image: release={RELEASE} state={}",
        match said {
            Loader::Trial => "trial",
            Loader::Reverted => "reverted",
            Loader::Settled => "settled",
        }
    );
    let trial = (said == Loader::Trial).then(|| Trial::new(now()));
    IMAGES.init(Mutex::new(Inner { updater, loader, trial, staged: None }))
}

/// Decides on an offer; returns what to answer.
// Not inlined: the signature takes 9 KiB of stack, only while this runs.
#[inline(never)]
fn check(manifest: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<update::Manifest, Detail> {
    let slot_bytes = flash::ACTIVE.end - flash::ACTIVE.start;
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
    let manifest = match check(manifest, signature) {
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
pub(crate) async fn linked(images: &Images) {
    let mut images = images.lock().await;
    images.updater.linked();
    if let Some(trial) = &mut images.trial {
        trial.connected();
    }
    CHANGED.signal(());
}

/// Goes on with updates and trials, for ever.
#[embassy_executor::task]
pub(crate) async fn run(images: &'static Images, node: &'static Shared) -> ! {
    loop {
        let wake = {
            let mut images = images.lock().await;
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
        let is_over = cfg!(feature = "break-trial") && now().0 > BROKEN_TRIAL_MS;
        match trial.verdict(now()) {
            Verdict::Keep => match self.loader.mark_booted() {
                Ok(()) => {
                    log!("update: release={RELEASE} stays");
                    self.trial = None;
                    self.updater.confirmed();
                }
                Err(_) => log!("update: the boot loader's state cannot be written"),
            },
            Verdict::Wait(_) if !is_over => {}
            Verdict::Wait(_) | Verdict::Reset => {
                let missing = trial.missing().unwrap_or_default();
                log!("update: release={RELEASE} fails its trial: {missing}; restart");
                cortex_m::peripheral::SCB::sys_reset()
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
        if let Some(word) = self.updater.say(now(), u64::from_le_bytes(host::random())) {
            let update::Word { release, state, offset, length, detail } = word;
            let report = node::Update { release, state, offset, length, detail };
            node.lock().await.report_update(report);
            RECORDED.signal(());
        }
        if self.updater.is_staged() {
            let since = *self.staged.get_or_insert_with(Instant::now);
            if since.elapsed().as_millis() >= STAGED_MS {
                self.swap();
            }
            return Some(Instant::from_millis(since.as_millis() + STAGED_MS));
        }
        let wake = self.updater.next_wake(now()).map(|at| Instant::from_millis(at.0));
        let look = self.trial.is_some().then(|| Instant::from_millis(now().0 + TRIAL_LOOK_MS));
        wake.into_iter().chain(look).min()
    }

    /// Tells the boot loader to take the new image, and restarts.
    fn swap(&mut self) {
        match self.loader.mark_updated() {
            Ok(()) => {
                log!("update: the image is whole; restart");
                cortex_m::peripheral::SCB::sys_reset()
            }
            Err(_) => log!("update: the boot loader's state cannot be written"),
        }
    }
}
