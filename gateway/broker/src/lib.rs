//! The embedded MQTT broker (3.1.1 and 5): listeners, credentials and topic rights over rmqtt.
//!
//! It lives as long as the process and may forget everything at any moment: a node keeps every
//! reading until the gateway has acknowledged it, so nothing here has to be durable. It is no
//! store, decodes no payload and makes no certificate.
//!
//! TLS ends here, in front of rmqtt: a connection over TLS is carried on to the plain listener over
//! the loopback. rmqtt's own TLS would bring a second cryptographic library and could not change its
//! certificate without a restart. Every limit holds for both ways in, since both end in one
//! listener.

mod hooks;
mod limits;
mod refusals;
mod retained;
mod rights;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use tokio::sync::oneshot;
use tokio_rustls::rustls::ServerConfig;

pub use limits::{
    BACKLOG_MAX, CLIENT_ID_BYTES_MAX, GATEWAY_INFLIGHT_MAX, GATEWAY_QUEUE_MESSAGES_MAX,
    HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, KEEP_ALIVE_S_MAX, MESSAGE_EXPIRY, NODE_INFLIGHT_MAX,
    NODE_QUEUE_MESSAGES_MAX, PACKET_BYTES_MAX, SEND_TIMEOUT, SESSION_EXPIRY_MAX, SESSIONS_MAX,
    SUBSCRIPTIONS_MAX,
};
pub use refusals::{Refusal, Refusals};
pub use retained::{RETAINED_BYTES_MAX, RETAINED_MESSAGES_MAX};
pub use rights::{Rights, TOPIC_ROOT};

/// Client ids that begin so are the gateway's own; another account with such an id is refused.
pub const GATEWAY_CLIENT_PREFIX: &str = "miaopu-gateway";

/// Threads of the broker's runtime.
const WORKERS: usize = 2;
/// The most gatekeeper lookups at a time; the next ones wait.
const LOOKUPS_MAX: usize = 4;
/// How long a stopping broker waits for its tasks; then they are dropped.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Decides who may connect.
pub trait Gatekeeper: Send + Sync {
    /// Returns the rights of the account, or `None` where user name and password name none.
    ///
    /// Asked anew at every connection, so that an account counts from the moment it is made; may
    /// block on a database.
    fn admit(&self, client_id: &str, username: &str, password: &[u8]) -> Option<Rights>;
}

/// Listens in this process to what nodes publish, so that it need not subscribe.
#[async_trait::async_trait]
pub trait Listener: Send + Sync {
    /// Hears a message of a node that has the right to publish it. The node's connection waits for it,
    /// and the node's PUBACK with it. The message goes to its subscribers and retained as any other.
    async fn hear(&self, topic: &str, payload: &Bytes);
}

/// Where the broker listens.
pub struct Config {
    /// The address and port without TLS; port 0 picks a free one. The connections over TLS arrive
    /// here too, from this machine.
    pub listen: SocketAddr,
    /// The listener for TLS, where there is one.
    pub tls: Option<Tls>,
    /// Who hears what nodes publish, in this process.
    pub listener: Option<Arc<dyn Listener>>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listen, tls, listener } = self;
        let is_heard = listener.is_some();
        let mut shown = f.debug_struct("Config");
        shown.field("listen", listen).field("tls", tls).field("is_heard", &is_heard).finish()
    }
}

/// MQTT over TLS.
#[derive(Debug)]
pub struct Tls {
    /// The bound listener.
    pub listener: std::net::TcpListener,
    /// How TLS is spoken, and with which certificate.
    pub config: Arc<ServerConfig>,
}

impl Default for Config {
    /// Listens on this machine only, on MQTT's port, without TLS.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 1883)), tls: None, listener: None }
    }
}

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("cannot listen for mqtt on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no thread for the broker.
    #[error("cannot start the broker's runtime")]
    Runtime(#[source] std::io::Error),
}

/// A running broker. It stops when this is dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    refusals: Arc<Refusals>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the broker in a runtime and on a thread of its own; returns once it listens.
///
/// # Errors
/// `Error` where it cannot listen or gets no thread.
pub fn start(config: Config, gatekeeper: Arc<dyn Gatekeeper>) -> Result<Broker, Error> {
    let refusals = Arc::new(Refusals::default());
    let (stop, stopped) = oneshot::channel();
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(LOOKUPS_MAX)
        .thread_name("broker")
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let thread = {
        let refusals = Arc::clone(&refusals);
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            runtime.block_on(async {
                match prepare(config, gatekeeper, Arc::clone(&refusals)).await {
                    Ok((server, door, address)) => {
                        if started.send(Ok(address)).is_ok() {
                            serve(server, door, &refusals, stopped).await;
                        }
                    }
                    // The receiver waits just below and is gone only with this whole call.
                    Err(error) => drop(started.send(Err(error))),
                }
            });
            runtime.shutdown_timeout(STOP_TIMEOUT);
        })
    }
    .map_err(Error::Runtime)?;
    let address = start.recv().map_err(|_| {
        Error::Runtime(std::io::Error::other("the broker's thread ended before it listened"))
    })??;
    Ok(Broker { address, refusals, stop: Some(stop), thread: Some(thread) })
}

