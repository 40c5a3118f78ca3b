//! What the registry promises, on a real file and across two openings of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use alarms::{
    Action, ChannelId, Input, Kind, Rules, Sample, State, ZoneChannel, evaluate, rules_for,
};
use measure::{Marks, NodeKey, Quality, Quantity, Scaled, Slug, Timestamp};
use nursery::{NodePlacement, Site, Stage, Zone};
use people::{Actor, Role, UserName};
use registry::{
    DEAD_LETTERS_MAX, DeadLetter, Error, LetterState, Plan, Registry, SESSION_DAYS, SESSIONS_MAX,
    Topic, Which, WhichLetters,
};
use serde_json::json;
use tempfile::TempDir;

const PASSWORD: &str = "first leaf of spring";

fn open() -> (TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    (dir, registry)
}

fn again(dir: &TempDir) -> Registry {
    Registry::open(&dir.path().join(registry::FILE)).unwrap()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_795_413_600_000 + minutes * 60_000).unwrap()
}

fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn node(text: &str) -> NodeKey {
    NodeKey { site: slug("nanchuan"), node: slug(text) }
}

fn site() -> Site {
    let site = json!({
        "id": "nanchuan", "names": { "zh": "南川", "en": "Nanchuan" },
        "position": { "latitude": 29.16, "longitude": 107.1 }, "time_zone": "Asia/Shanghai",
    });
    serde_json::from_value(site).unwrap()
}

fn zone(stage: &str) -> Zone {
    let zone = json!({
        "id": "house-1", "site": "nanchuan", "names": { "zh": "一号棚", "en": "House 1" },
        "kind": "house", "growing": { "crop": "rice", "method": "tray", "stage": stage },
    });
    serde_json::from_value(zone).unwrap()
}

fn plan(stage: &str) -> Plan {
    let placements = vec![NodePlacement { node: node("n1"), zone: slug("house-1") }];
    Plan { sites: vec![site()], zones: vec![zone(stage)], placements, ..Plan::default() }
}

#[test]
fn applying_a_plan_twice_changes_nothing_the_second_time() {
    let (dir, registry) = open();
    let by = Actor::CommandLine;
    let first = registry.apply(&plan("sowing"), &by, at(0)).unwrap();
    assert_eq!(first.added, ["site nanchuan", "zone nanchuan/house-1", "node nanchuan/n1"]);
    let changes = registry.changes(0).unwrap().len();
    let revision = registry.revision(Topic::Nursery).unwrap();
    let second = again(&dir).apply(&plan("sowing"), &by, at(1)).unwrap();
    assert!(!second.is_change() && second.unchanged == 3);
    assert_eq!(registry.changes(0).unwrap().len(), changes);
    assert_eq!(registry.revision(Topic::Nursery).unwrap(), revision);
}

#[test]
fn a_running_gateway_notices_what_a_command_changed_and_what_grew_before() {
    let (dir, registry) = open();
    registry.apply(&plan("sowing"), &Actor::CommandLine, at(0)).unwrap();
    let before = registry.revision(Topic::Nursery).unwrap();
    let changed = again(&dir).apply(&plan("nursery"), &Actor::CommandLine, at(10)).unwrap();
    assert_eq!(changed.changed, ["zone nanchuan/house-1"]);
    assert!(registry.revision(Topic::Nursery).unwrap() > before);
    assert_eq!(registry.zones().unwrap(), [zone("nursery")]);
    let grown = registry.grown(&slug("nanchuan"), &slug("house-1")).unwrap();
    let stages: Vec<_> =
        grown.iter().map(|it| (it.from, it.growing.as_ref().unwrap().stage.to_string())).collect();
    assert_eq!(stages, [(at(0), "sowing".to_owned()), (at(10), "nursery".to_owned())]);
}

#[test]
fn a_plan_with_one_wrong_thing_changes_nothing() {
    let (_dir, registry) = open();
    let mut wrong = plan("sowing");
    wrong.placements[0].zone = slug("house-9");
    let error = registry.apply(&wrong, &Actor::CommandLine, at(0)).unwrap_err();
    assert!(matches!(error, Error::Unknown { what: "zone", .. }), "{error}");
    assert!(registry.sites().unwrap().is_empty() && registry.changes(0).unwrap().is_empty());
}

