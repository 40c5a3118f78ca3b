//! The session with the broker: connects, subscribes, hands messages on, sends acknowledgements.
//!
//! What rumqttc 0.25 leaves to its user (`reference/iot.md` §4.3), and where it is done:
//! - Messages of a dead connection are still yielded after the next one is made, and packet ids start
//!   again where the broker lost the session: an acknowledgement of the old message would confirm
//!   another, unstored one. So the events are cleared when a connection breaks, and every delivery
//!   carries the epoch of its connection; [`Gate`] refuses what is older.
//! - An acknowledgement that waits in the request channel when the connection breaks is dropped under
//!   the gate's lock, before the next epoch begins.
//! - Only QoS 0 is published, so that no outgoing message waits for packet ids or for the broker's
//!   window. Nothing is lost: a node that misses an acknowledgement sends again.
//! - The task that polls never waits for another one: a full queue turns a message away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Config;
use crate::intake::Arrival;
use crate::ports::{Clock, Link, Outlets};

/// What ingest subscribes to, all of it at QoS 1.
pub const FILTERS: [&str; 3] = ["miaopu/1/+/+/birth", "miaopu/1/+/+/data", "miaopu/1/+/+/death"];
/// The most messages that a broker may have on the way to us; the next ones wait with the broker.
pub const RECEIVE_MAX: u16 = 1_024;
/// The most messages between the broker and the store; beyond it a message is turned away and its
/// node sends it again. More than [`RECEIVE_MAX`], so that this takes a broker that breaks its word.
pub const INBOX_MESSAGES_MAX: usize = 2_048;
/// The largest packet taken, in bytes; the broker keeps back larger ones. Twice the embedded broker's
/// own limit, because a broker adds properties to what it passes on.
pub const PACKET_BYTES_MAX: u32 = 32 * 1_024;
/// How long a broker keeps our session while we are away, in seconds; then it forgets it.
pub const SESSION_EXPIRY_S: u32 = 3_600;
/// How often a quiet connection is probed; a dead one is found within two of these.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The most requests to the broker that wait to be written; who has more waits.
const REQUESTS_MAX: usize = 4_096;
/// The most messages of ours that wait for the broker. There are none at QoS 0, but rumqttc keeps
/// slots for them: 13 MB for the 65,535 that are its default.
const OUTGOING_INFLIGHT_MAX: u16 = 16;
/// How long the broker may take to connect, in seconds.
const CONNECT_TIMEOUT_S: u64 = 5;
/// How long the broker may take to answer a subscription; then the connection is made anew.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before the first new try; doubled until [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long a request that found no room waits before it is tried again.
const REQUEST_RETRY: Duration = Duration::from_millis(2);
/// How long the last words to the broker may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);

/// A message that the broker wants acknowledged: in which connection, under which packet id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    epoch: u64,
    packet: u16,
}

/// A message with what the broker wants for it; `None` at QoS 0.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) arrival: Arrival,
    pub(crate) delivery: Option<Delivery>,
}

/// Lets requests to the broker through while the connection that they belong to lives.
#[derive(Clone)]
pub(crate) struct Gate {
    client: AsyncClient,
    connection: Arc<Mutex<Connection>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    epoch: u64,
    is_up: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// It will be written.
    Through,
    /// Its connection is gone, and it with it.
    Void,
    /// No room now.
    Full,
}

impl Gate {
    fn with_connection<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        act(&mut self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Acknowledges a delivery to the broker, unless its connection is gone.
    pub(crate) async fn settle(&self, delivery: Delivery) {
        while self.try_settle(delivery) == Passed::Full {
            tokio::time::sleep(REQUEST_RETRY).await;
        }
    }

    fn try_settle(&self, delivery: Delivery) -> Passed {
        let mut publish = Publish::new("", QoS::AtLeastOnce, Bytes::new(), None);
        publish.pkid = delivery.packet;
        self.with_connection(|connection| {
            if connection.epoch != delivery.epoch {
                Passed::Void
            } else if self.client.try_ack(&publish).is_ok() {
                Passed::Through
            } else {
                Passed::Full
            }
        })
    }

    /// Publishes at QoS 0; returns whether there was a connection to publish to.
    pub(crate) async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        loop {
            let passed = self.with_connection(|connection| {
                if !connection.is_up {
                    return Passed::Void;
                }
                let sent = self.client.try_publish(topic, QoS::AtMostOnce, false, payload.to_vec());
                if sent.is_ok() { Passed::Through } else { Passed::Full }
            });
            match passed {
                Passed::Through => return true,
                Passed::Void => return false,
                Passed::Full => tokio::time::sleep(REQUEST_RETRY).await,
            }
        }
    }
}

/// The polling side of the session.
pub(crate) struct Session {
    eventloop: EventLoop,
    gate: Gate,
    inbox: mpsc::Sender<Delivered>,
    outlets: Arc<Outlets>,
    clock: Clock,
    is_subscribed: bool,
    retry: Duration,
}

