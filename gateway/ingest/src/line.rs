//! One MQTT connection in either protocol, 5 or 3.1.1, the same to the session above it.
//!
//! rumqttc has a client of its own for each; here they get one face. What is no message, no answer
//! to us and no fault is [`Heard::Other`].

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{NetworkOptions, Transport, v5};

use crate::Config;

/// Which protocol is spoken with the broker. Nodes and gateway need not speak the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 3.1.1: the broker can be told no limits, see [`PACKET_BYTES_MAX`].
    V311,
    /// MQTT 5.
    #[default]
    V5,
}

/// The most messages that a broker may have on the way to us; the next ones wait with the broker.
/// MQTT 3.1.1 has no word for it: there the broker's own limit holds (Mosquitto's is 20).
pub const RECEIVE_MAX: u16 = 1_024;
/// The largest packet taken, in bytes; the broker keeps back larger ones. Twice the embedded broker's
/// own limit, because a broker adds properties to what it passes on. A broker that sends one all the
/// same (MQTT 3.1.1 has no word for the limit) loses the session that would send it again and again.
pub const PACKET_BYTES_MAX: u32 = 32 * 1_024;
/// How long a broker keeps our session while we are away, in seconds; then it forgets it. Under
/// MQTT 3.1.1 it decides so itself.
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

/// What is asked of the broker; each is refused where there is no room for it now.
#[derive(Clone)]
pub(crate) enum Client {
    V311(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// The side that is polled.
pub(crate) enum Line {
    V311(Box<rumqttc::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// What the broker says.
#[derive(Debug)]
pub(crate) enum Heard {
    Connected {
        session_present: bool,
    },
    /// The answer to a subscription: whether each filter was granted at QoS 1, in words if not.
    Subscribed(Vec<Result<(), String>>),
    Message {
        topic: Bytes,
        payload: Bytes,
        is_retained: bool,
        /// The packet id to acknowledge; `None` at QoS 0.
        packet: Option<u16>,
    },
    /// Our farewell was written.
    Farewell,
    Other,
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) reason: String,
    /// It was for a packet that can't be taken, which a session that is kept would bring again.
    pub(crate) is_poison: bool,
}

/// Whether retained messages are wanted with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retained {
    Always,
    /// Only where the broker had lost the subscription. MQTT 3.1.1 sends them always.
    IfNew,
}

/// Opens a line; nothing is connected before it is polled.
pub(crate) fn open(config: &Config) -> (Client, Line) {
    match config.protocol {
        Protocol::V311 => {
            let (client, mut eventloop) =
                rumqttc::AsyncClient::new(options_311(config), REQUESTS_MAX);
            let mut network = network(eventloop.network_options());
            network.set_connection_timeout(CONNECT_TIMEOUT_S);
            eventloop.set_network_options(network);
            (Client::V311(client), Line::V311(Box::new(eventloop)))
        }
        Protocol::V5 => {
            let (client, eventloop) = v5::AsyncClient::new(options_5(config), REQUESTS_MAX);
            (Client::V5(client), Line::V5(Box::new(eventloop)))
        }
    }
}

fn options_5(config: &Config) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(&config.client_id, &config.host, config.port);
    let mut properties = v5::mqttbytes::v5::ConnectProperties::new();
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
    options.set_network_options(network(options.network_options()));
    if let Some(account) = &config.account {
        options.set_credentials(&account.username, account.password.expose());
    }
    if let Some(transport) = transport(config) {
        options.set_transport(transport);
    }
    options
}

fn options_311(config: &Config) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(&config.client_id, &config.host, config.port);
    let most = PACKET_BYTES_MAX as usize;
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_inflight(OUTGOING_INFLIGHT_MAX)
        .set_max_packet_size(most, most);
    if let Some(account) = &config.account {
        options.set_credentials(&account.username, account.password.expose());
    }
    if let Some(transport) = transport(config) {
        options.set_transport(transport);
    }
    options
}

fn transport(config: &Config) -> Option<Transport> {
    let tls = config.tls.as_ref()?;
    Some(Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(tls.client())))
}

fn network(mut network: NetworkOptions) -> NetworkOptions {
    network.set_tcp_nodelay(true);
    network
}

impl Client {
    /// Confirms a message to the broker.
    pub(crate) fn try_ack(&self, packet: u16) -> bool {
        match self {
            Self::V311(client) => {
                let mut publish =
                    rumqttc::Publish::new("", rumqttc::QoS::AtLeastOnce, Vec::<u8>::new());
                publish.pkid = packet;
                client.try_ack(&publish).is_ok()
            }
            Self::V5(client) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                let mut publish = v5::mqttbytes::v5::Publish::new("", qos, Bytes::new(), None);
                publish.pkid = packet;
                client.try_ack(&publish).is_ok()
            }
        }
    }

    /// Publishes at QoS 0.
    pub(crate) fn try_publish(&self, topic: &str, payload: &[u8]) -> bool {
        let payload = payload.to_vec();
        match self {
            Self::V311(client) => {
                client.try_publish(topic, rumqttc::QoS::AtMostOnce, false, payload).is_ok()
            }
            Self::V5(client) => {
                client.try_publish(topic, v5::mqttbytes::QoS::AtMostOnce, false, payload).is_ok()
            }
        }
    }

    /// Subscribes at QoS 1.
    pub(crate) fn try_subscribe(&self, filters: &[&str], retained: Retained) -> bool {
        match self {
            Self::V311(client) => {
                let filters = filters.iter().map(|path| {
                    rumqttc::SubscribeFilter::new((*path).to_owned(), rumqttc::QoS::AtLeastOnce)
                });
                client.try_subscribe_many(filters).is_ok()
            }
            Self::V5(client) => {
                use v5::mqttbytes::v5::{Filter, RetainForwardRule};
                let filters = filters.iter().map(|path| {
                    let mut filter = Filter::new(*path, v5::mqttbytes::QoS::AtLeastOnce);
                    if retained == Retained::IfNew {
                        filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
                    }
                    filter
                });
                client.try_subscribe_many(filters).is_ok()
            }
        }
    }

    pub(crate) fn try_disconnect(&self) -> bool {
        match self {
            Self::V311(client) => client.try_disconnect().is_ok(),
            Self::V5(client) => client.try_disconnect().is_ok(),
        }
    }
}

