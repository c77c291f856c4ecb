//! A credential's way, end to end in one process: pushed, composed, sealed, deposited in a simulated wallet, corrected,
//! withdrawn; and shown to whoever has a link.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/seals.rs"]
mod seals;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use seals::{certificate, payload, verified};
use serde_json::{Value, json};
use silta::access::{NewToken, create};
use silta::config::Config;
use silta::delivery::{items, plan};
use silta::env::{ManualClock, Rng};
use silta::gateway::{Connection, Gateway, Parts};
use silta::ledger::memory::MemoryLedger;
use silta::ledger::{DebtState, Issued, RecordId, Role};
use silta::vault::Vault;
use silta::{http, registry, share};
use silta_elm::check::Edition;
use silta_elm::sandbox::{Faults, Sandbox, SandboxOptions};
use silta_seal::{Bounds, Certificate, Report, StatusList, Verdict};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const TENANT: &str = "02535";
const PUBLIC: &str = "https://silta.example";

/// A gateway that issues credentials: to a wallet, into a directory, and for the learner to fetch.
struct World {
    gateway: Arc<Gateway>,
    clock: Arc<ManualClock>,
    wallet: Arc<Sandbox>,
    router: Router,
    token: String,
    certificate: Certificate,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("drop")).expect("a directory");
        let certificate = certificate(dir.path());
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let mappings = Arc::new(registry::mappings(None).expect("mappings"));
        let wallet = {
            let (certificate, mappings) = (certificate.clone(), mappings.clone());
            let holds = move |document: &[u8]| {
                verified(document, &certificate, &mappings, &[], 1_800_000_000 * SECOND + DAY).verdict()
                    == Verdict::Trusted
            };
            let mappings = Arc::new(registry::mappings(None).expect("mappings"));
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
        let config = Config::from_toml(&format!(
            "[server]\npublic_url = '{PUBLIC}'\n[[tenant]]\ncode = '{TENANT}'\n\
             [seal.own]\nkey = '{key}'\ncertificate = '{pem}'\n\
             [[connection]]\nname = 'wallet'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\nrevocable = true\n\
             [connection.settings]\nto = 'wallet'\nurl = '{url}'\ntoken_file = '{token}'\n\
             [[connection]]\nname = 'drop'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\n\
             [connection.settings]\nto = 'directory'\ndirectory = '{drop}'\n\
             [[connection]]\nname = 'learner'\ntenant = '{TENANT}'\nadapter = 'elm'\nseal = 'own'\n\
             [connection.settings]\nto = 'learner'\n",
            key = at("seal.key"),
            pem = at("seal.pem"),
            token = at("wallet.token"),
            drop = at("drop"),
        ))
        .expect("a configuration");
        let rng = Rng::from_seed(1);
        let parts = Parts {
            ledger: Arc::new(MemoryLedger::default()),
            vault: Arc::new(Vault::new(&[1; 32], rng.clone()).expect("a vault")),
            clock: clock.clone(),
            rng,
            registry: registry::adapters(),
            mappings,
        };
        let gateway = Arc::new(Gateway::new(config, parts).expect("a gateway"));
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

    async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/json");
        let (status, _, body) = self.send(request.body(Body::from(body.to_string())).expect("a request")).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn open(&self, path: &str, language: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).header("accept-language", language);
        let (status, headers, body) = self.send(request.body(Body::empty()).expect("a request")).await;
        (status, headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn push(&self, lines: &[Value]) {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let request = Request::post(format!("/v1/tenants/{TENANT}/records"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/x-ndjson");
        let (status, _, body) = self.send(request.body(Body::from(lines.join("\n"))).expect("a request")).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }

    /// Plans what is dirty at a connection, and sends until nothing is due.
    async fn deliver(&self, name: &str) {
        let connection = self.connection(name);
        plan::plan_all(&self.gateway, connection).await.expect("planned");
        while items::round(&self.gateway, connection).await.expect("a round").worked {}
    }

    async fn item(&self) -> RecordId {
        let (_, found) = self.call("POST", &format!("/v1/tenants/{TENANT}/records/find"), json!({"id": "MC"})).await;
        found["records"][0]["record"].as_str().expect("an id").parse().expect("an id")
    }

    async fn issued(&self, connection: &str) -> Vec<Issued> {
        let all = self.gateway.ledger.issued_of(self.item().await).await.expect("read");
        all.into_iter().filter(|issued| issued.connection == connection).collect()
    }

    async fn state(&self, connection: &str) -> DebtState {
        let debts = self.gateway.ledger.debts_of(self.item().await).await.expect("debts");
        debts.iter().find(|debt| debt.connection == connection).expect("a debt").state
    }

    fn verify(&self, document: &[u8], lists: &[StatusList]) -> Report {
        verified(document, &self.certificate, &self.gateway.mappings, lists, self.gateway.now())
    }

    async fn status_list(&self) -> StatusList {
        let (status, headers, body) = self.open("/status/wallet", "en").await;
        assert_eq!((status.as_u16(), headers["content-type"].to_str().expect("text")), (200, "application/jose+json"));
        StatusList::read(body.as_bytes(), Bounds::default()).expect("a status list")
    }
}

fn learner() -> Value {
    json!({"kind": "learner", "id": "L1", "learner": "L1", "institution": "02535", "body": {
        "given_names": "Testi Taru", "family_name": "Esimerkki", "full_name": "Testi Taru Esimerkki",
        "date_of_birth": "1999-10-02", "identifiers": [{"scheme": "europass:wallet", "value": "taru-1"}]}})
}

fn attainment(grade: &str) -> Value {
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

#[tokio::test]
async fn a_credential_is_deposited_corrected_and_withdrawn() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Unverifiable);
    let held = world.wallet.held();
    let (uuid, (user, document)) = held.iter().next().expect("a credential");
    assert_eq!((held.len(), user.as_str()), (1, "taru-1"));
    let credential = payload(document);
    assert_eq!(credential["id"], format!("urn:credential:{uuid}"));
    assert_eq!(credential["credentialSubject"]["fullName"]["und"], "Testi Taru Esimerkki");
    let pages = credential["displayParameter"]["individualDisplay"].as_array().expect("pages");
    assert_eq!(pages.len(), 3, "one for each language of its title");
    let report = world.verify(document, &[world.status_list().await]);
    assert_eq!(report.verdict(), Verdict::Trusted, "{report:#?}");

    world.clock.advance(DAY / 4);
    world.push(&[learner(), attainment("5")]).await;
    world.deliver("wallet").await;
    let after = world.wallet.held();
    let (next, (_, corrected)) = after.iter().next().expect("a credential");
    assert!(after.len() == 1 && next != uuid, "the old one was taken back");
    assert!(payload(corrected)["credentialSubject"]["hasClaim"].to_string().contains("\"5\""));
    let lists = [world.status_list().await];
    assert_eq!(world.verify(document, &lists).verdict(), Verdict::Invalid, "anybody can see that it was revoked");
    assert_eq!(world.verify(corrected, &lists).verdict(), Verdict::Trusted);

    let withdraw = format!("/v1/tenants/{TENANT}/records/{}/withdraw", world.item().await);
    assert_eq!(world.call("POST", &withdraw, json!({"state": "misregistered"})).await.0, 200);
    world.deliver("wallet").await;
    assert!(world.wallet.held().is_empty());
    assert_eq!(world.verify(corrected, &[world.status_list().await]).verdict(), Verdict::Invalid);
    assert!(world.issued("wallet").await.iter().all(|issued| issued.withdrawn.is_some()));
}

#[tokio::test]
async fn a_lost_answer_is_found_by_the_same_bytes() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    *world.wallet.faults() = Faults { lose: 1, ..Faults::default() };
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Owed, "nobody knows whether it arrived");
    let before = world.wallet.held();
    assert_eq!(before.len(), 1, "it did");
    world.clock.advance(DAY / 4);
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Unverifiable);
    assert_eq!(world.wallet.held(), before, "the very same credential");
    assert_eq!(world.issued("wallet").await.len(), 1);
}

