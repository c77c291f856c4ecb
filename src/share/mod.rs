//! What a learner shows and an employer opens: pages for anybody who has a link, and the lists that say which
//! credentials were revoked.
//!
//! | file | what it holds |
//! |---|---|
//! | [`link`] | links: made, revoked, and what they lead to |
//! | [`page`] | the page of a credential, and what can be fetched from it |
//! | [`verdict`] | whether the credential holds, as it is told there |
//! | [`status`] | status lists |
//! | [`words`] | what the pages say, in Finnish, Swedish and English |
//!
//! A link names nobody: what is in it is random, and only its hash is known here.

pub mod link;
pub mod page;
pub mod status;
pub mod verdict;
pub mod words;

use crate::http::Shared;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;

/// All addresses that anybody may open, to be merged with the other interfaces.
pub fn routes() -> Router<Shared> {
    let pages = Router::new()
        .route("/c/{token}", get(page::show))
        .route("/c/{token}/credential.jsonld", get(page::document))
        .route("/c/{token}/page.pdf", get(page::pdf))
        .route("/c/{token}/qr.svg", get(page::qr))
        .layer(from_fn(around));
    pages.route("/share.css", get(page::stylesheet)).route("/status/{connection}", get(status::list))
}

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// Around every page: nothing is kept on the way, nothing is told to others by following a link.
async fn around(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept-language"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(HeaderName::from_static("x-robots-tag")).or_insert(HeaderValue::from_static("noindex"));
    response
}
