//! What the embedded broker hands over in the process, without a session between.

use ingest::{NodeEvent, Presence};
use measure::{BootId, FlashId};
use wire::Command;

use crate::common::{Gateway, Node, birth, eventually, range};

#[tokio::test]
async fn what_is_handed_over_is_kept_once_and_acknowledged_after_its_commit() {
    let (_broker, gateway) = Gateway::start_inside().await;
    let mut node = Node::born(gateway.port, "inside").await;
    gateway.store.shut();
    node.send(&node.frame(1, 5)).await;
    node.hears_nothing().await;
    gateway.store.open();
    node.acknowledged(&[range(1, 5)]).await;
    for _ in 0..3 {
        node.send(&node.frame(1, 5)).await;
        node.acknowledged(&[range(1, 5)]).await;
    }
    let counters = &gateway.outlets.counters;
    assert_eq!((counters.kept.get(), counters.repeated.get()), (5, 15));
    // A birth and four frames: nothing came by the session a second time.
    assert_eq!(counters.messages.get(), 5);
}

#[tokio::test]
async fn a_birth_is_heard_before_the_data_that_follow_it() {
    let (_broker, gateway) = Gateway::start_inside().await;
    let mut node = Node::connect(gateway.port, "hasty").await;
    for boot in 1..20 {
        node.boot = BootId(boot);
        node.give_birth(&birth(7, boot, 1)).await;
        node.send(&node.frame(u64::from(boot) * 10, 5)).await;
        assert_eq!(node.ack().await.flash, FlashId(7));
        let first = u64::from(boot) * 10;
        node.acknowledged(&[range(first, first + 4)]).await;
    }
    assert_eq!(gateway.outlets.counters.rebirths.get(), 0);
}

#[tokio::test]
async fn data_without_a_birth_asks_for_one() {
    let (_broker, gateway) = Gateway::start_inside().await;
    let mut node = Node::connect(gateway.port, "orphan").await;
    node.send(&node.frame(1, 5)).await;
    assert_eq!(node.command().await.command, Command::Rebirth);
    assert_eq!(gateway.store.count(), 0);
}

#[tokio::test]
async fn a_death_still_comes_through_the_session() {
    let (_broker, gateway) = Gateway::start_inside().await;
    let mut events = gateway.outlets.events.subscribe();
    let node = Node::born(gateway.port, "mortal").await;
    node.die(1, 1).await;
    let nodes = gateway.outlets.nodes.subscribe();
    let presence = || nodes.borrow().get(&node.key).map(|state| state.presence);
    eventually("the death", || presence() == Some(Presence::Offline)).await;
    let mut deaths = 0;
    while let Ok(event) = events.try_recv() {
        deaths += u32::from(matches!(event, NodeEvent::Offline { .. }));
    }
    assert_eq!(deaths, 1);
}
