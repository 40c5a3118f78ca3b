//! A broker that forgets the session between a delivery and its acknowledgement, written by hand.

use std::sync::Arc;

use crate::common::{
    Book, DEADLINE, Gateway, Memory, NEVER, birth, bytes, eventually, node_key, now, sampled,
};
use measure::{BootId, FlashId, Sequence, Uptime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::{Body, Data};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;

/// One connection of the forgetful broker.
struct Peer(TcpStream);

impl Peer {
    /// Accepts a client, admits it without a session, and grants its subscriptions with `code`.
    async fn accept(listener: &TcpListener, code: u8) -> Self {
        let accepted = tokio::time::timeout(DEADLINE, listener.accept()).await.unwrap();
        let mut peer = Self(accepted.unwrap().0);
        peer.until(CONNECT).await;
        peer.send(0x20, &[0, 0, 0]).await;
        let subscribe = peer.until(SUBSCRIBE).await;
        peer.send(0x90, &[subscribe[0], subscribe[1], 0, code, code, code]).await;
        peer
    }

    async fn send(&mut self, first: u8, body: &[u8]) {
        let mut packet = vec![first];
        let mut length = body.len();
        while length >= 128 {
            packet.push((length % 128) as u8 | 0x80);
            length /= 128;
        }
        packet.push(length as u8);
        packet.extend_from_slice(body);
        self.0.write_all(&packet).await.unwrap();
    }

    /// Publishes at QoS 1 under a packet id of the broker's choice.
    async fn publish(&mut self, topic: &str, id: u8, payload: &[u8]) {
        let mut body = vec![0, topic.len() as u8];
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(&[0, id, 0]);
        body.extend_from_slice(payload);
        self.send(0x32, &body).await;
    }

    /// Reads packets until one of this type; returns its body.
    async fn until(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let (found, body) =
                tokio::time::timeout(DEADLINE, self.read()).await.expect("no such packet");
            if found == kind {
                return body;
            }
        }
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let first = self.0.read_u8().await.unwrap();
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.0.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        (first >> 4, body)
    }
}

fn frame(sequence: u64) -> Vec<u8> {
    let body = Body::Readings {
        first: Sequence(sequence),
        boot_utc: Some(now().plus_ms(-60_000)),
        uncertain: false,
        history: false,
        readings: [sampled(0, 1_000, 20_000)].into_iter().collect(),
    };
    let data = Data { flash: FlashId(7), boot: BootId(1), sent: Uptime(60_000), body };
    bytes(&data, wire::encode_data)
}

async fn gateway_of(listener: &TcpListener) -> Gateway {
    let book = Book::default();
    book.births.lock().unwrap().insert(node_key("n"), birth(7, 1, 1));
    let port = listener.local_addr().unwrap().port();
    Gateway::begin(port, Arc::new(Memory::default()), Arc::new(book))
}

const TOPIC: &str = "miaopu/1/s/n/data";

#[tokio::test]
async fn an_acknowledgement_of_a_lost_session_confirms_nothing_in_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway_of(&listener).await;
    gateway.store.shut();
    let mut first = Peer::accept(&listener, 1).await;
    first.publish(TOPIC, 1, &frame(1)).await;
    eventually("the first is held up", || gateway.outlets.counters.messages.get() == 1).await;
    // More arrives in the breath in which the connection breaks.
    for id in 2..10 {
        first.publish(TOPIC, id, &frame(u64::from(id))).await;
    }
    drop(first);

    let mut second = Peer::accept(&listener, 1).await;
    second.publish(TOPIC, 1, &frame(100)).await;
    second.publish(TOPIC, 2, &frame(101)).await;
    tokio::time::sleep(NEVER).await;
    gateway.store.let_through(Some(1));
    eventually("the first is on disk", || gateway.store.count() == 1).await;
    if let Ok((kind, body)) = tokio::time::timeout(NEVER, second.read()).await {
        assert_ne!(kind, PUBACK, "confirmed a message that is not on disk: {body:?}");
    }
    gateway.store.open();
    assert_eq!(second.until(PUBACK).await[..2], [0, 1]);
    assert_eq!(second.until(PUBACK).await[..2], [0, 2]);
    let has = |sequence| {
        let key = (node_key("n"), FlashId(7), Sequence(sequence));
        gateway.store.with(|kept| kept.samples.contains_key(&key))
    };
    assert!(has(1) && has(100) && has(101));
}

#[tokio::test]
async fn a_message_is_confirmed_to_the_broker_only_after_its_commit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway_of(&listener).await;
    gateway.store.shut();
    let mut peer = Peer::accept(&listener, 1).await;
    peer.publish(TOPIC, 1, &frame(1)).await;
    assert!(tokio::time::timeout(NEVER, peer.read()).await.is_err(), "confirmed too early");
    gateway.store.open();
    assert_eq!(peer.until(PUBACK).await[..2], [0, 1]);
    // The node is told at QoS 0.
    assert!(!peer.until(PUBLISH).await.is_empty());
}

#[tokio::test]
async fn a_refused_subscription_is_tried_again_in_a_new_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway_of(&listener).await;
    let _refuses = Peer::accept(&listener, 0x87).await;
    let health = gateway.outlets.health.subscribe();
    eventually("the refusal", || {
        matches!(&health.borrow().link, ingest::Link::Down { reason } if reason.contains("refused"))
    })
    .await;
    let _grants_too_little = Peer::accept(&listener, 0).await;
    let _grants = Peer::accept(&listener, 1).await;
    gateway.is_up().await;
}
