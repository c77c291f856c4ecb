//! `POST /v1/connections/{name}/…`: an operator steers a connection.

use super::Shared;
use super::auth::Bearer;
use super::connections::{ConnectionView, view};
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath, UrlQuery};
use super::openapi::described;
use super::reach;
use crate::access::{Actor, audit};
use crate::delivery::load;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{DebtState, LedgerError, Raise, Summary};
use crate::reconcile::repair::{CalledOff, call_off_all};
use crate::reconcile::run;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// States whose debts may be raised again by hand.
const RAISABLE: [DebtState; 6] = [
    DebtState::Refused,
    DebtState::Uncertain,
    DebtState::Waiting,
    DebtState::Sent,
    DebtState::Confirmed,
    DebtState::Unverifiable,
];

/// Most debts named in one request.
const MOST_DEBTS: usize = 1000;

/// Which debts to raise again: some by id, or all in a state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RetryOrder {
    /// These debts.
    Debts(Vec<i64>),
    /// All debts in this state: refused, uncertain, waiting, sent, confirmed or unverifiable.
    State(DebtState),
}

/// How many debts were raised.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RetryAnswer {
    /// Debts that are owed again.
    raised: u64,
}

/// How to reconcile.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReconcileQuery {
    /// True to wait for the end and get the summary.
    #[serde(default)]
    wait: bool,
    /// True to be told what would be found: nothing is stored and nothing repaired. Waits for the end.
    #[serde(default)]
    dry_run: bool,
}

/// What a reconciliation found, or would find.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ReconcileAnswer {
    /// Of a dry run: the summary and every finding.
    DryRun(run::DryRun),
    /// What was found and stored.
    Summary(Summary),
}

described!(RetryOrder, RetryAnswer, ReconcileAnswer, CalledOff);

pub(super) async fn note(
    gateway: &Gateway,
    actor: &Actor,
    what: &str,
    at: &Connection,
    detail: &str,
) -> Result<(), LedgerError> {
    audit(gateway, actor.name(), what, &at.config.tenant, &at.config.name, detail).await
}

async fn set_paused(
    gateway: &Gateway,
    actor: &Actor,
    name: &str,
    paused: bool,
) -> Result<Json<ConnectionView>, ApiError> {
    let connection = reach::connection(gateway, actor, name)?;
    let action = if paused { "pause_connection" } else { "resume_connection" };
    note(gateway, actor, action, connection, "").await?;
    load::pause(gateway, connection, paused).await?;
    Ok(Json(view(gateway, connection).await?))
}

/// Pause a connection.
///
/// Debts go on being planned; nothing is sent.
#[utoipa::path(post, path = "/v1/connections/{name}/pause", tag = "operating",
    params(("name" = String, Path, description = "name of the connection")),
    responses((status = 200, description = "it is paused", body = ConnectionView)))]
pub async fn pause_connection(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
) -> Result<Json<ConnectionView>, ApiError> {
    set_paused(&gateway, &actor, &name, true).await
}

/// Resume a connection.
///
/// Also closes its breaker.
#[utoipa::path(post, path = "/v1/connections/{name}/resume", tag = "operating",
    params(("name" = String, Path, description = "name of the connection")),
    responses((status = 200, description = "it sends", body = ConnectionView)))]
pub async fn resume_connection(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
) -> Result<Json<ConnectionView>, ApiError> {
    set_paused(&gateway, &actor, &name, false).await
}

/// Raise debts again.
#[utoipa::path(post, path = "/v1/connections/{name}/retry", tag = "operating",
    params(("name" = String, Path, description = "name of the connection")), request_body = RetryOrder,
    responses((status = 200, description = "they are owed again", body = RetryAnswer)))]
pub async fn retry_debts(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    JsonBody(order): JsonBody<RetryOrder>,
) -> Result<Json<RetryAnswer>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?;
    let refuse = |state: DebtState| ApiError::conflict(format!("a debt that is {} cannot be raised", state.name()));
    let (which, detail) = match order {
        RetryOrder::State(state) if RAISABLE.contains(&state) => {
            (Raise::State { connection: name.clone(), state }, format!("all {}", state.name()))
        }
        RetryOrder::State(state) => return Err(refuse(state)),
        RetryOrder::Debts(ids) if ids.len() > MOST_DEBTS => {
            return Err(ApiError::bad_request(format!("at most {MOST_DEBTS} debts at once")));
        }
        RetryOrder::Debts(ids) => {
            for id in &ids {
                let debt = gateway.ledger.debt(*id).await?.filter(|d| d.connection == name);
                let state = debt.ok_or_else(ApiError::not_found)?.state;
                if !RAISABLE.contains(&state) {
                    return Err(refuse(state));
                }
            }
            let detail = format!("{} debts", ids.len());
            (Raise::Debts(ids), detail)
        }
    };
    note(&gateway, &actor, "retry_debts", connection, &detail).await?;
    let why = format!("raised by {}", actor.name());
    let raised = gateway.ledger.raise(gateway.now(), &why, &which).await?;
    connection.bell.notify_waiters();
    Ok(Json(RetryAnswer { raised }))
}

