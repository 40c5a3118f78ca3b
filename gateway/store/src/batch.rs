//! What is committed in one go: readings of nodes and guests, and gaps.

use std::fmt;

use measure::{FlashId, NodeKey, Quality, Sequence, SequenceRange, Timestamp};

use crate::{Position, Sample, SeriesId};

/// The most samples and gaps in one batch; a larger one is refused whole with
/// [`Error::BatchTooLarge`](crate::Error::BatchTooLarge).
pub const BATCH_SAMPLES_MAX: usize = 16_384;

/// What is committed in one go: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The parts, taken in this order.
    pub parts: Vec<Part>,
}

/// One part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Readings of one origin.
    Readings {
        /// Where they come from, and with that how repeats are known.
        origin: Origin,
        /// The readings, in any order.
        samples: Vec<Incoming>,
    },
    /// A node gave readings up.
    Gap(Gap),
    /// Numbers computed from readings, for series that no node measures. Each stands at its series
    /// and time from now on, in place of what stood there; one that stood there just so is a repeat.
    /// [`Sample::taken`] is `None`. A reading that a node took is never replaced: what would stand
    /// in its place is dropped and counted as a repeat.
    Derived(Vec<Sample>),
    /// What was found out about samples afterwards.
    Flags(Vec<Flag>),
}

/// The quality of a sample that stands in the store, as it was found to be afterwards.
///
/// Its reading stays as it was taken. Where nothing stands at the time, or it has that quality
/// already, nothing changes. A flag brings no sample into the journal, but its commit a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The series.
    pub series: SeriesId,
    /// The time of the sample, to the microsecond.
    pub time: Timestamp,
    /// Its quality from now on.
    pub quality: Quality,
}

/// Where readings come from, and how a repeat is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A node of ours: a repeat has the same node, flash id and sequence.
    Node {
        /// The node.
        node: NodeKey,
        /// The life of the flash that the sequences count in.
        flash: FlashId,
    },
    /// A node without sequences: a repeat has the same series, time and reading.
    Guest,
}

/// A sample on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The number of the reading in its flash life; not looked at where the origin is a guest.
    pub sequence: Sequence,
    /// The sample. What it says of [`Sample::taken`] is not looked at: the store knows better.
    pub sample: Sample,
}

/// Sequences that a node says will never come.
///
/// They count as seen, so that they are acknowledged, but a reading that comes with one of them
/// after all is kept, and the gap shrinks by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The node.
    pub node: NodeKey,
    /// The life of the flash that the sequences count in.
    pub flash: FlashId,
    /// The sequences.
    pub range: SequenceRange,
    /// Why they will not come.
    pub reason: GapReason,
    /// When the gateway learnt of it.
    pub at: Timestamp,
}

/// Why a node gave readings up. The discriminant is its number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum GapReason {
    /// The ring was full and the oldest readings were dropped.
    RingFull = 1,
    /// The sequences were reserved before a power cut and never used: no reading was taken.
    Unused = 2,
    /// The flash could not be read back.
    Corrupt = 3,
}

impl GapReason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 3] = [Self::RingFull, Self::Unused, Self::Corrupt];

    /// Returns the number of the reason on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the reason with this number, or `None` where no such reason is known.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Returns the name used in files and the API, such as `ring_full`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::Unused => "unused",
            Self::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of a batch. It is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Where the journal stands: a new position where anything was kept, else the last one.
    pub position: Position,
    /// Samples kept, the shifted ones among them.
    pub kept: u64,
    /// Samples dropped because they were there before.
    pub repeated: u64,
    /// Samples kept at the next free microsecond, because another one stood at their time.
    pub shifted: u64,
    /// Samples kept although their series had held a newer one before this batch.
    pub late: u64,
    /// Derived samples that stand in place of others from now on.
    pub replaced: u64,
    /// Samples whose quality is another from now on.
    pub flagged: u64,
    /// Guests' samples, derived samples and flags that were refused, because they lie before
    /// [`Retained::raw_from`](crate::Retained::raw_from): whether they repeat something or change
    /// it can no longer be told. What a node of ours took is kept whenever it comes.
    pub expired: u64,
}
