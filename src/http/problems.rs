//! `GET /v1/tenants/{tenant}/problems`: what a sender has to mend.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, page};
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::exchange::ExchangeError;
use crate::ledger::{Micros, RecordId, StoredProblem};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::problem::Problem;
use smol_str::SmolStr;

/// Which problems.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProblemsQuery {
    /// Problems after this id; from the beginning if not given.
    #[serde(default)]
    after: i64,
    /// True to see closed ones too.
    #[serde(default)]
    all: bool,
    /// Most problems, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Problems of a sender.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemPage {
    /// Oldest first.
    problems: Vec<SenderProblem>,
    /// Ask for what comes after this.
    next: i64,
}

/// A problem of a sender.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SenderProblem {
    /// Its id.
    id: i64,
    /// Where it comes from: `intake`; a connection whose destination cannot hold the record; `NAME:checks`, what was
    /// lacking in its last load; `NAME:reports`, what its destination said later.
    origin: SmolStr,
    /// Opaque id of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordId>,
    /// When it was opened, in microseconds since the epoch.
    opened: Micros,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Micros>,
    /// The version of the record that cured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<i64>,
    /// What is wrong, where, and who can fix it.
    problem: Problem,
}

described!(ProblemPage);

/// List a sender's problems.
///
/// A problem is closed by the version of the record that cures it. Every reading is audited.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/problems", tag = "records",
    params(("tenant" = String, Path, description = "whose problems"), ProblemsQuery),
    responses((status = 200, description = "problems, oldest first", body = ProblemPage)))]
pub async fn list_problems(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<ProblemsQuery>,
) -> Result<Json<ProblemPage>, ApiError> {
    let right = if actor.may(Right::Operate, None).is_ok() { Right::Operate } else { Right::Push };
    reach::tenant(&gateway, &actor, right, &tenant)?;
    let stored = gateway.ledger.problems(&tenant, query.after, query.all, page(query.limit)).await?;
    let next = stored.last().map_or(query.after, |p| p.id);
    let mut problems = Vec::with_capacity(stored.len());
    for row in stored {
        let problem: Problem = gateway.vault.open_json(&row.content).map_err(ExchangeError::Vault)?;
        if problem.key.as_ref().is_none_or(|key| actor.sees(key.kind)) {
            let StoredProblem { id, origin, record, opened, closed, closed_by, .. } = row;
            problems.push(SenderProblem { id, origin, record, opened, closed, closed_by, problem });
        }
    }
    let detail = format!("{} problems after {}", problems.len(), query.after);
    access::audit(&gateway, actor.name(), "read_problems", &tenant, "", &detail).await?;
    Ok(Json(ProblemPage { problems, next }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World, attainment};
    use crate::ledger::Role;
    use serde_json::json;

    #[tokio::test]
    async fn a_problem_is_open_until_a_version_cures_it() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let twice = format!("{}\n{}\n", attainment("a1", "5"), attainment("a1", "4"));
        world.push(&token, "10122/records", &twice).await.expect(200);
        let page = world.get(&token, "/v1/tenants/10122/problems").await.expect(200).json();
        let problem = &page["problems"][0];
        assert_eq!((&problem["problem"]["code"], &problem["origin"]), (&json!("duplicate_key"), &json!("intake")));
        let after = format!("/v1/tenants/10122/problems?after={}", page["next"]);
        assert_eq!(world.get(&token, &after).await.expect(200).json()["problems"], json!([]));
        world.push(&token, "10122/records", &attainment("a1", "5").to_string()).await.expect(200);
        let open = world.get(&token, "/v1/tenants/10122/problems").await.expect(200).json();
        assert_eq!(open["problems"], json!([]));
        let all = world.get(&token, "/v1/tenants/10122/problems?all=true").await.expect(200).json();
        assert!(all["problems"][0]["closed_by"].is_number(), "{all}");
        let stranger = world.token(Role::Registrar, Some(THEIRS), &[]).await;
        world.get(&stranger, "/v1/tenants/10122/problems").await.expect(403);
    }
}
