//! The dictionary of a study: what every column, unit, flag, band and gap in it means.

use std::collections::{BTreeMap, BTreeSet};

use exposure::{DAY_COVERAGE_MIN_PERCENT, Lived, hold_us};
use measure::{Fault, Quality, Quantity, Scaled, Slug};
use nursery::{Band, Day, Names, Profile, Zone};
use serde_json::{Value, json};
use store::Gap;

use crate::dictionary::quantity;
use crate::rows::instant;
use crate::study::Study;
use crate::study::definitions::{DEFINITIONS, FILES, columns};
use crate::study::series::Written;

/// Returns the dictionary. Nothing in it depends on when or where it was made.
pub(super) fn dictionary(
    study: &Study,
    lived: &[(Slug, Slug, Lived)],
    written: &Written,
    gaps: &[Gap],
) -> Value {
    let rows = lived.iter().flat_map(|(.., lived)| &lived.rows);
    let used: BTreeSet<Quantity> = rows.map(|row| row.quantity).collect();
    let stages = stages(study);
    let mut dictionary = json!({
        "format": "miaopu-study",
        "format_version": 1,
        "from": instant(study.span.from),
        "to": instant(study.span.to),
        "batches": study.batches().iter().map(|it| format!("{}/{}", it.site, it.id))
            .collect::<Vec<_>>(),
        "encoding": {
            "en": "CSV after RFC 4180, UTF-8 without a mark, comma, with a line feed at the end of each row. Cells are never altered: one that begins with = + - or @ is text or a negative number, no formula. Computed numbers have six decimals.",
            "zh": "CSV 按 RFC 4180，UTF-8 无标记，逗号分隔，行尾为换行符。单元格内容从不改动：以 = + - @ 开头的是文字或负数，不是公式。计算所得数值保留六位小数。",
        },
        "files": FILES.map(|file| json!({
            "name": file.name,
            "words": { "en": file.en, "zh": file.zh },
            "columns": columns(file.name, written.is_calibrated),
        })),
        "definitions": DEFINITIONS.map(|(en, zh)| json!({ "en": en, "zh": zh })),
        "constants": {
            "day_coverage_min": DAY_COVERAGE_MIN_PERCENT as f64 / 100.0,
            "sunlight_lux_per_micromole": exposure::SUN_LUX_PER_MICROMOLE,
            "thermal_time_base_default_cel": exposure::BASE_C_DEFAULT,
            "vapour_pressure_deficit": "0.6108 * exp(17.27 * T / (T + 237.3)) * (1 - RH / 100) kPa, T in Cel, RH in % (FAO Irrigation and Drainage Paper 56, 1998, equations 10 and 11)",
        },
        "readings": written.readings,
        "quantities": used.into_iter().map(quantity).collect::<Vec<_>>(),
        "quality_flags": {
            "standard": "IOOS QARTOD, Manual for Real-Time Oceanographic Data Quality Control Flags, version 1.2, 2020",
            "flags": Quality::ALL.map(|flag| json!({ "code": flag.code(), "name": flag.name() })),
        },
        "faults": Fault::ALL.map(Fault::name),
        "sites": sites(study),
        "zones": zones(study, written),
        "node_placements": placements(study, written),
        "channels": written.channels.iter().map(|key| json!({
            "site": key.node.site.as_str(),
            "node": key.node.node.as_str(),
            "position": key.position.as_str(),
            "quantity": key.quantity.name(),
        })).collect::<Vec<_>>(),
        "stages": stages.values().map(|(_, json)| json).collect::<Vec<_>>(),
        "sources": sources(study, &stages),
        "series": written.series.iter().map(|series| json!({
            "site": series.key.node.site.as_str(),
            "node": series.key.node.node.as_str(),
            "position": series.key.position.as_str(),
            "quantity": series.key.quantity.name(),
            "unit": series.key.quantity.ucum(),
            "rows": series.rows,
            "faults": series.faults,
            "first": instant(series.first),
            "last": instant(series.last),
        })).collect::<Vec<_>>(),
        "gaps": gaps.iter().map(|gap| json!({
            "site": gap.node.site.as_str(),
            "node": gap.node.node.as_str(),
            "flash": gap.flash.to_string(),
            "first_sequence": gap.range.first.0,
            "last_sequence": gap.range.last.0,
            "reason": gap.reason.name(),
            "told": instant(gap.at),
        })).collect::<Vec<_>>(),
    });
    if let Some(fields) = dictionary.as_object_mut().filter(|_| written.is_calibrated) {
        let span = (study.span.from, study.span.to);
        let told = study.corrections.told(written.series.iter().map(|it| &it.key), span);
        fields.insert("calibrations".to_owned(), told.into());
    }
    dictionary
}

fn words(names: &Names) -> Value {
    json!({ "en": names.en(), "zh": names.zh() })
}

fn sites(study: &Study) -> Value {
    let named: BTreeSet<&Slug> = study.batches.iter().map(|batch| &batch.site).collect();
    let sites = study.sites.iter().filter(|site| named.contains(&site.id)).map(|site| {
        json!({
            "site": site.id.as_str(),
            "names": words(&site.names),
            "time_zone": site.time_zone.name(),
            "latitude_deg": site.position.latitude.degrees(),
            "longitude_deg": site.position.longitude.degrees(),
        })
    });
    sites.collect()
}

