//! Time, sleep and the watchdog: what goes on when the processor does not.
//!
//! The chip's always-on (LP) timer counts through deep sleep, and the LP memory keeps what the node
//! must not forget ([`node::Retained`]) and when it fell asleep. So a node that wakes goes on with
//! the same boot and the same uptime; one that lost its supply begins a new boot. The LP timer runs
//! from an RC oscillator, which is off by some percent in heat and cold: the node corrects itself at
//! each acknowledgement of the gateway.

use core::cell::Cell;

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_time::Instant;
use esp_hal::peripherals::{LPWR, RTC_TIMER};
use esp_hal::rtc_cntl::sleep::{LowPower, RtcSleepConfig};
use esp_hal::rtc_cntl::{Rtc, RwdtStage, SocResetReason, reset_reason};
use esp_hal::system::Cpu;
use esp_hal::time::Duration;
use measure::Uptime;
use node::{RETAINED_BYTES, Retained, Start};

/// The watchdog restarts the chip when it was not fed for so long. An erase of a page is 45 ms.
const WATCHDOG_S: u64 = 30;
/// The shortest sleep, in milliseconds: for less the node stays awake.
pub(crate) const SLEEP_MS_MIN: u32 = 2_000;

/// What the LP memory keeps through deep sleep: the node's own, the LP time in microseconds at which it
/// fell asleep, and its uptime then in milliseconds.
#[esp_hal::ram(unstable(rtc_fast, persistent))]
static mut KEPT: [u8; KEPT_BYTES] = [0; KEPT_BYTES];
const KEPT_BYTES: usize = RETAINED_BYTES + 16;

/// Uptime at the start of this run, in milliseconds.
static STARTED_MS: CriticalSectionMutex<Cell<u64>> = CriticalSectionMutex::new(Cell::new(0));

/// Sleep, watchdog and the always-on clock.
pub(crate) struct Power {
    rtc: Rtc<'static>,
    low_power: LowPower<'static>,
}

impl Power {
    /// Starts the watchdog and takes the clock up where it stands. Returns what the node kept through
    /// its sleep too; `None` where this start is no waking up.
    pub(crate) fn start(
        rtc: RTC_TIMER<'static>,
        low_power: LPWR<'static>,
    ) -> (Self, Option<Retained>) {
        let mut rtc = Rtc::new(rtc);
        rtc.rwdt.set_timeout(RwdtStage::Stage0, Duration::from_secs(WATCHDOG_S));
        rtc.rwdt.enable();
        let is_woken = reset_reason(Cpu::ProCpu) == Some(SocResetReason::CoreDeepSleep);
        let woken = is_woken.then(|| {
            let kept = kept();
            let mut retained = [0; RETAINED_BYTES];
            retained.copy_from_slice(kept.split_at(RETAINED_BYTES).0);
            let word = |from: usize| {
                let bytes = kept.get(from..).and_then(|bytes| bytes.first_chunk());
                bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
            };
            // The LP timer counts the boot loader's time too, which is not this run's.
            let lp_us = rtc.time_since_power_up().as_micros();
            let slept_ms = lp_us.saturating_sub(word(RETAINED_BYTES)) / 1_000;
            let uptime = Uptime(word(RETAINED_BYTES + 8).saturating_add(slept_ms));
            (retained, uptime)
        });
        let retained = woken.map(|(retained, uptime)| {
            // What is damaged begins a new boot at 0.
            let until = Start::Woken(&retained).uptime();
            if until != Uptime(0) {
                let since_start_ms = Instant::now().as_millis();
                let at = uptime.max(until).0.saturating_sub(since_start_ms);
                STARTED_MS.lock(|cell| cell.set(at));
            }
            retained
        });
        (Self { rtc, low_power: LowPower::new(low_power) }, retained)
    }

    /// Feeds the watchdog.
    pub(crate) fn feed(&mut self) {
        self.rtc.rwdt.feed();
    }

    /// Keeps `retained` and sleeps so long; the chip then starts anew.
    pub(crate) fn sleep(&mut self, retained: &Retained, ms: u32) -> ! {
        let mut kept = [0; KEPT_BYTES];
        let (node, times) = kept.split_at_mut(RETAINED_BYTES);
        node.copy_from_slice(retained);
        let (lp, uptime) = times.split_at_mut(8);
        lp.copy_from_slice(&self.rtc.time_since_power_up().as_micros().to_le_bytes());
        uptime.copy_from_slice(&now().0.to_le_bytes());
        let memory = (&raw mut KEPT).cast::<u8>();
        for (at, byte) in kept.into_iter().enumerate() {
            // SAFETY: `at` is within `KEPT`; one thread runs the tasks, and only this file touches it.
            unsafe { memory.wrapping_add(at).write_volatile(byte) };
        }
        self.rtc.rwdt.disable();
        let until = esp_hal::time::Instant::now() + Duration::from_millis(u64::from(ms));
        self.low_power.set_wakeup_deadline(until);
        self.low_power.sleep_deep(RtcSleepConfig::deep())
    }
}

/// Returns the time since the node's boot began, its sleep included.
pub(crate) fn now() -> Uptime {
    Uptime(STARTED_MS.lock(Cell::get).saturating_add(Instant::now().as_millis()))
}

/// Returns the instant of this run at which the uptime is `at`.
pub(crate) fn instant(at: Uptime) -> Instant {
    Instant::from_millis(at.0.saturating_sub(STARTED_MS.lock(Cell::get)))
}

/// Byte by byte: a volatile access to the whole array is written out as one load for each of its bytes,
/// which is 40 KB of code.
fn kept() -> [u8; KEPT_BYTES] {
    let memory = (&raw const KEPT).cast::<u8>();
    core::array::from_fn(|at| {
        // SAFETY: as in `sleep`; any bytes are a value, and the node checks them.
        unsafe { memory.wrapping_add(at).read_volatile() }
    })
}
