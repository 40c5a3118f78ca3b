//! The settings from afar: checked, kept in flash, tried and proven.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::Uptime;

use crate::outbox::Result;
use crate::{Action, Node};

/// Settings on trial are given up when no gateway answered for so long, in milliseconds of trying.
pub const SETTINGS_PROOF_MS: u32 = 300_000;

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns whom to connect to, in this order.
    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        self.gateways.iter().map(|address| address.as_str())
    }

    /// Looks after what has a time to it. Call it once in each loop, and do what it returns.
    ///
    /// # Errors
    /// `Error::Flash` and `Error::Damaged` where the flash did not take it.
    pub async fn check(&mut self, _now: Uptime) -> Result<Option<Action<'static>>, F::Error> {
        Ok(None)
    }
}
