//! A node on a battery: what it remembers while it sleeps, and when it may.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::Uptime;

use crate::Node;
use crate::outbox::Result;

/// Bytes of memory that must outlive deep sleep.
pub const RETAINED_BYTES: usize = 2_048;

/// What [`Node::retain`] writes and [`Start::Woken`] reads: keep it in memory that deep sleep spares.
pub type Retained = [u8; RETAINED_BYTES];

/// How a node starts.
#[derive(Clone, Copy, Debug)]
pub enum Start<'r> {
    /// After a power cut or a reset: a new boot.
    Cold,
    /// After deep sleep: the boot goes on. What is damaged or another node's counts as [`Self::Cold`].
    Woken(&'r Retained),
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns whether the node sleeps between its samples and connects only now and then.
    pub fn is_sleeper(&self) -> bool {
        false
    }

    /// Returns whether a connection is due now: always, but for a sleeping node.
    pub fn is_link_due(&self, _now: Uptime) -> bool {
        true
    }

    /// Returns for how long to sleep, in milliseconds, once there is nothing left to do.
    pub fn may_sleep(&self, _now: Uptime) -> Option<u32> {
        None
    }

    /// Returns what must be remembered through a sleep that ends at `slept_until`.
    ///
    /// # Errors
    /// `Error::Flash` and `Error::Damaged` where the flash did not take what must stay.
    pub async fn retain(
        &mut self,
        _now: Uptime,
        _slept_until: Uptime,
    ) -> Result<Retained, F::Error> {
        Ok([0; RETAINED_BYTES])
    }
}
