//! Where readings live: the [`Store`] contract and the engine that keeps it on one machine.
//!
//! A store takes batches of samples, drops what it has seen before, keeps the rest durably, and
//! answers questions about one series at a time. It judges nothing, converts nothing and reads no
//! clock. [`embedded::Engine`] is the default. With the feature `conformance` come a suite that
//! says what every other store must do as well, and the load to measure any of them with.

mod batch;
mod columns;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod load;
mod sequences;
mod series;
mod store;

pub use batch::{
    BATCH_SAMPLES_MAX, Batch, Committed, Flag, Gap, GapReason, Incoming, Origin, Part,
};
pub use columns::{BUCKETS_MAX, Columns, Retained, Silence};
pub use error::Error;
pub use series::{Position, SERIES_MAX, Sample, SeriesId, SeriesKey, Taken};
pub use store::{GAPS_ANSWER_MAX, JOURNAL_ANSWER_SAMPLES_MAX, SILENCES_ANSWER_MAX, Store};
