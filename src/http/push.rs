//! `POST /v1/tenants/{tenant}/records`: records are pushed.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, kinds};
use super::openapi::described;
use super::reach;
use crate::access::{self, Denied, Right};
use crate::gateway::Gateway;
use crate::intake::{self, Receipt, Submission};
use crate::ledger::{Outcome, RecordId};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::adapter::Adapter;
use silta_adapter::problem::Problem;
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt as _, BufWriter};

/// How a document is to be taken.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PushQuery {
    /// The register the records come from: letters, digits, `-` and `_`; `default` if not given.
    source: Option<String>,
    /// `complete` declares that the body holds every current record of the source and of `kinds`: what is not in it is
    /// deleted.
    #[param(value_type = Option<String>)]
    mode: Option<Mode>,
    /// Kinds the body is complete for, with commas between them.
    kinds: Option<String>,
    /// Number of removals that is confirmed, where a complete body removes more than the guard allows.
    confirm_removals: Option<u64>,
    /// True to revive records that were taken back (never those whose learner withdrew consent).
    #[serde(default)]
    reinstate: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Complete,
}

/// What became of a push.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PushAnswer {
    /// What became of each record, in the order of the body.
    outcomes: Vec<RecordOutcome>,
    /// How many records came to each outcome.
    counts: BTreeMap<&'static str, u64>,
    /// Records deleted because a complete body did not hold them.
    removed: u64,
    /// What is wrong, with line, path and who can fix it.
    problems: Vec<Problem>,
}

/// What became of one record.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordOutcome {
    /// The line it starts on, from 1.
    line: u64,
    /// Its opaque id: the one to use in addresses.
    record: RecordId,
    /// Its kind.
    kind: RecordKind,
    /// Its key in the source register.
    id: SmolStr,
    /// What became of it.
    outcome: Outcome,
}

described!(PushAnswer);