impl Broker {
    /// Returns the address that it listens on, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counters of what it refused.
    pub fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals)
    }

    /// Closes the listener and every connection, and waits for it: at most a second.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The broker's thread panicked.");
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take()
            && stop.send(()).is_err()
        {
            tracing::debug!("The broker had stopped already.");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

async fn prepare(
    config: Config,
    gatekeeper: Arc<dyn Gatekeeper>,
    refusals: Arc<Refusals>,
) -> Result<(MqttServer, Option<tls::Door>, SocketAddr), Error> {
    let failed =
        |source: rmqtt::Error| Error::Listen { address: config.listen, source: source.into() };
    let listener = listener(config.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let door = config.tls.map(|tls| tls::Door::new(tls, address, Arc::clone(&refusals)));
    let door = door.transpose().map_err(Error::Runtime)?;
    let context = ServerContext::new()
        .busy_check_enable(false)
        .mqtt_max_sessions(isize::try_from(SESSIONS_MAX).unwrap_or(isize::MAX))
        .build()
        .await;
    let accounts = hooks::Accounts::default();
    *context.extends.retain_mut().await = Box::new(retained::Retained::new(Arc::clone(&refusals)));
    *context.extends.fitter_mgr_mut().await = Box::new(limits::Limits(accounts.clone()));
    let listener_of_nodes = config.listener;
    hooks::Hooks { context: context.clone(), gatekeeper, accounts, refusals, listener_of_nodes }
        .register(context.extends.hook_mgr())
        .await;
    // rmqtt names a listener by its port, and a picked one is 0 in its own book.
    let server = MqttServer::new(context).listener_by_id(listener, address.port()).build();
    Ok((server, door, address))
}

fn listener(listen: SocketAddr) -> rmqtt::Result<rmqtt::net::Listener> {
    let mut builder = Builder::new()
        .name("mqtt")
        .laddr(listen)
        .backlog(BACKLOG_MAX)
        .nodelay(true)
        // A gateway that starts again must get its port back while old connections linger.
        .reuseaddr(Some(true))
        .allow_anonymous(false)
        .allow_zero_keepalive(false)
        .max_keepalive(KEEP_ALIVE_S_MAX)
        .max_packet_size(PACKET_BYTES_MAX)
        .max_connections(SESSIONS_MAX)
        .max_handshaking_limit(HANDSHAKES_MAX)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .send_timeout(SEND_TIMEOUT)
        .max_inflight(NonZeroU16::new(NODE_INFLIGHT_MAX).unwrap_or(NonZeroU16::MIN))
        .max_mqueue_len(NODE_QUEUE_MESSAGES_MAX)
        .max_clientid_len(CLIENT_ID_BYTES_MAX)
        .max_topic_levels(8)
        .session_expiry_interval(SESSION_EXPIRY_MAX)
        .message_expiry_interval(MESSAGE_EXPIRY)
        // Over TCP nothing is lost within a connection; rmqtt would send again after 20 s whatever
        // a gateway with a full disk has not acknowledged yet.
        .message_retry_interval(Duration::ZERO)
        .max_subscriptions(SUBSCRIPTIONS_MAX);
    builder.max_session_expiry_interval = SESSION_EXPIRY_MAX;
    builder.bind()?.tcp()
}

/// Serves until it is told to stop, or until whoever could tell it is gone.
async fn serve(
    server: MqttServer,
    door: Option<tls::Door>,
    refusals: &Refusals,
    stopped: oneshot::Receiver<()>,
) {
    let door = async {
        match door {
            Some(door) => door.serve().await,
            None => std::future::pending().await,
        }
    };
    let quiet = async {
        loop {
            tokio::time::sleep(refusals::LOG_QUIET).await;
            refusals.let_speak_again();
        }
    };
    tokio::select! {
        result = server.run() => {
            if let Err(error) = result {
                tracing::error!(error = %format!("{error:#}"), "The broker stopped.");
            }
        }
        () = quiet => {}
        () = door => {}
        _ = stopped => {}
    }
}
