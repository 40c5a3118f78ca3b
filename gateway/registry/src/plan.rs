//! Sites, zones, accessions, batches and what grows where, brought to what a plan says.

use std::fmt;

use germplasm::Sheet;
use measure::{Slug, Timestamp};
use nursery::{Batch, Growing, NodePlacement, Site, Zone};
use people::Actor;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::audit::{Done, record};
use crate::nodes::{find, keep_placement, require_zone};
use crate::{
    Error, Faulty, Imported, Registry, Topic, accessions, batches, parse, time, touch, write,
};

/// The most sites; a plan that would make more is refused whole.
pub const SITES_MAX: usize = 1_000;

/// The most zones of all sites together; a plan that would make more is refused whole.
pub const ZONES_MAX: usize = 10_000;

/// What sites, zones and placements shall be. What it does not name stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The sites.
    pub sites: Vec<Site>,
    /// The zones, each of a site of the plan or of one that is there already.
    pub zones: Vec<Zone>,
    /// Where nodes stand. A node that isn't known yet is, from then on; it still needs a secret.
    pub placements: Vec<NodePlacement>,
    /// Files of accessions, each with what to do about its faulty rows.
    pub germplasm: Vec<(Sheet, Faulty)>,
    /// The batches with their history. What was recorded since stays: a plan may tell the beginning of
    /// a history or its continuation, and never another one.
    pub batches: Vec<Batch>,
}

/// What applying a plan changed. Applying it once more changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What is new, such as `zone nanchuan/house-2`.
    pub added: Vec<String>,
    /// What is different from before.
    pub changed: Vec<String>,
    /// How many things were so already.
    pub unchanged: usize,
}

impl Applied {
    fn note(&mut self, outcome: Outcome, thing: String) {
        match outcome {
            Outcome::Added => self.added.push(thing),
            Outcome::Changed => self.changed.push(thing),
            Outcome::Unchanged => self.unchanged += 1,
        }
    }

    fn note_accessions(&mut self, imported: Imported) {
        for (count, things) in
            [(imported.added, &mut self.added), (imported.changed, &mut self.changed)]
        {
            if count > 0 {
                things.push(format!("accessions: {count}"));
            }
        }
        self.unchanged += imported.unchanged as usize;
    }

    /// Returns whether anything is new or different.
    pub fn is_change(&self) -> bool {
        !self.added.is_empty() || !self.changed.is_empty()
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for thing in &self.added {
            writeln!(f, "added {thing}")?;
        }
        for thing in &self.changed {
            writeln!(f, "changed {thing}")?;
        }
        write!(f, "{} unchanged", self.unchanged)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Added,
    Changed,
    Unchanged,
}

/// What grew in a zone from a time on, until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// From when.
    pub from: Timestamp,
    /// What; none while it was empty.
    pub growing: Option<Growing>,
}

impl Registry {
    /// Brings sites, zones and placements to what the plan says: all of it, or nothing on an error.
    ///
    /// # Errors
    /// `Unknown` for a zone's site or a placement's zone, `Refused` for too many, or a failure of
    /// the file.
    pub fn apply(&self, plan: &Plan, by: &Actor, now: Timestamp) -> Result<Applied, Error> {
        self.write(|db| {
            let mut applied = Applied::default();
            for site in &plan.sites {
                applied.note(put_site(db, site, by, now)?, format!("site {}", site.id));
            }
            for zone in &plan.zones {
                let thing = format!("zone {}/{}", zone.site, zone.id);
                applied.note(put_zone(db, zone, by, now)?, thing);
            }
            let nursery = applied.is_change();
            for placement in &plan.placements {
                let thing = format!("node {}", placement.node);
                applied.note(place(db, placement, by, now)?, thing);
            }
            let nodes = applied.is_change();
            for (sheet, faulty) in &plan.germplasm {
                applied.note_accessions(import_planned(db, sheet, *faulty, by, now)?);
            }
            let mut batches = false;
            for batch in &plan.batches {
                let outcome = put_batch(db, batch, by, now)?;
                batches |= outcome != Outcome::Unchanged;
                applied.note(outcome, format!("batch {}/{}", batch.site, batch.id));
            }
            limit(db, "SELECT COUNT(*) FROM site", "sites", SITES_MAX)?;
            limit(db, "SELECT COUNT(*) FROM zone", "zones", ZONES_MAX)?;
            if nursery || batches {
                touch(db, Topic::Nursery)?;
            }
            if nodes {
                touch(db, Topic::Nodes)?;
            }
            Ok(applied)
        })
    }

