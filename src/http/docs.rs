//! The description of the interface for people (`/docs`, which loads nothing from elsewhere) and programs
//! (`/openapi.json`). Neither says anything about data, so neither asks for a token.

use super::Shared;
use super::openapi::openapi;
use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Routes of the description.
pub fn router() -> Router<Shared> {
    // Without this the page asks a public validator about the description.
    let config = Config::default().validator_url("none");
    let policy = HeaderValue::from_static(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    );
    let ui = SwaggerUi::new("/docs").config(config).url("/openapi.json", openapi());
    Router::from(ui).layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, policy))
}
