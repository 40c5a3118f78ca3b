//! A certificate of the district, taken up anew when its files change.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::{Pages, error::Error, served::Served};

#[derive(Debug)]
pub(crate) struct Given {
    pages: Pages,
    served: Arc<Served>,
    /// The bytes of certificate and key as they were taken up.
    bytes: Mutex<(Vec<u8>, Vec<u8>)>,
}

/// Reads both files.
pub(crate) fn load(pages: &Pages) -> Result<Given, Error> {
    let bytes = read(pages)?;
    let served = Arc::new(Served::new(Arc::new(certified(pages, &bytes)?)));
    Ok(Given { pages: pages.clone(), served, bytes: Mutex::new(bytes) })
}

impl Given {
    pub(crate) fn served(&self) -> &Arc<Served> {
        &self.served
    }

    /// Takes up the files where they have changed; returns whether they had. Files that do not
    /// belong together are an error each time, and the old ones are shown on.
    pub(crate) fn take_up(&self) -> Result<bool, Error> {
        let found = read(&self.pages)?;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if *bytes == found {
            return Ok(false);
        }
        self.served.swap(Arc::new(certified(&self.pages, &found)?));
        *bytes = found;
        Ok(true)
    }
}

fn read(pages: &Pages) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let read = |file: &Path| {
        std::fs::read(file).map_err(|error| Error::given(file, format!("cannot be read: {error}")))
    };
    Ok((read(&pages.certificate)?, read(&pages.key)?))
}

fn certified(pages: &Pages, bytes: &(Vec<u8>, Vec<u8>)) -> Result<CertifiedKey, Error> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes.0)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::given(&pages.certificate, format!("is no PEM: {error}")))?;
    if chain.is_empty() {
        return Err(Error::given(&pages.certificate, "holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes.1)
        .map_err(|error| Error::given(&pages.key, format!("holds no private key: {error}")))?;
    // Checks that certificate and key belong together.
    CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|error| Error::given(&pages.key, format!("does not fit: {error}")))
}
