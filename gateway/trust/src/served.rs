//! What a connection is shown, and the TLS that is spoken with it.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::error::Error;

/// The largest record that MQTT over TLS sends, in bytes: longer messages are cut into several, so
/// that a node's receive buffer of 2 KiB is always enough.
pub const RECORD_BYTES_MAX: usize = 1_536;

/// The certificate that is shown now. Swapped whole; a handshake under way keeps the one it has.
#[derive(Debug)]
pub(crate) struct Served(RwLock<Arc<CertifiedKey>>);

impl Served {
    pub(crate) fn new(certified: Arc<CertifiedKey>) -> Self {
        Self(RwLock::new(certified))
    }

    pub(crate) fn swap(&self, certified: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
    }

    pub(crate) fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whatever name was asked for: the client compares it with those in the certificate.
        Some(self.now())
    }
}

pub(crate) fn https(served: Arc<Served>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = config(served)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub(crate) fn mqtt(served: Arc<Served>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = config(served)?;
    config.max_fragment_size = Some(RECORD_BYTES_MAX);
    // Nodes do not resume: tickets would only cost them flash and a record each.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn config(served: Arc<Served>) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(served))
}
