//! Whatever comes on whatever topic: it is put away with a reason, and the flow goes on.

use crate::common::{Gateway, Node, birth, bytes, embedded, eventually, now, range, sampled};
use ingest::Link;
use measure::{BootId, FlashId, Sequence, Uptime};
use wire::{Body, Data, Death};

/// Pseudo-random numbers that are the same in every run (Marsaglia's xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.roll(300);
        (0..length).map(|_| self.roll(256) as u8).collect()
    }

    /// Cuts a message short, or changes a few of its bytes.
    fn spoil(&mut self, message: &[u8]) -> Vec<u8> {
        let mut spoilt = message.to_vec();
        if self.roll(2) == 0 {
            spoilt.truncate(self.roll(message.len()));
        } else {
            for _ in 0..=self.roll(4) {
                let at = self.roll(spoilt.len());
                spoilt[at] = self.roll(256) as u8;
            }
        }
        spoilt
    }
}

#[tokio::test]
async fn garbage_on_every_topic_stops_nothing() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut clean = Node::born(gateway.port, "clean").await;
    let noise = Node::born(gateway.port, "noise").await;
    let death = Death { boot: BootId(1), session: 1 };
    let messages = [
        ("birth", bytes(&birth(7, 1, 1), wire::encode_birth)),
        ("data", bytes(&noise.frame(1, 20), wire::encode_data)),
        ("death", bytes(&death, wire::encode_death)),
    ];
    let mut dice = Dice(0x5EED);
    for round in 0..300 {
        for (kind, message) in &messages {
            let payload = if round % 2 == 0 { dice.noise() } else { dice.spoil(message) };
            noise.publish(kind, round % 3 == 0, payload).await;
        }
        if round % 50 == 0 {
            let first = u64::try_from(round).unwrap() + 1;
            clean.send(&clean.frame(first, 5)).await;
            clean.acknowledged(&[range(first, first + 4)]).await;
        }
    }
    let counters = &gateway.outlets.counters;
    // Some spoilt messages are still messages; most are not.
    eventually("most are put away", || counters.dead_letters.get() > 600).await;
    assert_eq!(counters.connections.get(), 1, "the link broke");
    assert_eq!(gateway.outlets.health.borrow().link, Link::Up);
    let letters = gateway.book.letters.lock().unwrap();
    assert!(letters.iter().all(|letter| !letter.reason.is_empty() && letter.time == now()));
    assert!(letters.iter().all(|letter| letter.topic.starts_with("miaopu/1/s/noise/")));
}

#[tokio::test]
async fn a_truncated_frame_is_put_away_as_it_came() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "cut").await;
    let mut payload = bytes(&node.frame(1, 20), wire::encode_data);
    payload.truncate(40);
    node.publish("data", false, payload.clone()).await;
    eventually("the letter", || !gateway.book.reasons().is_empty()).await;
    assert_eq!(gateway.book.letters.lock().unwrap()[0].payload, payload);
    node.hears_nothing().await;
    node.send(&node.frame(1, 20)).await;
    node.acknowledged(&[range(1, 20)]).await;
}

/// Three readings, of which the second has a channel that the birth does not have.
fn with_a_foreign_channel() -> Data {
    let readings = [sampled(0, 1, 1), sampled(9, 2, 2), sampled(1, 3, 3)];
    Data {
        flash: FlashId(7),
        boot: BootId(1),
        sent: Uptime(60_000),
        body: Body::Readings {
            first: Sequence(1),
            boot_utc: Some(now().plus_ms(-60_000)),
            uncertain: false,
            history: false,
            readings: readings.into_iter().collect(),
        },
    }
}

#[tokio::test]
async fn a_reading_of_a_channel_that_is_not_in_the_birth_blocks_nothing() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "mixed").await;
    node.send(&with_a_foreign_channel()).await;
    assert_eq!(node.ack().await.ranges[..], [range(1, 3)]);
    assert_eq!(gateway.store.count(), 2);
    assert_eq!(gateway.book.reasons(), ["channel 9 of 2 in the birth"]);
}

#[tokio::test]
async fn a_reading_that_could_not_be_put_away_is_not_acknowledged() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "unkept").await;
    gateway.book.break_down(true);
    node.send(&with_a_foreign_channel()).await;
    assert_eq!(node.ack().await.ranges[..], [range(1, 1), range(3, 3)]);
    gateway.book.break_down(false);
    node.send(&with_a_foreign_channel()).await;
    assert_eq!(node.ack().await.ranges[..], [range(1, 3)]);
    assert_eq!(gateway.store.count(), 2);
}

#[tokio::test]
async fn retained_data_and_deaths_are_no_news() {
    let broker = embedded(0);
    let port = broker.address().port();
    let mut node = Node::connect(port, "ghost").await;
    node.give_birth(&birth(7, 1, 1)).await;
    node.publish("data", true, bytes(&node.frame(1, 3), wire::encode_data)).await;
    node.publish("death", true, bytes(&Death { boot: BootId(9), session: 9 }, wire::encode_death))
        .await;
    // An answer to a subscription says that the broker has taken what was published before it.
    let _same_session = Node::connect(port, "other").await;
    tokio::time::sleep(crate::common::NEVER).await;
    let gateway = Gateway::start(port).await;
    eventually("all three", || gateway.outlets.counters.messages.get() >= 3).await;
    node.hears_nothing().await;
    assert_eq!(gateway.store.count(), 0);
    assert_eq!(gateway.outlets.nodes.borrow()[&node.key].presence, ingest::Presence::Unknown);
}
