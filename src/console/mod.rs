//! The operator's web pages: made on the server, without scripts, without anything from elsewhere.
//!
//! | file | what it holds |
//! |---|---|
//! | [`session`] | who is logged in; form tokens |
//! | [`layout`] | what is around every page |
//! | [`error`] | what can go wrong, told in the same layout |
//! | [`view`] | how values look |
//! | [`content`] | a record's JSON as a definition list |
//! | [`pages`] | one file per page: its view model, its handlers, its buttons |

pub mod content;
pub mod error;
pub mod layout;
pub mod pages;
pub mod session;
pub mod view;

use crate::http::Shared;
use crate::http::error::ApiError;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use error::Trouble;
use governor::{DefaultDirectRateLimiter, Quota};
use pages::{
    completeness, connection, credentials, finding, findings, load, login, overview, problems, record, records,
    refusals,
};
use session::{Seat, Sessions};
use smol_str::SmolStr;
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

/// What the pages share.
pub struct Console {
    /// The gateway.
    pub gateway: Shared,
    /// Who is logged in.
    pub sessions: Sessions,
    /// Paces log-ins.
    pub logins: DefaultDirectRateLimiter,
    /// Connections whose reconciliation was started here and runs.
    pub reconciling: Mutex<HashSet<SmolStr>>,
}

/// What handlers share.
pub type App = Arc<Console>;

const FORM_BYTES: usize = 16 << 10;
const LOGINS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// All pages, to be merged with the other interfaces. Also answers addresses nobody else does: with a page where a browser
/// asks, with a problem document otherwise.
pub fn router(gateway: Shared) -> Router {
    routes(gateway)
}

/// All pages, to be merged with routes of any state.
pub fn routes<S: Clone + Send + Sync + 'static>(gateway: Shared) -> Router<S> {
    let app: App = Arc::new(Console {
        gateway,
        sessions: Sessions::default(),
        logins: DefaultDirectRateLimiter::direct(Quota::per_minute(LOGINS_PER_MINUTE)),
        reconciling: Mutex::default(),
    });
    Router::new()
        .route("/", get(overview::show))
        .route("/login", get(login::show).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/connections/{name}", get(connection::show))
        .route("/connections/{name}/debts/{state}", get(refusals::in_state))
        .route("/connections/{name}/{act}", post(connection::act))
        .route("/loads/{id}", get(load::show))
        .route("/loads/{id}/{act}", post(load::act))
        .route("/records", get(records::show).post(records::find))
        .route("/records/{id}", get(record::show))
        .route("/refusals", get(refusals::show))
        .route("/findings", get(findings::show))
        .route("/findings/{id}", get(finding::show))
        .route("/findings/{id}/{act}", post(finding::act))
        .route("/problems", get(problems::show))
        .route("/credentials", get(credentials::show))
        .route("/credentials/{credential}/links/{link}/revoke", post(credentials::revoke))
        .route("/completeness", get(completeness::show))
        .route("/completeness.csv", get(completeness::export))
        .route("/console.css", get(stylesheet))
        .route("/console.svg", get(icon))
        .route("/{*path}", any(nowhere))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

async fn stylesheet() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, FOR_EVER)], layout::CSS)
}

async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, FOR_EVER)], include_str!("console.svg"))
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";

async fn nowhere(request: Request) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") { Trouble::NotFound.into_response() } else { ApiError::not_found().into_response() }
}

/// Around every request: who asks, whether a form comes from elsewhere, what went wrong, and what browsers may do.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (seat, early) = match Seat::by_cookie(&app, request.headers()).await {
        Ok(seat) => (seat, elsewhere(&request).then_some(Trouble::Forged)),
        Err(e) => (None, Some(e.into())),
    };
    if let Some(seat) = &seat {
        request.extensions_mut().insert(seat.clone());
    }
    let mut response = match early {
        Some(trouble) => trouble.into_response(),
        None => next.run(request).await,
    };
    if let Some(trouble) = response.extensions().get::<Trouble>() {
        response = trouble.page(&app, seat.as_ref());
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// True for a form that a browser says was sent from another site (this covers the log-in form, which has no session).
fn elsewhere(request: &Request) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|v| v.to_str().ok());
    request.method() == Method::POST && site.is_some_and(|site| site != "same-origin" && site != "none")
}
