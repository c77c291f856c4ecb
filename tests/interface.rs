//! The calls that a standard gives whoever receives its documents, as a partner makes them.
#![expect(clippy::expect_used, reason = "a test says what it expects")]

use reqwest::Method;
use serde_json::{Value, json};
use silta::access::{self, NewToken};
use silta::config::Config;
use silta::env::{ManualClock, Rng};
use silta::gateway::{Gateway, Parts};
use silta::ledger::Role;
use silta::ledger::memory::MemoryLedger;
use silta::registry;
use silta::vault::Vault;
use std::sync::Arc;
use tokio::net::TcpListener;

const TENANT: &str = "10089";
const OTHER: &str = "10088";
const PERSON: &str = "22222222-2222-4222-8222-222222222222";
const ASSOCIATION: &str = "11111111-1111-4111-8111-111111111111";

struct World {
    url: String,
    token: String,
}

impl World {
    async fn new() -> Self {
        let config = Config::from_toml(&format!("[[tenant]]\ncode = '{TENANT}'\n[[tenant]]\ncode = '{OTHER}'\n"));
        let rng = Rng::from_seed(1);
        let parts = Parts {
            ledger: Arc::new(MemoryLedger::default()),
            vault: Arc::new(Vault::new(&[1; 32], rng.clone()).expect("a vault")),
            clock: Arc::new(ManualClock::at(1_800_000_000_000_000)),
            rng,
            registry: registry::adapters(),
            mappings: Arc::new(registry::mappings(None).expect("mappings")),
        };
        let gateway = Arc::new(Gateway::new(config.expect("a configuration"), parts).expect("a gateway"));
        let new = NewToken {
            name: "partner".into(),
            role: Role::Registrar,
            tenant: Some(TENANT.into()),
            kinds: Vec::new(),
            expires: None,
        };
        let token = access::create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await.expect("a token");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = silta::http::router(gateway);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, token }
    }

    async fn call(&self, method: Method, place: &str, body: Value) -> (u16, Value) {
        let address = format!("{}/v1/tenants/{place}", self.url);
        let request = reqwest::Client::new().request(method, address).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or_default())
    }
}

fn association(score: &str) -> Value {
    json!({ "associationId": ASSOCIATION, "role": "student", "state": "finished", "personId": PERSON,
        "courseOffering": { "courseOfferingId": ASSOCIATION, "primaryCode": { "codeType": "offering_code", "code": "A" },
            "name": [{ "language": "en", "value": "Biology" }] },
        "result": { "state": "completed", "score": score, "resultDateTime": "2026-05-12T09:30:00+03:00",
            "studyLoad": { "studyLoadUnit": "ects", "value": 5 }, "ext": { "resultValueType": "x-fi_0_5" } } })
}

#[tokio::test]
async fn a_partner_puts_patches_and_reads_back() {
    let world = World::new().await;
    let base = format!("{TENANT}/interfaces/ooapi/partner");
    let path = format!("{base}/course-offering-associations/{ASSOCIATION}");
    assert_eq!(world.call(Method::GET, &path, Value::Null).await.0, 404);
    assert_eq!(world.call(Method::PATCH, &path, json!({ "remoteState": "associated" })).await.0, 404);
    assert_eq!(world.call(Method::PUT, &path, association("3")).await.0, 200);
    let (status, read) = world.call(Method::GET, &path, Value::Null).await;
    assert_eq!((status, &read["result"]["score"]), (200, &json!("3")));
    assert_eq!(read["result"]["resultDateTime"], "2026-05-12T09:30:00+03:00", "as it was sent");
    let change = json!({ "result": { "score": "5", "comment": "better" } });
    assert_eq!(world.call(Method::PATCH, &path, change).await.0, 200);
    let list = format!("{base}/persons/{PERSON}/course-offering-associations");
    let (_, read) = world.call(Method::GET, &list, Value::Null).await;
    assert_eq!(read["items"][0]["result"]["score"], "5");
    assert_eq!(read["items"][0]["result"]["comment"], "better");
    assert_eq!(read["hasNextPage"], false);
    let elsewhere = format!("{TENANT}/interfaces/ooapi/other/course-offering-associations/{ASSOCIATION}");
    assert_eq!(world.call(Method::GET, &elsewhere, Value::Null).await.0, 404, "each register has its own");
    let cancelled = json!({ "remoteState": "cancelled", "result": null });
    assert_eq!(world.call(Method::PATCH, &path, cancelled).await.0, 200);
    let (_, read) = world.call(Method::GET, &path, Value::Null).await;
    assert_eq!((&read["state"], &read["result"]), (&json!("cancelled"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_taken_is_told_as_the_standard_has_it() {
    let mut world = World::new().await;
    let path = format!("interfaces/ooapi/partner/course-offering-associations/{ASSOCIATION}");
    let ours = format!("{TENANT}/{path}");
    assert_eq!(world.call(Method::PUT, &ours, json!([])).await.0, 400);
    let (status, told) =
        world.call(Method::PUT, &ours, json!({ "role": "student", "result": { "state": "queued" } })).await;
    assert_eq!(status, 200, "an enrolment is taken note of, and holds no credit: {told}");
    assert_eq!(world.call(Method::GET, &ours, Value::Null).await.0, 404);
    assert_eq!(world.call(Method::PUT, &format!("{OTHER}/{path}"), association("3")).await.0, 403);
    assert_eq!(world.call(Method::DELETE, &ours, Value::Null).await.0, 404);
    assert_eq!(world.call(Method::PUT, &format!("{TENANT}/interfaces/ooapi/partner/rooms/1"), json!({})).await.0, 404);
    assert_eq!(world.call(Method::PUT, &format!("{TENANT}/interfaces/virta/partner/x"), json!({})).await.0, 404);
    world.token = "nothing".to_owned();
    assert_eq!(world.call(Method::PUT, &ours, association("3")).await.0, 401);
}
