//! The gateway's own certificate authority: its certificate to download, and what to compare it by.

use std::sync::Arc;

use axum::extract::State as Held;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::problem::Refusal;
use crate::server::Shared;
use crate::types::Trust;

/// Where the certificate is downloaded. Short, because people type it.
const DOWNLOAD: &str = "/ca.crt";

/// Returns the one route that is not the API's: a phone opens it before it can trust anything.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route(DOWNLOAD, get(certificate)).with_state(shared)
}

/// `GET /ca.crt`.
async fn certificate(Held(shared): Held<Arc<Shared>>) -> Response {
    let Some(authority) = &shared.state.authority else {
        return Refusal::not_found(
            "本网关没有自己的证书颁发机构：HTTPS 与 MQTT-TLS 均已关闭",
            "this gateway has no certificate authority: HTTPS and MQTT over TLS are off",
        )
        .into_response();
    };
    let headers = [
        // The type that phones and Firefox offer to install.
        (CONTENT_TYPE, "application/x-x509-ca-cert"),
        // Not an attachment: Safari would put it among the files and not offer to install it.
        (CONTENT_DISPOSITION, "inline; filename=\"miaopu-ca.crt\""),
    ];
    (headers, authority.pem.clone()).into_response()
}

/// `GET /trust`.
pub(crate) async fn show(Held(shared): Held<Arc<Shared>>) -> Json<Trust> {
    let reach = shared.state.reach.borrow().clone();
    let https = reach.https.iter().filter(|endpoint| endpoint.tls).cloned().collect();
    let Some(authority) = &shared.state.authority else {
        return Json(Trust {
            present: false,
            name: String::new(),
            fingerprint_sha256: String::new(),
            expires_ms: 0,
            download: String::new(),
            https,
        });
    };
    Json(Trust {
        present: authority.signs_pages,
        name: authority.name.clone(),
        fingerprint_sha256: authority.fingerprint_sha256.clone(),
        expires_ms: authority.expires.millis(),
        download: DOWNLOAD.to_owned(),
        https,
    })
}
