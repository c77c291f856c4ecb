//! From end to end: a simulated Sisu is pulled, and what it says reaches a simulated VIRTA, sealed credentials in a
//! directory and, by the Open Education API, a second gateway at the learner's home institution, which recognises the
//! credit.
#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/gateway.rs"]
mod common;
#[path = "common/seals.rs"]
mod seals;

use axum::body::{Body as HttpBody, to_bytes};
use axum::http::Request;
use common::gateway;
use seals::{certificate, payload, verified};
use serde_json::{Value, json};
use silta::access::{self, NewToken};
use silta::delivery::load::{Ruling, rule};
use silta::delivery::{items, load, plan};
use silta::env::ManualClock;
use silta::gateway::{Connection, Gateway};
use silta::intake::{self, Submission};
use silta::learners::{look, records_of_person};
use silta::ledger::{LearnerId, Role};
use silta::reconcile::credits::{Credits, Store, credits};
use silta::reconcile::{self, recognition};
use silta::share;
use silta::sync;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Record, RecordKind, State};
use silta_seal::{Bounds, Certificate, StatusList, Verdict};
use silta_sisu::sandbox::{Sandbox as Sisu, SandboxOptions as SisuOptions};
use silta_virta::sandbox::{PATH, Sandbox as Virta, SandboxOptions as VirtaOptions};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt;

const SECOND: i64 = 1_000_000;
const HOST: &str = "10088";
const HOME: &str = "10089";
const NUMBER: &str = "1.2.246.562.98.90000000019";

struct World {
    host: Arc<Gateway>,
    home: Arc<Gateway>,
    clock: Arc<ManualClock>,
    sisu: Arc<Sisu>,
    virta: Arc<Virta>,
    certificate: Certificate,
    dir: tempfile::TempDir,
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

/// What the host's operator knows of its educations: which type of study right each leads to.
const EDUCATIONS: &str = "
[[crosswalk]]
from = 'urn:code:education-classification'
to = 'virta:opiskeluoikeustyyppi'
values = { 612101 = '2' }
";

/// The mappings that come with the gateway, and [`EDUCATIONS`].
fn mappings() -> Mappings {
    let mut mappings = common::mappings();
    let crosswalks = concat!(include_str!("../mappings/crosswalks.toml"), "\n").to_owned() + EDUCATIONS;
    mappings.read("crosswalks.toml", &crosswalks).expect("crosswalks");
    mappings
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let home = gateway(&format!("[[tenant]]\ncode = '{HOME}'\n"), 2, mappings(), &clock);
        let new = NewToken {
            name: "host".into(),
            role: Role::Registrar,
            tenant: Some(HOME.into()),
            kinds: vec![RecordKind::Learner, RecordKind::Attainment],
            expires: None,
        };
        let token = access::create(&*home.ledger, &home.rng, home.now(), new).await.expect("a token");
        let (socket, home_url) = listener().await;
        let router = silta::http::router(home.clone());
        tokio::spawn(async move { axum::serve(socket, router).await });

        let dir = tempfile::tempdir().expect("a directory");
        let certificate = certificate(dir.path());
        std::fs::create_dir(dir.path().join("credentials")).expect("a directory");
        let virta = Arc::new(Virta::open(VirtaOptions::new(dir.path())).expect("a store"));
        let (socket, virta_url) = listener().await;
        tokio::spawn(virta.clone().serve(socket, std::future::pending()));
        let sisu = Arc::new(Sisu::new(SisuOptions::default()));
        let (socket, sisu_url) = listener().await;
        tokio::spawn(sisu.clone().serve(socket, std::future::pending()));
        let not_failed =
            "[[connection.rule]]\nclassification = ['FAILED']\nsend = false\nbecause = 'it is no achievement'\n";
        let at = |name: &str| dir.path().join(name).display().to_string();
        let host = gateway(
            &format!(
                "[server]\npublic_url = 'https://host.example'\n[reconcile]\nsettle_secs = 60\n\
                 [[tenant]]\ncode = '{HOST}'\n[seal.own]\nkey = '{}'\ncertificate = '{}'\n\
                 [[connection]]\nname = 'credentials'\ntenant = '{HOST}'\nadapter = 'elm'\nseal = 'own'\n\
                 revocable = true\n[connection.settings]\nto = 'directory'\ndirectory = '{}'\n{not_failed}\
                 [[connection]]\nname = 'sisu'\ntenant = '{HOST}'\nadapter = 'sisu'\npull_every_secs = 60\n\
                 [connection.settings]\nurl = '{sisu_url}'\nfeeds = ['persons', 'study-rights', 'attainments']\n\
                 export = {{ name = 'export', password = 'export' }}\n\
                 [[connection]]\nname = 'virta'\ntenant = '{HOST}'\nadapter = 'virta'\nshrink_share = 1.0\n\
                 [connection.settings]\ndirectory = '{}'\n[connection.settings.soap]\nurl = '{virta_url}{PATH}'\n{not_failed}\
                 [[connection]]\nname = 'home'\ntenant = '{HOST}'\nadapter = 'ooapi'\n\
                 [connection.settings]\nurl = '{home_url}/v1/tenants/{HOME}/interfaces/ooapi/partner'\ntoken = '{token}'\n{not_failed}",
                at("seal.key"),
                at("seal.pem"),
                at("credentials"),
                at("inbox")
            ),
            1,
            mappings(),
            &clock,
        );
        Self { host, home, clock, sisu, virta, certificate, dir }
    }

