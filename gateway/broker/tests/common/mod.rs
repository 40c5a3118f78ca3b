//! Clients on loopback for the broker's tests.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Config, Gatekeeper, Rights};
use measure::{NodeKey, Slug};
use rumqttc::v5;

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Knows the nodes of site `s` (password `secret-of-NODE`) and the gateway (`secret-of-gateway`).
pub(crate) struct Doorman;

impl Gatekeeper for Doorman {
    fn admit(&self, _client_id: &str, username: &str, password: &[u8]) -> Option<Rights> {
        let (name, rights) = match username.split_once('/') {
            Some((site, node)) => (
                node,
                Rights::Node(NodeKey { site: Slug::new(site).ok()?, node: Slug::new(node).ok()? }),
            ),
            None => (username, Rights::Gateway),
        };
        (password == format!("secret-of-{name}").as_bytes()).then_some(rights)
    }
}

pub(crate) fn start() -> Broker {
    let listen = "127.0.0.1:0".parse().unwrap();
    broker::start(Config { listen, tls: None, listener: None }, Arc::new(Doorman)).unwrap()
}

/// An MQTT 5 client, its events pumped into a channel until it is dropped.
pub(crate) struct Client {
    pub(crate) client: v5::AsyncClient,
    pub(crate) events: tokio::sync::mpsc::Receiver<Result<v5::Event, v5::ConnectionError>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn options(
    broker: &Broker,
    id: &str,
    username: &str,
    password: &str,
) -> v5::MqttOptions {
    let address = broker.address();
    let mut options = v5::MqttOptions::new(id, address.ip().to_string(), address.port());
    options.set_credentials(username, password);
    options.set_keep_alive(Duration::from_secs(5));
    options
}

/// Connects with these options; the pump ends at the first error.
pub(crate) fn open(options: v5::MqttOptions) -> Client {
    let (client, mut eventloop) = v5::AsyncClient::new(options, 4_096);
    let (sender, events) = tokio::sync::mpsc::channel(65_536);
    let task = tokio::spawn(async move {
        loop {
            let event = eventloop.poll().await;
            let is_over = event.is_err();
            if sender.send(event).await.is_err() || is_over {
                return;
            }
        }
    });
    Client { client, events, task }
}

pub(crate) async fn connect(broker: &Broker, username: &str) -> Client {
    let name = username.rsplit('/').next().unwrap();
    let id = if username.contains('/') { username } else { "miaopu-gateway-test" };
    let mut client = open(options(broker, id, username, &format!("secret-of-{name}")));
    client
        .until(|event| matches!(event, v5::Event::Incoming(v5::Incoming::ConnAck(_))).then_some(()))
        .await;
    client
}

impl Client {
    /// Waits for an event that `pick` takes; panics at the deadline or where the connection ends.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(&v5::Event) -> Option<T>) -> T {
        tokio::time::timeout(DEADLINE, async {
            loop {
                let event = self.events.recv().await.expect("the connection ended");
                if let Some(found) = pick(&event.expect("the connection failed")) {
                    return found;
                }
            }
        })
        .await
        .expect("the deadline passed")
    }

    /// Waits for the end of the connection.
    pub(crate) async fn failure(&mut self) -> v5::ConnectionError {
        tokio::time::timeout(DEADLINE, async {
            loop {
                if let Err(error) = self.events.recv().await.expect("the pump ended") {
                    return error;
                }
            }
        })
        .await
        .expect("the deadline passed")
    }

    pub(crate) async fn subscribe(
        &mut self,
        filter: &str,
    ) -> v5::mqttbytes::v5::SubscribeReasonCode {
        self.client.subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).await.unwrap();
        self.until(|event| match event {
            v5::Event::Incoming(v5::Incoming::SubAck(ack)) => ack.return_codes.first().copied(),
            _ => None,
        })
        .await
    }

    pub(crate) async fn publish(&mut self, topic: &str, retain: bool, payload: &[u8]) {
        self.client
            .publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload.to_vec())
            .await
            .unwrap();
    }

    pub(crate) async fn puback(&mut self) -> v5::mqttbytes::v5::PubAckReason {
        self.until(|event| match event {
            v5::Event::Incoming(v5::Incoming::PubAck(ack)) => Some(ack.reason),
            _ => None,
        })
        .await
    }

    pub(crate) async fn message(&mut self) -> v5::mqttbytes::v5::Publish {
        self.until(|event| match event {
            v5::Event::Incoming(v5::Incoming::Publish(publish)) => Some(publish.clone()),
            _ => None,
        })
        .await
    }
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    tokio::time::timeout(DEADLINE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never came: {what}"));
}
