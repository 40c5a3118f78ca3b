//! Real parts for the stories: the gateway's process, a broker, the node image in QEMU, its ledger.
//!
//! Everything is started as a person would start it, on free ports, in a folder of its own.
#![expect(clippy::disallowed_methods, reason = "a test waits on the wall clock for real processes")]

mod broker;
mod export;
mod gateway;
mod http;
mod image;
mod ledger;
mod openmetrics;
mod process;
mod simulation;
mod works;

pub use broker::Mosquitto;
pub use export::{DeclaredGap, Exported, Row, export};
pub use gateway::{Gateway, Settings};
pub use http::Client;
pub use image::{Image, ImageSettings, Qmp};
pub use ledger::{Entry, Event, Ledger, Verdict, is_kept_flag};
pub use openmetrics::Metrics;
pub use process::{binary, free_port, repository, run, wait_for};
pub use simulation::Simulation;
pub use works::Works;
