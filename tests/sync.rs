//! A simulated Sisu is pulled, and what it says reaches a simulated VIRTA, with corrections and what was taken back.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/gateway.rs"]
mod common;

use common::{gateway, mappings};
use serde_json::{Value, json};
use silta::delivery::load::{Ruling, rule};
use silta::delivery::{load, plan};
use silta::env::ManualClock;
use silta::gateway::{Connection, Gateway};
use silta::intake::{self, Submission};
use silta::ledger::TakeBack;
use silta::reconcile;
use silta::reconcile::source::{self, Scope};
use silta::sync::{self, Pulled};
use silta_adapter::record::{RecordKind, State};
use silta_sisu::sandbox::{Sandbox as Sisu, SandboxOptions as SisuOptions};
use silta_virta::sandbox::{PATH, Sandbox as Virta, SandboxOptions as VirtaOptions};
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;

const SECOND: i64 = 1_000_000;
const TENANT: &str = "10088";

struct World {
    gateway: Arc<Gateway>,
    clock: Arc<ManualClock>,
    sisu: Arc<Sisu>,
    virta: Arc<Virta>,
    dir: tempfile::TempDir,
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let virta = Arc::new(Virta::open(VirtaOptions::new(dir.path())).expect("a store"));
        let (socket, virta_url) = listener().await;
        tokio::spawn(virta.clone().serve(socket, std::future::pending()));
        let sisu = Arc::new(Sisu::new(SisuOptions::default()));
        let (socket, sisu_url) = listener().await;
        tokio::spawn(sisu.clone().serve(socket, std::future::pending()));
        let config = format!(
            "[reconcile]\nsettle_secs = 60\n[[tenant]]\ncode = '{TENANT}'\n\
             [[connection]]\nname = 'sisu'\ntenant = '{TENANT}'\nadapter = 'sisu'\npull_every_secs = 60\n\
             [connection.settings]\nurl = '{sisu_url}'\nfeeds = ['persons', 'attainments']\npage_size = 2\n\
             export = {{ name = 'export', password = 'export' }}\n\
             [[connection]]\nname = 'virta'\ntenant = '{TENANT}'\nadapter = 'virta'\nshrink_share = 1.0\n\
             [connection.settings]\ndirectory = '{}'\n\
             [connection.settings.soap]\nurl = '{virta_url}{PATH}'\n\
             [[connection.rule]]\nclassification = ['FAILED']\nsend = false\nbecause = 'VIRTA takes no failing grades'\n",
            dir.path().join("inbox").display()
        );
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let gateway = gateway(&config, 1, mappings(), &clock);
        Self { gateway, clock, sisu, virta, dir }
    }

    fn connection(&self, name: &str) -> &Arc<Connection> {
        self.gateway.connection(name).expect("the connection")
    }

    async fn pull(&self) -> Pulled {
        sync::pull(&self.gateway, self.connection("sisu")).await.expect("pulled")
    }

    /// Plans, loads, lets the store take it and reads it back; what the store then holds.
    async fn deliver(&self) -> String {
        let virta = self.connection("virta");
        plan::plan_all(&self.gateway, virta).await.expect("planned");
        load::round(&self.gateway, virta).await.expect("a round");
        for held in self.gateway.ledger.loads(Some("virta"), true, 10).await.expect("loads") {
            assert!(rule(&self.gateway, held.id, Ruling::Release, "test").await.expect("ruled"));
            self.clock.advance(10 * SECOND);
            load::round(&self.gateway, virta).await.expect("a round");
        }
        self.virta.tick().expect("ticked");
        self.clock.advance(120 * SECOND);
        let summary = reconcile::run::run(&self.gateway, virta).await.expect("reconciled").expect("readable");
        let files = std::fs::read_dir(self.dir.path().join("store")).expect("the store's directory");
        let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let held = files.last().map(|file| std::fs::read_to_string(file).expect("a document")).unwrap_or_default();
        assert!(summary.findings.is_empty(), "{summary:?}: {held}");
        held
    }

    async fn cursor(&self, feed: &str) -> Option<String> {
        self.gateway.ledger.fact(&format!("pull.sisu.{feed}")).await.expect("a fact")
    }

    async fn problems(&self) -> Vec<String> {
        let problems = self.gateway.ledger.problems(TENANT, 0, false, 100).await.expect("problems");
        problems.iter().map(|problem| problem.code.to_string()).collect()
    }
}

