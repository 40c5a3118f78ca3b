//! Signing in and out, and one's own password.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State as Held;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use people::{Actor, UserName};
use registry::{SESSION_DAYS, Secret, Who};

use crate::ask::Body;
use crate::guard::{Asker, Credential, OverTls, Peer};
use crate::messages;
use crate::problem::Refusal;
use crate::server::{Shared, TURN_WAIT, blocking};
use crate::types::{PasswordChange, Session, SignIn};

/// `POST /session`.
pub(crate) async fn sign_in(
    Held(shared): Held<Arc<Shared>>,
    Peer(peer): Peer,
    tls: OverTls,
    Body(asked): Body<SignIn>,
) -> Result<(HeaderMap, Json<Session>), Refusal> {
    let user = tried(&shared, peer, &asked.user, {
        let (registry, user) = (Arc::clone(&shared.state.registry), asked.user.clone());
        move || Ok(registry.check_password(&user, &asked.password)?)
    });
    let user = user.await?.ok_or_else(|| wrong_password("password"))?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.wall.now());
    let name = user.name.clone();
    let secret = blocking(move || Ok(registry.begin_session(&name, now)?)).await?;
    let who = Who {
        actor: Actor::User(user.name),
        role: user.role,
        must_change_password: user.must_change_password,
    };
    Ok((cookie(tls, &secret)?, Json(session(&shared, &who).await?)))
}

/// `GET /session`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
) -> Result<Json<Session>, Refusal> {
    session(&shared, &asker.who).await.map(Json)
}

/// `DELETE /session`.
pub(crate) async fn sign_out(
    Held(shared): Held<Arc<Shared>>,
    tls: OverTls,
    asker: Asker,
) -> Result<(StatusCode, HeaderMap), Refusal> {
    if let Credential::Cookie(cookie) = asker.credential {
        let registry = Arc::clone(&shared.state.registry);
        blocking(move || Ok(registry.end_session(&cookie)?)).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(tls, "", 0)?))
}

/// `POST /session/password`.
pub(crate) async fn change_password(
    Held(shared): Held<Arc<Shared>>,
    Peer(peer): Peer,
    asker: Asker,
    Body(asked): Body<PasswordChange>,
) -> Result<StatusCode, Refusal> {
    let name: UserName = asker.user()?.clone();
    let keep = match asker.credential {
        Credential::Cookie(cookie) => cookie,
        Credential::Bearer(_) => String::new(),
    };
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let user = name.to_string();
    let changed = tried(&shared, peer, &user, move || {
        let passwords = (asked.old.as_str(), asked.new.as_str());
        Ok(registry.change_password(&name, passwords, &keep, now)?.then_some(()))
    });
    changed.await?.ok_or_else(|| wrong_password("old"))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs a check of a password when its turn has come, and counts the failures.
async fn tried<T: Send + 'static>(
    shared: &Arc<Shared>,
    peer: IpAddr,
    user: &str,
    check: impl FnOnce() -> Result<Option<T>, Refusal> + Send + 'static,
) -> Result<Option<T>, Refusal> {
    let turn = tokio::time::timeout(TURN_WAIT, shared.passwords.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
    let now_ms = shared.state.wall.now().millis().unsigned_abs();
    let throttle = || shared.throttle.lock().unwrap_or_else(PoisonError::into_inner);
    let wait_ms = throttle().wait_ms(user, peer, now_ms);
    if wait_ms > 0 {
        let seconds = wait_ms.div_ceil(1_000);
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_tries",
            format!("密码尝试次数过多,请等待 {seconds} 秒后再试"),
            format!("too many wrong passwords; wait {seconds} s and try again"),
        )
        .after_s(seconds));
    }
    // Counted before the check, so that tries at the same time don't all pass as the first.
    throttle().failed(user, peer, now_ms);
    let outcome = blocking(check).await;
    if !matches!(outcome, Ok(None)) {
        throttle().succeeded(user, peer);
    }
    outcome
}

fn wrong_password(field: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "wrong_password",
        "用户名或密码不正确",
        "the user's name or the password is wrong",
    )
    .at(field)
}

async fn session(shared: &Shared, who: &Who) -> Result<Session, Refusal> {
    let contact = match &who.actor {
        Actor::User(name) => {
            let (registry, name) = (Arc::clone(&shared.state.registry), name.to_string());
            blocking(move || Ok(registry.person(&name)?)).await?
        }
        Actor::Token(_) | Actor::CommandLine | Actor::Gateway => None,
    };
    Ok(Session {
        user: crate::look::person(&who.actor.to_string()),
        role: who.role.into(),
        must_change_password: who.must_change_password,
        rights: who.role.rights().iter().map(|right| (*right).into()).collect(),
        contact: contact.map(|person| messages::shown(&person.contact)),
    })
}

fn cookie(tls: OverTls, secret: &Secret) -> Result<HeaderMap, Refusal> {
    set_cookie(tls, secret.reveal(), SESSION_DAYS * 86_400)
}

/// A session that began over TLS never travels without it.
fn set_cookie(tls: OverTls, value: &str, age_s: i64) -> Result<HeaderMap, Refusal> {
    let secure = if tls.0 { "; Secure" } else { "" };
    let name = tls.cookie_name();
    let text =
        format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::try_from(text).map_err(|error| Refusal::broken(&error))?;
    Ok(HeaderMap::from_iter([(SET_COOKIE, value)]))
}
