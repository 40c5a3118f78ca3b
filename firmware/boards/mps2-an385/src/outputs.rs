//! What the node drives: the LEDs of the board stand for siren and relays.
//!
//! FPGAIO of the MPS2 (Arm DAI0385, chapter 4): bit 0 of the first register is LED 0, the siren, and
//! bit 1 is LED 1, relay 1. There are two; what a further bit asks for is said, but shows nowhere.

use core::ptr::write_volatile;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::host::{Stream, line};

const LEDS: usize = 0x4002_8000;

static DRIVEN: AtomicU8 = AtomicU8::new(0);

/// Drives these outputs from here on: bit 0 the siren, bit 1 relay 1, and so on. A change is a line
/// `outputs value=…` on standard output.
pub(crate) fn drive(outputs: u8) {
    // SAFETY: the LED register of the FPGAIO, mapped and aligned; no memory depends on it.
    unsafe { write_volatile(LEDS as *mut u32, u32::from(outputs)) }
    if DRIVEN.swap(outputs, Ordering::Relaxed) != outputs {
        line(Stream::Ledger, format_args!("outputs value={outputs}"));
    }
}
