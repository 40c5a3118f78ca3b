//! The network card.

pub(crate) mod lan9118;