/// Call off unsent repairs.
///
/// Every repair that reconciliation raised and of which nothing was sent yet; their findings wait for a person.
#[utoipa::path(post, path = "/v1/connections/{name}/cancel", tag = "operating",
    params(("name" = String, Path, description = "name of the connection")),
    responses((status = 200, description = "how many were called off", body = CalledOff)))]
pub async fn cancel_repairs(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
) -> Result<Json<CalledOff>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?;
    let done = call_off_all(&gateway, connection).await?;
    let detail = format!("{} called off, {} too late", done.called_off, done.too_late);
    note(&gateway, &actor, "cancel_repairs", connection, &detail).await?;
    Ok(Json(done))
}

/// Reconcile a connection now.
///
/// Reads the store back and compares it with what was accepted there. A dry run answers with the summary and all
/// findings, with their evidence: it is audited.
#[utoipa::path(post, path = "/v1/connections/{name}/reconcile", tag = "operating",
    params(("name" = String, Path, description = "name of the connection"), ReconcileQuery),
    responses((status = 200, description = "it was reconciled, or would be", body = ReconcileAnswer),
        (status = 202, description = "it is being reconciled"),
        (status = 409, description = "its store cannot be read", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn reconcile_connection(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<ReconcileQuery>,
) -> Result<Response, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?.clone();
    let unreadable = || ApiError::conflict("what this destination holds cannot be read");
    if !connection.readback() {
        return Err(unreadable());
    }
    note(&gateway, &actor, "reconcile_connection", &connection, if query.dry_run { "dry run" } else { "" }).await?;
    if query.dry_run {
        let mut dry = run::dry_run(&gateway, &connection).await?.ok_or_else(unreadable)?;
        dry.findings.retain(|one| actor.sees(one.evidence.key.kind));
        return Ok(Json(ReconcileAnswer::DryRun(dry)).into_response());
    }
    if query.wait {
        let summary = run::run(&gateway, &connection).await?.ok_or_else(unreadable)?;
        return Ok(Json(ReconcileAnswer::Summary(summary)).into_response());
    }
    tokio::spawn(async move {
        if let Err(error) = run::run(&gateway, &connection).await {
            tracing::error!(connection = %connection.config.name, %error, "reconciliation failed");
        }
    });
    Ok(StatusCode::ACCEPTED.into_response())
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_paused_connection_sends_nothing_until_resumed() {
        let world = World::new();
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let paused = world.post(&token, "/v1/connections/store/pause", Value::Null).await.expect(200).json();
        assert_eq!((&paused["paused"], &paused["usable"]), (&json!(true), &json!(false)));
        let resumed = world.post(&token, "/v1/connections/store/resume", Value::Null).await.expect(200).json();
        assert_eq!((&resumed["paused"], &resumed["usable"]), (&json!(false), &json!(true)));
        let actions: Vec<_> =
            world.gateway.ledger.audited(None, 2).await.expect("entries").into_iter().map(|e| e.action).collect();
        assert_eq!(actions, ["resume_connection", "pause_connection"]);
        for verb in ["pause", "resume", "retry", "replan", "reconcile", "cancel"] {
            let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
            let body = json!({"state": "refused"});
            world.post(&stranger, &format!("/v1/connections/store/{verb}"), body).await.expect(404);
        }
    }

    #[tokio::test]
    async fn debts_are_raised_by_id_or_by_state_where_that_makes_sense() {
        let world = World::new();
        world.seeded(OURS).await;
        world.released("store").await;
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let sent = world.get(&token, "/v1/connections/store/debts?state=sent").await.expect(200).json();
        let first = &sent["debts"][0]["id"];
        let retry = "/v1/connections/store/retry";
        assert_eq!(world.post(&token, retry, json!({"debts": [first]})).await.expect(200).json()["raised"], 1);
        world.post(&token, retry, json!({"debts": [first]})).await.expect(409);
        assert_eq!(world.post(&token, retry, json!({"state": "sent"})).await.expect(200).json()["raised"], 2);
        world.post(&token, retry, json!({"debts": [987_654]})).await.expect(404);
        world.post(&token, retry, json!({"state": "barred"})).await.expect(409);
        world.post(&token, retry, json!({})).await.expect(400);
    }
}
