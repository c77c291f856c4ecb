//! Delivery to another gateway's push API, played by a small server.
#![expect(clippy::expect_used, reason = "test support: a peer that cannot be played ends the test")]

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use silta_adapter::adapter::{Adapter, DecodeContext, Deliver, Document, Holding, LearnerQuery, Limits, Load, NotRead};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;
use silta_record::SiltaRecord;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What the other gateway answers, and what it got.
#[derive(Clone)]
struct Peer {
    answer: Arc<(StatusCode, HeaderMap, Vec<u8>)>,
    got: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

async fn take(
    State(peer): State<Peer>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    peer.got.lock().expect("no panic").push((tenant, headers, body));
    (*peer.answer).clone()
}

async fn peer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> (String, Peer) {
    let headers =
        headers.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value"))).collect();
    let status = StatusCode::from_u16(status).expect("a status");
    let peer = Peer { answer: Arc::new((status, headers, body.into())), got: Arc::default() };
    let app = Router::new().route("/v1/tenants/{tenant}/records", post(take)).with_state(peer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, peer)
}

fn connect(settings: Value) -> Arc<dyn Deliver> {
    SiltaRecord.connect(&settings).expect("connects").deliver.expect("delivers")
}

fn load() -> Load {
    Load {
        idempotency_key: "item-1:2".into(),
        tenant: "amk".into(),
        document: Document::Bytes(b"{}\n".to_vec()),
        withdrawal: false,
    }
}

async fn answered(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Judgement {
    let (url, _) = peer(status, headers, body).await;
    connect(json!({ "url": url, "token": "t" })).deliver(&load()).await
}

#[tokio::test]
async fn a_load_is_posted_with_its_key_and_token() {
    let (url, peer) = peer(200, &[], r#"{"outcomes":[{"outcome":"new"}],"problems":[]}"#).await;
    let judgement = connect(json!({ "url": url, "token": "t" })).deliver(&load()).await;
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Accepted, "outcome:new"));

    let dir = tempfile::tempdir().expect("a directory");
    let (token, document) = (dir.path().join("token"), dir.path().join("load"));
    std::fs::write(&token, "from file\n").expect("writes");
    std::fs::write(&document, "line\n").expect("writes");
    let other = connect(json!({ "url": url, "token_file": token, "tenant": "other" }));
    let from_file = Load { document: Document::File(document), ..load() };
    assert_eq!(other.deliver(&from_file).await.verdict, Verdict::Accepted);

    let got = peer.got.lock().expect("no panic");
    let seen: Vec<_> = got
        .iter()
        .map(|(tenant, headers, body)| {
            let header = |name: &str| headers[name].to_str().expect("text").to_owned();
            (tenant.as_str(), header("authorization"), header("idempotency-key"), header("content-type"), &body[..])
        })
        .collect();
    let ndjson = || "application/x-ndjson".to_owned();
    assert_eq!(
        seen,
        [
            ("amk", "Bearer t".to_owned(), "item-1:2".to_owned(), ndjson(), &b"{}\n"[..]),
            ("other", "Bearer from file".to_owned(), "item-1:2".to_owned(), ndjson(), &b"line\n"[..]),
        ]
    );
}

#[tokio::test]
async fn an_outcome_is_judged_by_the_table() {
    for (outcomes, verdict, fixer) in [
        (&["new"][..], Verdict::Accepted, None),
        (&["updated"], Verdict::Accepted, None),
        (&["unchanged"], Verdict::Accepted, None),
        (&["reverted"], Verdict::Accepted, None),
        (&["stale"], Verdict::Accepted, None),
        (&["contested"], Verdict::Refused, Some(Fixer::Operator)),
        (&["refused"], Verdict::Refused, Some(Fixer::Sender)),
        (&["new", "refused"], Verdict::Refused, Some(Fixer::Sender)),
        (&["Matti Meikäläinen"], Verdict::Uncertain, Some(Fixer::OtherSide)),
        (&[], Verdict::Uncertain, Some(Fixer::OtherSide)),
    ] {
        let list: Vec<Value> = outcomes.iter().map(|o| json!({ "outcome": o, "key": { "id": "A1" } })).collect();
        let judgement = answered(200, &[], &json!({ "outcomes": list }).to_string()).await;
        assert_eq!((judgement.verdict, judgement.fixer), (verdict, fixer), "{outcomes:?}");
        assert!(!format!("{judgement:?}").contains("Matti"), "the other side's text is repeated: {judgement:?}");
    }
}

#[tokio::test]
async fn a_status_is_judged_by_the_table() {
    for (status, verdict) in [
        (202, Verdict::AcceptedPending),
        (204, Verdict::Uncertain),
        (307, Verdict::Misconfigured),
        (400, Verdict::Refused),
        (401, Verdict::Auth),
        (404, Verdict::Misconfigured),
        (413, Verdict::Refused),
        (422, Verdict::Refused),
        (500, Verdict::Transient),
        (502, Verdict::Uncertain),
        (503, Verdict::Transient),
    ] {
        let judgement = answered(status, &[("location", "http://127.0.0.1:1/")], "").await;
        assert_eq!((judgement.verdict, judgement.cause), (verdict, format!("http:{status}").into()));
    }
    for body in ["", "<html>", "{}", r#"{"outcomes":5}"#] {
        assert_eq!(answered(200, &[], body).await.cause, "answer", "{body}");
    }
    let long = format!(r#"{{"outcomes":[{{"outcome":"new"}}],"problems":["{}"]}}"#, "x".repeat(2 << 20));
    assert_eq!(answered(200, &[], &long).await.cause, "answer");
}

#[tokio::test]
async fn a_wish_to_wait_is_passed_on() {
    let judgement = answered(429, &[("retry-after", "17")], "").await;
    assert_eq!((judgement.verdict, judgement.retry_after), (Verdict::RetryAfter, Some(Duration::from_secs(17))));
    assert_eq!(answered(503, &[], "").await.retry_after, None);
}

#[tokio::test]
async fn without_a_connection_nothing_arrived() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let judgement = connect(json!({ "url": url, "token": "t" })).deliver(&load()).await;
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Transient, "connect"));
}

