//! How far each reader of the store's journal has come: it is released only below all of them.

use std::sync::atomic::{AtomicU64, Ordering};

use store::{Position, Store};

/// The readers of the journal: what both have kept is needed no more.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    judged: AtomicU64,
    refined: AtomicU64,
}

impl Readers {
    /// Says up to where the alarm stage has kept what it found.
    pub(crate) fn judged(&self, store: &dyn Store, position: Position) -> Result<(), store::Error> {
        self.judged.store(position.0, Ordering::Release);
        self.release(store)
    }

    /// Says up to where the refine stage has kept what it found.
    pub(crate) fn refined(
        &self,
        store: &dyn Store,
        position: Position,
    ) -> Result<(), store::Error> {
        self.refined.store(position.0, Ordering::Release);
        self.release(store)
    }

    fn release(&self, store: &dyn Store) -> Result<(), store::Error> {
        let least = self.judged.load(Ordering::Acquire).min(self.refined.load(Ordering::Acquire));
        if least == 0 { Ok(()) } else { store.release(Position(least)) }
    }
}
