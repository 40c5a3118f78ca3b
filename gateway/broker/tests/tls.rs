//! MQTT over TLS: who gets in, who does not, and that nothing else changes. Real clients on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Config, Refusal, Tls};
use common::{Client, DEADLINE, Doorman, eventually, open};
use measure::Timestamp;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, LastWill, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{self, ConnectionError};
use rumqttc::{TlsConfiguration, Transport};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use trust::{Names, Trust};

/// 2026-11-23T06:00:00Z.
const NOW_MS: i64 = 1_795_413_600_000;

#[derive(Debug)]
struct Now;

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(NOW_MS.unsigned_abs())))
    }
}

struct World {
    broker: Broker,
    tls: SocketAddr,
    trust: Trust,
    _dir: tempfile::TempDir,
}

fn authority(dir: &tempfile::TempDir, name: &str) -> Trust {
    let now = Timestamp::from_millis(NOW_MS).unwrap();
    trust::open(&dir.path().join(name), &Names::new("shed", &[], []), None, now).unwrap()
}

fn start() -> World {
    let dir = tempfile::tempdir().unwrap();
    let trust = authority(&dir, "tls");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = listener.local_addr().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Some(Tls { listener, config: trust.mqtt().unwrap() }),
        listener: None,
    };
    World { broker: broker::start(config, Arc::new(Doorman)).unwrap(), tls, trust, _dir: dir }
}

fn trusting(ca_pem: Option<&str>, version: &'static SupportedProtocolVersion) -> Transport {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Now))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    Transport::Tls(TlsConfiguration::Rustls(Arc::new(config)))
}

impl World {
    fn options(&self, username: &str, password: &str) -> v5::MqttOptions {
        let mut options =
            v5::MqttOptions::new(username, self.tls.ip().to_string(), self.tls.port());
        options.set_credentials(username, password).set_keep_alive(Duration::from_secs(5));
        options.set_transport(trusting(Some(&self.trust.about().pem), &TLS13));
        options
    }

    async fn connect(&self, username: &str) -> Client {
        let name = username.rsplit('/').next().unwrap();
        let mut client = open(self.options(username, &format!("secret-of-{name}")));
        client
            .until(|event| {
                matches!(event, v5::Event::Incoming(v5::Incoming::ConnAck(_))).then_some(())
            })
            .await;
        client
    }
}

#[tokio::test]
async fn a_node_that_trusts_the_authority_speaks_over_tls_1_2_and_1_3() {
    let world = start();
    let mut gateway = common::connect(&world.broker, "gateway").await;
    assert!(matches!(
        gateway.subscribe("miaopu/1/+/+/data").await,
        SubscribeReasonCode::Success(_)
    ));
    for (node, version) in [("s/new", &TLS13), ("s/old", &TLS12)] {
        let mut options = world.options(node, &format!("secret-of-{}", &node[2..]));
        options.set_transport(trusting(Some(&world.trust.about().pem), version));
        let mut client = open(options);
        let topic = format!("miaopu/1/{node}/data");
        client.publish(&topic, false, &[b'x'; 8_000]).await;
        assert_eq!(client.puback().await, PubAckReason::Success);
        assert_eq!(gateway.message().await.payload.len(), 8_000);
        assert!(matches!(
            client.subscribe(&format!("miaopu/1/{node}/ack")).await,
            SubscribeReasonCode::Success(_)
        ));
        gateway.publish(&format!("miaopu/1/{node}/ack"), false, &[b'y'; 5_000]).await;
        assert_eq!(client.message().await.payload.len(), 5_000);
    }
    assert_eq!(world.broker.refusals().count(Refusal::TlsFailed), 0);
}

#[tokio::test]
async fn an_old_client_speaks_mqtt_3_1_1_over_tls() {
    let world = start();
    let mut options =
        rumqttc::MqttOptions::new("s/elder", world.tls.ip().to_string(), world.tls.port());
    options.set_credentials("s/elder", "secret-of-elder");
    options.set_transport(trusting(Some(&world.trust.about().pem), &TLS12));
    let (_client, mut events) = rumqttc::AsyncClient::new(options, 10);
    let event = tokio::time::timeout(DEADLINE, events.poll()).await.unwrap().unwrap();
    assert!(matches!(event, rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))), "{event:?}");
}

