//! Ingest through real parts: brokers, clients, sockets. One binary, because linking it takes long.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod brokers;
mod common;
mod epoch;
mod flow;
mod garbage;
