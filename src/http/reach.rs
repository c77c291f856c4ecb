//! What a token reaches. What it may not know of does not exist for it.

use super::error::ApiError;
use crate::access::{Actor, Right};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Finding, Load, RecordId, StoredRecord};
use crate::reconcile::compare::Evidence;
use crate::reconcile::source::Source;
use std::sync::Arc;

/// Checks a right over a tenant that is named in an address.
///
/// # Errors
/// 403 if the token does not have it, 404 if the gateway does not know the tenant.
pub fn tenant(gateway: &Gateway, actor: &Actor, right: Right, tenant: &str) -> Result<(), ApiError> {
    actor.may(right, Some(tenant))?;
    gateway.config.tenant(tenant).map(|_| ()).ok_or_else(ApiError::not_found)
}

/// A record.
///
/// # Errors
/// 403 if the role does not have the right; 404 if there is no such record or it is not of the token's tenant and kinds.
pub async fn record(gateway: &Gateway, actor: &Actor, right: Right, id: RecordId) -> Result<StoredRecord, ApiError> {
    actor.may(right, None)?;
    let record = gateway.ledger.record(id).await?;
    record.filter(|r| actor.may(right, Some(&r.tenant)).is_ok() && actor.sees(r.kind)).ok_or_else(ApiError::not_found)
}

/// The connections of the token's tenants.
///
/// # Errors
/// 403 if the role may not operate.
pub fn connections<'a>(gateway: &'a Gateway, actor: &Actor) -> Result<Vec<&'a Arc<Connection>>, ApiError> {
    actor.may(Right::Operate, None)?;
    let reached = |c: &&Arc<Connection>| actor.may(Right::Operate, Some(&c.config.tenant)).is_ok();
    Ok(gateway.connections.iter().filter(reached).collect())
}

/// A connection by its name.
///
/// # Errors
/// 403 if the role may not operate; 404 if there is no such connection or it is of another tenant.
pub fn connection<'a>(gateway: &'a Gateway, actor: &Actor, name: &str) -> Result<&'a Arc<Connection>, ApiError> {
    connections(gateway, actor)?.into_iter().find(|c| c.config.name == name).ok_or_else(ApiError::not_found)
}

/// Whether a token reaches what happened at a source, or at a connection that may not be configured any more.
pub fn past(gateway: &Gateway, actor: &Actor, connection: &str) -> bool {
    let source = Source::from_name(connection);
    let tenant = match &source {
        Some(source) => Some(source.tenant.as_str()),
        None => gateway.connection(connection).map(|c| c.config.tenant.as_str()),
    };
    match (actor.tenant(), tenant) {
        (None, _) => true,
        (Some(own), tenant) => tenant == Some(own),
    }
}

/// A load.
///
/// # Errors
/// As [`connection`].
pub async fn load(gateway: &Gateway, actor: &Actor, id: i64) -> Result<Load, ApiError> {
    actor.may(Right::Operate, None)?;
    let load = gateway.ledger.load(id).await?;
    load.filter(|l| actor.may(Right::Operate, Some(&l.tenant)).is_ok()).ok_or_else(ApiError::not_found)
}

/// A finding.
///
/// # Errors
/// As [`connection`]; 404 too if it is about a kind the token is not for.
pub async fn finding(gateway: &Gateway, actor: &Actor, id: i64) -> Result<Finding, ApiError> {
    actor.may(Right::Operate, None)?;
    // Without evidence (it was erased) a finding says nothing about anybody.
    let sees = |f: &Finding| gateway.vault.open_json(&f.evidence).map_or(true, |e: Evidence| actor.sees(e.key.kind));
    let finding = gateway.ledger.finding(id).await?;
    finding.filter(|f| past(gateway, actor, &f.connection) && sees(f)).ok_or_else(ApiError::not_found)
}
