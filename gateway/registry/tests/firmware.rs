//! Releases and rollouts.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails at once")]

use measure::{NodeKey, Slug, Timestamp};
use people::Actor;
use registry::{Error, Plan, Registry, Release, ReleaseKey, RolloutState};

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn key(number: u32) -> ReleaseKey {
    ReleaseKey { target: slug("mps2-an385"), number }
}

fn release(number: u32, sum: u8) -> Release {
    Release {
        key: key(number),
        version: "0.2.0".to_owned(),
        length: 3,
        sha256: [sum; 32],
        manifest: vec![1, 2],
        signature: [3; 64],
        signer: [4; 32],
        added: Timestamp::MIN,
        by: Actor::CommandLine,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::MIN.plus_micros(second * 1_000_000)
}

fn nursery(dir: &std::path::Path) -> (Registry, NodeKey) {
    let registry = Registry::open(&dir.join(registry::FILE)).unwrap();
    let plan = Plan {
        sites: vec![nursery::Site {
            id: slug("s"),
            names: nursery::Names::new("苗", "s").unwrap(),
            position: nursery::Position {
                latitude: nursery::Latitude::new(29.0).unwrap(),
                longitude: nursery::Longitude::new(107.0).unwrap(),
            },
            time_zone: nursery::TimeZone::new("Asia/Shanghai").unwrap(),
        }],
        zones: vec![nursery::Zone {
            id: slug("z"),
            site: slug("s"),
            names: nursery::Names::new("棚", "z").unwrap(),
            kind: nursery::ZoneKind::House,
            growing: None,
            day: nursery::Day::Sun,
            overrides: Vec::new(),
            expected_interval_ms: 60_000,
        }],
        ..Plan::default()
    };
    registry.apply(&plan, &Actor::CommandLine, Timestamp::MIN).unwrap();
    let node = NodeKey { site: slug("s"), node: slug("n1") };
    registry.add_node(&node, &slug("z"), &Actor::CommandLine, Timestamp::MIN).unwrap();
    (registry, node)
}

#[test]
fn a_release_is_kept_whole_and_its_number_is_never_another_image() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _) = nursery(dir.path());
    registry.add_release(&release(2, 7), b"abc").unwrap();
    registry.add_release(&release(2, 7), b"abc").unwrap();
    assert!(matches!(registry.add_release(&release(2, 8), b"abx"), Err(Error::Taken { .. })));
    registry.add_release(&release(3, 9), b"xyz").unwrap();
    let numbers: Vec<u32> = registry.releases().unwrap().iter().map(|it| it.key.number).collect();
    assert_eq!(numbers, [3, 2]);
    assert_eq!(registry.release(&key(2)).unwrap(), Some((release(2, 7), b"abc".to_vec())));
    assert_eq!(registry.release(&key(9)).unwrap(), None);
    assert!(matches!(registry.add_release(&release(4, 1), b""), Err(Error::Refused { .. })));
    registry.remove_release(&key(3), &Actor::CommandLine, at(1)).unwrap();
    assert_eq!(registry.release(&key(3)).unwrap(), None);
}

#[test]
fn a_rollout_goes_through_its_states_and_only_by_words_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, node) = nursery(dir.path());
    registry.add_release(&release(2, 7), b"abc").unwrap();
    registry.add_release(&release(3, 8), b"abc").unwrap();
    let by = Actor::CommandLine;
    let unknown = NodeKey { site: slug("s"), node: slug("n9") };
    assert!(matches!(
        registry.offer_release(&unknown, &key(2), &by, at(1)),
        Err(Error::Unknown { what: "node", .. })
    ));
    assert!(matches!(
        registry.offer_release(&node, &key(9), &by, at(1)),
        Err(Error::Unknown { what: "release", .. })
    ));
    registry.offer_release(&node, &key(2), &by, at(1)).unwrap();
    let note = |number, state, had, second| {
        let note = (node.clone(), key(number), state, had, String::new());
        registry.note_rollouts(&[note], at(second)).unwrap();
        let rollout = registry.rollouts().unwrap().remove(0);
        (rollout.state, rollout.had, rollout.changed)
    };
    assert_eq!(note(3, RolloutState::Staged, 3, 2), (RolloutState::Offered, 0, at(1)));
    assert_eq!(note(2, RolloutState::Wanting, 1, 3), (RolloutState::Wanting, 1, at(3)));
    assert_eq!(note(2, RolloutState::Wanting, 2, 4), (RolloutState::Wanting, 2, at(3)));
    assert!(matches!(registry.remove_release(&key(2), &by, at(5)), Err(Error::Refused { .. })));
    let cancelled = registry.cancel_rollout(&node, &by, at(5)).unwrap();
    assert_eq!(cancelled.state, RolloutState::Cancelled);
    assert!(matches!(registry.cancel_rollout(&node, &by, at(5)), Err(Error::Refused { .. })));
    assert_eq!(note(2, RolloutState::Wanting, 3, 6), (RolloutState::Cancelled, 2, at(5)));
    // It had it already, and runs it.
    assert_eq!(note(2, RolloutState::Trial, 3, 7), (RolloutState::Trial, 3, at(7)));
    registry.offer_release(&node, &key(3), &by, at(8)).unwrap();
    let rollout = registry.rollouts().unwrap().remove(0);
    assert_eq!((rollout.release, rollout.state, rollout.had), (key(3), RolloutState::Offered, 0));
}
