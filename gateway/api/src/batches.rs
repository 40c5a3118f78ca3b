//! Batches: what is raised, where, at which stage, and what people did to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::{Slug, Timestamp};
use nursery::{Batch, PlacedFrom, StageFrom, Zone, leader};
use registry::{BatchState, Change, Deed, Registry};
use serde_json::Value;

use crate::ask::{At, Body, Query, instant, slug};
use crate::guard::Asker;
use crate::look::{Look, local, name, person};
use crate::places::{self, Before, days};
use crate::problem::Refusal;
use crate::server::{Shared, blocking, question};
use crate::state::State;
use crate::types;

/// The most batches of the same crop that a batch names.
pub const SISTERS_MAX: usize = 50;

/// The two parts of a path that name a batch.
pub(crate) type Key = At<(String, String)>;

/// `GET /batches`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::Batches>, Refusal> {
    let which = match query.optional("state").as_deref() {
        None | Some("open") => BatchState::Open,
        Some("closed") => BatchState::Closed,
        Some("all") => BatchState::All,
        Some(other) => {
            return Err(Refusal::field(
                "state",
                format!("state 须为 open、closed 或 all,而不是“{other}”"),
                format!("state must be open, closed or all, not `{other}`"),
            ));
        }
    };
    let site = query.optional("site").map(|it| slug("site", &it)).transpose()?;
    let zone = query.optional("zone").map(|it| slug("zone", &it)).transpose()?;
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let mut batches = shared.state.registry.batches(which)?;
        batches.retain(|batch| {
            let there = batch.placements.last().map(|it| &it.zone);
            site.as_ref().is_none_or(|site| batch.site == *site)
                && zone.as_ref().is_none_or(|zone| there == Some(zone))
        });
        let batches = told_all(&shared.state, &look, &batches)?;
        Ok(types::Batches { now_ms: look.now.millis(), batches })
    })
    .await
    .map(Json)
}

/// `POST /batches`.
pub(crate) async fn add(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::NewBatch>,
) -> Result<(StatusCode, Json<types::Batch>), Refusal> {
    let now = shared.state.clock.now();
    let nursery = Arc::clone(&shared.state.nursery.borrow());
    let (id, site) = (slug("batch", &asked.batch)?, slug("site", &asked.site)?);
    let (crop, method) = (slug("crop", &asked.crop)?, slug("method", &asked.method)?);
    let first = places::method(&nursery.profiles, &crop, &method)?.stages.first();
    let stage = match &asked.stage {
        Some(stage) => {
            let stage = slug("stage", stage)?;
            places::stage(&nursery.profiles, &crop, &method, &stage)?;
            stage
        }
        None => first.map(|it| it.id.clone()).ok_or_else(|| {
            Refusal::field(
                "stage",
                format!("“{crop}/{method}”没有任何阶段"),
                format!("`{crop}/{method}` has no stage at all"),
            )
        })?,
    };
    let started = instant("started", asked.started.as_deref())?.unwrap_or(now);
    let position = position(asked.position.as_deref())?;
    let label = asked.label.filter(|it| !it.trim().is_empty());
    let placed = PlacedFrom { zone: slug("zone", &asked.zone)?, position, from: started };
    let batch = Batch {
        label: label.unwrap_or_else(|| id.to_string()),
        accession: asked.accession.filter(|it| !it.trim().is_empty()),
        plants: asked.plants,
        closed: None,
        stages: vec![StageFrom { stage, from: started }],
        placements: vec![placed],
        id,
        site,
        crop,
        method,
        started,
    };
    let before = Before::look(&shared);
    let registry = Arc::clone(&shared.state.registry);
    let added = batch.clone();
    blocking(move || Ok(registry.add_batch(&added, &asker.who.actor, now)?)).await?;
    before.passed().await;
    shared.overview.spoil();
    Ok((StatusCode::CREATED, Json(answer(&shared, batch).await?)))
}