    fn connection(&self, name: &str) -> &Arc<Connection> {
        self.host.connection(name).expect("the connection")
    }

    /// Pulls, delivers to all three, reads back what can be read. What VIRTA holds then.
    async fn turn(&self) -> String {
        sync::pull(&self.host, self.connection("sisu")).await.expect("pulled");
        let virta = self.connection("virta");
        plan::plan_all(&self.host, virta).await.expect("planned");
        load::round(&self.host, virta).await.expect("a round");
        for held in self.host.ledger.loads(Some("virta"), true, 10).await.expect("loads") {
            assert!(rule(&self.host, held.id, Ruling::Release, "test").await.expect("ruled"));
            self.clock.advance(10 * SECOND);
            load::round(&self.host, virta).await.expect("a round");
        }
        self.virta.tick().expect("ticked");
        let home = self.connection("home");
        for connection in [home, self.connection("credentials")] {
            plan::plan_all(&self.host, connection).await.expect("planned");
            while items::round(&self.host, connection).await.expect("a round").worked {}
            let name = &connection.config.name;
            let open = self.host.ledger.figures(name, self.host.now()).await.expect("figures").backlog();
            assert_eq!(open, 0, "{name} is owed nothing more");
        }
        self.clock.advance(120 * SECOND);
        for connection in [virta, home] {
            let summary = reconcile::run::run(&self.host, connection).await.expect("reconciled").expect("readable");
            assert!(summary.findings.is_empty(), "{}: {summary:?}", connection.config.name);
        }
        let files = std::fs::read_dir(self.dir.path().join("store")).expect("the store's directory");
        let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files.last().map(|file| std::fs::read_to_string(file).expect("a document")).unwrap_or_default()
    }

