//! `/v1/records/{id}/credentials`: credentials issued for a record, and the links by which learners show them.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{JsonBody, UrlPath};
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::gateway::Gateway;
use crate::ledger::{Issued, Micros, RecordId, Share};
use crate::share::link;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Days that a link may last.
const LONGEST_DAYS: u32 = 3660;
const DAY: Micros = 86_400_000_000;

/// Credentials issued for a record, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CredentialList {
    /// The credentials.
    credentials: Vec<CredentialView>,
}

/// A credential that was issued. Times are in microseconds since the epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CredentialView {
    /// Its number.
    id: i64,
    /// Over which connection.
    connection: SmolStr,
    /// Which generation of what the connection is owed.
    generation: i64,
    /// When it was first to be issued.
    issued: Micros,
    /// When it was withdrawn, or another took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn: Option<Micros>,
    /// True if the sealed document is kept; it goes when the learner is erased.
    kept: bool,
    /// Links to it.
    links: Vec<LinkView>,
}

/// A link to a credential; its address is known only to whoever it was made for. Times are in microseconds since the
/// epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkView {
    /// Its number.
    id: i64,
    /// When it was made.
    created: Micros,
    /// When it ends.
    expires: Micros,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Micros>,
    /// True if search engines may read what the page says.
    public: bool,
}

/// A link to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkOrder {
    /// How long it lasts, in days: 1–3660.
    days: u32,
    /// True only if the learner asked that search engines read what the page says of the credential.
    #[serde(default)]
    public: bool,
}

/// A link that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewLinkAnswer {
    /// Its number, by which it is revoked.
    id: i64,
    /// Its address: shown once and kept nowhere. Whoever has it sees the credential.
    url: String,
    /// When it ends, in microseconds since the epoch.
    expires: Micros,
}

described!(CredentialList, LinkOrder, NewLinkAnswer);

impl From<Share> for LinkView {
    fn from(link: Share) -> Self {
        let Share { id, created, expires, revoked, public, .. } = link;
        Self { id, created, expires, revoked, public }
    }
}

/// A credential of a record.
async fn credential(gateway: &Gateway, record: RecordId, credential: i64) -> Result<Issued, ApiError> {
    let issued = gateway.ledger.issued(credential).await?;
    issued.filter(|issued| issued.item == record).ok_or_else(ApiError::not_found)
}

/// List a record's credentials.
#[utoipa::path(get, path = "/v1/records/{id}/credentials", tag = "credentials",
    params(("id" = String, Path, description = "opaque id of the record that the credential is about")),
    responses((status = 200, description = "credentials with their links", body = CredentialList)))]
pub async fn list_credentials(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<RecordId>,
) -> Result<Json<CredentialList>, ApiError> {
    reach::record(&gateway, &actor, Right::Read, id).await?;
    let mut credentials = Vec::new();
    for issued in gateway.ledger.issued_of(id).await? {
        let links = gateway.ledger.shares_of(issued.id).await?;
        credentials.push(CredentialView {
            id: issued.id,
            connection: issued.connection,
            generation: issued.generation,
            issued: issued.at,
            withdrawn: issued.withdrawn,
            kept: issued.document.is_some(),
            links: links.into_iter().map(Into::into).collect(),
        });
    }
    Ok(Json(CredentialList { credentials }))
}

/// Make a link to a credential.
///
/// For the learner, who gives it to whomever she likes. The page behind it shows the credential and whether it holds.
#[utoipa::path(post, path = "/v1/records/{id}/credentials/{credential}/links", tag = "credentials",
    params(("id" = String, Path, description = "opaque id of the record"),
        ("credential" = i64, Path, description = "number of the credential")),
    request_body = LinkOrder,
    responses((status = 201, description = "it is made; its address is shown this once", body = NewLinkAnswer),
        (status = 409, description = "there is nothing to show", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn make_link(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath((id, number)): UrlPath<(RecordId, i64)>,
    JsonBody(order): JsonBody<LinkOrder>,
) -> Result<(StatusCode, Json<NewLinkAnswer>), ApiError> {
    let record = reach::record(&gateway, &actor, Right::Push, id).await?;
    let issued = credential(&gateway, id, number).await?;
    if !(1..=LONGEST_DAYS).contains(&order.days) {
        return Err(ApiError::bad_request("a link lasts from 1 to 3660 days"));
    }
    if gateway.config.server.public_url.is_empty() {
        return Err(ApiError::conflict("the gateway has no public address (server.public_url)"));
    }
    if issued.document.is_none() || issued.withdrawn.is_some() {
        return Err(ApiError::conflict("the credential was withdrawn, or is not sealed yet"));
    }
    let expires = gateway.now() + i64::from(order.days) * DAY;
    let made = link::make(&gateway, issued.id, expires, order.public).await?;
    let subject = made.id.to_string();
    access::audit(&gateway, actor.name(), "make_link", &record.tenant, &id.to_string(), &subject).await?;
    Ok((StatusCode::CREATED, Json(NewLinkAnswer { id: made.id, url: made.url, expires })))
}

/// Revoke a link.
#[utoipa::path(delete, path = "/v1/records/{id}/credentials/{credential}/links/{link}", tag = "credentials",
    params(("id" = String, Path, description = "opaque id of the record"),
        ("credential" = i64, Path, description = "number of the credential"),
        ("link" = i64, Path, description = "number of the link")),
    responses((status = 204, description = "it leads nowhere any more")))]
pub async fn revoke_link(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath((id, number, link)): UrlPath<(RecordId, i64, i64)>,
) -> Result<StatusCode, ApiError> {
    let record = reach::record(&gateway, &actor, Right::Push, id).await?;
    let issued = credential(&gateway, id, number).await?;
    if !gateway.ledger.revoke_share(issued.id, link, gateway.now()).await? {
        return Err(ApiError::not_found());
    }
    let subject = link.to_string();
    access::audit(&gateway, actor.name(), "revoke_link", &record.tenant, &id.to_string(), &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
