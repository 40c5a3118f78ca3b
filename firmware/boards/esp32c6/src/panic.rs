//! The end of a node that is at its wits' end: a line on the serial port, then a reset. A node that hung on
//! would look like a quiet one.
//!
//! The line has addresses for `addr2line`, not the message: the texts of all panics and what formats them
//! would take a tenth of the flash. What the processor was stopped by, if it was, stands in its registers.

use core::arch::asm;
use core::ops::Range;
use core::panic::PanicInfo;
use core::ptr::{addr_of, read_volatile};

use esp_hal::delay::Delay;
use esp_hal::system::software_reset;
use heapless::Vec;

use crate::log;

/// The most addresses that are named.
const CALLERS_MAX: usize = 12;
/// How long the line has to leave by the serial port, in milliseconds.
const TOLD_MS: u32 = 100;
/// Where the processor sees the flash (ESP32-C6 technical reference manual, table "Memory Map").
const FLASH: Range<usize> = 0x4200_0000..0x4300_0000;

unsafe extern "C" {
    static _stack_start: u32;
    static _rwtext_start: u32;
    static _rwtext_end: u32;
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    let (cause, at, address): (usize, usize, usize);
    // SAFETY: these registers of the machine are only read (RISC-V privileged architecture, 3.1.14 to 3.1.16).
    unsafe {
        asm!("csrr {0}, mcause", "csrr {1}, mepc", "csrr {2}, mtval",
             out(reg) cause, out(reg) at, out(reg) address, options(nomem, nostack));
    }
    log!("panic: called from {:x?}", callers());
    log!("panic: last trap mcause={cause:x} mepc={at:x} mtval={address:x}");
    Delay::new().delay_millis(TOLD_MS);
    software_reset()
}

/// Returns the youngest words of the stack that may be return addresses, the youngest first.
fn callers() -> Vec<usize, CALLERS_MAX> {
    let youngest = 0_usize;
    let stack = addr_of!(youngest) as usize..addr_of!(_stack_start) as usize;
    let fast = addr_of!(_rwtext_start) as usize..addr_of!(_rwtext_end) as usize;
    // SAFETY: the address lies in the stack, above its pointer, and is aligned to words. Of a task of the
    // radio, whose stack is in the heap, there is none.
    let words = stack.step_by(4).map(|word| unsafe { read_volatile(word as *const usize) });
    let is_code =
        |word: &usize| word.is_multiple_of(2) && (FLASH.contains(word) || fast.contains(word));
    words.filter(is_code).take(CALLERS_MAX).collect()
}
