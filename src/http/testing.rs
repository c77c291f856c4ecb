//! A gateway on a ledger in memory with a store that replaces everything, and requests to it.

use super::{Shared, router};
use crate::access::{self, NewToken};
use crate::config::Config;
use crate::delivery::{load, plan};
use crate::env::{ManualClock, Rng};
use crate::gateway::{Gateway, Parts};
use crate::ledger::Role;
use crate::ledger::memory::MemoryLedger;
use crate::vault::Vault;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Decoded, Deliver, Descriptor, Document, Effect, Encode,
    Grouping, Holding, Inventory, LearnerQuery, Limits, Load, NotRead, Registry, Withdraw,
};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Record, RecordKind};
use silta_record::SiltaRecord;
use std::io::BufReader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;

/// The tenant most tests push for.
pub(crate) const OURS: &str = "10122";
/// Another tenant.
pub(crate) const THEIRS: &str = "10065";
/// What must never be seen outside of sealed contents and answers that ask for them.
pub(crate) const CANARY_CODE: &str = "010190-999W";
/// A name that must never be seen either.
pub(crate) const CANARY_NAME: &str = "Kanarialintu";

const CONFIG: &str = r#"
[server]
max_body_bytes = 100000
[[tenant]]
code = "10122"
[[tenant]]
code = "10065"
[[connection]]
name = "store"
tenant = "10122"
adapter = "shelf"
settle_secs = 0
repair = "hold"
[[connection.rule]]
kind = ["activity"]
send = false
because = "it has no credits"
[[connection]]
name = "other"
tenant = "10065"
adapter = "shelf"
"#;

/// A gateway and what its destination holds.
pub(crate) struct World {
    pub(crate) gateway: Shared,
    pub(crate) held: Arc<Mutex<Vec<Record>>>,
    /// What happens to the answers of the destination's inventory.
    pub(crate) answers: Arc<Mutex<Twist>>,
    clock: Arc<ManualClock>,
    router: Router,
}

