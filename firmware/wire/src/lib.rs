//! The bytes between node and gateway: topics, messages, limits. No I/O, no clock, no allocation.
//!
//! `miaopu.cddl` in this folder is the contract: a foreign client can be written from it alone. This
//! crate is its one implementation on both sides.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`FRAME_BYTES_MAX`] | 1024 bytes in a `data` message | [`Frame::push`] says full; a longer one is refused |
//! | [`READINGS_MAX`] | 128 readings in a `data` message | the same |
//! | [`CHANNELS_MAX`] | 32 channels in a `birth` | refused |
//! | [`ACK_RANGES_MAX`] | 8 ranges in an `ack` | the rest goes into the next one |
//! | [`FIRMWARE_BYTES_MAX`] | 32 bytes of firmware name | refused |
//! | [`BIRTH_BYTES_MAX`] | 3000 bytes in a `birth` | a longer one is refused; 32 channels with the longest names fit |
//! | [`ACK_BYTES_MAX`] | 256 bytes in an `ack` | a longer one is refused |
//! | [`DEATH_BYTES_MAX`] | 32 bytes in a `death` | a longer one is refused |
//! | [`COMMAND_BYTES_MAX`] | 1152 bytes in a `cmd` | a longer one is refused |
//! | [`SETTINGS_BYTES_MAX`] | 1024 bytes of settings in it | refused |
//! | [`LIMITS_MAX`] | 16 limits in settings | refused |
//! | [`GATEWAYS_MAX`] | 4 gateways of [`GATEWAY_BYTES_MAX`] = 64 bytes in settings | refused |
//! | [`MANIFEST_BYTES_MAX`] | 128 bytes of manifest | refused |
//! | [`OTA_BYTES_MAX`] | 576 bytes in an `ota` | a longer one is refused |
//! | [`CHUNK_BYTES_MAX`] | 512 bytes of image in it | refused |
//! | [`DETAIL_BYTES_MAX`] | 48 bytes of detail in an answer | cut by [`detail`] |
//! | [`FIELDS_MAX`] | 32 keys in one map | refused |
//! | [`TOPIC_BYTES_MAX`] | 80 bytes of topic | never longer |
//!
//! # Bytes
//!
//! Every message is one CBOR map (RFC 8949) of definite length with small unsigned keys. Key 0, the
//! version, comes first; the others in any order. An unknown key is skipped with its value, so that an
//! old reader understands a newer writer; an unknown *code* (of a quantity, fault, flag, reason or
//! command) is refused by its number, because a reading whose meaning is unknown is no reading. Bytes
//! after the map, keys that stand twice and missing keys are refused.
//!
//! A reading takes 4 to 8 bytes in practice: an array header, the channel, the milliseconds since the
//! reading before, the change since the channel's value before, and the quality where it is not good.
#![no_std]
#![forbid(unsafe_code)]

mod decode;
mod encode;
mod error;
mod frame;
mod key;
mod messages;
mod settings;
mod topic;

pub use decode::{
    decode_ack, decode_birth, decode_chunk, decode_command, decode_data, decode_death,
    decode_settings,
};
pub use encode::{
    encode_ack, encode_birth, encode_chunk, encode_command, encode_data, encode_death,
    encode_settings,
};
pub use error::Error;
pub use frame::{Frame, Head, Pushed};
pub use messages::{
    ACK_BYTES_MAX, ACK_RANGES_MAX, Ack, BIRTH_BYTES_MAX, Birth, Body, CHANNELS_MAX,
    CHUNK_BYTES_MAX, COMMAND_BYTES_MAX, Channel, Chunk, Command, DEATH_BYTES_MAX, DETAIL_BYTES_MAX,
    Data, Death, Detail, EventState, FIELDS_MAX, FIRMWARE_BYTES_MAX, FRAME_BYTES_MAX, GapReason,
    LocalEvent, MANIFEST_BYTES_MAX, OTA_BYTES_MAX, Outcome, READINGS_MAX, Request, SIGNATURE_BYTES,
    Sampled, UpdateState, VERSION, detail,
};
pub use settings::{
    Calibration, ChannelSettings, GATEWAY_BYTES_MAX, GATEWAYS_MAX, GatewayAddress, LIMITS_MAX,
    Limit, SETTINGS_BYTES_MAX, Settings, Side,
};
pub use topic::{TOPIC_BYTES_MAX, Topic, TopicKind};