/// `GET /batches/{site}/{batch}`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    At((site, id)): Key,
    query: Query,
) -> Result<Json<types::BatchDetail>, Refusal> {
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let registry = &shared.state.registry;
        let found = Slug::new(&site).ok().zip(Slug::new(&id).ok());
        let found = found.map(|(site, id)| registry.batch(&site, &id)).transpose()?.flatten();
        let batch = found.ok_or_else(|| no_batch(&site, &id))?;
        let sisters = registry.batches(BatchState::All)?;
        let mut sisters: Vec<_> = sisters
            .iter()
            .filter(|it| it.site == batch.site && it.crop == batch.crop && it.id != batch.id)
            .collect();
        sisters.sort_by_key(|it| std::cmp::Reverse(it.started));
        let events = registry.changes_of_batch(&batch.site, &batch.id)?;
        Ok(types::BatchDetail {
            now_ms: look.now.millis(),
            batch: told(&shared.state, &look, &batch)?,
            stages: stages(&look, &batch),
            placements: placements(&look, &batch),
            events: events.iter().map(|it| event(&look, &batch, it)).collect(),
            sisters: sisters.iter().take(SISTERS_MAX).map(|it| it.id.to_string()).collect(),
        })
    })
    .await
    .map(Json)
}

/// `POST /batches/{site}/{batch}/move`.
pub(crate) async fn put(
    Held(shared): Held<Arc<Shared>>,
    key: Key,
    asker: Asker,
    Body(asked): Body<types::BatchMove>,
) -> Result<Json<types::Batch>, Refusal> {
    let zone = slug("zone", &asked.zone)?;
    let position = position(asked.position.as_deref())?;
    let told = (asked.at, asked.reason);
    change(&shared, key, asker, told, move |registry, key, deed| {
        Ok(registry.move_batch(key, &zone, position.as_ref(), deed)?)
    })
    .await
}

/// `POST /batches/{site}/{batch}/stage`.
pub(crate) async fn enter(
    Held(shared): Held<Arc<Shared>>,
    key: Key,
    asker: Asker,
    Body(asked): Body<types::BatchStageChange>,
) -> Result<Json<types::Batch>, Refusal> {
    let stage = slug("stage", &asked.stage)?;
    let nursery = Arc::clone(&shared.state.nursery.borrow());
    let told = (asked.at, asked.reason);
    change(&shared, key, asker, told, move |registry, (site, id), deed| {
        let known = registry.batch(site, id)?;
        let batch = known.ok_or_else(|| no_batch(site.as_str(), id.as_str()))?;
        places::stage(&nursery.profiles, &batch.crop, &batch.method, &stage)?;
        Ok(registry.stage_batch((site, id), &stage, deed)?)
    })
    .await
}

/// `POST /batches/{site}/{batch}/close`.
pub(crate) async fn close(
    Held(shared): Held<Arc<Shared>>,
    key: Key,
    asker: Asker,
    Body(asked): Body<types::BatchClose>,
) -> Result<Json<types::Batch>, Refusal> {
    let told = (asked.at, Some(asked.reason));
    change(&shared, key, asker, told, |registry, key, deed| Ok(registry.close_batch(key, deed)?))
        .await
}

