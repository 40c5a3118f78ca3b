//! NOR flash: words of 4 bytes, writes only clear bits, pages are erased. The power may go at any word,
//! with the word and the erase left in between; pages wear out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const PAGE_BYTES: usize = 512;
const WORD_BYTES: usize = 4;

/// The power is gone, for this operation and for all that follow; or a worn page's driver gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// How a worn page fails, from some erase on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wear {
    /// An erase leaves a bit at 0, in this word.
    Stuck(usize),
    /// A bit of this word stays at 1.
    Deaf(usize),
    /// The driver says that a write failed, and has written half of it.
    Refuses,
}

pub(crate) type Flash = Chip<PAGE_BYTES>;

/// A chip that outlives the node that holds it: clones share the cells.
#[derive(Clone)]
pub(crate) struct Chip<const PAGE: usize>(Rc<RefCell<Cells>>);

#[derive(Clone)]
struct Cells {
    bytes: Vec<u8>,
    /// Words written or erased so far.
    words: u64,
    cut_after: Option<u64>,
    /// The word in which the power goes is left in between, and an erase goes over the page in no order.
    is_torn: bool,
    random: u64,
    /// How often each page was erased, and from which erase on it fails.
    erases: BTreeMap<usize, u32>,
    worn: BTreeMap<usize, (u32, Wear)>,
    bytes_read: u64,
}

impl<const PAGE: usize> Chip<PAGE> {
    pub(crate) fn new(pages: u32) -> Self {
        let bytes = vec![0xFF; pages as usize * PAGE];
        Self(Rc::new(RefCell::new(Cells {
            bytes,
            words: 0,
            cut_after: None,
            is_torn: false,
            random: 0x9E37_79B9_7F4A_7C15,
            erases: BTreeMap::new(),
            worn: BTreeMap::new(),
            bytes_read: 0,
        })))
    }

    /// Cuts the power after so many more words.
    pub(crate) fn cut_after(&self, words: Option<u64>) {
        let mut cells = self.0.borrow_mut();
        cells.cut_after = words.map(|words| cells.words + words);
    }

    /// From here on, cuts leave words and pages in between, another way for each `seed`.
    pub(crate) fn tear(&self, seed: u64) {
        let mut cells = self.0.borrow_mut();
        cells.is_torn = true;
        cells.random ^= seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1;
    }

    /// Page `page` fails from its erase number `erases` on.
    pub(crate) fn wear(&self, page: usize, erases: u32, wear: Wear) {
        self.0.borrow_mut().worn.insert(page, (erases, wear));
    }

    pub(crate) fn words(&self) -> u64 {
        self.0.borrow().words
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.0.borrow().bytes_read
    }

    /// How often the page that was erased most often was erased.
    pub(crate) fn erases_max(&self) -> u32 {
        self.0.borrow().erases.values().copied().max().unwrap_or(0)
    }

    /// A copy of the chip, with power.
    pub(crate) fn copy(&self) -> Self {
        let mut cells = self.0.borrow().clone();
        cells.cut_after = None;
        Self(Rc::new(RefCell::new(cells)))
    }

    /// Changes bytes behind the node's back.
    pub(crate) fn damage(&self, damage: impl FnOnce(&mut [u8])) {
        damage(&mut self.0.borrow_mut().bytes);
    }

    /// Where the data of the items of the page lie.
    pub(crate) fn items(&self, page: usize) -> Vec<std::ops::Range<usize>> {
        let cells = self.0.borrow();
        let end = (page + 1) * PAGE;
        let mut at = page * PAGE + 32;
        let mut items = Vec::new();
        while at + 8 <= end && cells.bytes[at..at + 8] != [0xFF; 8] {
            let length = u16::from_le_bytes([cells.bytes[at + 4], cells.bytes[at + 5]]) as usize;
            items.push(at + 8..at + 8 + length);
            at += 8 + length.next_multiple_of(4);
        }
        items
    }
}

impl Cells {
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Counts a word; where the power goes in it, changes some of its bits with `half`.
    fn tick(&mut self, at: usize, half: impl Fn(usize, u8, u8) -> u8) -> Result<(), PowerCut> {
        match self.cut_after {
            Some(cut) if self.words > cut => return Err(PowerCut),
            Some(cut) if self.words == cut => {
                self.words += 1;
                if self.is_torn {
                    let masks = self.draw().to_le_bytes();
                    for (index, mask) in masks.into_iter().take(WORD_BYTES).enumerate() {
                        self.bytes[at + index] = half(index, self.bytes[at + index], mask);
                    }
                }
                return Err(PowerCut);
            }
            Some(_) | None => {}
        }
        self.words += 1;
        Ok(())
    }

    fn wear_of(&self, page: usize) -> Option<Wear> {
        let (from, wear) = self.worn.get(&page)?;
        (self.erases.get(&page).copied().unwrap_or(0) >= *from).then_some(*wear)
    }
}

impl<const PAGE: usize> ErrorType for Chip<PAGE> {
    type Error = PowerCut;
}

impl<const PAGE: usize> ReadNorFlash for Chip<PAGE> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        let mut cells = self.0.borrow_mut();
        if cells.cut_after.is_some_and(|cut| cells.words >= cut) {
            return Err(PowerCut);
        }
        cells.bytes_read += bytes.len() as u64;
        let offset = offset as usize;
        bytes.copy_from_slice(&cells.bytes[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<const PAGE: usize> NorFlash for Chip<PAGE> {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        assert!(from.is_multiple_of(PAGE as u32) && to.is_multiple_of(PAGE as u32));
        let mut cells = self.0.borrow_mut();
        for page in from as usize / PAGE..to as usize / PAGE {
            let words = PAGE / WORD_BYTES;
            // Any odd number goes over all words of a page once.
            let (step, first) = if cells.is_torn {
                (cells.draw() as usize | 1, cells.draw() as usize)
            } else {
                (1, 0)
            };
            for index in 0..words {
                let word = index.wrapping_mul(step).wrapping_add(first) % words;
                let at = page * PAGE + word * WORD_BYTES;
                cells.tick(at, |_, cell, mask| cell | mask)?;
                cells.bytes[at..at + WORD_BYTES].fill(0xFF);
            }
            *cells.erases.entry(page).or_default() += 1;
            if let Some(Wear::Stuck(word)) = cells.wear_of(page) {
                cells.bytes[page * PAGE + word * WORD_BYTES] = 0xFB;
            }
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(WORD_BYTES));
        let mut cells = self.0.borrow_mut();
        let page = offset as usize / PAGE;
        let wear = cells.wear_of(page);
        for (index, word) in bytes.chunks_exact(WORD_BYTES).enumerate() {
            if wear == Some(Wear::Refuses) && index * WORD_BYTES * 2 >= bytes.len() {
                return Err(PowerCut);
            }
            let at = offset as usize + index * WORD_BYTES;
            cells.tick(at, |index, cell, mask| cell & (word[index] | mask))?;
            for (cell, byte) in cells.bytes[at..at + WORD_BYTES].iter_mut().zip(word) {
                *cell &= byte;
            }
            if let Some(Wear::Deaf(deaf)) = wear
                && at == page * PAGE + deaf * WORD_BYTES
            {
                cells.bytes[at] |= 1;
            }
        }
        Ok(())
    }
}

impl<const PAGE: usize> MultiwriteNorFlash for Chip<PAGE> {}
