//! The bytes between node and gateway. See `miaopu.cddl`. (types drafted; codec in progress)
#![no_std]
#![forbid(unsafe_code)]

mod messages;
pub use messages::*;
