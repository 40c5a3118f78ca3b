//! A study: the same bytes for the same input, on every shelf, and nothing half-done.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use export::Error;
use export::study::{FILES, Folder, Progress, Study, Zip, write};
use exposure::{Light, Span};
use germplasm::{Field, Passport};
use measure::{Slug, Timestamp};
use nursery::{Batch, NodePlaced, PlacedFrom, StageFrom};
use store::Store as _;
use store::embedded::{Engine, Options};
use store::load::{Load, fill};

const HOUR_MS: i64 = 3_600_000;

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

/// 2025-01-01T00:00:00Z plus some hours.
fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000 + hours * HOUR_MS).unwrap()
}

fn light(_: &Slug, _: &Slug, at: Timestamp) -> Light {
    let half = at.millis().div_euclid(12 * HOUR_MS);
    let until = Timestamp::from_millis((half + 1) * 12 * HOUR_MS).unwrap();
    Light { day: half % 2 == 0, until }
}

struct World {
    engine: Engine,
    _dir: tempfile::TempDir,
}

impl World {
    fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), Options::default()).unwrap();
        let load = Load { nodes: 1, start: at(0), minutes: 2 * 1_440, minutes_per_commit: 60 };
        fill(&engine, &load, |_| {}).unwrap();
        Self { engine, _dir: dir }
    }

    fn study(&self) -> Study {
        let series = self.engine.series().unwrap();
        let node = series.first().unwrap().1.node.clone();
        let site = node.site.clone();
        let placed = |zone: &str, hours| NodePlaced {
            node: node.clone(),
            zone: Some(slug(zone)),
            from: at(hours),
        };
        let batch = |id: &str, label: &str| Batch {
            id: slug(id),
            site: site.clone(),
            label: label.to_owned(),
            accession: Some("CHN001:42".to_owned()),
            crop: slug("rice"),
            method: slug("tray"),
            plants: None,
            started: at(1),
            closed: None,
            stages: vec![
                StageFrom { stage: slug("6-to-1-leaf"), from: at(1) },
                StageFrom { stage: slug("7-2-leaf"), from: at(20) },
            ],
            placements: vec![PlacedFrom { zone: slug("house"), position: None, from: at(1) }],
        };
        let mut passport = Passport::default();
        for (field, value) in [(Field::InstCode, "CHN001"), (Field::AcceNumb, "42")] {
            passport.set(field, value);
        }
        let site = serde_json::json!({
            "id": site.as_str(), "names": {"zh": "甲", "en": "one"}, "time_zone": "Asia/Shanghai",
            "position": {"latitude": 29.2, "longitude": 107.1},
        });
        let zone = serde_json::json!({
            "id": "house", "site": node.site.as_str(), "names": {"zh": "棚", "en": "house"},
            "kind": "house", "day": {"by": "sun"}, "expected_interval_ms": 60000,
        });
        Study {
            span: Span { from: at(0), to: at(46) },
            batches: vec![batch("b", "=1+1, or \"more\""), batch("a", "甲")],
            sites: vec![serde_json::from_value(site).unwrap()],
            zones: vec![serde_json::from_value(zone).unwrap()],
            placed: vec![placed("house", 0), placed("yard", 40)],
            profiles: vec![],
            sources: vec![],
            series,
            passports: vec![passport],
            light: Box::new(light),
            corrections: export::Corrections::default(),
            readings_max: None,
        }
    }
}

fn zip(study: &Study, world: &World) -> Vec<u8> {
    let mut shelf = Zip::begin(Vec::new());
    write(study, &world.engine, &mut shelf, &mut |_| {}).unwrap();
    shelf.finish().unwrap()
}

fn unpacked(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len(), FILES.len());
    let mut files = Vec::new();
    for file in FILES {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(file.name).unwrap(), &mut bytes).unwrap();
        files.push((file.name.to_owned(), bytes));
    }
    files
}

#[test]
fn a_folder_and_a_zip_hold_the_same_bytes_and_so_they_do_the_next_time() {
    let (world, dir) = (World::build(), tempfile::tempdir().unwrap());
    let study = world.study();
    let first = zip(&study, &world);
    let mut turned = world.study();
    turned.batches.reverse();
    assert_eq!(first, zip(&turned, &world), "whatever the order of the question");
    let folder = dir.path().join("study");
    let mut shelf = Folder::begin(&folder).unwrap();
    let mut last = Progress::default();
    let summary = write(&study, &world.engine, &mut shelf, &mut |now| last = now).unwrap();
    shelf.finish().unwrap();
    assert_eq!((last.done, last.readings), (last.steps, summary.readings));
    let files = unpacked(first);
    for (name, bytes) in &files {
        assert_eq!(&std::fs::read(folder.join(name)).unwrap(), bytes, "{name}");
    }
    assert_eq!(summary.bytes, files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    // Seven channels, but not the supply voltage nor the measured deficit: six, a minute each for 39 h
    // and a quarter of an hour before.
    assert_eq!((summary.channels, summary.readings), (6, 6 * (39 * 60 + 15)));
    let estimate = study.estimate(&world.engine).unwrap();
    assert_eq!((estimate.channels, estimate.readings), (summary.channels, summary.readings));
    let mut check = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    assert!(check.wait().unwrap().success());
}

#[test]
fn text_is_quoted_and_never_altered() {
    let world = World::build();
    let files = unpacked(zip(&world.study(), &world));
    let text = |wanted: &str| {
        let (_, bytes) = files.iter().find(|(name, _)| name == wanted).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    assert!(text("batches.csv").contains(r#","=1+1, or ""more""","#), "{}", text("batches.csv"));
    assert!(text("accessions.csv").contains("CHN001,42"));
    let dictionary: serde_json::Value = serde_json::from_str(&text("dictionary.json")).unwrap();
    for (name, header) in [("exposure.csv", 0), ("days.csv", 1), ("batches.csv", 2)] {
        let file = dictionary.pointer(&format!("/files/{header}")).unwrap();
        let columns = file.pointer("/columns").unwrap().as_array().unwrap();
        let columns: Vec<_> =
            columns.iter().map(|it| it.pointer("/name").unwrap().as_str().unwrap()).collect();
        assert_eq!(text(name).lines().next(), Some(columns.join(",").as_str()));
    }
    let base = dictionary.pointer("/stages/0/thermal_time/class").unwrap();
    assert_eq!(base, "G", "an unknown crop is counted from our own proposal, and that is said");
}

#[test]
fn a_folder_is_there_whole_or_not_at_all() {
    let (world, dir) = (World::build(), tempfile::tempdir().unwrap());
    let folder = dir.path().join("study");
    let mut study = world.study();
    study.readings_max = Some(1_000);
    let mut shelf = Folder::begin(&folder).unwrap();
    let refused = write(&study, &world.engine, &mut shelf, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, Error::TooManyReadings { max: 1_000 }), "{refused}");
    // As if it had been cut off: the next attempt clears away what it left.
    let mut shelf = Folder::begin(&folder).unwrap();
    study.readings_max = None;
    write(&study, &world.engine, &mut shelf, &mut |_| {}).unwrap();
    shelf.finish().unwrap();
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&folder));
    assert!(matches!(Folder::begin(&folder), Err(Error::Exists(_))));
    let mut stranger = std::fs::File::create(dir.path().join("other")).unwrap();
    stranger.write_all(b"kept").unwrap();
    let empty = Study { span: Span { from: at(2), to: at(2) }, ..world.study() };
    assert!(matches!(empty.lived(&world.engine), Err(Error::EmptySpan)));
}
