//! `GET /v1/audit`: who did what.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlQuery, page};
use super::openapi::described;
use crate::access::Right;
use crate::ledger::AuditEntry;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Entries before this id; the newest if not given.
    before: Option<i64>,
    /// Most entries, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Entries of the audit trail.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditPage {
    /// Newest first; times are in microseconds since the epoch.
    entries: Vec<AuditEntry>,
    /// Ask for what comes before this; absent at the beginning of the trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

described!(AuditPage);

/// Read the audit trail.
///
/// A token of one tenant sees what was done for that tenant.
#[utoipa::path(get, path = "/v1/audit", tag = "administering", params(AuditQuery),
    responses((status = 200, description = "entries, newest first", body = AuditPage)))]
pub async fn list_audit(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlQuery(query): UrlQuery<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    actor.may(Right::Administer, actor.tenant().map(SmolStr::as_str))?;
    let mut entries = gateway.ledger.audited(query.before, page(query.limit)).await?;
    let next = entries.last().map(|e| e.id);
    entries.retain(|e| actor.tenant().is_none_or(|own| *own == e.tenant));
    Ok(Json(AuditPage { entries, next }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;

    #[tokio::test]
    async fn the_trail_is_read_backwards_and_by_tenant() {
        let world = World::new();
        for tenant in [OURS, THEIRS, OURS] {
            world.seeded(tenant).await;
        }
        let admin = world.token(Role::Admin, None, &[]).await;
        let newest = world.get(&admin, "/v1/audit?limit=2").await.expect(200).json();
        let tenants = |page: &serde_json::Value| -> Vec<String> {
            let entries = page["entries"].as_array().expect("entries").iter();
            entries.map(|e| e["tenant"].as_str().expect("a tenant").to_owned()).collect()
        };
        assert_eq!(tenants(&newest), [OURS, THEIRS]);
        let older = world.get(&admin, &format!("/v1/audit?before={}", newest["next"])).await.expect(200).json();
        assert_eq!(tenants(&older), [OURS]);
        let theirs = world.token(Role::Admin, Some(THEIRS), &[]).await;
        assert_eq!(tenants(&world.get(&theirs, "/v1/audit").await.expect(200).json()), [THEIRS]);
    }
}
