//! Why the registry could not do what was asked.

/// Why the registry could not do what was asked. A variant exists where a caller acts differently.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is locked by another process, or the disk is full: the same may work later.
    #[error("the registry is busy or its disk is full")]
    Unavailable(#[source] rusqlite::Error),
    /// The file was written by a newer version of this program.
    #[error("the registry was written by a newer version of miaopu; update miaopu to use it")]
    Newer,
    /// Something of this name is there already.
    #[error("{what} `{name}` is there already")]
    Taken {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Nothing of this name is there.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A value was refused; the texts say what it must be.
    #[error("{field}: {}", .reason.en)]
    Refused {
        /// The field at fault.
        field: &'static str,
        /// What the value must be.
        reason: Box<Reason>,
    },
    /// The operating system gave no randomness, so no secret can be drawn.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// A row does not read back as what was written.
    #[error("the registry holds a broken {what}")]
    Broken {
        /// What was read.
        what: &'static str,
        /// Why it could not be read.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite failed in another way.
    #[error("the registry failed")]
    Sqlite(#[source] rusqlite::Error),
    /// The schema could not be brought up to date.
    #[error("the registry's tables could not be brought up to date")]
    Migration(#[source] rusqlite_migration::Error),
    /// The file could not be made.
    #[error("the registry's file could not be made")]
    File(#[source] std::io::Error),
}

/// Why a value was refused, in both languages: it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Error {
    /// Returns whether the same call may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Randomness)
    }

    /// Returns whether the disk had no room for it.
    pub fn is_full(&self) -> bool {
        let full = Some(rusqlite::ErrorCode::DiskFull);
        matches!(self, Self::Unavailable(error) if error.sqlite_error_code() == full)
    }

    pub(crate) fn refused(
        field: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        Self::Refused { field, reason: Box::new(Reason { zh: zh.into(), en: en.into() }) }
    }

    pub(crate) fn broken(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Broken { what, source: source.into() }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked | DiskFull) => Self::Unavailable(error),
            _ => Self::Sqlite(error),
        }
    }
}
