//! NOR flash whose power can be cut at any byte, half a word included.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const PAGE_BYTES: usize = 1_024;
const WORD_BYTES: usize = 4;

/// Runs a future that never waits.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// Counts bytes written and erased, and cuts.
#[derive(Clone, Default)]
pub(crate) struct Power(Rc<(Cell<u64>, Cell<Option<u64>>)>);

impl Power {
    pub(crate) fn spent(&self) -> u64 {
        self.0.0.get()
    }

    pub(crate) fn cut_after(&self, bytes: Option<u64>) {
        self.0.1.set(bytes.map(|bytes| self.spent() + bytes));
    }

    fn is_cut(&self) -> bool {
        self.0.1.get().is_some_and(|cut| self.spent() >= cut)
    }

    fn tick(&self) -> Result<(), PowerCut> {
        if self.is_cut() {
            return Err(PowerCut);
        }
        self.0.0.set(self.spent() + 1);
        Ok(())
    }
}

/// A chip; clones share it.
#[derive(Clone)]
pub(crate) struct Flash {
    bytes: Rc<RefCell<Vec<u8>>>,
    power: Rc<RefCell<Power>>,
    erases: Rc<Cell<u32>>,
    stuck: Rc<Cell<Option<usize>>>,
}

impl Flash {
    pub(crate) fn new(pages: usize) -> Self {
        Self {
            // What a chip held before is not blank.
            bytes: Rc::new(RefCell::new(vec![0x5A; pages * PAGE_BYTES])),
            power: Rc::default(),
            erases: Rc::default(),
            stuck: Rc::default(),
        }
    }

    pub(crate) fn share_power(&self, other: &Self) -> Power {
        let power = self.power.borrow().clone();
        *other.power.borrow_mut() = power.clone();
        power
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.borrow().clone()
    }

    pub(crate) fn erases(&self) -> u32 {
        self.erases.get()
    }

    pub(crate) fn restore(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().copy_from_slice(bytes);
    }

    pub(crate) fn damage(&self, at: usize) {
        self.bytes.borrow_mut()[at] ^= 1;
    }

    /// This byte takes nothing any more.
    pub(crate) fn stick(&self, at: usize) {
        self.stuck.set(Some(at));
    }
}

impl ErrorType for Flash {
    type Error = PowerCut;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, to: &mut [u8]) -> Result<(), PowerCut> {
        if self.power.borrow().is_cut() {
            return Err(PowerCut);
        }
        to.copy_from_slice(&self.bytes.borrow()[offset as usize..][..to.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = PAGE_BYTES;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        assert_eq!((from as usize % PAGE_BYTES, to as usize - from as usize), (0, PAGE_BYTES));
        self.erases.set(self.erases.get() + 1);
        for at in from as usize..to as usize {
            self.power.borrow().tick()?;
            self.bytes.borrow_mut()[at] = 0xFF;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        assert_eq!((offset as usize % WORD_BYTES, bytes.len() % WORD_BYTES), (0, 0));
        for (index, byte) in bytes.iter().enumerate() {
            let at = offset as usize + index;
            self.power.borrow().tick()?;
            if self.stuck.get() != Some(at) {
                self.bytes.borrow_mut()[at] &= byte;
            }
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
