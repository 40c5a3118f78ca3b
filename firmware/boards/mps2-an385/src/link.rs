//! The node's link to its broker: TCP, MQTT 5, and what `node` wants to say and hear over it.
//!
//! `node` decides what is said; this file only carries it. Each connection is a new MQTT session:
//! what a broken one had not delivered is in flash and comes again from there, so nothing is kept
//! here. It never holds the node while it waits for the network, so sampling goes on through every
//! outage.

use core::fmt;
use core::net::SocketAddrV4;
use core::sync::atomic::{AtomicBool, Ordering};

use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_net::tcp::{ConnectError, Error as TcpError, TcpSocket};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use heapless::String;
use measure::NodeKey;
use minimq::{
    Buffers, ConfigBuilder, ConfigError, Connection, Error as MqttError, Op, PeerError, PubError,
    Publication, QoS, ResourceError, Session, TopicFilter, Will,
};
use node::{Action, Dialer};
use wire::{COMMAND_BYTES_MAX, DEATH_BYTES_MAX, FRAME_BYTES_MAX, TOPIC_BYTES_MAX};

use crate::config::Config;
use crate::images::{self, Images};
use crate::{NodeError, RECORDED, Shared, configured, ledger, now, watchdog};

/// How long a connection, its handshake or its subscription may take; then it is tried again.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long the peer may leave sent bytes unacknowledged; then the connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How often a quiet connection is proven, in seconds; the broker sends the will after one and a
/// half of them.
const KEEPALIVE_S: u16 = 10;
/// How long the answer to a reboot command may take to leave; then the node restarts all the same.
const REBOOT_MAX: Duration = Duration::from_secs(3);

/// The longest message that is received: the largest command, its topic and its head.
const RECEIVED_BYTES: usize = COMMAND_BYTES_MAX + TOPIC_BYTES_MAX + 32;
/// A connection that stood for so long has held.
const HELD_MIN: Duration = Duration::from_secs(20);
/// The link task shows that it lives at least so often.
const ROUND_MAX: Duration = Duration::from_secs(30);
/// Asks the link to break off and to connect anew.
static RECONNECT: AtomicBool = AtomicBool::new(false);

/// Breaks the connection off at the next turn, and connects anew.
pub(crate) fn reconnect() {
    RECONNECT.store(true, Ordering::Relaxed);
    RECORDED.signal(());
}

/// `SITE/NODE`, the user name.
const USER_BYTES_MAX: usize = 2 * measure::SLUG_BYTES_MAX + 1;
/// The longest client identifier that minimq takes.
const CLIENT_BYTES_MAX: usize = 64;

type Mqtt<'a, 'b> = Connection<'a, 'b, TcpSocket<'a>>;

/// The memory of the link.
pub(crate) struct Memory {
    tcp_received: [u8; 1024],
    tcp_to_send: [u8; 2048],
    /// One message to the node: an acknowledgement, a command or a chunk, with its topic. A larger one
    /// the broker drops.
    mqtt_received: [u8; RECEIVED_BYTES],
    /// Messages that the broker has not acknowledged yet: three of the largest; then the next one
    /// waits.
    mqtt_to_send: [u8; 4096],
    /// The message at hand: a frame, or the birth, which is shorter with this node's channels.
    message: [u8; FRAME_BYTES_MAX],
}

impl Memory {
    /// Returns the memory, empty.
    pub(crate) const fn new() -> Self {
        Self {
            tcp_received: [0; 1024],
            tcp_to_send: [0; 2048],
            mqtt_received: [0; RECEIVED_BYTES],
            mqtt_to_send: [0; 4096],
            message: [0; FRAME_BYTES_MAX],
        }
    }
}

/// Why a connection has ended, or did not come about.
enum Broken {
    /// No answer in time to what is named.
    Silent(&'static str),
    /// No connection to the broker.
    Tcp(ConnectError),
    /// What the configuration asks for does not fit MQTT.
    Config(ConfigError),
    /// The broker or the network has ended it.
    Mqtt(MqttError<TcpError>),
    /// The node could not read its flash.
    Node(NodeError),
    /// The gateway's address is none that this board can dial.
    Address,
    /// The settings ask for a new connection.
    Settings,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(what) => write!(f, "no answer to the {what}"),
            Self::Tcp(error) => write!(f, "no connection: {error:?}"),
            Self::Config(error) => write!(f, "no session: {error}"),
            Self::Mqtt(error) => write!(f, "{error}"),
            Self::Node(error) => write!(f, "{error}"),
            Self::Address => f.write_str("the gateway's address is no IPv4 address with a port"),
            Self::Settings => f.write_str("other settings are to be proven"),
        }
    }
}

impl From<MqttError<TcpError>> for Broken {
    fn from(error: MqttError<TcpError>) -> Self {
        Self::Mqtt(error)
    }
}

