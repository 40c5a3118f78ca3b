//! The technician's night: shelving, notes, weak limits that are confirmed, and what the morning reads
//! of it.

use std::sync::Arc;

use alarms::{
    Action, AlarmId, Bound, COMMENT_CHARS_MAX, ConfirmedLimit, RuleKind, SHELVE_MS_MAX,
    Suppression, Trip, ZoneRules,
};
use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::{Quantity, Scaled, Slug, Timestamp};
use nursery::TimeOfDay;
use registry::{NewNote, WhichNotes};

use crate::ask::{At, Body, Query, parse_time};
use crate::guard::Asker;
use crate::inbox;
use crate::look::{Look, person};
use crate::places::Before;
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::{Nursery, State};
use crate::types;

/// The most alarms of a night that the overview has; the others are counted.
pub const NIGHT_ALARMS_MAX: usize = 50;

/// When an evening begins, in minutes after midnight of the site's time.
const EVENING_MINUTES: u16 = 18 * 60;

/// How much beyond the longest shelving a page may ask for, in milliseconds, because its clock is not
/// quite the gateway's; it is shelved for the longest then.
const SHELVE_SLACK_MS: i64 = 60_000;

/// `POST /alarms/{id}/shelve`.
pub(crate) async fn shelve(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(id): At<String>,
    Body(asked): Body<types::Shelve>,
) -> Result<Json<types::Alarm>, Refusal> {
    let reason = said("reason", &asked.reason)?;
    let until = parse_time(&asked.until).ok_or_else(|| {
        Refusal::field(
            "until",
            format!("until 须为 RFC 3339 时间或 1970 年以来的毫秒数,而不是“{}”", asked.until),
            format!(
                "until must be an RFC 3339 time or milliseconds since 1970, not `{}`",
                asked.until
            ),
        )
    })?;
    let left_ms = until.ms_since(shared.state.clock.now());
    if left_ms <= 0 || left_ms > SHELVE_MS_MAX + SHELVE_SLACK_MS {
        let hours = SHELVE_MS_MAX / 3_600_000;
        return Err(Refusal::field(
            "until",
            format!("搁置须在将来结束,且最长 {hours} 小时;到期可再次搁置"),
            format!(
                "shelving must end in the future and within {hours} hours; shelve again after that"
            ),
        ));
    }
    let action = Action::Shelve { until, one_shot: asked.one_shot };
    let by = asker.who.actor.to_string();
    inbox::answer(&shared, by, &id, action, reason).await.map(Json)
}

/// `POST /alarms/{id}/unshelve`.
pub(crate) async fn unshelve(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(id): At<String>,
    Body(asked): Body<types::AlarmComment>,
) -> Result<Json<types::Alarm>, Refusal> {
    let by = asker.who.actor.to_string();
    inbox::answer(&shared, by, &id, Action::Unshelve, asked.comment).await.map(Json)
}

/// Returns a text that must say something.
fn said(field: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > COMMENT_CHARS_MAX {
        return Err(Refusal::field(
            field,
            format!("请写下原因,最多 {COMMENT_CHARS_MAX} 个字符"),
            format!("{field} must say why, in at most {COMMENT_CHARS_MAX} characters"),
        ));
    }
    Ok(text.to_owned())
}

/// Returns the shelving of an alarm, if it is shelved.
pub(crate) fn shelving(suppression: &Suppression) -> Option<types::Shelving> {
    let Suppression::Shelved { until, one_shot, by, reason } = suppression else { return None };
    Some(types::Shelving {
        until_ms: until.millis(),
        one_shot: *one_shot,
        by: person(by),
        reason: reason.clone(),
    })
}

