//! The reading service and the control endpoint.

use super::faults::{Fate, Faults};
use super::question::{self, Fault};
use super::{Sandbox, answer, lock};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use silta_adapter::faults::{BadFaults, Faults as _};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Where the reading service is.
pub const PATH: &str = "/luku/OpiskelijanTiedot";

/// The service of a sandbox.
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route(PATH, post(read))
        .route("/faults", get(faults).post(change_faults))
        .route("/health", get(health))
        .with_state(sandbox)
}

async fn read(State(sandbox): State<Arc<Sandbox>>, envelope: String) -> Response {
    let (fate, faults) = sandbox.fate();
    match fate {
        Fate::Unavailable => {
            let pause = [(RETRY_AFTER, faults.retry_after_secs.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, pause, "the service is not available").into_response()
        }
        Fate::Hang => {
            tokio::time::sleep(Duration::from_secs(faults.hang_secs)).await;
            reply(&sandbox, &faults, &envelope)
        }
        Fate::LoseAnswer => {
            let half = Bytes::from_static(b"<SOAP-ENV:Envelope ");
            let broken = stream::iter([Ok(half), Err(io::Error::from(io::ErrorKind::BrokenPipe))]);
            (XML, Body::from_stream(broken)).into_response()
        }
        Fate::Answer => reply(&sandbox, &faults, &envelope),
    }
}

const XML: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/xml; charset=utf-8")];

fn reply(sandbox: &Sandbox, faults: &Faults, envelope: &str) -> Response {
    let question = question::read(envelope).and_then(|question| match &sandbox.password {
        Some(password) if *password != question.password => Err(Fault::Client("the caller is not known")),
        _ => Ok(question),
    });
    match question {
        Ok(question) => {
            *lock(&sandbox.answered).entry(question.operation.name).or_default() += 1;
            (XML, answer::answer(&sandbox.store.documents(), &question, faults.empty_list)).into_response()
        }
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, XML, answer::fault(&fault)).into_response(),
    }
}

/// That it is up, and the generation of each institution's document.
async fn health(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let generations = sandbox.store.documents().into_iter().map(|(tenant, held)| (tenant, held.generation));
    Json(json!({"status": "up", "generations": generations.collect::<BTreeMap<_, _>>()}))
}

async fn faults(State(sandbox): State<Arc<Sandbox>>) -> Json<Faults> {
    Json(sandbox.faults().clone())
}

async fn change_faults(State(sandbox): State<Arc<Sandbox>>, Json(changes): Json<Value>) -> Response {
    let changed = sandbox.faults().change(&changes);
    match changed {
        Ok(()) => Json(sandbox.faults().clone()).into_response(),
        Err(BadFaults(reason)) => (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response(),
    }
}
