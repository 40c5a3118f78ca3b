//! Ingest through real parts: brokers, clients, sockets. One binary, because linking it takes long.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod brokers;
mod clocks;
mod common;
mod engine;
mod epoch;
mod flow;
mod garbage;
mod inside;
mod letters;
mod local;