impl From<PubError<(), TcpError>> for Broken {
    fn from(error: PubError<(), TcpError>) -> Self {
        match error {
            PubError::Session(error) => Self::Mqtt(error),
            PubError::Payload(()) => Self::Mqtt(MqttError::Resource(ResourceError::BufferTooSmall)),
        }
    }
}

impl From<ConfigError> for Broken {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NodeError> for Broken {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

/// Connects, and connects again, for ever.
pub(crate) async fn run(
    stack: Stack<'static>,
    config: &Config,
    node: &Shared,
    images: &Images,
    memory: &mut Memory,
) -> ! {
    let mut dialer = Dialer::new();
    loop {
        while with_timeout(ROUND_MAX, stack.wait_config_up()).await.is_err() {
            watchdog::note(|vitals| vitals.linked(now()));
        }
        let gateways = node.lock().await.gateways().count();
        let dial = dialer.next(u32::from_le_bytes(crate::host::random()), gateways);
        Timer::after_millis(u64::from(dial.pause_ms)).await;
        watchdog::note(|vitals| vitals.linked(now()));
        let address = {
            let node = node.lock().await;
            let text = node.gateways().nth(dial.index).unwrap_or_default();
            text.parse::<SocketAddrV4>().ok()
        };
        let dialled = Instant::now();
        let broken = match address {
            // The fault of the feature `break-trial`.
            _ if cfg!(feature = "break-trial") => Broken::Address,
            Some(address) => {
                let Err(broken) =
                    connect_and_serve(stack, config, address, node, images, memory).await;
                broken
            }
            None => Broken::Address,
        };
        node.lock().await.disconnected();
        if dialled.elapsed() > HELD_MIN {
            dialer.held()
        } else {
            dialer.failed()
        }
        log!("link down: {broken}");
    }
}

async fn connect_and_serve(
    stack: Stack<'static>,
    config: &Config,
    broker: SocketAddrV4,
    node: &Shared,
    images: &Images,
    memory: &mut Memory,
) -> Result<core::convert::Infallible, Broken> {
    let mut socket = TcpSocket::new(stack, &mut memory.tcp_received, &mut memory.tcp_to_send);
    socket.set_timeout(Some(SILENCE_MAX));
    within(ANSWER_MAX, "connection", socket.connect(broker)).await?.map_err(Broken::Tcp)?;

    let mut death = [0; DEATH_BYTES_MAX];
    let (will, subscriptions) = {
        let node = node.lock().await;
        (node.will(&mut death)?, node.subscriptions())
    };
    let user: String<USER_BYTES_MAX> = user_name(&config.key);
    let buffers = Buffers::new(&mut memory.mqtt_received, &mut memory.mqtt_to_send);
    let mut session = Session::new(
        ConfigBuilder::new(buffers)
            .client_id(&client_id(&config.key))?
            .auth(&user, config.secret.as_bytes())?
            .will(Will::new(&will.topic, will.payload, &[])?.qos(QoS::AtLeastOnce))?
            .keepalive_interval(KEEPALIVE_S),
    );
    let mut mqtt = within(ANSWER_MAX, "handshake", session.connect(socket)).await??;
    within(ANSWER_MAX, "subscription", subscribe(&mut mqtt, &subscriptions)).await??;
    node.lock().await.connected();
    images::linked(images).await;
    log!("link up: broker={broker} at uptime_ms={}", now().0);
    serve(&mut mqtt, node, images, &mut memory.message).await
}

async fn subscribe(
    mqtt: &mut Mqtt<'_, '_>,
    topics: &[String<TOPIC_BYTES_MAX>; 3],
) -> Result<(), Broken> {
    let options = minimq::SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let [acks, commands, chunks] =
        topics.each_ref().map(|topic| TopicFilter::new(topic).options(options));
    let operation: Op = mqtt.subscribe(&[acks, commands, chunks], &[]).await?;
    // A message that comes before the birth can only be an answer to an earlier session, and is
    // dropped.
    while mqtt.is_pending(&operation) {
        mqtt.poll().await?;
    }
    Ok(())
}

/// Carries messages both ways until the connection breaks or the node restarts.
async fn serve(
    mqtt: &mut Mqtt<'_, '_>,
    node: &Shared,
    images: &Images,
    buffer: &mut [u8],
) -> Result<core::convert::Infallible, Broken> {
    let mut reboot_at = None;
    let mut reconnect_at = None;
    loop {
        watchdog::note(|vitals| vitals.linked(now()));
        if RECONNECT.swap(false, Ordering::Relaxed) {
            reconnect_at = Some(Instant::now() + REBOOT_MAX);
        }
        let has_room = publish_due(mqtt, node, buffer).await?;
        let is_delivered = mqtt.session().is_publish_quiescent();
        if reboot_at.is_some_and(|at| Instant::now() >= at || (has_room && is_delivered)) {
            restart(mqtt).await;
        }
        if reconnect_at.is_some_and(|at| Instant::now() >= at || (has_room && is_delivered)) {
            return Err(Broken::Settings);
        }
        // Without room only an answer of the broker helps: a reading or the time must not wake us
        // then.
        let wake = if has_room { node.lock().await.next_wake(now()) } else { None };
        let wake = wake.map(|at| Instant::from_millis(at.0));
        let turns = [wake, reboot_at, reconnect_at, Some(Instant::now() + ROUND_MAX)];
        let due = Timer::at(turns.into_iter().flatten().min().unwrap_or(Instant::MAX));
        let recorded =
            async { if has_room { RECORDED.wait().await } else { core::future::pending().await } };
        // The connection comes first: `select3` leaves the others unpolled once one is ready.
        let message = match select3(mqtt.poll(), recorded, due).await {
            Either3::First(Ok(Some(message))) => message,
            Either3::First(Ok(None)) | Either3::Second(()) | Either3::Third(()) => continue,
            // The broker has refused one message; the node sends it again, and the connection
            // stands.
            Either3::First(Err(MqttError::Peer(PeerError::Rejected(reason)))) => {
                log!("the broker refused a message: {reason:?}");
                continue;
            }
            Either3::First(Err(error)) => return Err(error.into()),
        };
        let heard = node.lock().await.receive(now(), message.topic(), message.payload()).await;
        match heard {
            Ok(None) => {}
            Ok(Some(Action::Configured)) => configured(node).await,
            Ok(Some(Action::Reconnect)) => {
                configured(node).await;
                reconnect_at = Some(Instant::now() + REBOOT_MAX);
            }
            Ok(Some(Action::Identify)) => log!("identify: this is the node"),
            Ok(Some(Action::Reboot)) => reboot_at = Some(Instant::now() + REBOOT_MAX),
            Ok(Some(Action::Offer { id, manifest, signature })) => {
                let (outcome, detail) = images::offer(images, &manifest, &signature).await;
                node.lock().await.answer(id, outcome, detail);
            }
            Ok(Some(Action::Chunk(chunk))) => images::chunk(images, &chunk).await,
            Err(error @ node::Error::Wire(_)) => log!("dropped a message: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Publishes what is due and returns whether there was room for all of it.
async fn publish_due(
    mqtt: &mut Mqtt<'_, '_>,
    node: &Shared,
    buffer: &mut [u8],
) -> Result<bool, Broken> {
    while mqtt.can_publish(QoS::AtLeastOnce) {
        let (publish, boot) = {
            let mut node = node.lock().await;
            match node.next_publish(now(), buffer).await? {
                Some(publish) => (publish, node.boot()),
                None => return Ok(true),
            }
        };
        ledger::sending(boot, &publish);
        let publication = Publication::bytes(&publish.topic, publish.payload).qos(QoS::AtLeastOnce);
        let publication = if publish.retain { publication.retain() } else { publication };
        match mqtt.publish(publication).await {
            Ok(_) => {}
            Err(error) => {
                node.lock().await.publish_failed();
                let is_full = matches!(
                    error,
                    PubError::Payload(())
                        | PubError::Session(MqttError::NotReady | MqttError::Resource(_))
                );
                // With messages under way their answers make room; without any there never will be.
                if !is_full || mqtt.session().is_publish_quiescent() {
                    return Err(error.into());
                }
                return Ok(false);
            }
        }
    }
    Ok(false)
}

/// Takes leave of the broker and restarts the machine.
async fn restart(mqtt: &mut Mqtt<'_, '_>) -> ! {
    log!("restart: a command asks for it");
    // Best effort: the connection ends either way.
    if with_timeout(ANSWER_MAX, mqtt.disconnect()).await.is_err() {
        log!("restart: the broker does not listen");
    }
    cortex_m::peripheral::SCB::sys_reset()
}

/// Returns what comes within `limit`, or that there was no answer to `what`.
async fn within<T>(
    limit: Duration,
    what: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, Broken> {
    with_timeout(limit, future).await.map_err(|_| Broken::Silent(what))
}

fn user_name(key: &NodeKey) -> String<USER_BYTES_MAX> {
    let mut name = String::new();
    fmt::write(&mut name, format_args!("{key}")).expect("two slugs and a slash fit");
    name
}

/// Returns the client identifier: the user name, but for the two longest names without its slash,
/// for which there is no room; no other node's identifier is as long and without a slash.
fn client_id(key: &NodeKey) -> String<CLIENT_BYTES_MAX> {
    let (site, node) = (key.site.as_str(), key.node.as_str());
    let slash = if site.len() + node.len() < CLIENT_BYTES_MAX { "/" } else { "" };
    let mut id = String::new();
    fmt::write(&mut id, format_args!("{site}{slash}{node}")).expect("two slugs fit");
    id
}
