//! SMSC LAN9118 Ethernet as an embassy-net driver: reception by interrupt, transmission at once.
//!
//! Register names and bits are those of the datasheet (Microchip DS00002266B, chapter 5). The link
//! is taken as up: a cable that is pulled shows as a connection that times out.

use core::fmt;
use core::ptr::{read_volatile, write_volatile};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const BASE: usize = 0x4020_0000;
const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const RX_STATUS: usize = 0x40;
const TX_STATUS: usize = 0x48;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5C;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const RX_CFG: usize = 0x6C;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_DP_CTRL: usize = 0x78;
const RX_FIFO_INF: usize = 0x7C;
const TX_FIFO_INF: usize = 0x80;
const MAC_CSR_CMD: usize = 0xA4;
const MAC_CSR_DATA: usize = 0xA8;
const E2P_CMD: usize = 0xB0;

/// Registers of the MAC, behind `MAC_CSR_CMD`.
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;

/// What `BYTE_TEST` reads on a bus that is wired as it should be.
const BYTE_TEST_VALUE: u32 = 0x8765_4321;
/// The busy bit of `MAC_CSR_CMD` and `E2P_CMD`; it clears itself.
const BUSY: u32 = 1 << 31;
/// RX status FIFO above its level: the interrupt of a frame received.
const INT_RSFL: u32 = 1 << 3;
/// Discards the frame at the head of the receive FIFO; clears itself.
const RX_FAST_FORWARD: u32 = 1 << 31;

/// The longest frame on the wire, in bytes without checksum; embassy-net makes no longer one.
const FRAME_BYTES_MAX: usize = 1514;
/// Room for a frame with checksum, in whole words; a longer one is discarded.
const BUFFER_BYTES: usize = 1536;
const CHECKSUM_BYTES: usize = 4;
/// Command words and padding that a frame takes in the transmit FIFO.
const TX_OVERHEAD_BYTES: usize = 16;

/// The interrupt of the card.
pub(crate) const IRQ: u16 = 13;

static WAKER: AtomicWaker = AtomicWaker::new();

/// The card and the two frames in hand.
pub(crate) struct Lan9118 {
    address: [u8; 6],
    received: [u8; BUFFER_BYTES],
    to_send: [u8; BUFFER_BYTES],
}

/// No card answers: `BYTE_TEST` read this instead.
#[derive(Debug)]
pub(crate) struct NotFound(u32);

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no LAN9118 answers: its byte test reads {:#010x}", self.0)
    }
}

impl Lan9118 {
    /// Returns a card that is not set up yet.
    pub(crate) const fn new() -> Self {
        Self { address: [0; 6], received: [0; BUFFER_BYTES], to_send: [0; BUFFER_BYTES] }
    }

    /// Resets the card and sets it up to receive and send.
    ///
    /// # Errors
    /// `NotFound` where there is no such card.
    pub(crate) fn init(&mut self) -> Result<(), NotFound> {
        let test = read(BYTE_TEST);
        if test != BYTE_TEST_VALUE {
            return Err(NotFound(test));
        }
        write(HW_CFG, 1); // Soft reset.
        while read(HW_CFG) & 1 != 0 {}
        while read(E2P_CMD) & BUSY != 0 {}
        write(HW_CFG, 5 << 16 | 1 << 20); // 5 KiB of transmit FIFO, and the bit that must be one.
        write(INT_EN, 0);
        write(INT_STS, u32::MAX);
        write(FIFO_INT, 0);
        write(IRQ_CFG, 1 << 8 | 1 << 4 | 1); // Enabled, active high, push-pull.
        let [low, high] = [mac_read(MAC_ADDRL), mac_read(MAC_ADDRH)].map(u32::to_le_bytes);
        self.address = [low[0], low[1], low[2], low[3], high[0], high[1]];
        write(RX_CFG, 0);
        write(TX_CFG, 1 << 1); // Transmitter on.
        mac_write(MAC_CR, 1 << 20 | 1 << 3 | 1 << 2); // Full duplex, transmit, receive.
        Ok(())
    }

