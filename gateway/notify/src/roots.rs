//! Whose certificates are believed: the machine's authorities, and one that the configuration names.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tracing::warn;

/// Returns the machine's authorities and those of a PEM text. `None` where the PEM holds none.
pub(crate) fn roots(ca_pem: Option<&[u8]>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (_, refused) = roots.add_parsable_certificates(native.certs);
    if roots.is_empty() && ca_pem.is_none() {
        warn!(refused, "This machine has no certificate authorities: no TLS server is believed.");
    }
    if let Some(pem) = ca_pem {
        let own: Vec<CertificateDer<'_>> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
        let (added, _) = roots.add_parsable_certificates(own);
        if added == 0 {
            return None;
        }
    }
    Some(roots)
}
