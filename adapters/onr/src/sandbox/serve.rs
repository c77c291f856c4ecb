//! The interface of the simulated register.

use super::{SECRET, Sandbox, lock};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Register = State<Arc<Sandbox>>;

/// What a token is here.
const TOKEN: &str = "granted";

/// The service of a sandbox.
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    let calls = Router::new()
        .route("/yleistunniste/hae", post(by_code))
        .route("/henkilo/masterHenkilosByOidList", post(masters))
        .route("/s2s/changedSince/{at}", get(changes))
        .layer(middleware::from_fn_with_state(sandbox.clone(), entrance));
    Router::new().merge(calls).route("/token", post(token)).with_state(sandbox)
}

async fn entrance(State(sandbox): Register, request: Request, next: Next) -> Response {
    let unavailable = *lock(&sandbox.unavailable);
    match unwelcome(request.headers(), unavailable) {
        Some(status) => status.into_response(),
        None => next.run(request).await,
    }
}

fn unwelcome(headers: &HeaderMap, unavailable: bool) -> Option<StatusCode> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let granted = header("authorization") == format!("Bearer {TOKEN}");
    match (unavailable, granted, header("caller-id").is_empty()) {
        (true, ..) => Some(StatusCode::SERVICE_UNAVAILABLE),
        (_, false, _) => Some(StatusCode::UNAUTHORIZED),
        (.., true) => Some(StatusCode::FORBIDDEN),
        _ => None,
    }
}

async fn token(form: String) -> Response {
    let says = |pair: &str| form.split('&').any(|said| said == pair);
    match says("grant_type=client_credentials") && says(&format!("client_secret={SECRET}")) {
        true => Json(json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 600 })).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Found with an identity code; names of somebody else are a conflict.
async fn by_code(State(sandbox): Register, Json(asked): Json<Value>) -> Response {
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    if ["hetu", "etunimet", "kutsumanimi", "sukunimi"].iter().any(|name| text(name).is_empty()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let people = sandbox.people();
    let Some((oid, person)) = people.iter().find(|(_, person)| person.hetu.as_deref() == Some(text("hetu"))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    if !same(&person.family_name, text("sukunimi")) || !same(&person.given_names, text("etunimet")) {
        return StatusCode::CONFLICT.into_response();
    }
    let number = person.master.is_none().then_some(oid);
    Json(json!({ "oid": oid, "oppijanumero": number })).into_response()
}

/// By each OID that is known, its master.
async fn masters(State(sandbox): Register, Json(oids): Json<Vec<String>>) -> Response {
    if oids.len() > 5000 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let people = sandbox.people();
    let of = |oid: String| {
        let master = people.get(&oid)?.master.clone().unwrap_or_else(|| oid.clone());
        let person = people.get(&master)?;
        let answer = json!({ "oidHenkilo": master, "hetu": person.hetu, "passivoitu": false,
            "etunimet": person.given_names, "sukunimi": person.family_name, "oppijanumero": master });
        Some((oid, answer))
    };
    Json(oids.into_iter().filter_map(of).collect::<Map<String, Value>>()).into_response()
}

/// Which of the changes.
#[derive(Deserialize)]
struct Page {
    offset: Option<usize>,
    amount: Option<usize>,
}

/// The OIDs of who changed since a time in milliseconds, oldest change first.
async fn changes(State(sandbox): Register, Path(since): Path<i64>, Query(page): Query<Page>) -> Response {
    if *lock(&sandbox.discreet) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let people = sandbox.people();
    let mut changed: Vec<(Timestamp, &String)> = people.iter().map(|(oid, person)| (person.changed, oid)).collect();
    changed.retain(|(at, _)| at.as_millisecond() >= since);
    changed.sort_unstable();
    let page = changed.iter().skip(page.offset.unwrap_or(0)).take(page.amount.unwrap_or(usize::MAX));
    Json(page.map(|(_, oid)| oid.as_str()).collect::<Vec<_>>()).into_response()
}
