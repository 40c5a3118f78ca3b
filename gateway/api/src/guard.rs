//! Who may ask what. Every route is registered with a [`Guard`], and there is no other way to
//! register one; the gate in front of the handler turns away who lacks the right.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use people::{Actor, Right, UserName};
use registry::Who;

use crate::problem::Refusal;
use crate::server::{Shared, blocking};

/// The name of the session's cookie over plain HTTP.
pub const COOKIE_NAME: &str = "miaopu_session";

/// Its name over TLS: browsers take a cookie with this prefix only with `Secure`, from the very host,
/// so that nothing said over plain HTTP can set or read it. A name of its own also lets a person sign
/// in on both, because a browser keeps a plain answer from replacing a secure cookie.
pub const SECURE_COOKIE_NAME: &str = "__Host-miaopu_session";

/// How many requests are worked on at once; one more is told to come again. Event streams have a
/// maximum of their own.
pub const REQUESTS_MAX: usize = 256;

/// What a route asks of who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Anybody may come.
    Open,
    /// Anybody who has signed in, and any token.
    SignedIn,
    /// Who has the right.
    Right(Right),
}

/// What a request showed to prove who it is.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Bearer(String),
    Cookie(String),
}

/// Who is asking, for a handler. Only behind a guard that lets in nobody unknown.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) who: Who,
    pub(crate) credential: Credential,
}

impl Asker {
    /// Returns the user's name, or refuses: a token has no password and no session.
    pub(crate) fn user(&self) -> Result<&UserName, Refusal> {
        match &self.who.actor {
            Actor::User(name) => Ok(name),
            Actor::Token(_) | Actor::CommandLine | Actor::Gateway => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "not_a_user",
                "令牌没有密码,请以用户身份登录",
                "a token has no password; sign in as a user",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let asker = Extension::<Self>::from_request_parts(parts, state).await;
        asker.map(|Extension(asker)| asker).map_err(|_| Refusal::not_signed_in())
    }
}

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().copied().ok_or_else(Refusal::not_signed_in)
    }
}

/// Whether a request came over TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverTls(pub(crate) bool);

impl OverTls {
    /// Returns the name of the session's cookie.
    pub(crate) const fn cookie_name(self) -> &'static str {
        if self.0 { SECURE_COOKIE_NAME } else { COOKIE_NAME }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OverTls {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}

/// The gate in front of every handler.
pub(crate) async fn gate(
    State((shared, guard)): State<(Arc<Shared>, Guard)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(_place) = shared.requests.try_acquire() else {
        return Refusal::busy().into_response();
    };
    let tls = request.extensions().get::<OverTls>().copied().unwrap_or_default();
    let admitted = admit(&shared, guard, tls, request.method(), request.headers()).await;
    match admitted {
        Ok(Some(asker)) => {
            request.extensions_mut().insert(asker);
        }
        Ok(None) => {}
        Err(refusal) => return refusal.into_response(),
    }
    next.run(request).await
}

async fn admit(
    shared: &Arc<Shared>,
    guard: Guard,
    tls: OverTls,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Asker>, Refusal> {
    let changes = !(method.is_safe());
    if guard == Guard::Open {
        // A stranger's page must not sign a person in as somebody else.
        return if changes { same_origin(headers).map(|()| None) } else { Ok(None) };
    }
    let credential = credential(headers, tls).ok_or_else(Refusal::not_signed_in)?;
    if changes && matches!(credential, Credential::Cookie(_)) {
        same_origin(headers)?;
    }
    let who = identify(shared, &credential).await?.ok_or_else(Refusal::not_signed_in)?;
    if let Guard::Right(right) = guard {
        may(&who, right)?;
    }
    Ok(Some(Asker { who, credential }))
}

/// Returns whose credential it is; `None` where it is nobody's, or nobody's any more.
pub(crate) async fn identify(
    shared: &Arc<Shared>,
    credential: &Credential,
) -> Result<Option<Who>, Refusal> {
    let now = shared.state.wall.now();
    let registry = Arc::clone(&shared.state.registry);
    let credential = credential.clone();
    blocking(move || {
        Ok(match credential {
            Credential::Bearer(secret) => registry.token(&secret)?,
            Credential::Cookie(cookie) => registry.session(&cookie, now)?,
        })
    })
    .await
}

fn may(who: &Who, right: Right) -> Result<(), Refusal> {
    if !who.role.may(right) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "not_allowed",
            format!("角色 {} 没有权限 {right};请向管理员申请", who.role),
            format!("the role {} lacks the right {right}; ask an admin for it", who.role),
        ));
    }
    // Whoever has seen the first password may read and answer alarms with it, but change nothing.
    let harmless = matches!(right, Right::Read | Right::AnswerAlarms | Right::Export);
    if who.must_change_password && !harmless {
        return Err(Refusal::password_first());
    }
    Ok(())
}

/// A bearer token goes before a cookie, so that a program in a browser can't be mistaken for its
/// user.
fn credential(headers: &HeaderMap, tls: OverTls) -> Option<Credential> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
        let secret = secret.trim();
        let bearer = scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty();
        return bearer.then(|| Credential::Bearer(secret.to_owned()));
    }
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(name, value)| *name == tls.cookie_name() && !value.is_empty());
    found.map(|(_, value)| Credential::Cookie(value.to_owned()))
}

/// Refuses what another site's page makes a browser send. What is no browser sends neither header.
fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site".parse().unwrap_or(ORIGIN));
    let fetch_ok = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text(HOST);
    let origin_ok = text(ORIGIN).is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host)
    });
    if fetch_ok && origin_ok {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "拒绝来自其他网站页面的请求;请直接打开苗圃的页面",
        "refused what another site's page asked for; open Miaopu's own page",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], expect: bool) {
        assert_eq!(same_origin(&headers(pairs)).is_ok(), expect);
    }

    #[test]
    fn only_our_own_page_and_programs_may_change_things() {
        check(&[], true);
        check(
            &[("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "same-origin")],
            true,
        );
        check(&[("host", "a:1"), ("origin", "http://b:1")], false);
        check(&[("host", "a:1"), ("origin", "http://a:2")], false);
        check(&[("host", "a:1"), ("origin", "null")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "same-site")], false);
    }

    #[test]
    fn a_bearer_goes_before_a_cookie_and_another_scheme_is_none() {
        let cookie = ("cookie", "a=b; miaopu_session=xyz");
        let found = credential(&headers(&[cookie]), OverTls(false));
        assert!(matches!(found, Some(Credential::Cookie(value)) if value == "xyz"));
        let found = credential(&headers(&[cookie, ("authorization", "bearer t")]), OverTls(false));
        assert!(matches!(found, Some(Credential::Bearer(value)) if value == "t"));
        let basic = headers(&[cookie, ("authorization", "Basic t")]);
        assert!(credential(&basic, OverTls(false)).is_none());
        assert!(credential(&headers(&[("cookie", "miaopu_session=")]), OverTls(false)).is_none());
    }

    #[test]
    fn a_plain_cookie_counts_for_nothing_over_tls_and_the_other_way_round() {
        let plain = headers(&[("cookie", "miaopu_session=p")]);
        let secure = headers(&[("cookie", "__Host-miaopu_session=s")]);
        assert!(credential(&plain, OverTls(true)).is_none());
        assert!(credential(&secure, OverTls(false)).is_none());
        assert!(matches!(
            credential(&secure, OverTls(true)),
            Some(Credential::Cookie(value)) if value == "s"
        ));
    }
}
