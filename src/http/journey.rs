//! `GET /v1/records/{id}/journey`: everything that happened to a record.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::UrlPath;
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::exchange::journey::{Journey, journey};
use crate::ledger::RecordId;
use axum::Json;
use axum::extract::State;

described!(Journey);

/// Read a record's journey.
///
/// Every version, debt, load, attempt, problem and finding. Every reading is audited.
#[utoipa::path(get, path = "/v1/records/{id}/journey", tag = "records",
    params(("id" = String, Path, description = "opaque id")),
    responses((status = 200, description = "the journey", body = Journey)))]
pub async fn read_journey(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<RecordId>,
) -> Result<Json<Journey>, ApiError> {
    let stored = reach::record(&gateway, &actor, Right::Read, id).await?;
    access::audit(&gateway, actor.name(), "read_journey", &stored.tenant, &id.to_string(), "").await?;
    journey(&gateway, id).await?.map(Json).ok_or_else(ApiError::not_found)
}