#[tokio::test]
async fn a_client_without_the_authority_goes_no_further() {
    let world = start();
    let dir = tempfile::tempdir().unwrap();
    let other = authority(&dir, "other");
    for ca in [None, Some(other.about().pem.as_str())] {
        let mut options = world.options("s/stranger", "secret-of-stranger");
        options.set_transport(trusting(ca, &TLS13));
        let error = open(options).failure().await;
        assert!(matches!(error, ConnectionError::Tls(_)), "{error}");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }
    let refusals = world.broker.refusals();
    eventually("both are counted", || refusals.count(Refusal::TlsFailed) == 2).await;
}

#[tokio::test]
async fn credentials_and_topic_rights_are_the_same_over_tls() {
    let world = start();
    let error = open(world.options("s/liar", "wrong")).failure().await;
    assert!(
        matches!(error, ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword)),
        "{error}"
    );
    let mut node = world.connect("s/mole").await;
    node.publish("miaopu/1/s/other/data", false, b"x").await;
    assert_eq!(node.puback().await, PubAckReason::NotAuthorized);
    assert_eq!(node.subscribe("#").await, SubscribeReasonCode::NotAuthorized);
}

#[tokio::test]
async fn the_will_of_a_node_over_tls_is_published_when_it_breaks() {
    let world = start();
    let mut gateway = common::connect(&world.broker, "gateway").await;
    let death = "miaopu/1/s/mortal/death";
    assert!(matches!(gateway.subscribe(death).await, SubscribeReasonCode::Success(_)));
    let mut options = world.options("s/mortal", "secret-of-mortal");
    options.set_last_will(LastWill::new(death, "gone", QoS::AtLeastOnce, false, None));
    let mut node = open(options);
    node.until(|event| {
        matches!(event, v5::Event::Incoming(v5::Incoming::ConnAck(_))).then_some(())
    })
    .await;
    drop(node);
    assert_eq!(&gateway.message().await.payload[..], b"gone");
}

#[tokio::test]
async fn plain_mqtt_at_the_tls_port_is_closed_with_an_alert_and_counted() {
    let world = start();
    let address = world.tls;
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // CONNECT, MQTT 5, clean start, keep alive 60 s, no client id.
        stream.write_all(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    // One TLS record of content type 21, an alert, and nothing of MQTT.
    let answer = answer.await.unwrap();
    assert!(answer.first() == Some(&21) && answer.len() == 7, "{answer:?}");
    let refusals = world.broker.refusals();
    eventually("it is counted", || refusals.count(Refusal::TlsFailed) == 1).await;
    let _node = world.connect("s/next").await;
}

#[tokio::test]
async fn a_certificate_is_renewed_while_nodes_stay_connected() {
    let world = start();
    let mut before = world.connect("s/before").await;
    let now = Timestamp::from_millis(NOW_MS).unwrap();
    let moved = Names::new("shed", &[], ["10.1.2.3".parse().unwrap()]);
    assert!(matches!(world.trust.renew(&moved, now).unwrap(), trust::Renewal::Renewed(_)));
    let _after = world.connect("s/after").await;
    before.publish("miaopu/1/s/before/data", false, b"x").await;
    assert_eq!(before.puback().await, PubAckReason::Success);
}

#[tokio::test]
async fn tls_at_the_plain_port_ends_at_once() {
    let (world, plain) = (start(), common::start());
    let options = world.options("s/lost", "secret-of-lost");
    let address = plain.address();
    let mut moved = v5::MqttOptions::new("s/lost", address.ip().to_string(), address.port());
    moved.set_transport(options.transport());
    let error = open(moved).failure().await;
    assert!(matches!(error, ConnectionError::Tls(_) | ConnectionError::Io(_)), "{error}");
}
