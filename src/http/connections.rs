//! `GET /v1/connections` and `GET /v1/connections/{name}`: how connections do.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::UrlPath;
use super::openapi::described;
use super::reach;
use crate::delivery::settle::usable;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{LedgerError, Micros};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Over which time attempts are counted.
const DAY: Micros = 86_400_000_000;

/// All connections a token reaches.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectionList {
    /// In the order of the configuration.
    connections: Vec<ConnectionView>,
}

/// A connection and how it does. Times are in microseconds since the epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectionView {
    /// Its name.
    name: SmolStr,
    /// Whose records it carries.
    tenant: SmolStr,
    /// The adapter it uses.
    adapter: SmolStr,
    /// True if a load replaces everything, so that absence means deletion.
    replaces_all: bool,
    /// True if what the destination holds can be read back.
    readback: bool,
    /// True if it may send now: not paused, breaker closed.
    usable: bool,
    /// Paused by an operator.
    paused: bool,
    /// Failures in a row.
    failures: i64,
    /// The breaker is open until then.
    breaker_open_until: Option<Micros>,
    /// When the last load was delivered.
    last_load: Option<Micros>,
    /// When the last reconciliation was started.
    last_reconciled: Option<Micros>,
    /// Debts that are still to be paid.
    backlog: i64,
    /// Since when the oldest of them is owed.
    oldest_debt: Option<Micros>,
    /// Debts by state.
    debts: BTreeMap<&'static str, i64>,
    /// Attempts within the last day.
    attempts: i64,
    /// Of them accepted.
    accepted: i64,
    /// Loads that wait for an operator.
    held_loads: i64,
    /// Findings that survived a repair and wait for a person.
    persistent_findings: i64,
}

described!(ConnectionList, ConnectionView);

/// How a connection does.
pub(super) async fn view(gateway: &Gateway, connection: &Connection) -> Result<ConnectionView, LedgerError> {
    let config = &connection.config;
    let state = gateway.ledger.connection(&config.name).await?;
    let now = gateway.now();
    let figures = gateway.ledger.figures(&config.name, now - DAY).await?;
    Ok(ConnectionView {
        name: config.name.clone(),
        tenant: config.tenant.clone(),
        adapter: config.adapter.clone(),
        replaces_all: connection.replaces_all(),
        readback: connection.readback(),
        usable: usable(&state, now),
        paused: state.paused,
        failures: state.failures,
        breaker_open_until: state.open_until.filter(|until| *until > now),
        last_load: state.last_load,
        last_reconciled: state.last_reconciled,
        backlog: figures.backlog(),
        oldest_debt: figures.oldest,
        debts: figures.states.iter().map(|(state, n)| (state.name(), *n)).collect(),
        attempts: figures.attempts,
        accepted: figures.accepted,
        held_loads: figures.held_loads,
        persistent_findings: figures.persistent,
    })
}

/// List connections.
#[utoipa::path(get, path = "/v1/connections", tag = "operating",
    responses((status = 200, description = "all connections the token reaches", body = ConnectionList)))]
pub async fn list_connections(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
) -> Result<Json<ConnectionList>, ApiError> {
    let mut connections = Vec::new();
    for connection in reach::connections(&gateway, &actor)? {
        connections.push(view(&gateway, connection).await?);
    }
    Ok(Json(ConnectionList { connections }))
}

/// Read one connection.
#[utoipa::path(get, path = "/v1/connections/{name}", tag = "operating",
    params(("name" = String, Path, description = "name of the connection")),
    responses((status = 200, description = "how it does", body = ConnectionView)))]
pub async fn read_connection(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(name): UrlPath<SmolStr>,
) -> Result<Json<ConnectionView>, ApiError> {
    Ok(Json(view(&gateway, reach::connection(&gateway, &actor, &name)?).await?))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;

    #[tokio::test]
    async fn an_operator_sees_the_connections_of_the_own_tenant() {
        let world = World::new();
        world.seeded(OURS).await;
        let ours = world.token(Role::Operator, Some(OURS), &[]).await;
        let list = world.get(&ours, "/v1/connections").await.expect(200).json();
        assert_eq!(list["connections"].as_array().map(Vec::len), Some(1));
        let store = world.get(&ours, "/v1/connections/store").await.expect(200).json();
        assert_eq!(store, list["connections"][0]);
        assert_eq!((store["backlog"].as_i64(), store["debts"]["unplanned"].as_i64()), (Some(3), Some(3)));
        assert_eq!((store["usable"].as_bool(), store["replaces_all"].as_bool()), (Some(true), Some(true)));
        world.get(&ours, "/v1/connections/other").await.expect(404);
        let theirs = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.get(&theirs, "/v1/connections/store").await.expect(404);
        let all = world.token(Role::Operator, None, &[]).await;
        let list = world.get(&all, "/v1/connections").await.expect(200).json();
        assert_eq!(list["connections"].as_array().map(Vec::len), Some(2));
    }
}
