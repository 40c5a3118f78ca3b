//! The node's flash: the head of QEMU's PSRAM, a file of the host, under the rules of NOR flash.
//!
//! Words of four bytes whose bits a write only clears, pages of 4 KiB that an erase sets. The file
//! is mapped (`memory-backend-file,share=on`), so what a write has done stays when QEMU is killed.
//! No wear and no timing; a power cut of the host itself is not what it stands for.

use core::ptr::{read_volatile, write_volatile};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Where the machine maps the PSRAM.
const BASE: usize = 0x2100_0000;

/// The size of the flash, in bytes; the rest of the 16 MB of PSRAM is not used. `run.sh` makes as
/// many bytes 0xFF.
pub(crate) const BYTES: u32 = 1 << 20;

const WORD_BYTES: usize = 4;
/// The unit of an erase, in bytes.
pub(crate) const PAGE_BYTES: u32 = 4096;

/// The flash. There is one.
pub(crate) struct Flash(());

impl Flash {
    /// Returns the flash.
    ///
    /// # Safety
    /// Call it once: two would overwrite each other's pages.
    pub(crate) const unsafe fn take() -> Self {
        Self(())
    }
}

/// A call that no NOR flash would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misuse(NorFlashErrorKind);

impl NorFlashError for Misuse {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl ErrorType for Flash {
    type Error = Misuse;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Misuse> {
        let start = check(offset, bytes.len(), Self::READ_SIZE)?;
        for (index, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `check` has shown that the whole range lies in the flash, which is plain
            // memory.
            *byte = unsafe { read_volatile((start + index) as *const u8) };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Misuse> {
        let length = to.checked_sub(from).ok_or(Misuse(NorFlashErrorKind::OutOfBounds))? as usize;
        let start = check(from, length, PAGE_BYTES as usize)?;
        for address in (start..start + length).step_by(WORD_BYTES) {
            set(address, u32::MAX);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misuse> {
        let start = check(offset, bytes.len(), WORD_BYTES)?;
        let (words, _) = bytes.as_chunks::<WORD_BYTES>();
        for (address, word) in (start..).step_by(WORD_BYTES).zip(words) {
            set(address, get(address) & u32::from_le_bytes(*word));
        }
        Ok(())
    }
}

/// A word may be written twice: the second write clears more bits.
impl MultiwriteNorFlash for Flash {}

/// Returns the address of a range of the flash.
fn check(offset: u32, length: usize, unit: usize) -> Result<usize, Misuse> {
    let offset = offset as usize;
    if offset.checked_add(length).is_none_or(|end| end > BYTES as usize) {
        Err(Misuse(NorFlashErrorKind::OutOfBounds))
    } else if !offset.is_multiple_of(unit) || !length.is_multiple_of(unit) {
        Err(Misuse(NorFlashErrorKind::NotAligned))
    } else {
        Ok(BASE + offset)
    }
}

fn get(address: usize) -> u32 {
    // SAFETY: every caller has its address from `check`: in the flash and aligned to a word.
    unsafe { read_volatile(address as *const u32) }
}

fn set(address: usize, word: u32) {
    // SAFETY: as for `get`; `Flash` is the only one that writes there.
    unsafe { write_volatile(address as *mut u32, word) }
}
