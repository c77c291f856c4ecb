//! `/v1/loads`: whole loads, and an operator's ruling on those that are held.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery, page};
use super::openapi::described;
use super::reach;
use crate::access::{self, Actor, Right};
use crate::delivery::load::{Ruling, rule};
use crate::gateway::Gateway;
use crate::ledger::{Load, Shrinkage};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Which loads.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LoadsQuery {
    /// True for those that wait for an operator only.
    #[serde(default)]
    held: bool,
    /// Most loads, up to 1000; 100 if not given.
    limit: Option<u32>,
}

/// Loads, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoadList {
    /// The loads.
    loads: Vec<Load>,
}

/// A load and what it would remove.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoadView {
    /// The load.
    load: Load,
    /// What it removes of what the last delivered load placed.
    shrinkage: Shrinkage,
}

described!(LoadList, LoadView);

/// List loads of all connections.
#[utoipa::path(get, path = "/v1/loads", tag = "operating", params(LoadsQuery),
    responses((status = 200, description = "loads, newest first", body = LoadList)))]
pub async fn list_loads(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlQuery(query): UrlQuery<LoadsQuery>,
) -> Result<Json<LoadList>, ApiError> {
    actor.may(Right::Operate, None)?;
    let mut loads = Vec::new();
    match actor.tenant() {
        None => loads = gateway.ledger.loads(None, query.held, page(query.limit)).await?,
        Some(_) => {
            for connection in reach::connections(&gateway, &actor)? {
                let name = Some(connection.config.name.as_str());
                loads.extend(gateway.ledger.loads(name, query.held, page(query.limit)).await?);
            }
            loads.sort_by_key(|load| std::cmp::Reverse(load.id));
            loads.truncate(page(query.limit) as usize);
        }
    }
    Ok(Json(LoadList { loads }))
}

/// List loads of one connection.
#[utoipa::path(get, path = "/v1/connections/{name}/loads", tag = "operating",
    params(("name" = String, Path, description = "name of the connection"), LoadsQuery),
    responses((status = 200, description = "loads, newest first", body = LoadList)))]
pub async fn list_loads_of(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<LoadsQuery>,
) -> Result<Json<LoadList>, ApiError> {
    let connection = reach::connection(&gateway, &actor, &name)?;
    let name = Some(connection.config.name.as_str());
    Ok(Json(LoadList { loads: gateway.ledger.loads(name, query.held, page(query.limit)).await? }))
}

/// Read one load.
#[utoipa::path(get, path = "/v1/loads/{id}", tag = "operating", params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "the load and what it would remove", body = LoadView)))]
pub async fn read_load(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<LoadView>, ApiError> {
    let load = reach::load(&gateway, &actor, id).await?;
    Ok(Json(view(&gateway, load).await?))
}

async fn view(gateway: &Gateway, load: Load) -> Result<LoadView, ApiError> {
    let shrinkage = gateway.ledger.shrinkage(&load.connection, load.id).await?;
    Ok(LoadView { load, shrinkage })
}

async fn decide(gateway: &Gateway, actor: &Actor, id: i64, ruling: Ruling) -> Result<Json<LoadView>, ApiError> {
    let load = reach::load(gateway, actor, id).await?;
    let action = match ruling {
        Ruling::Release => "release_load",
        Ruling::Reject => "reject_load",
    };
    if !rule(gateway, id, ruling, actor.name()).await? {
        return Err(ApiError::conflict("the load is not held"));
    }
    access::audit(gateway, actor.name(), action, &load.tenant, &load.connection, &format!("load {id}")).await?;
    Ok(Json(view(gateway, reach::load(gateway, actor, id).await?).await?))
}

/// Release a held load.
///
/// It is built anew and may remove no more than what was shown.
#[utoipa::path(post, path = "/v1/loads/{id}/release", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it may be sent", body = LoadView)))]
pub async fn release_load(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<LoadView>, ApiError> {
    decide(&gateway, &actor, id, Ruling::Release).await
}

/// Reject a held load.
///
/// It is not sent; the next change makes a new one.
#[utoipa::path(post, path = "/v1/loads/{id}/reject", tag = "operating",
    params(("id" = i64, Path, description = "its id")),
    responses((status = 200, description = "it is not sent", body = LoadView)))]
pub async fn reject_load(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<i64>,
) -> Result<Json<LoadView>, ApiError> {
    decide(&gateway, &actor, id, Ruling::Reject).await
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::Value;

    #[tokio::test]
    async fn a_first_load_is_held_until_an_operator_releases_it() {
        let world = World::new();
        world.seeded(OURS).await;
        world.deliver("store").await;
        let token = world.token(Role::Operator, Some(OURS), &[]).await;
        let held = world.get(&token, "/v1/loads?held=true").await.expect(200).json();
        let id = held["loads"][0]["id"].as_i64().expect("an id");
        let view = world.get(&token, &format!("/v1/loads/{id}")).await.expect(200).json();
        assert_eq!((view["load"]["items"].as_i64(), view["shrinkage"]["removed"].as_i64()), (Some(3), Some(0)));
        let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.get(&stranger, &format!("/v1/loads/{id}")).await.expect(404);
        world.post(&stranger, &format!("/v1/loads/{id}/release"), Value::Null).await.expect(404);
        assert_eq!(
            world.get(&stranger, "/v1/loads").await.expect(200).json()["loads"].as_array().map(Vec::len),
            Some(0)
        );
        let ruled = world.post(&token, &format!("/v1/loads/{id}/release"), Value::Null).await.expect(200).json();
        assert_eq!(ruled["load"]["status"], "released");
        world.post(&token, &format!("/v1/loads/{id}/reject"), Value::Null).await.expect(409);
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("release_load", "store"));
        assert!(world.held.lock().expect("a lock").is_empty());
        world.later(10);
        world.deliver("store").await;
        assert_eq!(world.held.lock().expect("a lock").len(), 3);
        let loads = world.get(&token, "/v1/connections/store/loads").await.expect(200).json();
        assert_eq!(
            (&loads["loads"][0]["status"], loads["loads"].as_array().map(Vec::len)),
            (&"delivered".into(), Some(2))
        );
    }
}
