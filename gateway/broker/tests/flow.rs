//! What the broker carries: messages, retained births, wills, queues. Real clients on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, NODE_QUEUE_MESSAGES_MAX, Refusal};
use common::{connect, eventually, open, options, start};
use rumqttc::v5;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, PubAckReason, SubscribeReasonCode};

async fn retained(broker: &Broker, filter: &str) -> Vec<String> {
    let mut gateway = connect(broker, "gateway").await;
    assert!(matches!(gateway.subscribe(filter).await, SubscribeReasonCode::Success(_)));
    // A live message behind the retained ones says when they are over.
    gateway.publish("miaopu/1/end/end/end", false, b"end").await;
    let mut topics = Vec::new();
    while topics.len() < 300 {
        let message = gateway.message().await;
        if &message.payload[..] == b"end" {
            continue;
        }
        assert!(message.retain);
        topics.push(String::from_utf8(message.topic.to_vec()).unwrap());
    }
    topics
}

#[tokio::test]
async fn three_hundred_retained_births_reach_a_late_subscriber() {
    let broker = start();
    for node in 0..300 {
        let mut client = connect(&broker, &format!("s/n{node}")).await;
        client.publish(&format!("miaopu/1/s/n{node}/birth"), true, b"born").await;
        assert_eq!(client.puback().await, PubAckReason::Success);
    }
    let mut topics = retained(&broker, "miaopu/1/#").await;
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), 300);
}

#[tokio::test]
async fn a_will_is_published_when_the_connection_breaks() {
    let broker = start();
    let mut gateway = connect(&broker, "gateway").await;
    assert!(matches!(
        gateway.subscribe("miaopu/1/+/+/death").await,
        SubscribeReasonCode::Success(_)
    ));
    let mut options = options(&broker, "s/mortal", "s/mortal", "secret-of-mortal");
    options.set_last_will(LastWill::new(
        "miaopu/1/s/mortal/death",
        "gone",
        QoS::AtLeastOnce,
        false,
        None,
    ));
    let mut node = open(options);
    node.until(|event| {
        matches!(event, v5::Event::Incoming(v5::Incoming::ConnAck(_))).then_some(())
    })
    .await;
    drop(node);
    assert_eq!(&gateway.message().await.payload[..], b"gone");
}

#[tokio::test]
async fn a_full_queue_drops_its_oldest_and_the_flow_goes_on() {
    let broker = start();
    let mut asleep = options(&broker, "s/asleep", "s/asleep", "secret-of-asleep");
    asleep.set_clean_start(false);
    asleep.set_session_expiry_interval(Some(600));
    let mut node = open(asleep.clone());
    assert!(matches!(
        node.subscribe("miaopu/1/s/asleep/cmd").await,
        SubscribeReasonCode::Success(_)
    ));
    drop(node);
    let mut gateway = connect(&broker, "gateway").await;
    let sent = NODE_QUEUE_MESSAGES_MAX + 10;
    // The session has to be seen offline first, else messages go to the dead connection.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for number in 0..sent {
        gateway.publish("miaopu/1/s/asleep/cmd", false, number.to_string().as_bytes()).await;
        assert_eq!(gateway.puback().await, PubAckReason::Success);
    }
    let refusals = broker.refusals();
    eventually("the oldest are dropped", || refusals.count(Refusal::QueueFull) == 10).await;
    let mut node = open(asleep);
    for number in 10..sent {
        assert_eq!(node.message().await.payload, number.to_string().as_bytes());
    }
}

#[tokio::test]
async fn two_brokers_live_in_one_process_and_a_stopped_one_lets_its_port_go() {
    let (first, second) = (start(), start());
    assert_ne!(first.address(), second.address());
    let mut one = connect(&first, "s/one").await;
    let mut two = connect(&second, "s/two").await;
    let address = first.address();
    tokio::task::spawn_blocking(move || first.stop()).await.unwrap();
    let _closed = one.failure().await;
    two.publish("miaopu/1/s/two/data", false, b"x").await;
    assert_eq!(two.puback().await, PubAckReason::Success);
    let again = broker::start(
        broker::Config { listen: address, tls: None, listener: None },
        Arc::new(common::Doorman),
    )
    .unwrap();
    assert_eq!(again.address(), address);
    let _one = connect(&again, "s/one").await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let broker = start();
    let error = broker::start(
        broker::Config { listen: broker.address(), tls: None, listener: None },
        Arc::new(common::Doorman),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&broker.address().to_string()), "{error}");
}
