//! Readings as files for research: CSV into any `Write`, a data dictionary, a checksum.
//!
//! Pure over a [`store::Store`]: no clock, no network. The same data gives the same bytes. A
//! [`study`] is the readings of some batches with what the batches lived through.

mod corrections;
mod dictionary;
mod digest;
mod error;
mod rows;
pub mod study;

pub use corrections::Corrections;
pub use dictionary::dictionary;
pub use digest::Digest;
pub use error::Error;
pub use rows::{COLUMNS, Column, Progress, Request, SeriesSummary, Summary, write_rows};
