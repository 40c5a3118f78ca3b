//! Alarms: the list, one of them, and people's answers.

use std::sync::Arc;
use std::time::Duration;

use alarms::{Action, AlarmId, COMMENT_CHARS_MAX, Episode, Transition};
use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::{Scaled, Timestamp};
use nursery::Side;
use registry::{ALARMS_PAGE_MAX, Alarm, LocalState, Registry, Which, WhichNotes};

use crate::ask::{At, Body, Query};
use crate::guard::Asker;
use crate::look::{Look, person};
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::OrderError;
use crate::types::{self, AlarmEvent, AlarmEventKind};
use crate::{messages, night};

/// How many alarms a list has that doesn't say.
const LIMIT_DEFAULT: usize = 200;

/// For how long after an alarm's return the end of a node's own episode still belongs to it.
const LOCAL_AFTER_MS: i64 = 3_600_000;

/// How long the alarm engine may take to carry out an order before the request is told to come
/// again; the order may still be carried out, and carrying it out twice changes nothing.
pub const ORDER_WAIT: Duration = Duration::from_secs(10);

/// `GET /alarms`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::Alarms>, Refusal> {
    let which = which(query.optional("state").as_deref())?;
    let limit = query.number("limit", LIMIT_DEFAULT, (1, ALARMS_PAGE_MAX - 1))?;
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let found = shared.state.registry.alarms(which, limit + 1)?;
        Ok(types::Alarms {
            now_ms: look.now.millis(),
            alarms: found.iter().take(limit).map(|alarm| look.alarm(alarm)).collect(),
            more: found.len() > limit,
        })
    })
    .await
    .map(Json)
}

fn which(state: Option<&str>) -> Result<Which, Refusal> {
    match state.unwrap_or("open") {
        "open" => Ok(Which::Open),
        "unacknowledged" => Ok(Which::Unacknowledged),
        "active" => Ok(Which::Active),
        "closed" => Ok(Which::Closed),
        "all" => Ok(Which::All),
        other => Err(Refusal::field(
            "state",
            format!("state 须为 open、unacknowledged、active、closed 或 all,而不是“{other}”"),
            format!("state must be open, unacknowledged, active, closed or all, not `{other}`"),
        )),
    }
}

/// `GET /alarms/{id}`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    At(id): At<String>,
) -> Result<Json<types::AlarmDetail>, Refusal> {
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let alarm = find(shared, &id)?;
        let transitions = shared.state.registry.transitions(alarm.episode.id)?;
        let advice = notify::advice::of(&alarm.episode);
        let registry = &shared.state.registry;
        let messages = registry.deliveries(alarm.episode.id)?;
        let notes = registry.notes(WhichNotes::Of(alarm.episode.id))?;
        Ok(types::AlarmDetail {
            check: words(advice.check),
            action: words(advice.action),
            timeline: timeline(&alarm, &transitions),
            alarm: look.alarm(&alarm),
            messages: messages.iter().map(|it| messages::sent(&shared.state, it)).collect(),
            notes: notes.iter().rev().map(night::note).collect(),
            local: local(registry, &look, &alarm.episode)?,
        })
    })
    .await
    .map(Json)
}

/// Returns what the node judged itself while an alarm's limit was broken, on the same side.
fn local(
    registry: &Registry,
    look: &Look,
    episode: &Episode,
) -> Result<Vec<types::LocalEpisode>, Refusal> {
    let Some(key) = look.series_key(episode.channel()) else { return Ok(Vec::new()) };
    let side = match episode.side {
        Some(Side::Low) => 1,
        Some(Side::High) => 2,
        None => return Ok(Vec::new()),
    };
    let place = (&key.position, key.quantity);
    let until = episode.returned.unwrap_or(look.now).plus_ms(LOCAL_AFTER_MS);
    let found = registry.local_episodes(&key.node, place, episode.started, until)?;
    let same = found.into_iter().filter(|it| it.rule & 0xF == side);
    Ok(same
        .map(|it| types::LocalEpisode {
            rule: it.rule,
            raised_ms: it.raised.map(Timestamp::millis),
            ended_ms: it.ended.map(|(at, _)| at.millis()),
            cancelled: it.ended.is_some_and(|(_, how)| how == LocalState::Cancelled),
            uncertain: it.uncertain,
            outputs: it.outputs,
        })
        .collect())
}

