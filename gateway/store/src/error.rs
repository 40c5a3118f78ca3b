//! Why a store cannot do what it is asked.

use std::path::PathBuf;

use measure::Timestamp;

use crate::{Position, SeriesId, SeriesKey};

/// Why a store cannot do what it is asked. Nothing half-done stays behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process writes to the directory.
    #[error("data directory {} is in use by another miaopu", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory was written by a newer version.
    #[error("{} has store format {found}, newer than {known}, the newest this version knows", .dir.display())]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// The directory holds no store.
    #[error("{} holds no store", .dir.display())]
    NotFound {
        /// The directory.
        dir: PathBuf,
    },
    /// The store was opened for reading.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// The disk is full. Nothing of the batch was kept; what was acknowledged is safe.
    #[error("the disk that holds the store is full")]
    Full,
    /// The journal's reader has fallen too far behind: nothing more is taken until it catches up.
    #[error("the journal holds {bytes} bytes that its reader has not released, of {max} at most")]
    Backlog {
        /// How much waits.
        bytes: u64,
        /// The most that may wait.
        max: u64,
    },
    /// The store has no room for another series.
    #[error("the store holds {max} series; {key} was refused")]
    TooManySeries {
        /// The series that was refused.
        key: Box<SeriesKey>,
        /// The most series.
        max: u32,
    },
    /// A batch has too many samples.
    #[error("a batch of {samples} samples is larger than {max}")]
    BatchTooLarge {
        /// Its samples.
        samples: usize,
        /// The most samples.
        max: usize,
    },
    /// A question would have too many buckets, or a step that is not positive.
    #[error("{from} to {to} ms in steps of {step_ms} ms is not between 0 and {max} buckets")]
    TooManyBuckets {
        /// From when, in milliseconds since 1970.
        from: i64,
        /// Until when, in milliseconds since 1970.
        to: i64,
        /// The step.
        step_ms: i64,
        /// The most buckets.
        max: usize,
    },
    /// What is left of a span is coarser than the buckets that were asked for.
    #[error(
        "series {series} has roll-ups of {} minutes alone before {} ms, in which buckets of {step_ms} \
         ms do not fit; ask for a multiple of {kept_ms} ms with an origin that is one",
        .kept_ms / 60_000, .until.millis()
    )]
    Coarser {
        /// The series.
        series: SeriesId,
        /// The step asked for.
        step_ms: i64,
        /// The step of what is left.
        kept_ms: i64,
        /// From when on the store holds more.
        until: Timestamp,
    },
    /// The store never gave this number to a series.
    #[error("series {0} is unknown")]
    UnknownSeries(SeriesId),
    /// Another reading stands at this time and at every microsecond after it.
    #[error("series {series} has no free microsecond from {} µs on", .time.micros())]
    NoFreeTime {
        /// The series.
        series: SeriesId,
        /// The time asked for.
        time: Timestamp,
    },
    /// The journal no longer holds what comes after this position.
    #[error("the journal was asked for what follows position {after}, but begins after {oldest}")]
    Trimmed {
        /// The position asked for.
        after: Position,
        /// The position below which the journal was trimmed.
        oldest: Position,
    },
    /// A stored record cannot be read back. All other records still can.
    #[error("{record} is damaged: {reason}")]
    Corrupt {
        /// Which record: the series and the chunk, or the position in the journal.
        record: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The database or the server behind the store refused.
    #[error("the store's backend failed")]
    Backend {
        /// Whether the same call may succeed later.
        transient: bool,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Returns whether the same call may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full | Self::Backlog { .. } | Self::InUse { .. } => true,
            Self::Backend { transient, .. } => *transient,
            Self::Newer { .. }
            | Self::NotFound { .. }
            | Self::ReadOnly
            | Self::TooManySeries { .. }
            | Self::BatchTooLarge { .. }
            | Self::TooManyBuckets { .. }
            | Self::Coarser { .. }
            | Self::UnknownSeries(_)
            | Self::NoFreeTime { .. }
            | Self::Trimmed { .. }
            | Self::Corrupt { .. }
            | Self::Io { .. } => false,
        }
    }
}
