//! `GET /v1/records/{id}/journey`: everything that happened to a record.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::UrlPath;
use super::openapi::described;
use super::reach;
use crate::access::{self, Right};
use crate::exchange::journey::{Journey, journey};
use crate::ledger::RecordId;
use axum::Json;
use axum::extract::State;

described!(Journey);

/// Read a record's journey.
///
/// Every version, debt, load, attempt, problem and finding. Every reading is audited.
#[utoipa::path(get, path = "/v1/records/{id}/journey", tag = "records",
    params(("id" = String, Path, description = "opaque id")),
    responses((status = 200, description = "the journey", body = Journey)))]
pub async fn read_journey(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<RecordId>,
) -> Result<Json<Journey>, ApiError> {
    let stored = reach::record(&gateway, &actor, Right::Read, id).await?;
    access::audit(&gateway, actor.name(), "read_journey", &stored.tenant, &id.to_string(), "").await?;
    journey(&gateway, id).await?.map(Json).ok_or_else(ApiError::not_found)
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;

    #[tokio::test]
    async fn it_tells_what_happened_and_who_asked_is_noted() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        world.deliver("store").await;
        let address = format!("/v1/records/{}/journey", ids[1]);
        let reader = world.token(Role::Reader, Some(OURS), &[]).await;
        let journey = world.get(&reader, &address).await.expect(200).json();
        assert_eq!(journey["key"]["id"], "a1");
        assert_eq!(journey["arrivals"][0]["outcome"], "new");
        assert_eq!(journey["debts"][0]["connection"], "store");
        assert_eq!(journey["loads"][0]["status"], "held");
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("read_journey", ids[1].as_str()));
        let stranger = world.token(Role::Operator, Some(THEIRS), &[]).await;
        world.get(&stranger, &address).await.expect(404);
    }
}
