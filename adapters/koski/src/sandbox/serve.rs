//! The interface of the simulated Koski.

use super::store::Errors;
use super::{PATH, Sandbox, rules};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use futures_util::stream;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use silta_adapter::faults::Faults as _;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

type Koski = State<Arc<Sandbox>>;

/// The service of a sandbox.
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    let api = Router::new()
        .route("/oppija", put(put_learner).post(post_learner).get(changed))
        .route("/oppija/batch", put(put_batch))
        .route("/oppija/{oid}", get(learner))
        .route("/opiskeluoikeus/{oid}", get(right).merge(delete(invalidate)))
        .route("/opiskeluoikeus/historia/{oid}", get(history))
        .route("/opiskeluoikeus/historia/{oid}/{version}", get(version))
        .route("/henkilo/search", post(search))
        .route("/tiedonsiirrot/virheet", get(failed))
        .layer(middleware::from_fn_with_state(sandbox.clone(), entrance));
    Router::new()
        .nest(&format!("{PATH}/api"), api)
        .route("/faults", get(faults).post(change_faults))
        .route("/consent-withdrawn", post(withdraw_consent))
        .route("/health", get(health))
        .with_state(sandbox)
}

fn failure(keys: &Errors) -> Response {
    let worst = keys.iter().map(|key| rules::status(key)).max().unwrap_or(500);
    let errors: Vec<Value> = keys.iter().map(|key| json!({ "key": key, "message": "" })).collect();
    let status = StatusCode::from_u16(worst).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(errors)).into_response()
}

fn fail(key: &str) -> Response {
    failure(&vec![key.to_owned()])
}

fn answer(result: Result<Value, Errors>) -> Response {
    result.map_or_else(|keys| failure(&keys), |value| Json(value).into_response())
}

/// Who comes in, and what goes wrong on the way.
async fn entrance(State(sandbox): Koski, request: Request, next: Next) -> Response {
    let (changes, headers) = (request.method() != Method::GET, request.headers());
    if sandbox.faults().unavailable {
        let wait = sandbox.faults().retry_after_secs;
        let mut response = fail("unavailable.test");
        if wait > 0 {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        return response;
    }
    if let Some(key) = unwelcome(&sandbox, headers, changes) {
        return fail(key);
    }
    if !changes || request.uri().path().ends_with("/search") {
        let mut response = next.run(request).await;
        let at = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&(sandbox.now)());
        if let Some(at) = at.ok().and_then(|at| at.parse().ok()) {
            response.headers_mut().insert(header::DATE, at);
        }
        return response;
    }
    if let Some(key) = sandbox.faults().next_error() {
        return fail(&key);
    }
    let response = next.run(request).await;
    if sandbox.keep().is_err() {
        return fail("internalError.test");
    }
    // A body that breaks off is an answer that never came.
    match sandbox.faults().loses() {
        false => response,
        true => Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::BrokenPipe))]))
            .into_response(),
    }
}

fn unwelcome(sandbox: &Sandbox, headers: &HeaderMap, changes: bool) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(credentials) = text("authorization").strip_prefix("Basic ") else {
        return Some("unauthorized.notAuthenticated");
    };
    let given = base64(credentials);
    let password = given.as_deref().and_then(|given| given.split_once(':')).map(|(_, password)| password);
    if sandbox.password.as_deref().is_some_and(|expected| password != Some(expected)) {
        return Some("unauthorized.loginFail");
    }
    if text("caller-id").is_empty() {
        return Some("badRequest.header.callerId");
    }
    let cookie = text("cookie").split(';').find_map(|pair| pair.trim().strip_prefix("CSRF="));
    let genuine = cookie.is_some_and(|cookie| !cookie.is_empty() && cookie == text("csrf"));
    (changes && !genuine).then_some("forbidden.csrf")
}

fn base64(text: &str) -> Option<String> {
    let (mut bits, mut held, mut out) = (0u32, 0u32, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(digit), held + 6);
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    String::from_utf8(out).ok()
}

