//! The MQTT session to batches of samples: acknowledges only what is durable.
//!
//! One task polls the broker ([`link`](self)), one gathers messages into batches, sorts them, commits
//! them and acknowledges them. A message goes: broker, inbox, decoded, dated, committed, acknowledged
//! to the broker, acknowledged to its node by the sequences that are on disk. A node keeps what was
//! not named to it, so a crash at any point between loses nothing, and what then comes twice is
//! dropped by the store.
//!
//! It serves the embedded broker and an outside one. An outside one delivers everything through the
//! session; the embedded one hands births and data over in the process ([`Inlet`]), which saves half of
//! the work for a frame. From the inbox on both are the same. It judges no value and knows no zone.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`RECEIVE_MAX`] | 1024 messages on the way from the broker | the broker holds the next ones |
//! | [`INBOX_MESSAGES_MAX`] | 2048 messages waiting for the store | turned away and confirmed to the broker in turn; the node sends again |
//! | [`INLET_PATIENCE`] | 250 ms until a full inbox has room | turned away; the node sends again |
//! | [`PACKET_BYTES_MAX`] | 32 KiB in a packet | the broker keeps larger ones back; one that does not loses our session |
//! | [`MESSAGES_PER_COMMIT_MAX`] | 1024 messages in a commit, fewer where they are long | the next ones are in the next |
//! | [`LINGER_MAX`] | 50 ms from the first message of a batch to its commit | shorter by configuration |
//! | [`EVENTS_MAX`] | 1024 events for a slow reader | the oldest are gone, the reader is told |
//! | [`DOWNLINK_MESSAGES_MAX`] | 256 messages to nodes that wait to be written | refused; who needs an answer asks again |
//! | [`DEAD_LETTERS_PER_BATCH_MAX`] | 16 dead letters in a batch | counted, not kept |
//! | [`LETTERS_PER_LOOK_MAX`] | 32 dead letters taken again in a second | the next ones follow a second later |

mod commit;
mod dating;
mod downlink;
mod inlet;
mod intake;
mod letters;
mod line;
mod link;
mod ports;
mod quiet;
mod ranges;
mod stage;
mod tls;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use store::Store;
use tokio_util::sync::CancellationToken;

pub use dating::{FUTURE_MAX_MS, PAST_MIN_MS};
pub use downlink::{DOWNLINK_MESSAGES_MAX, Downlink, Unsent};
pub use inlet::{HANDED_OVER, INLET_PATIENCE, Inlet};
pub use letters::LETTERS_PER_LOOK_MAX;
pub use line::{KEEP_ALIVE, PACKET_BYTES_MAX, Protocol, RECEIVE_MAX, SESSION_EXPIRY_S};
pub use link::{FILTERS, FILTERS_BESIDE_INLET, INBOX_MESSAGES_MAX};
pub use ports::{
    Assess, Clock, Count, Counters, DEAD_LETTERS_PER_BATCH_MAX, DeadLetter, DeadLetters, Directory,
    EVENTS_MAX, Health, Link, LocalEpisodes, LocalEvent, NodeEvent, NodeState, Nodes, Outlets,
    PortError, Presence, Storage, Unassessed,
};
pub use stage::{LINGER_MAX, MESSAGES_PER_COMMIT_MAX};
pub use tls::{Tls, TlsError, TlsFiles};
pub use watch::SELF_CHECK;

/// The client id that the gateway has with a broker where none is configured.
pub const CLIENT_ID: &str = "miaopu-gateway-ingest";

/// Which broker, and who we are there.
#[derive(Clone, Debug)]
pub struct Config {
    /// The broker's name or address.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// Our client id: the same at every start, because the broker keeps our session by it, and
    /// another one for each gateway of a broker.
    pub client_id: String,
    /// Our account; `None` at a broker that asks for none.
    pub account: Option<Account>,
    /// How long a batch waits for more messages after its first one, at most [`LINGER_MAX`]. Fewer
    /// and larger commits spare an SD card.
    pub linger: Duration,
    /// Which protocol is spoken with the broker.
    pub protocol: Protocol,
    /// TLS to the broker; `None` for none.
    pub tls: Option<Tls>,
    /// How often the subscriptions are looked after.
    pub self_check: Duration,
    /// The broker is in this process and hands births and data over through [`Outlets::inlet`].
    pub handed_over: bool,
}

impl Config {
    /// Returns the configuration for a broker at this address with this account.
    pub fn new(host: impl Into<String>, port: u16, account: Option<Account>) -> Self {
        Self {
            host: host.into(),
            port,
            client_id: CLIENT_ID.to_owned(),
            account,
            linger: Duration::from_millis(20),
            protocol: Protocol::default(),
            tls: None,
            self_check: SELF_CHECK,
            handed_over: false,
        }
    }
}

/// An account at a broker.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The rooms that ingest works with.
#[derive(Clone)]
pub struct Ports {
    /// Where samples are kept.
    pub store: Arc<dyn Store>,
    /// Where births are kept.
    pub directory: Arc<dyn Directory>,
    /// Where goes what can't be understood.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Where goes what nodes judged themselves.
    pub episodes: Arc<dyn LocalEpisodes>,
    /// What flags readings before they are kept.
    pub assess: Arc<dyn Assess>,
    /// The gateway's clock.
    pub clock: Clock,
}

/// Why ingest ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The births could not be read.
    #[error("cannot read the births of the nodes")]
    Directory(#[source] PortError),
    /// The outlets serve another ingest already.
    #[error("another ingest reads this inbox already")]
    Twice,
    /// A room around it panicked.
    #[error("a step between broker and store panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Takes messages from the broker into the store until it is told to stop.
///
/// When stopped it finishes the batch at hand and takes leave of the broker. A broker that can't be
/// reached and a store that fails are no errors: both are tried again for as long as it takes, and
/// [`Outlets::health`] says so.
///
/// # Errors
/// `Error` where the births can't be read at the start, or where a port panics.
pub async fn run(
    config: Config,
    ports: Ports,
    outlets: Arc<Outlets>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let (session, gate, arrivals) =
        link::open(&config, Arc::clone(&outlets), Arc::clone(&ports.clock)).ok_or(Error::Twice)?;
    let (downlink, counters) = (outlets.downlink.clone(), Arc::clone(&outlets.counters));
    let stage = stage::Stage::new(&config, ports, outlets, gate.clone()).await?;
    let hang_up = CancellationToken::new();
    let polling = tokio::spawn(session.run(hang_up.clone()));
    let speaking = tokio::spawn(downlink.run(gate, counters, hang_up.clone()));
    let result = stage.run(arrivals, stop).await;
    hang_up.cancel();
    polling.await.map_err(Error::Panicked)?;
    speaking.await.map_err(Error::Panicked)?;
    result
}
