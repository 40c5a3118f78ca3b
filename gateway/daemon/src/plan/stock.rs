//! The tables `[[germplasm]]` and `[[batch]]` of a plan.

use std::collections::BTreeSet;

use germplasm::Sheet;
use measure::{Slug, Timestamp};
use nursery::{Batch, Closed, PlacedFrom, Profile, StageFrom};
use registry::Faulty;
use serde::Deserialize;
use toml::{Table, value::Datetime};

use super::{Read, check, check_stage, tables};
use crate::config::Fault;

/// What batches may build on.
pub(super) struct Ground<'a> {
    /// The crop profiles.
    pub(super) profiles: &'a [Profile],
    /// The zones, by site, that there are or will be.
    pub(super) zones: &'a BTreeSet<(Slug, Slug)>,
    /// The accessions that there are or will be.
    pub(super) accessions: &'a BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGermplasm {
    file: String,
    #[serde(default)]
    faulty: RawFaulty,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawFaulty {
    #[default]
    Refuse,
    Skip,
}

/// Reads the files of accessions. A faulty row is a fault of the plan where it is to be refused.
pub(super) fn germplasm(
    table: &Table,
    read: Read<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<(Sheet, Faulty)> {
    let listed: Vec<(String, RawGermplasm)> = tables(table, "germplasm", faults);
    let mut sheets = Vec::new();
    for (key, raw) in listed {
        let sheet = read(&raw.file)
            .and_then(|bytes| germplasm::read(&bytes).map_err(|error| error.to_string()));
        let sheet = match sheet {
            Ok(sheet) => sheet,
            Err(message) => {
                faults.push(Fault { key, message });
                continue;
            }
        };
        match raw.faulty {
            RawFaulty::Skip => sheets.push((sheet, Faulty::Skip)),
            RawFaulty::Refuse => {
                let told = sheet.faults.iter().map(crate::germplasm::line);
                faults.extend(told.map(|message| Fault { key: key.clone(), message }));
                sheets.push((sheet, Faulty::Refuse));
            }
        }
    }
    sheets
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch {
    #[serde(with = "nursery::serial::slug")]
    site: Slug,
    #[serde(with = "nursery::serial::slug")]
    id: Slug,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    accession: Option<String>,
    #[serde(with = "nursery::serial::slug")]
    crop: Slug,
    #[serde(with = "nursery::serial::slug")]
    method: Slug,
    #[serde(with = "nursery::serial::slug")]
    zone: Slug,
    #[serde(default, with = "nursery::serial::slug_option")]
    position: Option<Slug>,
    #[serde(default)]
    plants: Option<u32>,
    started: Moment,
    stages: Vec<RawStage>,
    #[serde(default)]
    moves: Vec<RawMove>,
    #[serde(default)]
    closed: Option<RawClosed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    #[serde(with = "nursery::serial::slug")]
    stage: Slug,
    #[serde(default)]
    from: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMove {
    #[serde(with = "nursery::serial::slug")]
    zone: Slug,
    #[serde(default, with = "nursery::serial::slug_option")]
    position: Option<Slug>,
    from: Moment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClosed {
    at: Moment,
    reason: String,
}

/// A time with its offset, as TOML has it or as text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "RawMoment")]
struct Moment(Timestamp);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMoment {
    Toml(Datetime),
    Text(String),
}

impl TryFrom<RawMoment> for Moment {
    type Error = String;

    fn try_from(raw: RawMoment) -> Result<Self, String> {
        let text = match raw {
            RawMoment::Toml(time) => time.to_string(),
            RawMoment::Text(text) => text,
        };
        let time: Option<jiff::Timestamp> = text.parse().ok();
        time.and_then(|time| Timestamp::from_micros(time.as_microsecond()))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time such as 2026-11-23T08:00:00+08:00"))
    }
}

/// Reads the batches and checks what they build on.
pub(super) fn batches(table: &Table, ground: &Ground<'_>, faults: &mut Vec<Fault>) -> Vec<Batch> {
    let listed: Vec<(String, RawBatch)> = tables(table, "batch", faults);
    let mut named = BTreeSet::new();
    let mut batches = Vec::new();
    for (key, raw) in listed {
        let fresh = named.insert((raw.site.clone(), raw.id.clone()));
        check(faults, &key, fresh, || format!("the batch `{}` stands twice", raw.id));
        let late = raw.stages.iter().skip(1).find(|it| it.from.is_none());
        check(faults, &key, late.is_none(), || {
            let stage = late.map_or("", |it| it.stage.as_str());
            format!("the stage `{stage}` needs `from`: only the first begins with the batch")
        });
        let batch = batch(raw);
        for entered in &batch.stages {
            let stage = (&batch.crop, &batch.method, &entered.stage);
            check_stage(faults, &key, ground.profiles, stage);
        }
        for placed in &batch.placements {
            let known = ground.zones.contains(&(batch.site.clone(), placed.zone.clone()));
            check(faults, &key, known, || {
                format!("there is no zone `{}` at site `{}`", placed.zone, batch.site)
            });
        }
        if let Some(accession) = &batch.accession {
            check(faults, &key, ground.accessions.contains(accession), || {
                format!(
                    "there is no accession `{accession}`; bring its file as [[germplasm]], or import it"
                )
            });
        }
        if let Err(error) = batch.check() {
            faults.push(Fault { key, message: error.to_string() });
        }
        batches.push(batch);
    }
    batches
}

fn batch(raw: RawBatch) -> Batch {
    let started = raw.started.0;
    let stages = raw
        .stages
        .into_iter()
        .map(|it| StageFrom { stage: it.stage, from: it.from.map_or(started, |from| from.0) });
    let first = PlacedFrom { zone: raw.zone, position: raw.position, from: started };
    let moves = raw.moves.into_iter().map(|it| PlacedFrom {
        zone: it.zone,
        position: it.position,
        from: it.from.0,
    });
    Batch {
        label: raw.label.unwrap_or_else(|| raw.id.to_string()),
        accession: raw.accession,
        plants: raw.plants,
        closed: raw.closed.map(|it| Closed { at: it.at.0, reason: it.reason }),
        stages: stages.collect(),
        placements: std::iter::once(first).chain(moves).collect(),
        id: raw.id,
        site: raw.site,
        crop: raw.crop,
        method: raw.method,
        started,
    }
}

#[cfg(test)]
mod tests {
    use registry::Plan;

    use crate::plan::{Existing, parse};

    use super::*;

    const PLAN: &str = r#"
[[site]]
id = "jinfo"
names = { zh = "金佛山苗圃", en = "Jinfo nursery" }
position = { latitude = 29.05, longitude = 107.18 }
time_zone = "Asia/Shanghai"
[[zone]]
site = "jinfo"
id = "house-1"
names = { zh = "一号棚", en = "House 1" }
kind = "house"
[[germplasm]]
file = "accessions.csv"
[[batch]]
site = "jinfo"
id = "tea-1"
accession = "CHN001:NC-3"
crop = "tea"
method = "cutting"
zone = "house-1"
plants = 3600
started = 2026-10-01T08:00:00+08:00
stages = [{ stage = "1-root" }, { stage = "2-grow-on", from = "2026-11-01T00:00:00Z" }]
moves = [{ zone = "house-1", position = "bench-4", from = 2026-11-02T00:00:00Z }]
closed = { at = 2026-11-22T16:00:00+08:00, reason = "dispatched" }
"#;
    const ROWS: &str = "INSTCODE,ACCENUMB,GENUS,COLLDATE\nCHN001,NC-3,Camellia,1982----\n";

    fn plan(text: &str, rows: &str) -> Result<Plan, Vec<Fault>> {
        let read = |name: &str| match name {
            "accessions.csv" => Ok(rows.as_bytes().to_vec()),
            other => Err(format!("there is no `{other}`")),
        };
        parse(text, &seeds::profiles().unwrap(), &Existing::default(), &read)
    }

    #[test]
    fn a_plan_names_accessions_and_batches_with_their_history() {
        let plan = plan(PLAN, ROWS).unwrap();
        assert_eq!((plan.germplasm[0].0.rows.len(), plan.germplasm[0].1), (1, Faulty::Refuse));
        let batch = &plan.batches[0];
        assert_eq!((batch.label.as_str(), batch.plants), ("tea-1", Some(3_600)));
        assert_eq!((batch.stages.len(), batch.placements.len()), (2, 2));
        assert_eq!(batch.started.micros(), 1_790_812_800_000_000);
        assert_eq!(batch.stages[0].from, batch.started);
        assert_eq!(batch.closed.as_ref().unwrap().reason, "dispatched");
    }

    #[track_caller]
    fn faulty(text: &str, rows: &str, expect: &[(&str, &str)]) {
        let faults = plan(text, rows).expect_err("the plan is faulty");
        assert_eq!(faults.len(), expect.len(), "{faults:#?}");
        for (fault, (key, words)) in faults.iter().zip(expect) {
            assert!(fault.key == *key && fault.message.contains(words), "{fault}");
        }
    }

    #[test]
    fn faulty_rows_are_refused_by_row_and_field_or_skipped() {
        let rows = format!("{ROWS}CHN001,NC-4,Camellia,19821350\n,NC-5,Camellia,\n");
        let key = "germplasm `accessions.csv`";
        let faults = [(key, "row 3, COLLDATE, \"19821350\": "), (key, "row 4, INSTCODE, \"\": ")];
        faulty(PLAN, &rows, &faults);
        let skip = PLAN.replace("accessions.csv\"", "accessions.csv\"\nfaulty = \"skip\"");
        let plan = plan(&skip, &rows).unwrap();
        assert_eq!((plan.germplasm[0].0.faulty, plan.germplasm[0].1), (2, Faulty::Skip));
    }

    #[test]
    fn every_fault_of_a_batch_is_named_with_its_table() {
        let text = PLAN
            .replace("2-grow-on", "2-sleep")
            .replace("CHN001:NC-3", "CHN001:NC-9")
            .replace("zone = \"house-1\"\nplants", "zone = \"house-9\"\nplants")
            .replace("2026-11-22T16", "2026-11-01T16");
        let key = "batch `tea-1`";
        let faults = [
            (key, "no stage `2-sleep`"),
            (key, "no zone `house-9`"),
            (key, "no accession `CHN001:NC-9`"),
            (key, "before 2026-11-02T00:00:00Z"),
        ];
        faulty(&text, ROWS, &faults);
        let again = PLAN.split_once("[[batch]]").unwrap().1;
        faulty(&format!("{PLAN}[[batch]]{again}"), ROWS, &[(key, "stands twice")]);
        faulty(
            &PLAN.replace(", from = \"2026-11-01T00:00:00Z\"", ""),
            ROWS,
            &[(key, "needs `from`"), (key, "can't be stages")],
        );
        faulty(&PLAN.replace("+08:00\nstages", "\nstages"), ROWS, &[(key, "is no time such as")]);
        faulty(
            &PLAN.replace("accessions.csv", "gone.csv"),
            ROWS,
            &[("germplasm `gone.csv`", "there is no `gone.csv`"), (key, "no accession")],
        );
        faulty(
            PLAN,
            "a;b\n",
            &[("germplasm `accessions.csv`", "semicolons"), (key, "no accession")],
        );
    }
}
