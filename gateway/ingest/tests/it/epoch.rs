//! A broker written by hand, in both protocols: one that forgets the session between a delivery and its
//! acknowledgement, forgets subscriptions, refuses some, sends too much, too large or too fast.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{
    Book, DEADLINE, Gateway, Memory, NEVER, birth, bytes, config, eventually, node_key, now,
    sampled,
};
use ingest::{
    FILTERS, INBOX_MESSAGES_MAX, Link, MESSAGES_PER_COMMIT_MAX, PACKET_BYTES_MAX, Protocol,
};
use measure::{BootId, FlashId, Sequence, Uptime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::{Body, Data};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const PING: u8 = 12;

/// One connection of the broker.
struct Peer {
    stream: TcpStream,
    protocol: Protocol,
    /// The body of the CONNECT packet.
    connect: Vec<u8>,
}

impl Peer {
    /// Accepts a client, admits it without a session, and grants its subscriptions with `code`.
    async fn accept(listener: &TcpListener, protocol: Protocol, code: u8) -> Self {
        Self::admit(listener, protocol, false, &[code; FILTERS.len()]).await
    }

    /// Accepts a client, says whether it has a session, and answers its subscription with `codes`.
    async fn admit(
        listener: &TcpListener,
        protocol: Protocol,
        session_present: bool,
        codes: &[u8],
    ) -> Self {
        let accepted = tokio::time::timeout(DEADLINE, listener.accept()).await.unwrap();
        let mut peer = Self { stream: accepted.unwrap().0, protocol, connect: Vec::new() };
        peer.connect = peer.until(CONNECT).await;
        let body = [u8::from(session_present), 0, 0];
        peer.send(0x20, &body[..2 + peer.properties().len()]).await;
        peer.answer_subscription(codes).await;
        peer
    }

    /// No properties, where the protocol has some.
    fn properties(&self) -> &'static [u8] {
        if self.protocol == Protocol::V5 { &[0] } else { &[] }
    }

    /// Answers the next SUBSCRIBE; returns its body.
    async fn answer_subscription(&mut self, codes: &[u8]) -> Vec<u8> {
        let subscribe = self.until(SUBSCRIBE).await;
        let mut answer = vec![subscribe[0], subscribe[1]];
        answer.extend_from_slice(self.properties());
        answer.extend_from_slice(codes);
        self.send(0x90, &answer).await;
        subscribe
    }

    async fn send(&mut self, first: u8, body: &[u8]) {
        let packet = packet(first, body);
        self.stream.write_all(&packet).await.unwrap();
    }

    /// Publishes at QoS 1 under a packet id of the broker's choice.
    async fn publish(&mut self, topic: &str, id: u16, payload: &[u8]) {
        let packet = self.publication(topic, id, payload);
        self.stream.write_all(&packet).await.unwrap();
    }

    fn publication(&self, topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
        let mut body = vec![0, topic.len() as u8];
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(&id.to_be_bytes());
        body.extend_from_slice(self.properties());
        body.extend_from_slice(payload);
        packet(0x32, &body)
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

    /// Reads packets until an acknowledgement; returns the packet id.
    async fn puback(&mut self) -> u16 {
        let body = self.until(PUBACK).await;
        u16::from_be_bytes([body[0], body[1]])
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let first = self.stream.read_u8().await.unwrap();
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        (first >> 4, body)
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    while length >= 128 {
        packet.push((length % 128) as u8 | 0x80);
        length /= 128;
    }
    packet.push(length as u8);
    packet.extend_from_slice(body);
    packet
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

async fn gateway_of(listener: &TcpListener, protocol: Protocol, check: Duration) -> Gateway {
    let book = Book::default();
    book.births.lock().unwrap().insert(node_key("n"), birth(7, 1, 1));
    let port = listener.local_addr().unwrap().port();
    let config = ingest::Config { protocol, self_check: check, ..config(port) };
    Gateway::begin_with(config, Arc::new(Memory::default()), Arc::new(book))
}

/// A broker and a gateway that speak this protocol; subscriptions are looked after too seldom to matter.
async fn pair(protocol: Protocol) -> (TcpListener, Gateway) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway_of(&listener, protocol, 2 * DEADLINE).await;
    (listener, gateway)
}

const PROTOCOLS: [Protocol; 2] = [Protocol::V5, Protocol::V311];
const TOPIC: &str = "miaopu/1/s/n/data";

fn is_kept(gateway: &Gateway, sequence: u64) -> bool {
    let key = (node_key("n"), FlashId(7), Sequence(sequence));
    gateway.store.with(|kept| kept.samples.contains_key(&key))
}

#[tokio::test]
async fn the_session_is_asked_to_be_kept_under_a_name_that_never_changes() {
    for protocol in PROTOCOLS {
        let (listener, _gateway) = pair(protocol).await;
        for _ in 0..2 {
            let connect = Peer::accept(&listener, protocol, 1).await.connect;
            let (level, clean) = (connect[6], connect[7] & 2 != 0);
            assert_eq!((level, clean), (if protocol == Protocol::V5 { 5 } else { 4 }, false));
            let id = ingest::CLIENT_ID.as_bytes();
            assert!(connect.windows(id.len()).any(|window| window == id), "{connect:?}");
            if protocol == Protocol::V5 {
                let mut expiry = vec![0x11];
                expiry.extend_from_slice(&ingest::SESSION_EXPIRY_S.to_be_bytes());
                assert!(connect.windows(5).any(|window| window == expiry), "{connect:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_acknowledgement_of_a_lost_session_confirms_nothing_in_the_next() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        gateway.store.shut();
        let mut first = Peer::accept(&listener, protocol, 1).await;
        first.publish(TOPIC, 1, &frame(1)).await;
        eventually("the first is held up", || gateway.outlets.counters.messages.get() == 1).await;
        // More arrives in the breath in which the connection breaks.
        for id in 2..10 {
            first.publish(TOPIC, id, &frame(u64::from(id))).await;
        }
        drop(first);

        let mut second = Peer::accept(&listener, protocol, 1).await;
        second.publish(TOPIC, 1, &frame(100)).await;
        second.publish(TOPIC, 2, &frame(101)).await;
        tokio::time::sleep(NEVER).await;
        gateway.store.let_through(Some(1));
        eventually("the first is on disk", || gateway.store.count() == 1).await;
        if let Ok((kind, body)) = tokio::time::timeout(NEVER, second.read()).await {
            assert_ne!(kind, PUBACK, "confirmed a message that is not on disk: {body:?}");
        }
        gateway.store.open();
        assert_eq!((second.puback().await, second.puback().await), (1, 2));
        assert!(is_kept(&gateway, 1) && is_kept(&gateway, 100) && is_kept(&gateway, 101));
    }
}

#[tokio::test]
async fn events_of_a_dead_connection_are_not_taken_for_those_of_the_next() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        let mut first = Peer::accept(&listener, protocol, 1).await;
        gateway.is_up().await;
        // In one breath, so that the client has read them all when the connection breaks: a packet
        // that is none ends it.
        let mut burst = Vec::new();
        for id in 1..=5 {
            burst.extend(first.publication(TOPIC, id, &frame(u64::from(id))));
        }
        burst.extend(packet(0x00, &[]));
        first.stream.write_all(&burst).await.unwrap();

        // The next session begins its packet ids anew, and delivers nothing yet.
        let mut second = Peer::accept(&listener, protocol, 1).await;
        if let Ok((kind, body)) = tokio::time::timeout(NEVER, second.read()).await {
            assert_ne!(kind, PUBACK, "confirmed what this session never delivered: {body:?}");
        }
        second.publish(TOPIC, 1, &frame(50)).await;
        assert_eq!(second.puback().await, 1);
        assert!(is_kept(&gateway, 50));
    }
}

#[tokio::test]
async fn an_acknowledgement_that_the_dead_connection_swallowed_is_said_again() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        let mut first = Peer::accept(&listener, protocol, 1).await;
        gateway.store.shut();
        first.publish(TOPIC, 1, &frame(1)).await;
        eventually("it is held up", || gateway.outlets.counters.messages.get() == 1).await;
        drop(first);
        // Without a session nothing of ours is left with the broker.
        let mut second = Peer::accept(&listener, protocol, 1).await;
        gateway.store.open();
        eventually("it is on disk", || gateway.store.count() == 1).await;
        // The node heard nothing and sends again: it is stored once and told.
        second.publish(TOPIC, 1, &frame(1)).await;
        let told = second.until(PUBLISH).await;
        assert!(String::from_utf8_lossy(&told).contains("miaopu/1/s/n/ack"), "{told:?}");
        assert_eq!(gateway.store.count(), 1);
    }
}

#[tokio::test]
async fn a_message_is_confirmed_to_the_broker_only_after_its_commit() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        gateway.store.shut();
        let mut peer = Peer::accept(&listener, protocol, 1).await;
        peer.publish(TOPIC, 1, &frame(1)).await;
        assert!(tokio::time::timeout(NEVER, peer.read()).await.is_err(), "confirmed too early");
        gateway.store.open();
        assert_eq!(peer.puback().await, 1);
        // The node is told at QoS 0.
        assert!(!peer.until(PUBLISH).await.is_empty());
    }
}

