//! `GET /v1/records/{id}`: one record in the format asked for.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::UrlPath;
use super::reach;
use crate::access::{self, Denied, Right};
use crate::exchange::{ExchangeError, document};
use crate::ledger::RecordId;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use silta_adapter::adapter::{Adapter, Grouping, Registry};
use std::sync::Arc;

/// How many values the document does not hold as the record says them.
pub const LOSSES: HeaderName = HeaderName::from_static("silta-losses");

/// Read a record.
///
/// The format is chosen by `Accept`; the record's own JSON if anything will do. `Silta-Losses` counts what the document
/// does not hold as the record says it. Formats that compose a document from all records of a learner need a token for
/// all kinds. Every reading is audited.
#[utoipa::path(get, path = "/v1/records/{id}", tag = "records",
    params(("id" = String, Path, description = "opaque id")),
    responses((status = 200, description = "the record", headers(("Silta-Losses" = u64, description = "losses")),
            content((ref("#/components/schemas/Record") = "application/json"), (String = "application/xml"), (Object = "application/ld+json"))),
        (status = 406, description = "records cannot be given in this format", body = super::error::ProblemDocument,
            content_type = "application/problem+json")))]
pub async fn read_record(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(id): UrlPath<RecordId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stored = reach::record(&gateway, &actor, Right::Read, id).await?;
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).map(str::to_ascii_lowercase);
    let (adapter, media_type) = negotiate(&gateway.registry, accept.as_deref()).ok_or(ExchangeError::NoFormat)?;
    if adapter.descriptor().grouping == Grouping::Learner && !actor.kinds().is_empty() {
        // The document would be composed from records of other kinds too.
        return Err(Denied::Kind.into());
    }
    let format = adapter.descriptor().name;
    access::audit(&gateway, actor.name(), "read_record", &stored.tenant, &id.to_string(), format).await?;
    let encoded = document::write(&gateway, &**adapter, &stored).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::VARY, HeaderValue::from_static("accept")),
        (LOSSES, HeaderValue::from(encoded.losses.len())),
    ];
    Ok((headers, encoded.document).into_response())
}

/// The adapter that writes what an `Accept` header (in lower case) prefers, and the media type to call it.
fn negotiate<'a>(registry: &'a Registry, accept: Option<&str>) -> Option<(&'a Arc<dyn Adapter>, &'static str)> {
    let mut wishes: Vec<(u32, &str)> = accept.unwrap_or("*/*").split(',').filter_map(wish).collect();
    wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    wishes.into_iter().find_map(|(_, media_type)| {
        if matches!(media_type, "*/*" | "application/*") {
            let adapter = registry.get("record")?;
            return Some((adapter, *adapter.descriptor().media_types.first()?));
        }
        let adapter = registry.by_media_type(media_type).filter(|a| a.encoder().is_some())?;
        Some((adapter, *adapter.descriptor().media_types.iter().find(|m| **m == media_type)?))
    })
}

/// One entry of an `Accept` header with its weight in thousandths; none if it is not wanted.
fn wish(entry: &str) -> Option<(u32, &str)> {
    let mut parts = entry.split(';').map(str::trim);
    let media_type = parts.next().filter(|m| !m.is_empty())?;
    let weight = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
    (weight > 0.0).then_some(((weight.min(1.0) * 1000.0) as u32, media_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{CANARY_NAME, OURS, THEIRS, World};
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use silta_adapter::record::RecordKind;

    #[test]
    fn the_most_wanted_format_that_is_there_is_given() {
        let registry = World::new().gateway.registry.clone();
        let chosen = |accept| negotiate(&registry, accept).map(|(adapter, media)| (adapter.descriptor().name, media));
        for (accept, expected) in [
            (None, Some(("record", "application/x-ndjson"))),
            (Some("application/json"), Some(("record", "application/json"))),
            (Some("text/html, */*;q=0.1"), Some(("record", "application/x-ndjson"))),
            (Some("application/json;q=0.5, application/vnd.shelf"), Some(("shelf", "application/vnd.shelf"))),
            (Some("application/json; q=0"), None),
            (Some("text/html"), None),
            (Some("application/json;q=what"), None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept:?}");
        }
    }

    #[tokio::test]
    async fn a_reading_is_audited_and_what_is_out_of_reach_does_not_exist() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        let address = format!("/v1/records/{}", ids[0]);
        let reader = world.token(Role::Reader, Some(OURS), &[]).await;
        let answer = world.get(&reader, &address).await.expect(200);
        assert!(answer.body.contains(CANARY_NAME));
        assert_eq!(answer.header("silta-losses"), "0");
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("read_record", ids[0].as_str()));
        assert_eq!((entry.actor.as_str(), entry.tenant.as_str()), ("reader-10122-0", OURS));
        let stranger = world.token(Role::Reader, Some(THEIRS), &[]).await;
        world.get(&stranger, &address).await.expect(404);
        let other_kind = world.token(Role::Reader, Some(OURS), &[RecordKind::Attainment]).await;
        world.get(&other_kind, &address).await.expect(404);
        world.get(&other_kind, &format!("/v1/records/{}", ids[1])).await.expect(200);
        let picky = Request::get(&address).header("authorization", format!("Bearer {reader}"));
        world.send(picky.header("accept", "text/html").body(Body::empty()).expect("a request")).await.expect(406);
    }
}