/// Opens a session; nothing is connected before [`Session::run`] polls.
pub(crate) fn open(
    config: &Config,
    outlets: Arc<Outlets>,
    clock: Clock,
) -> (Session, Gate, mpsc::Receiver<Delivered>) {
    let (client, eventloop) = AsyncClient::new(options(config), REQUESTS_MAX);
    let gate = Gate { client, connection: Arc::default() };
    let (inbox, arrivals) = mpsc::channel(INBOX_MESSAGES_MAX);
    let session = Session {
        eventloop,
        gate: gate.clone(),
        inbox,
        outlets,
        clock,
        is_subscribed: false,
        retry: RETRY_MIN,
    };
    (session, gate, arrivals)
}

fn options(config: &Config) -> MqttOptions {
    let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(SESSION_EXPIRY_S);
    properties.receive_maximum = Some(RECEIVE_MAX);
    properties.max_packet_size = Some(PACKET_BYTES_MAX);
    options
        .set_connect_properties(properties)
        .set_clean_start(false)
        .set_manual_acks(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_outgoing_inflight_upper_limit(OUTGOING_INFLIGHT_MAX)
        .set_connection_timeout(CONNECT_TIMEOUT_S);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if let Some(account) = &config.account {
        options.set_credentials(&account.username, account.password.expose());
    }
    options
}

impl Session {
    /// Polls until told to stop; connects again for as long as it takes.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let reason = tokio::select! {
                reason = self.live() => reason,
                () = stop.cancelled() => break,
            };
            self.break_off(reason);
            tokio::select! {
                () = tokio::time::sleep(self.retry) => {}
                () = stop.cancelled() => {}
            }
            self.retry = (self.retry * 2).min(RETRY_MAX);
        }
        self.say_farewell().await;
    }

    /// Polls one connection until it breaks; returns why.
    async fn live(&mut self) -> String {
        let answer_due = tokio::time::sleep(SUBSCRIBE_TIMEOUT);
        tokio::pin!(answer_due);
        self.is_subscribed = false;
        loop {
            let is_waiting = !self.is_subscribed;
            let event = tokio::select! {
                event = self.eventloop.poll() => event,
                () = &mut answer_due, if is_waiting => {
                    return "the broker did not answer the subscription".to_owned();
                }
            };
            match event {
                Ok(Event::Incoming(packet)) => {
                    if let Err(reason) = self.take(packet) {
                        return reason;
                    }
                }
                Ok(Event::Outgoing(_)) => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    fn take(&mut self, packet: Incoming) -> Result<(), String> {
        match packet {
            Incoming::ConnAck(connack) => {
                self.outlets.counters.connections.add(1);
                self.gate.with_connection(|connection| connection.is_up = true);
                info!(session_present = connack.session_present, "Connected to the broker.");
                // A broker may have lost single subscriptions of a session that it says it kept.
                let filters = FILTERS.map(|path| Filter::new(path, QoS::AtLeastOnce));
                self.gate
                    .client
                    .try_subscribe_many(filters)
                    .map_err(|_| "no room for the subscription".to_owned())
            }
            Incoming::SubAck(suback) => {
                let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(qos) if *qos == QoS::AtLeastOnce);
                if suback.return_codes.len() != FILTERS.len()
                    || !suback.return_codes.iter().all(granted)
                {
                    return Err(format!("subscription refused: {:?}", suback.return_codes));
                }
                self.is_subscribed = true;
                self.retry = RETRY_MIN;
                self.outlets.health.send_modify(|health| health.link = Link::Up);
                Ok(())
            }
            Incoming::Publish(publish) => {
                self.pass_on(publish);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn pass_on(&self, publish: Publish) {
        let epoch = self.gate.with_connection(|connection| connection.epoch);
        let delivery =
            (publish.qos != QoS::AtMostOnce).then_some(Delivery { epoch, packet: publish.pkid });
        let arrival = Arrival {
            topic: publish.topic,
            payload: publish.payload,
            is_retained: publish.retain,
            received: (self.clock)(),
        };
        if self.inbox.try_send(Delivered { arrival, delivery }).is_err() {
            self.outlets.counters.overflows.add(1);
            // The broker must not wait for it. Its node does: it was not acknowledged to the node.
            if let Some(delivery) = delivery
                && self.gate.try_settle(delivery) == Passed::Full
            {
                warn!("Neither room for a message nor for turning it away.");
            }
        }
    }

    /// Ends the epoch: whatever belongs to the broken connection is forgotten or refused from here.
    fn break_off(&mut self, reason: String) {
        self.gate.with_connection(|connection| {
            connection.epoch += 1;
            connection.is_up = false;
            // Drops the acknowledgements that came in since rumqttc cleaned up itself.
            self.eventloop.clean();
            self.eventloop.pending.clear();
            self.eventloop.state.events.clear();
        });
        warn!(%reason, "Lost the broker; trying again.");
        self.outlets.health.send_modify(|health| health.link = Link::Down { reason });
    }

    /// Takes leave of the broker where there is a connection, so that the session is kept in order.
    async fn say_farewell(mut self) {
        let is_up = self.gate.with_connection(|connection| connection.is_up);
        if is_up && self.gate.client.try_disconnect().is_ok() {
            let written = async {
                while let Ok(event) = self.eventloop.poll().await {
                    if matches!(event, Event::Outgoing(rumqttc::Outgoing::Disconnect)) {
                        break;
                    }
                }
            };
            drop(tokio::time::timeout(FAREWELL_TIMEOUT, written).await);
        }
    }
}
