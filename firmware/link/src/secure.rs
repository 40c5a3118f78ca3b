//! Streams over TLS, where the node is given its gateway's authority.

use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use measure::Timestamp;
use tls::{Connection, CryptoRngCore, SERVER_NAME, TlsError};

use crate::Dial;

/// What opens streams over TLS on those of another.
pub struct Secure<'c, D, R> {
    /// What opens the streams below.
    pub inner: D,
    /// The gateway's authority (DER); `None` speaks without TLS.
    pub authority: Option<&'c [u8]>,
    /// A generator fit for keys.
    pub random: R,
    /// The records.
    pub memory: &'c mut tls::Memory,
}

/// Why there is no stream.
#[derive(Debug)]
pub enum SecureError<E> {
    /// None below.
    Inner(E),
    /// No handshake.
    Tls(TlsError),
}

/// A stream, with TLS or without.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box it with")]
pub enum Stream<'m, S> {
    /// As it came.
    Plain(S),
    /// Over TLS.
    Tls(Connection<'m, S>),
}

impl<D: Dial, R: CryptoRngCore> Dial for Secure<'_, D, R> {
    type Error = SecureError<D::Error>;
    type Stream<'s>
        = Stream<'s, D::Stream<'s>>
    where
        Self: 's;

    async fn dial(
        &mut self,
        gateway: &str,
        utc: Option<Timestamp>,
    ) -> Result<Self::Stream<'_>, Self::Error> {
        let socket = self.inner.dial(gateway, utc).await.map_err(SecureError::Inner)?;
        let Some(authority) = self.authority else { return Ok(Stream::Plain(socket)) };
        tls::set_time(utc);
        let opened = tls::open(socket, self.memory, authority, SERVER_NAME, &mut self.random);
        opened.await.map(Stream::Tls).map_err(SecureError::Tls)
    }
}

impl<S> ErrorType for Stream<'_, S> {
    type Error = ErrorKind;
}

impl<S: Read + Write> Read for Stream<'_, S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await.map_err(|error| error.kind()),
            Self::Tls(stream) => stream.read(buffer).await.map_err(|error| error.kind()),
        }
    }
}

impl<S: Read + Write> Write for Stream<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Plain(stream) => stream.write(bytes).await.map_err(|error| error.kind()),
            Self::Tls(stream) => stream.write(bytes).await.map_err(|error| error.kind()),
        }
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        match self {
            Self::Plain(stream) => stream.flush().await.map_err(|error| error.kind()),
            Self::Tls(stream) => stream.flush().await.map_err(|error| error.kind()),
        }
    }
}