    /// Moves the next whole frame out of the card and returns its length without checksum.
    fn take_frame(&mut self) -> Option<usize> {
        loop {
            if !is_frame_waiting() {
                write(INT_STS, INT_RSFL);
                write(INT_EN, INT_RSFL);
                // A frame that came before the interrupt was enabled again would wait for the next
                // one.
                if !is_frame_waiting() {
                    return None;
                }
            }
            let status = read(RX_STATUS);
            let length = (status >> 16 & 0x3FFF) as usize;
            let is_broken = status & 1 << 15 != 0;
            let words = self.received.get_mut(..length.next_multiple_of(4));
            match (words, length.checked_sub(CHECKSUM_BYTES)) {
                (Some(words), Some(frame)) if !is_broken => {
                    for word in words.chunks_exact_mut(4) {
                        word.copy_from_slice(&read(RX_DATA).to_le_bytes());
                    }
                    return Some(frame);
                }
                _ => {
                    write(RX_DP_CTRL, RX_FAST_FORWARD);
                    while read(RX_DP_CTRL) & RX_FAST_FORWARD != 0 {}
                }
            }
        }
    }
}

/// Call from the interrupt handler of [`IRQ`].
pub(crate) fn on_interrupt() {
    write(INT_EN, 0);
    write(INT_STS, INT_RSFL);
    WAKER.wake();
}

/// A received frame.
pub(crate) struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to send.
pub(crate) struct ToSend<'a>(&'a mut [u8; BUFFER_BYTES]);

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let (frame, _) = self.0.split_at_mut(length.min(BUFFER_BYTES));
        let result = f(frame);
        let length = frame.len();
        write(TX_DATA, 1 << 13 | 1 << 12 | length as u32); // First and last segment.
        write(TX_DATA, length as u32);
        for word in self.0.chunks_exact(4).take(length.div_ceil(4)) {
            write(TX_DATA, word.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)));
        }
        result
    }
}

impl Driver for &'static mut Lan9118 {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = ToSend<'a>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, ToSend<'_>)> {
        WAKER.register(context.waker());
        if !can_send(context) {
            return None;
        }
        let length = self.take_frame()?;
        let Lan9118 { received, to_send, .. } = &mut **self;
        Some((Received(received.get_mut(..length)?), ToSend(to_send)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<ToSend<'_>> {
        can_send(context).then_some(ToSend(&mut self.to_send))
    }

    fn link_state(&mut self, _context: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

fn is_frame_waiting() -> bool {
    read(RX_FIFO_INF) >> 16 & 0xFF != 0
}

/// Returns whether a whole frame fits the transmit FIFO; where not, asks to be called again, since
/// the card sends at wire speed and the wait is short.
fn can_send(context: &Context<'_>) -> bool {
    while read(TX_FIFO_INF) >> 16 & 0xFF != 0 {
        read(TX_STATUS);
    }
    let free = (read(TX_FIFO_INF) & 0xFFFF) as usize;
    let can_send = free >= FRAME_BYTES_MAX + TX_OVERHEAD_BYTES;
    if !can_send {
        context.waker().wake_by_ref();
    }
    can_send
}

fn mac_read(register: u32) -> u32 {
    write(MAC_CSR_CMD, BUSY | 1 << 30 | register);
    while read(MAC_CSR_CMD) & BUSY != 0 {}
    read(MAC_CSR_DATA)
}

fn mac_write(register: u32, value: u32) {
    write(MAC_CSR_DATA, value);
    write(MAC_CSR_CMD, BUSY | register);
    while read(MAC_CSR_CMD) & BUSY != 0 {}
}

fn read(register: usize) -> u32 {
    // SAFETY: only the offsets above come here; they are the card's registers, mapped, aligned and
    // readable. Reading takes words out of its FIFOs, which only this file does.
    unsafe { read_volatile((BASE + register) as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: only the offsets above come here; the card does no DMA, so no memory depends on them.
    unsafe { write_volatile((BASE + register) as *mut u32, value) }
}
