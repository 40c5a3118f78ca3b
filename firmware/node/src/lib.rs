//! The node without its hardware: when to sample, what to keep, what to say next.
//!
//! No I/O but the flash behind [`embedded_storage_async`], no clock, no randomness of its own: all of it
//! comes as arguments. A board owns the sensors, the MQTT client and the clock, and runs this loop:
//!
//! ```text
//! // config: what the board has and what Provision::parse(page) says. After deep sleep: Start::Woken.
//! let mut node = Node::<_, PAGES>::open(flash, config, random, Start::Cold).await?;
//! let mut schedule = Schedule::new(node.interval_ms(), now);
//! let mut vitals = Vitals::new(now, node.interval_ms());
//! loop {
//!     // Sampling goes on whether there is a link or not.
//!     match schedule.poll(now, &mut probes) {                    // probes: &mut [&mut dyn Probe]
//!         Step::Wait(until) => {}
//!         Step::Round { at, readings } => {
//!             // Without the probes whose channels are switched off: node.is_enabled(channel).
//!             let taken = node.take(at, &readings).await?;
//!             // taken.before, .recorded, .events: the ledger, after the flash has it
//!             vitals.sampled(now);
//!         }
//!     }
//!     drive(node.outputs());                                     // siren and relays, link or no link
//!     // Where node.is_link_due(now): dialer.next(random, node.gateways().count()) says whom and when.
//!     // Connect with the will node.will(&mut buf)?, retain false, QoS 1; subscribe node.subscriptions().
//!     // Once both are acknowledged by the broker: node.connected(now); when it breaks: node.disconnected().
//!     while let Some(publish) = node.next_publish(now, &mut buf).await? {
//!         // publish.topic, .payload, .qos (1), .retain; if the client does not take it:
//!         // node.publish_failed(), and stop.
//!     }
//!     // For each message that arrives:
//!     match node.receive(now, topic, payload).await? {
//!         Some(Action::Configured) => schedule.set_interval(now, node.interval_ms()),
//!         Some(Action::Reconnect) => {}                           // the same; then break off, dial anew
//!         Some(Action::Identify) => {}                            // blink
//!         Some(Action::Reboot) => {}                              // publish what is left, then restart
//!         Some(Action::Offer { .. } | Action::Chunk(_)) => {}     // an update: crate `update`
//!         None => {}
//!     }
//!     node.check(now).await?;                                     // an Action too: settings given up
//!     if vitals.may_feed(now) {}                                  // feed the watchdog
//!     if let Some(ms) = node.may_sleep(now) {}                    // on a battery: node.retain, deep sleep
//!     // Wait until the earlier of schedule.next_wake() and node.next_wake(now) (None: nothing to do),
//!     // or until a message or the end of the connection comes.
//! }
//! ```
//!
//! A future of the node runs to its end: one that is dropped halfway leaves the flash in the middle, and
//! the node must be opened again.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`wire::CHANNELS_MAX`] | 32 channels, 32 readings in a round | refused |
//! | [`PROBES_MAX`] | 16 probes | those beyond are left alone |
//! | [`FRAMES_IN_FLIGHT_MAX`] | 8 frames without an acknowledgement | the next one waits |
//! | [`BACKLOG_IN_FLIGHT_MAX`] | 4 of them backlog | the rest is kept for fresh readings |
//! | [`FRESH_READINGS_MAX`] | 64 readings kept in memory to be sent first | older ones are sent from flash |
//! | [`FREED_RANGES_MAX`] | 16 ranges acknowledged out of order | the smallest is forgotten and sent again |
//! | [`GAPS_MAX`] | 16 gaps not acknowledged | two neighbours become one |
//! | [`ANSWERS_MAX`] | 4 answers to commands waiting | the oldest is dropped; the gateway asks again |
//! | [`EVENTS_AT_ONCE`] | 4 events of limits in a round | the other limits wait for the next round |
//! | [`CORNERS_AT_ONCE`] | 8 readings kept from before a jump | those beyond are left out |
//! | [`HOLE_INTERVALS`] | 3 intervals of silence | a limit's delay does not count beyond |
//! | [`SILENCE_MS_MAX`] | a day between heartbeats or connections | settings with more are refused |
//! | [`SETTINGS_PROOF_MS`] | 300 s of trying new settings | those from before are in force again |
//! | [`AWAKE_MS_MAX`] | 30 s awake without an answer | a sleeping node goes on sleeping |
//! | [`RETAINED_BYTES`] | 1,961 bytes through deep sleep | always as many |
//! | [`DIAL_PAUSE_MS_MAX`] | 30 s between two tries to connect | the pause grows no further |
//! | [`SECRET_BYTES_MAX`] | 64 bytes of secret in a provisioning page | refused |
//! | the ring | its pages | the oldest page of readings is dropped, and the gap is reported |
//! | [`ENTRY_BYTES_MAX`] | the largest round in flash | 32 channels with the longest numbers fit |
//!
//! # Flash
//!
//! Readings, and local events with them, lie in a ring of pages, in the order of their sequences, and
//! whatever is written is read back. It survives a power cut in any word, also where the word is left in
//! between and the page half erased; a worn page is passed over. What cannot be survived is said: a bit
//! that falls over costs its round, in the 32 bytes at the start of a page the page, as a gap with the
//! reason `corrupt`. Where it was the last round before a power cut, the gap names the block of sequences
//! that was reserved behind it too. Acknowledged readings may be sent once more after a power cut: those
//! acknowledged since the last round was written, and 1,024 at most where backlog was.
//!
//! | in 1 MiB of 4 KiB pages, eight channels, every value of 3 bytes | measured by `tests/capacity.rs`, `tests/outage.rs` |
//! |---|---|
//! | a round | 68 bytes |
//! | a reading, with everything | 8.7 bytes |
//! | the ring, at one round a minute | 15,000 rounds, 120,000 readings, 10.4 days |
//! | a start with a full ring | reads 18 KiB |
//! | recording a round | reads 68 bytes; where a page begins 8.3 KiB, with one erase |
//! | a frame of backlog, 96 readings | reads 2.3 KiB; where the place is looked for anew, 19 KiB |
//! | a day at one minute, acknowledged after 50 ms to 2 s, one frame in ten lost | back in 2 minutes |
//! | a day at five seconds, the same | back in 23 minutes |
//!
//! # Memory
//!
//! On a 32-bit chip a node takes 10,800 bytes, whatever its pages, a [`Schedule`] 1,704 and a [`Taken`] 720;
//! tests hold the bounds. The futures besides: [`Node::receive`] 4,192 bytes, [`Node::take`] 3,856,
//! [`Node::check`] 3,040, [`Node::next_publish`] 1,736; and 6 KiB of stack where settings are decoded. No
//! heap. A start by its steps, [`Found::read`] first, takes less than half of the stack of [`Node::open`].
//! The board chooses its buffer: [`wire::BIRTH_BYTES_MAX`] bytes are enough for any message.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod calibrate;
mod clock;
mod config;
mod dialer;
mod entry;
mod episodes;
mod error;
mod flight;
mod hear;
mod item;
mod judge;
mod keep;
mod limits;
mod node;
mod open;
mod outbox;
mod provision;
mod ranges;
mod recover;
mod ring;
mod say;
mod schedule;
mod select;
mod settings;
mod sleep;
mod take;
mod valid;
mod vitals;

