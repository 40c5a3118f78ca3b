//! The watchdog: resets the machine when it was not fed for twice [`PERIOD_S`].
//!
//! CMSDK APB watchdog (Arm DDI0479, chapter 4.5), on the core's 25 MHz. Its first expiry is the
//! non-maskable interrupt, which says so; at the second one it resets by itself, whatever the image
//! does. It is fed while [`node::Vitals`] sees both sampling and the link go on, so a task that hangs
//! leads to a reset even where the executor runs.

use core::cell::RefCell;
use core::ptr::write_volatile;

use critical_section::Mutex;
use embassy_time::Timer;
use node::Vitals;

use crate::now;

const BASE: usize = 0x4000_8000;
const LOAD: usize = 0x000;
const CONTROL: usize = 0x008;
const INT_CLEAR: usize = 0x00C;
const LOCK: usize = 0xC00;
const UNLOCK: u32 = 0x1ACC_E551;
/// Count and interrupt at the first expiry, reset at the second.
const CONTROL_ON: u32 = 0b11;

/// The clock of the core and of the watchdog, in hertz.
const CLOCK_HZ: u32 = 25_000_000;
/// From the last feeding to the first expiry, and from there to the reset, in seconds.
const PERIOD_S: u32 = 10;
/// How often it is fed, in seconds.
const FEED_S: u64 = 2;

static VITALS: Mutex<RefCell<Option<Vitals>>> = Mutex::new(RefCell::new(None));

/// Starts it, for a node that samples every `interval_ms`.
pub(crate) fn start(interval_ms: u32) {
    critical_section::with(|section| {
        *VITALS.borrow_ref_mut(section) = Some(Vitals::new(now(), interval_ms));
    });
    write(LOCK, UNLOCK);
    write(LOAD, CLOCK_HZ * PERIOD_S);
    write(CONTROL, CONTROL_ON);
    write(LOCK, 0);
}

/// Notes a sign of life.
pub(crate) fn note(sign: impl FnOnce(&mut Vitals)) {
    critical_section::with(|section| {
        if let Some(vitals) = VITALS.borrow_ref_mut(section).as_mut() {
            sign(vitals);
        }
    });
}

/// Feeds it, for as long as it may be fed.
#[embassy_executor::task]
pub(crate) async fn feed() -> ! {
    let mut was_fed = true;
    loop {
        let mut is_fed = false;
        note(|vitals| is_fed = vitals.may_feed(now()));
        if is_fed {
            write(LOCK, UNLOCK);
            write(INT_CLEAR, 1);
            write(LOCK, 0);
        } else if was_fed {
            log!("watchdog: sampling or link makes no progress; it is not fed any more");
        }
        was_fed = is_fed;
        Timer::after_secs(FEED_S).await;
    }
}

fn write(register: usize, value: u32) {
    // SAFETY: only the registers above come here; no memory depends on them.
    unsafe { write_volatile((BASE + register) as *mut u32, value) }
}