fn zones(study: &Study, written: &Written) -> Value {
    let stood = study.batches().into_iter().flat_map(|batch| {
        let stays = exposure::stays(batch, study.span);
        stays.into_iter().map(|stay| (batch.site.clone(), stay.zone)).collect::<Vec<_>>()
    });
    let all: BTreeSet<(Slug, Slug)> = stood.chain(written.zones.iter().cloned()).collect();
    let zones = all.iter().filter_map(|(site, zone)| study.zone(site, zone)).map(zone_words);
    zones.collect()
}

fn zone_words(zone: &Zone) -> Value {
    let day = match zone.day {
        Day::Sun => "sun: from sunrise to sunset",
        Day::Lamp { .. } => "lamp: while the lamps are on by their schedule",
        Day::MeasuredLight { .. } => {
            "measured_light: taken here from sunrise to sunset, as for the bands of a chart"
        }
    };
    json!({
        "site": zone.site.as_str(),
        "zone": zone.id.as_str(),
        "names": words(&zone.names),
        "day": day,
        "expected_interval_s": f64::from(zone.expected_interval_ms) / 1e3,
        "hold_s": hold_us(zone.expected_interval_ms) as f64 / 1e6,
    })
}

/// Returns where the nodes of the study stood: what lies after it is left out, but the first place,
/// which counts for all time before it.
fn placements(study: &Study, written: &Written) -> Value {
    let mut found = Vec::new();
    for node in &written.nodes {
        let mut places = study.placed.iter().filter(|it| it.node == *node);
        let first = places.next();
        for placed in first.into_iter().chain(places.filter(|it| it.from < study.span.to)) {
            found.push(json!({
                "site": node.site.as_str(),
                "node": node.node.as_str(),
                "zone": placed.zone.as_ref().map(Slug::as_str),
                "from": instant(placed.from),
            }));
        }
    }
    found.into()
}

type Stages = BTreeMap<(Slug, Slug, u16, Slug), (Vec<String>, Value)>;

/// Returns every stage that a batch went through, with the sources that it names.
fn stages(study: &Study) -> Stages {
    let mut found = Stages::new();
    for batch in study.batches() {
        let profile = study.profile(batch);
        for segment in exposure::stays(batch, study.span) {
            let known = profile.and_then(|it| it.stage(&batch.method, &segment.stage));
            let order = known.map_or(u16::MAX, |it| it.order);
            let key = (batch.crop.clone(), batch.method.clone(), order, segment.stage.clone());
            let stage = || stage(profile, (&batch.crop, &batch.method, &segment.stage));
            found.entry(key).or_insert_with(stage);
        }
    }
    found
}

fn stage(
    profile: Option<&Profile>,
    (crop, method, id): (&Slug, &Slug, &Slug),
) -> (Vec<String>, Value) {
    let known = profile.and_then(|profile| profile.stage(method, id));
    let bands = known.map_or(&[][..], |stage| &stage.bands);
    let thermal = profile.and_then(|profile| profile.thermal_time(method, id));
    let mut sources: Vec<String> = bands.iter().flat_map(|band| band.sources.clone()).collect();
    sources.extend(thermal.iter().flat_map(|it| it.sources.clone()));
    let thermal_time = match thermal {
        Some(it) => json!({
            "base_cel": it.base_c,
            "upper_cel": it.upper_c,
            "class": it.class.name(),
            "sources": it.sources,
            "note": it.note.as_ref().map(words),
        }),
        None => json!({
            "base_cel": exposure::BASE_C_DEFAULT,
            "upper_cel": null,
            "class": "G",
            "sources": [],
            "note": {
                "en": "nobody has cited a base temperature for this crop and stage: 10 degC is a proposal",
                "zh": "该作物和阶段没有可引用的下限温度：10°C 只是建议值",
            },
        }),
    };
    let json = json!({
        "crop": crop.as_str(),
        "method": method.as_str(),
        "stage": id.as_str(),
        "names": known.map(|stage| words(&stage.names)),
        "targets": bands.iter().filter(|band| !band.target.is_open()).map(band)
            .collect::<Vec<_>>(),
        "thermal_time": thermal_time,
    });
    (sources, json)
}

fn band(band: &Band) -> Value {
    let units = |edge: Option<Scaled>| edge.map(|it| it.to_f64(band.quantity));
    json!({
        "quantity": band.quantity.name(),
        "unit": band.quantity.ucum(),
        "period": band.period.name(),
        "low": units(band.target.lo()),
        "high": units(band.target.hi()),
        "class": band.target_class.name(),
        "sources": band.sources,
        "proxy": band.proxy,
        "note": band.note.as_ref().map(words),
    })
}

fn sources(study: &Study, stages: &Stages) -> Value {
    let named: BTreeSet<&String> = stages.values().flat_map(|(sources, _)| sources).collect();
    let sources = study.sources.iter().filter(|it| named.contains(&it.id)).map(|source| {
        json!({
            "id": source.id,
            "title": source.title,
            "year": source.year,
            "address": source.address,
            "class": source.class.name(),
        })
    });
    sources.collect()
}
