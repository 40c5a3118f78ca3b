//! A site's day on one sheet of paper.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use export::study::Study;
use exposure::{Span, Stay, StayRow, stay};
use jiff::civil::Date;
use measure::Timestamp;
use nursery::{Growing, Site, TimeOfDay, Zone, grows};

use crate::ask::Query;
use crate::batches;
use crate::exposures::integral;
use crate::look::{Look, name, shown_decimals};
use crate::night;
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::State;
use crate::study::light_of;
use crate::types;

/// `GET /sheet`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::Sheet>, Refusal> {
    let (site, date) = (query.optional("site"), query.optional("date"));
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let site = find(&look, site.as_deref())?;
        let day = match &date {
            Some(date) => day_of(date)?,
            None => site.time_zone.day_of(look.now),
        };
        sheet(&shared.state, &look, site, day)
    })
    .await
    .map(Json)
}

fn find<'a>(look: &'a Look, asked: Option<&str>) -> Result<&'a Site, Refusal> {
    let sites = &look.nursery.sites;
    let found = match asked {
        Some(asked) => sites.iter().find(|site| site.id.as_str() == asked),
        None => sites.first(),
    };
    found.ok_or_else(|| {
        let asked = asked.unwrap_or("");
        Refusal::not_found(format!("没有基地“{asked}”"), format!("there is no site `{asked}`"))
    })
}

/// Reads a date as days since 1970-01-01.
fn day_of(text: &str) -> Result<i32, Refusal> {
    let days = text
        .parse::<Date>()
        .ok()
        .map(|date| date.duration_since(Date::constant(1970, 1, 1)).as_secs() / 86_400);
    days.and_then(|days| i32::try_from(days).ok()).filter(|days| *days >= 0).ok_or_else(|| {
        Refusal::field(
            "date",
            format!("date 须为日期,如 2026-11-23,而不是“{text}”"),
            format!("date must be a day such as 2026-11-23, not `{text}`"),
        )
    })
}

fn sheet(state: &State, look: &Look, site: &Site, day: i32) -> Result<types::Sheet, Refusal> {
    let midnight = |day: i32| site.time_zone.instant(day, TimeOfDay::MIDNIGHT);
    let (from, to) = (midnight(day), midnight(day.saturating_add(1)));
    let until = to.min(look.now).max(from);
    let mut zones: Vec<&Zone> =
        look.nursery.zones.iter().filter(|zone| zone.site == site.id).collect();
    zones.sort_by_key(|zone| &zone.id);
    let study = study(state, look, (from, until))?;
    let zones = zones.into_iter().map(|zone| page(state, look, &study, zone, (from, to, until)));
    let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(day));
    Ok(types::Sheet {
        site: site.id.to_string(),
        site_name: name(&site.names),
        date: date.map_or_else(|_| String::new(), |date| date.to_string()),
        span: types::Span { from_ms: from.millis(), to_ms: to.millis() },
        now_ms: look.now.millis(),
        zones: zones.collect::<Result<_, Refusal>>()?,
        notes: state.registry.notes_between(&site.id, from, to)?.iter().map(night::note).collect(),
    })
}

/// Returns the nursery as the join sees it: a study without batches.
fn study(state: &State, look: &Look, (from, to): (Timestamp, Timestamp)) -> Result<Study, Refusal> {
    let (sites, zones) = (look.nursery.sites.clone(), look.nursery.zones.clone());
    Ok(Study {
        span: Span { from, to },
        batches: Vec::new(),
        light: light_of(&sites, &zones),
        sites,
        zones,
        placed: state.registry.node_history()?,
        profiles: Vec::new(),
        sources: Vec::new(),
        series: state.store.series()?,
        passports: Vec::new(),
        corrections: export::Corrections::default(),
        readings_max: None,
    })
}

fn page(
    state: &State,
    look: &Look,
    study: &Study,
    zone: &Zone,
    (from, to, until): (Timestamp, Timestamp, Timestamp),
) -> Result<types::SheetZone, Refusal> {
    let ever = state.registry.batches_of_zone(&zone.site, &zone.id)?;
    let stood: Vec<_> = ever
        .into_iter()
        .filter(|batch| {
            let segments = batch.segments(until);
            segments.iter().any(|it| it.zone == zone.id && it.to > from && it.from < to)
        })
        .collect();
    let own = state.registry.grown(&zone.site, &zone.id)?;
    // What grows there when the day ends, or now.
    let at = until.plus_micros(-1);
    let own = own.iter().rev().find(|it| it.from <= at).and_then(|it| it.growing.as_ref());
    let growing = grows(zone, own, &stood, &look.nursery.profiles, at);
    let mut rows = Vec::new();
    if from < until {
        let whole = Stay { zone: zone.id.clone(), position: None, from, to: until };
        let profile = growing.as_ref().and_then(|it| look.stage(it)).map(|(profile, _)| profile);
        let grown = profile.zip(growing.as_ref());
        let grown = grown.map(|(profile, it)| (profile, &it.method, &it.stage));
        let found =
            study.at_site(&*state.store, &zone.site, |house| Ok(stay(house, &whole, grown)?))?;
        rows = found.unwrap_or_default();
    }
    let mut alarms = Vec::new();
    for (id, _) in look.series_in(zone) {
        let touching = state.registry.alarms_of(alarms::ChannelId(id.0), from, to)?;
        alarms.extend(touching.iter().map(|alarm| look.alarm(alarm)));
    }
    alarms.sort_by_key(|alarm| alarm.raised_ms);
    alarms.truncate(registry::ALARMS_PAGE_MAX);
    let (crop, stage) = growing.map_or((None, None), |it| words(look, &it));
    Ok(types::SheetZone {
        zone: zone.id.to_string(),
        name: name(&zone.names),
        crop,
        stage,
        batches: batches::told_all(state, look, &stood)?,
        quantities: rows.iter().map(quantity).collect(),
        alarms,
    })
}

/// Returns what grows in words: crop and method, and stage.
fn words(look: &Look, growing: &Growing) -> (Option<types::Name>, Option<types::Name>) {
    let Some((profile, stage)) = look.stage(growing) else { return (None, None) };
    let method = profile.methods.iter().find(|it| it.id == growing.method);
    let crop = method.map_or_else(
        || name(&profile.names),
        |method| types::Name {
            zh: format!("{} · {}", profile.names.zh(), method.names.zh()),
            en: format!("{} · {}", profile.names.en(), method.names.en()),
        },
    );
    (Some(crop), stage.map(|it| name(&it.names)))
}

fn quantity(found: &StayRow) -> types::SheetQuantity {
    let row = &found.row;
    types::SheetQuantity {
        quantity: row.quantity.name().to_owned(),
        unit: row.quantity.ucum().to_owned(),
        decimals: shown_decimals(row.quantity),
        coverage: row.coverage(),
        min: row.min,
        mean: row.mean,
        day_mean: found.day_mean,
        night_mean: found.night_mean,
        max: row.max,
        hours_below: row.hours_below(),
        hours_above: row.hours_above(),
        integral: integral(row),
    }
}
