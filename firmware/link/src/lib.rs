//! A node's link to its gateway: MQTT 5 over any stream, for every board.
//!
//! `node` decides what is said and heard; this crate carries it. The board brings the streams ([`Dial`]),
//! the time, random numbers and what it does about an action ([`Board`]), and calls [`run`] in a task of
//! its own. The node is locked only while it works in its flash, never while the network is waited for, so
//! sampling goes on through every outage.
//!
//! # What is kept where
//! Each connection is a new MQTT session (session expiry 0), whether the broker remembers or not. `minimq`
//! keeps what the broker has not acknowledged, for this connection only ([`TO_SEND_BYTES`]); an
//! acknowledgement of the broker (PUBACK) makes room there and frees nothing else. What frees the flash is
//! the gateway's own acknowledgement, after its commit. Whatever a broken connection had not delivered comes
//! again from flash: nothing here survives a connection, and nothing here has to.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`PACKET_BYTES_MAX`] | 1,296 bytes received | CONNECT says so, and the broker drops what is larger; one that sends it all the same is left |
//! | [`TO_SEND_BYTES`] | 4,096 bytes not acknowledged by the broker | the next message waits |
//! | `MESSAGE` of [`Memory`] | chosen by the board | a message that is larger breaks every connection: choose [`wire::BIRTH_BYTES_MAX`], or less where the birth is known to be |
//! | [`DIAL_MS_MAX`] | 10 s for TCP, and TLS | the next gateway is tried |
//! | [`ANSWER_MS_MAX`] | 5 s for CONNACK, SUBACK, a write | the connection is left |
//! | [`KEEPALIVE_S`] | 10 s without a word from the node | it asks (PINGREQ); the broker sends the will after 15 s |
//! | [`SILENCE_MS_MAX`] | 20 s without a byte from the broker | the connection is left: the peer is gone without a word |
//! | [`STUCK_MS_MAX`] | 20 s without room for the next message | the connection is left: the broker acknowledges nothing |
//! | [`GATEWAY_MS_MAX`] | 60 s without an answer to the birth | the next gateway is tried, where there is another |
//! | [`HELD_MS`] | 10 s | an answered connection that broke before counts as a failed try |
//! | [`LAST_WORDS_MS`] | 3 s for what is left to say before a farewell | the node leaves all the same |
//! | [`REASON_BYTES_MAX`] | 96 bytes of a reason | the rest is cut |
//!
//! Pauses between tries are those of [`node::Dialer`], with full jitter.
//!
//! # Memory
//! [`Memory`] is 5,392 bytes and `MESSAGE`; with TLS, its 6 KiB of records come to it. The future of [`run`]
//! is 6.2 KiB on a Cortex-M3 without TLS (measured in the `mps2-an385` image). No heap. The stream's own
//! buffers are the board's.
#![no_std]
#![forbid(unsafe_code)]

mod broken;
mod heard;
mod run;
#[cfg(feature = "tls")]
mod secure;
mod session;

use core::fmt;

use embedded_io_async::{Read, Write};
use measure::{BootId, NodeKey, Timestamp, Uptime};
use node::{Action, Publish};
use wire::{COMMAND_BYTES_MAX, TOPIC_BYTES_MAX};

pub use broken::REASON_BYTES_MAX;
pub use run::run;
#[cfg(feature = "tls")]
pub use secure::{Secure, SecureError, Stream};

/// The largest packet received: the longest command, its topic, and what MQTT adds.
pub const PACKET_BYTES_MAX: usize = COMMAND_BYTES_MAX + TOPIC_BYTES_MAX + PACKET_OVERHEAD_BYTES;
/// Fixed header, topic length, packet identifier and properties.
const PACKET_OVERHEAD_BYTES: usize = 64;
/// Messages that the broker has not acknowledged: three of the largest frames, or a birth.
pub const TO_SEND_BYTES: usize = 4_096;
/// How long a stream may take to come about, in milliseconds.
pub const DIAL_MS_MAX: u64 = 10_000;
/// How long the broker may take to answer, in milliseconds.
pub const ANSWER_MS_MAX: u64 = 5_000;
/// How often a quiet connection is proven, in seconds.
pub const KEEPALIVE_S: u16 = 10;
/// How long the broker may say nothing at all, in milliseconds: longer than a keepalive and its answer.
pub const SILENCE_MS_MAX: u64 = 20_000;
/// How long the broker may leave the messages before the next one unacknowledged, in milliseconds.
pub const STUCK_MS_MAX: u64 = 20_000;
/// How long the gateway behind the broker may leave a birth unanswered, in milliseconds.
pub const GATEWAY_MS_MAX: u64 = 60_000;
/// A connection that was answered and lasted so long has held, in milliseconds.
pub const HELD_MS: u64 = 10_000;
/// How long the last words before a farewell may take, in milliseconds.
pub const LAST_WORDS_MS: u64 = 3_000;

