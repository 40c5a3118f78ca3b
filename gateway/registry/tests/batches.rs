//! What the registry promises of batches and of where nodes stood, on a real file.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use measure::{NodeKey, Slug, Timestamp};
use nursery::{Batch, PlacedFrom, StageFrom};
use people::Actor;
use registry::{BATCH_WHY_CHARS_MAX, BatchState, Deed, Error, Plan, Registry, Topic};
use serde_json::json;
use tempfile::TempDir;

const BY: &Actor = &Actor::CommandLine;

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_795_413_600_000 + minutes * 60_000).unwrap()
}

/// A site with two houses.
fn open() -> (TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    let site = json!({
        "id": "nanchuan", "names": { "zh": "南川", "en": "Nanchuan" },
        "position": { "latitude": 29.16, "longitude": 107.1 }, "time_zone": "Asia/Shanghai",
    });
    let zone = |id: &str| {
        let zone = json!({
            "id": id, "site": "nanchuan", "names": { "zh": "棚", "en": "House" }, "kind": "house",
        });
        serde_json::from_value(zone).unwrap()
    };
    let plan = Plan {
        sites: vec![serde_json::from_value(site).unwrap()],
        zones: vec![zone("house-1"), zone("house-2")],
        ..Plan::default()
    };
    registry.apply(&plan, BY, at(0)).unwrap();
    (dir, registry)
}

fn batch(id: &str, started: Timestamp) -> Batch {
    Batch {
        id: slug(id),
        site: slug("nanchuan"),
        label: id.to_owned(),
        accession: None,
        crop: slug("rice"),
        method: slug("tray"),
        plants: Some(480),
        started,
        closed: None,
        stages: vec![StageFrom { stage: slug("sowing"), from: started }],
        placements: vec![PlacedFrom { zone: slug("house-1"), position: None, from: started }],
    }
}

fn deed(minutes: i64) -> Deed<'static> {
    Deed { by: BY, at: at(minutes), now: at(1_000), why: None }
}

#[test]
fn a_batch_is_moved_staged_and_closed_and_the_record_says_so() {
    let (dir, registry) = open();
    let key = (&slug("nanchuan"), &slug("rice-1"));
    registry.add_batch(&batch("rice-1", at(10)), BY, at(1_000)).unwrap();
    let bench = slug("bench-3");
    registry.move_batch(key, &slug("house-2"), Some(&bench), deed(20)).unwrap();
    registry.stage_batch(key, &slug("nursery"), deed(30)).unwrap();
    let why = Some("dispatched");
    let closed = registry.close_batch(key, Deed { why, ..deed(40) }).unwrap();
    let again = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    assert_eq!(again.batch(key.0, key.1).unwrap(), Some(closed.clone()));
    assert_eq!(closed.segments(at(99)).len(), 3);
    let record = again.changes(0).unwrap();
    let told = |it: &registry::Change| (it.what.clone(), it.why.clone());
    let record: Vec<_> =
        record.iter().filter(|it| it.subject == "nanchuan/rice-1").map(told).collect();
    let expect = [
        ("batch.add", None),
        ("batch.move", None),
        ("batch.stage", None),
        ("batch.close", Some("dispatched")),
    ];
    assert_eq!(record, expect.map(|(what, why)| (what.to_owned(), why.map(str::to_owned))));
}

#[test]
fn every_change_of_a_batch_is_noticed_by_a_running_gateway() {
    let (_dir, registry) = open();
    let key = (&slug("nanchuan"), &slug("rice-1"));
    let mut last = registry.revision(Topic::Nursery).unwrap();
    let mut noticed = || {
        let now = registry.revision(Topic::Nursery).unwrap();
        std::mem::replace(&mut last, now) < now
    };
    registry.add_batch(&batch("rice-1", at(10)), BY, at(1_000)).unwrap();
    assert!(noticed());
    registry.move_batch(key, &slug("house-2"), None, deed(20)).unwrap();
    assert!(noticed());
    registry.stage_batch(key, &slug("nursery"), deed(30)).unwrap();
    assert!(noticed());
    registry.close_batch(key, Deed { why: Some("lost"), ..deed(40) }).unwrap();
    assert!(noticed());
    assert!(registry.close_batch(key, Deed { why: Some("lost"), ..deed(50) }).is_err());
    assert!(!noticed());
}