impl Line {
    /// Returns what comes next; connects where there is no connection.
    pub(crate) async fn poll(&mut self) -> Result<Heard, Broken> {
        match self {
            Self::V311(eventloop) => match eventloop.poll().await {
                Ok(event) => Ok(heard_311(event)),
                Err(error) => Err(broken_311(&error)),
            },
            Self::V5(eventloop) => match eventloop.poll().await {
                Ok(event) => Ok(heard_5(event)),
                Err(error) => Err(broken_5(&error)),
            },
        }
    }

    /// Drops everything that belongs to the connection: what waits to be written, what was read.
    pub(crate) fn forget(&mut self) {
        match self {
            Self::V311(eventloop) => {
                // Drops the acknowledgements that came in since rumqttc cleaned up itself.
                eventloop.clean();
                eventloop.pending.clear();
                eventloop.state.events.clear();
            }
            Self::V5(eventloop) => {
                eventloop.clean();
                eventloop.pending.clear();
                eventloop.state.events.clear();
            }
        }
    }

    /// Whether the next connection takes up the session that the broker keeps, or drops it.
    pub(crate) fn keep_session(&mut self, is_kept: bool) {
        match self {
            Self::V311(eventloop) => {
                eventloop.mqtt_options.set_clean_session(!is_kept);
            }
            Self::V5(eventloop) => {
                eventloop.options.set_clean_start(!is_kept);
            }
        }
    }
}

fn heard_311(event: rumqttc::Event) -> Heard {
    use rumqttc::{Event, Packet, QoS, SubscribeReasonCode};
    match event {
        Event::Incoming(Packet::ConnAck(connack)) => {
            Heard::Connected { session_present: connack.session_present }
        }
        Event::Incoming(Packet::SubAck(suback)) => {
            let granted = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(QoS::AtLeastOnce) => Ok(()),
                other => Err(format!("{other:?}")),
            };
            Heard::Subscribed(suback.return_codes.iter().map(granted).collect())
        }
        Event::Incoming(Packet::Publish(publish)) => Heard::Message {
            topic: Bytes::from(publish.topic),
            payload: publish.payload,
            is_retained: publish.retain,
            packet: (publish.qos != QoS::AtMostOnce).then_some(publish.pkid),
        },
        Event::Outgoing(rumqttc::Outgoing::Disconnect) => Heard::Farewell,
        Event::Incoming(_) | Event::Outgoing(_) => Heard::Other,
    }
}

fn heard_5(event: v5::Event) -> Heard {
    use v5::mqttbytes::{QoS, v5::Packet, v5::SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(connack)) => {
            Heard::Connected { session_present: connack.session_present }
        }
        v5::Event::Incoming(Packet::SubAck(suback)) => {
            let granted = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(QoS::AtLeastOnce) => Ok(()),
                other => Err(format!("{other:?}")),
            };
            Heard::Subscribed(suback.return_codes.iter().map(granted).collect())
        }
        v5::Event::Incoming(Packet::Publish(publish)) => Heard::Message {
            topic: publish.topic,
            payload: publish.payload,
            is_retained: publish.retain,
            packet: (publish.qos != QoS::AtMostOnce).then_some(publish.pkid),
        },
        v5::Event::Outgoing(rumqttc::Outgoing::Disconnect) => Heard::Farewell,
        v5::Event::Incoming(_) | v5::Event::Outgoing(_) => Heard::Other,
    }
}

fn broken_311(error: &rumqttc::ConnectionError) -> Broken {
    use rumqttc::{ConnectionError, StateError, mqttbytes};
    let is_poison = matches!(
        error,
        ConnectionError::MqttState(StateError::Deserialization(cause))
            if !matches!(cause, mqttbytes::Error::Io(_))
    );
    Broken { reason: in_words(error), is_poison }
}

fn broken_5(error: &v5::ConnectionError) -> Broken {
    use v5::{ConnectionError, StateError, mqttbytes};
    let is_poison = match error {
        ConnectionError::MqttState(StateError::Deserialization(cause)) => {
            !matches!(cause, mqttbytes::Error::Io(_))
        }
        ConnectionError::MqttState(StateError::IncomingPacketTooLarge { .. }) => true,
        _ => false,
    };
    Broken { reason: in_words(error), is_poison }
}

/// Returns an error and its causes, of which rumqttc leaves some to `source`.
fn in_words(error: &dyn std::error::Error) -> String {
    let (mut words, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        let more = next.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = next.source();
    }
    words
}
