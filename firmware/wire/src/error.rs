//! Why bytes or a topic are no message of the contract.

use measure::SlugError;

/// Why a message was not understood or could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no CBOR of the shape that the CDDL asks for.
    #[error("not the CBOR that was expected at byte {at}")]
    Malformed {
        /// Where the reader stood.
        at: usize,
    },
    /// The message is over and bytes are left.
    #[error("bytes left over after the message, from byte {at} on")]
    Trailing {
        /// The first byte too many.
        at: usize,
    },
    /// The message is of another version of the contract.
    #[error("version {0} of the contract, this is version 1")]
    Version(u64),
    /// A key that must be there is not.
    #[error("no `{0}` in the message")]
    Missing(&'static str),
    /// A key stands twice.
    #[error("key {0} stands twice")]
    Twice(u64),
    /// More than a limit of the contract allows.
    #[error("more than {limit_name} = {limit}")]
    TooMany {
        /// The constant's name.
        limit_name: &'static str,
        /// Its value.
        limit: usize,
    },
    /// A number that its field cannot hold.
    #[error("`{0}` is out of its range")]
    OutOfRange(&'static str),
    /// A quantity that this version does not know.
    #[error("unknown quantity {0}")]
    UnknownQuantity(u64),
    /// A fault that this version does not know.
    #[error("unknown fault {0}")]
    UnknownFault(u64),
    /// A quality flag that this version does not know.
    #[error("unknown quality flag {0}")]
    UnknownQuality(u64),
    /// A reason for a gap that this version does not know.
    #[error("unknown reason {0} for a gap")]
    UnknownReason(u64),
    /// An outcome of a command that this version does not know.
    #[error("unknown outcome {0}")]
    UnknownOutcome(u64),
    /// A state of an event that this version does not know.
    #[error("unknown state {0} of an event")]
    UnknownEvent(u64),
    /// A state of an update that this version does not know.
    #[error("unknown state {0} of an update")]
    UnknownUpdate(u64),
    /// A side of a limit that this version does not know.
    #[error("unknown side {0} of a limit")]
    UnknownSide(u64),
    /// The command is one that this version knows, and what it asks for can't be read; it can still be
    /// answered.
    #[error("command {id} cannot be read: `{what}`")]
    BadCommand {
        /// The id under which it was sent.
        id: u32,
        /// What of it.
        what: &'static str,
    },
    /// A command that this version does not know; it can still be answered.
    #[error("unknown command {code}, sent as number {id}")]
    UnknownCommand {
        /// The id under which it was sent.
        id: u32,
        /// The code of the command.
        code: u64,
    },
    /// A range whose last sequence comes before its first.
    #[error("range {first} to {last} ends before it begins")]
    Range {
        /// The first sequence.
        first: u64,
        /// The last sequence.
        last: u64,
    },
    /// Readings are not in the order in which they were taken.
    #[error("reading {index} was taken before the one that precedes it")]
    Order {
        /// The place of the reading in the frame.
        index: usize,
    },
    /// Two channels of a birth have the same quantity and position.
    #[error("channel {index} has the quantity and position of an earlier one")]
    ChannelTwice {
        /// The place of the second channel.
        index: usize,
    },
    /// A data message that brings nothing, or two things at once.
    #[error(
        "a data message must bring readings, a gap, an answer, an event or an update, and one of them only"
    )]
    Body,
    /// A name that is none.
    #[error(transparent)]
    Name(SlugError),
    /// A topic that is not `miaopu/1/{{site}}/{{node}}/{{kind}}`.
    #[error("the topic is not miaopu/1/{{site}}/{{node}}/{{birth|data|death|ack|cmd|ota}}")]
    Topic,
    /// The buffer is too small for the message.
    #[error("the buffer of {bytes} bytes is too small for the message")]
    Buffer {
        /// The size of the buffer.
        bytes: usize,
    },
}

impl From<SlugError> for Error {
    fn from(error: SlugError) -> Self {
        Self::Name(error)
    }
}
