//! What the broker refuses, how it says so to the client and in the log, and that the flow goes on.
//! Real clients on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use broker::{PACKET_BYTES_MAX, Refusal};
use common::{DEADLINE, connect, eventually, open, options, start};
use rumqttc::v5;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, LastWill, PubAckReason, SubscribeReasonCode};

/// Every line that was logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self, needle: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        text.lines().filter(|line| line.contains(needle)).map(str::to_owned).collect()
    }
}

/// Captures the log of the whole process, from its first test on.
fn log() -> Log {
    static LOG: std::sync::OnceLock<Log> = std::sync::OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .init();
        log
    })
    .clone()
}

fn refused(error: &v5::ConnectionError) -> ConnectReturnCode {
    match error {
        v5::ConnectionError::ConnectionRefused(code) => *code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_by_name_and_never_logged() {
    let (log, broker) = (log(), start());
    for _ in 0..3 {
        let mut client = open(options(&broker, "s/liar", "s/liar", "hunter2-not-the-one"));
        assert_eq!(refused(&client.failure().await), ConnectReturnCode::BadUserNamePassword);
    }
    let mut options = rumqttc::MqttOptions::new(
        "s/liar",
        broker.address().ip().to_string(),
        broker.address().port(),
    );
    options.set_credentials("s/liar", "hunter2-not-the-one");
    let (_client, mut eventloop) = rumqttc::AsyncClient::new(options, 10);
    let error = eventloop.poll().await.unwrap_err();
    assert!(
        matches!(
            error,
            rumqttc::ConnectionError::ConnectionRefused(
                rumqttc::ConnectReturnCode::BadUserNamePassword
            )
        ),
        "{error}"
    );
    assert_eq!(broker.refusals().count(Refusal::BadCredentials), 4);
    let lines: Vec<_> = log
        .lines("bad_credentials")
        .into_iter()
        .filter(|line| line.contains("s/liar") && line.contains("WARN"))
        .collect();
    assert_eq!(lines.len(), 1, "one line for four tries: {lines:?}");
    assert_eq!(log.lines("hunter2"), Vec::<String>::new());
    assert_eq!(log.lines("secret-of"), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_comes_in_without_a_name() {
    let _ = log();
    let broker = start();
    let address = broker.address();
    let options = v5::MqttOptions::new("anyone", address.ip().to_string(), address.port());
    let error = open(options).failure().await;
    assert_eq!(refused(&error), ConnectReturnCode::BadUserNamePassword);
}

#[tokio::test]
async fn a_foreign_topic_is_refused_and_the_connection_goes_on() {
    let (log, broker) = (log(), start());
    let mut gateway = connect(&broker, "gateway").await;
    assert!(matches!(gateway.subscribe("miaopu/1/#").await, SubscribeReasonCode::Success(_)));
    let mut node = connect(&broker, "s/mole").await;
    for topic in ["miaopu/1/s/other/data", "miaopu/1/s/mole/ack", "elsewhere"] {
        node.publish(topic, false, b"x").await;
        assert_eq!(node.puback().await, PubAckReason::NotAuthorized);
    }
    for filter in ["#", "miaopu/1/s/other/ack", "miaopu/1/s/mole/data", "miaopu/1/s/mole/+"] {
        assert_eq!(node.subscribe(filter).await, SubscribeReasonCode::NotAuthorized);
    }
    node.publish("miaopu/1/s/mole/data", false, b"mine").await;
    assert_eq!(node.puback().await, PubAckReason::Success);
    assert_eq!(&gateway.message().await.payload[..], b"mine");
    assert_eq!(broker.refusals().count(Refusal::ForeignPublish), 3);
    assert_eq!(broker.refusals().count(Refusal::ForeignSubscribe), 4);
    let lines = log.lines("foreign_publish");
    assert_eq!(lines.iter().filter(|line| line.contains("s/mole")).count(), 1, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("miaopu/1/s/other/data")), "{lines:?}");
}

#[tokio::test]
async fn a_foreign_topic_closes_an_old_client() {
    let _ = log();
    let broker = start();
    let mut options = rumqttc::MqttOptions::new(
        "s/old",
        broker.address().ip().to_string(),
        broker.address().port(),
    );
    options.set_credentials("s/old", "secret-of-old");
    let (client, mut eventloop) = rumqttc::AsyncClient::new(options, 10);
    let qos = rumqttc::QoS::AtLeastOnce;
    client.publish("miaopu/1/s/old/data", qos, false, "mine").await.unwrap();
    let is_acknowledged =
        |event: &_| matches!(event, rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)));
    let flow = async {
        while !is_acknowledged(&eventloop.poll().await.unwrap()) {}
        client.publish("miaopu/1/s/other/data", qos, false, "foreign").await.unwrap();
        while let Ok(event) = eventloop.poll().await {
            assert!(!is_acknowledged(&event), "a lie: {event:?}");
        }
    };
    tokio::time::timeout(DEADLINE, flow).await.expect("the connection stayed open");
}

#[tokio::test]
async fn a_foreign_will_is_refused_at_the_door() {
    let _ = log();
    let broker = start();
    for (topic, expect) in [
        ("miaopu/1/s/other/death", Some(ConnectReturnCode::NotAuthorized)),
        ("miaopu/1/s/heir/death", None),
    ] {
        let mut options = options(&broker, "s/heir", "s/heir", "secret-of-heir");
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        options.set_last_will(LastWill::new(topic, "gone", qos, false, None));
        let mut client = open(options);
        match expect {
            Some(code) => assert_eq!(refused(&client.failure().await), code),
            None => {
                client
                    .until(|event| {
                        matches!(event, v5::Event::Incoming(v5::Incoming::ConnAck(_))).then_some(())
                    })
                    .await;
            }
        }
    }
    assert_eq!(broker.refusals().count(Refusal::ForeignWill), 1);
}

#[tokio::test]
async fn a_client_id_is_taken_over_by_its_own_account_only() {
    let _ = log();
    let broker = start();
    let mut first = connect(&broker, "s/twin").await;
    let mut thief = open(options(&broker, "s/twin", "s/thief", "secret-of-thief"));
    assert_eq!(refused(&thief.failure().await), ConnectReturnCode::NotAuthorized);
    let mut squatter =
        open(options(&broker, "miaopu-gateway-ingest", "s/thief", "secret-of-thief"));
    assert_eq!(refused(&squatter.failure().await), ConnectReturnCode::NotAuthorized);
    first.publish("miaopu/1/s/twin/data", false, b"still here").await;
    assert_eq!(first.puback().await, PubAckReason::Success);
    let mut second = connect(&broker, "s/twin").await;
    let _ended = first.failure().await;
    second.publish("miaopu/1/s/twin/data", false, b"moved").await;
    assert_eq!(second.puback().await, PubAckReason::Success);
    assert_eq!(broker.refusals().count(Refusal::ForeignClientId), 2);
}

#[tokio::test]
async fn an_oversize_packet_ends_its_connection_and_no_other() {
    let (log, broker) = (log(), start());
    let mut other = connect(&broker, "s/slim").await;
    // The client library obeys the broker's limit, so the packet is written by hand.
    let mut socket = tokio::net::TcpStream::connect(broker.address()).await.unwrap();
    raw::connect(&mut socket, "s/fat", "s/fat", "secret-of-fat").await;
    raw::publish(&mut socket, "miaopu/1/s/fat/data", PACKET_BYTES_MAX as usize + 1).await;
    raw::until_closed(&mut socket).await;
    let refusals = broker.refusals();
    eventually("the count", || refusals.count(Refusal::Oversize) == 1).await;
    assert!(log.lines("oversize").iter().any(|line| line.contains("s/fat")));
    other.publish("miaopu/1/s/slim/data", false, &vec![7; 8_000]).await;
    assert_eq!(other.puback().await, PubAckReason::Success);
}

#[tokio::test]
async fn bytes_that_are_no_mqtt_harm_nobody() {
    let _ = log();
    let broker = start();
    let mut other = connect(&broker, "s/calm").await;
    for seed in 0..50_u8 {
        let mut socket = tokio::net::TcpStream::connect(broker.address()).await.unwrap();
        if seed % 2 == 0 {
            let id = format!("noise-{seed}");
            raw::connect(&mut socket, &id, "s/noise", "secret-of-noise").await;
        }
        let noise: Vec<u8> = (0..200_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761).rotate_left(u32::from(seed)) >> 7) as u8)
            .collect();
        // The broker may close before all of it is written.
        drop(tokio::io::AsyncWriteExt::write_all(&mut socket, &noise).await);
    }
    other.publish("miaopu/1/s/calm/data", false, b"x").await;
    assert_eq!(other.puback().await, PubAckReason::Success);
}

