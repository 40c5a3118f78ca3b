//! Why the join failed.

/// Why the join failed. Nothing was kept anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A series could not be read.
    #[error("cannot read the series {series}")]
    Store {
        /// Which series.
        series: String,
        /// What the store says.
        source: store::Error,
    },
    /// The span has too many days.
    #[error("{what} spans {days} days, more than {max}; name a shorter span")]
    TooLong {
        /// Whose span.
        what: String,
        /// How many days.
        days: i64,
        /// The most days.
        max: i64,
    },
}
