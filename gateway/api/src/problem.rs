//! What the API answers where it can't do what was asked: a [`Problem`] that says in both languages
//! what is wrong and what to do, and names the field.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tracing::error;

use crate::types::{Name, Problem};

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    problem: Problem,
    retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        let message = Name { zh: zh.into(), en: en.into() };
        let problem = Problem { code: code.to_owned(), message, field: None };
        Self { status, problem, retry_after_s: None }
    }

    /// A value in the request that is none; the texts name the value and the remedy.
    pub(crate) fn field(field: &str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", zh, en).at(field)
    }

    pub(crate) fn not_found(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", zh, en)
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
            "尚未登录或登录已过期;请重新登录,程序请使用有效的令牌",
            "not signed in, or no longer: sign in again, or send a valid bearer token",
        )
    }

    /// The first password must be changed before anything else.
    pub(crate) fn password_first() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "password_change_required",
            "请先修改初始密码(POST /api/v1/session/password)",
            "change the first password before anything else (POST /api/v1/session/password)",
        )
    }

    /// A part of the gateway is busy; the same request may work a little later.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "网关正忙,请稍后再试",
            "the gateway is busy; try again in a moment",
        )
        .after_s(2)
    }

    /// Something broke that the request did not cause. The cause goes to the log only.
    pub(crate) fn broken(cause: &(dyn std::error::Error + 'static)) -> Self {
        error!(error = chain(cause), "A request failed.");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "网关内部出错;日志中有原因,请联系管理员",
            "the gateway failed; its log holds the reason, tell whoever runs it",
        )
    }

    #[must_use]
    pub(crate) fn at(mut self, field: &str) -> Self {
        self.problem.field = Some(field.to_owned());
        self
    }

    #[must_use]
    pub(crate) fn after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"miaopu\""));
        }
        response
    }
}

impl From<registry::Error> for Refusal {
    fn from(error: registry::Error) -> Self {
        match error {
            registry::Error::Unknown { what, ref name } => Self::not_found(
                format!("没有名为“{name}”的{}", thing(what)),
                format!("there is no {what} `{name}`"),
            ),
            registry::Error::Taken { what, ref name } => Self::new(
                StatusCode::CONFLICT,
                "taken",
                format!("名为“{name}”的{}已存在,请换一个名字", thing(what)),
                format!("{what} `{name}` is there already; choose another name"),
            ),
            registry::Error::Refused { field, reason } => Self::field(field, reason.zh, reason.en),
            error if error.is_transient() => {
                error!(error = chain(&error), "The registry is not available.");
                Self::busy()
            }
            error => Self::broken(&error),
        }
    }
}

fn thing(what: &str) -> &str {
    match what {
        "user" => "用户",
        "token" => "令牌",
        "node" => "节点",
        "calibration" => "校准",
        "release" => "固件版本",
        "dead letter" => "死信",
        "rollout" => "固件升级",
        "zone" => "区域",
        "site" => "基地",
        "alarm" => "报警",
        "note" => "留言",
        "batch" => "批次",
        "accession" => "种质",
        other => other,
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::UnknownSeries(id) => Self::no_channel(id.0),
            error if error.is_transient() => {
                error!(error = chain(&error), "The store is not available.");
                Self::busy()
            }
            error => Self::broken(&error),
        }
    }
}

impl Refusal {
    pub(crate) fn no_channel(id: u32) -> Self {
        Self::not_found(
            format!("没有编号为 {id} 的通道;所有通道见 GET /api/v1/channels"),
            format!("there is no channel {id}; GET /api/v1/channels lists all"),
        )
    }
}
