//! `GET /metrics`: what Prometheus collects, as OpenMetrics text.
//!
//! Requests and event streams are counted here; all else is collected from the daemon when it is
//! asked. No label comes from outside: a route is named by its template, never by the path that was
//! asked for.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State as Held};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::events::STREAMS_MAX;
use crate::problem::Refusal;
use crate::server::{Shared, question};

/// Where the metrics are, outside of the API: Prometheus looks there of itself.
pub(crate) const PATH: &str = "/metrics";

/// The route under which files of the dashboard and unknown addresses are counted.
const PAGES: &str = "(page)";

/// The longest duration of each bucket, in seconds; a chart of a year lies near the middle.
const BUCKETS_S: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Everything that is measured.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    streams: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Default for Meters {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Meters {
    /// Measures what the API does, and asks `others` at each collection. Every name gets the prefix
    /// `miaopu_`.
    pub fn new(others: Vec<Box<dyn Collector>>) -> Self {
        let mut registry = Registry::with_prefix("miaopu");
        let requests = Family::default();
        let durations: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS_S));
        let streams = Gauge::default();
        let help = "HTTP requests answered, by route template";
        registry.register("http_requests", help, requests.clone());
        let help = "How long an answer took to begin, by route template";
        let seconds = Unit::Seconds;
        registry.register_with_unit("http_request_duration", help, seconds, durations.clone());
        registry.register("event_streams", "Open event streams", streams.clone());
        others.into_iter().for_each(|collector| registry.register_collector(collector));
        Self { registry, requests, durations, streams }
    }
}

/// Counts every request once it is answered.
pub(crate) async fn count(
    Held(shared): Held<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or(PAGES, MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        "GET" | "HEAD" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "other",
    };
    let begun = shared.state.wall.now();
    let response = next.run(request).await;
    let micros = shared.state.wall.now().micros_since(begun).max(0);
    let meters = &shared.state.meters;
    let status = response.status().as_u16();
    meters.durations.get_or_create(&Route { route: route.clone() }).observe(micros as f64 / 1e6);
    meters.requests.get_or_create(&Answered { method, route, status }).inc();
    response
}

/// `GET /metrics`.
pub(crate) async fn show(Held(shared): Held<Arc<Shared>>) -> Result<Response, Refusal> {
    let streams = STREAMS_MAX.saturating_sub(shared.streams.available_permits());
    shared.state.meters.streams.set(streams as i64);
    // What is collected asks the registry and the disk.
    let text = question(&shared, |shared| {
        let mut text = String::new();
        text::encode(&mut text, &shared.state.meters.registry)
            .map_err(|error| Refusal::broken(&error))?;
        Ok(text)
    })
    .await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
