//! Whether the gateway lives, and whether it can work.

use super::Shared;
use super::error::ApiError;
use axum::extract::State;
use axum::http::StatusCode;
use silta_adapter::problem::Fixer;

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "the process lives")), security(()))]
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The ledger answers.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "the gateway can work"),
    (status = 503, description = "the ledger does not answer", body = super::error::ProblemDocument,
        content_type = "application/problem+json"),
))]
pub async fn ready(State(gateway): State<Shared>) -> Result<&'static str, ApiError> {
    match gateway.ledger.ready().await {
        Ok(()) => Ok("ready\n"),
        Err(_) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "the ledger does not answer")
            .for_fixer(Fixer::Operator)),
    }
}
