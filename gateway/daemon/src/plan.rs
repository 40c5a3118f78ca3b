//! The plan that `miaopu apply` reads: sites, zones, node placements, accessions and batches in one
//! TOML file.
//!
//! ```toml
//! [[site]]
//! id = "jinfo"
//! names = { zh = "金佛山苗圃", en = "Jinfo nursery" }
//! position = { latitude = 29.05, longitude = 107.18 }
//! time_zone = "Asia/Shanghai"
//!
//! [[zone]]
//! site = "jinfo"
//! id = "house-1"
//! names = { zh = "一号棚", en = "House 1" }
//! kind = "house"                              # or "store_room"
//! growing = { crop = "tea", method = "cutting", stage = "1-root" }
//! day = { by = "sun" }                        # or "lamp" with spans, or "measured_light"
//! expected_interval_ms = 60000
//!
//! [[zone.overrides]]
//! quantity = "air_temperature"
//! side = "high"
//! severity = "critical"
//! limit = 35.0                                # on_delay_ms, off_delay_ms, deadband may follow
//! reason = "cuttings die within the hour"
//!
//! [[node]]
//! site = "jinfo"
//! node = "bench-1"
//! zone = "house-1"
//!
//! [[germplasm]]
//! file = "accessions.csv"                     # MCPD v2.1, beside the plan
//! faulty = "refuse"                           # or "skip": all but the faulty rows
//!
//! [[batch]]
//! site = "jinfo"
//! id = "tea-1"
//! label = "大树茶扦插 1"                      # the id where absent
//! accession = "CHN001:NC-0003"                # plants may be missing too
//! crop = "tea"
//! method = "cutting"
//! zone = "house-1"
//! position = "bench-3"                        # of the channels there; may be missing
//! plants = 3600
//! started = 2026-10-01T08:00:00+08:00
//! stages = [{ stage = "1-root" }, { stage = "2-grow-on", from = 2026-11-20T08:00:00+08:00 }]
//! moves = [{ zone = "house-1", position = "bench-4", from = 2026-11-20T09:00:00+08:00 }]
//! closed = { at = 2026-11-22T16:00:00+08:00, reason = "dispatched" }
//! ```

mod stock;

use std::collections::BTreeSet;

use measure::{NodeKey, Slug};
use nursery::{NodePlacement, Profile, Site, Zone};
use registry::Plan;
use serde::Deserialize;
use toml::{Table, Value};

use crate::config::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNode {
    #[serde(with = "nursery::serial::slug")]
    site: Slug,
    #[serde(with = "nursery::serial::slug")]
    node: Slug,
    #[serde(with = "nursery::serial::slug")]
    zone: Slug,
}

/// What is there already: a plan may build on it.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// Known sites.
    pub(crate) sites: BTreeSet<Slug>,
    /// Known zones, by site.
    pub(crate) zones: BTreeSet<(Slug, Slug)>,
    /// Known accessions, as `INSTCODE:ACCENUMB`.
    pub(crate) accessions: BTreeSet<String>,
}

/// Reads a file beside the plan, or says why it can't be.
pub(crate) type Read<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// The tables that a plan may have.
const TABLES: [&str; 5] = ["site", "zone", "node", "germplasm", "batch"];

