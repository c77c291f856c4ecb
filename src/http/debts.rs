//! `GET /v1/connections/{name}/debts`: what a connection is owed.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, page};
use super::openapi::described;
use super::reach;
use crate::ledger::{Debt, DebtState, Micros, RecordId, Wanted};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::problem::Fixer;
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;

/// Which debts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DebtsQuery {
    /// In this state; in any if not given.
    #[param(value_type = Option<String>)]
    state: Option<DebtState>,
    /// Debts after this id; from the beginning if not given.
    #[serde(default)]
    after: i64,
    /// Most debts, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Debts of a connection.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DebtPage {
    /// Oldest first.
    debts: Vec<DebtView>,
    /// Ask for what comes after this.
    next: i64,
}

/// What a connection is owed for an item. Times are in microseconds since the epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DebtView {
    /// Its id.
    id: i64,
    /// Opaque id of the item.
    item: RecordId,
    /// Its kind.
    kind: RecordKind,
    /// Its state.
    state: DebtState,
    /// What must be there.
    wanted: Wanted,
    /// Rises with every new debt, never on a retry.
    generation: i64,
    /// How often this generation was tried.
    attempts: i64,
    /// Since when it is owed.
    since: Micros,
    /// Who can fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixer: Option<Fixer>,
    /// Why it is in this state.
    reason: String,
    /// When it was last accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Micros>,
    /// When it was last seen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Micros>,
}

described!(DebtPage);

impl From<Debt> for DebtView {
    fn from(debt: Debt) -> Self {
        let Debt { id, item, kind, state, wanted, generation, attempts, since, fixer, reason, sent_at, .. } = debt;
        let confirmed_at = debt.confirmed_at;
        Self { id, item, kind, state, wanted, generation, attempts, since, fixer, reason, sent_at, confirmed_at }
    }
}

/// List a connection's debts.
#[utoipa::path(get, path = "/v1/connections/{name}/debts", tag = "operating",
    params(("name" = String, Path, description = "name of the connection"), DebtsQuery),
    responses((status = 200, description = "debts, oldest first", body = DebtPage)))]
pub async fn list_debts(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<DebtsQuery>,
) -> Result<Json<DebtPage>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?;
    let debts = gateway.ledger.debts(&connection.config.name, query.state, query.after, page(query.limit)).await?;
    let next = debts.last().map_or(query.after, |d| d.id);
    let debts = debts.into_iter().filter(|d| actor.sees(d.kind)).map(Into::into).collect();
    Ok(Json(DebtPage { debts, next }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, World};
    use crate::ledger::Role;
    use serde_json::json;

    #[tokio::test]
    async fn debts_are_listed_by_state_page_by_page() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let address = "/v1/connections/store/debts?state=unplanned&limit=2";
        let first = world.get(&token, address).await.expect(200).json();
        assert_eq!(first["debts"].as_array().map(Vec::len), Some(2));
        assert!(ids.iter().any(|id| first["debts"][0]["item"] == id.as_str()));
        let rest = world.get(&token, &format!("{address}&after={}", first["next"])).await.expect(200).json();
        assert_eq!(rest["debts"].as_array().map(Vec::len), Some(1));
        let none = world.get(&token, "/v1/connections/store/debts?state=barred").await.expect(200).json();
        assert_eq!(none, json!({"debts": [], "next": 0}));
        world.get(&token, "/v1/connections/store/debts?state=lost").await.expect(400);
    }
}