/// What happens to an inventory's answers. The number says the how-manieth question it is.
pub(crate) type Twist = Box<dyn FnMut(usize, &mut Vec<Holding>) + Send>;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The same, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::configured("")
    }

    /// A world whose configuration begins with something else.
    pub(crate) fn configured(more: &str) -> Self {
        Self::from_config(&CONFIG.replace("[server]\n", &format!("[server]\n{more}\n")))
    }

    /// A world whose first connection has other settings: what becomes of findings, among others.
    pub(crate) fn connected(more: &str) -> Self {
        Self::from_config(&CONFIG.replace("repair = \"hold\"\n", &format!("{more}\n")))
    }

    fn from_config(config: &str) -> Self {
        let held = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Mutex<Twist>> = Arc::new(Mutex::new(Box::new(|_, _| {})));
        let store = Store { held: held.clone(), answers: answers.clone() };
        let rng = Rng::from_seed(7);
        let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
        let parts = Parts {
            ledger: Arc::new(MemoryLedger::new()),
            vault: Arc::new(Vault::new(&[7; 32], rng.clone()).expect("a vault")),
            clock: clock.clone(),
            rng,
            registry: Registry::new(vec![Arc::new(SiltaRecord), Arc::new(store)]),
            mappings: Arc::new(Mappings::default()),
        };
        let config = Config::from_toml(config).expect("valid");
        let gateway = Arc::new(Gateway::new(config, parts).expect("a gateway"));
        Self { router: router(gateway.clone()), gateway, held, answers, clock }
    }

    /// The same world under other routes.
    pub(crate) fn routed(mut self, router: Router) -> Self {
        self.router = router;
        self
    }

    /// A new token.
    pub(crate) async fn token(&self, role: Role, tenant: Option<&str>, kinds: &[RecordKind]) -> String {
        let name = format!("{}-{}-{}", role.name(), tenant.unwrap_or("all"), kinds.len());
        let new =
            NewToken { name: name.into(), role, tenant: tenant.map(Into::into), kinds: kinds.into(), expires: None };
        let gateway = &self.gateway;
        access::create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await.expect("a token")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        Answer { status: head.status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request("GET", token, path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(request("POST", token, path).body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Pushes lines.
    pub(crate) async fn push(&self, token: &str, address: &str, lines: &str) -> Answer {
        let request = request("POST", token, &format!("/v1/tenants/{address}"));
        let request = request.header("content-type", "application/x-ndjson; charset=utf-8");
        self.send(request.body(Body::from(lines.to_owned())).expect("a request")).await
    }

    /// Pushes a learner with two attainments for a tenant and returns their opaque ids.
    pub(crate) async fn seeded(&self, tenant: &str) -> Vec<String> {
        let token = self.token(Role::Admin, Some(tenant), &[]).await;
        let lines = format!("{}\n{}\n{}\n", learner("p1"), attainment("a1", "5"), attainment("a2", "3"));
        let answer = self.push(&token, &format!("{tenant}/records"), &lines).await.expect(200).json();
        let ids = answer["outcomes"].as_array().expect("outcomes").iter();
        ids.map(|o| o["record"].as_str().expect("an id").to_owned()).collect()
    }

    /// Delivers everything, as an operator who releases what is held.
    pub(crate) async fn released(&self, connection: &str) {
        self.deliver(connection).await;
        for held in self.gateway.ledger.loads(Some(connection), true, 1).await.expect("loads") {
            load::rule(&self.gateway, held.id, load::Ruling::Release, "test").await.expect("ruled");
            self.later(10);
            self.deliver(connection).await;
        }
    }

    /// Lets seconds pass.
    pub(crate) fn later(&self, secs: i64) {
        self.clock.advance(secs * 1_000_000);
    }

    /// Plans what is dirty and makes one round of loads.
    pub(crate) async fn deliver(&self, connection: &str) {
        let connection = self.gateway.connection(connection).expect("configured");
        plan::plan_all(&self.gateway, connection).await.expect("planned");
        load::round(&self.gateway, connection).await.expect("a round");
    }
}

fn request(method: &str, token: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"))
}

/// A learner with everything that must not leak.
pub(crate) fn learner(id: &str) -> Value {
    json!({"kind": "learner", "id": id, "learner": id, "institution": "10122", "body": {
        "family_name": CANARY_NAME, "identifiers": [{"scheme": "fi:hetu", "value": CANARY_CODE}]}})
}

/// An attainment of the learner `p1`.
pub(crate) fn attainment(id: &str, credits: &str) -> Value {
    json!({"kind": "attainment", "id": id, "learner": "p1", "institution": "10122", "body": {
        "title": [{"language": "fi", "value": "Opinto"}], "completed_on": "2026-05-05", "credits": {"ects": credits}}})
}

/// A store that replaces everything, can be read back and speaks the record format under a name of its own.
struct Store {
    held: Arc<Mutex<Vec<Record>>>,
    answers: Arc<Mutex<Twist>>,
}

static STORE: Descriptor = Descriptor {
    name: "shelf",
    summary: "a store",
    media_types: &["application/vnd.shelf"],
    settings: None,
    grouping: Grouping::Record,
    effect: Effect::ReplaceAll,
    withdraw: Withdraw::Absence,
    readback: true,
    honours_key: true,
    kinds: &RecordKind::ALL,
    losses: &[],
};

impl Adapter for Store {
    fn descriptor(&self) -> &Descriptor {
        &STORE
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(&SiltaRecord)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(&SiltaRecord)
    }

    fn connect(&self, _: &Value) -> Result<Connected, BadSettings> {
        let shelf =
            Arc::new(Shelf { held: self.held.clone(), answers: self.answers.clone(), asked: AtomicUsize::new(0) });
        Ok(Connected { deliver: Some(shelf.clone()), inventory: Some(shelf), ..Connected::default() })
    }
}

struct Shelf {
    held: Arc<Mutex<Vec<Record>>>,
    answers: Arc<Mutex<Twist>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Deliver for Shelf {
    async fn deliver(&self, load: &Load) -> Judgement {
        let Document::File(file) = &load.document else { panic!("a whole load comes as a file") };
        let ctx = DecodeContext { tenant: load.tenant.clone(), source: "default".into(), limits: Limits::default() };
        let mut records = Vec::new();
        let mut input = BufReader::new(std::fs::File::open(file).expect("a load"));
        let read = SiltaRecord.decode(&mut input, &ctx, &mut |found| {
            if let Decoded::Record(record, _) = found {
                records.push(*record);
            }
            Ok(())
        });
        read.expect("a readable load");
        *self.held.lock().expect("a lock") = records;
        Judgement {
            verdict: Verdict::Accepted,
            fixer: None,
            reason: "taken".into(),
            cause: "test".into(),
            retry_after: None,
        }
    }
}

#[async_trait]
impl Inventory for Shelf {
    fn batch(&self) -> usize {
        100
    }

    async fn holdings(&self, _: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let held = self.held.lock().expect("a lock");
        let holding = |(query, learner): (usize, &LearnerQuery)| Holding {
            query,
            records: held.iter().filter(|r| r.head.learner == learner.learner).cloned().collect(),
            complete: true,
            ..Holding::default()
        };
        let mut answer = learners.iter().enumerate().map(holding).collect();
        self.answers.lock().expect("a lock")(self.asked.fetch_add(1, Ordering::Relaxed), &mut answer);
        Ok(answer)
    }
}