#[tokio::test]
async fn what_a_wallet_refuses_waits_for_who_can_fix_it() {
    let world = World::new().await;
    for (fault, state) in [(429, DebtState::Owed), (503, DebtState::Owed), (400, DebtState::Refused)] {
        world.push(&[learner(), attainment("3")]).await;
        *world.wallet.faults() = Faults { fail: vec![fault], ..Faults::default() };
        world.deliver("wallet").await;
        assert_eq!(world.state("wallet").await, state, "{fault}");
        world.clock.advance(DAY / 8);
    }
    assert!(world.wallet.held().is_empty());
    // Taking the old one back fails after the new one was deposited: the debt is not paid before both are done.
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("wallet").await;
    assert_eq!(world.wallet.held().len(), 1);
    world.push(&[learner(), attainment("5")]).await;
    *world.wallet.faults() = Faults { fail: vec![0, 503], ..Faults::default() };
    world.deliver("wallet").await;
    assert_eq!((world.wallet.held().len(), world.state("wallet").await), (2, DebtState::Owed));
    world.clock.advance(DAY / 8);
    world.deliver("wallet").await;
    assert_eq!((world.wallet.held().len(), world.state("wallet").await), (1, DebtState::Unverifiable));
}

#[tokio::test]
async fn a_directory_gets_files_and_learners_get_links() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("drop").await;
    world.deliver("learner").await;
    let drop = world.dir.path().join("drop");
    let files = || std::fs::read_dir(&drop).expect("a directory").map(|e| e.expect("an entry").path());
    let file = files().next().expect("a file");
    let report = world.verify(&std::fs::read(&file).expect("reads"), &[]);
    assert_eq!(report.verdict(), Verdict::Trusted, "{report:#?}");
    assert_eq!(world.state("learner").await, DebtState::Unverifiable);
    let kept = world.issued("learner").await.remove(0);
    assert!(kept.document.is_some() && kept.withdrawn.is_none());
}

