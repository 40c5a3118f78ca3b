//! What ships is whole: every file loads, every number has a source or says that it has none, and
//! it is the number of the study it was taken from.

use std::io::Write as _;
use std::path::Path;

use measure::{Quantity, Slug};
use nursery::{Band, Period, Profile, SourceClass, Span, Stage};

#[test]
fn every_crop_of_the_nursery_has_a_profile() {
    let profiles = seeds::profiles().unwrap();
    let crops: Vec<_> = profiles.iter().map(|profile| profile.crop.as_str()).collect();
    assert_eq!(
        crops,
        [
            "rice",
            "blueberry",
            "tea",
            "coptis",
            "gastrodia",
            "scrophularia",
            "eucommia",
            "bamboo",
            "genebank"
        ]
    );
}

#[test]
fn names_are_in_chinese_and_in_english() {
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for profile in seeds::profiles().unwrap() {
        for method in &profile.methods {
            let stages = method.stages.iter().map(|stage| &stage.names);
            for names in stages.chain([&profile.names, &method.names]) {
                assert!(is_chinese(names.zh()), "{names:?}");
                assert!(!is_chinese(names.en()), "{names:?}");
            }
        }
    }
}

#[test]
fn a_number_without_a_source_is_of_class_g() {
    for profile in seeds::profiles().unwrap() {
        for stage in profile.methods.iter().flat_map(|method| &method.stages) {
            for band in &stage.bands {
                assert!(
                    !band.sources.is_empty() || band.target_class == SourceClass::G,
                    "{} {}: {band:?}",
                    profile.crop,
                    stage.id
                );
            }
        }
    }
}

#[test]
fn every_source_is_named_by_somebody() {
    let profiles = seeds::profiles().unwrap();
    let stages: Vec<&Stage> = profiles
        .iter()
        .flat_map(|profile| &profile.methods)
        .flat_map(|method| &method.stages)
        .collect();
    let (_, cited) = seeds::thresholds().unwrap();
    for source in seeds::sources().unwrap() {
        let named = |ids: &[String]| ids.contains(&source.id);
        let mut thermal = profiles.iter().flat_map(|profile| &profile.thermal_time);
        assert!(
            thermal.any(|it| named(&it.sources))
                || cited.iter().any(|it| named(&it.sources))
                || stages.iter().any(|stage| {
                    stage.bands.iter().any(|it| named(&it.sources))
                        || stage.guidance.iter().any(|it| named(&it.sources))
                        || stage.duration.iter().any(|it| named(&it.sources))
                }),
            "{} is named nowhere",
            source.id
        );
        assert!(!source.title.trim().is_empty());
    }
}

#[test]
fn thermal_time_is_counted_as_its_source_has_it() {
    let slug = |name| Slug::new(name).unwrap();
    for profile in seeds::profiles().unwrap() {
        let cardinal = |stage| {
            let found = profile.thermal_time(&slug("tray"), &slug(stage))?;
            Some((found.base_c, found.upper_c, found.class))
        };
        let rice = profile.crop.as_str() == "rice";
        let germinates = (10.0, Some(32.0), SourceClass::A);
        assert_eq!(cardinal("5-dark-emergence"), rice.then_some(germinates), "{}", profile.crop);
        let leaves = (11.0, Some(26.0), SourceClass::A);
        assert_eq!(cardinal("7-2-leaf"), rice.then_some(leaves), "{}", profile.crop);
        for it in &profile.thermal_time {
            assert!(!it.sources.is_empty() || it.class == SourceClass::G);
        }
    }
}

#[test]
fn bamboo_shoots_wait_for_their_growers() {
    let profiles = seeds::profiles().unwrap();
    let bamboo = profiles.iter().find(|profile| profile.crop.as_str() == "bamboo").unwrap();
    let slug = |name| Slug::new(name).unwrap();
    let shoots = bamboo.stage(&slug("grove"), &slug("shoots")).unwrap();
    assert!(shoots.bands.is_empty() && shoots.note.is_some());
    let numbers = bamboo.methods.iter().flat_map(|method| &method.stages);
    assert!(numbers.flat_map(|stage| &stage.bands).all(|band| band.proxy));
}

/// Where a row of the study stands in the profiles: each `method/stage` it holds for.
fn places(crop: &str, method: &str, stage: &str) -> Vec<(String, String)> {
    let slug = |text: &str| text.replace('_', "-").replace('+', "-up");
    let each = |places: &[(&str, &str)]| {
        places.iter().map(|(method, stage)| ((*method).into(), (*stage).into())).collect()
    };
    match (crop, method, stage) {
        ("rice", _, "6-9_all") => each(&[
            ("tray", "6-to-1-leaf"),
            ("tray", "7-2-leaf"),
            ("tray", "8-weaning-3-leaf"),
            ("tray", "9-harden"),
        ]),
        ("blueberry", _, "2-5_acclim") => each(&[
            ("tissue-culture", "2-acclim-d0-2"),
            ("tissue-culture", "3-acclim-d3-5"),
            ("tissue-culture", "4-acclim-d6-10"),
            ("tissue-culture", "5-acclim-d11-up"),
        ]),
        ("blueberry", "both", "grow_on") => {
            each(&[("tissue-culture", "grow-on"), ("cutting", "3-grow-on")])
        }
        ("blueberry", "both", stage) => each(&[("tissue-culture", stage), ("cutting", stage)]),
        ("coptis", _, "1-2_strat") => {
            each(&[("seed", "1-strat-warm-cool"), ("seed", "2-strat-cold")])
        }
        ("bamboo", "all", _) => each(&[("seed", "2-nursery"), ("tissue-culture", "2-nursery")]),
        _ => vec![(slug(method), slug(stage))],
    }
}

