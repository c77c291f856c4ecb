//! The interface of the simulated partner.

use super::Sandbox;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

type Partner = State<Arc<Sandbox>>;

/// The service of a sandbox.
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    let calls = Router::new()
        .route("/v6/persons/{id}", put(put_person).get(person))
        .route("/v6/persons/{id}/course-offering-associations", get(courses))
        .route("/v6/persons/{id}/programme-offering-associations", get(programmes))
        .route("/v6/course-offering-associations/{id}", put(put_association))
        .route("/v6/programme-offering-associations/{id}", put(put_association))
        .route("/v5/persons", post(post_person))
        .route("/v5/persons/{id}", get(old_person))
        .route("/v5/persons/{id}/associations", get(old_associations))
        .route("/v5/associations/external/me", post(post_association))
        .route("/v5/associations/{id}", axum::routing::patch(patch_association))
        .layer(middleware::from_fn_with_state(sandbox.clone(), entrance));
    Router::new()
        .merge(calls)
        .route("/faults", get(faults).post(change_faults))
        .route("/health", get(health))
        .with_state(sandbox)
}

/// Who comes in, and what goes wrong on the way.
async fn entrance(State(sandbox): Partner, request: Request, next: Next) -> Response {
    let authorised =
        request.headers().get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"Bearer "));
    if sandbox.faults().unavailable {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !authorised {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    if let Some(status) = sandbox.faults().next_failure() {
        return StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
    }
    let response = next.run(request).await;
    // A body that breaks off is an answer that never came.
    match sandbox.faults().loses() {
        false => response,
        true => Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::BrokenPipe))]))
            .into_response(),
    }
}

fn found(object: Option<Value>) -> Response {
    object.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |object| Json(object).into_response())
}

async fn person(State(sandbox): Partner, Path(id): Path<String>) -> Response {
    found(sandbox.store(6).persons.get(&id).cloned())
}

async fn old_person(State(sandbox): Partner, Path(id): Path<String>) -> Response {
    found(sandbox.store(5).persons.get(&id).cloned())
}

/// Version 6 replaces what is under an id. The id of the object has to be that of the address.
async fn put_person(State(sandbox): Partner, Path(id): Path<String>, Json(object): Json<Value>) -> StatusCode {
    let mut store = sandbox.store(6);
    if object["personId"] != id.as_str() {
        return StatusCode::BAD_REQUEST;
    }
    store.writes += 1;
    if store.persons.insert(id, object).is_none() { StatusCode::CREATED } else { StatusCode::OK }
}

async fn put_association(State(sandbox): Partner, Path(id): Path<String>, Json(object): Json<Value>) -> StatusCode {
    let mut store = sandbox.store(6);
    let whole = ["role", "state"].iter().all(|member| object[*member].is_string());
    if object["associationId"] != id.as_str() || !whole {
        return StatusCode::BAD_REQUEST;
    }
    if !object["personId"].as_str().is_some_and(|person| store.persons.contains_key(person)) {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    store.writes += 1;
    if store.associations.insert(id, object).is_none() { StatusCode::CREATED } else { StatusCode::OK }
}

/// One page of the associations of a person that have a member, two on each page.
fn page(all: Vec<Value>, query: &HashMap<String, String>) -> Response {
    const SIZE: usize = 2;
    let number: usize = query.get("pageNumber").and_then(|number| number.parse().ok()).unwrap_or(1);
    let first = number.saturating_sub(1) * SIZE;
    let items: Vec<Value> = all.iter().skip(first).take(SIZE).cloned().collect();
    Json(json!({ "pageSize": SIZE, "pageNumber": number, "hasPreviousPage": number > 1,
        "hasNextPage": first + items.len() < all.len(), "items": items }))
    .into_response()
}

fn of_person(sandbox: &Sandbox, version: u8, person: &str, has: &[&str]) -> Vec<Value> {
    let named = |object: &&Value| object["personId"] == person || object["person"] == person;
    let is = |object: &&Value| has.iter().any(|member| object.get(*member).is_some());
    sandbox.store(version).associations.values().filter(named).filter(is).cloned().collect()
}

async fn courses(
    State(sandbox): Partner,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    page(of_person(&sandbox, 6, &id, &["courseOffering", "courseOfferingId"]), &query)
}

async fn programmes(
    State(sandbox): Partner,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    page(of_person(&sandbox, 6, &id, &["programmeOffering", "programmeOfferingId"]), &query)
}

async fn old_associations(
    State(sandbox): Partner,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    page(of_person(&sandbox, 5, &id, &["offering"]), &query)
}

fn message(member: &str, id: &str) -> Value {
    json!({ member: id, "message": [{ "language": "en", "value": "created" }] })
}

/// The id of what is posted.
fn given(sandbox: &Sandbox, object: &Value, member: &str) -> Option<String> {
    match sandbox.faults().own_ids {
        true => Some("00000000-0000-4000-8000-000000000001".to_owned()),
        false => object[member].as_str().map(str::to_owned),
    }
}

async fn post_person(State(sandbox): Partner, Json(object): Json<Value>) -> Response {
    let Some(id) = given(&sandbox, &object, "personId") else { return StatusCode::BAD_REQUEST.into_response() };
    let mut store = sandbox.store(5);
    if store.persons.contains_key(&id) {
        return StatusCode::CONFLICT.into_response();
    }
    store.writes += 1;
    store.persons.insert(id.clone(), object);
    (StatusCode::CREATED, Json(message("personId", &id))).into_response()
}

async fn post_association(State(sandbox): Partner, Json(object): Json<Value>) -> Response {
    let Some(id) = given(&sandbox, &object, "associationId") else { return StatusCode::BAD_REQUEST.into_response() };
    let mut store = sandbox.store(5);
    if store.associations.contains_key(&id) {
        // «Already enrolled», says the profile.
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    store.writes += 1;
    store.associations.insert(id.clone(), object);
    (StatusCode::CREATED, Json(message("associationId", &id))).into_response()
}

/// A merge patch (RFC 7396).
async fn patch_association(State(sandbox): Partner, Path(id): Path<String>, Json(change): Json<Value>) -> Response {
    let mut store = sandbox.store(5);
    let Some(object) = store.associations.get_mut(&id) else { return StatusCode::NOT_FOUND.into_response() };
    merge(object, change);
    store.writes += 1;
    Json(message("associationId", &id)).into_response()
}

fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(members), Value::Object(changes)) => {
            for (name, change) in changes {
                match change {
                    Value::Null => {
                        members.remove(&name);
                    }
                    change => merge(members.entry(name).or_insert(Value::Null), change),
                }
            }
        }
        (target, change) => *target = change,
    }
}

/// That it is up, and how many associations stand.
async fn health(State(sandbox): Partner) -> Json<Value> {
    let standing = sandbox.standing(5).len() + sandbox.standing(6).len();
    Json(json!({ "status": "up", "standing": standing }))
}

async fn faults(State(sandbox): Partner) -> Response {
    Json(sandbox.faults().clone()).into_response()
}

async fn change_faults(State(sandbox): Partner, Json(changes): Json<Value>) -> Response {
    let changed = sandbox.faults().change(&changes);
    match changed {
        Ok(()) => Json(sandbox.faults().clone()).into_response(),
        Err(e) => (StatusCode::UNPROCESSABLE_ENTITY, e.to_string()).into_response(),
    }
}