#[test]
fn only_a_node_s_newest_secret_opens_and_only_its_own() {
    let (dir, registry) = open();
    registry.apply(&plan("sowing"), &Actor::CommandLine, at(0)).unwrap();
    assert!(!registry.admits(&node("n1"), "").unwrap(), "a placed node has no secret yet");
    let first =
        registry.add_node(&node("n1"), &slug("house-1"), &Actor::CommandLine, at(1)).unwrap();
    let other =
        registry.add_node(&node("n2"), &slug("house-1"), &Actor::CommandLine, at(1)).unwrap();
    assert!(registry.admits(&node("n1"), first.reveal()).unwrap());
    assert!(!registry.admits(&node("n1"), other.reveal()).unwrap());
    assert!(!registry.admits(&node("n3"), first.reveal()).unwrap());
    let renewed = again(&dir).add_node(&node("n1"), &slug("house-1"), &Actor::CommandLine, at(2));
    assert!(registry.admits(&node("n1"), renewed.unwrap().reveal()).unwrap());
    assert!(!registry.admits(&node("n1"), first.reveal()).unwrap());
    let nowhere = registry.add_node(&node("n4"), &slug("attic"), &Actor::CommandLine, at(3));
    assert!(matches!(nowhere, Err(Error::Unknown { what: "zone", .. })));
    let bytes = std::fs::read(dir.path().join("registry.sqlite-wal")).unwrap();
    let secret = other.reveal().as_bytes();
    assert!(!bytes.windows(secret.len()).any(|part| part == secret), "no secret is on disk");
}

#[test]
fn the_first_password_is_drawn_anew_until_somebody_used_it() {
    let (_dir, registry) = open();
    let lost = registry.first_admin(at(0)).unwrap().unwrap();
    let first = registry.first_admin(at(1)).unwrap().unwrap();
    assert!(registry.check_password("admin", lost.reveal()).unwrap().is_none());
    let user = registry.check_password("admin", first.reveal()).unwrap().unwrap();
    assert!(user.must_change_password && user.role == Role::Admin);
    registry.begin_session(&user.name, at(2)).unwrap();
    assert!(registry.first_admin(at(3)).unwrap().is_none());
    let error = registry.remove_user(&user.name, &Actor::CommandLine, at(4)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "the last admin stays");
}

#[test]
fn a_session_lives_while_it_is_used_and_ends_with_its_user() {
    let (_dir, registry) = open();
    let (li, by) = (name("li"), Actor::CommandLine);
    registry.add_user(&li, Role::Viewer, PASSWORD, &by, at(0)).unwrap();
    let day = 1_440;
    let cookie = registry.begin_session(&li, at(0)).unwrap();
    let alive = |minutes| registry.session(cookie.reveal(), at(minutes)).unwrap().is_some();
    assert!(alive((SESSION_DAYS - 1) * day + 1));
    assert!(alive((SESSION_DAYS + 20) * day), "using it moved its end");
    assert!(!alive((SESSION_DAYS * 2 + 21) * day));
    let first = registry.begin_session(&li, at(1)).unwrap();
    for minute in 2..=SESSIONS_MAX as i64 + 1 {
        registry.begin_session(&li, at(minute)).unwrap();
    }
    assert!(registry.session(first.reveal(), at(100)).unwrap().is_none(), "the oldest made room");
    let last = registry.begin_session(&li, at(101)).unwrap();
    registry.remove_user(&li, &by, at(102)).unwrap();
    assert!(registry.session(last.reveal(), at(103)).unwrap().is_none());
}

