//! The bearer token of a request.

use super::Shared;
use super::error::ApiError;
use super::observe::Who;
use crate::access::{Actor, Denied};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

/// The actor named by the request's bearer token. Extracting it answers 401 where there is none.
#[derive(Debug, Clone)]
pub struct Bearer(pub Actor);

impl FromRequestParts<Shared> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, ApiError> {
        let text = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Denied::Unknown)?;
        let actor = Actor::identify(gateway, text).await??;
        if let Some(who) = parts.extensions.get::<Who>() {
            who.tell(actor.name());
        }
        Ok(Self(actor))
    }
}
