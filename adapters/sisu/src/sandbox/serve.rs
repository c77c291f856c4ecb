//! The interfaces of a sandbox.

use super::Sandbox;
use super::faults::{FailingIds, Faults};
use super::rules::{allowed, distinct};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use silta_adapter::faults::{BadFaults, Faults as _};
use std::io;
use std::sync::Arc;

type At = State<Arc<Sandbox>>;

pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/ori/api/{feed}/v1/export", get(export))
        .route("/kori/api/{list}/{id}", get(single))
        .route("/ori/api/attainments/v1/import", post(import))
        .route("/ori/api/attainments/v1/delete", post(delete))
        .route("/entities/{feed}", post(put))
        .route("/faults", get(faults).post(change_faults))
        .with_state(sandbox)
}

/// The header that a user sends.
pub(super) fn basic((user, password): &(String, String)) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Refuses strangers, and everybody while it is not available.
fn refused(sandbox: &Sandbox, headers: &HeaderMap, user: &str) -> Option<Response> {
    if headers.get(AUTHORIZATION).is_none_or(|given| given.as_bytes() != user.as_bytes()) {
        return Some(StatusCode::UNAUTHORIZED.into_response());
    }
    let down = Faults::met(&mut sandbox.store().faults.unavailable);
    down.then(|| (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response())
}

#[derive(Deserialize)]
struct Window {
    since: u64,
    limit: usize,
}

async fn export(
    State(sandbox): At,
    Path(feed): Path<String>,
    Query(window): Query<Window>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&sandbox, &headers, &sandbox.export) {
        return refusal;
    }
    let mut store = sandbox.store();
    store.reads += 1;
    if store.faults.forbidden.contains(&feed) {
        return StatusCode::FORBIDDEN.into_response();
    }
    Json(store.page(&feed, window.since, window.limit.clamp(1, 5000))).into_response()
}

async fn single(State(sandbox): At, Path((list, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refused(&sandbox, &headers, &sandbox.export) {
        return refusal;
    }
    let mut store = sandbox.store();
    store.reads += 1;
    if store.faults.forbidden.contains(&list) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match store.newest(&list, &id) {
        Some(entity) => Json(entity).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn import(State(sandbox): At, headers: HeaderMap, Json(batch): Json<Vec<Value>>) -> Response {
    if let Some(refusal) = refused(&sandbox, &headers, &sandbox.import) {
        return refusal;
    }
    let mut store = sandbox.store();
    store.imports += 1;
    if !distinct(&batch) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let failing: Vec<&Value> = batch.iter().filter(|entity| !allowed(entity)).map(|entity| &entity["id"]).collect();
    if !failing.is_empty() {
        let body = match store.faults.failing_ids {
            FailingIds::Array => json!({"failingIds": failing}),
            FailingIds::Text => json!({"failingIds": json!(failing).to_string()}),
            FailingIds::None => json!({"message": "constraint violation"}),
        };
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    for mut entity in batch {
        if let (true, Some(day)) = (store.faults.move_dates, entity["attainmentDate"].as_str()) {
            entity["attainmentDate"] = format!("{}-01", day.get(..7).unwrap_or_default()).into();
        }
        store.put("attainments", entity, true);
    }
    match Faults::met(&mut store.faults.lost_answers) {
        true => lost(),
        false => StatusCode::NO_CONTENT.into_response(),
    }
}

/// An answer that breaks off.
fn lost() -> Response {
    let half = Bytes::from_static(b"{\"");
    Body::from_stream(stream::iter([Ok(half), Err(io::Error::from(io::ErrorKind::BrokenPipe))])).into_response()
}

async fn delete(State(sandbox): At, headers: HeaderMap, Json(ids): Json<Vec<String>>) -> Response {
    if let Some(refusal) = refused(&sandbox, &headers, &sandbox.import) {
        return refusal;
    }
    let mut store = sandbox.store();
    store.imports += 1;
    let known: Option<Vec<Value>> = ids.iter().map(|id| store.newest("attainments", id)).collect();
    let Some(known) = known else { return StatusCode::BAD_REQUEST.into_response() };
    for mut entity in known {
        entity["documentState"] = "DELETED".into();
        store.put("attainments", entity, true);
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn put(State(sandbox): At, Path(feed): Path<String>, Json(entity): Json<Value>) -> Json<Value> {
    Json(json!({"modificationOrdinal": sandbox.put(&feed, entity)}))
}

async fn faults(State(sandbox): At) -> Json<Faults> {
    Json(sandbox.store().faults.clone())
}

async fn change_faults(State(sandbox): At, Json(changes): Json<Value>) -> Response {
    let changed = sandbox.store().faults.change(&changes);
    match changed {
        Ok(()) => Json(sandbox.store().faults.clone()).into_response(),
        Err(BadFaults(reason)) => (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response(),
    }
}
