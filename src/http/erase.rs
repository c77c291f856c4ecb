//! `POST /v1/learners/erase`: a learner is forgotten.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::JsonBody;
use super::openapi::described;
use super::push::default_source;
use super::reach;
use crate::access::{self, Denied, Right};
use crate::delivery::erase::{Erasure, erase};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::LearnerKey;
use smol_str::SmolStr;

/// Whom to forget.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseOrder {
    /// Whose records.
    tenant: SmolStr,
    /// The register that knows the learner; `default` if not given.
    #[serde(default = "default_source")]
    source: SmolStr,
    /// The learner's local identifier there.
    learner: SmolStr,
}

/// How far it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EraseAnswer {
    /// Debts that are not yet proved absent at their destinations.
    remaining: u64,
    /// Records that were erased; absent while debts remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<u64>,
}

described!(EraseOrder, EraseAnswer);

/// Erase a learner.
///
/// Needs a token for all kinds. The first call takes all records back and answers `202` with the debts that remain until every destination has let go
/// of them. Asked again when none remains, it erases the learner's personal rows and answers `200`.
#[utoipa::path(post, path = "/v1/learners/erase", tag = "administering", request_body = EraseOrder,
    responses((status = 200, description = "the learner is erased", body = EraseAnswer),
        (status = 202, description = "taken back; ask again when no debt remains", body = EraseAnswer)))]
pub async fn erase_learner(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    JsonBody(order): JsonBody<EraseOrder>,
) -> Result<(StatusCode, Json<EraseAnswer>), ApiError> {
    reach::tenant(&gateway, &actor, Right::Administer, &order.tenant)?;
    if !actor.kinds().is_empty() {
        return Err(Denied::Kind.into());
    }
    let key = LearnerKey { tenant: order.tenant, source: order.source, id: order.learner };
    let learner = gateway.vault.learner_id(&key);
    let (status, answer) = match erase(&gateway, &key.tenant, learner).await? {
        Erasure::Unknown => return Err(ApiError::not_found()),
        Erasure::Waits(remaining) => (StatusCode::ACCEPTED, EraseAnswer { remaining, erased: None }),
        Erasure::Done(erased) => (StatusCode::OK, EraseAnswer { remaining: 0, erased: Some(erased) }),
    };
    let detail = match answer.erased {
        Some(erased) => format!("{erased} records erased"),
        None => format!("{} debts remain", answer.remaining),
    };
    access::audit(&gateway, actor.name(), "erase_learner", &key.tenant, &learner.to_string(), &detail).await?;
    Ok((status, Json(answer)))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{CANARY_NAME, OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_learner_is_erased_only_when_no_destination_holds_anything() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        world.released("store").await;
        let admin = world.token(Role::Admin, Some(OURS), &[]).await;
        let order = json!({"tenant": OURS, "learner": "p1"});
        let erase = "/v1/learners/erase";
        world.post(&admin, erase, json!({"tenant": OURS, "learner": "nobody"})).await.expect(404);
        world.post(&admin, erase, json!({"tenant": THEIRS, "learner": "p1"})).await.expect(403);
        for _ in 0..2 {
            let waits = world.post(&admin, erase, order.clone()).await.expect(202).json();
            assert_eq!(waits, json!({"remaining": 3}));
        }
        world.released("store").await;
        assert!(world.held.lock().expect("a lock").is_empty());
        world.post(&admin, erase, order.clone()).await.expect(202);
        world.later(10);
        world.post(&admin, "/v1/connections/store/reconcile?wait=true", Value::Null).await.expect(200);
        let done = world.post(&admin, erase, order).await.expect(200).json();
        assert_eq!(done, json!({"remaining": 0, "erased": 3}));
        let journey = world.get(&admin, &format!("/v1/records/{}/journey", ids[0])).await.expect(200);
        assert!(!journey.body.contains(CANARY_NAME) && journey.json()["key"].is_null());
        world.get(&admin, &format!("/v1/records/{}", ids[0])).await.expect(422);
        let entry = world.gateway.ledger.audited(None, 100).await.expect("entries");
        assert!(entry.iter().any(|e| e.action == "erase_learner" && e.detail == "3 records erased"));
    }
}
