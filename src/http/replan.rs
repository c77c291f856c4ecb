//! `POST /v1/connections/{name}/replan`: everything of a connection is planned under today's rules.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery};
use super::openapi::described;
use super::{reach, steer};
use crate::delivery::replan::{Counts, count, replan};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// How to re-plan.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReplanQuery {
    /// True to count only.
    #[serde(default)]
    dry_run: bool,
    /// Number of removals to approve, where there are more than the connection may make unasked.
    approve_removals: Option<u64>,
}

/// What a re-plan comes to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReplanAnswer {
    /// True if nothing was changed.
    dry_run: bool,
    /// What is (or would be) done, in records.
    counts: Counts,
}

described!(ReplanAnswer);

/// Plan a connection anew.
///
/// After a change of rules, mapping or adapter. Ask with `dry_run=true` first: it counts what would be sent, taken back
/// and refused. Taking back more than the connection's share needs the number in `approve_removals`.
#[utoipa::path(post, path = "/v1/connections/{name}/replan", tag = "operating",
    params(("name" = String, Path, description = "name of the connection"), ReplanQuery),
    responses((status = 200, description = "what it comes to", body = ReplanAnswer),
        (status = 409, description = "it would take back too much", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn replan_connection(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<ReplanQuery>,
) -> Result<Json<ReplanAnswer>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?;
    let counts = count(&gateway, connection).await?;
    if !query.dry_run {
        let allowed = counts.allowed(connection.config.shrink_share);
        if counts.remove > allowed && query.approve_removals != Some(counts.remove) {
            return Err(ApiError::conflict(format!(
                "it would take back {} records; unasked it may take back {allowed}",
                counts.remove
            )));
        }
        let items = replan(&gateway, connection).await?;
        steer::note(&gateway, &actor, "replan_connection", connection, &format!("{items} items")).await?;
    }
    Ok(Json(ReplanAnswer { dry_run: query.dry_run, counts }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, World};
    use crate::ledger::Role;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_replan_is_counted_before_it_is_made() {
        let world = World::new();
        world.seeded(OURS).await;
        world.released("store").await;
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let replan = "/v1/connections/store/replan";
        let dry = world.post(&token, &format!("{replan}?dry_run=true"), Value::Null).await.expect(200).json();
        assert_eq!(dry["counts"], json!({"send": 0, "remove": 0, "refuse": 0, "unchanged": 3}), "nothing changed");
        assert!(world.gateway.ledger.dirty("store", 10).await.expect("rows").is_empty());
        world.post(&token, replan, Value::Null).await.expect(200);
        assert_eq!(world.gateway.ledger.dirty("store", 10).await.expect("rows").len(), 3);
    }
}
