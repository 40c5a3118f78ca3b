//! TLS to an outside broker: whom the gateway believes, and who it says it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// What a connection over TLS needs; read once, at the start.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Files for TLS, each in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities of which one must have signed the broker's certificate. Where absent, those that
    /// this machine believes.
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate with those between it and its root, and its key, for a broker
    /// that asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds no PEM of what it should hold.
    #[error("`{}` holds no {what} in PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// None of the certificates can be an authority.
    #[error("`{}` holds no certificate of an authority", .0.display())]
    NoAuthority(PathBuf),
    /// This machine believes nobody.
    #[error("this machine has no certificate authorities; name a file of your broker's")]
    NoneHere,
    /// The gateway's own certificate and its key don't go together.
    #[error("the certificate and the key of the gateway can't be used")]
    Identity(#[source] rustls::Error),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The first file that does not hold what it should, or certificate and key that don't fit.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Identity)?
            .with_root_certificates(roots(files.ca.as_deref())?);
        let client =
            match &files.identity {
                None => builder.with_no_client_auth(),
                Some((certificate, key)) => {
                    let chain = certificates(certificate)?;
                    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| {
                        TlsError::File { path: key.clone(), what: "private key", source }
                    })?;
                    builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?
                }
            };
        Ok(Self(Arc::new(client)))
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            roots.add_parsable_certificates(certificates(path)?);
            if roots.is_empty() {
                return Err(TlsError::NoAuthority(path.to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoneHere);
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |source| TlsError::File { path: path.to_owned(), what: "certificate", source };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(fault)?
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    if found.is_empty() {
        return Err(fault(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}
