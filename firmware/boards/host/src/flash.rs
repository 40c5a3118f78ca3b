//! A NOR flash chip: bits are only cleared by a write and set by an erase. In memory, or in a file
//! that outlives the process.

use core::ops::Range;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// The page that is erased at once, in bytes; that of common serial NOR chips.
pub const PAGE_BYTES: usize = 4_096;
/// What is written at once, in bytes.
pub const WORD_BYTES: usize = 4;

/// The chip. A copy is a handle on the same one: what a restarted node finds.
#[derive(Clone, Debug)]
pub struct Flash {
    cells: Arc<Mutex<Vec<u8>>>,
    file: Option<Arc<File>>,
}

impl Flash {
    /// Returns an erased chip of `pages` pages that is gone with the process.
    pub fn in_memory(pages: usize) -> Self {
        Self { cells: Arc::new(Mutex::new(vec![0xFF; pages * PAGE_BYTES])), file: None }
    }

    /// Opens the chip in `path`, erased where there is no such file. What a write has returned from
    /// is there after a kill of the process; a cut of the machine's own supply is not provided for.
    ///
    /// # Errors
    /// The file cannot be read or made, or has another size: it is then another chip's.
    pub fn in_file(path: &Path, pages: usize) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let size = pages * PAGE_BYTES;
        let found = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0xFF; size];
        match found {
            0 => file.write_all_at(&bytes, 0)?,
            _ if found == size => file.read_exact_at(&mut bytes, 0)?,
            _ => {
                let text = format!("the flash file has {found} bytes and not {size}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(Self { cells: Arc::new(Mutex::new(bytes)), file: Some(Arc::new(file)) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // Bytes are bytes, whatever happened to who wrote them.
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` on the cells, and copies them to the file.
    fn change(
        &self,
        offset: u32,
        length: usize,
        grain: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<(), Error> {
        let mut cells = self.lock();
        let range = range(offset, length, grain, cells.len())?;
        let start = range.start as u64;
        let cells = cells.get_mut(range).ok_or(Error::OutOfBounds)?;
        change(cells);
        match &self.file {
            Some(file) => file.write_all_at(cells, start).map_err(Error::Io),
            None => Ok(()),
        }
    }
}

fn range(offset: u32, length: usize, grain: usize, size: usize) -> Result<Range<usize>, Error> {
    let start = offset as usize;
    let end = start.checked_add(length).filter(|end| *end <= size).ok_or(Error::OutOfBounds)?;
    let is_aligned = start.is_multiple_of(grain) && end.is_multiple_of(grain);
    if is_aligned { Ok(start..end) } else { Err(Error::NotAligned) }
}

/// What a chip refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Beyond its end.
    #[error("beyond the end of the flash")]
    OutOfBounds,
    /// Not on a word's or page's border.
    #[error("not on the border of a word or page")]
    NotAligned,
    /// The file behind it.
    #[error("the flash file failed")]
    Io(#[source] io::Error),
}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::Io(_) => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Flash {
    type Error = Error;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let cells = self.lock();
        let range = range(offset, bytes.len(), Self::READ_SIZE, cells.len())?;
        bytes.copy_from_slice(cells.get(range).ok_or(Error::OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.lock().len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let length = to.checked_sub(from).ok_or(Error::OutOfBounds)? as usize;
        self.change(from, length, PAGE_BYTES, |cells| cells.fill(0xFF))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.change(offset, bytes.len(), WORD_BYTES, |cells| {
            cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        })
    }
}

impl MultiwriteNorFlash for Flash {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flash: &mut Flash, offset: u32) -> [u8; 4] {
        let mut bytes = [0xA5; 4];
        block_on(flash.read(offset, &mut bytes)).unwrap();
        bytes
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_write_only_clears_bits_and_an_erase_sets_them() {
        let mut flash = Flash::in_memory(2);
        block_on(flash.write(4, &[0xF0, 0x0F, 0xFF, 0x00])).unwrap();
        block_on(flash.write(4, &[0x3C, 0x3C, 0x3C, 0x3C])).unwrap();
        assert_eq!(read(&mut flash, 4), [0x30, 0x0C, 0x3C, 0x00]);
        block_on(flash.erase(0, PAGE_BYTES as u32)).unwrap();
        assert_eq!(read(&mut flash, 4), [0xFF; 4]);
    }

    #[test]
    fn what_a_chip_cannot_do_is_refused() {
        let mut flash = Flash::in_memory(2);
        assert!(matches!(block_on(flash.write(2, &[0; 4])), Err(Error::NotAligned)));
        assert!(matches!(block_on(flash.write(0, &[0; 3])), Err(Error::NotAligned)));
        assert!(matches!(block_on(flash.write(8_192, &[0; 4])), Err(Error::OutOfBounds)));
        assert!(matches!(block_on(flash.erase(0, 100)), Err(Error::NotAligned)));
        assert!(matches!(block_on(flash.erase(4_096, 0)), Err(Error::OutOfBounds)));
        assert!(matches!(block_on(flash.read(u32::MAX, &mut [0; 9])), Err(Error::OutOfBounds)));
    }

    #[test]
    fn a_file_keeps_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.flash");
        let mut flash = Flash::in_file(&path, 2).unwrap();
        block_on(flash.write(8, &[1, 2, 3, 4])).unwrap();
        // A kill runs no destructor.
        std::mem::forget(flash);
        assert_eq!(read(&mut Flash::in_file(&path, 2).unwrap(), 8), [1, 2, 3, 4]);
        assert!(Flash::in_file(&path, 3).is_err());
    }
}
