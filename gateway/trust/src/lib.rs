//! Trust on the LAN: the gateway's own certificate authority, the certificate that its listeners
//! show, and the TLS that they speak with it.
//!
//! No listener, no clock: time is handed in, and the daemon asks again from time to time whether the
//! certificate has to be renewed ([`Trust::renew`]). A new certificate is shown to the next
//! connection; nothing restarts.
//!
//! # Files
//! | file | what | mode |
//! |---|---|---|
//! | `ca.crt` | the authority's certificate (PEM), which phones, desks and nodes trust | 0644 |
//! | `ca.key` | its key | 0600 |
//! | `server.pem` | the certificate that the listeners show, and its key; made anew where it is lost | 0600 |
//!
//! The authority is made once, where the folder is absent. Where the folder is there and its
//! authority can't be read, that is an error: another authority would silently break the trust of
//! every phone and node.

mod authority;
mod error;
mod file;
mod given;
mod machine;
mod names;
mod served;
mod server;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use measure::Timestamp;
use rustls::ServerConfig;

pub use authority::{AUTHORITY_DAYS, About};
pub use error::Error;
pub use machine::this_machine;
pub use names::{ADDRESSES_MAX, DNS_NAMES_MAX, NODE_NAME, Names};
pub use served::RECORD_BYTES_MAX;
pub use server::{RENEW_DAYS, SERVER_DAYS};

use authority::Authority;
use given::Given;
use served::Served;
use server::Leaf;

/// The name of the folder in the gateway's data folder.
pub const FOLDER: &str = "tls";

/// A certificate of the district for the dashboard, in place of the authority's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The file of the certificate and of those between it and its root, as PEM.
    pub certificate: PathBuf,
    /// The file of its key, as PEM.
    pub key: PathBuf,
}

/// The authority and what it has signed.
#[derive(Debug)]
pub struct Trust {
    folder: PathBuf,
    authority: Authority,
    leaf: Mutex<Leaf>,
    served: Arc<Served>,
    given: Option<Given>,
}

/// What [`Trust::renew`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Everything holds.
    Kept,
    /// A new certificate is shown from now on; the reason is in lower case, for a log.
    Renewed(String),
}

/// Opens the authority in `folder`, or makes it where the folder is absent, and issues a server
/// certificate for `names` where there is none that holds.
///
/// # Errors
/// [`Error`] where files can't be read, written or understood, with what to do about it.
pub fn open(
    folder: &Path,
    names: &Names,
    pages: Option<&Pages>,
    now: Timestamp,
) -> Result<Trust, Error> {
    let is_there = folder.try_exists().map_err(|source| Error::read(folder, folder, source))?;
    let authority =
        if is_there { authority::load(folder)? } else { authority::make(folder, names, now)? };
    let leaf = match server::load(folder, &authority) {
        Some(leaf) if server::due(&leaf, &authority, names, now).is_none() => leaf,
        Some(_) | None => server::issue(folder, &authority, names, now)?,
    };
    let given = pages.map(given::load).transpose()?;
    let served = Arc::new(Served::new(leaf.certified()));
    Ok(Trust { folder: folder.to_owned(), authority, leaf: Mutex::new(leaf), served, given })
}

impl Trust {
    /// Returns what people are told of the authority.
    pub fn about(&self) -> &About {
        self.authority.about()
    }

    /// Returns whether the dashboard shows the authority's certificate, not one of the district.
    pub fn signs_pages(&self) -> bool {
        self.given.is_none()
    }

    /// Returns until when the server certificate holds.
    pub fn expires(&self) -> Timestamp {
        self.leaf.lock().unwrap_or_else(PoisonError::into_inner).expires()
    }

    /// Returns the names of `names` that the authority may not sign, for a warning.
    pub fn refused<'n>(&self, names: &'n Names) -> Vec<&'n str> {
        self.authority.refused(names)
    }

    /// Issues a new server certificate where the old one ends soon, does not hold yet, or lacks a
    /// name; takes up the district's certificate where its files have changed.
    ///
    /// # Errors
    /// [`Error`]; the old certificate is shown on.
    pub fn renew(&self, names: &Names, now: Timestamp) -> Result<Renewal, Error> {
        let mut leaf = self.leaf.lock().unwrap_or_else(PoisonError::into_inner);
        let own = server::due(&leaf, &self.authority, names, now);
        if own.is_some() {
            *leaf = server::issue(&self.folder, &self.authority, names, now)?;
            self.served.swap(leaf.certified());
        }
        let taken = self.given.as_ref().map(Given::take_up).transpose()?.unwrap_or(false);
        Ok(match own {
            Some(reason) => Renewal::Renewed(reason),
            None if taken => Renewal::Renewed("the district's certificate has changed".to_owned()),
            None => Renewal::Kept,
        })
    }

    /// Returns how HTTPS is spoken.
    ///
    /// # Errors
    /// [`Error::Tls`] where the provider lacks what TLS 1.2 and 1.3 need.
    pub fn https(&self) -> Result<Arc<ServerConfig>, Error> {
        let served = self.given.as_ref().map_or(&self.served, Given::served);
        served::https(Arc::clone(served))
    }

    /// Returns how MQTT is spoken over TLS: always with the authority's certificate, because it is
    /// the authority that nodes are given.
    ///
    /// # Errors
    /// [`Error::Tls`] where the provider lacks what TLS 1.2 and 1.3 need.
    pub fn mqtt(&self) -> Result<Arc<ServerConfig>, Error> {
        served::mqtt(Arc::clone(&self.served))
    }
}
