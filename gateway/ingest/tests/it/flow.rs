//! From a node's message to the disk and back to the node, over the real embedded broker.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{
    DEADLINE, Fault, Gateway, NOW_MS, Node, birth, embedded, eventually, node_key, now, range,
    sampled,
};
use ingest::{NodeEvent, Presence, Storage};
use measure::{BootId, FlashId, Marks, Quality, Sequence, Timestamp, Uptime};
use wire::{Body, Command, Data, GapReason, Outcome};

#[tokio::test]
async fn a_reading_is_acknowledged_only_after_its_commit() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut position = gateway.outlets.position.subscribe();
    let mut node = Node::born(gateway.port, "slow").await;
    gateway.store.shut();
    node.send(&node.frame(1, 3)).await;
    node.hears_nothing().await;
    assert!(!position.has_changed().unwrap());
    gateway.store.open();
    let ack = node.ack().await;
    assert_eq!((&ack.ranges[..], ack.echo, ack.utc), (&[range(1, 3)][..], Uptime(60_000), now()));
    position.changed().await.unwrap();
    assert_eq!(*position.borrow(), store::Position(1));
}

#[tokio::test]
async fn repeats_are_acknowledged_again_and_kept_once() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "parrot").await;
    for _ in 0..3 {
        node.send(&node.frame(1, 5)).await;
        node.acknowledged(&[range(1, 5)]).await;
    }
    assert_eq!(gateway.store.count(), 5);
    let counters = &gateway.outlets.counters;
    assert_eq!((counters.kept.get(), counters.repeated.get()), (5, 10));
}

#[tokio::test]
async fn data_without_a_birth_asks_for_one_and_flows_after_it() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::connect(gateway.port, "orphan").await;
    for _ in 0..5 {
        node.send(&node.frame(1, 5)).await;
    }
    assert_eq!(node.command().await.command, Command::Rebirth);
    node.hears_nothing().await;
    assert_eq!((gateway.store.count(), gateway.outlets.counters.rebirths.get()), (0, 1));
    node.give_birth(&birth(7, 1, 1)).await;
    assert_eq!(node.ack().await.ranges.len(), 0);
    node.send(&node.frame(1, 5)).await;
    node.acknowledged(&[range(1, 5)]).await;
}

#[tokio::test]
async fn data_of_a_new_flash_or_a_later_boot_asks_for_a_birth() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    for (name, flash, boot) in [("reflashed", 8, 1), ("rebooted", 7, 2)] {
        let mut node = Node::born(gateway.port, name).await;
        (node.flash, node.boot) = (FlashId(flash), BootId(boot));
        node.send(&node.frame(1, 1)).await;
        assert_eq!(node.command().await.command, Command::Rebirth);
        node.give_birth(&birth(flash, boot, 1)).await;
        assert_eq!(node.ack().await.flash, FlashId(flash));
        node.send(&node.frame(1, 1)).await;
        node.acknowledged(&[range(1, 1)]).await;
    }
}

#[tokio::test]
async fn what_the_node_says_of_a_reading_is_what_is_kept() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "honest").await;
    let mut faulty = sampled(1, 3_000, 0);
    faulty.reading = Err(measure::Fault::Checksum);
    let body = |boot_utc_ms: Option<i64>, history, first| Data {
        flash: FlashId(7),
        boot: BootId(1),
        sent: Uptime(60_000),
        body: Body::Readings {
            first: Sequence(first),
            boot_utc: boot_utc_ms.map(|ms| Timestamp::from_millis(ms).unwrap()),
            uncertain: false,
            history,
            readings: [sampled(0, 2_000, 21_500), faulty].into_iter().collect(),
        },
    };
    node.send(&body(Some(NOW_MS - 60_000), true, 1)).await;
    node.send(&body(None, false, 3)).await;
    node.send(&body(Some(NOW_MS + 600_000), false, 5)).await;
    node.acknowledged(&[range(1, 6)]).await;
    let kept: Vec<_> = gateway.store.with(|kept| kept.samples.values().copied().collect());
    let found: Vec<_> =
        kept.iter().map(|sample| (sample.time.millis() - NOW_MS, sample.marks)).collect();
    assert_eq!(
        found,
        [
            (-58_000, Marks::HISTORY),
            (-57_000, Marks::HISTORY),
            (-58_000, Marks::TIME_UNCERTAIN),
            (-57_000, Marks::TIME_UNCERTAIN),
            (-58_000, Marks::TIME_UNCERTAIN),
            (-57_000, Marks::TIME_UNCERTAIN),
        ]
    );
    assert_eq!((kept[0].reading, kept[0].quality), (Ok(measure::Scaled(21_500)), Quality::Good));
    assert_eq!(
        (kept[1].reading, kept[1].quality),
        (Err(measure::Fault::Checksum), Quality::Missing)
    );
    assert_ne!(kept[0].series, kept[1].series);
}

