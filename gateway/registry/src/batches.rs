//! Batches: kept whole with their history, changed only by what was done to them.
//!
//! Whether a crop has such a stage is for the caller to check: profiles are not kept here.

use measure::{Slug, Timestamp};
use nursery::Batch;
use people::Actor;
use rusqlite::{Connection, OptionalExtension as _, Params, Transaction, params};
use serde_json::{Value, json};

use crate::audit::{Done, record};
use crate::nodes::require_zone;
use crate::{Error, Registry, Topic, accessions, parse, touch, write};

/// The most batches of all sites together, closed ones too; one more is refused.
pub const BATCHES_MAX: usize = 20_000;

/// The longest reason for a change of a batch, in characters; a longer one is refused.
pub const BATCH_WHY_CHARS_MAX: usize = 400;

/// Which batches to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchState {
    /// Those that are not closed.
    #[default]
    Open,
    /// Those that are closed.
    Closed,
    /// All of them.
    All,
}

/// Who did something, when, and when it is told.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// Who.
    pub by: &'a Actor,
    /// When it was done.
    pub at: Timestamp,
    /// When it is recorded.
    pub now: Timestamp,
    /// Why, where someone said so.
    pub why: Option<&'a str>,
}

impl Registry {
    /// Returns the batches: open ones first, then the newest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn batches(&self, which: BatchState) -> Result<Vec<Batch>, Error> {
        let condition = match which {
            BatchState::Open => "closed_us IS NULL",
            BatchState::Closed => "closed_us IS NOT NULL",
            BatchState::All => "1",
        };
        let sql = format!("SELECT body FROM batch WHERE {condition} {NEWEST_FIRST}");
        self.read(|db| list(db, &sql, []))
    }

    /// Returns every batch that ever stood in a zone: open ones first, then the newest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn batches_of_zone(&self, site: &Slug, zone: &Slug) -> Result<Vec<Batch>, Error> {
        let sql = format!(
            "SELECT body FROM batch JOIN batch_zone USING (site, batch)
             WHERE site = ?1 AND zone = ?2 {NEWEST_FIRST}"
        );
        self.read(|db| list(db, &sql, [site.as_str(), zone.as_str()]))
    }

    /// Returns the batches that were raised from an accession: open ones first, then the newest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn batches_of_accession(&self, accession: i64) -> Result<Vec<Batch>, Error> {
        let sql = format!("SELECT body FROM batch WHERE accession = ?1 {NEWEST_FIRST}");
        self.read(|db| list(db, &sql, [accession]))
    }

    /// Returns one batch.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn batch(&self, site: &Slug, id: &Slug) -> Result<Option<Batch>, Error> {
        self.read(|db| find(db, site, id))
    }

    /// Adds a batch with its history so far.
    ///
    /// # Errors
    /// `Taken` for its id, `Unknown` for a zone or the accession, `Refused` for what is wrong in it or
    /// lies in the future, or a failure of the file.
    pub fn add_batch(&self, batch: &Batch, by: &Actor, now: Timestamp) -> Result<(), Error> {
        self.write(|db| {
            add(db, batch, by, now)?;
            touch(db, Topic::Nursery)
        })
    }

    /// Moves a batch to another place.
    ///
    /// # Errors
    /// `Unknown` for the batch or zone, `Refused` where it can't be, or a failure of the file.
    pub fn move_batch(
        &self,
        (site, id): (&Slug, &Slug),
        zone: &Slug,
        position: Option<&Slug>,
        deed: Deed<'_>,
    ) -> Result<Batch, Error> {
        let position_name = position.map(Slug::as_str);
        let detail =
            json!({ "zone": zone.as_str(), "position": position_name, "at_us": deed.at.micros() });
        self.change_batch((site, id), ("batch.move", detail), deed, |db, batch| {
            require_zone(db, site, zone)?;
            batch.move_to(zone.clone(), position.cloned(), deed.at).map_err(refused)
        })
    }

    /// Lets a batch enter a stage.
    ///
    /// # Errors
    /// `Unknown` for the batch, `Refused` where it can't, or a failure of the file.
    pub fn stage_batch(
        &self,
        (site, id): (&Slug, &Slug),
        stage: &Slug,
        deed: Deed<'_>,
    ) -> Result<Batch, Error> {
        let detail = json!({ "stage": stage.as_str(), "at_us": deed.at.micros() });
        self.change_batch((site, id), ("batch.stage", detail), deed, |_, batch| {
            batch.enter(stage.clone(), deed.at).map_err(refused)
        })
    }

    /// Closes a batch; the deed's `why` is the reason and may not be missing.
    ///
    /// # Errors
    /// `Unknown` for the batch, `Refused` where it can't be, or a failure of the file.
    pub fn close_batch(&self, (site, id): (&Slug, &Slug), deed: Deed<'_>) -> Result<Batch, Error> {
        let detail = json!({ "at_us": deed.at.micros() });
        self.change_batch((site, id), ("batch.close", detail), deed, |_, batch| {
            batch.close(deed.at, deed.why.unwrap_or_default()).map_err(refused)
        })
    }

    fn change_batch(
        &self,
        (site, id): (&Slug, &Slug),
        (what, detail): (&'static str, Value),
        deed: Deed<'_>,
        change: impl FnOnce(&Transaction<'_>, &mut Batch) -> Result<(), Error>,
    ) -> Result<Batch, Error> {
        check_why(deed.why)?;
        not_in_future("at", deed.at, deed.now)?;
        self.write(|db| {
            let name = format!("{site}/{id}");
            let Some(mut batch) = find(db, site, id)? else {
                return Err(Error::Unknown { what: "batch", name });
            };
            change(db, &mut batch)?;
            put(db, &batch)?;
            record(db, deed.now, deed.by, Done { what, subject: &name, why: deed.why }, &detail)?;
            touch(db, Topic::Nursery)?;
            Ok(batch)
        })
    }
}

const NEWEST_FIRST: &str = "ORDER BY closed_us IS NOT NULL, started_us DESC, site, batch";

/// Adds a batch, without touching the topic.
pub(crate) fn add(
    db: &Transaction<'_>,
    batch: &Batch,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Error> {
    check(db, batch, now)?;
    let name = format!("{}/{}", batch.site, batch.id);
    if find(db, &batch.site, &batch.id)?.is_some() {
        return Err(Error::Taken { what: "batch", name });
    }
    let count: i64 = db.query_row("SELECT COUNT(*) FROM batch", [], |row| row.get(0))?;
    if count >= BATCHES_MAX as i64 {
        return Err(Error::refused(
            "batch",
            format!("已有 {BATCHES_MAX} 个批次"),
            format!("there are {BATCHES_MAX} batches already"),
        ));
    }
    put(db, batch)?;
    record(db, now, by, Done::new("batch.add", &name), batch)
}

/// Checks a batch whole: its own rules, that its places are there, and that nothing lies ahead.
pub(crate) fn check(db: &Connection, batch: &Batch, now: Timestamp) -> Result<(), Error> {
    batch.check().map_err(refused)?;
    let placed = batch.placements.iter().map(|it| it.from);
    let times = batch.stages.iter().map(|it| it.from).chain(placed);
    for at in times.chain(batch.closed.iter().map(|it| it.at)) {
        not_in_future("started", at, now)?;
    }
    for placed in &batch.placements {
        require_zone(db, &batch.site, &placed.zone)?;
    }
    Ok(())
}

/// Writes a batch, new or known.
pub(crate) fn put(db: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    let accession = batch.accession.as_deref().map(|key| accessions::id_of(db, key)).transpose()?;
    let sql = "INSERT INTO batch (site, batch, accession, started_us, closed_us, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (site, batch) DO UPDATE SET accession = excluded.accession,
               started_us = excluded.started_us, closed_us = excluded.closed_us,
               body = excluded.body";
    let (site, id) = (batch.site.as_str(), batch.id.as_str());
    let closed = batch.closed.as_ref().map(|it| it.at.micros());
    let body = write("batch", batch)?;
    db.prepare_cached(sql)?.execute(params![
        site,
        id,
        accession,
        batch.started.micros(),
        closed,
        body
    ])?;
    // A place that was put right is one where it never stood.
    db.execute("DELETE FROM batch_zone WHERE site = ?1 AND batch = ?2", [site, id])?;
    let sql = "INSERT OR IGNORE INTO batch_zone (site, zone, batch) VALUES (?1, ?2, ?3)";
    for placed in &batch.placements {
        db.prepare_cached(sql)?.execute([site, placed.zone.as_str(), id])?;
    }
    Ok(())
}

pub(crate) fn find(db: &Connection, site: &Slug, id: &Slug) -> Result<Option<Batch>, Error> {
    let sql = "SELECT body FROM batch WHERE site = ?1 AND batch = ?2";
    let names = [site.as_str(), id.as_str()];
    let body: Option<String> =
        db.prepare_cached(sql)?.query_row(names, |row| row.get(0)).optional()?;
    body.map(|body| parse("batch", &body)).transpose()
}

fn list(db: &Connection, sql: &str, values: impl Params) -> Result<Vec<Batch>, Error> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(values)?;
    let mut batches = Vec::new();
    while let Some(row) = rows.next()? {
        batches.push(parse("batch", &row.get::<_, String>(0)?)?);
    }
    Ok(batches)
}

fn check_why(why: Option<&str>) -> Result<(), Error> {
    let length = why.map_or(0, |it| it.chars().count());
    if length > BATCH_WHY_CHARS_MAX {
        return Err(Error::refused(
            "reason",
            format!("原因有 {length} 个字,最多 {BATCH_WHY_CHARS_MAX} 个"),
            format!("a reason has at most {BATCH_WHY_CHARS_MAX} characters, not {length}"),
        ));
    }
    Ok(())
}

fn not_in_future(field: &'static str, at: Timestamp, now: Timestamp) -> Result<(), Error> {
    if at > now {
        let ahead = at.ms_since(now) / 1_000;
        return Err(Error::refused(
            field,
            format!("时间比网关的时钟晚 {ahead} 秒;请写已经过去的时间"),
            format!(
                "the time lies {ahead} s ahead of the gateway's clock; write one that has passed"
            ),
        ));
    }
    Ok(())
}

/// Tells in both languages what the nursery's own rules refuse.
pub(crate) fn refused(error: nursery::Error) -> Error {
    use nursery::Error as Fault;
    let (field, zh) = match &error {
        Fault::Closed(thing) => ("batch", format!("{thing} 已关闭;请新建一个批次")),
        Fault::Before { thing, .. } => ("at", format!("{thing}:时间早于上一次变更;请写其后的时间")),
        Fault::Already { thing, what: "at", value } => {
            ("stage", format!("{thing} 已经处于阶段 `{value}`"))
        }
        Fault::Already { thing, value, .. } => ("zone", format!("{thing} 已经在 `{value}`")),
        Fault::Text { thing, what: "label", max, .. } => {
            ("label", format!("{thing} 的名称须有 1 到 {max} 个字"))
        }
        Fault::Text { thing, what: "accession", max, .. } => {
            ("accession", format!("{thing} 的种质编号须有 1 到 {max} 个字"))
        }
        Fault::Text { thing, max, .. } => {
            ("reason", format!("请说明 {thing} 关闭的原因,1 到 {max} 个字"))
        }
        Fault::Accession(value) => {
            ("accession", format!("`{value}` 不是种质编号;请写 INSTCODE:ACCENUMB"))
        }
        Fault::TooMany { thing, what: "placements", max, .. } => {
            ("zone", format!("{thing} 的移动超过 {max} 次"))
        }
        Fault::TooMany { thing, max, .. } => ("stage", format!("{thing} 的阶段超过 {max} 个")),
        _ => ("batch", format!("批次有误:{error}")),
    };
    Error::refused(field, zh, error.to_string())
}
