//! What operators ask a process over HTTP: `/live`, `/ready`, `/metrics`, `/version`, and `PUT /log-level`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::ready::Readiness;
use crate::telemetry::LogLevel;

/// The content type of the OpenMetrics text form, which Prometheus reads.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
struct Admin {
    registry: Arc<Registry>,
    ready: Readiness,
}

/// `/live` (the process answers), `/ready` (every latch is set, else 503 and what is waited for), `/metrics`, `/version`.
pub fn router(registry: Arc<Registry>, ready: Readiness) -> Router {
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(is_ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(Admin { registry, ready })
}

/// `PUT /log-level` with a level or directives as body.
pub fn log_level_router(level: LogLevel) -> Router {
    Router::new().route("/log-level", put(set_log_level)).with_state(level)
}

async fn is_ready(State(admin): State<Admin>) -> Response {
    let states = admin.ready.states();
    let line = |(name, wait): (&String, &Option<String>)| match wait {
        None => format!("{name}: ready\n"),
        Some(why) => format!("{name}: not ready ({why})\n"),
    };
    let status =
        if admin.ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, states.iter().map(line).collect::<String>()).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], page).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the metrics: {error}\n"))
                .into_response()
        }
    }
}

async fn version() -> Response {
    let body = format!("{{\"name\":\"howdah\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn set_log_level(State(level): State<LogLevel>, body: String) -> Response {
    match level.set(&body) {
        Ok(()) => (StatusCode::OK, format!("{}\n", body.trim())).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    const BODY_BYTES_MAX: usize = 64 * 1024;

    async fn body(response: Response) -> (StatusCode, String) {
        let status = response.status();
        let bytes = to_bytes(response.into_body(), BODY_BYTES_MAX).await.expect("a small body");
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn readiness_names_what_is_waited_for() {
        let ready = Readiness::new();
        let store = ready.latch("store");
        let admin = Admin { registry: Arc::new(Registry::default()), ready };
        let (status, text) = body(is_ready(State(admin.clone())).await).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "store: not ready (starting)\n")
        );
        store.set();
        let (status, text) = body(is_ready(State(admin)).await).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, "store: ready\n"));
    }

    #[tokio::test]
    async fn metrics_are_the_registry_as_text() {
        let mut registry = Registry::default();
        let counter = prometheus_client::metrics::counter::Counter::<u64>::default();
        registry.register("howdah_things", "Things", counter.clone());
        counter.inc();
        let admin = Admin { registry: Arc::new(registry), ready: Readiness::new() };
        let (status, text) = body(metrics(State(admin)).await).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("howdah_things_total 1"), "{text}");
    }
}
