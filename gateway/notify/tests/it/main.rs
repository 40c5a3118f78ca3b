//! Messages on their way: a real registry, a real SMTP server and a real HTTP server.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on stops")]

mod hook;
mod mail;
mod smtp;
mod webhook;
mod world;