/// `POST /alarms/{id}/acknowledge`.
pub(crate) async fn acknowledge(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(id): At<String>,
    Body(said): Body<types::AlarmComment>,
) -> Result<Json<types::Alarm>, Refusal> {
    let by = asker.who.actor.to_string();
    answer(&shared, by, &id, Action::Acknowledge, said.comment).await.map(Json)
}

/// `POST /alarms/{id}/comment`.
pub(crate) async fn comment(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(id): At<String>,
    Body(said): Body<types::AlarmComment>,
) -> Result<Json<types::Alarm>, Refusal> {
    if said.comment.trim().is_empty() {
        return Err(Refusal::field("comment", "请写下备注", "comment must not be empty"));
    }
    let by = asker.who.actor.to_string();
    answer(&shared, by, &id, Action::Comment, said.comment).await.map(Json)
}

/// Has the alarm stage carry out what a person does to an alarm, and returns the alarm as it is then.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    by: String,
    id: &str,
    action: Action,
    comment: String,
) -> Result<types::Alarm, Refusal> {
    if comment.chars().count() > COMMENT_CHARS_MAX {
        return Err(Refusal::field(
            "comment",
            format!("备注不得超过 {COMMENT_CHARS_MAX} 个字符"),
            format!("comment must not have more than {COMMENT_CHARS_MAX} characters"),
        ));
    }
    let alarm = {
        let id = id.to_owned();
        question(shared, move |shared| find(shared, &id)).await?
    };
    let number = alarm.episode.id;
    let order = shared.state.desk.hand_in(action, number, by, comment.trim().to_owned());
    let done = tokio::time::timeout(ORDER_WAIT, order).await;
    match done.unwrap_or(Err(OrderError::Unavailable)) {
        Ok(()) => {}
        Err(OrderError::NotOpen) => {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "alarm_over",
                "该报警已经结束,无需处理",
                "the alarm is over already; there is nothing to answer",
            ));
        }
        Err(OrderError::Unavailable) => return Err(Refusal::busy()),
    }
    shared.overview.spoil();
    let id = number.0.to_string();
    question(shared, move |shared| Ok(Look::take(&shared.state)?.alarm(&find(shared, &id)?))).await
}

/// Returns a text in the API's own types.
pub(crate) fn words(words: notify::Words) -> types::Name {
    types::Name { zh: words.zh.to_owned(), en: words.en.to_owned() }
}

pub(crate) fn find(shared: &Shared, id: &str) -> Result<Alarm, Refusal> {
    let number = id.parse().ok().map(AlarmId);
    let found = match number {
        Some(number) => shared.state.registry.alarm(number)?,
        None => None,
    };
    found.ok_or_else(|| {
        Refusal::not_found(
            format!("没有编号为“{id}”的报警;所有报警见 GET /api/v1/alarms?state=all"),
            format!("there is no alarm `{id}`; GET /api/v1/alarms?state=all lists all"),
        )
    })
}

fn timeline(alarm: &Alarm, transitions: &[Transition]) -> Vec<AlarmEvent> {
    let units = |value: Scaled| value.to_f64(alarm.episode.quantity);
    let mut events: Vec<_> = transitions
        .iter()
        .map(|it| AlarmEvent {
            kind: it.kind.into(),
            at_ms: it.at.millis(),
            seen_ms: it.seen.millis(),
            by: it.by.as_deref().map(person),
            comment: it.comment.clone().filter(|said| !said.is_empty()),
            value: it.value.map(units),
            severity: Some(it.episode.severity.into()),
        })
        .collect();
    // What closes an alarm is its return or its acknowledgement; the page wants a line for it.
    let closed = alarm.episode.closed.map(Timestamp::millis);
    let told = events.last().is_some_and(|last| last.kind == AlarmEventKind::Closed);
    if let (Some(at_ms), false) = (closed, told) {
        let seen_ms = events.last().map_or(at_ms, |last| last.seen_ms);
        events.push(AlarmEvent {
            kind: AlarmEventKind::Closed,
            at_ms,
            seen_ms,
            by: None,
            comment: None,
            value: None,
            severity: None,
        });
    }
    events
}