    /// The credentials in the directory, by title.
    fn credentials(&self) -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(self.dir.path().join("credentials")).expect("a directory");
        let files = files.map(|entry| entry.expect("an entry").path());
        let sealed = files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonld"));
        let titled = |document: Vec<u8>| {
            let title = payload(&document)["displayParameter"]["title"]["en"].as_str().unwrap_or_default().to_owned();
            (title, document)
        };
        sealed.map(|file| titled(std::fs::read(file).expect("a credential"))).collect()
    }

    /// What a verifier finds of a credential who asks the issuer whether it was revoked.
    async fn verdict(&self, credential: &[u8]) -> Verdict {
        let router = silta::http::dressed(share::routes(), self.host.clone());
        let request = Request::get("/status/credentials").body(HttpBody::empty()).expect("a request");
        let (head, body) = router.oneshot(request).await.expect("an answer").into_parts();
        assert_eq!(head.status, 200);
        let list = to_bytes(body, usize::MAX).await.expect("a status list");
        let lists = [StatusList::read(&list, Bounds::default()).expect("a status list")];
        verified(credential, &self.certificate, &self.host.mappings, &lists, self.host.now()).verdict()
    }

    /// The attainments that came to the home institution, by title: how they stand, and the score.
    async fn arrived(&self) -> BTreeMap<String, (State, Option<String>)> {
        let mut arrived = BTreeMap::new();
        for learner in self.home.ledger.learners(HOME, None, 100).await.expect("learners") {
            for stored in self.home.ledger.records_of(HOME, learner).await.expect("records") {
                let Some(content) = stored.content.as_ref().filter(|_| stored.source == "partner") else { continue };
                for record in items::open_item(&self.home, content).expect("opens") {
                    let Some(Body::Attainment(body)) = record.body else { continue };
                    let title = body.title.first().map(|title| title.value.clone()).unwrap_or_default();
                    arrived.insert(title, (stored.state, body.grade.map(|grade| grade.value.to_string())));
                }
            }
        }
        arrived
    }

    /// What the home institution's own register says.
    async fn registers(&self, lines: &[Value]) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        lines.iter().for_each(|line| writeln!(file, "{line}").expect("written"));
        let submission = Submission {
            tenant: HOME.into(),
            source: "peppi".into(),
            adapter: self.home.registry.get("record").expect("the adapter").clone(),
            spool: file.path().to_owned(),
            allowed: Vec::new(),
            complete: Vec::new(),
            confirmed_removals: None,
            reinstate: false,
        };
        intake::take(&self.home, submission).await.expect("taken");
    }

    async fn person_at_home(&self) -> Vec<Record> {
        let key = silta_adapter::record::LearnerKey { tenant: HOME.into(), source: "peppi".into(), id: "s1".into() };
        let learner: LearnerId = self.home.vault.learner_id(&key);
        records_of_person(&self.home, HOME, learner).await.expect("records")
    }

    async fn credits_at_home(&self) -> Credits {
        let store = Store { name: "ledger".into(), records: self.person_at_home().await };
        credits("s1".into(), &[store], &self.home.mappings.institutions)
    }
}

fn attainment(id: &str, course: &str, grade: u8) -> Value {
    json!({"type": "CourseUnitAttainment", "id": id, "documentState": "ACTIVE", "personId": "hy-hlo-1",
        "courseUnitId": course, "attainmentDate": "2026-05-12", "registrationDate": "2026-05-13",
        "attainmentLanguageUrn": "urn:code:language:en", "state": "ATTAINED", "primary": true, "misregistration": false,
        "credits": 2.5, "gradeScaleId": "sis-0-5", "gradeId": grade, "acceptorPersons": [{"personId": "hy-hlo-9"}],
        "organisations": [{"organisationId": "hy-org-1", "share": 1.0,
            "roleUrn": "urn:code:organisation-role:responsible-organisation"}]})
}

/// What a register says of a learner who completed three courses and failed one.
fn taught(world: &World) {
    world.sisu.put(
        "persons",
        json!({"id": "hy-hlo-1", "documentState": "ACTIVE", "firstNames": "Testi",
        "lastName": "Esimerkki", "oppijanumero": NUMBER}),
    );
    world.sisu.put(
        "study-rights",
        json!({"id": "hy-opinoik-1", "documentState": "ACTIVE", "personId": "hy-hlo-1",
        "snapshotDateTime": "2024-08-01T00:00:00", "state": "ACTIVE",
        "valid": {"startDate": "2024-08-01", "endDate": "2029-07-31"},
        "statePeriods": [{"state": "ACTIVE", "startDate": "2024-08-01"}],
        "phase1EducationClassificationUrn": "urn:code:education-classification:612101",
        "phase1EducationLocationUrn": "urn:code:municipality:091"}),
    );
    for (id, name) in [("1", "Data structures"), ("2", "Algorithms"), ("3", "Networks"), ("4", "Compilers")] {
        let course = format!("hy-CU-{id}");
        world.sisu.put("course-units", json!({"id": course, "code": format!("CU-{id}"), "name": {"en": name}}));
        world.sisu.put("attainments", attainment(&format!("hy-a-{id}"), &course, 3));
    }
    let mut failed = attainment("hy-a-4", "hy-CU-4", 0);
    (failed["state"], failed["primary"]) = ("FAILED".into(), false.into());
    world.sisu.put("attainments", failed);
}

