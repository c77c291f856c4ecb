//! A gateway that issues credentials, and what it issues them to.

use crate::common::{gateway, mappings};
use crate::seals::{certificate, verified};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use silta::access::{NewToken, create};
use silta::delivery::{items, plan};
use silta::env::ManualClock;
use silta::gateway::{Connection, Gateway};
use silta::ledger::{DebtState, Issued, RecordId, Role};
use silta::{http, share};
use silta_elm::check::Edition;
use silta_elm::sandbox::{Sandbox, SandboxOptions};
use silta_seal::{Bounds, Certificate, Report, StatusList, Verdict};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt;

const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;
pub(crate) const TENANT: &str = "02535";
const PUBLIC: &str = "https://silta.example";

/// A gateway that issues credentials: to a wallet, into a directory, and for the learner to fetch.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) wallet: Arc<Sandbox>,
    router: Router,
    token: String,
    certificate: Certificate,
    pub(crate) dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with("", 1).await
    }

    /// With a setting of the tenant's own.
    pub(crate) async fn asking(setting: &str) -> Self {
        Self::with(setting, 1).await
    }

    /// With a setting of the tenant's own, and a wallet addressed by a version of its interface.
    pub(crate) async fn with(setting: &str, version: u8) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("drop")).expect("a directory");
        let certificate = certificate(dir.path());
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let mappings = Arc::new(mappings());
        let wallet = {
            let (certificate, known) = (certificate.clone(), mappings.clone());
            let holds = move |document: &[u8]| {
                verified(document, &certificate, &known, &[], 1_800_000_000 * SECOND + DAY).verdict()
                    == Verdict::Trusted
            };
            let mappings = mappings.clone();
            let token = "wallet-token".to_owned();
            // Its credentials name their place in a status list, which edition 3.2 allows.
            let edition = Edition::Published32;
            Arc::new(Sandbox::new(SandboxOptions { seal_holds: Arc::new(holds), mappings, token, edition }))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(wallet.clone().serve(listener, std::future::pending()));
        std::fs::write(dir.path().join("wallet.token"), "wallet-token\n").expect("writes");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "[server]\npublic_url = '{PUBLIC}'\n[[tenant]]\ncode = '{TENANT}'\n{setting}\n\
             [seal.own]\nkey = '{key}'\ncertificate = '{pem}'\n\
             [[connection]]\nname = 'wallet'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\nrevocable = true\n\
             [connection.settings]\nto = 'wallet'\nversion = {version}\nurl = '{url}'\ntoken_file = '{token}'\n\
             [[connection]]\nname = 'drop'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\n\
             [connection.settings]\nto = 'directory'\ndirectory = '{drop}'\n\
             [[connection]]\nname = 'learner'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\n\
             [connection.settings]\nto = 'learner'\n",
            key = at("seal.key"),
            pem = at("seal.pem"),
            token = at("wallet.token"),
            drop = at("drop"),
        );
        let gateway = gateway(&config, 1, mappings, &clock);
        let new = NewToken {
            name: "sis".into(),
            role: Role::Registrar,
            tenant: Some(TENANT.into()),
            kinds: Vec::new(),
            expires: None,
        };
        let token = create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await.expect("a token");
        let router = http::dressed(http::routes().merge(share::routes()), gateway.clone());
        Self { gateway, clock, wallet, router, token, certificate, dir }
    }

    fn connection(&self, name: &str) -> &Arc<Connection> {
        self.gateway.connection(name).expect("the connection")
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let (head, body) = self.router.clone().oneshot(request).await.expect("an answer").into_parts();
        (head.status, head.headers, to_bytes(body, usize::MAX).await.expect("a body").to_vec())
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/json");
        let (status, _, body) = self.send(request.body(Body::from(body.to_string())).expect("a request")).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn open(&self, path: &str, language: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).header("accept-language", language);
        let (status, headers, body) = self.send(request.body(Body::empty()).expect("a request")).await;
        (status, headers, String::from_utf8_lossy(&body).into_owned())
    }

    /// What is said to a push.
    pub(crate) async fn push_answer(&self, lines: &[Value]) -> (StatusCode, Value) {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let request = Request::post(format!("/v1/tenants/{TENANT}/records"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/x-ndjson");
        let (status, _, body) = self.send(request.body(Body::from(lines.join("\n"))).expect("a request")).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn push(&self, lines: &[Value]) {
        let (status, answer) = self.push_answer(lines).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Plans what is dirty at a connection, and sends until nothing is due.
    pub(crate) async fn deliver(&self, name: &str) {
        let connection = self.connection(name);
        plan::plan_all(&self.gateway, connection).await.expect("planned");
        while items::round(&self.gateway, connection).await.expect("a round").worked {}
    }

    pub(crate) async fn item(&self) -> RecordId {
        let (_, found) = self.call("POST", &format!("/v1/tenants/{TENANT}/records/find"), json!({"id": "MC"})).await;
        found["records"][0]["record"].as_str().expect("an id").parse().expect("an id")
    }

    pub(crate) async fn issued(&self, connection: &str) -> Vec<Issued> {
        let all = self.gateway.ledger.issued_of(self.item().await).await.expect("read");
        all.into_iter().filter(|issued| issued.connection == connection).collect()
    }

    pub(crate) async fn state(&self, connection: &str) -> DebtState {
        let debts = self.gateway.ledger.debts_of(self.item().await).await.expect("debts");
        debts.iter().find(|debt| debt.connection == connection).expect("a debt").state
    }

    pub(crate) fn verify(&self, document: &[u8], lists: &[StatusList]) -> Report {
        verified(document, &self.certificate, &self.gateway.mappings, lists, self.gateway.now())
    }

    pub(crate) async fn status_list(&self) -> StatusList {
        let (status, headers, body) = self.open("/status/wallet", "en").await;
        assert_eq!((status.as_u16(), headers["content-type"].to_str().expect("text")), (200, "application/jose+json"));
        StatusList::read(body.as_bytes(), Bounds::default()).expect("a status list")
    }
}

pub(crate) fn learner() -> Value {
    json!({"kind": "learner", "id": "L1", "learner": "L1", "institution": "02535", "body": {
        "given_names": "Testi Taru", "family_name": "Esimerkki", "full_name": "Testi Taru Esimerkki",
        "date_of_birth": "1999-10-02", "identifiers": [{"scheme": "europass:wallet", "value": "taru-1"}]}})
}

pub(crate) fn attainment(grade: &str) -> Value {
    let concept = |list: &str, value: &str| json!({"scheme": format!("http://data.europa.eu/snb/{list}/25831c2"), "value": format!("http://data.europa.eu/snb/{list}/{value}")});
    json!({"kind": "attainment", "id": "MC", "learner": "L1", "institution": "02535", "body": {
        "title": [{"lang": "fi", "value": "Hyvinvointiteknologian perusteet"}, {"lang": "sv", "value": "Grunderna i välfärdsteknologi"},
            {"lang": "en", "value": "Foundations of welfare technology"}],
        "awarding_body": {"scheme": "virta:organisaatio", "value": "02535"}, "issued_on": "2026-12-01",
        "achievement_type": concept("learning-opportunity", "74a4a268e8"), "credits": {"ects": "5"},
        "eqf_level": concept("eqf", "6"), "modes": [concept("learning-assessment", "920fbb3cbe")],
        "learning_outcomes": [{"title": [{"lang": "fi", "value": "Osaa valita teknologian"}, {"lang": "en", "value": "Chooses technology"}]}],
        "assessments": [{"assessment_type": concept("assessment", "6e6cb2cc78")}],
        "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": grade}}})
}

/// Makes a link to the credential that is kept for the learner; its address here.
pub(crate) async fn link(world: &World, order: Value) -> (String, String) {
    let issued = world.issued("learner").await.pop().expect("a credential");
    let address = format!("/v1/records/{}/credentials/{}/links", world.item().await, issued.id);
    let (status, made) = world.call("POST", &address, order).await;
    assert_eq!(status, 201, "{made}");
    let url = made["url"].as_str().expect("an address");
    let path = url.strip_prefix(PUBLIC).expect("a public address").to_owned();
    (path, format!("{address}/{}", made["id"]))
}
