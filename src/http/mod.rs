//! The gateway's own HTTP interface: one file per endpoint (or per verb on one resource), each with its request, its
//! OpenAPI description, its handler and its tests.
//!
//! Handlers are thin: they say who may ask ([`reach`]), call the room that does the work, and shape the answer. What
//! every request has in common — log line, time limit, headers — is in [`observe`].

pub mod audit;
pub mod auth;
pub mod baseline;
pub mod completeness;
pub mod connections;
pub mod credentials;
pub mod credits;
pub mod debts;
pub mod docs;
pub mod erase;
pub mod error;
pub mod extract;
pub mod feed;
pub mod find;
pub mod findings;
pub mod health;
pub mod held;
pub mod interfaces;
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
pub mod replan;
pub mod route;
pub mod sources;
pub mod steer;
#[cfg(test)]
pub(crate) mod testing;
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
    post "/v1/tenants/{tenant}/records/held" => held::read_held;
    post "/v1/tenants/{tenant}/records/{id}/withdraw" => withdraw::withdraw_record;
    post "/v1/tenants/{tenant}/withdrawals" => withdraw::withdraw_key;
    post "/v1/tenants/{tenant}/sources/{source}/reconcile" => sources::reconcile_source;
    get "/v1/tenants/{tenant}/problems" => problems::list_problems;
    get "/v1/tenants/{tenant}/completeness" => completeness::read_completeness;
    get "/v1/records/{id}" => record::read_record;
    get "/v1/records/{id}/journey" => journey::read_journey;
    get "/v1/records/{id}/credentials" => credentials::list_credentials;
    post "/v1/records/{id}/credentials/{credential}/links" => credentials::make_link;
    delete "/v1/records/{id}/credentials/{credential}/links/{link}" => credentials::revoke_link;
    get "/v1/feed" => feed::read_feed;
    post "/v1/route" => route::explain_route;
    get "/v1/connections" => connections::list_connections;
    get "/v1/connections/{name}" => connections::read_connection;
    post "/v1/connections/{name}/pause" => steer::pause_connection;
    post "/v1/connections/{name}/resume" => steer::resume_connection;
    post "/v1/connections/{name}/retry" => steer::retry_debts;
    post "/v1/connections/{name}/baseline" => baseline::import_baseline;
    post "/v1/connections/{name}/replan" => replan::replan_connection;
    post "/v1/connections/{name}/reconcile" => steer::reconcile_connection;
    post "/v1/connections/{name}/cancel" => steer::cancel_repairs;
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
    post "/v1/findings/{id}/cancel" => findings::cancel_repair;
    post "/v1/findings/{id}/accept" => findings::accept_finding;
    post "/v1/findings/{id}/suppress" => findings::suppress_finding;
    post "/v1/findings/{id}/reopen" => findings::reopen_finding;
    get "/v1/tokens" => tokens::list_tokens;
    post "/v1/tokens" => tokens::create_token;
    delete "/v1/tokens/{name}" => tokens::revoke_token;
    get "/v1/audit" => audit::list_audit;
    post "/v1/learners/credits" => credits::count_credits;
    post "/v1/learners/erase" => erase::erase_learner;
}

/// The whole interface.
pub fn router(gateway: Shared) -> Router {
    dressed(routes(), gateway)
}

/// All operations and their description, without what [`dressed`] adds.
pub fn routes() -> Router<Shared> {
    operations().merge(docs::router()).merge(interfaces::router())
}