#[tokio::test]
async fn every_connection_subscribes_again_even_where_the_session_was_kept() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        for kept in [false, true, true] {
            let peer = Peer::admit(&listener, protocol, kept, &[1; 3]).await;
            gateway.is_up().await;
            drop(peer);
            let health = gateway.outlets.health.subscribe();
            eventually("the loss", || health.borrow().link != Link::Up).await;
        }
    }
}

#[tokio::test]
async fn a_subscription_that_is_refused_in_part_is_tried_again_in_a_new_connection() {
    for protocol in PROTOCOLS {
        let refused = if protocol == Protocol::V5 { 0x87 } else { 0x80 };
        for codes in [&[refused; 3][..], &[1, refused, 1], &[1, 1, 0], &[1, 1], &[]] {
            // A SUBACK without any code is no SUBACK of rumqttc's; the connection ends all the same.
            let (listener, gateway) = pair(protocol).await;
            let peer = Peer::admit(&listener, protocol, true, codes).await;
            let health = gateway.outlets.health.subscribe();
            // At once, and not because the peer answers no ping.
            let refusal =
                eventually("the refusal", || matches!(health.borrow().link, Link::Down { .. }));
            tokio::time::timeout(Duration::from_secs(5), refusal).await.unwrap();
            drop(peer);
            let _grants = Peer::accept(&listener, protocol, 1).await;
            gateway.is_up().await;
        }
    }
}

