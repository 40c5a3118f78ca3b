//! What is read: health, overview, zones, channels, series and nodes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use measure::Slug;
use store::{SeriesId, SeriesKey};

use crate::ask::{At, Query};
use crate::buckets::{self, POINTS_DEFAULT, POINTS_MAX};
use crate::look::Look;
use crate::overview::{self, Open};
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::types;
use crate::{bands, batches, grown};

/// The span of a chart that names none, in milliseconds: a day.
const SPAN_MS_DEFAULT: i64 = 86_400_000;

/// `GET /health`.
pub(crate) async fn health(Held(shared): Held<Arc<Shared>>) -> Json<types::Health> {
    let state = &shared.state;
    let troubles = state.troubles.borrow().clone();
    let ok = troubles.is_empty();
    Json(types::Health {
        status: if ok { types::HealthStatus::Ok } else { types::HealthStatus::Degraded },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms: state.clock.now().millis(),
        speed: state.speed,
        demonstration: state.demonstration,
        troubles,
    })
}

/// `GET /overview`.
pub(crate) async fn overview(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<impl IntoResponse, Refusal> {
    query.end()?;
    let json = question(&shared, |shared| shared.overview.get(&shared.state)).await?;
    Ok(([(CONTENT_TYPE, "application/json")], json))
}

/// `GET /zones/{site}/{zone}`.
pub(crate) async fn zone(
    Held(shared): Held<Arc<Shared>>,
    At((site, zone)): At<(String, String)>,
    mut query: Query,
) -> Result<Json<types::ZoneDetail>, Refusal> {
    let span = query.span(shared.state.clock.now(), SPAN_MS_DEFAULT)?;
    query.end()?;
    question(&shared, move |shared| zone_detail(shared, &site, &zone, span)).await.map(Json)
}

fn zone_detail(
    shared: &Shared,
    site: &str,
    zone: &str,
    (from, to): (measure::Timestamp, measure::Timestamp),
) -> Result<types::ZoneDetail, Refusal> {
    let state = &shared.state;
    let look = Look::take(state)?;
    let found = Slug::new(site).ok().zip(Slug::new(zone).ok());
    let found = found.and_then(|(site, zone)| look.zone(&site, &zone));
    let Some(zone) = found else {
        return Err(Refusal::not_found(
            format!("没有区域“{site}/{zone}”"),
            format!("there is no zone `{site}/{zone}`"),
        ));
    };
    let open = Open::take(state, &look)?;
    let series = look.series_in(zone);
    let own = state.registry.grown(&zone.site, &zone.id)?;
    let raised = state.registry.batches_of_zone(&zone.site, &zone.id)?;
    let grown = grown::through(&look, zone, &own, &raised, (from, to));
    let backdrop = bands::backdrop(&look, zone, &grown, (from, to));
    let mut alarms = Vec::new();
    for (id, _) in &series {
        let touching = state.registry.alarms_of(alarms::ChannelId(id.0), from, to)?;
        alarms.extend(touching.iter().map(|alarm| look.alarm(alarm)));
    }
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.raised_ms));
    alarms.truncate(registry::ALARMS_PAGE_MAX);
    let nodes = look.nodes().into_iter().filter(|node| {
        node.site == zone.site.as_str() && node.zone.as_deref() == Some(zone.id.as_str())
    });
    Ok(types::ZoneDetail {
        summary: overview::summary(state, &look, &open, zone)?,
        channels: series.iter().map(|(id, key)| look.channel(*id, key)).collect(),
        bands: backdrop.bands,
        nights: backdrop.nights,
        stages: backdrop.stages,
        day_source: match zone.day {
            nursery::Day::Sun => "sun",
            nursery::Day::Lamp { .. } => "lamp",
            nursery::Day::MeasuredLight { .. } => "measured_light",
        }
        .to_owned(),
        alarms,
        nodes: nodes.collect(),
        batches: batches::standing_in(state, &look, zone, &raised)?,
    })
}

/// `GET /channels`.
pub(crate) async fn channels(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<Vec<types::Channel>>, Refusal> {
    query.end()?;
    question(&shared, |shared| Ok(Look::take(&shared.state)?.channels())).await.map(Json)
}

/// `GET /channels/{id}/series`.
pub(crate) async fn series(
    Held(shared): Held<Arc<Shared>>,
    At(id): At<String>,
    mut query: Query,
) -> Result<Json<types::Series>, Refusal> {
    let (from, to) = query.span(shared.state.clock.now(), SPAN_MS_DEFAULT)?;
    let points = query.number("points", POINTS_DEFAULT, (1, POINTS_MAX))?;
    query.end()?;
    let id = SeriesId(id.parse().map_err(|_| {
        Refusal::not_found(
            format!("没有编号为“{id}”的通道;所有通道见 GET /api/v1/channels"),
            format!("there is no channel `{id}`; GET /api/v1/channels lists all"),
        )
    })?);
    question(&shared, move |shared| {
        let state = &shared.state;
        let key = state.store.series()?.into_iter().find(|(it, _)| *it == id);
        let (_, SeriesKey { node, quantity, .. }) = key.ok_or_else(|| Refusal::no_channel(id.0))?;
        let nursery = Arc::clone(&state.nursery.borrow());
        let site = nursery.sites.iter().find(|site| site.id == node.site);
        let grid = buckets::grid(site.map(|site| &site.time_zone), from, to, points);
        if grid.buckets(from, to) > points as i64 + 1 {
            return Err(Refusal::field(
                "points",
                format!("{points} 个点不足以画出这样长的时段;请缩短时段或增加点数"),
                format!(
                    "{points} points are too few for so long a span; shorten it or ask for more"
                ),
            ));
        }
        let columns = match state.store.downsample(id, from, to, grid.step_ms, grid.origin) {
            // Of what is old roll-ups are left: as fine as they are.
            Err(store::Error::Coarser { .. }) => {
                coarser(&*state.store, id, from, to, grid.step_ms)?
            }
            columns => columns?,
        };
        Ok(types::Series {
            channel: id.0,
            unit: quantity.ucum().to_owned(),
            step_ms: columns.step_ms,
            time_ms: columns.time_ms,
            min: columns.min,
            mean: columns.mean,
            max: columns.max,
            count: columns.count,
            quality: columns.quality.into_iter().map(|it| it.map(measure::Quality::code)).collect(),
        })
    })
    .await
    .map(Json)
}

/// Returns buckets as fine as what is left of a span, in UTC: the answer says their step.
fn coarser(
    store: &dyn store::Store,
    id: SeriesId,
    from: measure::Timestamp,
    to: measure::Timestamp,
    step_ms: i64,
) -> Result<store::Columns, store::Error> {
    // Ten minutes may be left of one part of the span, and hours of another.
    let mut asked_ms = step_ms;
    loop {
        match store.downsample(id, from, to, asked_ms, measure::Timestamp::MIN) {
            Err(store::Error::Coarser { kept_ms, .. }) if asked_ms % kept_ms != 0 => {
                asked_ms = step_ms + kept_ms - (step_ms - 1).rem_euclid(kept_ms) - 1;
            }
            columns => return columns,
        }
    }
}

/// `GET /nodes`.
pub(crate) async fn nodes(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<Vec<types::Node>>, Refusal> {
    query.end()?;
    question(&shared, |shared| Ok(Look::take(&shared.state)?.nodes())).await.map(Json)
}
