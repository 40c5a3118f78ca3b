//! The loop that runs the tasks and sleeps in between.
//!
//! Not embassy's own thread executor, because that one sleeps with `wfe`, which QEMU runs as a
//! no-op: an idle image would take a whole core of the host. `wfi` sleeps on both.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

static PENDING: AtomicBool = AtomicBool::new(false);

/// Embassy calls this when a task has become ready, from interrupts too.
// SAFETY: the name and signature are those that `embassy_executor::raw::Executor` documents, and no
// other crate of this image exports it.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    PENDING.store(true, Ordering::Release);
}

/// Runs `start` and then the tasks that it has spawned, for ever.
pub(crate) fn run(start: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        // SAFETY: this loop is the only caller and runs in thread mode; the pender does not poll.
        unsafe { executor.poll() };
        // With interrupts masked a wake-up cannot slip in between the look and the sleep; a pending
        // interrupt ends the sleep all the same and runs once the mask is lifted.
        cortex_m::interrupt::free(|_| {
            if !PENDING.swap(false, Ordering::Acquire) {
                cortex_m::asm::dsb();
                cortex_m::asm::wfi();
            }
        });
    }
}
