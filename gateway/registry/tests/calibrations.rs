//! Calibrations as the file keeps them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use measure::{NodeKey, Quantity, Slug, Timestamp};
use people::Actor;
use quality::calibration::{Channel, Correction, Span, Timeline, Touched, Version};
use registry::{Derivation, Error, FILE, NewCalibration, Recomputed, Registry, Topic};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + second * 1_000).unwrap()
}

fn channel() -> Channel {
    let slug = |name| Slug::new(name).unwrap();
    let node = NodeKey { site: slug("jinfo"), node: slug("bench-1") };
    Channel { node, position: slug("canopy"), quantity: Quantity::AirTemperature }
}

fn new(from: Timestamp, offset: f64) -> NewCalibration {
    let correction = Correction::offset(Quantity::AirTemperature, offset).unwrap();
    let (by, note) = ("Li".to_owned(), "certificate 17".to_owned());
    NewCalibration { channel: channel(), from, correction, by, note }
}

fn touched(spans: &[(Timestamp, Timestamp)]) -> Touched {
    let spans = spans.iter().map(|&(from, to)| Span { from, to }).collect();
    Touched { spans, samples: 12, derived: 6 }
}

fn open(dir: &tempfile::TempDir) -> Registry {
    Registry::open(&dir.path().join(FILE)).unwrap()
}

const BY: Actor = Actor::CommandLine;

fn add(registry: &Registry, from: Timestamp, offset: f64, to: Timestamp) -> Version {
    registry.add_calibration(&new(from, offset), &touched(&[(from, to)]), &BY, at(900)).unwrap()
}

#[test]
fn every_version_stays_with_who_and_when_and_the_later_one_holds() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let first = add(&registry, at(100), 0.5, Timestamp::MAX);
    let second = add(&registry, at(100), 0.75, Timestamp::MAX);
    drop(registry);
    let registry = open(&dir);
    let all = registry.calibrations_of(&channel()).unwrap();
    assert_eq!(all, [first, second.clone()]);
    assert_eq!((second.by.as_str(), second.entered), ("Li", at(900)));
    assert_eq!(Timeline::of(&all).at(at(100)).map(|it| it.number), Some(second.number));
    assert_eq!(registry.calibrations().unwrap(), all);
    let recorded: Vec<_> = registry.changes(0).unwrap().into_iter().map(|it| it.what).collect();
    assert_eq!(recorded, ["calibration.add", "calibration.add"]);
    assert_eq!(registry.revision(Topic::Calibrations).unwrap(), 2);
}

#[test]
fn a_withdrawn_version_stays_and_holds_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let number = add(&registry, at(100), 0.5, Timestamp::MAX).number;
    let all = touched(&[(at(100), Timestamp::MAX)]);
    let withdraw = |why| registry.withdraw_calibration(number, why, &all, &BY, at(950));
    assert!(matches!(withdraw(" "), Err(Error::Refused { field: "why", .. })));
    withdraw("wrong bench").unwrap();
    assert!(matches!(withdraw("again"), Err(Error::Refused { field: "number", .. })));
    let kept = registry.calibration(number).unwrap();
    let withdrawn = kept.withdrawn.clone().unwrap();
    assert_eq!((withdrawn.why.as_str(), withdrawn.at), ("wrong bench", at(950)));
    assert!(Timeline::of(&[kept]).is_empty());
    let unknown = registry.withdraw_calibration(77, "why", &all, &BY, at(960));
    assert!(matches!(unknown, Err(Error::Unknown { what: "calibration", .. })));
    let change = registry.changes(0).unwrap().pop().unwrap();
    assert_eq!(
        (change.what.as_str(), change.why.as_deref()),
        ("calibration.withdraw", Some("wrong bench"))
    );
}

#[test]
fn what_is_to_be_computed_again_is_there_from_the_commit_on_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    add(&registry, at(300), 0.5, Timestamp::MAX);
    let number = add(&registry, at(100), 0.25, at(300)).number;
    let mut open = registry.open_recalibrations().unwrap();
    assert_eq!(open.len(), 2);
    let mut it = open.pop().unwrap();
    assert_eq!((it.calibration, it.span), (number, Span { from: at(100), to: at(300) }));
    assert_eq!((it.next, it.done, it.channel.clone()), (at(100), None, channel()));
    it.next = at(200);
    it.recomputed = Recomputed { samples: 10, flags: 1, derived: 5 };
    registry.advance_recalibration(&it, None).unwrap();
    assert_eq!(registry.open_recalibrations().unwrap()[1], it);
    it.next = at(300);
    // Said twice, as after a kill, it is recorded once.
    registry.advance_recalibration(&it, Some(at(990))).unwrap();
    registry.advance_recalibration(&it, Some(at(991))).unwrap();
    assert_eq!(registry.open_recalibrations().unwrap().len(), 1);
    assert_eq!(registry.recalibrations_of(number).unwrap()[0].done, Some(at(990)));
    let changes = registry.changes(0).unwrap();
    let recomputed: Vec<_> =
        changes.iter().filter(|it| it.what == "calibration.recompute").collect();
    assert_eq!(recomputed.len(), 1);
    assert!(recomputed[0].detail.contains("\"derived\":5"), "{}", recomputed[0].detail);
}

#[test]
fn what_people_were_told_is_what_is_kept_or_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let stale = touched(&[(at(100), Timestamp::MAX)]);
    add(&registry, at(300), 0.5, Timestamp::MAX);
    let refused = registry.add_calibration(&new(at(100), 0.5), &stale, &BY, at(900));
    assert!(matches!(refused, Err(Error::Refused { field: "channel", .. })));
    assert_eq!(registry.calibrations().unwrap().len(), 1);
    let long = NewCalibration { note: "x".repeat(401), ..new(at(100), 0.5) };
    let refused = registry.add_calibration(&long, &touched(&[(at(100), at(300))]), &BY, at(900));
    assert!(matches!(refused, Err(Error::Refused { field: "note", .. })));
}

#[test]
fn what_a_derived_series_is_computed_from_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    let derived = Channel { quantity: Quantity::VapourPressureDeficit, ..channel() };
    let it = |inputs| Derivation { channel: derived.clone(), inputs };
    registry.set_derivations(&[it(vec![channel()])]).unwrap();
    let humidity = Channel { quantity: Quantity::RelativeHumidity, ..channel() };
    let both = it(vec![channel(), humidity]);
    registry.set_derivations(std::slice::from_ref(&both)).unwrap();
    assert_eq!(registry.derivations().unwrap(), [both]);
}

#[test]
fn how_far_the_refine_stage_has_come_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(&dir);
    assert_eq!(registry.refined().unwrap(), None);
    registry.set_refined(7).unwrap();
    registry.set_refined(9).unwrap();
    assert_eq!(registry.refined().unwrap(), Some(9));
}
