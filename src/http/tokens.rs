//! `/v1/tokens`: who may do what.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use crate::access::{self, Denied, NewToken, Right};
use crate::ledger::{Micros, Role, Token};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;

/// Tokens, revoked and expired ones too.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenList {
    /// The tokens.
    tokens: Vec<TokenView>,
}

/// A token; its text is known only to whoever it was made for. Times are in microseconds since the epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenView {
    /// Its name.
    name: SmolStr,
    /// What it may do.
    role: Role,
    /// For which tenant; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<SmolStr>,
    /// For which kinds; empty for all.
    kinds: Vec<RecordKind>,
    /// When it was made.
    created: Micros,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Micros>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Micros>,
}

/// A token to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOrder {
    /// Its name, unique: up to 64 letters, digits, `.`, `-` and `_`. It is written to logs and the audit trail.
    name: SmolStr,
    /// What it may do.
    role: Role,
    /// For which tenant; all if not given.
    #[serde(default)]
    tenant: Option<SmolStr>,
    /// For which kinds; all if not given.
    #[serde(default)]
    kinds: Vec<RecordKind>,
    /// When it ends; never if not given.
    #[serde(default)]
    expires: Option<Micros>,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewTokenAnswer {
    /// Its name.
    name: SmolStr,
    /// Its text: shown once and kept nowhere.
    token: String,
}

described!(TokenList, TokenOrder, NewTokenAnswer);

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let Token { name, role, tenant, kinds, created, expires, revoked, .. } = token;
        Self { name, role, tenant, kinds, created, expires, revoked }
    }
}

/// List tokens.
#[utoipa::path(get, path = "/v1/tokens", tag = "administering",
    responses((status = 200, description = "all tokens the token may administer", body = TokenList)))]
pub async fn list_tokens(State(gateway): State<Shared>, Bearer(actor): Bearer) -> Result<Json<TokenList>, ApiError> {
    actor.may(Right::Administer, actor.tenant().map(SmolStr::as_str))?;
    let tokens = gateway.ledger.tokens().await?;
    let reached = tokens.into_iter().filter(|t| actor.may(Right::Administer, t.tenant.as_deref()).is_ok());
    Ok(Json(TokenList { tokens: reached.map(Into::into).collect() }))
}

/// Make a token.
///
/// A token makes none that may do more than itself.
#[utoipa::path(post, path = "/v1/tokens", tag = "administering", request_body = TokenOrder,
    responses((status = 201, description = "it is made; its text is shown this once", body = NewTokenAnswer),
        (status = 409, description = "the name is taken", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn create_token(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    JsonBody(order): JsonBody<TokenOrder>,
) -> Result<(StatusCode, Json<NewTokenAnswer>), ApiError> {
    actor.may(Right::Administer, order.tenant.as_deref())?;
    let wider = order.kinds.is_empty() || !order.kinds.iter().all(|kind| actor.sees(*kind));
    if !actor.kinds().is_empty() && wider {
        return Err(Denied::Kind.into());
    }
    let plain = order.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if order.name.is_empty() || order.name.len() > 64 || !plain {
        return Err(ApiError::bad_request("a name is made of up to 64 letters, digits, ., - and _"));
    }
    if order.tenant.as_deref().is_some_and(|tenant| gateway.config.tenant(tenant).is_none()) {
        return Err(ApiError::bad_request("the gateway does not know the tenant"));
    }
    if gateway.ledger.tokens().await?.iter().any(|t| t.name == order.name) {
        return Err(ApiError::conflict("a token of this name was made before"));
    }
    let TokenOrder { name, role, tenant, kinds, expires } = order;
    let new = NewToken { name: name.clone(), role, tenant: tenant.clone(), kinds, expires };
    let token = access::create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await?;
    let tenant = tenant.unwrap_or_default();
    access::audit(&gateway, actor.name(), "create_token", &tenant, &name, role.name()).await?;
    Ok((StatusCode::CREATED, Json(NewTokenAnswer { name, token })))
}

/// Revoke a token.
#[utoipa::path(delete, path = "/v1/tokens/{name}", tag = "administering",
    params(("name" = String, Path, description = "its name")),
    responses((status = 204, description = "it is revoked")))]
pub async fn revoke_token(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
) -> Result<StatusCode, ApiError> {
    actor.may(Right::Administer, actor.tenant().map(SmolStr::as_str))?;
    let tokens = gateway.ledger.tokens().await?;
    let reached = |t: &Token| t.name == name && actor.may(Right::Administer, t.tenant.as_deref()).is_ok();
    let token = tokens.into_iter().find(reached).ok_or_else(ApiError::not_found)?;
    gateway.ledger.revoke_token(&name, gateway.now()).await?;
    access::audit(&gateway, actor.name(), "revoke_token", &token.tenant.unwrap_or_default(), &name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;
    use silta_adapter::record::RecordKind;

    #[tokio::test]
    async fn a_token_works_until_it_is_revoked() {
        let world = World::new();
        let admin = world.token(Role::Admin, None, &[]).await;
        let order = json!({"name": "sis", "role": "reader", "tenant": OURS});
        let made = world.post(&admin, "/v1/tokens", order.clone()).await.expect(201).json();
        let text = made["token"].as_str().expect("a token");
        world.get(text, "/v1/feed").await.expect(200);
        world.post(&admin, "/v1/tokens", order).await.expect(409);
        let list = world.get(&admin, "/v1/tokens").await.expect(200);
        assert!(list.body.contains("\"sis\"") && !list.body.contains(text));
        let revoke = |token: &str, name: &str| {
            let request =
                Request::delete(format!("/v1/tokens/{name}")).header("authorization", format!("Bearer {token}"));
            request.body(Body::empty()).expect("a request")
        };
        world.send(revoke(&admin, "nobody")).await.expect(404);
        world.send(revoke(&admin, "sis")).await.expect(204);
        world.get(text, "/v1/feed").await.expect(401);
    }

    #[tokio::test]
    async fn a_token_makes_none_that_may_do_more_than_itself() {
        let world = World::new();
        let admin = world.token(Role::Admin, Some(OURS), &[RecordKind::Attainment]).await;
        let order = |tenant: Option<&str>, kinds: &[&str]| {
            json!({"name": format!("t{}{}", tenant.unwrap_or("-"), kinds.len()), "role": "admin", "tenant": tenant,
                "kinds": kinds})
        };
        for (tenant, kinds, status) in [
            (Some(OURS), ["attainment"].as_slice(), 201),
            (Some(OURS), &[], 403),
            (Some(OURS), &["attainment", "learner"], 403),
            (Some(THEIRS), &["attainment"], 403),
            (None, &["attainment"], 403),
        ] {
            world.post(&admin, "/v1/tokens", order(tenant, kinds)).await.expect(status);
        }
        world.token(Role::Reader, Some(THEIRS), &[]).await;
        let list = world.get(&admin, "/v1/tokens").await.expect(200).json();
        let tokens = list["tokens"].as_array().expect("tokens");
        assert!(tokens.iter().all(|t| t["tenant"] == OURS), "{list}");
        let bad = json!({"name": "Aino Kana", "role": "reader", "tenant": OURS, "kinds": ["attainment"]});
        world.post(&admin, "/v1/tokens", bad).await.expect(400);
    }
}
