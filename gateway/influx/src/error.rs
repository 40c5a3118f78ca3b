//! Why a server does not do what it is asked, and what a person can do about it.

use std::time::Duration;

/// Why this store cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of the server cannot be used.
    #[error("`{url}` {problem}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// The organization, the bucket or the token is empty or cannot travel.
    #[error("the {what} {problem}")]
    Setting {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The local folder belongs to another bucket.
    #[error(
        "the local folder ships to bucket `{found}`, not to `{asked}`: name the bucket from before, \
         or copy the readings with `miaopu store copy`"
    )]
    OtherBucket {
        /// Where it ships to.
        found: String,
        /// Where it was to ship to.
        asked: String,
    },
    /// A file of the local folder is damaged or of a newer version.
    #[error("`{file}` in the local folder {problem}")]
    Folder {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The server cannot be reached, or the answer broke off.
    #[error("InfluxDB at {url} cannot be reached or broke off: {problem}")]
    Away {
        /// Its address.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The server asks to wait.
    #[error("InfluxDB is busy (HTTP {status})")]
    Busy {
        /// What it answered.
        status: u16,
        /// How long it asks to wait, where it says so.
        after: Option<Duration>,
    },
    /// The token is not accepted.
    #[error(
        "InfluxDB does not accept the token (HTTP {status}): put one that may read and write bucket \
         `{bucket}` into the token file"
    )]
    Token {
        /// What it answered.
        status: u16,
        /// The bucket.
        bucket: String,
    },
    /// There is no such organization or bucket.
    #[error(
        "InfluxDB has no organization `{org}` or no bucket `{bucket}`: make them (`influx bucket \
         create`) or correct `store.org` and `store.bucket`; it says: {message}"
    )]
    NotFound {
        /// The organization.
        org: String,
        /// The bucket.
        bucket: String,
        /// What the server said.
        message: String,
    },
    /// The server refuses points for what they are.
    #[error("InfluxDB refuses points (HTTP {status}): {message}")]
    Points {
        /// What it answered.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The body is too large for the server.
    #[error("a body of {bytes} bytes is too large for InfluxDB")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The server answers what no InfluxDB 2 does.
    #[error("HTTP {status} is no answer of InfluxDB 2: {message}; is `store.url` right?")]
    Odd {
        /// What it answered.
        status: u16,
        /// The beginning of its body.
        message: String,
    },
    /// The server could not evaluate a query.
    #[error("InfluxDB could not answer: {message}")]
    Query {
        /// What it said.
        message: String,
    },
    /// An answer is no annotated CSV of the columns asked for.
    #[error("the answer of InfluxDB cannot be read: {problem}")]
    Answer {
        /// What is wrong with it.
        problem: String,
    },
    /// Too many points were put aside.
    #[error("{count} points that InfluxDB refused wait in `aside.jsonl`: see docs/influxdb.md")]
    AsideFull {
        /// How many.
        count: usize,
    },
}

impl Error {
    /// Returns whether the same call may succeed later without anybody changing this gateway.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. }
            | Self::Busy { .. }
            | Self::Token { .. }
            | Self::NotFound { .. }
            | Self::Odd { .. }
            | Self::Query { .. }
            | Self::AsideFull { .. }
            | Self::Answer { .. } => true,
            Self::Url { .. }
            | Self::Setting { .. }
            | Self::OtherBucket { .. }
            | Self::Folder { .. }
            | Self::Points { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        Self::Backend { transient: error.is_transient(), source: Box::new(error) }
    }
}

/// What keeps readings from being shipped, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server is not reached, or busy.
    Away,
    /// It does not accept the token.
    Token,
    /// It has no such organization or bucket.
    NotFound,
    /// What answers is no InfluxDB 2, or cannot be understood.
    Odd,
    /// It has refused points, which wait in the local folder.
    Refused,
}

impl Trouble {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Token { .. } => Self::Token,
            Error::NotFound { .. } => Self::NotFound,
            Error::Away { .. } | Error::Busy { .. } => Self::Away,
            Error::Points { .. } | Error::AsideFull { .. } => Self::Refused,
            Error::Url { .. }
            | Error::Setting { .. }
            | Error::OtherBucket { .. }
            | Error::Folder { .. }
            | Error::TooLarge { .. }
            | Error::Odd { .. }
            | Error::Query { .. }
            | Error::Answer { .. } => Self::Odd,
        }
    }
}
