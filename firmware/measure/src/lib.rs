//! What a measurement is: the vocabulary that every room shares.
//!
//! Quantities with their unit and resolution, readings and their faults, quality flags, names, and
//! the two kinds of time. No I/O, no allocation, no clock.
#![no_std]
#![forbid(unsafe_code)]

mod identity;
pub mod qartod;
mod quality;
mod quantity;
mod reading;
mod time;

pub use identity::{
    BootId, FlashId, NodeKey, SLUG_BYTES_MAX, Sequence, SequenceRange, Slug, SlugError,
};
pub use quality::{Marks, Quality};
pub use quantity::{Quantity, UnknownQuantity};
pub use reading::{Fault, OutOfRange, Reading, Scaled, UnknownFault};
pub use time::{Timestamp, Uptime};
