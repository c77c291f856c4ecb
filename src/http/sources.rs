//! `POST /v1/tenants/{tenant}/sources/{source}/reconcile`: what a register says beside what the ledger holds of it.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, kinds};
use super::openapi::described;
use super::push::{reader, source as named, spool};
use super::reach;
use crate::access::{self, Actor, Right};
use crate::gateway::Gateway;
use crate::reconcile::source::{self, Outcome, Scope, Source};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use smol_str::SmolStr;

/// What may be concluded, and what becomes of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SourceQuery {
    /// Kinds that the source says everything of, with commas between them; those it says anything of if not given, and
    /// none if empty. Nothing else is `unexpected` in the ledger.
    kinds: Option<String>,
    /// Least share of what the ledger holds that the source must say to be believed, and the other way round; 0.5 if not
    /// given, and 0 to believe everything.
    plausible_share: Option<f64>,
    /// True to be told only: the run and its findings are not kept.
    #[serde(default)]
    dry_run: bool,
}

described!(Outcome);

/// Reconcile a source with the ledger.
///
/// The body is everything the register has, in any format that can be pushed; without one, and without a content type,
/// the feed of the connection that pulls from this source is read from its beginning. Nothing is changed. The answer
/// holds every finding with its evidence: it is audited. The run and its findings are kept under `tenant/source`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/sources/{source}/reconcile", tag = "operating",
    params(("tenant" = String, Path, description = "whose records"),
        ("source" = String, Path, description = "the register they come from"), SourceQuery),
    request_body(description = "everything the register has; nothing for a source that is pulled from", content(
        (String = "application/x-ndjson"), (String = "application/xml"))),
    responses((status = 200, description = "what was found", body = Outcome),
        (status = 409, description = "there is no feed to read", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn reconcile_source(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath((tenant, name)): UrlPath<(SmolStr, SmolStr)>,
    UrlQuery(query): UrlQuery<SourceQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, ApiError> {
    may(&gateway, &actor, &tenant)?;
    let source = Source { tenant, source: named(Some(&name))? };
    let default = Scope::default();
    let share = query.plausible_share.unwrap_or(default.plausible_share);
    if !(0.0..=1.0).contains(&share) {
        return Err(ApiError::bad_request("plausible_share is from 0 to 1"));
    }
    let complete = query.kinds.is_some().then(|| kinds(query.kinds.as_deref())).transpose()?;
    let scope = Scope { complete, plausible_share: share };
    let mut outcome = if headers.contains_key(header::CONTENT_TYPE) {
        let adapter = reader(&gateway, &headers)?;
        let spool = spool(body, gateway.config.server.max_body_bytes).await?;
        source::document(&gateway, &source, &adapter, spool.path(), &scope, query.dry_run).await?
    } else {
        let pulls = gateway.connections.iter().find(|c| {
            c.connected.pull.is_some() && c.config.tenant == source.tenant && *c.config.source() == source.source
        });
        let none = || ApiError::conflict("nothing pulls from this source: send what it has as the body");
        let connection = pulls.ok_or_else(none)?;
        source::feed(&gateway, connection, &scope, query.dry_run).await?.ok_or_else(none)?
    };
    let findings: i64 = outcome.summary.findings.values().sum();
    let detail = format!("{findings} findings{}", if query.dry_run { ", dry run" } else { "" });
    access::audit(&gateway, actor.name(), "reconcile_source", &source.tenant, &source.source, &detail).await?;
    outcome.findings.retain(|one| actor.sees(one.evidence.key.kind));
    Ok(Json(outcome))
}

/// Who operates the gateway, and whose records they are.
fn may(gateway: &Gateway, actor: &Actor, tenant: &str) -> Result<(), ApiError> {
    match reach::tenant(gateway, actor, Right::Operate, tenant) {
        Ok(()) => Ok(()),
        Err(_) => reach::tenant(gateway, actor, Right::Push, tenant),
    }
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World, attainment, learner};
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::{Value, json};

    async fn reconciled(world: &World, token: &str, query: &str, lines: &[Value]) -> Value {
        let body: String = lines.iter().map(|line| line.to_string() + "\n").collect();
        let address = format!("sources/default/reconcile{query}");
        world.push(token, &format!("{OURS}/{address}"), &body).await.expect(200).json()
    }

    /// Kind and id of each finding.
    fn told(outcome: &Value) -> Vec<(String, String)> {
        let findings = outcome["findings"].as_array().expect("findings").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mut told: Vec<_> = findings.map(|f| (text(&f["kind"]), text(&f["evidence"]["key"]["id"]))).collect();
        told.sort();
        told
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect()
    }

    #[tokio::test]
    async fn what_a_register_says_is_compared_with_what_the_ledger_holds_of_it() {
        let world = World::new();
        world.seeded(OURS).await;
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let (p, a1, a2) = (learner("p1"), attainment("a1", "5"), attainment("a2", "3"));
        let alike = reconciled(&world, &token, "", &[p.clone(), a2.clone(), a1.clone()]).await;
        assert_eq!((&alike["findings"], &alike["summary"]["agreed"]), (&json!([]), &json!(3)), "{alike}");

        let said = [p.clone(), attainment("a1", "4"), attainment("a3", "1")];
        let outcome = reconciled(&world, &token, "", &said).await;
        assert_eq!(told(&outcome), pairs(&[("differs", "a1"), ("missing", "a3"), ("unexpected", "a2")]));
        let fields = |outcome: &Value| {
            let differs = outcome["findings"].as_array().expect("findings").iter().find(|f| f["kind"] == "differs");
            differs.expect("a difference")["evidence"]["fields"].clone()
        };
        assert_eq!(fields(&outcome), json!([{"path": "/body/credits/ects", "left": "4", "right": "5"}]));
        let partial = reconciled(&world, &token, "?kinds=", &said).await;
        assert_eq!(told(&partial), pairs(&[("differs", "a1"), ("missing", "a3")]), "nothing is said to be everything");

        let operator = world.token(Role::Operator, Some(OURS), &[]).await;
        let page = world.get(&operator, "/v1/findings?connection=10122%2Fdefault").await.expect(200).json();
        assert_eq!(page["findings"].as_array().map(Vec::len), Some(3), "they are kept: {page}");
        let runs = world.get(&operator, "/v1/reconciliations").await.expect(200).json();
        assert_eq!(runs["reconciliations"][0]["connection"], "10122/default");
        let id = page["findings"][0]["id"].as_i64().expect("an id");
        world.post(&operator, &format!("/v1/findings/{id}/accept"), Value::Null).await.expect(200);
        let detail = world.post(&operator, &format!("/v1/findings/{id}/repair"), Value::Null).await.expect(409).json();
        assert!(detail["detail"].as_str().is_some_and(|d| d.contains("at its source")), "{detail}");
        reconciled(&world, &token, "", &[p, a1, a2]).await;
        let page = world.get(&operator, "/v1/findings?connection=10122%2Fdefault").await.expect(200).json();
        assert_eq!(page["findings"], json!([]), "what is gone is closed");
        let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.push(&stranger, &format!("{OURS}/sources/default/reconcile"), "").await.expect(403);
        let runs = world.get(&stranger, "/v1/reconciliations").await.expect(200).json();
        assert_eq!(runs["reconciliations"], json!([]));
    }

    #[tokio::test]
    async fn what_follows_from_a_lost_learner_hangs_under_it_and_what_was_refused_says_why() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let lines = [learner("p1"), attainment("a1", "5")];
        let outcome = reconciled(&world, &token, "?dry_run=true", &lines).await;
        assert_eq!(
            (&outcome["summary"]["findings"], &outcome["summary"]["implied"]),
            (&json!({"missing": 1}), &json!(1))
        );
        let runs = world.gateway.ledger.reconciliations(None, 9).await.expect("runs");
        assert_eq!(runs.len(), 0, "a dry run keeps nothing");

        let twice = format!("{}\n{}\n", attainment("a1", "5"), attainment("a1", "4"));
        world.push(&token, &format!("{OURS}/records"), &twice).await;
        let outcome = reconciled(&world, &token, "", &lines).await;
        let refused = outcome["findings"].as_array().expect("findings").iter().find(|f| f["problems"].is_array());
        assert_eq!(refused.expect("a finding")["problems"], json!(["duplicate_key"]), "{outcome}");
    }

    #[tokio::test]
    async fn nothing_is_concluded_from_a_source_that_cannot_be_believed() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let all: Vec<Value> = (0..60)
            .map(|n| {
                let mut one = attainment(&format!("a{n}"), "5");
                one["body"]["title"] = json!([{"lang": "fi", "value": format!("Opinto {n}")}]);
                one
            })
            .collect();
        let lines: String = all.iter().map(|line| line.to_string() + "\n").collect();
        world.push(&token, &format!("{OURS}/records"), &lines).await.expect(200);
        let failure = |outcome: Value| {
            assert_eq!(outcome["findings"], json!([]));
            outcome["summary"]["failure"].as_str().unwrap_or_default().to_owned()
        };
        assert!(failure(reconciled(&world, &token, "", &all[..20]).await).contains("40 of 60 items are not"));
        let cut = lines[..lines.len() / 2].to_owned() + "{";
        let cut = world.push(&token, &format!("{OURS}/sources/default/reconcile"), &cut).await.expect(200).json();
        assert!(failure(cut).contains("not read to its end"));
        let mut many = all.clone();
        for n in 0..300 {
            let mut one = attainment(&format!("b{n}"), "5");
            one["body"]["title"] = json!([{"lang": "fi", "value": format!("Muu {n}")}]);
            many.push(one);
        }
        assert!(failure(reconciled(&world, &token, "", &many).await).contains("360 records where 60 should be"));
        let believed = reconciled(&world, &token, "?plausible_share=0", &all[..20]).await;
        assert_eq!(believed["summary"]["findings"], json!({"unexpected": 40}));
        let runs = world.gateway.ledger.reconciliations(Some("10122/default"), 9).await.expect("runs");
        assert_eq!(runs.len(), 4, "each is kept with its reason");
        let bare = Request::builder().method("POST").uri(format!("/v1/tenants/{OURS}/sources/default/reconcile"));
        let bare = bare.header("authorization", format!("Bearer {token}"));
        world.send(bare.body(Body::empty()).expect("a request")).await.expect(409);
    }
}
