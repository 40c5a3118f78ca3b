//! How far readings can be trusted, and what they say once that is known: calibration.
//!
//! Pure: no clock, no socket. What was measured stays in the store as it was taken; everything here
//! stands beside it.

mod calibrated;
pub mod calibration;

pub use calibrated::{Calibrated, Calibrations};
