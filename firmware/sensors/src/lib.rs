//! The chips on a node's wires: one file per chip, all behind [`Probe`].
//!
//! A driver starts and finishes and never sleeps: it says how long the chip needs and the node comes
//! back. It owns its bus (`embedded_hal::i2c::I2c` by value; share one with `embedded-hal-bus`). It
//! does not know the time, schedule, filter or store anything; where a reading is a rate or a chip must
//! rest it is given a [`Clock`].
//!
//! | wire | drivers |
//! |---|---|
//! | I²C | [`Sht3x`], [`Sht4x`], [`Scd4x`], [`Bh1750`], [`Veml7700`], [`Lm75`], [`Ads1115`] with its [`Input`]s |
//! | 1-Wire | [`Ds18b20`] on a [`OneWire`] such as [`OneWirePin`] |
//! | RS485 | [`Modbus`] with a [`Table`] |
//! | pins | [`Contact`], [`RainGauge`], [`Anemometer`], [`Battery`] |
//!
//! A fault names its cause: `not_present` nobody answers; `bus` the line or port fails; `checksum`;
//! `not_ready` no measurement yet, a chip that lost its supply, or one that cools; `shorted` and
//! `open` the wire; `saturated` the input's end; `refused` the chip says no or kept another setting;
//! `out_of_range` a value no sensor of the kind has; `device` the chip reports its own failure.
//!
//! | limit | value | what happens there |
//! |---|---|---|
//! | [`READINGS_MAX`] | 8 | chips of a chain and fields of a table beyond it are left out |
//! | [`STEPS_MAX`] | 16 | a measurement that takes more is `not_ready` |
//! | [`INPUTS_MAX`] | 4 | inputs of an [`Ads1115`] beyond it are left out |
//! | [`REGISTERS_MAX`] | 24 | a Modbus question for more is `refused` |
//! | [`QUESTIONS_MAX`] | 3 | Modbus questions beyond it are not asked |
#![no_std]
#![forbid(unsafe_code)]

mod ads1115;
mod battery;
mod bh1750;
mod bus;
mod contact;
mod ds18b20;
mod line;
mod lm75;
mod medium;
mod modbus;
mod onewire;
mod probe;
mod pulse;
mod scd4x;
mod sht3x;
mod sht4x;
mod tables;
mod veml7700;

pub use ads1115::{Ads1115, FullScale, INPUTS_MAX, Input};
pub use battery::{Battery, Millivolts};
pub use bh1750::Bh1750;
pub use contact::{Active, Contact};
pub use ds18b20::Ds18b20;
pub use line::Line;
pub use lm75::{Chip, Lm75};
pub use medium::Medium;
pub use modbus::{
    Field, Function, Kind, Meaning, Modbus, QUESTIONS_MAX, Question, REGISTERS_MAX, Table,
};
pub use onewire::{OneWire, OneWirePin, Rom};
pub use probe::{Clock, Outcome, Probe, READINGS_MAX, Readings, STEPS_MAX, Wait, failed};
pub use pulse::{Anemometer, PulseCounter, RainGauge};
pub use scd4x::{Scd4x, pressure_hpa};
pub use sht3x::Sht3x;
pub use sht4x::Sht4x;
pub use tables::{SOIL_MTEC_02, SOIL_SEN0601, STATION_SEN0657};
pub use veml7700::{LightSource, Veml7700};