#[test]
fn dead_letters_are_bounded_in_number_and_size() {
    let (dir, registry) = open();
    let letter = |number: usize| DeadLetter {
        received: at(0),
        topic: "棚".repeat(1_000),
        reason: number.to_string(),
        payload: vec![0; 100_000],
    };
    registry.add_dead_letters(&(0..3).map(letter).collect::<Vec<_>>()).unwrap();
    let short =
        |number: usize| DeadLetter { payload: vec![], topic: String::new(), ..letter(number) };
    registry.add_dead_letters(&(3..DEAD_LETTERS_MAX + 2).map(short).collect::<Vec<_>>()).unwrap();
    let kept = registry.dead_letters(usize::MAX).unwrap();
    assert_eq!(kept.len(), DEAD_LETTERS_MAX);
    let other = rusqlite::Connection::open(dir.path().join(registry::FILE)).unwrap();
    let rows = other.query_row("SELECT COUNT(*) FROM dead_letter", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.unwrap(), DEAD_LETTERS_MAX as i64, "the oldest are dropped, not only hidden");
    let oldest = kept.last().unwrap();
    assert_eq!(
        (oldest.letter.reason.as_str(), oldest.letter.payload.len()),
        ("2", registry::DEAD_LETTER_BYTES_MAX)
    );
    assert!(oldest.letter.topic.len() <= registry::DEAD_LETTER_BYTES_MAX);
    assert_eq!(registry.count_dead_letters().unwrap(), (DEAD_LETTERS_MAX as u64, 2));
    assert!(!oldest.is_whole());
    let refused =
        registry.ask_for_replay(WhichLetters::One(oldest.number), &Actor::CommandLine, at(1));
    assert!(matches!(refused, Err(Error::Refused { field: "number", .. })), "it was cut");
}

#[test]
fn a_dead_letter_is_asked_for_taken_once_and_dropped() {
    let (_dir, registry) = open();
    let letter = |number: u8| DeadLetter {
        received: at(i64::from(number)),
        topic: "miaopu/1/s/n/data".to_owned(),
        reason: "truncated".to_owned(),
        payload: vec![number],
    };
    registry.add_dead_letters(&[letter(1), letter(2), letter(3)]).unwrap();
    let by = Actor::CommandLine;
    let ask = |which| registry.ask_for_replay(which, &by, at(10));
    assert_eq!(ask(WhichLetters::One(2)).unwrap(), 1);
    assert!(matches!(ask(WhichLetters::One(9)), Err(Error::Unknown { what: "dead letter", .. })));
    let asked = registry.dead_letters_asked(10).unwrap();
    assert_eq!(asked.iter().map(|it| it.number).collect::<Vec<_>>(), [2]);
    let stored = [(2, Ok(()))];
    registry.settle_dead_letters(&stored, at(11)).unwrap();
    assert!(registry.dead_letters_asked(10).unwrap().is_empty());
    assert_eq!(ask(WhichLetters::All).unwrap(), 2, "one that is stored is not taken again");
    registry.settle_dead_letters(&[(3, Err("no birth".to_owned()))], at(12)).unwrap();
    let states: Vec<_> = registry
        .dead_letters(10)
        .unwrap()
        .into_iter()
        .map(|it| (it.number, it.state, it.letter.reason, it.tried))
        .collect();
    let reason = |text: &str| text.to_owned();
    assert_eq!(
        states,
        [
            (3, LetterState::Refused, reason("no birth"), Some(at(12))),
            (2, LetterState::Replayed, reason("truncated"), Some(at(11))),
            (1, LetterState::Asked, reason("truncated"), None),
        ]
    );
    assert_eq!(registry.drop_dead_letters(WhichLetters::One(3), &by, at(13)).unwrap(), 1);
    assert!(registry.drop_dead_letters(WhichLetters::One(3), &by, at(13)).is_err());
    assert_eq!(registry.drop_dead_letters(WhichLetters::All, &by, at(14)).unwrap(), 2);
    assert_eq!(registry.count_dead_letters().unwrap(), (0, 0), "dropped by hand is not lost");
    let done: Vec<_> = registry.changes(0).unwrap().into_iter().map(|it| it.what).collect();
    let of_letters: Vec<_> = done.iter().filter(|what| what.starts_with("letter.")).collect();
    assert_eq!(of_letters, ["letter.replay", "letter.replay", "letter.drop", "letter.drop"]);
}

fn rules() -> Rules {
    let stage = json!({
        "id": "nursery", "order": 0, "names": { "zh": "育苗", "en": "nursery" },
        "bands": [{ "quantity": "air_temperature", "target": { "lo": 20.0, "hi": 28.0 },
                    "alarm": { "hi": 35.0 }, "target_class": "A", "alarm_class": "B" }],
    });
    let stage: Stage = serde_json::from_value(stage).unwrap();
    let channel = ZoneChannel {
        id: ChannelId(1),
        quantity: Quantity::AirTemperature,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived: false,
    };
    let none = alarms::ConfirmedLimits::default();
    Rules::new(vec![rules_for(&site(), &zone("nursery"), Some(&stage), &[channel], &none)]).unwrap()
}

