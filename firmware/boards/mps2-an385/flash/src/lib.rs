//! The flash of the board: QEMU's PSRAM, a file of the host, under the rules of NOR flash, and its
//! map.
//!
//! Words of four bytes whose bits a write only clears, pages of 4 KiB that an erase sets. The file
//! is mapped (`memory-backend-file,share=on`), so what a write has done stays when QEMU is killed.
//! No wear and no timing; a power cut of the host itself is not what it stands for.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0x00_0000 | 1 MiB | [`NODE`]: identity, settings and the ring of readings |
//! | 0x10_0000 | 4 KiB | [`PROVISION`]: who the node is, and its secret; `run.sh` writes it |
//! | 0x10_1000 | 8 KiB | [`PROGRESS`]: how far an update has come |
//! | 0x10_3000 | 4 KiB | [`STATE`]: the boot loader's |
//! | 0x11_0000 | 320 KiB | [`ACTIVE`]: the image that runs; `memory.x` links it here |
//! | 0x16_0000 | 324 KiB | [`DFU`]: the image to come, or the one before; a page more, for the swap |
//! | 0xFF_F000 | 4 KiB | what `run.sh` has written into the slot; the image leaves it alone |
//!
//! `image.py` knows the same map.
#![no_std]

use core::ops::Range;
use core::ptr::{read_volatile, write_volatile};

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Where the machine maps the PSRAM.
pub const BASE: u32 = 0x2100_0000;
/// The unit of an erase, in bytes.
pub const PAGE_BYTES: u32 = 4096;
/// Identity, settings and readings of the node.
pub const NODE: Range<u32> = 0..0x10_0000;
/// Who the node is.
pub const PROVISION: Range<u32> = 0x10_0000..0x10_1000;
/// How far an update has come.
pub const PROGRESS: Range<u32> = 0x10_1000..0x10_3000;
/// The state of the boot loader.
pub const STATE: Range<u32> = 0x10_3000..0x10_4000;
/// The image that runs.
pub const ACTIVE: Range<u32> = 0x11_0000..0x16_0000;
/// The image to come, or the one before.
pub const DFU: Range<u32> = 0x16_0000..0x1B_1000;

const WORD_BYTES: usize = 4;

/// One region of the map, whose offsets count from its start.
pub struct Region(Range<u32>);

impl Region {
    /// Returns a region of the flash.
    ///
    /// # Safety
    /// It must be one of the map, and nothing else may write there while this lives.
    pub const unsafe fn take(range: Range<u32>) -> Self {
        Self(range)
    }

    /// Returns the bytes of the region, as they are mapped.
    ///
    /// # Safety
    /// Nothing may write there while the bytes are borrowed, for ever if need be.
    pub unsafe fn mapped(range: Range<u32>) -> &'static [u8] {
        let length = (range.end - range.start) as usize;
        // SAFETY: the PSRAM is plain memory, and the caller says that nothing writes there.
        unsafe { core::slice::from_raw_parts((BASE + range.start) as *const u8, length) }
    }

    const fn bytes(&self) -> usize {
        (self.0.end - self.0.start) as usize
    }

    /// Returns the address of a part of the region.
    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<usize, Misuse> {
        let offset = offset as usize;
        if offset.checked_add(length).is_none_or(|end| end > self.bytes()) {
            Err(Misuse(NorFlashErrorKind::OutOfBounds))
        } else if !offset.is_multiple_of(unit) || !length.is_multiple_of(unit) {
            Err(Misuse(NorFlashErrorKind::NotAligned))
        } else {
            Ok((BASE + self.0.start) as usize + offset)
        }
    }

    fn read_bytes(&self, offset: u32, bytes: &mut [u8]) -> Result<(), Misuse> {
        let start = self.check(offset, bytes.len(), 1)?;
        for (index, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `check` has shown that the whole range lies in the flash, which is plain
            // memory.
            *byte = unsafe { read_volatile((start + index) as *const u8) };
        }
        Ok(())
    }

    fn erase_pages(&mut self, from: u32, to: u32) -> Result<(), Misuse> {
        let length = to.checked_sub(from).ok_or(Misuse(NorFlashErrorKind::OutOfBounds))? as usize;
        let start = self.check(from, length, PAGE_BYTES as usize)?;
        for address in (start..start + length).step_by(WORD_BYTES) {
            set(address, u32::MAX);
        }
        Ok(())
    }

    fn write_words(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misuse> {
        let start = self.check(offset, bytes.len(), WORD_BYTES)?;
        let (words, _) = bytes.as_chunks::<WORD_BYTES>();
        for (address, word) in (start..).step_by(WORD_BYTES).zip(words) {
            set(address, get(address) & u32::from_le_bytes(*word));
        }
        Ok(())
    }
}

/// A call that no NOR flash would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse(NorFlashErrorKind);

impl NorFlashError for Misuse {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl ErrorType for Region {
    type Error = Misuse;
}

impl ReadNorFlash for Region {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Misuse> {
        self.read_bytes(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes()
    }
}

impl NorFlash for Region {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Misuse> {
        self.erase_pages(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misuse> {
        self.write_words(offset, bytes)
    }
}

/// A word may be written twice: the second write clears more bits.
impl MultiwriteNorFlash for Region {}

impl blocking::ReadNorFlash for Region {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Misuse> {
        self.read_bytes(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes()
    }
}

impl blocking::NorFlash for Region {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Misuse> {
        self.erase_pages(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misuse> {
        self.write_words(offset, bytes)
    }
}

fn get(address: usize) -> u32 {
    // SAFETY: every caller has its address from `check`: in the flash and aligned to a word.
    unsafe { read_volatile(address as *const u32) }
}

fn set(address: usize, word: u32) {
    // SAFETY: as for `get`; the region's owner is the only one that writes there.
    unsafe { write_volatile(address as *mut u32, word) }
}