/// Reads and checks a plan, with the files of accessions that it names.
///
/// # Errors
/// Every fault that it has, each with the table it stands in.
pub(crate) fn parse(
    text: &str,
    profiles: &[Profile],
    existing: &Existing,
    read: Read<'_>,
) -> Result<Plan, Vec<Fault>> {
    let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
        vec![Fault { key: String::new(), message: format!("not TOML: {error}").trim().to_owned() }]
    })?;
    let mut faults = Vec::new();
    for key in table.keys().filter(|key| !TABLES.contains(&key.as_str())) {
        let message = format!("unknown table; known are [[{}]]", TABLES.join("]], [["));
        faults.push(Fault { key: key.clone(), message });
    }
    let sites: Vec<(String, Site)> = tables(&table, "site", &mut faults);
    let zones: Vec<(String, Zone)> = tables(&table, "zone", &mut faults);
    let nodes: Vec<(String, RawNode)> = tables(&table, "node", &mut faults);

    let mut known_sites = existing.sites.clone();
    let mut named = BTreeSet::new();
    for (key, site) in &sites {
        known_sites.insert(site.id.clone());
        let fresh = named.insert(format!("site `{}`", site.id));
        check(&mut faults, key, fresh, || format!("the site `{}` stands twice", site.id));
    }
    let mut known_zones = existing.zones.clone();
    for (key, zone) in &zones {
        known_zones.insert((zone.site.clone(), zone.id.clone()));
        let fresh = named.insert(format!("zone `{}/{}`", zone.site, zone.id));
        check(&mut faults, key, fresh, || format!("the zone `{}` stands twice", zone.id));
        check(&mut faults, key, known_sites.contains(&zone.site), || {
            format!("there is no site `{}`; add a [[site]] with that id", zone.site)
        });
        check_zone(&mut faults, key, zone, profiles);
    }
    for (key, node) in &nodes {
        let fresh = named.insert(format!("node `{}/{}`", node.site, node.node));
        check(&mut faults, key, fresh, || format!("the node `{}` stands twice", node.node));
        let known = known_zones.contains(&(node.site.clone(), node.zone.clone()));
        check(&mut faults, key, known, || {
            format!("there is no zone `{}` at site `{}`; add it as [[zone]]", node.zone, node.site)
        });
    }
    let germplasm = stock::germplasm(&table, read, &mut faults);
    let mut accessions = existing.accessions.clone();
    let rows = germplasm.iter().flat_map(|(sheet, _)| &sheet.rows);
    accessions.extend(rows.map(|row| row.passport.key()));
    let ground = stock::Ground { profiles, zones: &known_zones, accessions: &accessions };
    let batches = stock::batches(&table, &ground, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let place = |node: RawNode| NodePlacement {
        node: NodeKey { site: node.site, node: node.node },
        zone: node.zone,
    };
    Ok(Plan {
        sites: sites.into_iter().map(|(_, site)| site).collect(),
        zones: zones.into_iter().map(|(_, zone)| zone).collect(),
        placements: nodes.into_iter().map(|(_, node)| place(node)).collect(),
        germplasm,
        batches,
    })
}

