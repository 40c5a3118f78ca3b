//! The engine through its public face: what it promises, and an obvious model that agrees.

mod behaviour;
mod house;
mod reference;