/// Routes with what every request has in common.
pub fn dressed(routes: Router<Shared>, gateway: Shared) -> Router {
    routes
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

#[cfg(test)]
mod tests {
    use super::testing::{OURS, THEIRS, World};
    use super::*;
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use serde_json::{Value, json};

    fn concrete(path: &str) -> String {
        path.replace("{tenant}", OURS)
            .replace("/loads/{id}", "/loads/1")
            .replace("/findings/{id}", "/findings/1")
            .replace("{id}", &"0".repeat(32))
            .replace("{name}", "store")
            .replace("{source}", "default")
            .replace("{credential}", "1")
            .replace("{link}", "1")
    }

    #[tokio::test]
    async fn without_a_token_nothing_but_health_and_the_description_answers() {
        let world = World::new();
        for (method, path) in OPERATIONS {
            let bare = Request::builder().method(method.to_uppercase().as_str()).uri(concrete(path));
            let answer = world.send(bare.body(Body::empty()).expect("a request")).await;
            if matches!(*path, "/healthz" | "/readyz") {
                answer.expect(200);
            } else {
                let answer = answer.expect(401);
                assert_eq!(answer.header("www-authenticate"), "Bearer", "{path}");
                assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            }
        }
        let page = world.get("", "/docs/").await.expect(200);
        assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{}", page.body);
        let script = world.get("", "/docs/swagger-initializer.js").await.expect(200);
        assert!(
            script.body.contains(r#""validatorUrl": "none""#) && !script.body.contains("https://"),
            "{}",
            script.body
        );
        assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
        assert_eq!(world.get("", "/openapi.json").await.expect(200).json()["openapi"], "3.1.0");
    }

    #[tokio::test]
    async fn a_role_reaches_what_it_is_for() {
        let world = World::new();
        world.seeded(OURS).await;
        let tokens = [
            world.token(Role::Registrar, Some(OURS), &[]).await,
            world.token(Role::Reader, Some(OURS), &[]).await,
            world.token(Role::Operator, Some(OURS), &[]).await,
            world.token(Role::Admin, Some(OURS), &[]).await,
        ];
        for (path, allowed) in [
            ("/v1/tenants/10122/problems", [true, false, true, true]),
            ("/v1/tenants/10122/completeness", [true, false, true, true]),
            ("/v1/feed", [true, true, true, true]),
            ("/metrics", [false, true, true, true]),
            ("/v1/connections", [false, false, true, true]),
            ("/v1/connections/store/debts", [false, false, true, true]),
            ("/v1/loads", [false, false, true, true]),
            ("/v1/reconciliations", [false, false, true, true]),
            ("/v1/findings", [false, false, true, true]),
            ("/v1/tokens", [false, false, false, true]),
            ("/v1/audit", [false, false, false, true]),
        ] {
            for (token, allowed) in tokens.iter().zip(allowed) {
                world.get(token, path).await.expect(if allowed { 200 } else { 403 });
            }
        }
    }

    #[tokio::test]
    async fn a_token_of_one_tenant_sees_and_changes_nothing_of_another() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        world.released("store").await;
        world.held.lock().expect("a lock").clear();
        world.later(10);
        let ours = world.token(Role::Operator, Some(OURS), &[]).await;
        world.post(&ours, "/v1/connections/store/reconcile?wait=true", Value::Null).await.expect(200);
        let load = world.get(&ours, "/v1/loads").await.json()["loads"][0]["id"].to_string();
        let finding = world.get(&ours, "/v1/findings").await.json()["findings"][0]["id"].to_string();
        let token = world.token(Role::Admin, Some(THEIRS), &[]).await;
        let before = world.get(&ours, "/metrics").await.expect(200).body;
        for (method, path) in OPERATIONS {
            let body = match path.rsplit('/').next() {
                Some("find") => json!({"id": "a1"}),
                Some("held") => json!({"learners": []}),
                Some("withdraw") => json!({"state": "deleted"}),
                Some("withdrawals") => json!({"kind": "attainment", "id": "a1", "learner": "p1", "state": "deleted"}),
                Some("retry") => json!({"state": "sent"}),
                Some("route") => json!({"id": ids[1]}),
                Some("tokens") => json!({"name": "x", "role": "reader", "tenant": OURS}),
                Some("erase" | "credits") => json!({"tenant": OURS, "learner": "p1"}),
                Some("links") => json!({"days": 1}),
                _ => Value::Null,
            };
            let address = path.replace("{tenant}", OURS).replace("{name}", "store");
            let address = address.replace("{source}", "default");
            let address = address.replace("/loads/{id}", &format!("/loads/{load}"));
            let address = address.replace("/findings/{id}", &format!("/findings/{finding}")).replace("{id}", &ids[1]);
            let address = address.replace("{credential}", "1").replace("{link}", "1");
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(&address);
            let request = request.header("authorization", format!("Bearer {token}"));
            let answer = world.send(request.body(Body::from(body.to_string())).expect("a request")).await;
            let lists = *method == "get" && !path.contains('{');
            let expected: &[u16] = if lists { &[200] } else { &[403, 404] };
            assert!(expected.contains(&answer.status.as_u16()), "{method} {path}: {} {}", answer.status, answer.body);
            assert!(!answer.body.contains(OURS) && !ids.iter().any(|id| answer.body.contains(id)), "{method} {path}");
            assert!(!answer.body.contains("store"), "{method} {path}: {}", answer.body);
        }
        assert_eq!(world.get(&ours, "/metrics").await.expect(200).body, before);
    }

    #[tokio::test]
    async fn what_goes_wrong_is_a_problem_document() {
        let world = World::new();
        let token = world.token(Role::Admin, None, &[]).await;
        for (method, path, status, code) in [
            ("GET", "/nowhere", 404, "not_found"),
            ("DELETE", "/v1/feed", 405, "method_not_allowed"),
            ("GET", "/v1/feed?after=x", 400, "bad_request"),
            ("GET", "/v1/feed?hetu=010190-999W", 400, "bad_request"),
            ("GET", "/v1/feed?format=paper", 406, "no_such_format"),
            ("GET", "/v1/records/not-an-id", 404, "not_found"),
            ("POST", "/v1/route", 400, "bad_request"),
        ] {
            let request =
                Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
            let answer = world.send(request.body(Body::from("{\"id\":\"010190-999W\"}")).expect("a request")).await;
            let answer = answer.expect(status);
            assert_eq!(answer.json()["type"], format!("urn:silta:problem:{code}"));
            assert_eq!(answer.json()["status"], status);
            assert!(!answer.body.contains("010190"), "{}", answer.body);
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("x-request-id").len(), 16);
        }
        let long = "x".repeat(SMALL_BODY + 1).into();
        world.post(&token, "/v1/route", long).await.expect(413);
    }

    #[tokio::test]
    async fn a_handler_that_panics_or_never_ends_is_answered_for() {
        async fn boom() {
            panic!("010190-999W");
        }
        let world = World::configured("request_timeout_secs = 0");
        let routes = Router::new().route("/boom", get(boom)).route("/never", get(std::future::pending::<()>));
        let routes = dressed(routes, world.gateway.clone());
        let world = world.routed(routes);
        let answer = world.get("", "/boom").await.expect(500);
        assert!(!answer.body.contains("010190"));
        world.get("", "/never").await.expect(408);
    }
}
