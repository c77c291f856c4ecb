//! `POST /v1/learners/erase`: a learner is forgotten.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::JsonBody;
use super::openapi::described;
use super::{push, reach};
use crate::access::{self, Right};
use crate::delivery::erase::{Erasure, erase};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::LearnerKey;
use smol_str::SmolStr;

/// Whom to forget.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseOrder {
    /// Whose records.
    tenant: SmolStr,
    /// The register that knows the learner; `default` if not given.
    #[serde(default)]
    source: Option<String>,
    /// The learner's local identifier there.
    learner: SmolStr,
}

/// How far it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EraseAnswer {
    /// Debts that are not yet proved absent at their destinations.
    remaining: u64,
    /// Records that were erased; absent while debts remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<u64>,
}

described!(EraseOrder, EraseAnswer);

/// Erase a learner.
///
/// The first call takes all records back and answers `202` with the debts that remain until every destination has let go
/// of them. Asked again when none remains, it erases the learner's personal rows and answers `200`.
#[utoipa::path(post, path = "/v1/learners/erase", tag = "administering", request_body = EraseOrder,
    responses((status = 200, description = "the learner is erased", body = EraseAnswer),
        (status = 202, description = "taken back; ask again when no debt remains", body = EraseAnswer)))]
pub async fn erase_learner(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    JsonBody(order): JsonBody<EraseOrder>,
) -> Result<(StatusCode, Json<EraseAnswer>), ApiError> {
    reach::tenant(&gateway, &actor, Right::Administer, &order.tenant)?;
    let source = push::source(order.source.as_deref())?;
    let key = LearnerKey { tenant: order.tenant, source, id: order.learner };
    let learner = gateway.vault.learner_id(&key);
    let (status, answer) = match erase(&gateway, &key.tenant, learner).await? {
        Erasure::Unknown => return Err(ApiError::not_found()),
        Erasure::Waits(remaining) => (StatusCode::ACCEPTED, EraseAnswer { remaining, erased: None }),
        Erasure::Done(erased) => (StatusCode::OK, EraseAnswer { remaining: 0, erased: Some(erased) }),
    };
    let detail = match answer.erased {
        Some(erased) => format!("{erased} records erased"),
        None => format!("{} debts remain", answer.remaining),
    };
    access::audit(&gateway, actor.name(), "erase_learner", &key.tenant, &learner.to_string(), &detail).await?;
    Ok((status, Json(answer)))
}