#[tokio::test]
async fn a_credit_reaches_the_national_store_its_learner_and_the_home_institution() {
    let world = World::new().await;
    taught(&world);
    let held = world.turn().await;
    assert_eq!(held.matches("<Opintosuoritus ").count(), 3, "{held}");
    assert!(held.contains("<Koulutuskoodi>612101</Koulutuskoodi>") && held.contains("<Tyyppi>2</Tyyppi>"), "{held}");
    let three = |names: [&str; 3]| names.map(str::to_owned);
    let arrived = world.arrived().await;
    assert_eq!(arrived.keys().cloned().collect::<Vec<_>>(), three(["Algorithms", "Data structures", "Networks"]));
    assert!(arrived.values().all(|said| *said == (State::Current, Some("3".to_owned()))), "{arrived:?}");

    let first = world.credentials();
    assert_eq!(first.keys().cloned().collect::<Vec<_>>(), three(["Algorithms", "Data structures", "Networks"]));
    for credential in first.values() {
        assert_eq!(world.verdict(credential).await, Verdict::Trusted);
    }

    // At home she is somebody with another number, who had one of the courses recognised.
    world
        .registers(&[
            json!({ "kind": "learner", "id": "s1", "learner": "s1",
                "body": { "identifiers": [{ "scheme": "fi:oppijanumero", "value": NUMBER }] } }),
            json!({ "kind": "attainment", "institution": HOME, "id": "r1", "learner": "s1", "body": {
                "title": [{ "lang": "en", "value": "Data structures" }], "completed_on": "2026-05-12",
                "recognised_on": "2026-06-01", "credits": { "ects": "2.5" },
                "organisations": [{ "role": { "scheme": "virta:rooli", "value": "3" },
                    "organisation": { "scheme": "virta:organisaatio", "value": HOST } }] } }),
        ])
        .await;
    let looked = look(&world.home, HOME, None).await.expect("looked");
    assert_eq!((looked.known, looked.contradictions), (2, 0));
    let person = world.person_at_home().await;
    let all: Vec<&Record> = person.iter().collect();
    let links = recognition::links(&all, &world.home.mappings.institutions);
    let told: Vec<_> = links.iter().map(|(home, origin)| (title(all[*home]), title(all[*origin]))).collect();
    assert_eq!(told, [("Data structures".to_owned(), "Data structures".to_owned())], "recognised");
    let sum = world.credits_at_home().await;
    assert_eq!((sum.stack.total.to_string().as_str(), sum.recognised.len()), ("7.5", 1), "counted once: {sum:?}");

    world.sisu.put("attainments", attainment("hy-a-1", "hy-CU-1", 5));
    let mut mistaken = attainment("hy-a-2", "hy-CU-2", 3);
    mistaken["misregistration"] = true.into();
    world.sisu.put("attainments", mistaken);
    world.sisu.put("attainments", json!({"type": "CourseUnitAttainment", "id": "hy-a-3", "documentState": "DELETED"}));
    let held = world.turn().await;
    assert_eq!(held.matches("<Opintosuoritus ").count(), 1, "{held}");
    assert!(held.contains("<Viisiportainen>5</Viisiportainen>"), "{held}");
    let arrived = world.arrived().await;
    assert_eq!(arrived["Data structures"], (State::Current, Some("5".to_owned())));
    assert_eq!(arrived["Algorithms"].0, State::Misregistered, "the standard has no deletion; the gateways have");
    assert_eq!(arrived["Networks"].0, State::Deleted);
    assert_eq!(world.person_at_home().await.iter().filter(|r| title(r) == "Algorithms").count(), 0);
    let sum = world.credits_at_home().await;
    assert_eq!((sum.stack.total.to_string().as_str(), sum.recognised.len()), ("2.5", 1), "{sum:?}");

    let second = world.credentials();
    assert_eq!(second.keys().collect::<Vec<_>>(), ["Data structures"], "what was taken back is no more there");
    let corrected = &second["Data structures"];
    assert_ne!(payload(corrected)["id"], payload(&first["Data structures"])["id"], "issued again");
    assert!(payload(corrected)["credentialSubject"]["hasClaim"].to_string().contains("\"5\""));
    assert_eq!(world.verdict(corrected).await, Verdict::Trusted);
    for (title, credential) in &first {
        assert_eq!(world.verdict(credential).await, Verdict::Invalid, "{title}: whoever kept it can see that it ended");
    }
}

fn title(record: &Record) -> String {
    match &record.body {
        Some(Body::Attainment(body)) => body.title.first().map(|title| title.value.clone()).unwrap_or_default(),
        _ => String::new(),
    }
}
