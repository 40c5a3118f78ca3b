//! What can go wrong in a node.

/// Why a node could not do what it was asked. `E` is the flash driver's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    /// The flash driver failed. A reading that was being recorded does not count as taken.
    #[error("the flash failed")]
    Flash(E),
    /// The flash does not keep what is written to it: page after page is worn.
    #[error("the flash does not keep what is written to it")]
    Damaged,
    /// The layout does not fit the flash or the node.
    #[error("the flash layout is not possible: {0}")]
    Layout(&'static str),
    /// A configuration that no node can have.
    #[error("`{0}` is out of its range")]
    Config(&'static str),
    /// A reading of a channel that the configuration does not name.
    #[error("there is no channel {0}")]
    Channel(u8),
    /// No reading, or more in one round than there can be channels.
    #[error("a round has 1 to {max} readings, not {count}")]
    Round {
        /// How many were given.
        count: usize,
        /// How many there can be.
        max: usize,
    },
    /// A message that could not be read or written.
    #[error(transparent)]
    Wire(#[from] wire::Error),
}
