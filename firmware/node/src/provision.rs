//! The page with which a node is told who it is: written once by a person's tool, read at each start.

use heapless::Vec;
use measure::NodeKey;
use wire::{GATEWAYS_MAX, GatewayAddress};

/// What a node is told. It borrows from its page.
#[derive(Clone)]
pub struct Provision<'p> {
    /// Whose node it is.
    pub key: NodeKey,
    /// Its secret. Never printed.
    pub secret: &'p str,
    /// Whom to connect to.
    pub gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    /// How often to sample until settings change it, in milliseconds.
    pub interval_ms: u32,
    /// Whether the link is encrypted.
    pub tls: bool,
    /// The authority's certificate, base64 of DER.
    pub ca: Option<&'p str>,
    /// The name of the Wi-Fi.
    pub wifi_ssid: Option<&'p str>,
    /// Its password. Never printed.
    pub wifi_password: Option<&'p str>,
    text: &'p str,
}

/// Why a page is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// Not a page of this kind, or an empty one.
    #[error("there is no provisioning page")]
    Missing,
}

impl<'p> Provision<'p> {
    /// Reads a page.
    ///
    /// # Errors
    /// [`ProvisionError`]
    pub fn parse(_page: &'p [u8]) -> Result<Self, ProvisionError> {
        Err(ProvisionError::Missing)
    }

    /// Returns the value of `board.{key}`, which is the board's own business.
    pub fn board(&self, key: &str) -> Option<&'p str> {
        self.text.lines().find_map(|line| {
            let (name, value) = line.strip_prefix("board.")?.split_once('=')?;
            (name == key).then_some(value)
        })
    }
}

impl core::fmt::Debug for Provision<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Provision")
            .field("key", &self.key)
            .field("gateways", &self.gateways)
            .field("interval_ms", &self.interval_ms)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
