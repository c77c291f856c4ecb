//! `POST /v1/tenants/{tenant}/records/held`: what is held about learners, for senders that read back what they sent.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::exchange::document;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::{LearnerKey, Record};
use smol_str::SmolStr;

/// Most learners one question may be about.
const MOST: usize = 1000;

/// Learners to say something about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldQuery {
    /// The learners, at most 1000.
    learners: Vec<LearnerName>,
}

/// A learner, as a sender names one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnerName {
    /// The register.
    source: SmolStr,
    /// The learner's local id in it.
    id: SmolStr,
}

/// What is held about learners.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldAnswer {
    /// One entry for each learner asked about, in order.
    learners: Vec<HeldRecords>,
}

/// What is held about one learner.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldRecords {
    /// True if these are all: the token is for every kind.
    complete: bool,
    /// The records that stand; none of a learner who is not known.
    records: Vec<Record>,
}

described!(HeldQuery, HeldAnswer);

/// Read what is held about learners.
///
/// For a sender that wants proof of what it sent: the records that stand, whole, by the register's own names of the
/// learners. They are in the body because they may be personal. Every reading is audited.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/records/held", tag = "records",
    params(("tenant" = String, Path, description = "whose records")),
    request_body = HeldQuery,
    responses((status = 200, description = "the records of each learner", body = HeldAnswer)))]
pub async fn read_held(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    JsonBody(query): JsonBody<HeldQuery>,
) -> Result<Json<HeldAnswer>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Read, &tenant)?;
    if query.learners.len() > MOST {
        return Err(ApiError::bad_request(format!("one question is about at most {MOST} learners")));
    }
    let mut answer = HeldAnswer { learners: Vec::with_capacity(query.learners.len()) };
    for LearnerName { source, id } in query.learners {
        let learner = gateway.vault.learner_id(&LearnerKey { tenant: tenant.clone(), source, id });
        let mut held = HeldRecords { complete: actor.kinds().is_empty(), records: Vec::new() };
        for stored in gateway.ledger.records_of(&tenant, learner).await? {
            if !stored.state.is_tombstone() && actor.sees(stored.kind) {
                held.records.extend(document::open(&gateway, &stored)?);
            }
        }
        answer.learners.push(held);
    }
    let records: usize = answer.learners.iter().map(|held| held.records.len()).sum();
    let detail = format!("{} learners, {records} records", answer.learners.len());
    access::audit(&gateway, actor.name(), "read_held", &tenant, "", &detail).await?;
    Ok(Json(answer))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::{Value, json};
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn a_sender_reads_what_stands_of_its_own_learners() {
        let world = World::new();
        world.seeded(OURS).await;
        let address = "/v1/tenants/10122/records/held";
        let question = |id: &str| json!({ "learners": [{ "source": "default", "id": "nobody" }, { "source": "default", "id": id }] });
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let ask =
            async |token: &str| world.post(token, address, question("p1")).await.expect(200).json()["learners"].clone();
        let ids = |held: &Value| {
            let records = held["records"].as_array().expect("records");
            records.iter().map(|r| r["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
        };
        let held = ask(&token).await;
        assert_eq!((&held[0], held[1]["complete"].as_bool()), (&json!({"complete": true, "records": []}), Some(true)));
        assert!(ids(&held[1]).contains(&"a1".to_owned()), "{held}");
        let taken_back =
            json!({"kind": "attainment", "id": "a1", "institution": "10122", "learner": "p1", "state": "deleted"});
        world.post(&token, "/v1/tenants/10122/withdrawals", taken_back).await.expect(200);
        assert!(!ids(&ask(&token).await[1]).contains(&"a1".to_owned()), "what was taken back is not held");
        let partial = world.token(Role::Reader, Some(OURS), &[RecordKind::Attainment]).await;
        let partly = ask(&partial).await;
        assert_eq!((partly[1]["complete"].as_bool(), ids(&partly[1]).contains(&"p1".to_owned())), (Some(false), false));
        let stranger = world.token(Role::Registrar, Some(THEIRS), &[]).await;
        world.post(&stranger, address, question("p1")).await.expect(403);
        let many: Vec<Value> = (0..1001).map(|n| json!({ "source": "default", "id": n.to_string() })).collect();
        world.post(&token, address, json!({ "learners": many })).await.expect(400);
    }
}
