//! What the values of a channel are held against.

use measure::qartod::{SpikeLimit, Thresholds};
use measure::{Quantity, Scaled};

/// The thresholds of a channel, in steps of its quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Gross range, rate of change and flat line: what a node can judge as well.
    pub node: Thresholds,
    /// How far a value may stand out from both of its neighbours; `None`: not judged.
    pub spike: Option<SpikeRule>,
    /// How far beyond the limits of the stage a value is still of this climate; `None`: not judged.
    pub climate_margin: Option<u32>,
    /// How far a sensor of the kind may be from the truth; `None`: it has no twins.
    pub accuracy: Option<u32>,
}

/// QARTOD's spike test, and for which neighbours it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpikeRule {
    /// How far from the mean of its neighbours a value may be.
    pub limit: SpikeLimit,
    /// A neighbour further away than so many milliseconds is none: in an hour much can happen.
    pub within_ms: u32,
}

impl Limits {
    /// Returns what a node holds the quantity against, and nothing more.
    pub const fn of(quantity: Quantity) -> Self {
        Self { node: Thresholds::of(quantity), spike: None, climate_margin: None, accuracy: None }
    }

    /// Returns what is the climate of a stage whose limits are these: both ends are wider by the
    /// margin, an open end stays open. `None` where the quantity is not judged by it.
    pub fn climate(&self, limits: (Option<Scaled>, Option<Scaled>)) -> Option<(i32, i32)> {
        let margin = i32::try_from(self.climate_margin?).unwrap_or(i32::MAX);
        let (low, high) = limits;
        if low.is_none() && high.is_none() {
            return None;
        }
        let low = low.map_or(i32::MIN, |low| low.0.saturating_sub(margin));
        let high = high.map_or(i32::MAX, |high| high.0.saturating_add(margin));
        Some((low, high))
    }

    /// Returns the longest that a flat line is measured, in milliseconds; 0 where none is.
    pub fn flat_ms(&self) -> u32 {
        self.node.flat.map_or(0, |flat| flat.fail_ms.unwrap_or(0).max(flat.suspect_ms))
    }
}
