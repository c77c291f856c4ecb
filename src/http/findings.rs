//! `/v1/findings`: differences that reading stores back found, and what a person decides about them.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, page};
use super::openapi::described;
use super::reach;
use crate::access::{self, Actor, Right};
use crate::exchange::journey::{FindingStep, finding};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Finding, FindingStatus};
use crate::reconcile::nested::{Nested, nest};
use crate::reconcile::repair::{call_off, repair};
use crate::reconcile::source::Source;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which findings.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindingsQuery {
    /// Of this connection; of all if not given.
    connection: Option<String>,
    /// True to see closed ones too.
    #[serde(default)]
    all: bool,
    /// Findings after this id; from the beginning if not given.
    #[serde(default)]
    after: i64,
    /// Most findings, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Findings, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingPage {
    /// Without their evidence, which may be personal: it is read one by one.
    findings: Vec<NestedFinding>,
    /// Ask for what comes after this; the same as was asked for at the end.
    next: i64,
}

/// A finding and what follows from it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NestedFinding {
    /// The finding.
    #[serde(flatten)]
    finding: FindingStep,
    /// Findings that follow from it: they are gone when it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    implies: Vec<FindingStep>,
}

described!(FindingPage, FindingStep, NestedFinding);

/// List findings.
///
/// What follows from another finding is told with that one and nowhere else.
#[utoipa::path(get, path = "/v1/findings", tag = "operating", params(FindingsQuery),
    responses((status = 200, description = "findings, oldest first", body = FindingPage)))]
pub async fn list_findings(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlQuery(query): UrlQuery<FindingsQuery>,
) -> Result<Json<FindingPage>, ApiError> {
    actor.may(Right::Operate, None)?;
    let connection = query.connection.as_deref();
    let rows = gateway.ledger.findings(connection, query.all, query.after, page(query.limit)).await?;
    let next = rows.last().map_or(query.after, |f| f.id);
    let reached = rows.into_iter().filter(|f| reach::past(&gateway, &actor, &f.connection)).collect();
    let step = |f| FindingStep { evidence: None, ..finding(&gateway, f) };
    let nested = nest(&*gateway.ledger, reached).await?.into_iter().map(|Nested { finding, implies }| NestedFinding {
        finding: step(finding),
        implies: implies.into_iter().map(step).collect(),
    });
    Ok(Json(FindingPage { findings: nested.collect(), next }))
}

async fn note(gateway: &Gateway, actor: &Actor, action: &str, finding: &Finding) -> Result<(), ApiError> {
    let source = Source::from_name(&finding.connection).map(|source| source.tenant);
    let tenant = source.or_else(|| Some(gateway.connection(&finding.connection)?.config.tenant.clone()));
    let tenant = tenant.unwrap_or_default();
    let detail = format!("finding {}", finding.id);
    Ok(access::audit(gateway, actor.name(), action, &tenant, &finding.item.to_string(), &detail).await?)
}

async fn shown(gateway: &Gateway, actor: &Actor, id: i64) -> Result<Json<FindingStep>, ApiError> {
    Ok(Json(finding(gateway, reach::finding(gateway, actor, id).await?)))
}

/// Read one finding.
///
/// With field-level evidence, and what follows from it. Every reading is audited.
#[utoipa::path(get, path = "/v1/findings/{id}", tag = "operating", params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "the finding", body = NestedFinding)))]
pub async fn read_finding(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<NestedFinding>, ApiError> {
    let found = reach::finding(&gateway, &actor, id).await?;
    note(&gateway, &actor, "read_finding", &found).await?;
    let implied = match found.implied_by {
        None => gateway.ledger.implied(&found.connection, &[found.item]).await?,
        Some(_) => Vec::new(),
    };
    let implies = implied.into_iter().map(|f| FindingStep { evidence: None, ..finding(&gateway, f) }).collect();
    Ok(Json(NestedFinding { finding: finding(&gateway, found), implies }))
}

/// The connection of a finding that is about a destination.
fn destination<'a>(gateway: &'a Gateway, finding: &Finding) -> Result<&'a Connection, ApiError> {
    match (gateway.connection(&finding.connection), Source::from_name(&finding.connection)) {
        (Some(connection), _) => Ok(connection),
        (None, Some(_)) => Err(ApiError::conflict("the gateway sends nothing there: it is mended at its source")),
        (None, None) => Err(ApiError::conflict("the connection is not configured any more")),
    }
}

