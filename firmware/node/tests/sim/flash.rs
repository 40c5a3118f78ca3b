//! NOR flash: words of 4 bytes, writes only clear bits, pages are erased, and the power may go at any
//! word.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const PAGE_BYTES: usize = 512;
const WORD_BYTES: usize = 4;

/// The power is gone, for this operation and for all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// A chip that outlives the node that holds it: clones share the cells.
#[derive(Clone)]
pub(crate) struct Flash(Rc<RefCell<Cells>>);

struct Cells {
    bytes: Vec<u8>,
    /// Words written or erased so far.
    words: u64,
    cut_after: Option<u64>,
}

impl Flash {
    pub(crate) fn new(pages: u32) -> Self {
        let bytes = vec![0xFF; pages as usize * PAGE_BYTES];
        Self(Rc::new(RefCell::new(Cells { bytes, words: 0, cut_after: None })))
    }

    /// Cuts the power after so many more words.
    pub(crate) fn cut_after(&self, words: Option<u64>) {
        let mut cells = self.0.borrow_mut();
        cells.cut_after = words.map(|words| cells.words + words);
    }

    pub(crate) fn words(&self) -> u64 {
        self.0.borrow().words
    }

    /// A copy of the chip, with power.
    pub(crate) fn copy(&self) -> Self {
        let bytes = self.0.borrow().bytes.clone();
        Self(Rc::new(RefCell::new(Cells { bytes, words: 0, cut_after: None })))
    }

    /// Changes bytes behind the node's back.
    pub(crate) fn damage(&self, damage: impl FnOnce(&mut [u8])) {
        damage(&mut self.0.borrow_mut().bytes);
    }
}

impl Cells {
    fn tick(&mut self) -> Result<(), PowerCut> {
        if self.cut_after.is_some_and(|cut| self.words >= cut) {
            return Err(PowerCut);
        }
        self.words += 1;
        Ok(())
    }
}

impl ErrorType for Flash {
    type Error = PowerCut;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        let cells = self.0.borrow();
        if cells.cut_after.is_some_and(|cut| cells.words >= cut) {
            return Err(PowerCut);
        }
        let offset = offset as usize;
        bytes.copy_from_slice(&cells.bytes[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        assert!(from.is_multiple_of(PAGE_BYTES as u32) && to.is_multiple_of(PAGE_BYTES as u32));
        let mut cells = self.0.borrow_mut();
        for word in (from as usize..to as usize).step_by(WORD_BYTES) {
            cells.tick()?;
            cells.bytes[word..word + WORD_BYTES].fill(0xFF);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(WORD_BYTES));
        let mut cells = self.0.borrow_mut();
        for (index, word) in bytes.chunks_exact(WORD_BYTES).enumerate() {
            cells.tick()?;
            let at = offset as usize + index * WORD_BYTES;
            for (cell, byte) in cells.bytes[at..at + WORD_BYTES].iter_mut().zip(word) {
                *cell &= byte;
            }
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
