//! `GET /status/{connection}`: which credentials of a connection were revoked, as a sealed list of bits.

use crate::delivery::issue::status_list;
use crate::gateway::Gateway;
use crate::http::Shared;
use crate::http::error::ApiError;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use silta_adapter::problem::Fixer;
use silta_seal::StatusList;

/// How long a list may be believed.
const FOR: SignedDuration = SignedDuration::from_hours(24);
/// Places read at once.
const PAGE: u32 = 10_000;

/// The list. It says nothing of who asks about which credential: everybody gets all of it.
pub async fn list(State(gateway): State<Shared>, Path(connection): Path<String>) -> Result<Response, ApiError> {
    let connection = gateway.connection(&connection).filter(|c| c.config.revocable).ok_or_else(ApiError::not_found)?;
    let sealer = connection.sealer.as_ref().ok_or_else(ApiError::not_found)?;
    let places = withdrawn(&gateway, &connection.config.name).await?;
    let highest = places.last().and_then(|place| usize::try_from(*place).ok()).unwrap_or(0);
    let mut list: StatusList = status_list(&gateway, connection, highest + 1);
    for place in places.into_iter().filter_map(|place| usize::try_from(place).ok()) {
        list.set(place, true);
    }
    let now = Timestamp::from_microsecond(gateway.now()).unwrap_or_default();
    let issuer = format!("{}/status", gateway.config.server.public_url);
    let credential = list.credential(&issuer, now, now + FOR).map_err(|_| failed())?;
    let sealer = sealer.clone();
    // A token may take its time to sign.
    let sealed = tokio::task::spawn_blocking(move || sealer.seal_list(&credential, now)).await;
    let sealed = sealed.map_err(|_| failed())?.map_err(|_| failed())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/jose+json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ];
    Ok((headers, sealed).into_response())
}

fn failed() -> ApiError {
    let detail = "the status list cannot be sealed now";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_sealed", detail).for_fixer(Fixer::Operator)
}

async fn withdrawn(gateway: &Gateway, connection: &str) -> Result<Vec<i64>, ApiError> {
    let mut places: Vec<i64> = Vec::new();
    loop {
        let page = gateway.ledger.withdrawn(connection, places.last().copied(), PAGE).await?;
        let last = page.len() < PAGE as usize;
        places.extend(page);
        if last {
            return Ok(places);
        }
    }
}
