//! The chips on a node's bus: one file per chip, all behind [`Probe`].
//!
//! A driver starts and finishes and never sleeps: it says how long the chip needs and the node comes
//! back. It owns its bus (`embedded_hal::i2c::I2c` by value; share one with `embedded-hal-bus`). It
//! does not know the time, schedule, filter or store anything.
#![no_std]
#![forbid(unsafe_code)]

mod bh1750;
mod bus;
mod lm75;
mod probe;
mod scd4x;
mod sht4x;

pub use bh1750::Bh1750;
pub use lm75::{Chip, Lm75, Medium};
pub use probe::{Outcome, Probe, READINGS_MAX, Readings, STEPS_MAX, Wait, failed};
pub use scd4x::Scd4x;
pub use sht4x::Sht4x;
