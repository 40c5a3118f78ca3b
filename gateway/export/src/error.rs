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
    /// What a batch lived through could not be computed.
    #[error("cannot compute what the batches lived through")]
    Exposure(#[from] exposure::Error),
    /// A study has more readings than were asked for at most.
    #[error("the study has more than {max} readings; name fewer batches or a shorter span")]
    TooManyReadings {
        /// The most readings.
        max: u64,
    },
    /// A study names more batches than it may.
    #[error("a study of {count} batches is larger than {max}; name fewer")]
    TooManyBatches {
        /// How many.
        count: usize,
        /// The most batches.
        max: usize,
    },
    /// There is something where the folder of a study shall be.
    #[error("`{}` is there already; name a folder that is not", .0.display())]
    Exists(std::path::PathBuf),
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

impl From<zip::result::ZipError> for Error {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Write(error.into())
    }
}
