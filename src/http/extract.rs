//! Parts of a request, with problem documents where they are not what an endpoint takes. What was sent is never
//! repeated in an answer: it may be personal.

use super::Shared;
use super::error::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use silta_adapter::record::RecordKind;

/// Variable parts of the address. What does not parse does not exist.
#[derive(Debug)]
pub struct UrlPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for UrlPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::not_found()),
        }
    }
}

/// The query.
#[derive(Debug)]
pub struct UrlQuery<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for UrlQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::bad_request("the query has a parameter or value this address does not take")),
        }
    }
}

/// A small JSON body.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(|e| match e.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(super::SMALL_BODY as u64),
            _ => ApiError::bad_request("the body did not arrive whole"),
        })?;
        serde_json::from_slice(&body).map(Self).map_err(|e| {
            let (line, column) = (e.line(), e.column());
            ApiError::bad_request(format!("the body is not what this address takes: line {line}, column {column}"))
        })
    }
}

/// A list of kinds as queries give it: names with commas between them.
///
/// # Errors
/// 400 for a name that is not one.
pub fn kinds(list: Option<&str>) -> Result<Vec<RecordKind>, ApiError> {
    list.unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| RecordKind::from_name(name).ok_or_else(|| ApiError::bad_request("kinds: there is no such kind")))
        .collect()
}

/// The length of a page: what was asked for, within bounds.
pub fn page(limit: Option<u32>) -> u32 {
    limit.unwrap_or(100).clamp(1, 1000)
}