/// `GET /notes`.
pub(crate) async fn notes(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::Notes>, Refusal> {
    let which = match query.optional("state").as_deref() {
        None | Some("open") => WhichNotes::Open,
        Some("all") => WhichNotes::All,
        Some(other) => {
            return Err(Refusal::field(
                "state",
                format!("state 须为 open 或 all,而不是“{other}”"),
                format!("state must be open or all, not `{other}`"),
            ));
        }
    };
    query.end()?;
    question(&shared, move |shared| {
        let notes = shared.state.registry.notes(which)?;
        Ok(types::Notes { notes: notes.iter().map(note).collect() })
    })
    .await
    .map(Json)
}

/// `POST /notes`.
pub(crate) async fn add_note(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::NewNote>,
) -> Result<(StatusCode, Json<types::Note>), Refusal> {
    let alarm = asked.alarm.map(|alarm| {
        alarm.parse().map(AlarmId).map_err(|_| {
            Refusal::field(
                "alarm",
                format!("没有编号为“{alarm}”的报警"),
                format!("there is no alarm `{alarm}`"),
            )
        })
    });
    let new = NewNote {
        site: named("site", &asked.site)?,
        zone: asked.zone.as_deref().map(|zone| named("zone", zone)).transpose()?,
        alarm: alarm.transpose()?,
        text: asked.text,
    };
    let kept = question(&shared, move |shared| {
        let now = shared.state.clock.now();
        Ok(shared.state.registry.add_note(&new, &asker.who.actor, now)?)
    })
    .await?;
    shared.overview.spoil();
    Ok((StatusCode::CREATED, Json(note(&kept))))
}

/// `POST /notes/{id}/done`.
pub(crate) async fn finish_note(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(id): At<String>,
) -> Result<Json<types::Note>, Refusal> {
    let number: i64 = id.parse().map_err(|_| {
        Refusal::not_found(
            format!("没有编号为“{id}”的留言"),
            format!("there is no note `{id}`; GET /api/v1/notes?state=all lists all"),
        )
    })?;
    let done = question(&shared, move |shared| {
        let now = shared.state.clock.now();
        Ok(shared.state.registry.finish_note(number, &asker.who.actor, now)?)
    })
    .await?;
    shared.overview.spoil();
    Ok(Json(note(&done)))
}

pub(crate) fn note(note: &registry::Note) -> types::Note {
    types::Note {
        id: note.number,
        site: note.site.to_string(),
        zone: note.zone.as_ref().map(Slug::to_string),
        alarm: note.alarm.map(|alarm| alarm.0.to_string()),
        text: note.text.clone(),
        by: person(&note.by),
        at_ms: note.at.millis(),
        done_by: note.done.as_ref().map(|(by, _)| person(by)),
        done_ms: note.done.as_ref().map(|(_, at)| at.millis()),
    }
}

fn named(field: &str, text: &str) -> Result<Slug, Refusal> {
    Slug::new(text).map_err(|_| {
        Refusal::field(
            field,
            format!("没有名为“{text}”的{}", if field == "site" { "基地" } else { "区域" }),
            format!("there is no {field} `{text}`"),
        )
    })
}

/// `POST /limits/confirm`.
pub(crate) async fn confirm(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::ConfirmLimit>,
) -> Result<StatusCode, Refusal> {
    let why = said("reason", &asked.reason)?;
    let (site, zone) = (named("site", &asked.site)?, named("zone", &asked.zone)?);
    let nursery = Arc::clone(&shared.state.nursery.borrow());
    let limit = weak_limit(&nursery, (&site, &zone), &asked)?;
    let before = Before::look(&shared);
    question(&shared, move |shared| {
        let now = shared.state.clock.now();
        Ok(shared.state.registry.confirm_limit(&limit, &why, &asker.who.actor, now)?)
    })
    .await?;
    before.passed().await;
    shared.overview.spoil();
    Ok(StatusCode::NO_CONTENT)
}

/// Finds the weak limit that is in force and that somebody wants to confirm.
fn weak_limit(
    nursery: &Nursery,
    (site, zone): (&Slug, &Slug),
    asked: &types::ConfirmLimit,
) -> Result<ConfirmedLimit, Refusal> {
    let quantity =
        Quantity::ALL.into_iter().find(|it| it.name() == asked.quantity).ok_or_else(|| {
            Refusal::field(
                "quantity",
                format!("没有名为“{}”的测量量", asked.quantity),
                format!("there is no quantity `{}`", asked.quantity),
            )
        })?;
    let rules = nursery
        .rules
        .zones()
        .iter()
        .find(|rules| rules.zone == *zone && rules.clock.site.id == *site)
        .ok_or_else(|| {
            Refusal::not_found(
                format!("没有区域“{site}/{zone}”"),
                format!("there is no zone `{site}/{zone}`"),
            )
        })?;
    let limit = Scaled::from_f64(quantity, asked.limit).ok();
    let found = limit.and_then(|limit| {
        let growing = rules.growing.clone()?;
        let side = match asked.side {
            types::Side::High => nursery::Side::High,
            types::Side::Low => nursery::Side::Low,
        };
        let is_it = |bound: &Bound| {
            bound.limit == limit && (bound.needs_confirmation() || bound.confirmed_by.is_some())
        };
        bounds(rules, quantity, side).any(is_it).then(|| ConfirmedLimit {
            site: site.clone(),
            growing,
            quantity,
            side,
            limit,
            by: String::new(),
        })
    });
    found.ok_or_else(|| {
        Refusal::field(
            "limit",
            format!(
                "{} 在此阶段没有待确认的限值 {};请刷新页面查看现行限值",
                asked.quantity, asked.limit
            ),
            format!(
                "{} has no limit of {} to confirm at this stage; read the limits in force again",
                asked.quantity, asked.limit
            ),
        )
    })
}

/// Returns the limits in force of a quantity on a side in a zone.
fn bounds(
    rules: &ZoneRules,
    quantity: Quantity,
    side: nursery::Side,
) -> impl Iterator<Item = &Bound> {
    let channels = rules.channels.iter().filter(move |channel| channel.quantity == quantity);
    let rules = channels.flat_map(|channel| &channel.rules);
    let levels = rules.filter(|rule| rule.kind == RuleKind::Limit).flat_map(|rule| &rule.levels);
    levels
        .flat_map(move |level| match &level.trip {
            Trip::Limit(it) if it.side == side => [it.day.as_ref(), it.night.as_ref()],
            Trip::Limit(_) | Trip::Silence { .. } | Trip::Fault { .. } => [None, None],
        })
        .flatten()
}

/// Returns what happened since the evening before.
pub(crate) fn since_evening(state: &State, look: &Look) -> Result<types::Night, Refusal> {
    let from = evening(&look.nursery, look.now);
    let (alarms, raised) = state.registry.alarms_since(from, NIGHT_ALARMS_MAX)?;
    let notes = state.registry.notes(WhichNotes::Open)?;
    Ok(types::Night {
        from_ms: from.millis(),
        alarms: alarms.iter().map(|alarm| look.alarm(alarm)).collect(),
        raised: u32::try_from(raised).unwrap_or(u32::MAX),
        told: u32::try_from(state.registry.told_since(from)?).unwrap_or(u32::MAX),
        notes: notes.iter().map(note).collect(),
    })
}

/// Returns the last 18:00 before a time, by the time of the first site; of UTC where there is none.
fn evening(nursery: &Nursery, now: Timestamp) -> Timestamp {
    let time = TimeOfDay::from_minutes(EVENING_MINUTES).unwrap_or(TimeOfDay::MIDNIGHT);
    let Some(site) = nursery.sites.first() else {
        let day_ms = 86_400_000;
        let evening_ms = i64::from(EVENING_MINUTES) * 60_000;
        let since_ms = (now.millis() - evening_ms).rem_euclid(day_ms);
        return now.plus_ms(-since_ms);
    };
    let zone = &site.time_zone;
    let day = zone.day_of(now);
    let today = zone.instant(day, time);
    if today <= now { today } else { zone.instant(day.saturating_sub(1), time) }
}
