//! What a series is, and one sample of it.

use std::fmt;

use measure::{FlashId, Marks, NodeKey, Quality, Quantity, Reading, Sequence, Slug, Timestamp};

/// The most series that a store holds; one more is refused with
/// [`Error::TooManySeries`](crate::Error::TooManySeries).
pub const SERIES_MAX: u32 = 65_535;

/// Which channel a series belongs to, for good: the node, the place on its bench, the quantity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The node that measures, or the name that a guest was given.
    pub node: NodeKey,
    /// Where on the node's bench: `canopy`, `tray-3`.
    pub position: Slug,
    /// What is measured.
    pub quantity: Quantity,
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.node, self.position, self.quantity)
    }
}

/// The number that a store gave to a series: small, dense, and the same for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One reading of one series, at its time, with what is known of its quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The series.
    pub series: SeriesId,
    /// When the reading was taken: event time. Unique in its series.
    pub time: Timestamp,
    /// The value, or the fault in its place.
    pub reading: Reading,
    /// The QARTOD flag.
    pub quality: Quality,
    /// Where it came from and what was done to it.
    pub marks: Marks,
    /// Which reading of its node it is; `None` for a guest's. The store sets it when it keeps the
    /// sample, from the origin and the sequence that it came with, and gives it back for good: so
    /// anybody can count that none is missing and none is there twice.
    pub taken: Option<Taken>,
}

/// Which reading of a node a sample is: no two of one node share both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taken {
    /// The life of the flash that the sequence counts in.
    pub flash: FlashId,
    /// The number of the reading in it.
    pub sequence: Sequence,
}

/// How far the journal has come: grows by one with each commit that kept something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
