//! The door for TLS: shakes hands and carries the plain bytes on to rmqtt's listener.
//!
//! Nothing of MQTT is looked at. A client that is slow to shake hands, to speak or to read is cut off
//! here; whatever it says is held to rmqtt's limits as if it had come without TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::refusals::{Refusal, Refusals};
use crate::{HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, SEND_TIMEOUT, SESSIONS_MAX, Tls};

/// Bytes that are carried at once; there are two such buffers to a connection.
const CARRIED_BYTES_MAX: usize = 4 * 1024;
/// How long the door rests after a connection that could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The listener for TLS.
pub(crate) struct Door {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    acceptor: TlsAcceptor,
    plain: SocketAddr,
    refusals: Arc<Refusals>,
    handshakes: Semaphore,
}

impl Door {
    /// Opens the door to the plain listener. Must be called in the broker's runtime.
    pub(crate) fn new(tls: Tls, plain: SocketAddr, refusals: Arc<Refusals>) -> io::Result<Self> {
        tls.listener.set_nonblocking(true)?;
        let shared = Shared {
            acceptor: TlsAcceptor::from(tls.config),
            plain: from_here(plain),
            refusals,
            handshakes: Semaphore::new(HANDSHAKES_MAX),
        };
        Ok(Self { listener: TcpListener::from_std(tls.listener)?, shared: Arc::new(shared) })
    }

    /// Lets clients in, at most [`SESSIONS_MAX`]; the next ones wait in the listener's queue.
    pub(crate) async fn serve(self) {
        let places = Arc::new(Semaphore::new(SESSIONS_MAX));
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move {
                        shared.let_in(stream, peer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file handles, most often: others may be given back soon.
                    tracing::warn!(%error, "Could not accept a connection.");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

impl Shared {
    async fn let_in(&self, stream: TcpStream, peer: SocketAddr) {
        let client = peer.ip().to_string();
        let stream = match self.shake_hands(stream).await {
            Ok(stream) => stream,
            // Somebody looked whether the port is open.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return,
            Err(error) => {
                self.refusals.record(Refusal::TlsFailed, &client, &error.to_string());
                return;
            }
        };
        if let Err(error) = carry(stream, self.plain).await {
            tracing::debug!(%error, %peer, "A connection over TLS ended early.");
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<impl AsyncRead + AsyncWrite> {
        stream.set_nodelay(true)?;
        let Ok(_turn) = self.handshakes.acquire().await else {
            return Err(io::Error::other("the broker stops"));
        };
        within(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await
    }
}

/// Carries bytes both ways until either side ends.
async fn carry(client: impl AsyncRead + AsyncWrite, plain: SocketAddr) -> io::Result<()> {
    let (mut from_client, to_client) = tokio::io::split(Box::pin(client));
    let mut first = vec![0; CARRIED_BYTES_MAX];
    let length = within(HANDSHAKE_TIMEOUT, from_client.read(&mut first)).await?;
    first.truncate(length);
    if first.is_empty() {
        return Ok(());
    }
    let broker = TcpStream::connect(plain).await?;
    broker.set_nodelay(true)?;
    let (from_broker, mut to_broker) = broker.into_split();
    to_broker.write_all(&first).await?;
    let mut up = std::pin::pin!(pump(from_client, to_broker, first));
    let mut down = std::pin::pin!(pump(from_broker, to_client, Vec::new()));
    tokio::select! {
        // The broker has closed: there is nobody left to talk to.
        ended = &mut down => ended,
        // The client is gone, and the broker hears so; its last words are not waited for long.
        ended = &mut up => ended.and(within(SEND_TIMEOUT, down).await),
    }
}

/// Carries bytes one way until they end, and passes the end on. A reader that takes nothing for
/// [`SEND_TIMEOUT`] ends it too.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut buffer: Vec<u8>,
) -> io::Result<()> {
    buffer.resize(CARRIED_BYTES_MAX, 0);
    loop {
        // A connection that breaks is an end like any other: what came before it counts.
        let length = from.read(&mut buffer).await.unwrap_or(0);
        match buffer.get(..length) {
            None | Some([]) => return within(SEND_TIMEOUT, to.shutdown()).await,
            Some(bytes) => {
                within(SEND_TIMEOUT, async {
                    to.write_all(bytes).await?;
                    to.flush().await
                })
                .await?;
            }
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Returns where this machine itself reaches a listener.
fn from_here(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}