fn person() -> Value {
    json!({"id": "hy-hlo-1", "documentState": "ACTIVE", "firstNames": "Testi", "lastName": "Esimerkki",
        "oppijanumero": "1.2.246.562.98.90000000019", "genderUrn": "urn:code:gender:female"})
}

fn attainment(id: &str, grade: u8) -> Value {
    json!({"type": "CourseUnitAttainment", "id": id, "documentState": "ACTIVE", "personId": "hy-hlo-1",
        "courseUnitId": "hy-CU-1", "attainmentDate": "2026-05-12", "registrationDate": "2026-05-13",
        "attainmentLanguageUrn": "urn:code:language:en", "state": "ATTAINED", "primary": true, "misregistration": false,
        "credits": 2.5, "gradeScaleId": "sis-0-5", "gradeId": grade, "acceptorPersons": [{"personId": "hy-hlo-9"}],
        "organisations": [{"organisationId": "hy-org-1", "share": 1.0,
            "roleUrn": "urn:code:organisation-role:responsible-organisation"}]})
}

#[tokio::test]
async fn what_a_sisu_says_and_takes_back_reaches_the_national_store() {
    let world = World::new().await;
    world.sisu.put("persons", person());
    world.sisu.put("course-units", json!({"id": "hy-CU-1", "code": "CU-1", "name": {"en": "Data structures"}}));
    for id in ["hy-a-1", "hy-a-2", "hy-a-3"] {
        world.sisu.put("attainments", attainment(id, 3));
    }
    let mut failed = attainment("hy-a-4", 0);
    (failed["state"], failed["primary"]) = ("FAILED".into(), false.into());
    world.sisu.put("attainments", failed);
    let pulled = world.pull().await;
    assert_eq!((pulled.records, pulled.again_at), (5, None));
    let held = world.deliver().await;
    assert_eq!(held.matches("<Opintosuoritus ").count(), 3, "the failed one is not sent: {held}");
    for part in ["Data structures", "<Viisiportainen>3</Viisiportainen>", "<Opintopiste>2.5</Opintopiste>", TENANT] {
        assert!(held.contains(part), "{part} in {held}");
    }

    world.sisu.put("attainments", attainment("hy-a-1", 5));
    let mut mistaken = attainment("hy-a-2", 3);
    mistaken["misregistration"] = true.into();
    world.sisu.put("attainments", mistaken);
    world.sisu.put("attainments", json!({"type": "CourseUnitAttainment", "id": "hy-a-3", "documentState": "DELETED"}));
    assert_eq!(world.pull().await.records, 3, "only what is new");
    let held = world.deliver().await;
    assert_eq!(held.matches("<Opintosuoritus ").count(), 1, "{held}");
    assert!(held.contains("hy-a-1") && held.contains("<Viisiportainen>5</Viisiportainen>"), "{held}");

    let mut back = attainment("hy-a-2", 4);
    back["documentState"] = "DRAFT".into();
    world.sisu.put("attainments", back);
    world.sisu.put("attainments", attainment("hy-a-3", 4));
    world.pull().await;
    let held = world.deliver().await;
    assert!(held.contains("hy-a-3") && !held.contains("hy-a-2"), "a later version revives, a draft does not: {held}");
}

#[tokio::test]
async fn a_page_read_twice_changes_nothing() {
    let world = World::new().await;
    world.sisu.put("persons", person());
    world.sisu.put("attainments", attainment("hy-a-1", 3));
    world.pull().await;
    let before = world.gateway.ledger.feed(&[TENANT.into()], &[], 0, 100).await.expect("a feed").len();
    // As after a crash between keeping a page and its cursor.
    world.gateway.ledger.set_fact("pull.sisu.attainments", "0").await.expect("set");
    assert_eq!(world.pull().await.records, 1, "read again");
    assert_eq!(
        world.gateway.ledger.feed(&[TENANT.into()], &[], 0, 100).await.expect("a feed").len(),
        before,
        "no new version"
    );
}

