//! The dashboard's files, built into the program.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::problem::Refusal;

/// The files as the dashboard's build made them.
#[derive(Embed)]
#[folder = "../../dashboard/dist"]
struct Files;

/// Serves a file of the dashboard; an address without a file gets the page itself, which knows what
/// to show there. Never answers for the API.
pub(crate) async fn page(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return unknown(request.uri()).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return crate::routes::no_such_method().await.into_response();
    }
    let name = path.trim_start_matches('/');
    let is_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let found = match Files::get(name).filter(|_| !name.is_empty()) {
        Some(file) => Some((name, file)),
        None if is_file => None,
        None => Files::get("index.html").map(|file| ("index.html", file)),
    };
    match found {
        Some((name, file)) => answer(&request, name, file),
        None => (StatusCode::NOT_FOUND, "404").into_response(),
    }
}

fn unknown(uri: &Uri) -> Refusal {
    Refusal::not_found(
        format!("没有接口“{}”;接口清单见 /api/v1/openapi.json", uri.path()),
        format!("there is no `{}`; /api/v1/openapi.json lists what there is", uri.path()),
    )
}

fn answer(request: &Request, name: &str, file: EmbeddedFile) -> Response {
    let hash: String =
        file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    // What the build put under assets/ has its hash in its name.
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request.headers().get_all(IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|tags| {
            tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
        })
    });
    let mut headers = vec![(CACHE_CONTROL, cache.to_owned()), (ETAG, etag)];
    if known {
        return (StatusCode::NOT_MODIFIED, axum::response::AppendHeaders(headers)).into_response();
    }
    let mut kind = file.metadata.mimetype().to_owned();
    if kind.starts_with("text/") || kind == "application/json" {
        kind.push_str("; charset=utf-8");
    }
    headers.push((CONTENT_TYPE, kind));
    (axum::response::AppendHeaders(headers), Body::from(file.data)).into_response()
}
