//! What can be wrong with the files of trust, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why there is no authority or no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the authority can't be read.
    #[error(
        "cannot read `{file}`: give the gateway's user the right to, or restore `{folder}` from a \
         backup; only where every phone and node shall trust a new authority, remove `{folder}`"
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// The folder it belongs to.
        folder: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file of the authority does not hold what it must.
    #[error(
        "`{file}` {what}: restore `{folder}` from a backup; only where every phone and node shall \
         trust a new authority, remove `{folder}`"
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The folder it belongs to.
        folder: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file can't be written.
    #[error("cannot write `{file}`: check the disk and the rights of its folder")]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The certificate of the district can't be used.
    #[error(
        "`{file}` {what}; `https.certificate` and `https.key` name PEM files that belong together"
    )]
    Given {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// TLS can't be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

impl Error {
    pub(crate) fn read(file: &Path, folder: &Path, source: io::Error) -> Self {
        Self::Read { file: file.to_owned(), folder: folder.to_owned(), source }
    }

    pub(crate) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        let folder = file.parent().unwrap_or(file).to_owned();
        Self::Damaged { file: file.to_owned(), folder, what: what.into() }
    }

    pub(crate) fn write(file: &Path, source: io::Error) -> Self {
        Self::Write { file: file.to_owned(), source }
    }

    pub(crate) fn given(file: &Path, what: impl Into<String>) -> Self {
        Self::Given { file: file.to_owned(), what: what.into() }
    }
}