#[tokio::test]
async fn a_feed_that_fails_keeps_its_cursor_and_stops_no_other() {
    let world = World::new().await;
    world.sisu.put("persons", person());
    world.sisu.put("attainments", attainment("hy-a-1", 3));
    world.sisu.with_faults(|faults| faults.forbidden = vec!["persons".into()]);
    let pulled = world.pull().await;
    assert_eq!(pulled.records, 1, "the attainment");
    assert!(pulled.again_at.is_some());
    assert_eq!(world.cursor("persons").await, None);
    assert!(world.problems().await.contains(&"feed_not_read".to_owned()), "told, not dropped");
    let told = world.problems().await.len();
    world.sisu.with_faults(|faults| faults.forbidden.clear());
    assert_eq!(world.pull().await.records, 0, "it waits");
    world.clock.advance(3600 * SECOND);
    assert_eq!(world.pull().await.records, 1, "the person");
    assert_eq!(world.problems().await.len(), told);

    world.sisu.put("attainments", attainment("hy-a-2", 3));
    let before = world.cursor("attainments").await;
    // One for each feed.
    world.sisu.with_faults(|faults| faults.empty_pages = 2);
    assert!(world.pull().await.again_at.is_some(), "an empty page with more behind it is no end");
    assert_eq!(world.cursor("attainments").await, before);
    world.clock.advance(3600 * SECOND);
    assert_eq!(world.pull().await.records, 1);
}

#[tokio::test]
async fn a_feed_is_compared_with_the_ledger_from_its_beginning() {
    let world = World::new().await;
    world.sisu.put("persons", person());
    for id in ["hy-a-1", "hy-a-2", "hy-a-3"] {
        world.sisu.put("attainments", attainment(id, 3));
    }
    world.sisu.put("attainments", attainment("hy-a-1", 5));
    world.sisu.put("attainments", json!({"type": "CourseUnitAttainment", "id": "hy-a-3", "documentState": "DELETED"}));
    world.pull().await;
    let before = world.cursor("attainments").await;
    let compared = async || {
        let compared = source::feed(&world.gateway, world.connection("sisu"), &Scope::default(), false).await;
        compared.expect("compared").expect("a feed")
    };
    let told = |outcome: &source::Outcome| {
        let told = outcome.findings.iter().map(|f| (f.kind.name(), f.evidence.key.id.to_string()));
        told.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let alike = compared().await;
    assert_eq!((told(&alike), alike.summary.failure), (vec![], None), "the last a feed says counts");
    assert_eq!(world.cursor("attainments").await, before, "no cursor moves");

    // What somebody pushed under the source's name, and what somebody took back there.
    let stray = json!({"kind": "attainment", "institution": TENANT, "id": "stray", "learner": "hy-hlo-1",
        "body": {"title": [{"lang": "en", "value": "Stray"}], "completed_on": "2026-05-12"}});
    let ids = world.gateway.ledger.current_ids(TENANT, "sisu", &[RecordKind::Attainment], None, 9).await.expect("ids");
    let (at, ids) = (world.gateway.now(), ids[..1].into());
    let taken = TakeBack { tenant: TENANT.into(), at, state: State::Deleted, ids, targets: Vec::new() };
    assert_eq!(world.gateway.ledger.take_back(&taken).await.expect("taken back"), 1);
    let mut spool = tempfile::NamedTempFile::new().expect("a spool");
    writeln!(spool, "{stray}").expect("written");
    let submission = Submission {
        tenant: TENANT.into(),
        source: "sisu".into(),
        adapter: world.gateway.registry.get("record").expect("an adapter").clone(),
        spool: spool.path().to_owned(),
        allowed: Vec::new(),
        complete: Vec::new(),
        confirmed_removals: None,
        reinstate: false,
    };
    intake::take(&world.gateway, submission).await.expect("taken");
    let outcome = compared().await;
    assert_eq!(told(&outcome).iter().map(|f| f.0).collect::<Vec<_>>(), ["differs", "unexpected"], "{outcome:?}");
    assert!(told(&outcome).contains(&("unexpected", "stray".to_owned())), "{outcome:?}");
    let kept = world.gateway.ledger.findings(Some(&format!("{TENANT}/sisu")), false, 0, 9).await.expect("findings");
    assert_eq!(kept.len(), 2);

    world.sisu.with_faults(|faults| faults.forbidden = vec!["persons".into()]);
    let outcome = compared().await;
    assert!(outcome.summary.failure.is_some_and(|f| f.contains("persons cannot be read")));
    let kept = world.gateway.ledger.findings(Some(&format!("{TENANT}/sisu")), false, 0, 9).await.expect("findings");
    assert_eq!(kept.len(), 2, "the last good state stands");
}
