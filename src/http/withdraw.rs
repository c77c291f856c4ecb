//! `POST /v1/tenants/{tenant}/records/{id}/withdraw` and `POST /v1/tenants/{tenant}/withdrawals`: records are taken back.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use super::{push, reach};
use crate::access::{self, Denied, Right};
use crate::ledger::{Batch, Outcome, RecordId, TakeBack};
use axum::Json;
use axum::extract::State as Sharing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::{Head, Record, RecordKey, RecordKind, State};
use smol_str::SmolStr;

/// How a record is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawOrder {
    /// Any state but `current`.
    state: State,
}

/// A key that is taken back, known or not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyWithdrawal {
    /// The register it is from; `default` if not given.
    #[serde(default)]
    source: Option<String>,
    /// Its kind.
    kind: RecordKind,
    /// The institution as sent with the record; empty where the source names none.
    #[serde(default)]
    institution: SmolStr,
    /// Its key in the source register.
    id: SmolStr,
    /// The learner's local identifier in the source register.
    learner: SmolStr,
    /// Any state but `current`.
    state: State,
    /// The source's own revision, where it has one.
    #[serde(default)]
    source_revision: Option<u64>,
}

/// What became of a withdrawal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WithdrawAnswer {
    /// Opaque id of the record.
    record: RecordId,
    /// What became of it.
    outcome: Outcome,
    /// The state that stands now.
    state: State,
}

described!(WithdrawOrder, KeyWithdrawal, WithdrawAnswer);

fn tombstone(state: State) -> Result<(), ApiError> {
    if state.is_tombstone() {
        return Ok(());
    }
    Err(ApiError::bad_request("a record is taken back by a state other than current"))
}

/// Take back a record by its opaque id.
///
/// A record that was taken back before stays as it was taken back.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/records/{id}/withdraw", tag = "records",
    params(("tenant" = String, Path, description = "whose record"), ("id" = String, Path, description = "opaque id")),
    request_body = WithdrawOrder,
    responses((status = 200, description = "it is taken back", body = WithdrawAnswer)))]
pub async fn withdraw_record(
    Sharing(gateway): Sharing<Shared>,
    Bearer(actor): Bearer,
    UrlPath((tenant, id)): UrlPath<(SmolStr, RecordId)>,
    JsonBody(order): JsonBody<WithdrawOrder>,
) -> Result<Json<WithdrawAnswer>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Push, &tenant)?;
    tombstone(order.state)?;
    let record = reach::record(&gateway, &actor, Right::Push, id).await?;
    if record.tenant != tenant {
        return Err(ApiError::not_found());
    }
    let order = TakeBack { tenant: tenant.clone(), at: gateway.now(), state: order.state, ids: vec![id] };
    let changed = gateway.ledger.take_back(&order).await? > 0;
    gateway.ring(&tenant);
    let (outcome, state) = if changed { (Outcome::Updated, order.state) } else { (Outcome::Unchanged, record.state) };
    access::audit(&gateway, actor.name(), "withdraw_record", &tenant, &id.to_string(), state.name()).await?;
    Ok(Json(WithdrawAnswer { record: id, outcome, state }))
}

/// Take back a record by its key.
///
/// A key that is not known leaves a tombstone, so that a record that arrives late does not stand.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/withdrawals", tag = "records",
    params(("tenant" = String, Path, description = "whose record")),
    request_body = KeyWithdrawal,
    responses((status = 200, description = "it is taken back", body = WithdrawAnswer)))]
pub async fn withdraw_key(
    Sharing(gateway): Sharing<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    JsonBody(asked): JsonBody<KeyWithdrawal>,
) -> Result<Json<WithdrawAnswer>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Push, &tenant)?;
    tombstone(asked.state)?;
    if !actor.sees(asked.kind) {
        return Err(Denied::Role.into());
    }
    let source = push::source(asked.source.as_deref())?;
    let key =
        RecordKey { tenant: tenant.clone(), source, kind: asked.kind, institution: asked.institution, id: asked.id };
    let head = Head {
        key,
        learner: asked.learner,
        state: asked.state,
        source_revision: asked.source_revision,
        non_disclosure: false,
    };
    let incoming = gateway.vault.incoming(&Record { head, body: None });
    let id = incoming.id;
    let batch = Batch {
        tenant: tenant.clone(),
        at: gateway.now(),
        reinstate: false,
        records: vec![incoming],
        targets: gateway.targets(&tenant),
    };
    let kept = gateway.ledger.keep(&batch).await?;
    let outcome = kept.first().map_or(Outcome::Refused, |k| k.outcome);
    gateway.ring(&tenant);
    let state = gateway.ledger.record(id).await?.map_or(asked.state, |r| r.state);
    access::audit(&gateway, actor.name(), "withdraw_record", &tenant, &id.to_string(), state.name()).await?;
    Ok(Json(WithdrawAnswer { record: id, outcome, state }))
}
