//! A board made of std: the same `node` as on a chip, with a simulated nursery behind its bus and a
//! real MQTT socket. For the demonstration and for load.
#![forbid(unsafe_code)]

pub mod board;
pub mod bus;
mod chips;
pub mod clock;
pub mod fault;
pub mod flash;
pub mod fleet;
pub mod link;
mod load;
mod noise;
pub mod nursery;
pub mod physics;
pub mod sensing;
pub mod weather;
