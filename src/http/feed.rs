//! `GET /v1/feed`: what changed, in commit order.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlQuery, kinds, page};
use super::openapi::described;
use crate::access::{self, Denied, Right};
use crate::exchange::ExchangeError;
use crate::exchange::feed::{Line, line};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;

/// The position to ask after next.
pub const NEXT: HeaderName = HeaderName::from_static("silta-next");

/// An answer ends after this many bytes, whatever its limit: the reader goes on from `Silta-Next`.
const ENOUGH: usize = 8 << 20;

/// Longest wait for a change.
const MOST_WAIT_SECS: u32 = 30;

/// How often the ledger is looked at while a reader waits.
const LOOKS_PER_SEC: u32 = 4;

/// Which changes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// Changes after this position; from the beginning if not given.
    #[serde(default)]
    after: i64,
    /// Most lines, up to 1000; 100 if not given.
    limit: Option<u32>,
    /// Kinds of record, with commas between them; all the token is for if not given.
    kinds: Option<String>,
    /// Format of the documents, by name of the adapter; `record` if not given.
    format: Option<String>,
    /// Where nothing has changed yet: how long to wait for a change, in seconds, up to 30.
    #[serde(default)]
    wait_secs: u32,
}

described!(Line);

/// Read the change feed.
///
/// One JSON object per line; each record once per change, with the content of that version. `Silta-Next` is the
/// position to ask after next. An empty answer means that nothing has changed since. Every reading is audited.
#[utoipa::path(get, path = "/v1/feed", tag = "records", params(FeedQuery),
    responses((status = 200, description = "changes, one per line", body = Line, content_type = "application/x-ndjson",
        headers(("Silta-Next" = i64, description = "the position to ask after next")))))]
pub async fn read_feed(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlQuery(query): UrlQuery<FeedQuery>,
) -> Result<Response, ApiError> {
    actor.may(Right::Read, None)?;
    let mut kinds = kinds(query.kinds.as_deref())?;
    if !kinds.iter().all(|kind| actor.sees(*kind)) {
        return Err(Denied::Kind.into());
    }
    if kinds.is_empty() {
        kinds = actor.kinds().to_vec();
    }
    let format = query.format.as_deref().unwrap_or("record");
    let adapter = gateway.registry.get(format).ok_or(ExchangeError::NoFormat)?;
    let tenants: Vec<String> = actor.tenant().map(ToString::to_string).into_iter().collect();
    let ask = || gateway.ledger.feed(&tenants, &kinds, query.after, page(query.limit));
    let mut changes = ask().await?;
    for _ in 0..query.wait_secs.min(MOST_WAIT_SECS) * LOOKS_PER_SEC {
        if !changes.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1) / LOOKS_PER_SEC).await;
        changes = ask().await?;
    }
    let (mut body, mut next, mut lines) = (Vec::new(), query.after, 0);
    for change in &changes {
        let line = line(&gateway, &**adapter, change)?;
        serde_json::to_writer(&mut body, &line).map_err(std::io::Error::from)?;
        body.push(b'\n');
        (next, lines) = (change.position, lines + 1);
        if body.len() >= ENOUGH {
            break;
        }
    }
    let tenant = actor.tenant().map_or("", |t| t.as_str());
    let detail = format!("{lines} changes after {} as {}", query.after, adapter.descriptor().name);
    access::audit(&gateway, actor.name(), "read_feed", tenant, "", &detail).await?;
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")), (NEXT, HeaderValue::from(next))];
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World};
    use crate::ledger::Role;
    use serde_json::Value;
    use silta_adapter::record::RecordKind;

    fn lines(body: &str) -> Vec<Value> {
        body.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
    }

    #[tokio::test]
    async fn it_goes_on_where_it_was_left() {
        let world = World::new();
        let ids = world.seeded(OURS).await;
        world.seeded(THEIRS).await;
        let token = world.token(Role::Reader, Some(OURS), &[]).await;
        let (mut seen, mut next) = (Vec::new(), "0".to_owned());
        loop {
            let answer = world.get(&token, &format!("/v1/feed?limit=2&after={next}")).await.expect(200);
            let page = lines(&answer.body);
            answer.header("silta-next").clone_into(&mut next);
            if page.is_empty() {
                break;
            }
            assert_eq!(page.last().expect("a line")["position"].to_string(), next);
            seen.extend(page);
        }
        let keys: Vec<&str> = seen.iter().filter_map(|l| l["key"].as_str()).collect();
        assert_eq!(keys, ids, "each once, in order, of one tenant");
        assert!(seen.iter().all(|l| l["tenant"] == OURS && l["document"]["kind"] == l["kind"]));
        let entry = world.gateway.ledger.audited(None, 1).await.expect("entries").remove(0);
        assert_eq!((entry.action.as_str(), entry.tenant.as_str()), ("read_feed", OURS));
    }

    #[tokio::test]
    async fn kinds_are_those_asked_for_within_those_the_token_is_for() {
        let world = World::new();
        world.seeded(OURS).await;
        let all = world.token(Role::Reader, None, &[]).await;
        assert_eq!(lines(&world.get(&all, "/v1/feed?kinds=attainment").await.expect(200).body).len(), 2);
        let narrow = world.token(Role::Reader, None, &[RecordKind::Learner]).await;
        assert_eq!(lines(&world.get(&narrow, "/v1/feed").await.expect(200).body).len(), 1);
        world.get(&narrow, "/v1/feed?kinds=attainment").await.expect(403);
        world.get(&narrow, "/v1/feed?kinds=paper").await.expect(400);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_given_a_change_when_it_comes() {
        let world = World::new();
        let token = world.token(Role::Reader, None, &[]).await;
        let (waited, ()) = tokio::join!(world.get(&token, "/v1/feed?wait_secs=30"), async {
            world.seeded(OURS).await;
        });
        assert!(!lines(&waited.expect(200).body).is_empty());
    }
}