    /// Returns every site by name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn sites(&self) -> Result<Vec<Site>, Error> {
        self.bodies("site", "SELECT body FROM site ORDER BY site")
    }

    /// Returns every zone by site and name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.bodies("zone", "SELECT body FROM zone ORDER BY site, zone")
    }

    /// Returns what grew in a zone, oldest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn grown(&self, site: &Slug, zone: &Slug) -> Result<Vec<Grown>, Error> {
        self.read(|db| {
            let sql = "SELECT from_us, body FROM growing WHERE site = ?1 AND zone = ?2
                       ORDER BY from_us";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([site.as_str(), zone.as_str()])?;
            let mut grown = Vec::new();
            while let Some(row) = rows.next()? {
                let body: Option<String> = row.get(1)?;
                let growing = body.map(|body| parse("growing", &body)).transpose()?;
                grown.push(Grown { from: time(row.get(0)?)?, growing });
            }
            Ok(grown)
        })
    }

    fn bodies<T: DeserializeOwned>(&self, what: &'static str, sql: &str) -> Result<Vec<T>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut things = Vec::new();
            while let Some(row) = rows.next()? {
                things.push(parse(what, &row.get::<_, String>(0)?)?);
            }
            Ok(things)
        })
    }
}

fn put_site(
    db: &Transaction<'_>,
    site: &Site,
    by: &Actor,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let id = site.id.as_str();
    let sql = "SELECT body FROM site WHERE site = ?1";
    let old: Option<String> = db.query_row(sql, [id], |row| row.get(0)).optional()?;
    let old: Option<Site> = old.map(|body| parse("site", &body)).transpose()?;
    if old.as_ref() == Some(site) {
        return Ok(Outcome::Unchanged);
    }
    let sql = "INSERT INTO site (site, body) VALUES (?1, ?2)
               ON CONFLICT (site) DO UPDATE SET body = excluded.body";
    db.execute(sql, params![id, write("site", site)?])?;
    let (what, outcome) = what(old.is_some(), "site.add", "site.change");
    record(db, now, by, Done::new(what, id), site)?;
    Ok(outcome)
}

fn put_zone(
    db: &Transaction<'_>,
    zone: &Zone,
    by: &Actor,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let (site, id) = (zone.site.as_str(), zone.id.as_str());
    if !db.prepare_cached("SELECT 1 FROM site WHERE site = ?1")?.exists([site])? {
        return Err(Error::Unknown { what: "site", name: site.to_owned() });
    }
    let sql = "SELECT body FROM zone WHERE site = ?1 AND zone = ?2";
    let old: Option<String> = db.query_row(sql, [site, id], |row| row.get(0)).optional()?;
    let old: Option<Zone> = old.map(|body| parse("zone", &body)).transpose()?;
    if old.as_ref() == Some(zone) {
        return Ok(Outcome::Unchanged);
    }
    let sql = "INSERT INTO zone (site, zone, body) VALUES (?1, ?2, ?3)
               ON CONFLICT (site, zone) DO UPDATE SET body = excluded.body";
    db.execute(sql, params![site, id, write("zone", zone)?])?;
    if old.as_ref().is_none_or(|old| old.growing != zone.growing) {
        let body = zone.growing.as_ref().map(|it| write("growing", it)).transpose()?;
        let sql = "INSERT INTO growing (site, zone, from_us, body) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (site, zone, from_us) DO UPDATE SET body = excluded.body";
        db.execute(sql, params![site, id, now.micros(), body])?;
    }
    let (what, outcome) = what(old.is_some(), "zone.add", "zone.change");
    record(db, now, by, Done::new(what, &format!("{site}/{id}")), zone)?;
    Ok(outcome)
}

