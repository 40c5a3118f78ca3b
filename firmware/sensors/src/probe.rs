//! What every chip has in common: it is started, waited for, and finished.

use heapless::Vec;
use measure::{Fault, Quantity, Reading, Scaled, Uptime};

/// The most quantities that one probe measures at once: a chain of eight thermometers, or a weather
/// station. A driver for more would not compile its list. Each costs 12 bytes in every [`Readings`],
/// so 96 bytes for each probe of a round that runs, and as much once on the stack.
pub const READINGS_MAX: usize = 8;

/// The most calls of [`Probe::finish`] that one measurement takes. A driver gives the fault
/// `not_ready` rather than ask for more, so a chip that hangs cannot hold its node.
pub const STEPS_MAX: u8 = 16;

/// What one measurement brings: for each quantity of the probe, in its order, a value or a fault.
pub type Readings = Vec<(Quantity, Reading), READINGS_MAX>;

/// How long a chip must be left alone before the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The time to wait, in milliseconds. Longer does no harm.
    pub ms: u32,
}

/// A handle to the node's clock, for the few drivers whose reading is a rate or that must let a chip
/// rest. It is the board's; nothing here keeps time.
pub type Clock = fn() -> Uptime;

/// What a call of [`Probe::finish`] leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The measurement takes another step: call `finish` again after this time.
    Again(Wait),
    /// The measurement has ended, well or not.
    Done(Readings),
}

/// A chip that measures.
///
/// One measurement is `start`, the wait, then `finish` until it is `Done`. Steps are needed because
/// some chips (SCD4x) want a pause between a command and its answer, and a driver must not sleep.
/// A `start` amid a measurement begins a new one.
pub trait Probe {
    /// Returns the name of the chip in a birth, a valid slug such as `sht4x`.
    fn sensor(&self) -> &'static str;

    /// Returns what it measures, at most [`READINGS_MAX`], in the order of its readings.
    fn quantities(&self) -> &[Quantity];

    /// Starts a measurement.
    ///
    /// # Errors
    /// The fault that all its quantities have; there is then nothing to finish. See [`failed`].
    fn start(&mut self) -> Result<Wait, Fault>;

    /// Goes on with the measurement that was started; at most [`STEPS_MAX`] times until it is done.
    /// Without a start it is done at once, with `not_ready`.
    fn finish(&mut self) -> Outcome;
}

/// Returns the readings of a measurement that failed as a whole: `fault` for each quantity.
pub fn failed(quantities: &[Quantity], fault: Fault) -> Readings {
    quantities.iter().take(READINGS_MAX).map(|quantity| (*quantity, Err(fault))).collect()
}

/// Returns `steps` as a reading of `quantity`.
///
/// # Errors
/// `OutOfRange` where no sensor of the kind can have such a value.
pub(crate) fn in_range(quantity: Quantity, steps: i64) -> Reading {
    let value = i32::try_from(steps).map(Scaled).map_err(|_| Fault::OutOfRange)?;
    if value.is_in_range(quantity) { Ok(value) } else { Err(Fault::OutOfRange) }
}

/// Returns the nearest whole number to `dividend / divisor`, halves away from zero; 0 where the
/// divisor is 0.
pub(crate) fn nearest(dividend: i64, divisor: i64) -> i64 {
    let half = divisor.saturating_abs() / 2;
    let half = if dividend < 0 { -half } else { half };
    dividend.saturating_add(half).checked_div(divisor).unwrap_or(0)
}
