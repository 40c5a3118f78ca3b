//! The messages of the wire contract.

use heapless::{String, Vec};
use measure::{
    BootId, FlashId, Quality, Quantity, Reading, Scaled, Sequence, SequenceRange, Slug, Timestamp,
    Uptime,
};

use crate::Settings;

/// The version that stands in every topic and first in every message.
pub const VERSION: u8 = 1;
/// The most channels a node can have; a birth with more is refused.
pub const CHANNELS_MAX: usize = 32;
/// The most readings in one data frame; a frame with more is refused.
pub const READINGS_MAX: usize = 128;
/// The largest data frame, in bytes; a node closes a frame before it would grow beyond.
pub const FRAME_BYTES_MAX: usize = 1024;
/// The most ranges in one acknowledgement; the rest goes into the next one.
pub const ACK_RANGES_MAX: usize = 8;
/// The longest name of a firmware, in bytes; a longer one is refused.
pub const FIRMWARE_BYTES_MAX: usize = 32;
/// The largest birth, in bytes: room for all channels with the longest names; a longer one is refused.
pub const BIRTH_BYTES_MAX: usize = 3000;
/// The largest acknowledgement, in bytes; a longer one is refused.
pub const ACK_BYTES_MAX: usize = 256;
/// The largest death, in bytes; a longer one is refused.
pub const DEATH_BYTES_MAX: usize = 32;
/// The largest command, in bytes: room for the largest settings; a longer one is refused.
pub const COMMAND_BYTES_MAX: usize = 1152;
/// The largest part of an update, in bytes of the whole message; a longer one is refused.
pub const OTA_BYTES_MAX: usize = 576;
/// The most bytes of an image in one message; a request for more is refused.
pub const CHUNK_BYTES_MAX: usize = 512;
/// The longest word that goes with an answer, in bytes; a longer one is cut.
pub const DETAIL_BYTES_MAX: usize = 48;
/// The longest manifest of an image, in bytes; a longer one is refused.
pub const MANIFEST_BYTES_MAX: usize = 128;
/// The bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// The most keys in one map, known and unknown; a map with more is refused.
pub const FIELDS_MAX: usize = 32;

/// What a node says of itself when it connects. Retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// The life of its flash.
    pub flash: FlashId,
    /// This boot.
    pub boot: BootId,
    /// Connections since the boot, counted from 1: an older session's will is ignored.
    pub session: u32,
    /// When the birth was written, since the boot.
    pub uptime: Uptime,
    /// The sequence that the next reading will have.
    pub next_sequence: Sequence,
    /// Readings waiting in its flash.
    pub ring_used: u32,
    /// Readings for which its flash has room.
    pub ring_size: u32,
    /// How often it samples, in milliseconds: the gateway calls a channel stale after three of them.
    pub interval_ms: u32,
    /// For a sleeping node: when it will be heard next, in milliseconds from now.
    pub next_due_ms: Option<u32>,
    /// Name and version of its firmware.
    pub firmware: String<FIRMWARE_BYTES_MAX>,
    /// Its channels; their place in the list is their index in data frames.
    pub channels: Vec<Channel, CHANNELS_MAX>,
    /// The revision of the settings in force; 0: as it was built.
    pub settings: u32,
    /// The revision that was given up because the node could not reconnect with it.
    pub rolled_back: Option<u32>,
    /// With report by exception: the longest time for which a channel is silent, in milliseconds. The
    /// gateway then judges silence by it.
    pub heartbeat_ms: Option<u32>,
    /// What its images are made for, where it takes updates: `mps2-an385`.
    pub target: Option<Slug>,
    /// The number of its firmware's release; a greater one is newer.
    pub release: u32,
}

