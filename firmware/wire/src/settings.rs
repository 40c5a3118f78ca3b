//! What a person sets on a node from afar: one document, which replaces the one from before.

use heapless::{String, Vec};
use measure::{Scaled, Slug};

use crate::CHANNELS_MAX;

/// The largest settings, in bytes of their CBOR; longer ones are refused.
pub const SETTINGS_BYTES_MAX: usize = 1024;
/// The most limits that a node judges itself; settings with more are refused.
pub const LIMITS_MAX: usize = 16;
/// The most gateways that a node knows; settings with more are refused.
pub const GATEWAYS_MAX: usize = 4;
/// The longest address of a gateway, `host:port`, in bytes; a longer one is refused.
pub const GATEWAY_BYTES_MAX: usize = 64;

/// Where a gateway's broker listens: `host:port`, the host a name or an IPv4 address.
pub type GatewayAddress = String<GATEWAY_BYTES_MAX>;

/// The settings of a node, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Counts up with each change; never 0, which is the node as it was built.
    pub revision: u32,
    /// How often it samples, in milliseconds.
    pub interval_ms: u32,
    /// Report by exception: a reading is kept where it left the deadband of the one kept last, where its
    /// fault or its flag changed, or where the channel was silent for so many milliseconds. `None` keeps
    /// each.
    pub heartbeat_ms: Option<u32>,
    /// A node on a battery connects so often, in milliseconds, and sleeps in between. `None` stays
    /// connected.
    pub connect_ms: Option<u32>,
    /// Whom to connect to, in this order; empty: those that the node was provisioned with.
    pub gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    /// The channels that are not as the node was built.
    pub channels: Vec<ChannelSettings, CHANNELS_MAX>,
    /// The limits that the node judges itself.
    pub limits: Vec<Limit, LIMITS_MAX>,
}

/// The settings of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Its index in the birth.
    pub channel: u8,
    /// Whether it is read.
    pub enabled: bool,
    /// Where it hangs; `None`: as the node was provisioned.
    pub position: Option<Slug>,
    /// With report by exception: a change of so many steps is reported. 0 reports any change.
    pub deadband: u32,
    /// How its raw values become true ones; `None`: the factory's.
    pub calibration: Option<Calibration>,
}

/// A straight line through two points that a person has measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// The number under which the gateway keeps who measured it, when and with what; never 0.
    pub number: u32,
    /// The first point: what the node said without a calibration.
    pub raw_low: Scaled,
    /// The first point: what is true.
    pub reference_low: Scaled,
    /// The second point, whose raw value is greater.
    pub raw_high: Scaled,
    /// The second point: what is true.
    pub reference_high: Scaled,
}

/// A limit that the node judges, link or no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The number by which the gateway knows it.
    pub rule: u32,
    /// The channel's index in the birth.
    pub channel: u8,
    /// Which side is bad.
    pub side: Side,
    /// The limit itself is still good; in the quantity's steps.
    pub threshold: Scaled,
    /// A value is back only so many steps inside of the limit.
    pub deadband: u32,
    /// For how long it must be broken, in seconds.
    pub on_delay_s: u16,
    /// For how long the value must be back, in seconds.
    pub off_delay_s: u16,
    /// The outputs that it drives, one bit each: bit 0 the siren, bit 1 relay 1, and so on.
    pub outputs: u8,
}

/// Which side of a limit is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Values below the limit.
    Low,
    /// Values above the limit.
    High,
}

impl Side {
    /// Both sides.
    pub const ALL: [Self; 2] = [Self::Low, Self::High];

    /// Returns the number of the side on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::High => 2,
        }
    }

    /// Returns the side with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.code() == code)
    }
}