/// Reads every `[[name]]`, each with the key under which its faults are told.
fn tables<T: for<'de> Deserialize<'de>>(
    table: &Table,
    name: &str,
    faults: &mut Vec<Fault>,
) -> Vec<(String, T)> {
    let listed = match table.get(name) {
        None => return Vec::new(),
        Some(Value::Array(listed)) => listed,
        Some(_) => {
            let message = format!("must be written as [[{name}]]");
            faults.push(Fault { key: name.to_owned(), message });
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (index, value) in listed.iter().enumerate() {
        let id = ["id", "node", "file"].into_iter().find_map(|key| value.get(key));
        let id = id.and_then(Value::as_str);
        let key = match id {
            Some(id) => format!("{name} `{id}`"),
            None => format!("{name} number {}", index + 1),
        };
        match value.clone().try_into() {
            Ok(read) => found.push((key, read)),
            Err(error) => {
                let message = error.to_string().trim().replace('\n', " ");
                faults.push(Fault { key, message });
            }
        }
    }
    found
}

fn check_zone(faults: &mut Vec<Fault>, key: &str, zone: &Zone, profiles: &[Profile]) {
    if let Err(error) = zone.check() {
        faults.push(Fault { key: key.to_owned(), message: error.to_string() });
    }
    let Some(growing) = &zone.growing else { return };
    check_stage(faults, key, profiles, (&growing.crop, &growing.method, &growing.stage));
}

/// Checks that a profile has the crop, the method and the stage; names those that there are.
fn check_stage(
    faults: &mut Vec<Fault>,
    key: &str,
    profiles: &[Profile],
    (crop, method, stage): (&Slug, &Slug, &Slug),
) {
    let list =
        |names: Vec<&Slug>| names.into_iter().map(Slug::as_str).collect::<Vec<_>>().join(", ");
    let Some(profile) = profiles.iter().find(|profile| profile.crop == *crop) else {
        let known = list(profiles.iter().map(|profile| &profile.crop).collect());
        let message = format!("there is no crop `{crop}`; known are {known}");
        faults.push(Fault { key: key.to_owned(), message });
        return;
    };
    if profile.stage(method, stage).is_some() {
        return;
    }
    let known: Vec<String> = profile
        .methods
        .iter()
        .map(|method| {
            let stages = list(method.stages.iter().map(|stage| &stage.id).collect());
            format!("{} ({stages})", method.id)
        })
        .collect();
    faults.push(Fault {
        key: key.to_owned(),
        message: format!(
            "the crop `{crop}` has no stage `{stage}` by method `{method}`; known are {}",
            known.join("; ")
        ),
    });
}

fn check(faults: &mut Vec<Fault>, key: &str, holds: bool, message: impl FnOnce() -> String) {
    if !holds {
        faults.push(Fault { key: key.to_owned(), message: message() });
    }
}

#[cfg(test)]
mod tests {
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
[[node]]
site = "jinfo"
node = "bench-1"
zone = "house-1"
"#;

    fn nothing(name: &str) -> Result<Vec<u8>, String> {
        Err(format!("there is no `{name}`"))
    }

    #[track_caller]
    fn check_faults(text: &str, expect: &[(&str, &str)]) {
        let faults =
            parse(text, &[], &Existing::default(), &nothing).expect_err("the plan is faulty");
        assert_eq!(faults.len(), expect.len(), "{faults:?}");
        for (fault, (key, words)) in faults.iter().zip(expect) {
            assert!(fault.key == *key && fault.message.contains(words), "{fault}");
        }
    }

    #[test]
    fn a_plan_names_sites_zones_and_nodes() {
        let plan = parse(PLAN, &[], &Existing::default(), &nothing).unwrap();
        assert_eq!((plan.sites.len(), plan.zones.len(), plan.placements.len()), (1, 1, 1));
    }

    #[test]
    fn every_fault_is_named_with_its_table() {
        let text = PLAN
            .replace("latitude = 29.05", "latitude = 129.05")
            .replace("zone = \"house-1\"", "zone = \"house-9\"")
            + "[[zoo]]\n";
        check_faults(
            &text,
            &[
                ("zoo", "unknown table"),
                ("site `jinfo`", "latitude"),
                ("zone `house-1`", "no site `jinfo`"),
                ("node `bench-1`", "no zone `house-9`"),
            ],
        );
    }

    #[test]
    fn an_unknown_crop_is_a_fault_that_lists_the_known_ones() {
        let text = PLAN.replace(
            "kind = \"house\"",
            "kind = \"house\"\ngrowing = { crop = \"banana\", method = \"tray\", stage = \"1\" }",
        );
        check_faults(&text, &[("zone `house-1`", "no crop `banana`")]);
    }

    #[test]
    fn a_plan_may_build_on_what_is_there() {
        let only_node = "[[node]]\nsite = \"a\"\nnode = \"n\"\nzone = \"z\"\n";
        let slug = |name| Slug::new(name).unwrap();
        let existing = Existing {
            sites: BTreeSet::from([slug("a")]),
            zones: BTreeSet::from([(slug("a"), slug("z"))]),
            ..Existing::default()
        };
        assert_eq!(parse(only_node, &[], &existing, &nothing).unwrap().placements.len(), 1);
    }
}
