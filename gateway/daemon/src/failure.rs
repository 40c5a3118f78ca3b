//! How a command fails: what went wrong, and the exit code that tells a script which kind it was.

use std::{fmt, process::ExitCode};

/// A failed command. The codes are those of `sysexits.h`.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what there is not (64).
    Usage(anyhow::Error),
    /// A file that was read does not hold what it must (65).
    Data(anyhow::Error),
    /// Something that is needed can't be reached, opened or written (69).
    Unavailable(anyhow::Error),
    /// The configuration is wrong (78).
    Configuration(anyhow::Error),
}

impl Failure {
    /// Returns a usage failure with this message.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(anyhow::anyhow!("{message}"))
    }

    /// Returns a data failure with this message.
    pub(crate) fn data(message: impl fmt::Display) -> Self {
        Self::Data(anyhow::anyhow!("{message}"))
    }

    /// Returns an unavailable failure with this message.
    pub(crate) fn unavailable(message: impl fmt::Display) -> Self {
        Self::Unavailable(anyhow::anyhow!("{message}"))
    }

    /// Returns the process's exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 64,
            Self::Data(_) => 65,
            Self::Unavailable(_) => 69,
            Self::Configuration(_) => 78,
        })
    }

    /// Returns the error behind the failure.
    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Usage(error)
            | Self::Data(error)
            | Self::Unavailable(error)
            | Self::Configuration(error) => error,
        }
    }
}

/// Sorts errors into failures where they happen.
pub(crate) trait OrFail<T> {
    /// Names what could not be reached, opened or written.
    fn or_unavailable(self, what: impl fmt::Display) -> Result<T, Failure>;
    /// Names what a file does not hold as it must.
    fn or_data(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_unavailable(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::Unavailable(error.into().context(what.to_string())))
    }

    fn or_data(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::Data(error.into().context(what.to_string())))
    }
}
