//! The gateway's own HTTP interface: one file per endpoint (or per verb on one resource), each with its request, its
//! OpenAPI description, its handler and its tests.
//!
//! Handlers are thin: they say who may ask ([`reach`]), call the room that does the work, and shape the answer. What
//! every request has in common — log line, time limit, headers — is in [`observe`].

pub mod audit;
pub mod auth;
pub mod connections;
pub mod debts;
pub mod docs;
pub mod erase;
pub mod error;
pub mod extract;
pub mod feed;
pub mod find;
pub mod findings;
pub mod health;
pub mod journey;
pub mod loads;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod problems;
pub mod push;
pub mod reach;
pub mod reconciliations;
pub mod record;
pub mod route;
pub mod steer;
pub mod tokens;
pub mod withdraw;

use crate::gateway::Gateway;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use error::ApiError;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// What handlers share.
pub type Shared = Arc<Gateway>;

/// Largest body of a request that is not a push, in bytes.
const SMALL_BODY: usize = 1 << 20;

/// Makes the router and the OpenAPI description from one table, so that neither knows an operation the other does not.
macro_rules! operations {
    ($($method:ident $path:literal => $($segment:ident)::+;)+) => {
        /// Method and path of every operation.
        pub const OPERATIONS: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

        fn operations() -> Router<Shared> {
            Router::new()$(.route($path, axum::routing::$method($($segment)::+)))+
        }

        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($segment)::+),+))]
        struct Described;
    };
}

operations! {
    get "/healthz" => health::alive;
    get "/readyz" => health::ready;
    get "/metrics" => metrics::scrape;
    post "/v1/tenants/{tenant}/records" => push::push;
    post "/v1/tenants/{tenant}/records/find" => find::find_records;
    post "/v1/tenants/{tenant}/records/{id}/withdraw" => withdraw::withdraw_record;
    post "/v1/tenants/{tenant}/withdrawals" => withdraw::withdraw_key;
    get "/v1/tenants/{tenant}/problems" => problems::list_problems;
    get "/v1/records/{id}" => record::read_record;
    get "/v1/records/{id}/journey" => journey::read_journey;
    get "/v1/feed" => feed::read_feed;
    post "/v1/route" => route::explain_route;
    get "/v1/connections" => connections::list_connections;
    get "/v1/connections/{name}" => connections::read_connection;
    post "/v1/connections/{name}/pause" => steer::pause_connection;
    post "/v1/connections/{name}/resume" => steer::resume_connection;
    post "/v1/connections/{name}/retry" => steer::retry_debts;
    post "/v1/connections/{name}/replan" => steer::replan_connection;
    post "/v1/connections/{name}/reconcile" => steer::reconcile_connection;
    get "/v1/connections/{name}/debts" => debts::list_debts;
    get "/v1/connections/{name}/loads" => loads::list_loads_of;
    get "/v1/loads" => loads::list_loads;
    get "/v1/loads/{id}" => loads::read_load;
    post "/v1/loads/{id}/release" => loads::release_load;
    post "/v1/loads/{id}/reject" => loads::reject_load;
    get "/v1/reconciliations" => reconciliations::list_reconciliations;
    get "/v1/findings" => findings::list_findings;
    get "/v1/findings/{id}" => findings::read_finding;
    post "/v1/findings/{id}/repair" => findings::repair_finding;
    post "/v1/findings/{id}/accept" => findings::accept_finding;
    post "/v1/findings/{id}/suppress" => findings::suppress_finding;
    post "/v1/findings/{id}/reopen" => findings::reopen_finding;
    get "/v1/tokens" => tokens::list_tokens;
    post "/v1/tokens" => tokens::create_token;
    delete "/v1/tokens/{name}" => tokens::revoke_token;
    get "/v1/audit" => audit::list_audit;
    post "/v1/learners/erase" => erase::erase_learner;
}

/// All routes.
pub fn router(gateway: Shared) -> Router {
    operations()
        .merge(docs::router())
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take that method",
            )
        })
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn_with_state(gateway.clone(), observe::observe))
        .with_state(gateway)
}
