//! What a request says: its query and its body, checked, each fault with its field.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use measure::{Slug, Timestamp};
use serde::de::DeserializeOwned;

use crate::problem::Refusal;

/// The largest body of a request, in bytes; a larger one is refused.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;

/// How long the body of a request may take to arrive; a slower one is refused.
pub const BODY_WAIT: Duration = Duration::from_secs(20);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "请求须为 JSON:请加上 Content-Type: application/json",
                "the request must be JSON: send Content-Type: application/json",
            ));
        }
        let read = Bytes::from_request(request, state);
        let bytes = tokio::time::timeout(BODY_WAIT, read).await.map_err(|_| too_slow())?;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("请求不得超过 {BODY_BYTES_MAX} 字节"),
                format!("the request must not have more than {BODY_BYTES_MAX} bytes"),
            ),
            _ => too_slow(),
        })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            bad_json(&path, &error.into_inner())
        })?;
        json.end().map_err(|error| bad_json(".", &error))?;
        Ok(Self(value))
    }
}

fn too_slow() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_TIMEOUT,
        "incomplete",
        "请求没有完整到达,请重试",
        "the request did not arrive whole; send it again",
    )
}

fn bad_json(path: &str, error: &serde_json::Error) -> Refusal {
    let code = if error.is_data() { "invalid_value" } else { "bad_json" };
    let status =
        if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
    let refusal = Refusal::new(
        status,
        code,
        format!("请求内容有误:{error}"),
        format!("the body is not what is asked for: {error}"),
    );
    // What the reader writes where it knows no place.
    if matches!(path, "." | "?") { refusal } else { refusal.at(path) }
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What a path names.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let found = Path::from_request_parts(parts, state).await;
        found
            .map(|Path(value)| Self(value))
            .map_err(|_| Refusal::not_found("没有这个地址", "there is nothing at this address"))
    }
}

/// The parameters of a query. A handler takes what it knows and then calls [`Query::end`], so that
/// a misspelt parameter is told and not ignored.
pub(crate) struct Query(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let RawQuery(query) = match RawQuery::from_request_parts(parts, state).await {
            Ok(query) => query,
            Err(never) => match never {},
        };
        let mut pairs = BTreeMap::new();
        let query = query.unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if pairs.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::field(
                    &name,
                    format!("参数“{name}”出现了两次,只保留一个"),
                    format!("parameter `{name}` is given twice; give it once"),
                ));
            }
        }
        Ok(Self(pairs))
    }
}

impl Query {
    /// Takes an optional parameter.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes a whole number between `min` and `max`.
    pub(crate) fn number(
        &mut self,
        name: &str,
        default: usize,
        (min, max): (usize, usize),
    ) -> Result<usize, Refusal> {
        let Some(text) = self.optional(name) else { return Ok(default) };
        usize::from_str(&text).ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| {
            Refusal::field(
                name,
                format!("{name} 须为 {min} 到 {max} 之间的整数,而不是“{text}”"),
                format!("{name} must be a whole number from {min} to {max}, not `{text}`"),
            )
        })
    }

    /// Takes a time: RFC 3339, or milliseconds since 1970.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        instant(name, self.optional(name).as_deref())
    }

    /// Takes `from` and `to`; where one is missing, the last `span_ms` until `now`.
    pub(crate) fn span(
        &mut self,
        now: Timestamp,
        span_ms: i64,
    ) -> Result<(Timestamp, Timestamp), Refusal> {
        let (from, to) = (self.time("from")?, self.time("to")?);
        let to = to.unwrap_or_else(|| from.map_or(now, |from| from.plus_ms(span_ms)));
        let from = from.unwrap_or_else(|| to.plus_ms(-span_ms));
        if from >= to {
            return Err(Refusal::field("from", "from 须早于 to", "from must come before to"));
        }
        Ok((from, to))
    }

    /// Refuses what nobody took.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Refusal::field(
                &name,
                format!("这里没有参数“{name}”,请删去或检查拼写"),
                format!("there is no parameter `{name}` here; remove it or check its spelling"),
            )),
        }
    }
}

/// Checks a name in a body or a query.
pub(crate) fn slug(field: &str, text: &str) -> Result<Slug, Refusal> {
    Slug::new(text).map_err(|error| {
        Refusal::field(
            field,
            format!("{field} 须为 1 到 32 个小写字母、数字或 -,而不是“{text}”"),
            format!("{field} `{text}`: {error}"),
        )
    })
}

/// Reads an optional time of a body or a query: RFC 3339, or milliseconds since 1970.
pub(crate) fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text.filter(|it| !it.is_empty()) else { return Ok(None) };
    parse_time(text).map(Some).ok_or_else(|| {
        Refusal::field(
            field,
            format!(
                "{field} 须为 RFC 3339 时间(如 2026-11-23T08:00:00+08:00)或 1970 年以来的\
                 毫秒数,而不是“{text}”"
            ),
            format!(
                "{field} must be an RFC 3339 time such as 2026-11-23T08:00:00+08:00, or \
                 milliseconds since 1970, not `{text}`"
            ),
        )
    })
}

/// Reads RFC 3339 or milliseconds since 1970. A `+` that was not escaped in the query has become a
/// blank, and is taken for what was meant.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(millis) = i64::from_str(text) {
        return Timestamp::from_millis(millis);
    }
    let time = jiff::Timestamp::from_str(text)
        .or_else(|_| jiff::Timestamp::from_str(&text.replace(' ', "+")))
        .ok()?;
    Timestamp::from_micros(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, micros: Option<i64>) {
        assert_eq!(parse_time(text).map(Timestamp::micros), micros);
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        check("1500", Some(1_500_000));
        check("1970-01-01T00:00:01.5Z", Some(1_500_000));
        check("1970-01-01T08:00:01+08:00", Some(1_000_000));
        check("1970-01-01T08:00:01 08:00", Some(1_000_000));
        check("yesterday", None);
        check("-1", None);
        check("99999999999999999", None);
    }
}
