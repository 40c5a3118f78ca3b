//! The store over a server: what it must do, what goes wrong, and what others make of its bytes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod annotated_csv;
mod common;
mod conformance;
mod faults;
mod model;
mod peers;