fn place(
    db: &Transaction<'_>,
    placement: &NodePlacement,
    by: &Actor,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let (key, zone) = (&placement.node, placement.zone.as_str());
    require_zone(db, &key.site, &placement.zone)?;
    let old = find(db, key)?;
    if old.as_ref().is_some_and(|old| old.as_deref() == Some(zone)) {
        return Ok(Outcome::Unchanged);
    }
    let sql = "INSERT INTO node (site, node, zone, added_us) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (site, node) DO UPDATE SET zone = excluded.zone";
    db.execute(sql, params![key.site.as_str(), key.node.as_str(), zone, now.micros()])?;
    keep_placement(db, key, zone, now)?;
    let (what, outcome) = what(old.is_some(), "node.place", "node.move");
    record(db, now, by, Done::new(what, &key.to_string()), &json!({ "zone": zone }))?;
    Ok(outcome)
}

fn import_planned(
    db: &Transaction<'_>,
    sheet: &Sheet,
    faulty: Faulty,
    by: &Actor,
    now: Timestamp,
) -> Result<Imported, Error> {
    if sheet.faulty > 0 && faulty == Faulty::Refuse {
        let count = sheet.faulty;
        return Err(Error::refused(
            "germplasm",
            format!("有 {count} 行有误"),
            format!("{count} rows are faulty"),
        ));
    }
    accessions::import(db, sheet, (by, now), &mut |_| {})
}

fn put_batch(
    db: &Transaction<'_>,
    planned: &Batch,
    by: &Actor,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let Some(old) = batches::find(db, &planned.site, &planned.id)? else {
        batches::add(db, planned, by, now)?;
        return Ok(Outcome::Added);
    };
    let new = continued(&old, planned)?;
    if new == old {
        return Ok(Outcome::Unchanged);
    }
    batches::check(db, &new, now)?;
    batches::put(db, &new)?;
    let subject = format!("{}/{}", new.site, new.id);
    record(db, now, by, Done::new("batch.change", &subject), &new)?;
    Ok(Outcome::Changed)
}

/// Returns a recorded batch with what a plan says beyond it.
fn continued(old: &Batch, planned: &Batch) -> Result<Batch, Error> {
    let otherwise = |zh: &str, en: &str| {
        let error = Error::refused(
            "batch",
            format!("{old} 的{zh}与已记录的不同;请按记录改写计划"),
            format!("{old} is recorded with another {en}; write the plan as it is recorded"),
        );
        Err(error)
    };
    let mut new = old.clone();
    new.label.clone_from(&planned.label);
    new.accession.clone_from(&planned.accession);
    new.plants = planned.plants;
    if (&old.crop, &old.method) != (&planned.crop, &planned.method) {
        return otherwise("作物或方式", "crop or method");
    }
    if old.started != planned.started {
        return otherwise("开始时间", "start");
    }
    if planned.stages.starts_with(&old.stages) {
        new.stages.clone_from(&planned.stages);
    } else if !old.stages.starts_with(&planned.stages) {
        return otherwise("阶段历史", "history of stages");
    }
    if planned.placements.starts_with(&old.placements) {
        new.placements.clone_from(&planned.placements);
    } else if !old.placements.starts_with(&planned.placements) {
        return otherwise("移动历史", "history of places");
    }
    match (&old.closed, &planned.closed) {
        (_, None) => {}
        (None, Some(_)) => new.closed.clone_from(&planned.closed),
        (Some(old), Some(planned)) if old == planned => {}
        (Some(_), Some(_)) => return otherwise("关闭时间或原因", "end"),
    }
    Ok(new)
}

fn what(known: bool, add: &'static str, change: &'static str) -> (&'static str, Outcome) {
    if known { (change, Outcome::Changed) } else { (add, Outcome::Added) }
}

fn limit(db: &Transaction<'_>, sql: &str, field: &'static str, max: usize) -> Result<(), Error> {
    let count: i64 = db.query_row(sql, [], |row| row.get(0))?;
    if count > max as i64 {
        return Err(Error::refused(
            field,
            format!("{field} 将有 {count} 个,超过 {max}"),
            format!("there would be {count} {field}, more than {max}"),
        ));
    }
    Ok(())
}
