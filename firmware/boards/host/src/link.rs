//! One MQTT 5 connection of a node: opened, subscribed, and then events until it breaks.
//!
//! It knows nothing of what is said: `node` gives topics, bytes and the will. A broken link is thrown
//! away whole, so that nothing of an old session comes out of a new one.

use core::time::Duration;

use measure::NodeKey;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, LastWill, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::noise::unit;

/// How long a connection may take until it is subscribed; then it is given up.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// The client sends something at least so often; the broker calls the node gone after 1.5 times that.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Messages given to the client and not yet sent. `node` has fewer in flight; a full queue means a
/// link that stands still, and the message is handed back to the node.
const OUTGOING_MAX: usize = 32;
/// Messages sent and not yet acknowledged by the broker; the client then sends no other. It keeps room
/// for all of them from the start: with its own default of 65 535 that is 14 MB for each node.
const IN_FLIGHT_MAX: u16 = 16;
/// Messages received and not yet looked at; the link stops reading while it is full.
const INCOMING_MAX: usize = 32;
/// The longest packet accepted, in bytes: far longer than any acknowledgement or command.
const PACKET_BYTES_MAX: u32 = 4_096;
/// The first pause before a new connection, and the longest; it doubles in between.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Where the broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or number of the host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

/// A node's secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `secret`.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("***")
    }
}

/// A message that is published or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// What a link is opened with.
pub(crate) struct Session {
    /// Published by the broker when the link breaks; not retained.
    pub(crate) will: Message,
    /// What the node hears.
    pub(crate) topics: Vec<String>,
}

/// What happens on a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// Connected and subscribed.
    Open,
    /// A message came.
    Message(Message),
    /// It is over.
    Broken(LinkError),
}

/// Why a link broke or did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The client's own reason.
    #[error("the connection failed")]
    Connection(#[source] Box<ConnectionError>),
    /// Too slow.
    #[error("the broker took more than {} s to answer", OPEN_TIMEOUT.as_secs())]
    Timeout,
    /// Not allowed to hear its own topics.
    #[error("the broker refused the subscription: {0:?}")]
    Subscription(SubscribeReasonCode),
    /// The link's task is gone.
    #[error("the link ended")]
    Ended,
}

/// A link, open or opening. It ends, without a farewell, when it is dropped: the broker then sends
/// the will.
pub(crate) struct Link {
    client: AsyncClient,
    events: mpsc::Receiver<LinkEvent>,
    task: JoinHandle<()>,
}

impl Link {
    /// Begins to connect, after `pause`.
    pub(crate) fn open(
        address: &Address,
        key: &NodeKey,
        secret: &Secret,
        session: Session,
        pause: Duration,
    ) -> Self {
        let Session { will, topics } = session;
        let mut options = MqttOptions::new(key.to_string(), address.host.clone(), address.port);
        options
            .set_credentials(key.to_string(), secret.0.clone())
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(true)
            .set_connection_timeout(OPEN_TIMEOUT.as_secs())
            .set_max_packet_size(Some(PACKET_BYTES_MAX))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX)
            .set_last_will(LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, false, None));
        let (client, events) = AsyncClient::new(options, OUTGOING_MAX);
        let (sender, receiver) = mpsc::channel(INCOMING_MAX);
        let task = tokio::spawn({
            let client = client.clone();
            async move {
                tokio::time::sleep(pause).await;
                serve(client, events, topics, sender).await;
            }
        });
        Self { client, events: receiver, task }
    }

    /// Returns the next event. After `Broken` there is no other.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        self.events.recv().await.unwrap_or(LinkEvent::Broken(LinkError::Ended))
    }

    /// Hands a message to the client. Returns whether it took it.
    pub(crate) fn publish(&self, topic: &str, payload: &[u8], retain: bool) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload.to_vec()).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    client: AsyncClient,
    mut events: EventLoop,
    topics: Vec<String>,
    sender: mpsc::Sender<LinkEvent>,
) {
    let opened = timeout(OPEN_TIMEOUT, open(&client, &mut events, topics)).await;
    if let Err(error) = opened.unwrap_or(Err(LinkError::Timeout)) {
        // Nobody listens any more where the node has gone; there is nothing to tell then.
        drop(sender.send(LinkEvent::Broken(error)).await);
        return;
    }
    let mut next = LinkEvent::Open;
    loop {
        let is_last = matches!(next, LinkEvent::Broken(_));
        if sender.send(next).await.is_err() || is_last {
            return;
        }
        next = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    let payload = publish.payload.to_vec();
                    break LinkEvent::Message(Message { topic, payload });
                }
                Ok(_) => {}
                Err(error) => break LinkEvent::Broken(LinkError::Connection(Box::new(error))),
            }
        };
    }
}

/// Connects and subscribes. Nothing can come before the subscription: the session is a clean one.
async fn open(
    client: &AsyncClient,
    events: &mut EventLoop,
    topics: Vec<String>,
) -> Result<(), LinkError> {
    let mut filters = Some(
        topics.into_iter().map(|topic| Filter::new(topic, QoS::AtLeastOnce)).collect::<Vec<_>>(),
    );
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if let Some(filters) = filters.take() {
                    client.subscribe_many(filters).await.map_err(|_| LinkError::Ended)?;
                }
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                let refused = answer
                    .return_codes
                    .into_iter()
                    .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                return refused.map_or(Ok(()), |code| Err(LinkError::Subscription(code)));
            }
            Ok(_) => {}
            Err(error) => return Err(LinkError::Connection(Box::new(error))),
        }
    }
}

/// Returns the pause before the connection after `failures` failed ones: it doubles, and is spread by
/// half, so that a thousand nodes do not come back at once.
pub(crate) fn pause(failures: u32, seed: u64) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    doubled.mul_f64(0.5 + 0.5 * unit(seed, u64::from(failures)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit_and_differ() {
        for seed in 0..50 {
            for failures in 0..40 {
                let pause = pause(failures, seed);
                assert!(pause >= PAUSE_FIRST / 2 && pause <= PAUSE_MAX);
            }
            assert!(pause(12, seed) >= PAUSE_MAX / 2);
        }
        assert_ne!(pause(5, 1), pause(5, 2));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("abc")), "***");
    }
}
