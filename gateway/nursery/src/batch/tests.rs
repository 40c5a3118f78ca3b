use super::*;

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn hour(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * 3_600_000).unwrap()
}

fn batch(id: &str, zone: &str, stage: &str, from: i64) -> Batch {
    Batch {
        id: slug(id),
        site: slug("nanchuan"),
        label: id.to_owned(),
        accession: Some("CHN999:NC-0001".to_owned()),
        crop: slug("rice"),
        method: slug("tray"),
        plants: Some(480),
        started: hour(from),
        closed: None,
        stages: vec![StageFrom { stage: slug(stage), from: hour(from) }],
        placements: vec![PlacedFrom { zone: slug(zone), position: None, from: hour(from) }],
    }
}

/// Sown at hour 10 in house-1, moved at 20, at its second stage from 30, closed at 40.
fn lived() -> Batch {
    let mut batch = batch("rice-1", "house-1", "1-sow", 10);
    batch.move_to(slug("house-2"), Some(slug("bench-3")), hour(20)).unwrap();
    batch.enter(slug("2-emerge"), hour(30)).unwrap();
    batch.close(hour(40), "dispatched").unwrap();
    batch
}

#[test]
fn a_life_is_cut_at_every_change() {
    let told = |until: i64| {
        let segments = lived().segments(hour(until));
        let tell = |it: &Segment| {
            let hours = |at: Timestamp| at.millis() / 3_600_000;
            format!("{} {} {}-{}", it.stage, it.zone, hours(it.from), hours(it.to))
        };
        segments.iter().map(tell).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(told(99), "1-sow house-1 10-20, 1-sow house-2 20-30, 2-emerge house-2 30-40");
    assert_eq!(told(25), "1-sow house-1 10-20, 1-sow house-2 20-25");
    assert_eq!(told(20), "1-sow house-1 10-20");
    assert_eq!(told(10), "");
    assert_eq!(told(5), "");
}

#[test]
fn stage_and_place_are_those_of_the_asked_time() {
    let lived = lived();
    let stage = |at| lived.stage_at(hour(at)).map(Slug::as_str);
    let zone = |at| lived.zone_at(hour(at)).map(|it| it.zone.as_str());
    assert_eq!([stage(9), stage(10), stage(29)], [None, Some("1-sow"), Some("1-sow")]);
    assert_eq!([stage(30), stage(39), stage(40)], [Some("2-emerge"), Some("2-emerge"), None]);
    assert_eq!(
        [zone(9), zone(19), zone(20), zone(40)],
        [None, Some("house-1"), Some("house-2"), None]
    );
    assert_eq!(lived.end(hour(99)), hour(40));
    assert_eq!(batch("b", "z", "s", 1).end(hour(99)), hour(99));
}

#[test]
fn it_comes_back_as_it_was_written() {
    let text = serde_json::to_string(&lived()).unwrap();
    assert_eq!(serde_json::from_str::<Batch>(&text).unwrap(), lived());
    assert_eq!(lived().check(), Ok(()));
}

#[test]
fn no_change_comes_before_the_last_of_its_kind() {
    let mut open = batch("rice-1", "house-1", "1-sow", 10);
    open.enter(slug("2-emerge"), hour(30)).unwrap();
    assert!(matches!(open.enter(slug("3-leaf"), hour(29)), Err(Error::Before { .. })));
    // A move that was noted late: it came before the stage, but is the first move.
    open.move_to(slug("house-2"), None, hour(20)).unwrap();
    assert!(matches!(open.move_to(slug("house-1"), None, hour(19)), Err(Error::Before { .. })));
    assert!(matches!(open.close(hour(29), "lost"), Err(Error::Before { .. })));
    assert_eq!(open.check(), Ok(()));
}

#[test]
fn a_change_at_the_time_of_the_last_puts_that_right() {
    let mut open = batch("rice-1", "house-1", "1-sow", 10);
    open.move_to(slug("house-2"), None, hour(10)).unwrap();
    open.enter(slug("2-emerge"), hour(10)).unwrap();
    assert_eq!((open.stages.len(), open.placements.len()), (1, 1));
    assert_eq!(open.check(), Ok(()));
    assert!(matches!(open.enter(slug("2-emerge"), hour(20)), Err(Error::Already { .. })));
    assert!(matches!(open.move_to(slug("house-2"), None, hour(20)), Err(Error::Already { .. })));
}

#[test]
fn what_is_closed_stays_as_it_is() {
    let mut closed = lived();
    assert!(matches!(closed.enter(slug("3-leaf"), hour(50)), Err(Error::Closed(_))));
    assert!(matches!(closed.move_to(slug("house-1"), None, hour(50)), Err(Error::Closed(_))));
    assert!(matches!(closed.close(hour(50), "again"), Err(Error::Closed(_))));
    assert_eq!(closed, lived());
}

#[test]
fn a_blank_reason_is_refused_and_leaves_it_open() {
    let mut open = batch("rice-1", "house-1", "1-sow", 10);
    assert!(matches!(open.close(hour(20), "  "), Err(Error::Text { .. })));
    assert_eq!(open.closed, None);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Batch), words: &str) {
    let mut wrong = lived();
    change(&mut wrong);
    let error = wrong.check().unwrap_err().to_string();
    assert!(error.contains(words) && error.contains("rice-1"), "{error}");
}