/// Makes a link to the credential that is kept for the learner; its address here.
async fn link(world: &World, order: Value) -> (String, String) {
    let issued = world.issued("learner").await.pop().expect("a credential");
    let address = format!("/v1/records/{}/credentials/{}/links", world.item().await, issued.id);
    let (status, made) = world.call("POST", &address, order).await;
    assert_eq!(status, 201, "{made}");
    let url = made["url"].as_str().expect("an address");
    let path = url.strip_prefix(PUBLIC).expect("a public address").to_owned();
    (path, format!("{address}/{}", made["id"]))
}

#[tokio::test]
async fn whoever_has_a_link_sees_the_credential_and_whether_it_holds() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    let (path, _) = link(&world, json!({"days": 30})).await;
    assert_eq!(path.len(), "/c/".len() + 64, "256 random bits and nothing else: {path}");
    for language in ["fi", "sv", "en"] {
        let (status, headers, page) = world.open(&format!("{path}?lang={language}"), "de").await;
        assert_eq!(status, 200);
        assert!(&headers["x-robots-tag"] == "noindex" && &headers["referrer-policy"] == "no-referrer");
        assert!(!page.contains("schema.org"), "the learner did not make it public");
        insta::assert_snapshot!(
            format!("page_{language}"),
            page.replace(&path, "/c/[SECRET]").replace(&path[3..], "[SECRET]")
        );
    }
    assert_eq!(world.open(&path, "sv-FI,sv;q=0.9").await.2, world.open(&format!("{path}?lang=sv"), "").await.2);
    let (status, headers, document) = world.open(&format!("{path}/credential.jsonld"), "").await;
    assert!(status == 200 && &headers["content-type"] == "application/jose+json");
    assert_eq!(world.verify(document.as_bytes(), &[]).verdict(), Verdict::Trusted);
    assert!(world.open(&format!("{path}/page.pdf?lang=fi"), "").await.2.starts_with("%PDF"));
    assert!(world.open(&format!("{path}/qr.svg"), "").await.2.contains("<svg"));
    assert_eq!(world.open("/share.css", "").await.0, 200);

    let (public, _) = link(&world, json!({"days": 30, "public": true})).await;
    let (_, headers, page) = world.open(&public, "en").await;
    assert!(page.contains("https://schema.org") && &headers["x-robots-tag"] == "all");
    let metadata = page.split("ld+json\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("metadata");
    assert!(
        !metadata.contains("Taru") && !metadata.contains("1999"),
        "about the credential, not its holder: {metadata}"
    );
}

#[tokio::test]
async fn a_link_ends_is_revoked_and_shows_nothing_of_what_was_withdrawn() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    let (short, _) = link(&world, json!({"days": 1})).await;
    let (revoked, address) = link(&world, json!({"days": 90})).await;
    let (long, _) = link(&world, json!({"days": 90})).await;
    world.clock.advance(2 * DAY);
    let nowhere = world.open(&format!("/c/{}", "0".repeat(64)), "fi").await;
    assert_eq!(nowhere.0, 404);
    insta::assert_snapshot!("nowhere_fi", nowhere.2);
    assert_eq!(world.open(&short, "fi").await.2, nowhere.2, "nothing tells a link that ended from one that never was");
    assert_eq!(world.call("DELETE", &address, Value::Null).await.0, 204);
    assert_eq!(world.call("DELETE", &address, Value::Null).await.0, 404);
    for path in [
        revoked.clone(),
        format!("{revoked}/credential.jsonld"),
        format!("{revoked}/page.pdf"),
        format!("{revoked}/qr.svg"),
    ] {
        assert_eq!(world.open(&path, "fi").await.0, 404, "{path}");
    }
    let withdraw = format!("/v1/tenants/{TENANT}/records/{}/withdraw", world.item().await);
    assert_eq!(world.call("POST", &withdraw, json!({"state": "misregistered"})).await.0, 200);
    world.deliver("learner").await;
    let (status, _, page) = world.open(&long, "en").await;
    assert_eq!(status, 200);
    assert!(page.contains("was withdrawn") && !page.contains("Taru") && !page.contains("welfare"), "{page}");
    assert_eq!(world.open(&format!("{long}/credential.jsonld"), "en").await.0, 404);
    let order = json!({"days": 1});
    let issued = world.issued("learner").await.remove(0);
    let address = format!("/v1/records/{}/credentials/{}/links", world.item().await, issued.id);
    assert_eq!(world.call("POST", &address, order).await.0, 409, "there is nothing to show any more");
    let (_, list) = world.call("GET", &format!("/v1/records/{}/credentials", world.item().await), Value::Null).await;
    assert_eq!(list["credentials"][0]["links"].as_array().map(Vec::len), Some(3));
    assert!(list["credentials"][0]["withdrawn"].is_number() && !list.to_string().contains(&long[3..]));
}
