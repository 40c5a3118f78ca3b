//! The node without its hardware: when to sample, what to keep, what to say next.
//!
//! No I/O but the flash behind [`embedded_storage_async`], no clock, no randomness of its own: all of it
//! comes as arguments. A board owns the sensors, the MQTT client and the clock, and runs this loop:
//!
//! ```text
//! let mut node = Node::<_, PAGES>::open(flash, config, random).await?;
//! let mut schedule = Schedule::new(node.interval_ms(), now);
//! loop {
//!     // Sampling goes on whether there is a link or not.
//!     match schedule.poll(now, &mut probes) {                    // probes: &mut [&mut dyn Probe]
//!         Step::Wait(until) => {}
//!         Step::Round { at, readings } => {
//!             let recorded = node.record(at, &readings, Origin::Live).await?;
//!             // recorded.first, .count, .uptime: the ledger, after the flash has it
//!         }
//!     }
//!     // Connect with the will node.will(&mut buf)?, retain false, QoS 1; subscribe node.subscriptions().
//!     // Once both are acknowledged by the broker: node.connected(now); when it breaks: node.disconnected().
//!     while let Some(publish) = node.next_publish(now, &mut buf).await? {
//!         // publish.topic, .payload, .qos (1), .retain; if the client does not take it:
//!         // node.publish_failed(), and stop.
//!     }
//!     // For each message that arrives:
//!     match node.receive(now, topic, payload).await? {
//!         Some(Action::Interval(ms)) => schedule.set_interval(now, ms),
//!         Some(Action::Identify) => {}                            // blink
//!         Some(Action::Reboot) => {}                              // publish what is left, then restart
//!         None => {}
//!     }
//!     // Sleep until the earlier of schedule.next_wake() and node.next_wake(now) (None: nothing to do),
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
//! | the ring | its pages | the oldest readings are dropped, and the gap is reported |
//!
//! # Memory
//!
//! A node for 32 pages of ring takes 6,144 bytes on a 32-bit chip and a [`Schedule`] 936; a test holds the
//! bound. While it runs, [`Node::open`] takes another 10 KiB and any other call less than 2.2 KiB in its
//! future, and 3 KiB of stack where it says a gap or an answer. No heap. The board chooses its buffer:
//! [`wire::BIRTH_BYTES_MAX`] bytes are enough for any message.
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
pub use outbox::SEQUENCES_RESERVED;
pub use provision::{Provision, ProvisionError, SECRET_BYTES_MAX};
pub use ranges::{FREED_RANGES_MAX, GAPS_MAX};
pub use schedule::{PROBES_MAX, RoundReadings, Schedule, Step};
pub use settings::SETTINGS_PROOF_MS;
pub use sleep::{AWAKE_MS_MAX, RETAINED_BYTES, Retained, Start};
pub use take::{CORNERS_AT_ONCE, EVENTS_AT_ONCE, Taken};
pub use valid::SILENCE_MS_MAX;
pub use vitals::{LINK_LATE_MS, SAMPLING_LATE_MS, Vitals};
