//! From a transition to a message: whom it goes to, in which words, by e-mail and signed webhook, and
//! what becomes of it. It decides nothing about alarms and writes no SQL.
//!
//! # The way of a message
//! The commit that makes a transition puts it into the registry's outbox. [`Courier::round`] turns it
//! into one delivery a recipient, in one transaction, and sends each until the server on the other
//! side has taken it or it is given up ([`retry`]). So a message is sent at least once: where the
//! gateway is killed between the server's answer and its own note of it, once more, as the same
//! message ([`Letter::message`]), so that the repeat can be told from news.
//!
//! # Channels
//! [`Email`] speaks SMTP; [`Webhook`] follows Standard Webhooks (<https://www.standardwebhooks.com>).
//! The webhook's body is described at [`webhook_body`].

pub mod advice;
mod body;
mod courier;
mod email;
mod failure;
mod letter;
mod notice;
mod office;
mod place;
pub mod retry;
mod roots;
mod secret;
mod sign;
mod webhook;
mod whom;
mod words;

pub use body::webhook_body;
pub use courier::{Clocks, Courier, DUE_MAX, Places, SENDS_MAX};
pub use email::{Email, EmailError, EmailSettings, SEND_WAIT, Security};
pub use failure::Failure;
pub use letter::{Letter, compose, compose_test};
pub use notice::Notice;
pub use office::{Office, TestResult};
pub use place::Place;
pub use secret::Secret;
pub use sign::{SigningKey, SigningKeyError};
pub use webhook::{ANSWER_BYTES_MAX, Webhook, WebhookError, WebhookSettings};
pub use whom::recipients;
pub use words::{Words, quantity_name, unit_shown};
