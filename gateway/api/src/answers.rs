//! The links of messages: whoever holds one may look at its alarm and acknowledge it, once. The token
//! is the credential; nothing here changes by looking.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use alarms::Action;
use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::Timestamp;
use people::{Actor, Right};
use registry::Link;

use crate::ask::Body;
use crate::guard::Peer;
use crate::look::{Look, name};
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::{inbox, types};

/// The longest token, in bytes; a longer one is unknown without a look.
const TOKEN_BYTES_MAX: usize = 128;

/// `POST /answers/look`.
pub(crate) async fn look(
    Held(shared): Held<Arc<Shared>>,
    Peer(peer): Peer,
    Body(asked): Body<types::AnswerToken>,
) -> Result<Json<types::AnswerCard>, Refusal> {
    let link = open(&shared, peer, &asked.token).await?;
    question(&shared, move |shared| card(shared, &link)).await.map(Json)
}

/// `POST /answers`.
pub(crate) async fn answer(
    Held(shared): Held<Arc<Shared>>,
    Peer(peer): Peer,
    Body(asked): Body<types::AnswerToken>,
) -> Result<Json<types::AnswerCard>, Refusal> {
    let link = open(&shared, peer, &asked.token).await?;
    if link.used.is_some() {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "link_used",
            "这个链接已经用过;要看现在的情况,请登录后打开报警页",
            "this link was used already; sign in and open the alarm to see how it stands",
        ));
    }
    let by = Actor::User(link.user.clone()).to_string();
    let comment = format!("消息链接 / by the link of message {}", link.message);
    let id = link.alarm.0.to_string();
    inbox::answer(&shared, by, &id, Action::Acknowledge, comment).await?;
    // Marked after the acknowledgement is on disk: a link that could be used twice in between does
    // no more than one that was used once, and one that failed can be used again.
    let (token, wall) = (asked.token, shared.state.wall.now());
    question(&shared, move |shared| {
        shared.state.registry.use_link(&token, wall)?;
        card(shared, &Link { used: Some(wall), ..link })
    })
    .await
    .map(Json)
}

/// Finds what a token stands for; who guesses waits longer and longer.
async fn open(shared: &Arc<Shared>, peer: IpAddr, token: &str) -> Result<Link, Refusal> {
    let now_ms = shared.state.wall.now().millis().unsigned_abs();
    let throttle = || shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let who = peer.to_string();
    let wait_ms = throttle().wait_ms(&who, peer, now_ms);
    if wait_ms > 0 {
        let seconds = wait_ms.div_ceil(1_000);
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_tries",
            format!("无效链接尝试次数过多,请等待 {seconds} 秒后再试"),
            format!("too many links that are none; wait {seconds} s and try again"),
        )
        .after_s(seconds));
    }
    let found = if token.len() > TOKEN_BYTES_MAX {
        None
    } else {
        let token = token.to_owned();
        question(shared, move |shared| Ok(shared.state.registry.link(&token)?)).await?
    };
    let Some(link) = found else {
        throttle().failed(&who, peer, now_ms);
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "link_unknown",
            "这个链接认不出来;请从消息里再打开一次,或登录后在报警列表里确认",
            "this link is not known; open it from the message once more, or sign in and answer there",
        ));
    };
    check(&link, shared.state.wall.now())?;
    Ok(link)
}

fn check(link: &Link, wall: Timestamp) -> Result<(), Refusal> {
    if !link.role.may(Right::AnswerAlarms) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "not_allowed",
            format!("用户 {} 不再有确认报警的权限,请联系管理员", link.user),
            format!("{} may not answer alarms any more; ask an admin", link.user),
        ));
    }
    if wall >= link.expires {
        return Err(Refusal::new(
            StatusCode::GONE,
            "link_expired",
            "这个链接已过期;请登录后在报警列表里确认",
            "this link has expired; sign in and answer the alarm in the list",
        ));
    }
    Ok(())
}

fn card(shared: &Shared, link: &Link) -> Result<types::AnswerCard, Refusal> {
    let look = Look::take(&shared.state)?;
    let alarm = inbox::find(shared, &link.alarm.0.to_string())?;
    let advice = notify::advice::of(&alarm.episode);
    let shown = look.alarm(&alarm);
    let site = look.nursery.sites.iter().find(|site| site.id.as_str() == shown.site);
    let fallback = || types::Name { zh: shown.site.clone(), en: shown.site.clone() };
    Ok(types::AnswerCard {
        now_ms: look.now.millis(),
        site_name: site.map_or_else(fallback, |site| name(&site.names)),
        time_zone: site.map_or("UTC", |site| site.time_zone.name()).to_owned(),
        check: inbox::words(advice.check),
        action: inbox::words(advice.action),
        user: link.user.to_string(),
        expires_ms: shared.state.on_nursery_clock(link.expires).millis(),
        used: link.used.is_some(),
        alarm: shown,
    })
}