/// One channel of a node: what it measures, where, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What it measures. Quantity and position together are unique in a node.
    pub quantity: Quantity,
    /// Where on the node's bench: `canopy`, `tray-3`.
    pub position: Slug,
    /// The chip: `sht4x`.
    pub sensor: Slug,
    /// The number of the calibration applied on the node; 0 is the factory's.
    pub calibration: u32,
    /// Whether it is read; one that is switched off keeps its place and its index.
    pub enabled: bool,
}

/// Readings of one boot in the order of their sequence, or a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The life of the flash that the sequences count in.
    pub flash: FlashId,
    /// The boot in which the readings were taken.
    pub boot: BootId,
    /// When the frame was sent, since the start of the boot that sends it.
    pub sent: Uptime,
    /// What the frame brings.
    pub body: Body,
}

/// What a data frame brings.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box the readings with")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Readings with consecutive sequences.
    Readings {
        /// The sequence of the first reading.
        first: Sequence,
        /// UTC at uptime 0 of `boot`; absent where the node does not know it.
        boot_utc: Option<Timestamp>,
        /// `boot_utc` is an estimate: that boot never had a clock.
        uncertain: bool,
        /// The readings are history: recorded earlier and brought in now, they wake nobody.
        history: bool,
        /// The readings.
        readings: Vec<Sampled, READINGS_MAX>,
    },
    /// The node gave these sequences up: its ring was full, or its flash lost them.
    Gap {
        /// The sequences that will never come.
        range: SequenceRange,
        /// Why.
        reason: GapReason,
    },
    /// The node answers a command. It has no sequence and is not acknowledged: a gateway that misses
    /// it asks again with the same id.
    Answer {
        /// The id of the [`Request`].
        id: u32,
        /// What became of it.
        outcome: Outcome,
        /// Where it was refused: what is wrong, `limits[2].threshold`. Else empty.
        detail: Detail,
    },
    /// A limit was broken or kept again, judged by the node itself. It is kept in flash and acknowledged
    /// like a reading.
    Event {
        /// Its sequence.
        sequence: Sequence,
        /// UTC at uptime 0 of `boot`; absent where the node does not know it.
        boot_utc: Option<Timestamp>,
        /// `boot_utc` is an estimate.
        uncertain: bool,
        /// What happened.
        event: LocalEvent,
    },
    /// How an update comes along, and which bytes of it are wanted next. It has no sequence and is not
    /// acknowledged.
    Update {
        /// The number of the release.
        release: u32,
        /// How far it has come.
        state: UpdateState,
        /// The first byte that is wanted; where nothing is, how many the node has.
        offset: u32,
        /// How many bytes are wanted, at most [`CHUNK_BYTES_MAX`]; 0: none.
        length: u16,
        /// Where it was refused: why.
        detail: Detail,
    },
}

/// A short word for a log and for a person who looks for the fault.
pub type Detail = String<DETAIL_BYTES_MAX>;

/// Writes a detail, cut where it is too long.
pub fn detail(text: core::fmt::Arguments<'_>) -> Detail {
    struct Cut(Detail);
    impl core::fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            text.chars().try_for_each(|one| self.0.push(one).map_err(|_| core::fmt::Error))
        }
    }
    let mut cut = Cut(Detail::new());
    match core::fmt::write(&mut cut, text) {
        Ok(()) | Err(_) => cut.0,
    }
}

/// The beginning or the end of an episode on the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalEvent {
    /// Index into the channels of the birth.
    pub channel: u8,
    /// The number that the gateway gave the limit.
    pub rule: u32,
    /// The sequence of the event with which the episode began: with the flash id it names the episode
    /// for good.
    pub episode: Sequence,
    /// What happened.
    pub state: EventState,
    /// When, since the start of the boot.
    pub uptime: Uptime,
    /// The value that decided.
    pub value: Scaled,
    /// The outputs that are driven from here on, one bit each.
    pub outputs: u8,
}

