//! What a board tells its node once, at the start.

use core::ops::Range;

use heapless::{String, Vec};
use measure::{NodeKey, Slug};
use wire::{CHANNELS_MAX, Channel, FIRMWARE_BYTES_MAX, GATEWAYS_MAX, GatewayAddress};

/// Pages of flash for the node's identity and its gaps; they take turns.
pub const IDENTITY_PAGES: u32 = 4;

/// The shortest interval between two samples, in milliseconds; a command for a shorter one is refused.
pub const INTERVAL_MS_MIN: u32 = 100;
/// The longest interval between two samples, in milliseconds: a day. A longer one is refused.
pub const INTERVAL_MS_MAX: u32 = 86_400_000;

/// What a board tells its node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose node it is.
    pub key: NodeKey,
    /// Name and version of the firmware.
    pub firmware: String<FIRMWARE_BYTES_MAX>,
    /// What its images are made for; `None` where it takes no updates.
    pub target: Option<Slug>,
    /// The number of the firmware's release; a greater one is newer. 0 where releases are not counted.
    pub release: u32,
    /// The channels; their place in the list is the index in [`crate::Node::record`].
    pub channels: Vec<Channel, CHANNELS_MAX>,
    /// How often the board samples until a command changes it, in milliseconds.
    pub interval_ms: u32,
    /// Whom to connect to, in this order, until settings say otherwise.
    pub gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    /// The least time between two frames of the backlog, in milliseconds. 0 sends as fast as the
    /// gateway acknowledges.
    pub backlog_pause_ms: u32,
    /// Where in the flash.
    pub layout: Layout,
}

/// Which part of the flash holds what. Offsets in bytes, on page borders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Identity and gaps: at least two pages.
    pub identity: Range<u32>,
    /// The ring of readings: at least two pages.
    pub ring: Range<u32>,
}

impl Layout {
    /// Splits `flash`: [`IDENTITY_PAGES`] pages of `page_bytes` for the identity, the rest for the ring.
    pub fn split(flash: Range<u32>, page_bytes: u32) -> Self {
        let border = flash.start.saturating_add(IDENTITY_PAGES.saturating_mul(page_bytes));
        Self { identity: flash.start..border, ring: border..flash.end }
    }
}
