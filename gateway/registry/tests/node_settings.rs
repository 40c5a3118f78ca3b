//! What nodes are set to and what they judged themselves, as the file keeps it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use measure::{FlashId, NodeKey, Quantity, Scaled, Sequence, Slug, Timestamp};
use people::Actor;
use registry::{FILE, LocalEvent, LocalState, Plan, Registry};

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + second * 1_000).unwrap()
}

fn key() -> NodeKey {
    NodeKey { site: slug("jinfo"), node: slug("bench-1") }
}

fn event(sequence: u64, episode: u64, state: LocalState, second: i64) -> LocalEvent {
    LocalEvent {
        node: key(),
        flash: FlashId(7),
        sequence: Sequence(sequence),
        episode: Sequence(episode),
        position: slug("canopy"),
        quantity: Quantity::AirTemperature,
        rule: 18,
        state,
        at: at(second),
        uncertain: false,
        value: Scaled(36_000),
        outputs: if state == LocalState::Raised { 1 } else { 0 },
        received: at(second + 1_200),
    }
}

fn open(dir: &tempfile::TempDir) -> Registry {
    Registry::open(&dir.path().join(FILE)).unwrap()
}

fn with_node(registry: &Registry) {
    let site: nursery::Site = serde_json::from_value(serde_json::json!({
        "id": "jinfo", "names": { "zh": "金佛山", "en": "Jinfo" },
        "position": { "latitude": 29.0, "longitude": 107.0 }, "time_zone": "Asia/Shanghai",
    }))
    .unwrap();
    let zone: nursery::Zone = serde_json::from_value(serde_json::json!({
        "site": "jinfo", "id": "house-1", "names": { "zh": "一号棚", "en": "House 1" },
        "kind": "house", "day": { "by": "sun" }, "expected_interval_ms": 60000,
    }))
    .unwrap();
    let plan = Plan { sites: vec![site], zones: vec![zone], ..Plan::default() };
    registry.apply(&plan, &Actor::CommandLine, at(0)).unwrap();
    registry.add_node(&key(), &slug("house-1"), &Actor::CommandLine, at(0)).unwrap();
}

#[test]
fn an_event_is_kept_once_in_whatever_order_and_however_often_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let (raised, returned) = (
        event(u64::MAX - 1, u64::MAX - 1, LocalState::Raised, 0),
        event(u64::MAX, u64::MAX - 1, LocalState::Returned, 900),
    );
    registry.keep_local_events(std::slice::from_ref(&returned)).unwrap();
    registry.keep_local_events(&[raised.clone(), returned.clone(), raised]).unwrap();
    drop(registry);
    let registry = open(&dir);
    registry.keep_local_events(&[returned]).unwrap();
    let place = (&slug("canopy"), Quantity::AirTemperature);
    let found = registry.local_episodes(&key(), place, at(-10), at(10_000)).unwrap();
    assert_eq!(found.len(), 1);
    let it = &found[0];
    assert_eq!((it.rule, it.raised, it.outputs), (18, Some(at(0)), 1));
    assert_eq!(it.ended, Some((at(900), LocalState::Returned)));
    assert!(registry.local_episodes(&key(), place, at(901), at(10_000)).unwrap().is_empty());
    assert!(registry.local_episodes(&key(), place, at(-10), at(0)).unwrap().is_empty());
}

#[test]
fn a_revision_counts_up_only_where_the_content_changes() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let set =
        |body: &str| registry.set_node_settings(&key(), body, "trial", &Actor::CommandLine, at(1));
    assert!(set("{}").is_err());
    with_node(&registry);
    set(r#"{"interval_ms":60000}"#).unwrap();
    let make = |content: &[u8], least| registry.make_node_settings(&key(), content, least).unwrap();
    assert_eq!((make(b"a", 0), make(b"a", 0), make(b"b", 0)), (1, 1, 2));
    registry.refuse_node_settings(&key(), 1, "late").unwrap();
    assert_eq!(registry.node_settings().unwrap()[0].refused, None);
    registry.refuse_node_settings(&key(), 2, "limits[0]").unwrap();
    set(r#"{"interval_ms":60000}"#).unwrap();
    assert_eq!(make(b"b", 0), 2);
    let kept = &registry.node_settings().unwrap()[0];
    assert_eq!((kept.revision, kept.refused.as_deref()), (2, Some("limits[0]")));
    // A node that was set by an earlier gateway counts on from there.
    assert_eq!(make(b"b", 9), 9);
    assert_eq!(registry.node_settings().unwrap()[0].refused, None);
    let changes = registry.changes(0).unwrap();
    assert_eq!(changes.iter().filter(|it| it.what == "node.settings").count(), 2);
}
