//! The keys of the maps. A key means the same in every message.

pub(crate) const VERSION: u8 = 0;
pub(crate) const FLASH: u8 = 1;
pub(crate) const BOOT: u8 = 2;
pub(crate) const UPTIME: u8 = 3;
pub(crate) const SESSION: u8 = 4;
pub(crate) const UTC: u8 = 5;
pub(crate) const SEQUENCE: u8 = 6;
pub(crate) const RANGES: u8 = 7;
pub(crate) const READINGS: u8 = 8;
pub(crate) const REASON: u8 = 9;
pub(crate) const UNCERTAIN: u8 = 10;
pub(crate) const HISTORY: u8 = 11;
pub(crate) const RING_USED: u8 = 12;
pub(crate) const RING_SIZE: u8 = 13;
pub(crate) const INTERVAL: u8 = 14;
pub(crate) const NEXT_DUE: u8 = 15;
pub(crate) const FIRMWARE: u8 = 16;
pub(crate) const CHANNELS: u8 = 17;
pub(crate) const ID: u8 = 18;
pub(crate) const COMMAND: u8 = 19;
pub(crate) const ARGUMENT: u8 = 20;
pub(crate) const OUTCOME: u8 = 21;

/// Keys of a channel, which is a map of its own.
pub(crate) mod channel {
    pub(crate) const QUANTITY: u8 = 0;
    pub(crate) const POSITION: u8 = 1;
    pub(crate) const SENSOR: u8 = 2;
    pub(crate) const CALIBRATION: u8 = 3;
}

/// Numbers of the commands.
pub(crate) mod command {
    pub(crate) const REBIRTH: u8 = 1;
    pub(crate) const IDENTIFY: u8 = 2;
    pub(crate) const INTERVAL: u8 = 3;
    pub(crate) const REBOOT: u8 = 4;
}
