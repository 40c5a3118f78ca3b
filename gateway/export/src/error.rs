//! Why an export failed.

/// Why an export failed. What was written until then is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The span is empty.
    #[error("the span is empty: `from` must come before `to`")]
    EmptySpan,
    /// The store could not be read.
    #[error("cannot read the series {series}")]
    Store {
        /// The series, or `list` where the list of them failed.
        series: String,
        /// What the store says.
        source: store::Error,
    },
    /// The file could not be written.
    #[error("cannot write the file")]
    Write(#[from] std::io::Error),
}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        Self::Write(match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => std::io::Error::other(format!("{other:?}")),
        })
    }
}
