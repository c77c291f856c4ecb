//! `POST /v1/connections/{name}/baseline`: what the store was loaded with before the gateway came.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery};
use super::openapi::described;
use super::{push, reach, steer};
use crate::delivery::baseline::{NotImported, import};
use crate::intake::NotTaken;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// How an earlier load is to be read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BaselineQuery {
    /// The register the records are going to be pushed from: it is part of their keys; `default` if not given.
    source: Option<String>,
}

/// What an earlier load came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BaselineAnswer {
    /// Items the store holds by it.
    items: u64,
}

described!(BaselineAnswer);

/// Import an earlier load.
///
/// The document the store was last loaded with, in the connection's own format. The first load is then judged against
/// it by key: what it would not remove needs no release. Only before a connection's first load.
#[utoipa::path(post, path = "/v1/connections/{name}/baseline", tag = "operating",
    params(("name" = String, Path, description = "name of the connection"), BaselineQuery),
    request_body(content = String, content_type = "application/xml"),
    responses((status = 200, description = "what it holds", body = BaselineAnswer),
        (status = 409, description = "the connection has delivered a load already", body = super::error::ProblemDocument,
            content_type = "application/problem+json"),
        (status = 422, description = "it cannot be read", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn import_baseline(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<BaselineQuery>,
    body: Body,
) -> Result<Json<BaselineAnswer>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?.clone();
    let source = push::source(query.source.as_deref())?;
    let spool = push::spool(body, gateway.config.server.max_body_bytes).await?;
    let items = match import(&gateway, &connection, spool.path().to_owned(), source).await {
        Ok(items) => items,
        Err(e @ NotImported::TooLate) => return Err(ApiError::conflict(e.to_string())),
        Err(NotImported::Unreadable(e)) => return Err(NotTaken::from(e).into()),
        Err(NotImported::Delivery(e)) => return Err(e.into()),
    };
    steer::note(&gateway, &actor, "import_baseline", &connection, &format!("{items} items")).await?;
    Ok(Json(BaselineAnswer { items }))
}
