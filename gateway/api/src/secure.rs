//! The listener that speaks TLS: the handshake, and a way on for whoever speaks plain HTTP to it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::guard::OverTls;
use crate::server::{self, HEAD_BYTES_MAX, HEAD_WAIT};

/// How long a client may take from its connection to the end of the TLS handshake; then the
/// connection is closed.
pub const TLS_WAIT: Duration = Duration::from_secs(10);

/// The first byte of every TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Serves a connection over TLS. Nothing is served without it: plain HTTP is sent to `https://`.
pub(crate) async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: &TlsAcceptor,
    app: Router,
    stop: CancellationToken,
) {
    let opened = stop.run_until_cancelled(tokio::time::timeout(TLS_WAIT, open(stream, acceptor)));
    match opened.await {
        Some(Ok(Ok(Opened::Tls(stream)))) => {
            server::connection(stream, peer, OverTls(true), app, stop).await;
        }
        Some(Ok(Ok(Opened::Plain(stream)))) => send_on(stream, peer).await,
        Some(Ok(Err(error))) => debug!(%error, %peer, "A TLS handshake failed."),
        Some(Err(_)) => debug!(%peer, "A TLS handshake took too long."),
        None => {}
    }
}

enum Opened {
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    Plain(TcpStream),
}

async fn open(stream: TcpStream, acceptor: &TlsAcceptor) -> std::io::Result<Opened> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
        return Ok(Opened::Plain(stream));
    }
    Ok(Opened::Tls(Box::new(acceptor.accept(stream).await?)))
}

/// Answers plain HTTP with the same address over TLS: who types host and port gets `http://`.
async fn send_on(stream: TcpStream, peer: SocketAddr) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(async |request| Ok::<_, Infallible>(redirect(&request))),
        );
    if let Ok(Err(error)) = tokio::time::timeout(TLS_WAIT, served).await {
        debug!(%error, %peer, "Plain HTTP at the TLS port ended early.");
    }
}

fn redirect(request: &Request<Incoming>) -> Response<String> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let answer = Response::builder().header(CONNECTION, "close");
    let answer = match host {
        Some(host) => answer
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header(LOCATION, format!("https://{host}{path}")),
        None => answer.status(StatusCode::BAD_REQUEST),
    };
    answer.body("https://\n".to_owned()).unwrap_or_default()
}