#[tokio::test]
async fn a_subscription_that_the_broker_lost_is_noticed_and_asked_for_again() {
    for protocol in PROTOCOLS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = gateway_of(&listener, protocol, NEVER).await;
        let mut peer = Peer::accept(&listener, protocol, 1).await;
        // It brings the probes of births and deaths back, and those of data never.
        let again = loop {
            let (kind, body) = tokio::time::timeout(DEADLINE, peer.read()).await.unwrap();
            let text = String::from_utf8_lossy(&body).into_owned();
            match kind {
                PUBLISH if text.contains("miaopu/1/_/_/") && !text.contains("/data") => {
                    peer.send(0x30, &body).await;
                }
                SUBSCRIBE => break (body, text),
                _ => {}
            }
        };
        assert!(again.1.contains(FILTERS[1]) && !again.1.contains(FILTERS[0]), "{again:?}");
        eventually("the count", || gateway.outlets.counters.resubscriptions.get() == 1).await;
        let mut answer = vec![again.0[0], again.0[1]];
        answer.extend_from_slice(peer.properties());
        answer.push(1);
        peer.send(0x90, &answer).await;
        peer.publish(TOPIC, 1, &frame(1)).await;
        assert_eq!(peer.puback().await, 1);
        let counters = &gateway.outlets.counters;
        assert_eq!((counters.connections.get(), counters.dead_letters.get()), (1, 0));
    }
}

#[tokio::test]
async fn a_broker_that_breaks_every_limit_meets_no_deadlock_and_is_confirmed_in_order() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        gateway.store.shut();
        let mut peer = Peer::accept(&listener, protocol, 1).await;
        // One batch is at the shut store, the next one is gathered, the inbox is full.
        let held = INBOX_MESSAGES_MAX + 2 * MESSAGES_PER_COMMIT_MAX;
        let count = u16::try_from(held).unwrap() + 1_500;
        for id in 1..=count {
            peer.publish(TOPIC, id, &frame(u64::from(id))).await;
        }
        let counters = &gateway.outlets.counters;
        eventually("some are turned away", || counters.overflows.get() > 1_000).await;
        // The task that polls is not held up: it notices at once that its peer is gone, or lives.
        tokio::time::timeout(DEADLINE, peer.until(PING)).await.expect("the connection lives");
        gateway.store.open();
        for id in 1..=count {
            assert_eq!(peer.puback().await, id, "out of order");
        }
        assert_eq!(counters.connections.get(), 1);
        let turned_away = counters.overflows.get();
        let kept = u64::try_from(gateway.store.count()).unwrap();
        assert_eq!(kept + turned_away, u64::from(count));
    }
}

#[tokio::test]
async fn a_packet_that_cannot_be_taken_does_not_come_again_for_ever() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        let mut first = Peer::accept(&listener, protocol, 1).await;
        gateway.is_up().await;
        let too_long = vec![0; PACKET_BYTES_MAX as usize + 1];
        first.publish(TOPIC, 1, &too_long).await;
        let clean = |peer: &Peer| peer.connect[7] & 2 != 0;
        // The broker would keep it in the session and bring it again: that session is given up.
        let second = Peer::accept(&listener, protocol, 1).await;
        assert!(clean(&second), "the same packet would come again");
        assert_eq!(gateway.outlets.counters.poisoned_sessions.get(), 1);
        gateway.is_up().await;
        drop(second);
        // A connection that breaks for another reason gives nothing up.
        let mut third = Peer::accept(&listener, protocol, 1).await;
        assert!(!clean(&third));
        third.publish(TOPIC, 1, &frame(1)).await;
        assert_eq!(third.puback().await, 1);
    }
}

#[tokio::test]
async fn more_poison_than_any_window_stalls_nothing() {
    for protocol in PROTOCOLS {
        let (listener, gateway) = pair(protocol).await;
        let mut peer = Peer::accept(&listener, protocol, 1).await;
        // So many at once are what Mosquitto has under way.
        for first in (1..=3_000).step_by(20) {
            for id in first..first + 20 {
                peer.publish(TOPIC, id, b"no message of ours").await;
            }
            for id in first..first + 20 {
                assert_eq!(peer.puback().await, id);
            }
        }
        peer.publish(TOPIC, 3_001, &frame(1)).await;
        assert_eq!(peer.puback().await, 3_001);
        assert!(is_kept(&gateway, 1));
        assert_eq!(gateway.outlets.counters.dead_letters.get(), 3_000);
    }
}