#[tokio::test]
async fn a_gap_is_kept_and_acknowledged() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "gappy").await;
    let body = Body::Gap { range: range(10, 500), reason: GapReason::RingFull };
    node.send(&Data { flash: FlashId(7), boot: BootId(1), sent: Uptime(5), body }).await;
    node.acknowledged(&[range(10, 500)]).await;
    let gaps = gateway.store.with(|kept| kept.gaps.clone());
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].range, gaps[0].reason), (range(10, 500), store::GapReason::RingFull));
}

#[tokio::test]
async fn many_holes_are_named_in_several_acknowledgements() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "holey").await;
    gateway.store.shut();
    let ranges: Vec<_> = (0..20).map(|n| range(n * 10, n * 10 + 1)).collect();
    for range in &ranges {
        node.send(&node.frame(range.first.0, 2)).await;
    }
    gateway.store.open();
    node.acknowledged(&ranges).await;
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_then_goes_on() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "patient").await;
    gateway.store.fail(Some(Fault::Full));
    for first in 0..300 {
        node.send(&node.frame(first, 1)).await;
    }
    let health = gateway.outlets.health.subscribe();
    eventually("the failure is told", || {
        matches!(health.borrow().storage, Storage::Failing { transient: true, .. })
    })
    .await;
    node.hears_nothing().await;
    gateway.store.fail(None);
    node.acknowledged(&[range(0, 299)]).await;
    assert_eq!(health.borrow().storage, Storage::Good);
    assert_eq!(gateway.store.count(), 300);
}

#[tokio::test]
async fn readings_that_the_store_refuses_hold_up_no_other_node() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut refused = Node::born(gateway.port, "refused").await;
    let mut other = Node::born(gateway.port, "other").await;
    gateway.store.fail(Some(Fault::NoFreeTime(node_key("refused"))));
    gateway.store.shut();
    for first in 0..10 {
        refused.send(&refused.frame(first, 1)).await;
        other.send(&other.frame(first, 1)).await;
    }
    gateway.store.open();
    other.acknowledged(&[range(0, 9)]).await;
    refused.hears_nothing().await;
    gateway.store.fail(None);
    refused.send(&refused.frame(0, 10)).await;
    refused.acknowledged(&[range(0, 9)]).await;
}

#[tokio::test]
async fn a_node_that_nobody_added_is_not_taken() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut stranger = Node::connect(gateway.port, "stranger").await;
    stranger.give_birth(&birth(7, 1, 1)).await;
    stranger.hears_nothing().await;
    assert_eq!(gateway.outlets.counters.unknown_nodes.get(), 1);
    assert!(gateway.outlets.nodes.borrow().is_empty());
}

#[tokio::test]
async fn a_birth_is_on_disk_before_it_is_acknowledged() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::connect(gateway.port, "unkept").await;
    gateway.book.break_down(true);
    node.give_birth(&birth(7, 1, 1)).await;
    node.hears_nothing().await;
    gateway.book.break_down(false);
    node.give_birth(&birth(7, 1, 1)).await;
    assert_eq!(node.ack().await.flash, FlashId(7));
    assert_eq!(gateway.book.births.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_starts_again_knows_the_births() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "keeper").await;
    let port = gateway.port;
    let (store, book) = gateway.stop().await;
    let gateway = Gateway::begin(port, store, book);
    gateway.is_up().await;
    assert_eq!(gateway.outlets.nodes.borrow()[&node.key].presence, Presence::Unknown);
    node.send(&node.frame(1, 2)).await;
    node.acknowledged(&[range(1, 2)]).await;
    assert_eq!(gateway.outlets.nodes.borrow()[&node.key].presence, Presence::Online);
    assert_eq!(gateway.outlets.counters.rebirths.get(), 0);
}

#[tokio::test]
async fn a_retained_birth_is_learnt_but_is_no_sign_of_life() {
    let broker = embedded(0);
    let port = broker.address().port();
    let mut node = Node::connect(port, "sleeper").await;
    node.give_birth(&birth(7, 3, 1)).await;
    let gateway = Gateway::start(port).await;
    eventually("the birth", || !gateway.outlets.nodes.borrow().is_empty()).await;
    let state = gateway.outlets.nodes.borrow()[&node.key].clone();
    assert_eq!((state.presence, state.heard, state.born), (Presence::Unknown, None, None));
    node.hears_nothing().await;
    node.boot = BootId(3);
    node.send(&node.frame(1, 2)).await;
    node.acknowledged(&[range(1, 2)]).await;
}