fn quantity(variable: &str) -> Option<(Quantity, Period)> {
    Some(match variable {
        "air_temp" => (Quantity::AirTemperature, Period::All),
        "air_temp_day" => (Quantity::AirTemperature, Period::Day),
        "air_temp_night" => (Quantity::AirTemperature, Period::Night),
        "rh" => (Quantity::RelativeHumidity, Period::All),
        "co2" => (Quantity::Co2, Period::All),
        "light" => (Quantity::Illuminance, Period::All),
        "substrate_temp" => (Quantity::SubstrateTemperature, Period::All),
        "substrate_ph" => (Quantity::SubstratePh, Period::All),
        "substrate_ec" => (Quantity::SubstrateEc, Period::All),
        "ppfd" => (Quantity::Ppfd, Period::All),
        "dli" => (Quantity::DailyLightIntegral, Period::All),
        "vpd_air" => (Quantity::VapourPressureDeficit, Period::All),
        "water_temp" => (Quantity::WaterTemperature, Period::All),
        _ => return None,
    })
}

/// What a row and its counterpart in a profile must have in common.
#[derive(Debug, PartialEq)]
struct Facts {
    ends: [Option<f64>; 4],
    target_class: SourceClass,
    alarm_class: Option<SourceClass>,
    sources: Vec<String>,
}

fn of_band(band: &Band) -> Facts {
    let units = |value: Option<measure::Scaled>| value.map(|it| it.to_f64(band.quantity));
    Facts {
        ends: [
            units(band.target.lo()),
            units(band.target.hi()),
            units(band.alarm.lo()),
            units(band.alarm.hi()),
        ],
        target_class: band.target_class,
        alarm_class: band.alarm_class,
        sources: band.sources.clone(),
    }
}

fn of_row(row: &csv::StringRecord) -> Facts {
    let end = |index: usize| match &row[index] {
        "" => None,
        text => Some(text.parse().expect("a row has numbers")),
    };
    let sources = match &row[11] {
        "-" => Vec::new(),
        text => text.split(',').map(str::to_owned).collect(),
    };
    let alarm_class = match &row[10] {
        "-" => None,
        text => Some(text.parse().expect("a row has known classes and numbers")),
    };
    Facts {
        ends: [end(4), end(5), end(6), end(7)],
        target_class: row[9].parse().expect("a row has known classes"),
        alarm_class,
        sources,
    }
}

fn ends(target: Span, alarm: Span, factor: f64) -> [Option<f64>; 4] {
    [target.lo, target.hi, alarm.lo, alarm.hi].map(|end| end.map(|end| end / factor))
}

/// Returns the counterpart of a row in a stage, whether it says that it is a proxy, and its note.
fn counterpart(stage: &Stage, variable: &str, unit: &str, wide: bool) -> Option<(Facts, bool)> {
    if let Some((quantity, period)) = quantity(variable) {
        let band = stage.bands.iter().find(|it| it.quantity == quantity && it.period == period)?;
        return Some((of_band(band), band.proxy));
    }
    if variable == "duration" && !wide {
        let it = stage.duration.as_ref()?;
        let facts = Facts {
            ends: ends(it.target_h, it.alarm_h, if unit == "d" { 24.0 } else { 1.0 }),
            target_class: it.target_class,
            alarm_class: it.alarm_class,
            sources: it.sources.clone(),
        };
        return Some((facts, it.proxy));
    }
    let name = if variable == "duration" { "duration_total" } else { variable };
    let it = stage.guidance.iter().find(|it| it.variable == name)?;
    assert_eq!(it.unit, if unit == "-" { "" } else { unit });
    let facts = Facts {
        ends: ends(it.target, it.alarm, 1.0),
        target_class: it.target_class,
        alarm_class: it.alarm_class,
        sources: it.sources.clone(),
    };
    Some((facts, it.proxy))
}

#[test]
fn the_shipped_numbers_are_those_of_the_study() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("../shared/data/agronomy_profiles.csv");
    if !path.exists() {
        // Written past the test harness, which keeps the output of a test that passes to itself.
        writeln!(std::io::stderr(), "SKIPPED: the study of crop profiles is not beside this repo")
            .unwrap();
        return;
    }
    let profiles = seeds::profiles().unwrap();
    let mut rows = csv::Reader::from_path(path).unwrap();
    let mut compared = 0;
    for row in rows.records() {
        let row = row.unwrap();
        let (crop, method, stage, variable) = (&row[0], &row[1], &row[2], &row[3]);
        let profile: &Profile =
            profiles.iter().find(|profile| profile.crop.as_str() == crop).unwrap();
        let places = places(crop, method, stage);
        for (method, stage) in &places {
            let slug = |name: &String| Slug::new(name).unwrap();
            let stage = profile.stage(&slug(method), &slug(stage));
            let stage = stage.unwrap_or_else(|| panic!("no stage for {row:?}"));
            let found = counterpart(stage, variable, &row[8], places.len() > 1);
            let (facts, proxy) = found.unwrap_or_else(|| panic!("nothing for {row:?}"));
            let mut expect = of_row(&row);
            if expect.ends[2..] == [None, None] {
                expect.alarm_class = None;
            }
            assert_eq!(facts, expect, "{row:?}");
            let stands_in =
                ["proxy", "proxies", "analog", "congener"].iter().any(|it| row[12].contains(it));
            assert!(proxy || !stands_in, "{row:?} is a proxy");
        }
        compared += 1;
    }
    assert!(compared > 100, "only {compared} rows");
}
