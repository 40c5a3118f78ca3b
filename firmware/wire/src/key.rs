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
pub(crate) const SETTINGS_REVISION: u8 = 22;
pub(crate) const HEARTBEAT: u8 = 23;
pub(crate) const ROLLED_BACK: u8 = 24;
pub(crate) const TARGET: u8 = 25;
pub(crate) const RELEASE: u8 = 26;
pub(crate) const DETAIL: u8 = 27;
pub(crate) const EVENT: u8 = 28;
pub(crate) const UPDATE_STATE: u8 = 29;
pub(crate) const OFFSET: u8 = 30;
pub(crate) const LENGTH: u8 = 31;
pub(crate) const BYTES: u8 = 32;
pub(crate) const SETTINGS: u8 = 33;
pub(crate) const MANIFEST: u8 = 34;
pub(crate) const SIGNATURE: u8 = 35;

/// Keys of a channel, which is a map of its own.
pub(crate) mod channel {
    pub(crate) const QUANTITY: u8 = 0;
    pub(crate) const POSITION: u8 = 1;
    pub(crate) const SENSOR: u8 = 2;
    pub(crate) const CALIBRATION: u8 = 3;
    pub(crate) const ENABLED: u8 = 4;
}

/// Keys of an event, which is a map of its own.
pub(crate) mod event {
    pub(crate) const CHANNEL: u8 = 0;
    pub(crate) const RULE: u8 = 1;
    pub(crate) const EPISODE: u8 = 2;
    pub(crate) const STATE: u8 = 3;
    pub(crate) const UPTIME: u8 = 4;
    pub(crate) const VALUE: u8 = 5;
    pub(crate) const OUTPUTS: u8 = 6;
}

/// Keys of settings, which are a map of their own.
pub(crate) mod settings {
    pub(crate) const REVISION: u8 = 0;
    pub(crate) const INTERVAL: u8 = 1;
    pub(crate) const HEARTBEAT: u8 = 2;
    pub(crate) const CONNECT: u8 = 3;
    pub(crate) const GATEWAYS: u8 = 4;
    pub(crate) const CHANNELS: u8 = 5;
    pub(crate) const LIMITS: u8 = 6;
}

/// Keys of the settings of a channel.
pub(crate) mod channel_settings {
    pub(crate) const CHANNEL: u8 = 0;
    pub(crate) const ENABLED: u8 = 1;
    pub(crate) const POSITION: u8 = 2;
    pub(crate) const DEADBAND: u8 = 3;
    pub(crate) const CALIBRATION: u8 = 4;
}

/// Numbers of the commands.
pub(crate) mod command {
    pub(crate) const REBIRTH: u8 = 1;
    pub(crate) const IDENTIFY: u8 = 2;
    pub(crate) const INTERVAL: u8 = 3;
    pub(crate) const REBOOT: u8 = 4;
    pub(crate) const CONFIGURE: u8 = 5;
    pub(crate) const UPDATE: u8 = 6;
}
