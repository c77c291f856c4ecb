//! `POST /v1/route`: which connections carry a record, and why.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::JsonBody;
use super::openapi::described;
use super::reach;
use crate::access::Right;
use crate::delivery::rules::{Route, route};
use crate::exchange::document;
use crate::ledger::RecordId;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::Record;
use smol_str::SmolStr;

/// A record, or the opaque id of one that is known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RouteQuery {
    /// This record. It is not kept.
    Record(Box<Record>),
    /// A record that is known.
    Id(RecordId),
}

/// Where a record goes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RouteAnswer {
    /// One for each connection the token reaches.
    connections: Vec<ConnectionRoute>,
}

/// Whether one connection carries it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectionRoute {
    /// The connection.
    connection: SmolStr,
    /// Whether it does, and why.
    #[serde(flatten)]
    route: Route,
}

described!(RouteQuery, RouteAnswer);

/// Explain a route.
#[utoipa::path(post, path = "/v1/route", tag = "operating", request_body = RouteQuery,
    responses((status = 200, description = "what each connection does with it", body = RouteAnswer)))]
pub async fn explain_route(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    JsonBody(query): JsonBody<RouteQuery>,
) -> Result<Json<RouteAnswer>, ApiError> {
    let connections = reach::connections(&gateway, &actor)?;
    let record = match query {
        RouteQuery::Record(record) => *record,
        RouteQuery::Id(id) => {
            let stored = reach::record(&gateway, &actor, Right::Operate, id).await?;
            document::open(&gateway, &stored)?
                .ok_or_else(|| ApiError::conflict("the record has no content any more"))?
        }
    };
    let explain = |c: &std::sync::Arc<crate::gateway::Connection>| ConnectionRoute {
        connection: c.config.name.clone(),
        route: route(&record, &c.config, c.adapter.descriptor()),
    };
    Ok(Json(RouteAnswer { connections: connections.into_iter().map(explain).collect() }))
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::json;

    #[tokio::test]
    async fn every_connection_in_reach_says_what_it_does_and_why() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        let token = world.token(Role::Operator, None, &[]).await;
        let record = json!({"kind": "activity", "tenant": OURS, "id": "x", "learner": "p1", "body": {}});
        let answer = world.post(&token, "/v1/route", json!({"record": record})).await.expect(200).json();
        let expected = json!([
            {"connection": "store", "send": false, "why": "rule 1: it has no credits"},
            {"connection": "other", "send": false, "why": "the connection carries records of 10065 only"},
        ]);
        assert_eq!(answer["connections"], expected);
        let known = world.post(&token, "/v1/route", json!({"id": ids[1]})).await.expect(200).json();
        assert_eq!(known["connections"][0]["send"], true);
        let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.post(&stranger, "/v1/route", json!({"id": ids[1]})).await.expect(404);
        let seen = world.post(&stranger, "/v1/route", json!({"record": record})).await.expect(200).json();
        assert_eq!(seen["connections"].as_array().map(Vec::len), Some(1));
    }
}
