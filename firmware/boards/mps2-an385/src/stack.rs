//! How deep the stack has been: cortex-m-rt paints it before the start (its feature `paint-stack`);
//! and who called, for a panic.

use core::ptr::{addr_of, read_volatile};

use cortex_m::register::msp;
use embassy_time::Timer;
use heapless::Vec;

/// What cortex-m-rt paints with.
const PAINT: u32 = 0xCCCC_CCCC;
/// The most addresses that a panic names.
const CALLERS_MAX: usize = 8;
/// How often it is looked at, in seconds.
const LOOK_S: u64 = 10;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __stext: u32;
    static __etext: u32;
}

/// Says on standard error how much of the stack was in use at the deepest, each time it grew.
#[embassy_executor::task]
pub(crate) async fn watch() -> ! {
    let mut said = 0;
    loop {
        let (used, size) = high_water();
        if used > said {
            log!("stack_high_water={used} stack_size={size}");
            said = used;
        }
        Timer::after_secs(LOOK_S).await;
    }
}

/// Returns the bytes that were used at the deepest, and all there are.
fn high_water() -> (usize, usize) {
    let (top, end) = (addr_of!(_stack_start) as usize, addr_of!(_stack_end) as usize);
    let is_painted = |address: &usize| {
        // SAFETY: the address lies in the stack, which is mapped and aligned to words; what is read
        // below the stack pointer is nobody's.
        unsafe { read_volatile(*address as *const u32) == PAINT }
    };
    let untouched = (end..top).step_by(4).take_while(is_painted).count() * 4;
    (top - end - untouched, top - end)
}

/// Returns the youngest words of the stack that may be return addresses, the youngest first.
pub(crate) fn callers() -> Vec<usize, CALLERS_MAX> {
    let code = addr_of!(__stext) as usize..addr_of!(__etext) as usize;
    let words = (msp::read() as usize..addr_of!(_stack_start) as usize).step_by(4);
    // SAFETY: the address lies in the stack, above its pointer, and is aligned to words.
    let words = words.map(|address| unsafe { read_volatile(address as *const usize) });
    words.filter(|word| word % 2 == 1 && code.contains(word)).take(CALLERS_MAX).collect()
}
