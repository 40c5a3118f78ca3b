//! Which thresholds a channel has: those that ship for its quantity, and what a nursery has set for the
//! quantity, a node or a channel instead.

use measure::qartod::{FlatLimit, GrossRange, RateLimit};
use measure::{NodeKey, Quantity, Slug};
use store::SeriesKey;

use crate::{Limits, SpikeRule};

/// Thresholds by what they are for. Of two for one channel the more special one counts, of two alike
/// the later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Row>,
}

/// Thresholds of a quantity, everywhere or of one node or place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of which quantity.
    pub quantity: Quantity,
    /// Of one node only.
    pub node: Option<NodeKey>,
    /// At one position only.
    pub position: Option<Slug>,
    /// What is set; the rest stays as it is.
    pub set: Set,
}

/// What a row sets. An outer `None` leaves a test as it is, an inner one switches it off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Gross range.
    pub range: Option<GrossRange>,
    /// Rate of change.
    pub rate: Option<Option<RateLimit>>,
    /// Flat line, and from which value on it is not judged.
    pub flat: Option<Option<(FlatLimit, Option<i32>)>>,
    /// Spike.
    pub spike: Option<Option<SpikeRule>>,
    /// How much wider the climate is than a stage's limits.
    pub climate_margin: Option<Option<u32>>,
    /// How far a sensor may be from the truth, which twins are held against.
    pub accuracy: Option<Option<u32>>,
}

impl Table {
    /// Returns a table of these rows.
    pub fn new(rows: Vec<Row>) -> Self {
        let mut rows = rows;
        // Stable: of rows alike the later one is taken after the earlier.
        rows.sort_by_key(|row| (row.node.is_some(), row.position.is_some()));
        Self { rows }
    }

    /// Returns this table with rows that go before its own.
    #[must_use]
    pub fn with(self, rows: Vec<Row>) -> Self {
        Self::new(self.rows.into_iter().chain(rows).collect())
    }

    /// Returns the rows, the most general first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns what a channel is held against. What no row speaks of is a node's own default.
    pub fn limits(&self, key: &SeriesKey) -> Limits {
        let mut limits = Limits::of(key.quantity);
        let is_for = |row: &&Row| {
            row.quantity == key.quantity
                && row.node.as_ref().is_none_or(|node| *node == key.node)
                && row.position.as_ref().is_none_or(|position| *position == key.position)
        };
        for row in self.rows.iter().filter(is_for) {
            row.set.apply(&mut limits);
        }
        limits
    }
}

impl Set {
    fn apply(&self, limits: &mut Limits) {
        let node = &mut limits.node;
        node.range = self.range.unwrap_or(node.range);
        node.rate = self.rate.unwrap_or(node.rate);
        if let Some(flat) = self.flat {
            node.flat = flat.map(|(flat, _)| flat);
            node.flat_below = flat.and_then(|(_, below)| below);
        }
        limits.spike = self.spike.unwrap_or(limits.spike);
        limits.climate_margin = self.climate_margin.unwrap_or(limits.climate_margin);
        limits.accuracy = self.accuracy.unwrap_or(limits.accuracy);
    }
}
