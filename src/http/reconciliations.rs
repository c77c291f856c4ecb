//! `GET /v1/reconciliations`: when stores were read back, and what came of it.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlQuery, page};
use super::openapi::described;
use super::reach;
use crate::access::Right;
use crate::ledger::{Micros, Reconciliation, Summary};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Which reconciliations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReconciliationsQuery {
    /// Of this connection; of all if not given.
    connection: Option<String>,
    /// Most reconciliations, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Reconciliations, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationList {
    /// The reconciliations.
    reconciliations: Vec<ReconciliationView>,
}

/// A reconciliation. Times are in microseconds since the epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationView {
    /// Its id.
    id: i64,
    /// The connection.
    connection: SmolStr,
    /// When it started.
    started: Micros,
    /// When it ended; absent while it runs, or if the process died.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Micros>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

described!(ReconciliationList);

impl From<Reconciliation> for ReconciliationView {
    fn from(r: Reconciliation) -> Self {
        Self { id: r.id, connection: r.connection, started: r.started, ended: r.ended, summary: r.summary }
    }
}

/// List reconciliations.
#[utoipa::path(get, path = "/v1/reconciliations", tag = "operating", params(ReconciliationsQuery),
    responses((status = 200, description = "reconciliations, newest first", body = ReconciliationList)))]
pub async fn list_reconciliations(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlQuery(query): UrlQuery<ReconciliationsQuery>,
) -> Result<Json<ReconciliationList>, ApiError> {
    actor.may(Right::Operate, None)?;
    let rows = gateway.ledger.reconciliations(query.connection.as_deref(), page(query.limit)).await?;
    let reached = rows.into_iter().filter(|r| reach::past(&gateway, &actor, &r.connection));
    Ok(Json(ReconciliationList { reconciliations: reached.map(Into::into).collect() }))
}
