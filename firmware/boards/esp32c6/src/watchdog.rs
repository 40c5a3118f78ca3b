//! When the watchdog is fed: only while [`node::Vitals`] sees both sampling and the link go on. A task that
//! hangs leads to a reset even where the executor runs.

use core::cell::Cell;

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_time::Timer;
use node::Vitals;

use crate::{Energy, log, power};

/// How often it is fed, in seconds.
const FEED_S: u64 = 5;

static VITALS: CriticalSectionMutex<Cell<Option<Vitals>>> =
    CriticalSectionMutex::new(Cell::new(None));

/// Begins to look after a node that samples every `interval_ms`.
pub(crate) fn start(interval_ms: u32) {
    VITALS.lock(|cell| cell.set(Some(Vitals::new(power::now(), interval_ms))));
}

/// Notes a sign of life.
pub(crate) fn note(sign: impl FnOnce(&mut Vitals)) {
    VITALS.lock(|cell| {
        let mut vitals = cell.get();
        if let Some(vitals) = &mut vitals {
            sign(vitals);
        }
        cell.set(vitals);
    });
}

/// Feeds it, for as long as it may be fed.
#[embassy_executor::task]
pub(crate) async fn feed(energy: &'static Energy) -> ! {
    let mut was_fed = true;
    loop {
        let is_fed = VITALS.lock(Cell::get).is_some_and(|vitals| vitals.may_feed(power::now()));
        if is_fed {
            energy.lock().await.feed();
        } else if was_fed {
            log!("watchdog: sampling or link makes no progress; it is not fed any more");
        }
        was_fed = is_fed;
        Timer::after_secs(FEED_S).await;
    }
}
