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
//! | [`BIRTH_BYTES_MAX`] | 2800 bytes in a `birth` | a longer one is refused; 32 channels with the longest names fit |
//! | [`ACK_BYTES_MAX`] | 256 bytes in an `ack` | a longer one is refused |
//! | [`DEATH_BYTES_MAX`] | 32 bytes in a `death` | a longer one is refused |
//! | [`COMMAND_BYTES_MAX`] | 64 bytes in a `cmd` | a longer one is refused |
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
mod topic;

pub use decode::{decode_ack, decode_birth, decode_command, decode_data, decode_death};
pub use encode::{encode_ack, encode_birth, encode_command, encode_data, encode_death};
pub use error::Error;
pub use frame::{Frame, Head, Pushed};
pub use messages::{
    ACK_BYTES_MAX, ACK_RANGES_MAX, Ack, BIRTH_BYTES_MAX, Birth, Body, CHANNELS_MAX,
    COMMAND_BYTES_MAX, Channel, Command, DEATH_BYTES_MAX, Data, Death, FIELDS_MAX,
    FIRMWARE_BYTES_MAX, FRAME_BYTES_MAX, GapReason, Outcome, READINGS_MAX, Request, Sampled,
    VERSION,
};
pub use topic::{TOPIC_BYTES_MAX, Topic, TopicKind};
