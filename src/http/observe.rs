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
use tracing::Instrument;

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
    let span = tracing::info_span!("request", %method, route, request_id = format!("{id:016x}"));
    let mut response = tokio::time::timeout(limit, next.run(request).instrument(span)).await.unwrap_or_else(|_| {
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

#[cfg(test)]
mod tests {
    use crate::http::testing::{CANARY_CODE, CANARY_NAME, World, attainment, learner};
    use crate::ledger::Role;
    use serde_json::json;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nothing_personal_is_logged_counted_or_told_in_an_error() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        // For all threads: one thread's subscriber misses what another thread's test came by first.
        tracing::subscriber::set_global_default(subscriber).expect("the only one");
        let world = World::new();
        let token = world.token(Role::Admin, None, &[]).await;
        let mut told = Vec::new();
        // A source that uses the personal identity code as key, sends it twice, in the wrong place and malformed.
        let bad = json!({"kind": CANARY_CODE, "id": CANARY_CODE});
        let lines =
            format!("{}\n{}\n{bad}\n{CANARY_NAME}\n", learner(CANARY_CODE), attainment(CANARY_CODE, CANARY_NAME));
        let pushed = world.push(&token, "10122/records", &lines).await.expect(200);
        for problem in pushed.json()["problems"].as_array().expect("problems") {
            told.push(problem["message"].to_string());
        }
        told.push(world.push(&token, "10122/records", &bad.to_string()).await.expect(422).json()["detail"].to_string());
        let wrong = json!({"id": CANARY_CODE, "name": CANARY_NAME});
        for path in ["/v1/route", "/v1/tenants/10122/withdrawals", "/v1/tenants/10122/records/find", "/v1/tokens"] {
            told.push(world.post(&token, path, wrong.clone()).await.expect(400).body);
        }
        told.push(world.get(&token, &format!("/v1/feed?kinds={CANARY_CODE}")).await.expect(400).body);
        told.push(world.get(&token, &format!("/v1/records/{CANARY_CODE}")).await.expect(404).body);
        told.push(world.get(&token, &format!("/{CANARY_CODE}")).await.expect(404).body);
        told.push(world.get(CANARY_CODE, "/v1/feed").await.expect(401).body);
        world.deliver("store").await;
        told.push(world.get(&token, "/metrics").await.expect(200).body);
        told.push(world.get(&token, "/v1/audit").await.expect(200).body);
        told.push(String::from_utf8(log.0.lock().expect("a lock").clone()).expect("text"));
        for text in &told {
            assert!(!text.contains(CANARY_CODE) && !text.contains(CANARY_NAME), "{text}");
        }
        let log = told.pop().expect("the log");
        let of_push = |l: &&str| l.contains("route=\"/v1/tenants/{tenant}/records\"") && l.contains("admin-all-0");
        let line = log.lines().find(of_push).expect("a line for the push");
        for part in ["method=POST", "status=200", "request_id="] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(log.contains("route=\"-\""), "an address nobody knows is not written down");
        assert!(!log.contains(&token), "{log}");
    }
}
