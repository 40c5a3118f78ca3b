//! What nodes judged themselves: on disk before it is acknowledged, once, and dated; and what other
//! rooms say to nodes.

use std::time::Duration;

use crate::common::{Gateway, NOW_MS, Node, embedded, eventually, node_key, now, range};
use measure::{BootId, FlashId, Scaled, Sequence, Timestamp, Uptime};
use wire::{Body, Command, Data, EventState, LocalEvent, Request, TopicKind};

fn event(sequence: u64, state: EventState, channel: u8) -> Data {
    let uptime = Uptime(1_000 * sequence);
    let (rule, episode, value, outputs) = (18, Sequence(4), Scaled(36_000), 1);
    Data {
        flash: FlashId(7),
        boot: BootId(1),
        sent: Uptime(60_000),
        body: Body::Event {
            sequence: Sequence(sequence),
            boot_utc: Some(Timestamp::from_millis(NOW_MS - 60_000).unwrap()),
            uncertain: false,
            event: LocalEvent { channel, rule, episode, state, uptime, value, outputs },
        },
    }
}

fn kept(gateway: &Gateway) -> Vec<(u64, EventState, i64)> {
    let events = gateway.book.events.lock().unwrap();
    events.values().map(|it| (it.sequence.0, it.state, it.at.ms_since(now()))).collect()
}

#[tokio::test]
async fn an_event_is_acknowledged_once_it_is_kept_and_kept_once() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "judge").await;
    gateway.book.break_down(true);
    node.send(&event(4, EventState::Raised, 0)).await;
    node.hears_nothing().await;
    assert_eq!(kept(&gateway), []);
    gateway.book.break_down(false);
    // In any order, and as often as it takes.
    for sequence in [9, 4, 9] {
        let state = if sequence == 4 { EventState::Raised } else { EventState::Returned };
        node.send(&event(sequence, state, 0)).await;
        node.acknowledged(&[range(sequence, sequence)]).await;
    }
    let all = [(4, EventState::Raised, -56_000), (9, EventState::Returned, -51_000)];
    assert_eq!(kept(&gateway), all);
    assert_eq!(gateway.store.count(), 0);
}

#[tokio::test]
async fn readings_pass_an_event_that_cannot_be_kept() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "stuck").await;
    gateway.book.break_down(true);
    node.send(&event(4, EventState::Raised, 0)).await;
    node.send(&node.frame(5, 2)).await;
    node.acknowledged(&[range(5, 6)]).await;
    node.hears_nothing().await;
}

#[tokio::test]
async fn an_event_of_a_channel_that_the_birth_lacks_is_put_away_and_acknowledged() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "odd").await;
    node.send(&event(4, EventState::Raised, 31)).await;
    node.acknowledged(&[range(4, 4)]).await;
    assert_eq!((kept(&gateway).len(), gateway.book.reasons().len()), (0, 1));
}

#[tokio::test]
async fn a_command_of_another_room_reaches_its_node() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "blinks").await;
    let mut buffer = [0; wire::COMMAND_BYTES_MAX];
    let request = Request { id: 77, command: Command::Identify };
    let bytes = wire::encode_command(&request, &mut buffer).unwrap();
    let downlink = &gateway.outlets.downlink;
    downlink.publish(&node_key("blinks"), TopicKind::Command, &buffer[..bytes]).unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(30), node.command()).await.unwrap();
    assert_eq!(heard, request);
    let counters = &gateway.outlets.counters;
    eventually("it is counted", || counters.said.get() == 1).await;
}
