//! The gateway's own HTTP interface: one file per endpoint (or per verb on one resource), each with its request, its
//! OpenAPI description, its handler and its tests.

pub mod auth;
pub mod error;
pub mod health;

use crate::gateway::Gateway;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;

/// What handlers share.
pub type Shared = Arc<Gateway>;

/// All routes.
pub fn router(gateway: Shared) -> Router {
    Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready)).with_state(gateway)
}