#[test]
fn a_broken_history_is_named() {
    refused(|it| it.label.clear(), "label");
    refused(|it| it.stages.clear(), "no stage from its start");
    refused(|it| it.placements[0].from = hour(11), "no place from its start");
    refused(|it| it.placements[1].from = hour(10), "1970-01-01T10:00:00Z");
    refused(|it| it.closed.as_mut().unwrap().at = hour(29), "1970-01-02T06:00:00Z");
    refused(|it| it.closed.as_mut().unwrap().reason.clear(), "reason");
    let many = |it: &mut Batch| {
        let place = it.placements[0].clone();
        it.placements = vec![place; BATCH_PLACEMENTS_MAX + 1];
    };
    refused(many, "1025 placements");
    let mut wrong = lived();
    wrong.accession = Some("NC-0001".to_owned());
    assert_eq!(wrong.check(), Err(Error::Accession("NC-0001".to_owned())));
}

fn lead(batches: &[Batch], at: i64) -> Option<&str> {
    let order = |_: &Batch, stage: &Slug| {
        ["1-sow", "2-emerge", "3-leaf"]
            .iter()
            .position(|it| *it == stage.as_str())
            .map(|it| it as u16)
    };
    leading(batches.iter(), &slug("house-1"), hour(at), order).map(|it| it.id.as_str())
}

#[test]
fn the_youngest_batch_leads_its_zone() {
    let batches = [batch("old", "house-1", "3-leaf", 1), batch("young", "house-1", "1-sow", 5)];
    assert_eq!(lead(&batches, 0), None);
    assert_eq!(lead(&batches, 1), Some("old"));
    assert_eq!(lead(&batches, 5), Some("young"));
}

#[test]
fn of_two_at_one_stage_the_one_that_stood_there_longest_leads() {
    let mut first = batch("b", "house-1", "1-sow", 1);
    let second = batch("a", "house-1", "1-sow", 5);
    assert_eq!(lead(&[first.clone(), second.clone()], 9), Some("b"));
    // A move to another bench of the same zone is no break, a stay elsewhere is.
    first.move_to(slug("house-1"), Some(slug("bench-1")), hour(6)).unwrap();
    assert_eq!(lead(&[first.clone(), second.clone()], 9), Some("b"));
    first.move_to(slug("house-2"), None, hour(7)).unwrap();
    first.move_to(slug("house-1"), None, hour(8)).unwrap();
    assert_eq!(lead(&[first, second], 9), Some("a"));
}

#[test]
fn equal_batches_lead_by_id_and_an_unknown_stage_comes_last() {
    let twins = [batch("b", "house-1", "1-sow", 1), batch("a", "house-1", "1-sow", 1)];
    assert_eq!(lead(&twins, 9), Some("a"));
    let unknown = [batch("a", "house-1", "9-gone", 1), batch("b", "house-1", "3-leaf", 5)];
    assert_eq!(lead(&unknown, 9), Some("b"));
}

#[test]
fn a_closed_or_moved_batch_leads_nothing() {
    let mut closed = batch("a", "house-1", "1-sow", 1);
    closed.close(hour(5), "lost").unwrap();
    assert_eq!(lead(&[closed.clone()], 4), Some("a"));
    assert_eq!(lead(&[closed], 5), None);
    let mut moved = batch("a", "house-1", "1-sow", 1);
    moved.move_to(slug("house-2"), None, hour(5)).unwrap();
    assert_eq!(lead(&[moved.clone()], 4), Some("a"));
    assert_eq!(lead(&[moved], 5), None);
}
