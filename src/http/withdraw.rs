//! `POST /v1/tenants/{tenant}/records/{id}/withdraw` and `POST /v1/tenants/{tenant}/withdrawals`: records are taken back.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use super::push::default_source;
use super::reach;
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
    #[serde(default = "default_source")]
    source: SmolStr,
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
    let order = TakeBack {
        tenant: tenant.clone(),
        at: gateway.now(),
        state: order.state,
        ids: vec![id],
        targets: gateway.targets(&tenant),
    };
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
        return Err(Denied::Kind.into());
    }
    let KeyWithdrawal { source, kind, institution, id, learner, state, source_revision } = asked;
    let key = RecordKey { tenant: tenant.clone(), source, kind, institution, id };
    let head = Head { key, learner, state, source_revision, non_disclosure: false };
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
    let state = gateway.ledger.record(id).await?.map_or(state, |r| r.state);
    access::audit(&gateway, actor.name(), "withdraw_record", &tenant, &id.to_string(), state.name()).await?;
    Ok(Json(WithdrawAnswer { record: id, outcome, state }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World, attainment};
    use crate::ledger::Role;
    use serde_json::json;

    #[tokio::test]
    async fn a_known_record_is_taken_back_once() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        let token = world.token(Role::Admin, None, &[]).await;
        let address = format!("/v1/tenants/{OURS}/records/{}/withdraw", ids[1]);
        world.post(&token, &address, json!({"state": "current"})).await.expect(400);
        let answer = world.post(&token, &address, json!({"state": "misregistered"})).await.expect(200).json();
        assert_eq!((&answer["outcome"], &answer["state"]), (&json!("updated"), &json!("misregistered")));
        let answer = world.post(&token, &address, json!({"state": "deleted"})).await.expect(200).json();
        assert_eq!((&answer["outcome"], &answer["state"]), (&json!("unchanged"), &json!("misregistered")));
        let elsewhere = format!("/v1/tenants/{THEIRS}/records/{}/withdraw", ids[1]);
        world.post(&token, &elsewhere, json!({"state": "deleted"})).await.expect(404);
        let stranger = world.token(Role::Registrar, Some(THEIRS), &[]).await;
        world.post(&stranger, &address, json!({"state": "deleted"})).await.expect(403);
        world.post(&stranger, &elsewhere, json!({"state": "deleted"})).await.expect(404);
    }

    #[tokio::test]
    async fn an_unknown_key_leaves_a_tombstone_that_a_late_record_does_not_revive() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let key =
            json!({"kind": "attainment", "institution": "10122", "id": "a1", "learner": "p1", "state": "deleted"});
        let answer = world.post(&token, "/v1/tenants/10122/withdrawals", key.clone()).await.expect(200).json();
        assert_eq!((&answer["outcome"], &answer["state"]), (&json!("new"), &json!("deleted")));
        let late = world.push(&token, "10122/records", &attainment("a1", "5").to_string()).await.expect(200).json();
        assert_eq!(late["counts"], json!({"refused": 1}));
        assert_eq!(late["outcomes"][0]["record"], answer["record"]);
        let again = world.post(&token, "/v1/tenants/10122/withdrawals", key).await.expect(200).json();
        assert_eq!(again["outcome"], "unchanged");
    }
}