/// Push records.
///
/// Pushing is idempotent by content: what is known already is `unchanged` and raises no debt, so a push whose answer was
/// lost is simply sent again. An `Idempotency-Key` header is therefore accepted and needs no memory. Records with errors
/// are refused one by one and the rest is kept; `422` says that nothing could be read.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/records", tag = "records",
    params(("tenant" = String, Path, description = "whose records"), PushQuery),
    request_body(description = "records, one JSON object per line or alone; or VIRTA XML", content(
        (ref("#/components/schemas/Record") = "application/x-ndjson"), (ref("#/components/schemas/Record") = "application/json"), (String = "application/xml"),
        (String = "text/xml"))),
    responses((status = 200, description = "what became of each record", body = PushAnswer),
        (status = 409, description = "it would remove more than the guard allows", body = super::error::ProblemDocument,
            content_type = "application/problem+json"),
        (status = 422, description = "nothing could be read", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn push(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<PushQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PushAnswer>, ApiError> {
    reach::tenant(&gateway, &actor, Right::Push, &tenant)?;
    let adapter = reader(&gateway, &headers)?;
    let source = source(query.source.as_deref())?;
    let complete = complete(&query)?;
    if !complete.iter().all(|kind| actor.sees(*kind)) {
        return Err(Denied::Kind.into());
    }
    let spool = spool(body, gateway.config.server.max_body_bytes).await?;
    let submission = Submission {
        tenant: tenant.clone(),
        source: source.clone(),
        adapter,
        spool: spool.path().to_owned(),
        allowed: actor.kinds().to_vec(),
        complete,
        confirmed_removals: query.confirm_removals,
        reinstate: query.reinstate,
    };
    let answer = answer(intake::take(&gateway, submission).await?);
    let detail = answer.counts.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect::<Vec<_>>().join(", ");
    access::audit(&gateway, actor.name(), "push", &tenant, &source, &detail).await?;
    Ok(Json(answer))
}

fn answer(receipt: Receipt) -> PushAnswer {
    let mut counts = BTreeMap::new();
    let outcomes = receipt.taken.into_iter().map(|taken| {
        *counts.entry(taken.outcome.name()).or_default() += 1;
        RecordOutcome {
            line: taken.line,
            record: taken.id,
            kind: taken.key.kind,
            id: taken.key.id,
            outcome: taken.outcome,
        }
    });
    PushAnswer { outcomes: outcomes.collect(), counts, removed: receipt.removed, problems: receipt.problems }
}

/// The adapter that reads what the request says it carries.
pub(super) fn reader(gateway: &Gateway, headers: &HeaderMap) -> Result<Arc<dyn Adapter>, ApiError> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media_type = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let adapter = gateway.registry.by_media_type(&media_type).filter(|a| a.decoder().is_some());
    adapter.cloned().ok_or_else(|| {
        let known: Vec<&str> = gateway
            .registry
            .iter()
            .filter(|a| a.decoder().is_some())
            .flat_map(|a| a.descriptor().media_types.iter().copied())
            .collect();
        let detail = format!("content-type must be one of {}", known.join(", "));
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_media_type", detail)
    })
}

/// The name of a register: names only, since it stands in addresses and the audit trail.
pub(super) fn source(name: Option<&str>) -> Result<SmolStr, ApiError> {
    let Some(name) = name else { return Ok(default_source()) };
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.is_empty() || name.len() > 64 || !plain {
        return Err(ApiError::bad_request("source is made of up to 64 letters, digits, - and _"));
    }
    Ok(name.into())
}

/// The register records come from where nobody names one.
pub(super) fn default_source() -> SmolStr {
    SmolStr::new_static("default")
}

fn complete(query: &PushQuery) -> Result<Vec<RecordKind>, ApiError> {
    let kinds = kinds(query.kinds.as_deref())?;
    match (&query.mode, kinds.is_empty()) {
        (Some(Mode::Complete), true) => Err(ApiError::bad_request("mode=complete needs kinds")),
        (None, false) => Err(ApiError::bad_request("kinds goes with mode=complete")),
        _ => Ok(kinds),
    }
}

/// The body in a private file, which goes when it is dropped.
pub(super) async fn spool(body: Body, limit: u64) -> Result<NamedTempFile, ApiError> {
    let file = NamedTempFile::new()?;
    let mut out = BufWriter::with_capacity(1 << 16, tokio::fs::File::from_std(file.reopen()?));
    let mut chunks = body.into_data_stream();
    let mut size = 0u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body did not arrive whole"))?;
        size += chunk.len() as u64;
        if size > limit {
            return Err(ApiError::too_large(limit));
        }
        out.write_all(&chunk).await?;
    }
    out.flush().await?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World, attainment, learner};
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn each_record_has_an_outcome_and_the_same_again_is_unchanged() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let lines = format!("{}\n{{\"kind\":\"attainment\"}}\n{}\n", learner("p1"), attainment("a1", "5"));
        let answer = world.push(&token, "10122/records", &lines).await.expect(200).json();
        let row = |at: usize| (answer["outcomes"][at]["line"].clone(), answer["outcomes"][at]["outcome"].clone());
        assert_eq!((row(0), row(1)), ((json!(1), json!("new")), (json!(3), json!("new"))));
        assert_eq!(answer["outcomes"][1]["id"], "a1");
        assert_eq!(answer["counts"], json!({"new": 2}));
        assert_eq!(answer["problems"][0]["line"], 2);
        let again = world.push(&token, "10122/records", &lines).await.expect(200).json();
        assert_eq!(again["counts"], json!({"unchanged": 2}));
        let changed = world.push(&token, "10122/records", &attainment("a1", "4").to_string()).await.expect(200).json();
        assert_eq!(changed["counts"], json!({"updated": 1}));
        assert_eq!(changed["outcomes"][0]["record"], answer["outcomes"][1]["record"]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused_as_a_whole() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let problem = world.push(&token, "10122/records", "nothing\n").await.expect(422).json();
        assert_eq!(problem["problems"][0]["line"], 1);
        world.push(&token, "10122/records", &"x".repeat(100_001)).await.expect(413);
        for address in ["10122/records?source=a%2Fb", "10122/records?mode=complete", "10122/records?kinds=attainment"] {
            world.push(&token, address, "").await.expect(400);
        }
        let request = Request::post("/v1/tenants/10122/records").header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "text/html").body(Body::empty()).expect("a request");
        let answer = world.send(request).await.expect(415).json();
        assert!(answer["detail"].as_str().expect("text").contains("application/x-ndjson"));
    }

    #[tokio::test]
    async fn a_token_pushes_for_its_tenant_and_kinds_only() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[RecordKind::Attainment]).await;
        world.push(&token, &format!("{THEIRS}/records"), "").await.expect(403);
        world.push(&token, "10122/records?mode=complete&kinds=learner", "").await.expect(403);
        let lines = format!("{}\n{}\n", learner("p1"), attainment("a1", "5"));
        let answer = world.push(&token, "10122/records", &lines).await.expect(200).json();
        assert_eq!(answer["counts"], json!({"new": 1, "refused": 1}));
        assert_eq!(answer["problems"][0]["code"], "kind_not_allowed");
        let everything = world.token(Role::Admin, None, &[]).await;
        world.push(&everything, "99999/records", "").await.expect(404);
    }

    #[tokio::test]
    async fn a_complete_push_removes_under_the_guard() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let lines: String = (0..10).map(|n| format!("{}\n", attainment(&format!("a{n}"), "5"))).collect();
        world.push(&token, "10122/records", &lines).await.expect(200);
        let address = "10122/records?mode=complete&kinds=attainment";
        let one = attainment("a0", "5").to_string();
        assert_eq!(world.push(&token, address, &one).await.expect(409).json()["type"], "urn:silta:problem:shrinks");
        let confirmed = format!("{address}&confirm_removals=9");
        assert_eq!(world.push(&token, &confirmed, &one).await.expect(200).json()["removed"], 9);
        let refused = world.push(&token, "10122/records", &lines).await.expect(200).json();
        assert_eq!(refused["counts"], json!({"refused": 9, "unchanged": 1}));
        let revived = world.push(&token, "10122/records?reinstate=true", &lines).await.expect(200).json();
        assert_eq!(revived["counts"], json!({"unchanged": 1, "updated": 9}));
    }
}