/// A server that reads the request and then does what it is told with the connection.
fn rude(then: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        then(stream);
    });
    url
}

#[tokio::test]
async fn a_lost_answer_is_uncertain() {
    let closes = rude(drop);
    let cuts = rude(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"outcomes\":");
    });
    // The connection stays open until the client gives up.
    let waits = rude(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    for (url, cause) in [(closes, "lost"), (cuts, "lost"), (waits, "timeout")] {
        let judgement = connect(json!({ "url": url, "token": "t", "timeout_secs": 1 })).deliver(&load()).await;
        assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Uncertain, cause));
    }
}

#[tokio::test]
async fn a_load_whose_file_is_gone_is_tried_again() {
    let gone = Load { document: Document::File("/nowhere/load".into()), ..load() };
    let judgement = connect(json!({ "url": "http://127.0.0.1:1", "token": "t" })).deliver(&gone).await;
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Transient, "load"));
}

/// What another gateway answers when it is asked what it holds, first in a way that passes.
async fn reading(answers: Vec<(u16, Value)>) -> Result<Vec<Holding>, NotRead> {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let answer = async move |body: Json<Value>| {
        assert_eq!(body.0, json!({ "learners": [{ "source": "sis", "id": "L1" }, { "source": "", "id": "" }] }));
        let (status, body) = answers.lock().expect("no panic").next().expect("another answer");
        (StatusCode::from_u16(status).expect("a status"), Json(body))
    };
    let app = Router::new().route("/v1/tenants/amk/records/held", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let connected = SiltaRecord.connect(&json!({ "url": url, "token": "t" })).expect("connects");
    let ctx = DecodeContext { tenant: "amk".into(), source: "readback".into(), limits: Limits::default() };
    let known = LearnerQuery { source: "sis".into(), learner: "L1".into(), identifiers: Vec::new() };
    connected.inventory.expect("an inventory").holdings(&ctx, &[known, LearnerQuery::default()]).await
}

#[tokio::test]
async fn what_the_other_gateway_holds_is_read_and_asked_for_again() {
    let record = |id: &str, state: &str| json!({ "kind": "activity", "tenant": "amk", "source": "sis", "id": id, "learner": "L1", "state": state, "body": {} });
    let held = json!({ "complete": true, "records": [record("A", "current"), record("B", "deleted")] });
    let whole = json!({ "learners": [held, { "complete": true, "records": [] }] });
    let read = reading(vec![(503, json!({})), (200, json!({ "learners": [] })), (200, whole)]).await.expect("reads");
    assert_eq!(read[0].records.iter().map(|r| r.head.key.id.as_str()).collect::<Vec<_>>(), ["A"]);
    assert_eq!(read.iter().map(|h| (h.query, h.complete)).collect::<Vec<_>>(), [(0, true), (1, false)]);
    let refused = reading(vec![(403, json!({}))]).await.expect_err("not read").0;
    assert_eq!((refused.verdict, refused.cause.as_str()), (Verdict::Auth, "http:403"));
    let unread = SiltaRecord.connect(&json!({ "url": "http://a.example", "token": "t", "read_back": false }));
    assert!(unread.expect("connects").inventory.is_none());
}
