//! Reads, writes and flushes over TLS that are dropped at every byte: nothing is lost, nothing goes twice.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use rand_core::OsRng;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Bytes sent each way.
const BYTES: usize = 6_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// A socket that gives and takes one byte at a time, and makes everybody wait before each: so a future
/// of TLS is dropped, at the one place or the other, between any two bytes.
struct Slow {
    socket: FromTokio<DuplexStream>,
    /// Whether the read, the write and the flush have had their rest.
    rested: [bool; 3],
    is_slow: std::rc::Rc<std::cell::Cell<bool>>,
}

impl Slow {
    async fn rest(&mut self, who: usize) {
        let rested = &mut self.rested[who];
        poll_fn(|context| {
            *rested = self.is_slow.get() && !*rested;
            if *rested {
                context.waker().wake_by_ref();
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

impl ErrorType for Slow {
    type Error = std::io::Error;
}

impl Read for Slow {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.rest(0).await;
        let length = if self.is_slow.get() { 1.min(buffer.len()) } else { buffer.len() };
        self.socket.read(&mut buffer[..length]).await
    }
}

impl Write for Slow {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.rest(1).await;
        let length = if self.is_slow.get() { 1.min(bytes.len()) } else { bytes.len() };
        self.socket.write(&bytes[..length]).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.rest(2).await;
        self.socket.flush().await
    }
}

/// Polls a future once, and drops it.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let output = poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await;
    tokio::task::yield_now().await;
    output
}

fn said(by: usize) -> Vec<u8> {
    (0..BYTES).map(|at| (at * by + at / 251) as u8).collect()
}

/// An authority, and a peer that says [`said`]`(7)` in records of all sizes and returns what it hears.
fn peer(socket: DuplexStream) -> (Vec<u8>, JoinHandle<Vec<u8>>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().der().to_vec();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![tls::SERVER_NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&own, &issuer).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], PrivateKeyDer::try_from(own.serialize_der()).unwrap())
        .unwrap();
    config.max_fragment_size = Some(1_536);
    let served = tokio::spawn(async move {
        let stream = TlsAcceptor::from(Arc::new(config)).accept(socket).await.unwrap();
        let (mut from, mut to) = tokio::io::split(stream);
        let speaks = async {
            let (bytes, mut at, mut size) = (said(7), 0, 1);
            while at < BYTES {
                let until = BYTES.min(at + size);
                to.write_all(&bytes[at..until]).await.unwrap();
                to.flush().await.unwrap();
                (at, size) = (until, (size * 3) % 2_000 + 1);
            }
        };
        let hears = async {
            let mut heard = vec![0; BYTES];
            from.read_exact(&mut heard).await.unwrap();
            heard
        };
        tokio::join!(speaks, hears).1
    });
    (authority, served)
}

#[tokio::test]
async fn futures_dropped_at_every_byte_lose_and_double_nothing() {
    let (here, there) = duplex(64);
    let (authority, peer) = peer(there);
    let is_slow = std::rc::Rc::new(std::cell::Cell::new(false));
    let socket = Slow {
        socket: FromTokio::new(here),
        rested: [false; 3],
        is_slow: std::rc::Rc::clone(&is_slow),
    };
    let mut memory = tls::Memory::new();
    let mut tls =
        tls::open(socket, &mut memory, &authority, tls::SERVER_NAME, OsRng).await.unwrap();
    is_slow.set(true);
    let (bytes, mut sent, mut is_flushed) = (said(11), 0, false);
    let mut heard = Vec::new();
    let mut drops = 0;
    let work = async {
        while heard.len() < BYTES || !is_flushed {
            let mut buffer = [0; 100];
            match once(tls.read(&mut buffer)).await {
                Some(count) => heard.extend_from_slice(&buffer[..count.unwrap()]),
                None => drops += 1,
            }
            if sent < BYTES {
                let until = BYTES.min(sent + 1 + sent % 700);
                match once(tls.write(&bytes[sent..until])).await {
                    Some(count) => sent += count.unwrap(),
                    None => drops += 1,
                }
            }
            // A flush in the middle of much, and one after the last byte.
            if sent == BYTES || drops % 5 == 0 {
                match once(tls.flush()).await {
                    Some(flushed) => is_flushed = flushed.is_ok() && sent == BYTES,
                    None => drops += 1,
                }
            }
        }
    };
    let ended = tokio::time::timeout(DEADLINE, work).await;
    assert!(
        ended.is_ok(),
        "{} heard, {sent} sent, {drops} dropped, flushed: {is_flushed}",
        heard.len()
    );
    assert!(heard == said(7), "what came is not what was said");
    let there = tokio::time::timeout(DEADLINE, peer).await.unwrap().unwrap();
    assert!(there == said(11), "what went is not what was said");
    assert!(drops > BYTES, "{drops} futures were dropped");
}

#[test]
fn base64_is_read_and_what_is_none_is_refused() {
    assert_eq!(tls::from_base64("Zm9vYmE=").unwrap(), b"fooba");
    assert_eq!(tls::from_base64("Zm9vYg==").unwrap(), b"foob");
    assert_eq!(tls::from_base64("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
    for none in ["Zg=", "Zg", "Z===", "Zm9*", "=Zm9"] {
        assert_eq!(tls::from_base64(none), None, "{none}");
    }
    assert_eq!(tls::from_base64(&"A".repeat(2_052)), None);
}
