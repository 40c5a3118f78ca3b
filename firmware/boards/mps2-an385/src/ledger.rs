//! The ledger: what the node has taken, for whoever must prove that none of it was lost or doubled.
//!
//! One line a reading, written after the reading is in flash and before anything can send it, on
//! the host's standard output. A line is words with one space between them; the first says what it
//! is, the others are `name=value`:
//!
//! ```text
//! node site=nanchuan node=bench-01 flash=9f3a12bc boot=3
//! channel index=0 quantity=air_temperature position=canopy sensor=tmp105 decimals=3
//! ledger flash=9f3a12bc boot=3 seq=120 channel=0 uptime_ms=5012 value=23500 quality=1
//! ledger flash=9f3a12bc boot=3 seq=121 channel=1 uptime_ms=5012 value=not_present quality=9
//! gap flash=9f3a12bc first=8 last=15 reason=ring_full
//! event flash=9f3a12bc boot=3 seq=122 rule=7 episode=122 state=raised
//! outputs value=1
//! ```
//!
//! `node` and `channel` come at each start, before the first `ledger`. `value` is the raw value, a
//! whole number of steps of 10^-decimals, or the name of a fault; `quality` is QARTOD's flag. `event` is
//! a limit that the node judges itself, `outputs` what it drives from here on. `gap` says which sequences the
//! node gives up, each time it tells the gateway. Other first words may come; skip them.
//!
//! A node may be killed after the flash and before the line. So a reading of an earlier boot gets
//! its line (again) before it is sent: a line may come more than once, the same each time. Count by
//! flash and seq.

use measure::{BootId, FlashId, NodeKey, Quality, Reading, Sequence, Uptime};
use node::{Publish, Recorded};
use wire::{Body, Channel, EventState, GapReason, LocalEvent, Sampled};

use crate::host::{Stream, line};

/// Writes what the node measures.
pub(crate) fn channels(channels: &[Channel]) {
    for (index, Channel { quantity, position, sensor, .. }) in channels.iter().enumerate() {
        let decimals = quantity.decimals();
        line(
            Stream::Ledger,
            format_args!(
                "channel index={index} quantity={quantity} position={position} sensor={sensor} \
                 decimals={decimals}"
            ),
        );
    }
}

/// Writes who the node is.
pub(crate) fn node(key: &NodeKey, flash: FlashId, boot: BootId) {
    line(
        Stream::Ledger,
        format_args!("node site={} node={} flash={flash} boot={boot}", key.site, key.node),
    );
}

/// Writes one round that is in flash.
pub(crate) fn recorded(
    flash: FlashId,
    boot: BootId,
    recorded: Recorded,
    readings: &[(u8, Reading, Quality)],
) {
    for (sequence, (channel, reading, quality)) in (recorded.first.0..).zip(readings) {
        let (sequence, uptime) = (Sequence(sequence), recorded.uptime);
        one((flash, boot, sequence), *channel, uptime, *reading, *quality);
    }
}

/// Writes what a message says of other boots' readings and of gaps, before it is sent in `boot`.
// Not inlined: the decoded message takes some KiB of stack, only while this runs.
#[inline(never)]
pub(crate) fn sending(boot: BootId, message: &Publish<'_>) {
    // A birth is no data, and what the node has just encoded is sound.
    let Ok(data) = wire::decode_data(message.payload) else { return };
    match data.body {
        Body::Readings { first, readings, .. } if data.boot != boot => {
            for (sequence, sampled) in (first.0..).zip(&readings) {
                let sequence = Sequence(sequence);
                let Sampled { channel, uptime, reading, quality } = *sampled;
                one((data.flash, data.boot, sequence), channel, uptime, reading, quality);
            }
        }
        Body::Gap { range, reason } => {
            let reason = match reason {
                GapReason::RingFull => "ring_full",
                GapReason::Unused => "unused",
                GapReason::Corrupt => "corrupt",
            };
            let (flash, first, last) = (data.flash, range.first, range.last);
            line(
                Stream::Ledger,
                format_args!("gap flash={flash} first={first} last={last} reason={reason}"),
            );
        }
        Body::Event { sequence, event: one, .. } if data.boot != boot => {
            event(data.flash, data.boot, sequence, &one);
        }
        Body::Readings { .. } | Body::Answer { .. } | Body::Event { .. } | Body::Update { .. } => {}
    }
}

/// Writes one event that is in flash.
pub(crate) fn event(flash: FlashId, boot: BootId, sequence: Sequence, event: &LocalEvent) {
    let LocalEvent { rule, episode, .. } = event;
    let state = match event.state {
        EventState::Raised => "raised",
        EventState::Returned => "returned",
        EventState::Cancelled => "cancelled",
    };
    line(
        Stream::Ledger,
        format_args!(
            "event flash={flash} boot={boot} seq={sequence} rule={rule} episode={episode} \
             state={state}"
        ),
    );
}

fn one(
    (flash, boot, sequence): (FlashId, BootId, Sequence),
    channel: u8,
    uptime: Uptime,
    reading: Reading,
    quality: Quality,
) {
    let head = format_args!(
        "ledger flash={flash} boot={boot} seq={sequence} channel={channel} uptime_ms={}",
        uptime.0
    );
    let quality = quality.code();
    match reading {
        Ok(value) => {
            line(Stream::Ledger, format_args!("{head} value={} quality={quality}", value.0))
        }
        Err(fault) => line(Stream::Ledger, format_args!("{head} value={fault} quality={quality}")),
    }
}