fn sample(minute: i64, value: f64) -> Input {
    Input::Sample(Sample {
        channel: ChannelId(1),
        time: at(minute),
        reading: Ok(Scaled::from_f64(Quantity::AirTemperature, value).unwrap()),
        quality: Quality::Good,
        marks: Marks::NONE,
        seen: at(minute),
    })
}

#[test]
fn alarms_state_outbox_and_position_are_one_commit_and_survive_a_restart() {
    let (dir, registry) = open();
    let rules = rules();
    let mut state = State::default();
    let mut kinds = Vec::new();
    for minute in 0..40_i64 {
        // A fresh process for every sample: what it reads back is all that it knows.
        let registry = again(&dir);
        if let Some((kept, position)) = registry.alarm_engine().unwrap() {
            assert_eq!(position, minute as u64);
            state = kept;
        }
        let value = if minute < 15 { 36.0 } else { 25.0 };
        let transitions = evaluate(&rules, &mut state, &sample(minute, value));
        kinds.extend(transitions.iter().map(|it| it.kind));
        registry.commit_alarms(&transitions, &mut state, minute as u64 + 1).unwrap();
    }
    assert_eq!(kinds, [Kind::Raised, Kind::Returned]);
    let [alarm] = registry.alarms(Which::Unacknowledged, 10).unwrap().try_into().unwrap();
    assert_eq!(alarm.value, Some(Scaled(36_000)));
    assert_eq!(registry.outbox().unwrap().len(), 2, "who was told of it is told that it is over");
    assert!(registry.alarms(Which::Active, 10).unwrap().is_empty());
    let [open] = registry.open_alarms().unwrap().try_into().unwrap();
    assert_eq!((open.active, open.unacknowledged, open.count), (false, true, 1));
    let named = serde_json::to_value(alarm.episode.severity).unwrap();
    assert_eq!(named.as_str(), Some(open.severity.as_str()));
    assert_eq!(registry.judged().unwrap(), 40);

    let by = Actor::User(name("li")).to_string();
    let id = alarm.episode.id;
    let said = Input::Operator {
        action: Action::Acknowledge,
        alarm: id,
        by: by.clone(),
        comment: "vents open".into(),
        at: at(50),
    };
    let transitions = evaluate(&rules, &mut state, &said);
    registry.commit_alarms(&transitions, &mut state, 40).unwrap();
    assert!(registry.alarms(Which::Open, 10).unwrap().is_empty());
    let [closed] = again(&dir).alarms(Which::Closed, 10).unwrap().try_into().unwrap();
    assert_eq!(closed.episode.acknowledged.unwrap().by, by);
    assert_eq!(registry.transitions(id).unwrap().len(), 3);
    let during = |from, to| registry.alarms_of(ChannelId(1), at(from), at(to)).unwrap().len();
    assert_eq!((during(-5, 0), during(-5, 1), during(5, 6), during(30, 40)), (0, 1, 1, 0));
}

#[test]
fn a_commit_that_fails_keeps_nothing_of_it() {
    let (dir, registry) = open();
    let rules = rules();
    let mut state = State::default();
    let mut transitions = Vec::new();
    for minute in 0..12 {
        transitions.extend(evaluate(&rules, &mut state, &sample(minute, 36.0)));
    }
    let file = dir.path().join(registry::FILE);
    let other = rusqlite::Connection::open(file).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'x'); END",
        )
        .unwrap();
    registry.commit_alarms(&transitions, &mut state, 9).unwrap_err();
    assert!(registry.alarms(Which::All, 10).unwrap().is_empty());
    assert!(registry.alarm_engine().unwrap().is_none());
}

#[test]
fn the_record_of_changes_and_transitions_cannot_be_rewritten() {
    let (dir, registry) = open();
    registry.apply(&plan("sowing"), &Actor::CommandLine, at(0)).unwrap();
    let other = rusqlite::Connection::open(dir.path().join(registry::FILE)).unwrap();
    for sql in ["UPDATE change SET by = 'x'", "DELETE FROM change"] {
        assert!(other.execute(sql, []).is_err(), "{sql}");
    }
    let first = &registry.changes(0).unwrap()[0];
    assert_eq!(
        (first.what.as_str(), &first.by, first.at),
        ("site.add", &Actor::CommandLine, at(0))
    );
    let rebuilt: Site = serde_json::from_str(&first.detail).unwrap();
    assert_eq!(rebuilt, site());
}
