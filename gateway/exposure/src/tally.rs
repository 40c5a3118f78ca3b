//! Sums of a quantity over time, exact: whole microseconds times whole steps.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use agronomy::{Cardinal, Celsius, effective_temperature};
use measure::{Quantity, Timestamp};
use nursery::{Period, Stage};

/// Derived values are kept as whole billionths of their unit.
pub(crate) const NANO: i64 = 1_000_000_000;

/// A value for a span of time: the mean of `count` channels, as the sum of their steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) value: Mean,
    /// Whether it is day.
    pub(crate) day: bool,
}

/// The mean of some channels, exact. `sum` and `count` are never divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    pub(crate) sum: i64,
    /// Never 0.
    pub(crate) count: u32,
}

impl Mean {
    pub(crate) fn units(self, steps_per_unit: i64) -> f64 {
        self.sum as f64 / (f64::from(self.count) * steps_per_unit as f64)
    }

    pub(crate) fn order(self, other: Self) -> Ordering {
        let cross = |one: Self, other: Self| i128::from(one.sum) * i128::from(other.count);
        cross(self, other).cmp(&cross(other, self))
    }

    fn order_to(self, steps: i64) -> Ordering {
        self.order(Self { sum: steps, count: 1 })
    }
}

/// What is asked of a quantity at a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) steps_per_unit: i64,
    /// The target's edges by day, in steps.
    day: Edges,
    /// The target's edges by night, in steps.
    night: Edges,
    pub(crate) cardinal: Option<Cardinal>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Edges {
    low: Option<i64>,
    high: Option<i64>,
}

impl Wanted {
    /// Returns what a stage wants of a quantity; `cardinal` is for thermal time.
    pub(crate) fn new(quantity: Quantity, stage: Option<&Stage>, cardinal: Cardinal) -> Self {
        let steps_per_unit = steps_per_unit(quantity);
        let factor = steps_per_unit / i64::from(quantity.steps_per_unit());
        let edges = |period| {
            let band = stage.and_then(|stage| stage.band(quantity, period));
            let steps = |edge: measure::Scaled| i64::from(edge.0) * factor;
            Edges {
                low: band.and_then(|band| band.target.lo()).map(steps),
                high: band.and_then(|band| band.target.hi()).map(steps),
            }
        };
        let mut night = edges(Period::Night);
        // Darkness at night is as it should be.
        if matches!(quantity, Quantity::Illuminance | Quantity::Ppfd) {
            night.low = None;
        }
        let warm = matches!(quantity, Quantity::AirTemperature | Quantity::SubstrateTemperature);
        let cardinal = warm.then_some(cardinal);
        Self { steps_per_unit, day: edges(Period::Day), night, cardinal }
    }

    /// Returns whether it names a lower and an upper edge at any hour.
    pub(crate) fn has_edges(&self) -> (bool, bool) {
        let low = self.day.low.is_some() || self.night.low.is_some();
        (low, self.day.high.is_some() || self.night.high.is_some())
    }
}

/// Returns how many steps make a unit of a quantity here: billionths where it is derived.
pub(crate) fn steps_per_unit(quantity: Quantity) -> i64 {
    match quantity {
        Quantity::VapourPressureDeficit => NANO,
        _ => i64::from(quantity.steps_per_unit()),
    }
}

/// Sums of a quantity over time. Two of them add up to what one would have said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) covered_us: i64,
    /// Microseconds times steps, by how many channels the steps are the sum of.
    sums: BTreeMap<u32, i128>,
    pub(crate) min: Option<Mean>,
    pub(crate) max: Option<Mean>,
    pub(crate) below_us: i64,
    pub(crate) above_us: i64,
    /// Microseconds times billionths of a degree above the base temperature.
    heat: i128,
}

impl Tally {
    pub(crate) fn take(&mut self, wanted: &Wanted, piece: &Piece) {
        let us = piece.to.micros_since(piece.from);
        let Piece { value, .. } = *piece;
        self.covered_us += us;
        *self.sums.entry(value.count).or_default() += i128::from(us) * i128::from(value.sum);
        self.reach(Some(value), Some(value));
        let edges = if piece.day { wanted.day } else { wanted.night };
        if edges.low.is_some_and(|low| value.order_to(low).is_lt()) {
            self.below_us += us;
        }
        if edges.high.is_some_and(|high| value.order_to(high).is_gt()) {
            self.above_us += us;
        }
        // Whatever a channel of temperature can say is one; what is none would add no warmth.
        if let Some(cardinal) = wanted.cardinal
            && let Ok(air) = Celsius::new(value.units(wanted.steps_per_unit))
        {
            let warmth = (effective_temperature(air, cardinal) * NANO as f64).round() as i64;
            self.heat += i128::from(us) * i128::from(warmth);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.covered_us += other.covered_us;
        for (count, sum) in &other.sums {
            *self.sums.entry(*count).or_default() += sum;
        }
        self.reach(other.min, other.max);
        self.below_us += other.below_us;
        self.above_us += other.above_us;
        self.heat += other.heat;
    }

    fn reach(&mut self, least: Option<Mean>, greatest: Option<Mean>) {
        if let Some(least) = least
            && self.min.is_none_or(|min| least.order(min).is_lt())
        {
            self.min = Some(least);
        }
        if let Some(greatest) = greatest
            && self.max.is_none_or(|max| greatest.order(max).is_gt())
        {
            self.max = Some(greatest);
        }
    }

    /// Returns the integral over the covered time, in units times microseconds.
    pub(crate) fn unit_us(&self, steps_per_unit: i64) -> f64 {
        let part = |(count, sum): (&u32, &i128)| *sum as f64 / f64::from(*count);
        self.sums.iter().map(part).sum::<f64>() / steps_per_unit as f64
    }

    /// Returns the mean over the covered time; `None` where nothing is covered.
    pub(crate) fn mean(&self, steps_per_unit: i64) -> Option<f64> {
        (self.covered_us > 0).then(|| self.unit_us(steps_per_unit) / self.covered_us as f64)
    }

    /// Returns the thermal time, in degree-days.
    pub(crate) fn degree_days(&self) -> f64 {
        self.heat as f64 / NANO as f64 / 86_400e6
    }
}
