//! Why a connection has ended, in words: nobody acts differently on one reason than on another.

use core::fmt::{self, Write as _};

use heapless::String;
use minimq::{ConfigError, Error, PubError, ResourceError};

/// The longest reason, in bytes; a longer one is cut.
pub const REASON_BYTES_MAX: usize = 96;

/// A reason.
pub(crate) struct Broken(String<REASON_BYTES_MAX>);

impl Broken {
    pub(crate) fn new(reason: fmt::Arguments<'_>) -> Self {
        let mut text = Cut(String::new());
        // What does not fit is cut, which is no error here; a part that fails to show ends the text.
        match text.write_fmt(reason) {
            Ok(()) | Err(fmt::Error) => Self(text.0),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<E: embedded_io_async::Error> From<Error<E>> for Broken {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Transport(error) => Self::new(format_args!("transport: {:?}", error.kind())),
            Error::Disconnected => Self::new(format_args!("the broker closed the connection")),
            Error::Peer(error) => Self::new(format_args!("{error}")),
            Error::Resource(error) => Self::new(format_args!("{error}")),
            error => Self::new(format_args!("{error}")),
        }
    }
}

impl<E: embedded_io_async::Error> From<PubError<(), E>> for Broken {
    fn from(error: PubError<(), E>) -> Self {
        match error {
            PubError::Session(error) => error.into(),
            PubError::Payload(()) => Self::new(format_args!("{}", ResourceError::BufferTooSmall)),
        }
    }
}

impl From<ConfigError> for Broken {
    fn from(error: ConfigError) -> Self {
        Self::new(format_args!("no session: {error}"))
    }
}

impl<E> From<node::Error<E>> for Broken {
    fn from(error: node::Error<E>) -> Self {
        Self::new(format_args!("node: {error}"))
    }
}

/// Text that ends where there is no more room.
struct Cut(String<REASON_BYTES_MAX>);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.0.capacity() - self.0.len();
        let fits = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.0.push_str(fits).map_err(|_| fmt::Error)
    }
}
