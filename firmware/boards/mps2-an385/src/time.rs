//! The clock of the image: embassy-time on two CMSDK timers, without a periodic tick.
//!
//! Timer 0 runs free and is only read. Timer 1 fires once at the next deadline, so that an idle
//! image sleeps (and an idle QEMU takes no processor time). It does not know the date: that comes
//! from the gateway.

use core::cell::RefCell;
use core::ptr::{read_volatile, write_volatile};
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

/// The clock of the core and of both timers, in hertz (Arm DAI0385, "MPS2 AN385", clocks).
const CORE_HZ: u64 = 25_000_000;
const COUNTS_PER_TICK: u64 = CORE_HZ / TICK_HZ;

/// The longest time between two looks at timer 0, in ticks. It wraps after 171 s: a longer sleep
/// would lose time, so the alarm wakes earlier and sets itself again.
const SLEEP_TICKS_MAX: u64 = 60 * TICK_HZ;

const TIMER0: usize = 0x4000_0000;
const TIMER1: usize = 0x4000_1000;
const CTRL: usize = 0x00;
const VALUE: usize = 0x04;
const RELOAD: usize = 0x08;
const INT_CLEAR: usize = 0x0C;

const CTRL_ENABLE: u32 = 1;
const CTRL_INTERRUPT: u32 = 1 << 3;

/// The interrupt of timer 1.
pub(crate) const IRQ: u16 = 9;

struct Clock {
    /// Counts of timer 0 since the start.
    counts: u64,
    /// What timer 0, which counts down, showed at the last look.
    seen: u32,
    queue: Queue,
}

impl Clock {
    const fn new() -> Self {
        Self { counts: 0, seen: u32::MAX, queue: Queue::new() }
    }

    /// Returns the ticks since the start.
    fn now(&mut self) -> u64 {
        let value = read(TIMER0 + VALUE);
        self.counts += u64::from(self.seen.wrapping_sub(value));
        self.seen = value;
        self.counts / COUNTS_PER_TICK
    }

    /// Wakes what is due and sets timer 1 to the next deadline.
    fn set_alarm(&mut self) {
        let now = self.now();
        let ticks = self.queue.next_expiration(now).saturating_sub(now).clamp(1, SLEEP_TICKS_MAX);
        // The deadline is the end of the tick, so a count within it does not wake too early.
        let counts = ticks * COUNTS_PER_TICK - self.counts % COUNTS_PER_TICK;
        write(TIMER1 + CTRL, 0);
        write(TIMER1 + RELOAD, counts as u32);
        write(TIMER1 + VALUE, counts as u32);
        write(TIMER1 + CTRL, CTRL_ENABLE | CTRL_INTERRUPT);
    }
}

struct TimerDriver(Mutex<RefCell<Clock>>);

impl TimerDriver {
    fn with<R>(&self, f: impl FnOnce(&mut Clock) -> R) -> R {
        critical_section::with(|section: CriticalSection<'_>| {
            f(&mut self.0.borrow_ref_mut(section))
        })
    }
}

embassy_time_driver::time_driver_impl!(
    static DRIVER: TimerDriver = TimerDriver(Mutex::new(RefCell::new(Clock::new())))
);

impl Driver for TimerDriver {
    fn now(&self) -> u64 {
        self.with(Clock::now)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|clock| {
            if clock.queue.schedule_wake(at, waker) {
                clock.set_alarm();
            }
        });
    }
}

/// Starts the clock at 0.
pub(crate) fn start() {
    write(TIMER0 + CTRL, 0);
    write(TIMER0 + RELOAD, u32::MAX);
    write(TIMER0 + VALUE, u32::MAX);
    write(TIMER0 + CTRL, CTRL_ENABLE);
    DRIVER.with(Clock::set_alarm);
}

/// Call from the interrupt handler of [`IRQ`].
pub(crate) fn on_interrupt() {
    write(TIMER1 + INT_CLEAR, 1);
    DRIVER.with(Clock::set_alarm);
}

fn read(register: usize) -> u32 {
    // SAFETY: only the registers of the two timers above come here; they are mapped, aligned and
    // read without harm.
    unsafe { read_volatile(register as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: only the registers of the two timers above come here; no memory depends on them.
    unsafe { write_volatile(register as *mut u32, value) }
}
