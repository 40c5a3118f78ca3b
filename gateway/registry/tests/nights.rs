//! What the registry promises about nights: contacts, links, notes, confirmed limits, deliveries.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use alarms::{AlarmId, ConfirmedLimit};
use measure::{Quantity, Scaled, Slug, Timestamp};
use nursery::{Growing, Side};
use people::{Actor, Contact, EmailAddress, Language, Role, UserName};
use registry::{
    Error, NOTE_CHARS_MAX, NOTES_OPEN_MAX, NOTES_PAGE_MAX, NewNote, Plan, Registry, Topic,
    WhichNotes,
};
use serde_json::json;

const PASSWORD: &str = "first leaf of spring";
const BY: Actor = Actor::CommandLine;

fn open() -> (tempfile::TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    let site = json!({
        "id": "nanchuan", "names": { "zh": "南川", "en": "Nanchuan" },
        "position": { "latitude": 29.16, "longitude": 107.1 }, "time_zone": "Asia/Shanghai",
    });
    let plan = Plan { sites: vec![serde_json::from_value(site).unwrap()], ..Plan::default() };
    registry.apply(&plan, &BY, at(0)).unwrap();
    (dir, registry)
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_795_413_600_000 + minutes * 60_000).unwrap()
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn note(text: &str) -> NewNote {
    NewNote { site: slug("nanchuan"), zone: None, alarm: None, text: text.into() }
}

#[test]
fn a_user_is_told_where_the_contact_says_and_goes_with_it() {
    let (_dir, registry) = open();
    let li = UserName::new("li").unwrap();
    let missing = registry.set_contact(&li, &Contact::default(), &BY, at(0)).unwrap_err();
    assert!(matches!(missing, Error::Unknown { what: "user", .. }));
    registry.add_user(&li, Role::Technician, PASSWORD, &BY, at(0)).unwrap();
    assert_eq!(registry.person("li").unwrap().unwrap().contact, Contact::default());
    let contact = Contact {
        email: Some(EmailAddress::new("li@example.com").unwrap()),
        language: Language::En,
        wakes: false,
    };
    registry.set_contact(&li, &contact, &BY, at(1)).unwrap();
    let people = registry.people().unwrap();
    assert_eq!((people.len(), &people.first().unwrap().contact), (1, &contact));
    let last = registry.changes(0).unwrap().pop().unwrap();
    assert_eq!((last.what.as_str(), last.subject.as_str()), ("user.contact", "li"));
    let other = UserName::new("other").unwrap();
    registry.add_user(&other, Role::Admin, PASSWORD, &BY, at(1)).unwrap();
    registry.remove_user(&li, &BY, at(2)).unwrap();
    registry.add_user(&li, Role::Technician, PASSWORD, &BY, at(3)).unwrap();
    assert_eq!(registry.person("li").unwrap().unwrap().contact, Contact::default());
}

#[test]
fn a_note_waits_until_it_is_put_away_and_both_are_on_record() {
    let (_dir, registry) = open();
    let kept = registry.add_note(&note("  灌溉泵已更换  "), &BY, at(0)).unwrap();
    assert_eq!((kept.text.as_str(), kept.done.as_ref()), ("灌溉泵已更换", None));
    assert_eq!(registry.notes(WhichNotes::Open).unwrap(), std::slice::from_ref(&kept));
    let done = registry.finish_note(kept.number, &BY, at(5)).unwrap();
    assert_eq!(done.done, Some(("command-line".to_owned(), at(5))));
    let again = registry.finish_note(kept.number, &BY, at(9)).unwrap();
    assert_eq!(again, done, "put away once");
    assert!(registry.notes(WhichNotes::Open).unwrap().is_empty());
    assert_eq!(registry.notes(WhichNotes::All).unwrap(), [done]);
    let whats: Vec<_> = registry.changes(0).unwrap().into_iter().map(|it| it.what).collect();
    assert_eq!(whats, ["site.add", "note.add", "note.done"]);
}

#[test]
fn a_note_that_is_empty_long_or_about_nothing_is_refused() {
    let (_dir, registry) = open();
    let refused = |note: &NewNote| registry.add_note(note, &BY, at(0)).unwrap_err();
    assert!(matches!(refused(&note(" ")), Error::Refused { field: "text", .. }));
    let long = "叶".repeat(NOTE_CHARS_MAX + 1);
    assert!(matches!(refused(&note(&long)), Error::Refused { field: "text", .. }));
    let site = NewNote { site: slug("nowhere"), ..note("x") };
    assert!(matches!(refused(&site), Error::Unknown { what: "site", .. }));
    let zone = NewNote { zone: Some(slug("attic")), ..note("x") };
    assert!(matches!(refused(&zone), Error::Unknown { what: "zone", .. }));
    let alarm = NewNote { alarm: Some(AlarmId(9)), ..note("x") };
    assert!(matches!(refused(&alarm), Error::Unknown { what: "alarm", .. }));
    let missing = registry.finish_note(7, &BY, at(0)).unwrap_err();
    assert!(matches!(missing, Error::Unknown { what: "note", .. }));
    for _ in 0..NOTES_OPEN_MAX {
        registry.add_note(&note("x"), &BY, at(0)).unwrap();
    }
    assert!(matches!(refused(&note("x")), Error::Refused { field: "text", .. }));
    assert_eq!(registry.notes(WhichNotes::Open).unwrap().len(), NOTES_PAGE_MAX);
}

#[test]
fn a_confirmed_limit_is_kept_with_who_and_why_and_the_gateway_notices() {
    let (dir, registry) = open();
    let growing = Growing { crop: slug("rice"), method: slug("tray"), stage: slug("nursery") };
    let limit = ConfirmedLimit {
        site: slug("nanchuan"),
        growing: growing.clone(),
        quantity: Quantity::AirTemperature,
        side: Side::High,
        limit: Scaled(35_000),
        by: String::new(),
    };
    let before = registry.revision(Topic::Nursery).unwrap();
    let by = Actor::User(UserName::new("li").unwrap());
    registry.confirm_limit(&limit, "measured here for ten years", &by, at(0)).unwrap();
    assert!(registry.revision(Topic::Nursery).unwrap() > before);
    let again = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    let kept = again.confirmed_limits().unwrap();
    let found = |steps| {
        kept.by(&limit.site, &growing, (Quantity::AirTemperature, Side::High, Scaled(steps)))
    };
    assert_eq!((found(35_000), found(34_999)), (Some("user:li"), None));
    let last = registry.changes(0).unwrap().pop().unwrap();
    assert_eq!(last.why.as_deref(), Some("measured here for ten years"));
    let nowhere = ConfirmedLimit { site: slug("nowhere"), ..limit };
    let error = registry.confirm_limit(&nowhere, "x", &by, at(0)).unwrap_err();
    assert!(matches!(error, Error::Unknown { what: "site", .. }));
}

#[test]
fn fanning_out_what_is_not_in_the_outbox_changes_nothing() {
    let (_dir, registry) = open();
    registry.fan_out(7, &[], at(0)).unwrap();
    assert_eq!(registry.delivery_counts().unwrap(), (0, 0));
    assert!(registry.due_deliveries(at(9), 10).unwrap().is_empty());
    assert_eq!(registry.next_delivery().unwrap(), None);
    assert!(registry.told_of(AlarmId(u64::MAX)).unwrap().is_empty());
}
