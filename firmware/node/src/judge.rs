//! One channel's judge: calibration, QARTOD's flag, and whether a reading says anything new.
//!
//! With a heartbeat, report by exception, a reading is kept where
//!
//! - it is the first after a start or after the settings changed,
//! - its fault or its flag is another than that of the one kept last,
//! - its value is the channel's deadband, and at least one step, away from the one kept last, or
//! - the next one would come later than the heartbeat allows.
//!
//! Where a value jumped out of its deadband, the reading before it is kept as well: a chart then shows
//! the corner, and not a slope from the last heartbeat. Without a heartbeat each reading is kept.

use measure::qartod::{self, Thresholds, combined};
use measure::{Fault, Quality, Quantity, Reading, Scaled};
use wire::Calibration;

use crate::calibrate::calibrated;

/// A reading that the channel remembers. Times are the low 32 bits of the uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) at_ms: u32,
    value: i32,
    fault: Option<Fault>,
    pub(crate) quality: Quality,
}

impl Seen {
    pub(crate) fn new(at_ms: u32, reading: Reading, quality: Quality) -> Self {
        let (value, fault) = match reading {
            Ok(value) => (value.0, None),
            Err(fault) => (0, Some(fault)),
        };
        Self { at_ms, value, fault, quality }
    }

    pub(crate) fn reading(&self) -> Reading {
        self.fault.map_or(Ok(Scaled(self.value)), Err)
    }
}

/// What a channel is judged by, and what is remembered of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Channel {
    pub(crate) deadband: u32,
    pub(crate) calibration: Option<Calibration>,
    pub(crate) tests: qartod::Judge,
    /// The reading that was kept last; `None`: the next one is kept.
    pub(crate) kept: Option<Seen>,
    /// The one after it that was seen last and was not kept.
    pub(crate) passed: Option<Seen>,
}

/// What to do with a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It says nothing new.
    Pass,
    /// Keep it.
    Keep,
    /// Keep the one before as well.
    KeepBoth(Seen),
}

impl Channel {
    /// Calibrates and flags a raw reading.
    pub(crate) fn judge(
        &mut self,
        quantity: Quantity,
        at_ms: u32,
        raw: Reading,
    ) -> (Reading, Quality) {
        let reading = match (&self.calibration, raw) {
            (Some(line), Ok(raw)) => calibrated(line, raw),
            (_, raw) => raw,
        };
        // Rate and flat line alone leave a first value not evaluated; the gross range is always run.
        (reading, combined([self.tests.judge(&Thresholds::of(quantity), at_ms, reading)]))
    }

    /// Says whether a reading is to be kept. It does not count as kept before [`Self::keep`].
    pub(crate) fn weigh(&self, heartbeat: Option<(u32, u32)>, seen: &Seen) -> Verdict {
        let (Some((heartbeat_ms, interval_ms)), Some(kept)) = (heartbeat, &self.kept) else {
            return Verdict::Keep;
        };
        if kept.quality != seen.quality || kept.fault != seen.fault {
            return Verdict::Keep;
        }
        if seen.fault.is_none() && seen.value.abs_diff(kept.value) >= self.deadband.max(1) {
            return self.passed.map_or(Verdict::Keep, Verdict::KeepBoth);
        }
        let silent_ms = u64::from(seen.at_ms.wrapping_sub(kept.at_ms));
        let is_due = silent_ms + u64::from(interval_ms) > u64::from(heartbeat_ms);
        if is_due { Verdict::Keep } else { Verdict::Pass }
    }

    /// The reading is in the flash.
    pub(crate) fn keep(&mut self, seen: Seen) {
        self.kept = Some(seen);
        self.passed = None;
    }
}