/// MQTT 5 by hand, for what a client library would not send.
mod raw {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }

    fn packet(first: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        let mut length = body.len();
        loop {
            let byte = (length % 128) as u8;
            length /= 128;
            out.push(if length > 0 { byte | 0x80 } else { byte });
            if length == 0 {
                break;
            }
        }
        out.extend_from_slice(body);
        out
    }

    pub(crate) async fn connect(socket: &mut TcpStream, id: &str, name: &str, password: &str) {
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.extend_from_slice(&[5, 0b1100_0010, 0, 60, 0]);
        for field in [id, name, password] {
            text(&mut body, field);
        }
        socket.write_all(&packet(0x10, &body)).await.unwrap();
        let mut head = [0; 4];
        tokio::time::timeout(super::DEADLINE, socket.read_exact(&mut head)).await.unwrap().unwrap();
        assert_eq!((head[0], head[3]), (0x20, 0), "refused: {head:?}");
    }

    pub(crate) async fn publish(socket: &mut TcpStream, topic: &str, bytes: usize) {
        let mut body = Vec::new();
        text(&mut body, topic);
        body.push(0);
        body.resize(body.len() + bytes, 0);
        // The broker may close before all of it is written.
        drop(socket.write_all(&packet(0x30, &body)).await);
    }

    pub(crate) async fn until_closed(socket: &mut TcpStream) {
        let mut rest = Vec::new();
        drop(tokio::time::timeout(super::DEADLINE, socket.read_to_end(&mut rest)).await.unwrap());
    }
}
