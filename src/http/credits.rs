//! `POST /v1/learners/credits`: what learning a learner has, each counted once, however many stores hold it.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::JsonBody;
use super::openapi::described;
use super::push::default_source;
use super::reach;
use crate::access::{self, Denied, Right};
use crate::exchange::document;
use crate::gateway::Gateway;
use crate::reconcile::credits::{Credits, Store, credits};
use crate::reconcile::reading;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::{LearnerKey, RecordKind};
use smol_str::SmolStr;

/// Whose learning.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditsQuery {
    /// Whose records.
    tenant: SmolStr,
    /// The register that knows the learner; `default` if not given.
    #[serde(default = "default_source")]
    source: SmolStr,
    /// The learner's local identifier there.
    learner: SmolStr,
    /// False to count what the ledger holds alone; else the stores that can be read are asked too.
    #[serde(default = "yes")]
    read_stores: bool,
}

fn yes() -> bool {
    true
}

/// A learner's learning.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreditsAnswer {
    /// How it adds up.
    #[serde(flatten)]
    credits: Credits,
    /// Connections whose stores were not counted, and why.
    not_read: Vec<NotCounted>,
}

/// A store that was not counted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NotCounted {
    /// The connection.
    connection: SmolStr,
    /// Why.
    reason: String,
}

described!(CreditsQuery, CreditsAnswer);

/// Count a learner's credits.
///
/// Over the ledger and every store of the tenant that can be read, rows of other institutions included: the same learning
/// in two stores is counted once, recognised credit once with its origin, partial attainments within their wholes.
/// Audited.
#[utoipa::path(post, path = "/v1/learners/credits", tag = "records", request_body = CreditsQuery,
    responses((status = 200, description = "how they add up", body = CreditsAnswer)))]
pub async fn count_credits(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    JsonBody(query): JsonBody<CreditsQuery>,
) -> Result<Json<CreditsAnswer>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Read, &query.tenant)?;
    if !actor.sees(RecordKind::Attainment) || (query.read_stores && !actor.sees(RecordKind::Learner)) {
        return Err(Denied::Kind.into());
    }
    let key = LearnerKey { tenant: query.tenant, source: query.source, id: query.learner };
    let learner = gateway.vault.learner_id(&key);
    let stored = gateway.ledger.records_of(&key.tenant, learner).await?;
    if stored.is_empty() {
        return Err(ApiError::not_found());
    }
    access::audit(&gateway, actor.name(), "count_credits", &key.tenant, &learner.to_string(), "").await?;
    let mut records = Vec::with_capacity(stored.len());
    for one in &stored {
        records.extend(document::open(&gateway, one)?);
    }
    let mut stores = vec![Store { name: "ledger".into(), records }];
    let mut not_read = Vec::new();
    if query.read_stores {
        for connection in gateway.connections.iter().filter(|c| c.config.tenant == key.tenant && c.readback()) {
            let name = connection.config.name.clone();
            match reading::read_one(&gateway, connection, learner).await? {
                Ok(records) => stores.push(Store { name, records }),
                Err(reason) => not_read.push(NotCounted { connection: name, reason }),
            }
        }
    }
    let credits = count(&gateway, key.id, &stores);
    Ok(Json(CreditsAnswer { credits, not_read }))
}

fn count(gateway: &Gateway, learner: SmolStr, stores: &[Store]) -> Credits {
    credits(learner, stores, &gateway.mappings.institutions)
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::json;
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn what_the_ledger_and_a_store_hold_counts_once() {
        let world = World::new();
        world.seeded(OURS).await;
        world.released("store").await;
        let mut elsewhere = world.held.lock().expect("a lock").last().expect("an attainment").clone();
        elsewhere.head.key.institution = THEIRS.into();
        elsewhere.head.key.id = "theirs".into();
        world.held.lock().expect("a lock").push(elsewhere);
        let reader = world.token(Role::Reader, Some(OURS), &[]).await;
        let ask = json!({"tenant": OURS, "learner": "p1"});
        let answer = world.post(&reader, "/v1/learners/credits", ask.clone()).await.expect(200).json();
        assert_eq!((&answer["total"], &answer["not_read"]), (&json!("8"), &json!([])), "{answer}");
        let stores: Vec<_> = answer["stores"].as_array().expect("stores").iter().map(|s| &s["total"]).collect();
        assert_eq!(stores, [&json!("5"), &json!("8")], "theirs is in the store alone");
        let alone = json!({"tenant": OURS, "learner": "p1", "read_stores": false});
        assert_eq!(world.post(&reader, "/v1/learners/credits", alone).await.expect(200).json()["total"], "5");
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!(entry.action, "count_credits");

        *world.answers.lock().expect("a lock") = Box::new(|_, answers| answers.clear());
        let answer = world.post(&reader, "/v1/learners/credits", ask.clone()).await.expect(200).json();
        assert_eq!((&answer["total"], &answer["not_read"][0]["connection"]), (&json!("5"), &json!("store")));
        let stranger = world.token(Role::Reader, Some(THEIRS), &[]).await;
        world.post(&stranger, "/v1/learners/credits", ask.clone()).await.expect(403);
        let other_kind = world.token(Role::Reader, Some(OURS), &[RecordKind::StudyRight]).await;
        world.post(&other_kind, "/v1/learners/credits", ask).await.expect(403);
        let nobody = json!({"tenant": OURS, "learner": "p9"});
        world.post(&reader, "/v1/learners/credits", nobody).await.expect(404);
    }
}
