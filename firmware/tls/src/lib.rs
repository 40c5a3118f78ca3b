//! TLS 1.3 between a node and its gateway: whom the node trusts, and when it checks dates.
//!
//! A node is given one certificate, the gateway's own authority, and asks for one name,
//! [`SERVER_NAME`], whatever address it connects to: it needs no DNS, and the gateway may move. A name
//! that is only an address is never accepted: `embedded-tls` compares DNS names alone.
//!
//! A node that has just started knows no time, and its first connection accepts a certificate of any
//! date: it is still the authority's, and of the right name. The gateway's first acknowledgement
//! brings UTC; the board hands it in ([`set_time`]), and from the next connection on the dates are
//! checked. Whoever holds a certificate that has ended can so keep a node company only until it has
//! the time once; who lets the node hear no acknowledgement keeps it in that state, but gains
//! nothing that cutting the cable would not.
//!
//! # Memory
//! [`Memory`] is 6 KiB: records as they come and go, and as TLS opens and seals them. A handshake makes
//! the stack of a Cortex-M3 22 KiB deeper, most of it for the arithmetic of P-256 (measured in QEMU); what TLS
//! takes of flash and RAM stands in `firmware/FOOTPRINT.md`.
//!
//! # Dropped futures
//! A read, write or flush of a [`Connection`] may be dropped at any byte and called again; nothing is lost
//! and nothing goes twice. `embedded-tls` alone does not hold that: see `pipe.rs`. [`open`] may be
//! dropped only with its connection.
#![no_std]

mod pipe;

use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};

use embedded_io_async::{Error as _, ErrorType, Read, Write};
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, TlsClock, TlsConfig, TlsConnection, TlsContext,
    TlsVerifier, pki::CertVerifier,
};
use heapless::Vec;
use measure::Timestamp;

use crate::pipe::{End, Pipe};

pub use embedded_tls::{CryptoRngCore, TlsError};

/// The name that every gateway's certificate holds first.
pub const SERVER_NAME: &str = "miaopu.internal";

/// The longest certificate of a gateway, in bytes; a longer one is refused. The gateway's own, with
/// all the names and addresses that it may hold, is shorter.
pub const CERTIFICATE_BYTES_MAX: usize = 1_536;

/// The largest record that is received, in bytes: the gateway sends none above 1,536 and its
/// overhead. A larger one ends the connection.
pub const RECEIVE_BYTES: usize = 2_048;

/// The largest record that is sent, in bytes; longer writes become several.
pub const SEND_BYTES: usize = 1_024;

/// The cipher suite: the one that every TLS 1.3 server must have (RFC 8446, section 9.1).
pub type Suite = Aes128GcmSha256;

/// A connection over TLS.
pub struct Connection<'m, S> {
    socket: S,
    pipe: &'m Pipe,
    tls: TlsConnection<'m, End<'m>, Suite>,
}

impl<S> ErrorType for Connection<'_, S> {
    type Error = TlsError;
}

impl<S: Read + Write> Read for Connection<'_, S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TlsError> {
        loop {
            match now(self.tls.read(buffer)) {
                // The peer's farewell is the end of the bytes, as it is without TLS.
                Some(Err(TlsError::ConnectionClosed)) => return Ok(0),
                Some(read) => return read,
                None => {}
            }
            // What is still to be sent is not waited for: the peer may do the same.
            if !self.pipe.fill(&mut self.socket).await? {
                return Ok(0);
            }
        }
    }
}

impl<S: Read + Write> Write for Connection<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TlsError> {
        // There is room for one record then, and TLS writes no more at once.
        self.pipe.drain(&mut self.socket).await?;
        now(self.tls.write(bytes)).unwrap_or(Err(TlsError::InternalError))
    }

    async fn flush(&mut self) -> Result<(), TlsError> {
        self.pipe.drain(&mut self.socket).await?;
        now(self.tls.flush()).unwrap_or(Err(TlsError::InternalError))?;
        self.pipe.drain(&mut self.socket).await?;
        self.socket.flush().await.map_err(|error| TlsError::Io(error.kind()))
    }
}

/// Returns what a future has at its first poll; it is dropped then.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The memory of one connection.
#[derive(Debug)]
pub struct Memory {
    pipe: Pipe,
    opened: [u8; RECEIVE_BYTES],
    sealed: [u8; SEND_BYTES],
}

impl Memory {
    /// Returns the memory, empty.
    pub const fn new() -> Self {
        Self { pipe: Pipe::new(), opened: [0; RECEIVE_BYTES], sealed: [0; SEND_BYTES] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Seconds since 1970, to the year 2106; 0 is not known.
static TIME_S: AtomicU32 = AtomicU32::new(0);

/// Tells the time by which the next handshake checks dates; `None` checks none. There is one for the
/// machine, because `embedded-tls` asks for it without saying for whom.
///
/// A board calls it before each connection with what its node knows: the UTC of its boot, once an
/// acknowledgement has brought it, and the time since.
pub fn set_time(now: Option<Timestamp>) {
    let seconds = now.and_then(|now| u32::try_from(now.millis() / 1_000).ok());
    TIME_S.store(seconds.unwrap_or(0), Ordering::Relaxed);
}

/// What [`set_time`] told.
#[derive(Debug)]
struct Clock;

impl TlsClock for Clock {
    fn now() -> Option<u64> {
        match TIME_S.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(u64::from(seconds)),
        }
    }
}

struct Provider<'c, R> {
    random: R,
    verifier: CertVerifier<'c, Suite, Clock, CERTIFICATE_BYTES_MAX>,
}

impl<R: CryptoRngCore> CryptoProvider for Provider<'_, R> {
    type CipherSuite = Suite;
    // The node has no certificate of its own: it signs in to the broker.
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Suite>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// Opens TLS over a connected socket: the peer must show a certificate for `name` that the authority
/// `ca_der` has signed with P-256. `random` must be a generator fit for keys, such as the chip's own.
///
/// # Errors
/// [`TlsError::InvalidCertificate`] for another authority, another name, or a date outside the
/// certificate's; others for what is no TLS 1.3, and for what the socket says.
pub async fn open<'m, S: Read + Write>(
    mut socket: S,
    memory: &'m mut Memory,
    ca_der: &[u8],
    name: &str,
    random: impl CryptoRngCore,
) -> Result<Connection<'m, S>, TlsError> {
    let Memory { pipe, opened, sealed } = memory;
    let pipe: &'m Pipe = pipe;
    pipe.clear();
    let config = TlsConfig::new().with_server_name(name);
    let verifier = CertVerifier::new(Certificate::X509(ca_der));
    let mut tls = TlsConnection::new(End(pipe), opened, sealed);
    {
        let mut handshake = pin!(tls.open(TlsContext::new(&config, Provider { random, verifier })));
        let mut carrier = pin!(pipe.carry(&mut socket));
        poll_fn(|context| {
            // The handshake first: what it writes is carried in the same turn.
            if let Poll::Ready(ended) = handshake.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            match carrier.as_mut().poll(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
    }
    pipe.drain(&mut socket).await?;
    socket.flush().await.map_err(|error| TlsError::Io(error.kind()))?;
    Ok(Connection { socket, pipe, tls })
}

/// Returns the bytes of `text` in base64 with padding (RFC 4648, section 4), or `None` where it is none or
/// longer than a certificate may be.
pub fn from_base64(text: &str) -> Option<Vec<u8, CERTIFICATE_BYTES_MAX>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8).ok()?;
        }
    }
    Some(bytes)
}
