//! `/v1/tenants/{tenant}/interfaces/{adapter}/{source}/…`: the calls that a standard gives whoever receives its documents.
//!
//! The addresses below are the standard's and its description tells of them. Here is what no standard knows: who may call,
//! whose register the records come from, and that what a call brings is taken in like a push.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::push::{source, spool};
use super::reach;
use crate::access::{self, Right};
use crate::gateway::Gateway;
use crate::intake::{self, NotTaken, Submission};
use crate::ledger::Outcome;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use silta_adapter::adapter::{About, Adapter, Call, Receive, Received, Reply};
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{LearnerKey, Record, RecordKey};
use smol_str::SmolStr;
use std::io::Write as _;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Largest body of one call, in bytes: it carries one object.
const LARGEST: u64 = 4 << 20;

/// Routes of the interfaces.
pub fn router() -> Router<Shared> {
    Router::new().route("/v1/tenants/{tenant}/interfaces/{adapter}/{source}/{*path}", any(call))
}

async fn call(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    Path((tenant, adapter, register, path)): Path<(SmolStr, SmolStr, String, String)>,
    method: Method,
    body: Body,
) -> Result<Response, ApiError> {
    let reads = method == Method::GET;
    reach::tenant(&gateway, &actor, if reads { Right::Read } else { Right::Push }, &tenant)?;
    let adapter = gateway.registry.get(&adapter).cloned().ok_or_else(ApiError::not_found)?;
    let receiver = adapter.receiver().ok_or_else(ApiError::not_found)?;
    let source = source(Some(&register))?;
    let body = spool(body, LARGEST).await?;
    let bytes = tokio::fs::read(body.path()).await?;
    let segments: Vec<&str> = path.split('/').collect();
    let call = Call { method: method.as_str(), path: &segments, body: &bytes };
    let about = receiver.about(&call).ok_or_else(ApiError::not_found)?;
    let held: Vec<Record> =
        held(&gateway, &tenant, &source, about).await?.into_iter().filter(|r| actor.sees(r.head.key.kind)).collect();
    match receiver.receive(&call, &held, gateway.encode_context(0)) {
        Received::Answer(reply) => {
            if reads {
                access::audit(&gateway, actor.name(), "read_interface", &tenant, &source, "").await?;
            }
            Ok(answer(reply))
        }
        Received::Document(document, reply) => {
            let submission = submission(&tenant, &source, adapter.clone(), &document, actor.kinds().to_vec())?;
            let reply = take(&gateway, submission.0, receiver, reply).await?;
            access::audit(&gateway, actor.name(), "push", &tenant, &source, &reply.status.to_string()).await?;
            Ok(answer(reply))
        }
    }
}

/// The records a call is about, as they stand here.
async fn held(gateway: &Gateway, tenant: &SmolStr, source: &SmolStr, about: About) -> Result<Vec<Record>, ApiError> {
    let stored = match about {
        About::New => Vec::new(),
        About::Record(kind, id) => {
            let key =
                RecordKey { tenant: tenant.clone(), source: source.clone(), kind, institution: SmolStr::default(), id };
            gateway.ledger.record(gateway.vault.record_id(&key)).await?.into_iter().collect()
        }
        About::Learner(id) => {
            let learner = LearnerKey { tenant: tenant.clone(), source: source.clone(), id };
            gateway.ledger.records_of(tenant, gateway.vault.learner_id(&learner)).await?
        }
    };
    let open = |stored| crate::exchange::document::open(gateway, stored);
    let opened: Vec<Option<Record>> = stored.iter().map(open).collect::<Result<_, _>>()?;
    Ok(opened.into_iter().flatten().collect())
}

fn submission(
    tenant: &SmolStr,
    source: &SmolStr,
    adapter: Arc<dyn Adapter>,
    document: &[u8],
    allowed: Vec<silta_adapter::record::RecordKind>,
) -> Result<(Submission, NamedTempFile), ApiError> {
    let mut file = NamedTempFile::new()?;
    file.write_all(document)?;
    let submission = Submission {
        tenant: tenant.clone(),
        source: source.clone(),
        adapter,
        spool: file.path().to_owned(),
        allowed,
        complete: Vec::new(),
        confirmed_removals: None,
        reinstate: false,
    };
    Ok((submission, file))
}

/// Takes the document of a call in. What cannot be taken is answered as the standard has it.
async fn take(
    gateway: &Arc<Gateway>,
    submission: Submission,
    receiver: &dyn Receive,
    reply: Reply,
) -> Result<Reply, ApiError> {
    let receipt = match intake::take(gateway, submission).await {
        Ok(receipt) => receipt,
        Err(NotTaken::Nothing(problems)) => return Ok(receiver.refused(&problems)),
        Err(NotTaken::Unreadable(problem)) => return Ok(receiver.refused(&[*problem])),
        Err(other) => return Err(other.into()),
    };
    let refused = |outcome: Outcome| matches!(outcome, Outcome::Refused | Outcome::Contested);
    let errors: Vec<Problem> = receipt.problems.into_iter().filter(|p| p.severity == Severity::Error).collect();
    match !errors.is_empty() || receipt.taken.iter().any(|taken| refused(taken.outcome)) {
        true => Ok(receiver.refused(&errors)),
        false => Ok(reply),
    }
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, reply.media_type)], reply.body).into_response()
}