/// What happened to an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// The limit was broken for its on-delay.
    Raised,
    /// The value was back for the off-delay.
    Returned,
    /// The limit was taken away or changed, or the node has restarted: nothing is known of the value.
    Cancelled,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Raised, Self::Returned, Self::Cancelled];

    /// Returns the number of the state on the wire and in flash.
    pub const fn code(self) -> u8 {
        match self {
            Self::Raised => 1,
            Self::Returned => 2,
            Self::Cancelled => 3,
        }
    }

    /// Returns the state with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// Bytes are missing.
    Wanting,
    /// It is there whole and is what was signed; the node restarts into it.
    Staged,
    /// It runs and tests itself.
    Trial,
    /// It passed its tests and stays.
    Confirmed,
    /// It did not pass, and the image from before runs again.
    RolledBack,
    /// It is not taken; the detail says why.
    Refused,
}

impl UpdateState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Wanting,
        Self::Staged,
        Self::Trial,
        Self::Confirmed,
        Self::RolledBack,
        Self::Refused,
    ];

    /// Returns the number of the state on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Wanting => 1,
            Self::Staged => 2,
            Self::Trial => 3,
            Self::Confirmed => 4,
            Self::RolledBack => 5,
            Self::Refused => 6,
        }
    }

    /// Returns the state with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// Bytes of an image, from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'b> {
    /// The number of the release.
    pub release: u32,
    /// Where in the image they belong.
    pub offset: u32,
    /// The bytes, 1 to [`CHUNK_BYTES_MAX`].
    pub bytes: &'b [u8],
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out, or is being carried out (a reboot).
    Done,
    /// The node understood it and will not do it: an interval out of its range.
    Refused,
    /// The node does not know such a command.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Unknown];

    /// Returns the number of the outcome on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Unknown => 2,
        }
    }

    /// Returns the outcome with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }
}

/// One reading of a data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Index into the channels of the birth.
    pub channel: u8,
    /// When it was taken, since the start of the boot.
    pub uptime: Uptime,
    /// The value or the fault.
    pub reading: Reading,
    /// What the node's own tests say of it.
    pub quality: Quality,
}

/// Why a node gave readings up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The ring was full and the oldest readings were dropped.
    RingFull,
    /// Sequences were reserved before a power cut and never used: no reading was taken.
    Unused,
    /// The flash could not be read back.
    Corrupt,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::RingFull, Self::Unused, Self::Corrupt];

    /// Returns the number of the reason on the wire and in flash.
    pub const fn code(self) -> u8 {
        match self {
            Self::RingFull => 1,
            Self::Unused => 2,
            Self::Corrupt => 3,
        }
    }

    /// Returns the reason with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// The will: the node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// The boot that has ended.
    pub boot: BootId,
    /// The session that has ended.
    pub session: u32,
}

/// The gateway's answer to a birth or to data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The life of the flash that the ranges count in.
    pub flash: FlashId,
    /// Sequences that are on disk. Empty in the answer to a birth.
    pub ranges: Vec<SequenceRange, ACK_RANGES_MAX>,
    /// The gateway's clock.
    pub utc: Timestamp,
    /// The uptime of the birth or the `sent` of the frame that is answered: the round trip.
    pub echo: Uptime,
}

/// A command with the number under which it is answered, by [`Body::Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the gateway. A node that gets the id of the command it answered last answers again and
    /// does nothing.
    pub id: u32,
    /// What is asked.
    pub command: Command,
}

/// What the gateway asks of a node.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box the settings with")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish the birth again.
    Rebirth,
    /// Make yourself seen: blink.
    Identify,
    /// Sample at this interval, in milliseconds; the other settings stay as they are.
    Interval(u32),
    /// Restart.
    Reboot,
    /// Work by these settings, in place of all from before.
    Configure(Settings),
    /// Take this image: fetch it with [`Body::Update`].
    Update {
        /// What is signed, as it was signed.
        manifest: Vec<u8, MANIFEST_BYTES_MAX>,
        /// The signature of it.
        signature: [u8; SIGNATURE_BYTES],
    },
}
