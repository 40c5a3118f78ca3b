//! A limit and how far it has come: a pure step for each value of its channel.
//!
//! Delays count in event time, and only the time in which values say so: what passes around a fault, a
//! failed value or silence for more than [`HOLE_INTERVALS`] sampling intervals does not count, and takes
//! nothing away. So a gap neither raises nor returns.

use measure::{Reading, Scaled, Sequence};
use wire::{EventState, Limit, Side};

/// Silence for more sampling intervals than this stops the delays: after as many the gateway calls a
/// channel stale.
pub const HOLE_INTERVALS: u32 = 3;

/// How far a limit has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is kept.
    #[default]
    Kept,
    /// It is broken, not yet for its on-delay.
    Breaking,
    /// It is broken, and that was said.
    Raised,
    /// The value is back, not yet for the off-delay.
    Returning,
}

/// A limit under watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) limit: Limit,
    pub(crate) phase: Phase,
    /// For how long the delay has counted, in milliseconds.
    pub(crate) held_ms: u32,
    /// When the last value came, in the low 32 bits of the uptime; `None` after a fault.
    pub(crate) seen_ms: Option<u32>,
    /// While it is raised: the sequence of the event that said so.
    pub(crate) episode: Sequence,
}

impl Watched {
    pub(crate) const fn new(limit: Limit) -> Self {
        let episode = Sequence(0);
        Self { limit, phase: Phase::Kept, held_ms: 0, seen_ms: None, episode }
    }

    pub(crate) const fn is_raised(&self) -> bool {
        matches!(self.phase, Phase::Raised | Phase::Returning)
    }

    /// Returns the outputs that it drives now.
    pub(crate) const fn outputs(&self) -> u8 {
        if self.is_raised() { self.limit.outputs } else { 0 }
    }

    /// Takes a reading in, an `Err` where there is no value to judge. Returns the limit as it is then, and
    /// what is to be said.
    pub(crate) fn step(
        self,
        at_ms: u32,
        reading: Reading,
        interval_ms: u32,
    ) -> (Self, Option<EventState>) {
        let Ok(value) = reading else { return (Self { seen_ms: None, ..self }, None) };
        let passed_ms = self.seen_ms.map_or(0, |seen| at_ms.wrapping_sub(seen));
        let passed_ms =
            if passed_ms > interval_ms.saturating_mul(HOLE_INTERVALS) { 0 } else { passed_ms };
        let seen = Self { seen_ms: Some(at_ms), ..self };
        let held_ms = self.held_ms.saturating_add(passed_ms);
        let (from, held_ms) =
            match (self.phase, self.limit.is_broken(value), self.limit.is_back(value)) {
                (Phase::Kept, true, _) => (Phase::Breaking, 0),
                (Phase::Breaking, true, _) => (Phase::Breaking, held_ms),
                (Phase::Kept | Phase::Breaking, false, _) => (Phase::Kept, 0),
                (Phase::Raised, _, true) => (Phase::Returning, 0),
                (Phase::Returning, _, true) => (Phase::Returning, held_ms),
                (Phase::Raised | Phase::Returning, _, false) => (Phase::Raised, 0),
            };
        let is_over = |delay_s: u16| held_ms >= u32::from(delay_s) * 1_000;
        let (phase, said) = match from {
            Phase::Breaking if is_over(self.limit.on_delay_s) => {
                (Phase::Raised, Some(EventState::Raised))
            }
            Phase::Returning if is_over(self.limit.off_delay_s) => {
                (Phase::Kept, Some(EventState::Returned))
            }
            phase => (phase, None),
        };
        (Self { phase, held_ms: if said.is_some() { 0 } else { held_ms }, ..seen }, said)
    }
}

trait Judges {
    fn is_broken(&self, value: Scaled) -> bool;
    fn is_back(&self, value: Scaled) -> bool;
}

impl Judges for Limit {
    /// The threshold itself is still good.
    fn is_broken(&self, value: Scaled) -> bool {
        match self.side {
            Side::Low => value < self.threshold,
            Side::High => value > self.threshold,
        }
    }

    fn is_back(&self, value: Scaled) -> bool {
        let (value, deadband) = (i64::from(value.0), i64::from(self.deadband));
        let threshold = i64::from(self.threshold.0);
        match self.side {
            Side::Low => value >= threshold + deadband,
            Side::High => value <= threshold - deadband,
        }
    }
}

/// Returns a number that tells a limit from one that was changed (FNV-1a, 32 bits).
pub(crate) fn digest(limit: &Limit) -> u32 {
    let Limit { rule, channel, side, threshold, deadband, on_delay_s, off_delay_s, outputs } =
        limit;
    let bytes = rule
        .to_le_bytes()
        .into_iter()
        .chain([*channel, side.code(), *outputs])
        .chain(threshold.0.to_le_bytes())
        .chain(deadband.to_le_bytes())
        .chain(on_delay_s.to_le_bytes())
        .chain(off_delay_s.to_le_bytes());
    bytes.fold(0x811C_9DC5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
