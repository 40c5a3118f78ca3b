//! UART 1 of the machine, which stands for an RS485 line: Arm's CMSDK UART. It takes one byte at a
//! time, so an interrupt moves each into a ring; what comes while that is full is lost, as on a wire.

use core::cell::RefCell;
use core::convert::Infallible;
use core::ptr::{read_volatile, write_volatile};

use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use heapless::Deque;

/// The interrupt of a byte that has come.
pub(crate) const IRQ: u16 = 2;

/// UART 1 (Arm application note AN385, table 4-3; registers: Cortex-M System Design Kit, section 4.3).
const UART1: usize = 0x4000_5000;
const DATA: usize = UART1;
const STATE: usize = UART1 + 0x04;
const CONTROL: usize = UART1 + 0x08;
const INTERRUPTS: usize = UART1 + 0x0C;
const DIVISOR: usize = UART1 + 0x10;
const STATE_OUTPUT_FULL: u32 = 1;
const STATE_INPUT_FULL: u32 = 1 << 1;
/// Output, input, and the interrupt of input.
const CONTROL_ON: u32 = 1 | 1 << 1 | 1 << 3;
const INTERRUPT_INPUT: u32 = 1 << 1;
/// The core's clock, which the divisor divides.
const CLOCK_HZ: u32 = 25_000_000;
/// The least divisor that the block takes.
const DIVISOR_MIN: u32 = 16;
/// The longest answer and an echo fit.
const RING_BYTES: usize = 128;

static RING: Mutex<RefCell<Deque<u8, RING_BYTES>>> = Mutex::new(RefCell::new(Deque::new()));

/// The port.
pub(crate) struct Uart(());

impl Uart {
    /// Returns the port, on. Unmask [`IRQ`] too.
    ///
    /// # Safety
    /// Call it once: two would read each other's bytes.
    pub(crate) unsafe fn take(baud: u32) -> Self {
        write(DIVISOR, (CLOCK_HZ / baud.max(1)).max(DIVISOR_MIN));
        write(CONTROL, CONTROL_ON);
        Self(())
    }
}

fn write(register: usize, value: u32) {
    // SAFETY: a register of UART 1, which only this file names.
    unsafe { write_volatile(register as *mut u32, value) }
}

fn read(register: usize) -> u32 {
    // SAFETY: as above.
    unsafe { read_volatile(register as *const u32) }
}

/// Moves what has come into the ring. Call from the interrupt handler of [`IRQ`].
pub(crate) fn on_interrupt() {
    // First the interrupt, then the byte: one that comes in between asks again.
    write(INTERRUPTS, INTERRUPT_INPUT);
    critical_section::with(|section| {
        let mut ring = RING.borrow_ref_mut(section);
        while read(STATE) & STATE_INPUT_FULL != 0 {
            let byte = read(DATA) as u8;
            if ring.push_back(byte).is_err() {
                continue;
            }
        }
    });
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(critical_section::with(|section| !RING.borrow_ref(section).is_empty()))
    }
}

impl Read for Uart {
    /// Does not block: without a byte it reads none.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = bytes.first_mut() else { return Ok(0) };
        let byte = critical_section::with(|section| RING.borrow_ref_mut(section).pop_front());
        let Some(byte) = byte else { return Ok(0) };
        *first = byte;
        Ok(1)
    }
}

impl WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(read(STATE) & STATE_OUTPUT_FULL == 0)
    }
}

impl Write for Uart {
    /// Does not block once [`WriteReady`] has said yes: it takes one byte.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(byte) = bytes.first() else { return Ok(0) };
        while read(STATE) & STATE_OUTPUT_FULL != 0 {}
        write(DATA, u32::from(*byte));
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while read(STATE) & STATE_OUTPUT_FULL != 0 {}
        Ok(())
    }
}
