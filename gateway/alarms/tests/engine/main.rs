//! The engine through its public face: what it promises, and an obvious model that agrees.

mod behaviour;
mod from_profile;
mod house;
mod reference;