pub use config::{Config, IDENTITY_PAGES, INTERVAL_MS_MAX, INTERVAL_MS_MIN, Layout};
pub use dialer::{DIAL_PAUSE_MS_FIRST, DIAL_PAUSE_MS_MAX, Dial, Dialer};
pub use entry::{ENTRY_BYTES_MAX, ring_bytes};
pub use error::Error;
pub use flight::{BACKLOG_IN_FLIGHT_MAX, FRAMES_IN_FLIGHT_MAX, RESEND_JITTER_MS, RESEND_MS};
pub use limits::HOLE_INTERVALS;
pub use node::{
    ANSWERS_MAX, Action, FRESH_READINGS_MAX, Node, Origin, Publish, QOS, Recorded, Update,
};
pub use open::Found;
pub use outbox::SEQUENCES_RESERVED;
pub use provision::{Provision, ProvisionError, SECRET_BYTES_MAX};
pub use ranges::{FREED_RANGES_MAX, GAPS_MAX};
pub use schedule::{PROBES_MAX, RoundReadings, Schedule, Step};
pub use settings::SETTINGS_PROOF_MS;
pub use sleep::{AWAKE_MS_MAX, RETAINED_BYTES, Retained, Start};
pub use take::{CORNERS_AT_ONCE, EVENTS_AT_ONCE, Taken};
pub use valid::SILENCE_MS_MAX;
pub use vitals::{LINK_LATE_MS, SAMPLING_LATE_MS, Vitals};