/// Who the node is to its broker.
#[derive(Clone, Copy)]
pub struct Identity<'c> {
    /// Its name, which is user name and client identifier too.
    pub key: &'c NodeKey,
    /// Its password. Never printed.
    pub secret: &'c [u8],
}

/// What opens streams.
#[expect(async_fn_in_trait, reason = "a board has one executor and needs no `Send`")]
pub trait Dial {
    /// Why there is no stream.
    type Error: fmt::Debug;
    /// A stream whose reads, writes and flushes may be dropped at any time without losing a byte. It ends
    /// when it is dropped.
    type Stream<'s>: Read + Write
    where
        Self: 's;

    /// Connects to `gateway` (`host:port`). `utc` is the time, where the node knows it. It may be dropped,
    /// after [`DIAL_MS_MAX`].
    ///
    /// # Errors
    /// Whatever keeps it from it; the next gateway is tried.
    async fn dial(
        &mut self,
        gateway: &str,
        utc: Option<Timestamp>,
    ) -> Result<Self::Stream<'_>, Self::Error>;
}

/// What the link asks of its board.
#[expect(async_fn_in_trait, reason = "a board has one executor and needs no `Send`")]
pub trait Board {
    /// Returns the node's uptime: through deep sleep, and never backwards.
    fn now(&self) -> Uptime;

    /// Returns a random number, which spreads the tries of many nodes.
    fn random(&self) -> u32;

    /// Waits until the node may have something new to say, such as a round of readings. May be dropped at
    /// any time; what came meanwhile ends the next wait at once.
    async fn recorded(&self);

    /// The node is connected and subscribed. It is not locked.
    async fn up(&self) {}

    /// Does what is asked. The node is not locked. For [`Action::Reconnect`] it takes the settings anew,
    /// and the link does the rest; for [`Action::Reboot`] it does nothing: [`run`] ends.
    async fn act(&self, action: Action<'_>);

    /// A message is about to be sent in `boot`: what must come before that is done here.
    fn sending(&self, _boot: BootId, _publish: &Publish<'_>) {}

    /// The link went round: it tried, sent, heard, or waited and woke up again ([`node::Vitals`]).
    fn went_round(&self) {}

    /// Something to tell a person.
    fn tell(&self, _event: Event<'_>) {}
}

/// What happened to the link; its text is for a log.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// Connected and subscribed.
    Up {
        /// To whom.
        gateway: &'e str,
    },
    /// The connection has ended or did not come about.
    Down {
        /// To whom.
        gateway: &'e str,
        /// Why.
        reason: &'e str,
    },
    /// A message was dropped, by the broker or here; the connection stands.
    Dropped {
        /// Why.
        reason: &'e str,
    },
    /// The node takes leave of the broker.
    Leaving,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { gateway } => write!(f, "link up: gateway={gateway}"),
            Self::Down { gateway, reason } => write!(f, "link down: gateway={gateway}: {reason}"),
            Self::Dropped { reason } => write!(f, "link: dropped a message: {reason}"),
            Self::Leaving => write!(f, "link: leaving"),
        }
    }
}

/// Why [`run`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A command asks for a restart; its answer is sent.
    Reboot,
    /// Everything is said, or the node has given up for now: it may sleep for so many milliseconds.
    Sleep(u32),
}

/// The memory of the link; `MESSAGE` bytes hold the message at hand.
#[derive(Debug)]
pub struct Memory<const MESSAGE: usize> {
    received: [u8; PACKET_BYTES_MAX],
    to_send: [u8; TO_SEND_BYTES],
    message: [u8; MESSAGE],
}

const _: () = assert!(size_of::<Memory<0>>() == 5_392, "the documentation names the bytes");

impl<const MESSAGE: usize> Memory<MESSAGE> {
    /// Returns the memory, empty.
    pub const fn new() -> Self {
        Self { received: [0; PACKET_BYTES_MAX], to_send: [0; TO_SEND_BYTES], message: [0; MESSAGE] }
    }
}

impl<const MESSAGE: usize> Default for Memory<MESSAGE> {
    fn default() -> Self {
        Self::new()
    }
}