#[track_caller]
fn refused(outcome: Result<impl std::fmt::Debug, Error>, field: &str) {
    match outcome.unwrap_err() {
        Error::Refused { field: found, reason } => {
            assert_eq!(found, field, "{reason:?}");
            assert!(!reason.zh.is_empty() && !reason.en.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_done_in_the_future_or_before_what_was_done() {
    let (_dir, registry) = open();
    let key = (&slug("nanchuan"), &slug("rice-1"));
    refused(registry.add_batch(&batch("rice-1", at(11)), BY, at(10)), "started");
    registry.add_batch(&batch("rice-1", at(10)), BY, at(10)).unwrap();
    refused(registry.stage_batch(key, &slug("nursery"), deed(1_001)), "at");
    refused(registry.stage_batch(key, &slug("nursery"), deed(9)), "at");
    refused(registry.stage_batch(key, &slug("sowing"), deed(20)), "stage");
    refused(registry.move_batch(key, &slug("house-1"), None, deed(20)), "zone");
    refused(registry.close_batch(key, deed(20)), "reason");
    let long = "x".repeat(BATCH_WHY_CHARS_MAX + 1);
    refused(
        registry.stage_batch(key, &slug("nursery"), Deed { why: Some(&long), ..deed(20) }),
        "reason",
    );
    assert_eq!(registry.batch(key.0, key.1).unwrap(), Some(batch("rice-1", at(10))));
}

#[test]
fn a_batch_of_nothing_known_is_refused_by_name() {
    let (_dir, registry) = open();
    let unknown = |outcome: Result<(), Error>, expect: &str| match outcome.unwrap_err() {
        Error::Unknown { what, name } => assert_eq!(format!("{what} {name}"), expect),
        other => panic!("{other:?}"),
    };
    let mut wrong = batch("rice-1", at(10));
    wrong.placements[0].zone = slug("house-9");
    unknown(registry.add_batch(&wrong, BY, at(10)), "zone nanchuan/house-9");
    let mut wrong = batch("rice-1", at(10));
    wrong.accession = Some("CHN999:NC-1".to_owned());
    unknown(registry.add_batch(&wrong, BY, at(10)), "accession CHN999:NC-1");
    registry.add_batch(&batch("rice-1", at(10)), BY, at(10)).unwrap();
    let twice = registry.add_batch(&batch("rice-1", at(10)), BY, at(10));
    assert!(matches!(twice, Err(Error::Taken { what: "batch", .. })));
    let nobody = registry.stage_batch((&slug("nanchuan"), &slug("x")), &slug("y"), deed(1));
    unknown(nobody.map(drop), "batch nanchuan/x");
    assert_eq!(registry.batches(BatchState::All).unwrap().len(), 1);
}

#[test]
fn open_batches_come_first_then_the_newest_and_a_zone_knows_its_own() {
    let (_dir, registry) = open();
    let site = slug("nanchuan");
    for (id, started) in [("a", 10), ("b", 20), ("c", 30)] {
        registry.add_batch(&batch(id, at(started)), BY, at(1_000)).unwrap();
    }
    registry.close_batch((&site, &slug("c")), Deed { why: Some("lost"), ..deed(40) }).unwrap();
    registry.move_batch((&site, &slug("a")), &slug("house-2"), None, deed(40)).unwrap();
    // Put right at the same time: it never stood in house-2.
    registry.move_batch((&site, &slug("b")), &slug("house-2"), None, deed(40)).unwrap();
    registry.move_batch((&site, &slug("b")), &slug("house-1"), Some(&slug("x")), deed(40)).unwrap();
    let ids = |batches: Vec<Batch>| {
        batches.iter().map(|it| it.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(registry.batches(BatchState::All).unwrap()), "b a c");
    assert_eq!(ids(registry.batches(BatchState::Open).unwrap()), "b a");
    assert_eq!(ids(registry.batches(BatchState::Closed).unwrap()), "c");
    assert_eq!(ids(registry.batches_of_zone(&site, &slug("house-1")).unwrap()), "b a c");
    assert_eq!(ids(registry.batches_of_zone(&site, &slug("house-2")).unwrap()), "a");
}

#[test]
fn where_a_node_stood_is_kept_when_it_moves() {
    let (_dir, registry) = open();
    let node = NodeKey { site: slug("nanchuan"), node: slug("n1") };
    let place = |zone: &str, minutes: i64| {
        registry.add_node(&node, &slug(zone), BY, at(minutes)).unwrap();
    };
    place("house-1", 0);
    // A new secret is no move.
    place("house-1", 10);
    place("house-2", 20);
    let history = registry.node_history().unwrap();
    let told: Vec<_> =
        history.iter().map(|it| (it.zone.as_ref().unwrap().as_str(), it.from)).collect();
    assert_eq!(told, [("house-1", at(0)), ("house-2", at(20))]);
    assert!(history.iter().all(|it| it.node == node));
}

/// What a plan with this one batch changes.
fn apply(registry: &Registry, batch: &Batch) -> Result<registry::Applied, Error> {
    let plan = Plan { batches: vec![batch.clone()], ..Plan::default() };
    registry.apply(&plan, BY, at(1_000))
}

#[test]
fn a_plan_begins_and_continues_a_batch_and_never_undoes_what_was_recorded() {
    let (_dir, registry) = open();
    let begun = batch("rice-1", at(10));
    assert_eq!(apply(&registry, &begun).unwrap().added, ["batch nanchuan/rice-1"]);
    let revision = registry.revision(Topic::Nursery).unwrap();
    assert!(!apply(&registry, &begun).unwrap().is_change());
    assert_eq!(registry.revision(Topic::Nursery).unwrap(), revision);

    let mut continued = begun.clone();
    continued.enter(slug("nursery"), at(20)).unwrap();
    continued.plants = Some(470);
    assert_eq!(apply(&registry, &continued).unwrap().changed, ["batch nanchuan/rice-1"]);
    assert!(registry.revision(Topic::Nursery).unwrap() > revision);
    // A person moved it; the plan, which does not know, leaves that as it is.
    let key = (&slug("nanchuan"), &slug("rice-1"));
    registry.move_batch(key, &slug("house-2"), None, deed(30)).unwrap();
    assert!(!apply(&registry, &continued).unwrap().is_change());
    assert_eq!(registry.batch(key.0, key.1).unwrap().unwrap().placements.len(), 2);

    let mut otherwise = begun.clone();
    otherwise.enter(slug("nursery"), at(21)).unwrap();
    refused(apply(&registry, &otherwise), "batch");
    refused(apply(&registry, &Batch { crop: slug("tea"), ..begun.clone() }), "batch");
    refused(apply(&registry, &batch("rice-1", at(11))), "batch");
}

#[test]
fn a_plan_closes_a_batch_once() {
    let (_dir, registry) = open();
    let mut closed = batch("rice-1", at(10));
    apply(&registry, &closed).unwrap();
    closed.close(at(20), "dispatched").unwrap();
    assert!(apply(&registry, &closed).unwrap().is_change());
    assert!(!apply(&registry, &closed).unwrap().is_change());
    assert!(!apply(&registry, &batch("rice-1", at(10))).unwrap().is_change());
    let mut again = batch("rice-1", at(10));
    again.close(at(30), "lost").unwrap();
    refused(apply(&registry, &again), "batch");
    let mut longer = batch("rice-1", at(10));
    longer.enter(slug("nursery"), at(30)).unwrap();
    refused(apply(&registry, &longer), "at");
}

#[test]
fn a_plan_brings_accessions_and_the_batches_raised_from_them_all_or_nothing() {
    let (_dir, registry) = open();
    let csv = "INSTCODE,ACCENUMB,GENUS\nCHN999,NC-1,Oryza\n";
    let sheet = germplasm::read(csv.as_bytes()).unwrap();
    let mut raised = batch("rice-1", at(10));
    raised.accession = Some("CHN999:NC-1".to_owned());
    let mut plan = Plan {
        germplasm: vec![(sheet, registry::Faulty::Refuse)],
        batches: vec![
            raised.clone(),
            Batch { accession: Some("CHN999:X".into()), ..batch("b", at(1)) },
        ],
        ..Plan::default()
    };
    assert!(matches!(registry.apply(&plan, BY, at(1_000)), Err(Error::Unknown { .. })));
    assert!(registry.passports().unwrap().is_empty());
    plan.batches.truncate(1);
    let applied = registry.apply(&plan, BY, at(1_000)).unwrap();
    assert_eq!(applied.added, ["accessions: 1", "batch nanchuan/rice-1"]);
    assert!(!registry.apply(&plan, BY, at(1_001)).unwrap().is_change());
    let id = registry.accession_id("CHN999:NC-1").unwrap().unwrap();
    assert_eq!(registry.accession(id).unwrap().unwrap().batches, 1);
    assert_eq!(registry.batches_of_accession(id).unwrap(), [raised]);
}
