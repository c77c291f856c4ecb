//! `POST /v1/tenants/{tenant}/records/find`: records by the key a person knows. A source key may be personal, so it is
//! asked for in the body, never in an address.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::ledger::{RecordId, StoredRecord};
use axum::Json;
use axum::extract::State as Sharing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindQuery {
    /// The key in the source register.
    id: SmolStr,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundRecords {
    /// Records with this key, of any source and kind.
    records: Vec<FoundRecord>,
}

/// A record that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundRecord {
    /// Opaque id: the one to use in addresses.
    record: RecordId,
    /// The register it comes from.
    source: SmolStr,
    /// Its kind.
    kind: RecordKind,
    /// Its state.
    state: State,
    /// The institution as sent.
    institution: SmolStr,
    /// The version that stands.
    version: i64,
}

described!(FindQuery, FoundRecords);

impl From<StoredRecord> for FoundRecord {
    fn from(stored: StoredRecord) -> Self {
        let StoredRecord { id: record, source, kind, state, institution, version, .. } = stored;
        Self { record, source, kind, state, institution, version }
    }
}

/// Find records by their source key.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/records/find", tag = "records",
    params(("tenant" = String, Path, description = "whose records")),
    request_body = FindQuery,
    responses((status = 200, description = "records with this key; none is not an error", body = FoundRecords)))]
pub async fn find_records(
    Sharing(gateway): Sharing<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    JsonBody(query): JsonBody<FindQuery>,
) -> Result<Json<FoundRecords>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Read, &tenant)?;
    let found = gateway.ledger.look_up(&tenant, gateway.vault.lookup(&tenant, &query.id)).await?;
    let records: Vec<FoundRecord> = found.into_iter().filter(|r| actor.sees(r.kind)).map(Into::into).collect();
    let detail = format!("{} found", records.len());
    access::audit(&gateway, actor.name(), "find_records", &tenant, "", &detail).await?;
    Ok(Json(FoundRecords { records }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::json;
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn a_key_finds_the_records_of_its_own_tenant() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        let find = json!({"id": "a1"});
        let address = "/v1/tenants/10122/records/find";
        let reader = world.token(Role::Reader, Some(OURS), &[]).await;
        let found = world.post(&reader, address, find.clone()).await.expect(200).json();
        assert_eq!(found["records"][0]["record"], ids[1].as_str());
        assert_eq!(found["records"][0]["state"], "current");
        let other_kind = world.token(Role::Reader, Some(OURS), &[RecordKind::Learner]).await;
        assert_eq!(world.post(&other_kind, address, find.clone()).await.expect(200).json()["records"], json!([]));
        let stranger = world.token(Role::Reader, Some(THEIRS), &[]).await;
        world.post(&stranger, address, find.clone()).await.expect(403);
        let theirs = world.post(&stranger, "/v1/tenants/10065/records/find", find).await.expect(200).json();
        assert_eq!(theirs["records"], json!([]));
    }
}
