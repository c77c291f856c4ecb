//! What every request has in common: a time limit, one log line, counters, and headers.

use super::Shared;
use super::error::ApiError;
use crate::config::secs;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use silta_adapter::problem::Fixer;
use smol_str::SmolStr;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Name of the token a request came with, told by the extractor that read it to the log line.
#[derive(Debug, Clone, Default)]
pub struct Who(Arc<OnceLock<SmolStr>>);

impl Who {
    /// Tells the name.
    pub fn tell(&self, name: &SmolStr) {
        // A second telling within one request names the same token.
        let _ = self.0.set(name.clone());
    }
}

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Runs a request under the time limit and writes its log line: the route's template, never the address itself, and no
/// query. What the handler set stays as it set it; the other headers are added.
pub async fn observe(State(gateway): State<Shared>, mut request: Request, next: Next) -> Response {
    let who = Who::default();
    request.extensions_mut().insert(who.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let id = u64::from_le_bytes(gateway.rng.bytes());
    let started = gateway.now();
    let limit = secs(gateway.config.server.request_timeout_secs);
    let mut response = tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took longer than the gateway allows")
            .into_response()
    });
    let status = response.status().as_u16();
    let took = gateway.now() - started;
    let token = who.0.get().map_or("-", SmolStr::as_str);
    let request_id = format!("{id:016x}");
    if status >= 500 {
        tracing::error!(%method, route, status, token, took, request_id, "request");
    } else {
        tracing::info!(%method, route, status, token, took, request_id, "request");
    }
    let labels = [("method", method.as_str().to_owned()), ("route", route), ("status", status.to_string())];
    ::metrics::counter!("silta_requests_total", &labels).increment(1);
    ::metrics::histogram!("silta_request_seconds", &labels).record(took as f64 / 1e6);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", value);
    }
    response
}

/// The answer to a request whose handler panicked. What it panicked with may hold anything and is not shown.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the gateway failed; its log says why")
        .for_fixer(Fixer::Operator)
        .into_response()
}