/// Repair a finding.
///
/// What should be there is owed again.
#[utoipa::path(post, path = "/v1/findings/{id}/repair", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is being repaired", body = FindingStep),
        (status = 409, description = "sending again cannot mend it", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn repair_finding(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<FindingStep>, ApiError> {
    let found = reach::finding(&gateway, &actor, id).await?;
    let connection = destination(&gateway, &found)?;
    if !repair(&gateway, connection, &found).await? {
        return Err(ApiError::conflict("sending again cannot mend this finding"));
    }
    note(&gateway, &actor, "repair_finding", &found).await?;
    shown(&gateway, &actor, id).await
}

/// Call a repair off.
///
/// As long as nothing of it was sent: what it owed is owed no longer, and the finding waits for a person.
#[utoipa::path(post, path = "/v1/findings/{id}/cancel", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is held", body = FindingStep),
        (status = 409, description = "it is not being repaired, or was sent already",
            body = super::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn cancel_repair(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<FindingStep>, ApiError> {
    let found = reach::finding(&gateway, &actor, id).await?;
    if found.status != FindingStatus::Repairing {
        return Err(ApiError::conflict("the finding is not being repaired"));
    }
    let connection = destination(&gateway, &found)?;
    if !call_off(&gateway, connection, &found).await? {
        return Err(ApiError::conflict(TOO_LATE));
    }
    note(&gateway, &actor, "cancel_repair", &found).await?;
    shown(&gateway, &actor, id).await
}

/// Why a repair cannot be called off.
const TOO_LATE: &str =
    "too late: the repair was sent, or is being sent, or what it sends is owed for another reason by now";

async fn decide(
    gateway: &Gateway,
    actor: &Actor,
    id: i64,
    status: FindingStatus,
    action: &str,
) -> Result<Json<FindingStep>, ApiError> {
    let found = reach::finding(gateway, actor, id).await?;
    if found.status == FindingStatus::Closed {
        return Err(ApiError::conflict("the finding is closed: the difference is gone"));
    }
    gateway.ledger.set_finding(id, gateway.now(), status).await?;
    note(gateway, actor, action, &found).await?;
    shown(gateway, actor, id).await
}

/// Accept a difference.
///
/// It may stay as long as the store holds what it holds now.
#[utoipa::path(post, path = "/v1/findings/{id}/accept", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is accepted", body = FindingStep)))]
pub async fn accept_finding(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<FindingStep>, ApiError> {
    decide(&gateway, &actor, id, FindingStatus::Accepted, "accept_finding").await
}

/// Suppress a finding.
///
/// It is not to be heard of again.
#[utoipa::path(post, path = "/v1/findings/{id}/suppress", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is suppressed", body = FindingStep)))]
pub async fn suppress_finding(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<FindingStep>, ApiError> {
    decide(&gateway, &actor, id, FindingStatus::Suppressed, "suppress_finding").await
}

/// Open a finding again.
#[utoipa::path(post, path = "/v1/findings/{id}/reopen", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is open", body = FindingStep)))]
pub async fn reopen_finding(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<FindingStep>, ApiError> {
    decide(&gateway, &actor, id, FindingStatus::Open, "reopen_finding").await
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::{Value, json};
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn what_vanished_from_the_store_is_found_and_repaired() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        world.released("store").await;
        world.held.lock().expect("a lock").retain(|r| r.head.key.id != "a1");
        world.later(10);
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let address = "/v1/connections/store/reconcile?wait=true";
        let summary = world.post(&token, address, Value::Null).await.expect(200).json();
        assert_eq!((&summary["agreed"], &summary["findings"]), (&json!(2), &json!({"missing": 1})));
        let runs = world.get(&token, "/v1/reconciliations?connection=store").await.expect(200).json();
        assert_eq!(runs["reconciliations"][0]["summary"], summary);
        let page = world.get(&token, "/v1/findings?connection=store").await.expect(200).json();
        let (id, listed) = (page["findings"][0]["id"].as_i64().expect("an id"), &page["findings"][0]);
        assert_eq!((&listed["item"], &listed["evidence"]), (&json!(ids[1]), &Value::Null));
        let shown = world.get(&token, &format!("/v1/findings/{id}")).await.expect(200).json();
        assert_eq!(shown["evidence"]["key"]["id"], "a1");
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("read_finding", ids[1].as_str()));
        for (verb, status) in [("accept", "accepted"), ("suppress", "suppressed"), ("reopen", "open")] {
            let ruled = world.post(&token, &format!("/v1/findings/{id}/{verb}"), Value::Null).await.expect(200).json();
            assert_eq!(ruled["status"], status);
        }
        let repairing = world.post(&token, &format!("/v1/findings/{id}/repair"), Value::Null).await.expect(200).json();
        assert_eq!(repairing["status"], "repairing");
        let debt = async || world.get(&token, "/v1/connections/store/debts?state=owed").await.expect(200).json();
        assert_eq!(debt().await["debts"].as_array().map(Vec::len), Some(1));
        let held = world.post(&token, &format!("/v1/findings/{id}/cancel"), Value::Null).await.expect(200).json();
        assert_eq!((&held["status"], debt().await["debts"].as_array().map(Vec::len)), (&json!("held"), Some(0)));
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("cancel_repair", ids[1].as_str()));
        world.post(&token, &format!("/v1/findings/{id}/cancel"), Value::Null).await.expect(409);
        world.deliver("store").await;
        assert_eq!(world.held.lock().expect("a lock").len(), 2, "nothing was sent");
        world.post(&token, &format!("/v1/findings/{id}/repair"), Value::Null).await.expect(200);
        world.deliver("store").await;
        let late = world.post(&token, &format!("/v1/findings/{id}/cancel"), Value::Null).await.expect(409);
        assert!(late.json()["detail"].as_str().is_some_and(|detail| detail.starts_with("too late")));
        assert_eq!(world.held.lock().expect("a lock").len(), 3);
        world.later(10);
        world.post(&token, address, Value::Null).await.expect(200);
        assert_eq!(world.get(&token, "/v1/findings").await.expect(200).json()["findings"], json!([]));
        world.post(&token, &format!("/v1/findings/{id}/reopen"), Value::Null).await.expect(409);
        let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.get(&stranger, &format!("/v1/findings/{id}")).await.expect(404);
        let other_kind = world.token(Role::Operator, Some(OURS), &[RecordKind::Learner]).await;
        world.get(&other_kind, &format!("/v1/findings/{id}")).await.expect(404);
        assert_eq!(world.get(&stranger, "/v1/findings?all=true").await.expect(200).json()["findings"], json!([]));
        let runs = world.get(&stranger, "/v1/reconciliations").await.expect(200).json();
        assert_eq!(runs["reconciliations"], json!([]));
    }
}