#[tokio::test]
async fn the_death_of_an_older_session_is_ignored() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut events = gateway.outlets.events.subscribe();
    let mut next =
        async || tokio::time::timeout(DEADLINE, events.recv()).await.expect("no event").unwrap();
    let mut node = Node::born(gateway.port, "mortal").await;
    let (key, at) = (node.key.clone(), now());
    assert_eq!(next().await, NodeEvent::Birth { node: key.clone(), at });
    assert_eq!(next().await, NodeEvent::Online { node: key.clone(), at });
    node.give_birth(&birth(7, 2, 5)).await;
    node.ack().await;
    assert_eq!(next().await, NodeEvent::Birth { node: key.clone(), at });
    for (boot, session) in [(1, 9), (2, 4)] {
        node.die(boot, session).await;
    }
    node.send(&node.frame(9, 1)).await;
    node.acknowledged(&[range(9, 9)]).await;
    assert_eq!(gateway.outlets.nodes.borrow()[&key].presence, Presence::Online);
    node.die(2, 5).await;
    assert_eq!(next().await, NodeEvent::Offline { node: key.clone(), at });
    assert_eq!(gateway.outlets.nodes.borrow()[&key].presence, Presence::Offline);
    // Data that was on its way when the node died does not bring it back.
    node.send(&node.frame(1, 1)).await;
    node.acknowledged(&[range(1, 1)]).await;
    assert_eq!(gateway.outlets.nodes.borrow()[&key].presence, Presence::Offline);
    node.give_birth(&birth(7, 2, 6)).await;
    node.ack().await;
    assert_eq!(next().await, NodeEvent::Birth { node: key.clone(), at });
    assert_eq!(next().await, NodeEvent::Online { node: key, at });
}

#[tokio::test]
async fn an_older_birth_that_comes_late_changes_nothing() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::connect(gateway.port, "late").await;
    node.give_birth(&birth(7, 2, 1)).await;
    node.ack().await;
    node.give_birth(&birth(7, 1, 9)).await;
    node.hears_nothing().await;
    assert_eq!(gateway.outlets.nodes.borrow()[&node.key].birth.boot, BootId(2));
    assert_eq!(gateway.book.births.lock().unwrap()[&node.key].boot, BootId(2));
}

#[tokio::test]
async fn the_answer_to_a_command_is_told_and_not_acknowledged() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "polite").await;
    let mut events = gateway.outlets.events.subscribe();
    let body = Body::Answer { id: 42, outcome: Outcome::Refused, detail: Default::default() };
    node.send(&Data { flash: FlashId(7), boot: BootId(1), sent: Uptime(5), body }).await;
    let event = tokio::time::timeout(DEADLINE, events.recv()).await.unwrap().unwrap();
    let (node_key, at) = (node.key.clone(), now());
    assert_eq!(
        event,
        NodeEvent::Answer {
            node: node_key,
            id: 42,
            outcome: Outcome::Refused,
            detail: String::new(),
            at
        }
    );
    node.hears_nothing().await;
}

#[tokio::test]
async fn a_thousand_nodes_are_born_and_heard() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let port = gateway.port;
    let mut tasks = tokio::task::JoinSet::new();
    let gate = Arc::new(tokio::sync::Semaphore::new(100));
    for number in 0..1_000 {
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            // Nodes need not all connect in the same instant, but all stay connected.
            let turn = gate.acquire().await.unwrap();
            let mut node = Node::born(port, &format!("n{number}")).await;
            drop(turn);
            for first in [1, 5] {
                node.send(&node.frame(first, 4)).await;
                node.acknowledged(&[range(first, first + 3)]).await;
            }
            node
        });
    }
    let nodes = tokio::time::timeout(4 * DEADLINE, tasks.join_all()).await.unwrap();
    assert_eq!((nodes.len(), gateway.store.count()), (1_000, 8_000));
    let online =
        gateway.outlets.nodes.borrow().values().filter(|n| n.presence == Presence::Online).count();
    assert_eq!(online, 1_000);
}

#[tokio::test]
async fn a_gateway_that_is_stopped_finishes_the_batch_at_hand() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "last").await;
    gateway.store.shut();
    node.send(&node.frame(1, 2)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let store = Arc::clone(&gateway.store);
    let stopping = tokio::spawn(gateway.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.open();
    node.acknowledged(&[range(1, 2)]).await;
    stopping.await.unwrap();
}
