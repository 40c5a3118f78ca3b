//! Who may do what: roles and their rights, the names that people sign in with, who did something,
//! where they are told of alarms, and how fast passwords may be tried. Pure: no clock, no disk, no password.

mod actor;
mod contact;
mod name;
mod role;
mod throttle;

pub use actor::Actor;
pub use contact::{
    Contact, EMAIL_BYTES_MAX, EMAIL_LOCAL_BYTES_MAX, EmailAddress, EmailError, Language,
    UnknownLanguage,
};
pub use name::{NAME_CHARACTERS_MAX, NameError, UserName};
pub use role::{Right, Role, UnknownRole};
pub use throttle::{
    ADDRESS_FREE, PAIR_FREE, THROTTLE_KEYS_MAX, Throttle, USER_FREE, WAIT_MAX_MS, WAIT_USER_MAX_MS,
};