fn parsed(body: &Bytes) -> Result<Value, Errors> {
    serde_json::from_slice(body).map_err(|_| vec!["badRequest.format.json".to_owned()])
}

fn place(sandbox: &Sandbox, body: &Bytes, create_only: bool) -> Result<Value, Errors> {
    let request = parsed(body)?;
    if sandbox.faults().edits()
        && let Some(key) = request.pointer("/opiskeluoikeudet/0/lähdejärjestelmänId/id").and_then(Value::as_str)
    {
        sandbox.store().edit(key, (sandbox.now)());
    }
    sandbox.store().put(&request, (sandbox.now)(), create_only)
}

async fn put_learner(State(sandbox): Koski, body: Bytes) -> Response {
    answer(place(&sandbox, &body, false))
}

async fn post_learner(State(sandbox): Koski, body: Bytes) -> Response {
    answer(place(&sandbox, &body, true))
}

/// Each learner by itself; the status is that of the worst.
async fn put_batch(State(sandbox): Koski, body: Bytes) -> Response {
    let requests = match parsed(&body) {
        Ok(Value::Array(requests)) => requests,
        _ => return fail("badRequest.format.json"),
    };
    let mut worst = 200;
    let mut answers = Vec::with_capacity(requests.len());
    for request in &requests {
        answers.push(match sandbox.store().put(request, (sandbox.now)(), false) {
            Ok(answer) => answer,
            Err(keys) => {
                worst = keys.iter().map(|key| rules::status(key)).fold(worst, u16::max);
                keys.iter().map(|key| json!({ "key": key, "message": "" })).collect()
            }
        });
    }
    let status = StatusCode::from_u16(worst).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(answers)).into_response()
}

async fn changed(State(sandbox): Koski, Query(query): Query<HashMap<String, String>>) -> Response {
    let since = query.get("muuttunutJälkeen").map(|text| text.parse());
    match since.transpose() {
        Ok(since) => Json(sandbox.store().changed(since)).into_response(),
        Err(_) => fail("badRequest.format.date"),
    }
}

async fn learner(State(sandbox): Koski, Path(oid): Path<String>) -> Response {
    answer(sandbox.store().by_person(&oid))
}

async fn right(State(sandbox): Koski, Path(oid): Path<String>) -> Response {
    answer(sandbox.store().version(&oid, None))
}

async fn history(State(sandbox): Koski, Path(oid): Path<String>) -> Response {
    answer(sandbox.store().history(&oid))
}

async fn version(State(sandbox): Koski, Path((oid, number)): Path<(String, usize)>) -> Response {
    answer(sandbox.store().version(&oid, Some(number)))
}

async fn invalidate(State(sandbox): Koski, Path(oid): Path<String>) -> Response {
    answer(sandbox.store().erase(&oid, false).map(|()| json!({})))
}

async fn search(State(sandbox): Koski, Json(query): Json<Value>) -> Json<Value> {
    Json(sandbox.store().search(query["query"].as_str().unwrap_or_default()))
}

async fn failed(State(sandbox): Koski) -> Json<Value> {
    Json(sandbox.store().failed())
}

/// That it is up, and how many study rights stand.
async fn health(State(sandbox): Koski) -> Json<Value> {
    Json(json!({ "status": "up", "standing": sandbox.standing() }))
}

async fn faults(State(sandbox): Koski) -> Response {
    Json(sandbox.faults().clone()).into_response()
}

async fn change_faults(State(sandbox): Koski, Json(changes): Json<Value>) -> Response {
    let changed = sandbox.faults().change(&changes);
    match changed {
        Ok(()) => Json(sandbox.faults().clone()).into_response(),
        Err(e) => (StatusCode::UNPROCESSABLE_ENTITY, e.to_string()).into_response(),
    }
}

async fn withdraw_consent(State(sandbox): Koski, Json(right): Json<Value>) -> StatusCode {
    let erased = sandbox.withdraw_consent(right["oid"].as_str().unwrap_or_default());
    match erased && sandbox.keep().is_ok() {
        true => StatusCode::OK,
        false => StatusCode::NOT_FOUND,
    }
}
