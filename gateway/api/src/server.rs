//! The listener and what stands around every request: connections, limits, headers, shutdown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use people::Throttle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::{debug, warn};

use crate::events::{self, LINES_MAX, Line, STREAMS_MAX};
use crate::germplasm::IMPORTS_MAX;
use crate::guard::{OverTls, Peer, REQUESTS_MAX};
use crate::messages::TESTS_MAX;
use crate::problem::Refusal;
use crate::state::{Happenings, State};
use crate::studies::EXPORTS_MAX;
use crate::{metrics, overview, pages, routes, secure, trust};

/// How many connections are served at once; one more waits in the listener's queue.
pub const CONNECTIONS_MAX: usize = 512;

/// How long the head of a request may take to arrive, and an idle connection may stay, before the
/// connection is closed.
pub const HEAD_WAIT: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes; a larger one is answered with 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// How many questions to the store and the registry are worked on at once; one more waits.
pub const QUESTIONS_MAX: usize = 8;

/// How many passwords are hashed at once, 19 MiB each; one more waits.
pub const PASSWORDS_MAX: usize = 2;

/// How long a question waits for its turn before its request is told to come again.
pub const TURN_WAIT: Duration = Duration::from_secs(10);

/// How long requests may take to end at shutdown before they are cut.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);

/// How long the listener rests after a connection that could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) state: State,
    pub(crate) requests: Semaphore,
    pub(crate) questions: Semaphore,
    pub(crate) passwords: Semaphore,
    pub(crate) imports: Semaphore,
    pub(crate) exports: Semaphore,
    pub(crate) throttle: Mutex<Throttle>,
    /// Counts the links that were none.
    pub(crate) answers: Mutex<Throttle>,
    pub(crate) tests: Semaphore,
    pub(crate) overview: overview::Cache,
    pub(crate) lines: broadcast::Sender<Line>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

/// The bound listeners. Both serve the same, and share every maximum.
#[derive(Debug)]
pub struct Listeners {
    /// Plain HTTP; meant for the loopback.
    pub http: Option<TcpListener>,
    /// HTTP over TLS, with how it is spoken.
    pub https: Option<(TcpListener, Arc<ServerConfig>)>,
}

/// Serves the API and the dashboard on bound listeners until `stop` is cancelled and the requests
/// at work have ended. A listener that fails is tried again.
pub async fn run(
    listeners: Listeners,
    state: State,
    happenings: Happenings,
    stop: CancellationToken,
) {
    let shared = Arc::new(Shared {
        state,
        requests: Semaphore::new(REQUESTS_MAX),
        questions: Semaphore::new(QUESTIONS_MAX),
        passwords: Semaphore::new(PASSWORDS_MAX),
        imports: Semaphore::new(IMPORTS_MAX),
        exports: Semaphore::new(EXPORTS_MAX),
        throttle: Mutex::default(),
        answers: Mutex::default(),
        tests: Semaphore::new(TESTS_MAX),
        overview: overview::Cache::default(),
        lines: broadcast::Sender::new(LINES_MAX),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        stop: stop.clone(),
    });
    let tasks = TaskTracker::new();
    tasks.spawn(events::herald(Arc::clone(&shared), happenings));
    let app = app(shared);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let plain = async {
        let Some(listener) = listeners.http else { return };
        while let Some((stream, peer, place)) = accept(&listener, &places, &stop).await {
            let (app, stop) = (app.clone(), stop.clone());
            tasks.spawn(async move {
                connection(stream, peer, OverTls(false), app, stop).await;
                drop(place);
            });
        }
    };
    let secured = async {
        let Some((listener, config)) = listeners.https else { return };
        let acceptor = TlsAcceptor::from(config);
        while let Some((stream, peer, place)) = accept(&listener, &places, &stop).await {
            let (acceptor, app, stop) = (acceptor.clone(), app.clone(), stop.clone());
            tasks.spawn(async move {
                secure::connection(stream, peer, &acceptor, app, stop).await;
                drop(place);
            });
        }
    };
    tokio::join!(plain, secured);
    stop.cancelled().await;
    tasks.close();
    if tokio::time::timeout(SHUTDOWN_WAIT, tasks.wait()).await.is_err() {
        warn!(left = tasks.len(), "Cut requests that did not end at shutdown.");
    }
}

/// Runs what blocks (the disk, the store) on a thread for it, when its turn has come.
pub(crate) async fn question<T: Send + 'static>(
    shared: &Arc<Shared>,
    ask: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = tokio::time::timeout(TURN_WAIT, shared.questions.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
    let shared = Arc::clone(shared);
    blocking(move || ask(&shared)).await
}

/// Runs what blocks for a moment on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Refusal::broken(&panic)),
    }
}

/// Waits for a place and a connection; `None` at shutdown.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!(%error, "Could not switch off Nagle's algorithm.");
                    }
                    return Some((stream, peer, place));
                }
                Err(error) => {
                    // Out of file handles, most often: others may be given back soon.
                    warn!(%error, "Could not accept a connection.");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    };
    stop.run_until_cancelled(next).await.flatten()
}

/// Serves one connection, whatever it runs over, until it ends or the gateway stops.
pub(crate) async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    tls: OverTls,
    app: Router,
    stop: CancellationToken,
) {
    let app = app.layer(Extension(Peer(peer.ip()))).layer(Extension(tls));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, %peer, "A connection ended early.");
    }
}

/// The whole service: the API under its path, the dashboard everywhere else.
fn app(shared: Arc<Shared>) -> Router {
    let counted = from_fn_with_state(Arc::clone(&shared), metrics::count);
    let mut app = Router::new()
        .merge(trust::router(Arc::clone(&shared)))
        .merge(routes::router(shared))
        .fallback(pages::page)
        .method_not_allowed_fallback(routes::no_such_method)
        .layer(CompressionLayer::new().gzip(true).compress_when(worth_packing()))
        .layer(counted);
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        app = app
            .layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    app
}

/// A ZIP is packed already.
fn worth_packing() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/zip"))
}

/// What every answer says to the browser: nothing from elsewhere, nothing inline, in no frame.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cache-control", "no-store"),
];
