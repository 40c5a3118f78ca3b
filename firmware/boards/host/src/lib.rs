//! A board made of std: the same `node` as on a chip, with a simulated nursery behind its bus and a
//! real MQTT socket. For the demonstration and for load.
#![forbid(unsafe_code)]

mod noise;
pub mod nursery;
pub mod physics;
pub mod weather;