/// Does something to a batch, and answers when it is on disk and seen.
async fn change(
    shared: &Arc<Shared>,
    At((site, id)): Key,
    asker: Asker,
    (at, reason): (Option<String>, Option<String>),
    work: impl FnOnce(&Registry, (&Slug, &Slug), Deed<'_>) -> Result<Batch, Refusal> + Send + 'static,
) -> Result<Json<types::Batch>, Refusal> {
    let now = shared.state.clock.now();
    let at = instant("at", at.as_deref())?.unwrap_or(now);
    let (site, id) = (slug("site", &site)?, slug("batch", &id)?);
    let before = Before::look(shared);
    let registry = Arc::clone(&shared.state.registry);
    let batch = blocking(move || {
        let why = reason.as_deref().map(str::trim).filter(|it| !it.is_empty());
        work(&registry, (&site, &id), Deed { by: &asker.who.actor, at, now, why })
    })
    .await?;
    before.passed().await;
    shared.overview.spoil();
    answer(shared, batch).await.map(Json)
}

async fn answer(shared: &Arc<Shared>, batch: Batch) -> Result<types::Batch, Refusal> {
    question(shared, move |shared| told(&shared.state, &Look::take(&shared.state)?, &batch)).await
}

fn position(asked: Option<&str>) -> Result<Option<Slug>, Refusal> {
    asked.filter(|it| !it.is_empty()).map(|it| slug("position", it)).transpose()
}

pub(crate) fn no_batch(site: &str, id: &str) -> Refusal {
    Refusal::not_found(format!("没有批次“{site}/{id}”"), format!("there is no batch `{site}/{id}`"))
}

/// Returns the open batches that stand in a zone now, of those that ever stood there.
pub(crate) fn standing_in(
    state: &State,
    look: &Look,
    zone: &Zone,
    ever: &[Batch],
) -> Result<Vec<types::Batch>, Refusal> {
    let now = Timestamp::MAX;
    let here =
        ever.iter().filter(|it| it.zone_at(now).is_some_and(|placed| placed.zone == zone.id));
    here.map(|batch| told(state, look, batch)).collect()
}

pub(crate) fn told_all(
    state: &State,
    look: &Look,
    batches: &[Batch],
) -> Result<Vec<types::Batch>, Refusal> {
    batches.iter().map(|batch| told(state, look, batch)).collect()
}

/// Returns a batch as it is now, or as it was when it was closed.
pub(crate) fn told(state: &State, look: &Look, batch: &Batch) -> Result<types::Batch, Refusal> {
    let profile = look.nursery.profiles.iter().find(|it| it.crop == batch.crop);
    let method = profile.and_then(|it| it.methods.iter().find(|it| it.id == batch.method));
    let last = batch.stages.last();
    let placed = batch.placements.last().filter(|_| batch.closed.is_none());
    let zone = placed.and_then(|it| look.zone(&batch.site, &it.zone));
    let leads = zone.and_then(|zone| {
        leader(zone, &look.nursery.batches, &look.nursery.profiles, Timestamp::MAX)
    });
    let key = batch.accession.as_deref();
    let accession_id = key.map(|it| state.registry.accession_id(it)).transpose()?.flatten();
    Ok(types::Batch {
        site: batch.site.to_string(),
        batch: batch.id.to_string(),
        label: batch.label.clone(),
        accession: batch.accession.clone(),
        accession_id,
        crop: batch.crop.to_string(),
        crop_name: profile.map_or_else(|| same(batch.crop.as_str()), |it| name(&it.names)),
        method: batch.method.to_string(),
        method_name: method.map_or_else(|| same(batch.method.as_str()), |it| name(&it.names)),
        stage: last.map_or_else(String::new, |it| it.stage.to_string()),
        stage_name: last.map_or_else(|| same(""), |it| stage_name(look, batch, &it.stage)),
        stage_since_ms: last.map_or(batch.started, |it| it.from).millis(),
        zone: placed.map(|it| it.zone.to_string()),
        zone_name: zone.map(|it| name(&it.names)),
        position: placed.and_then(|it| it.position.as_ref()).map(Slug::to_string),
        plants: batch.plants,
        started_ms: batch.started.millis(),
        closed_ms: batch.closed.as_ref().map(|it| it.at.millis()),
        closed_reason: batch.closed.as_ref().map(|it| it.reason.clone()),
        leads: leads.is_some_and(|it| it.id == batch.id),
    })
}

/// A name that nobody has translated.
fn same(text: &str) -> types::Name {
    types::Name { zh: text.to_owned(), en: text.to_owned() }
}

fn stage_name(look: &Look, batch: &Batch, stage: &Slug) -> types::Name {
    let profile = look.nursery.profiles.iter().find(|it| it.crop == batch.crop);
    let known = profile.and_then(|it| it.stage(&batch.method, stage));
    known.map_or_else(|| same(stage.as_str()), |it| name(&it.names))
}

fn zone_name(look: &Look, batch: &Batch, zone: &Slug) -> types::Name {
    let known = look.zone(&batch.site, zone);
    known.map_or_else(|| same(zone.as_str()), |it| name(&it.names))
}

/// Returns the stages of the method in order, each with when the batch was there last; then those that
/// the method does not know.
fn stages(look: &Look, batch: &Batch) -> Vec<types::BatchStage> {
    let profile = look.nursery.profiles.iter().find(|it| it.crop == batch.crop);
    let method = profile.and_then(|it| it.methods.iter().find(|it| it.id == batch.method));
    let known = method.map_or(&[][..], |it| &it.stages);
    let visit = |stage: &Slug| {
        let index = batch.stages.iter().rposition(|it| it.stage == *stage)?;
        let from = batch.stages.get(index)?.from;
        let next = batch.stages.get(index + 1).map(|it| it.from);
        Some((from, next.or(batch.closed.as_ref().map(|it| it.at))))
    };
    let told = |stage: &Slug, (days_min, days_max)| {
        let visit = visit(stage);
        types::BatchStage {
            stage: stage.to_string(),
            name: stage_name(look, batch, stage),
            from_ms: visit.map(|(from, _)| from.millis()),
            to_ms: visit.and_then(|(_, to)| to).map(Timestamp::millis),
            days_min,
            days_max,
        }
    };
    let mut stages: Vec<_> = known.iter().map(|it| told(&it.id, days(it))).collect();
    for entered in &batch.stages {
        if !stages.iter().any(|it| it.stage == entered.stage.as_str()) {
            stages.push(told(&entered.stage, (None, None)));
        }
    }
    stages
}

fn placements(look: &Look, batch: &Batch) -> Vec<types::BatchPlacement> {
    let until = |index: usize| {
        let next = batch.placements.get(index + 1).map(|it| it.from);
        next.or(batch.closed.as_ref().map(|it| it.at)).map(Timestamp::millis)
    };
    let told = |(index, placed): (usize, &PlacedFrom)| types::BatchPlacement {
        zone: placed.zone.to_string(),
        zone_name: zone_name(look, batch, &placed.zone),
        position: placed.position.as_ref().map(Slug::to_string),
        from_ms: placed.from.millis(),
        to_ms: until(index),
    };
    batch.placements.iter().enumerate().map(told).collect()
}

/// Returns what the record of changes says, in words.
fn event(look: &Look, batch: &Batch, change: &Change) -> types::BatchEvent {
    let detail: Value = serde_json::from_str(&change.detail).unwrap_or(Value::Null);
    let slug_of = |name: &str| Slug::new(detail.get(name)?.as_str()?).ok();
    let zone = look.site(&batch.site).map(|site| &site.time_zone);
    let at = detail.get("at_us").or_else(|| detail.get("started")).and_then(Value::as_i64);
    let at = at.and_then(Timestamp::from_micros).unwrap_or(change.at);
    let at = local(zone, at);
    let (kind, zh, en) = match change.what.as_str() {
        "batch.move" => {
            let to = slug_of("zone").map(|it| zone_name(look, batch, &it));
            let types::Name { zh, en } = to.unwrap_or_else(|| same("?"));
            let bench = slug_of("position").map(|it| format!(", {it}")).unwrap_or_default();
            ("moved", format!("{at} 移到{zh}{bench}"), format!("moved to {en}{bench}, {at}"))
        }
        "batch.stage" => {
            let to = slug_of("stage").map(|it| stage_name(look, batch, &it));
            let types::Name { zh, en } = to.unwrap_or_else(|| same("?"));
            ("staged", format!("{at} 进入阶段“{zh}”"), format!("entered the stage \"{en}\", {at}"))
        }
        "batch.close" => ("closed", format!("{at} 关闭"), format!("closed, {at}")),
        "batch.change" => {
            ("changed", "按计划文件更新".to_owned(), "brought to what a plan says".to_owned())
        }
        _ => ("added", format!("{at} 开始"), format!("begun, {at}")),
    };
    types::BatchEvent {
        kind: kind.to_owned(),
        recorded_ms: change.at.millis(),
        by: person(&change.by.to_string()),
        reason: change.why.clone(),
        words: types::Name { zh, en },
    }
}
