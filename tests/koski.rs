//! Badges reach a simulated Koski, are read back, corrected and taken back; and what others told Koski is pulled.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/gateway.rs"]
mod common;

use common::{gateway, mappings};
use serde_json::{Value, json};
use silta::delivery::erase::{Erasure, erase};
use silta::delivery::{replan, run};
use silta::env::{Clock as _, ManualClock};
use silta::exchange::journey::journey;
use silta::gateway::{Connection, Gateway};
use silta::intake::{self, Receipt, Submission};
use silta::ledger::{Debt, DebtState, FindingStatus, Raise, RecordId, Summary, Wanted};
use silta::{reconcile, sync};
use silta_adapter::record::{RecordKey, RecordKind};
use silta_koski::sandbox::{Faults, PATH, Sandbox, SandboxOptions};
use std::io::Write as _;
use std::sync::Arc;
use tokio::net::TcpListener;

const SECOND: i64 = 1_000_000;
const TENANT: &str = "01694";
const SCHOOL: &str = "1.2.246.562.10.31915273374";

struct World {
    gateway: Arc<Gateway>,
    clock: Arc<ManualClock>,
    koski: Arc<Sandbox>,
    url: String,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let now = clock.clone();
        let options = SandboxOptions {
            directory: None,
            now: Arc::new(move || jiff::Timestamp::from_microsecond(now.now()).expect("a time")),
            faults: Faults::default(),
            password: Some("secret".into()),
        };
        let koski = Arc::new(Sandbox::open(options).expect("a sandbox"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}{PATH}", listener.local_addr().expect("an address"));
        tokio::spawn(koski.clone().serve(listener, std::future::pending()));
        let config = format!(
            "[reconcile]\nsettle_secs = 60\n[[tenant]]\ncode = '{TENANT}'\n\
             [[connection]]\nname = 'koski'\ntenant = '{TENANT}'\nadapter = 'koski'\npull_every_secs = 600\n\
             [connection.settings]\nurl = '{url}'\nuser = 'silta'\npassword = 'secret'\n\
             caller_id = '1.2.246.562.10.90000000001.silta'\n"
        );
        let gateway = gateway(&config, 1, mappings(), &clock);
        Self { gateway, clock, koski, url, dir }
    }

    fn connection(&self) -> &Arc<Connection> {
        self.gateway.connection("koski").expect("the connection")
    }

    async fn push(&self, records: &[Value]) -> Receipt {
        let mut spool = tempfile::NamedTempFile::new_in(self.dir.path()).expect("a spool");
        for record in records {
            writeln!(spool, "{record}").expect("written");
        }
        let submission = Submission {
            tenant: TENANT.into(),
            source: "peppi".into(),
            adapter: self.gateway.registry.get("record").expect("an adapter").clone(),
            spool: spool.path().to_owned(),
            allowed: Vec::new(),
            complete: Vec::new(),
            confirmed_removals: None,
            reinstate: false,
        };
        intake::take(&self.gateway, submission).await.expect("taken")
    }

    /// Plans, and sends what is due.
    async fn work(&self) {
        while run::plan(&self.gateway, self.connection()).await.expect("planned") {}
        while run::send(&self.gateway, self.connection()).await.expect("sent") {}
    }

    async fn reconcile(&self) -> Summary {
        self.clock.advance(120 * SECOND);
        reconcile::run::run(&self.gateway, self.connection()).await.expect("reconciled").expect("it can be read")
    }

    /// Works, and reads back: everything is as it should be.
    async fn settle(&self) -> Summary {
        self.work().await;
        let summary = self.reconcile().await;
        assert!(summary.findings.is_empty() && summary.failure.is_none(), "{summary:?} {:?}", self.findings().await);
        assert_eq!((summary.agreed, summary.complete), (summary.items, summary.learners), "{summary:?}");
        summary
    }

    async fn findings(&self) -> Vec<Value> {
        let findings = self.gateway.ledger.findings(Some("koski"), false, 0, 100).await.expect("findings");
        findings.iter().map(|f| self.gateway.vault.open_json(&f.evidence).expect("evidence")).collect()
    }

    fn id(&self, kind: RecordKind, id: &str) -> RecordId {
        let (tenant, source) = (TENANT.into(), "peppi".into());
        self.gateway.vault.record_id(&RecordKey { tenant, source, kind, institution: "".into(), id: id.into() })
    }

    async fn debt(&self, id: &str) -> Debt {
        self.debt_of(RecordKind::Attainment, id).await
    }

    async fn debt_of(&self, kind: RecordKind, id: &str) -> Debt {
        self.gateway.ledger.debts_of(self.id(kind, id)).await.expect("debts").remove(0)
    }

    async fn attempts(&self, debt: &Debt) -> usize {
        self.gateway.ledger.attempts(debt.id, 100).await.expect("attempts").len()
    }

    /// Somebody else's transfer.
    async fn transfer(&self, document: &Value) -> Value {
        let request = reqwest::Client::new()
            .put(format!("{}/api/oppija", self.url))
            .basic_auth("another", Some("secret"))
            .header("Caller-Id", "another")
            .header("CSRF", "x")
            .header("Cookie", "CSRF=x")
            .json(document);
        request.send().await.expect("sent").error_for_status().expect("taken").json().await.expect("an answer")
    }
}

/// A synthetic learner with an identity code.
fn learner(n: u32) -> Value {
    let individual = 900 + n;
    let check = char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(10_190_000 + individual as usize) % 31]);
    json!({ "kind": "learner", "id": format!("L{n}"), "learner": format!("L{n}"), "body": {
        "identifiers": [{ "scheme": "fi:hetu", "value": format!("010190-{individual}{check}") }],
        "given_names": "Testi Taina", "family_name": "Esimerkki" } })
}

fn badge(n: u32, id: &str, code: &str, day: &str) -> Value {
    let signatory =
        json!({ "nimi": "Olli Opettaja", "titteli": { "fi": "opettaja" }, "organisaatio": { "oid": SCHOOL } });
    let own = json!({ "opiskeluoikeus": { "suoritukset": [{ "vahvistus": { "myöntäjäHenkilöt": [signatory] } }] } });
    json!({ "kind": "attainment", "id": id, "learner": format!("L{n}"), "body": {
        "category": { "scheme": "koski:suorituksentyyppi", "value": "vstosaamismerkki" }, "national_code": code,
        "completed_on": day, "awarding_body": { "scheme": "fi:oppilaitosnumero", "value": TENANT },
        "extensions": { "koski": own } } })
}

fn taken_back(kind: &str, n: u32, id: &str) -> Value {
    json!({ "kind": kind, "id": id, "learner": format!("L{n}"), "state": "invalidated" })
}

#[tokio::test]
async fn a_badge_arrives_once_with_its_learner_and_is_corrected() {
    let world = World::new().await;
    let first = [learner(1), badge(1, "A1", "1001", "2026-05-12"), badge(1, "A2", "1002", "2026-05-12")];
    world.push(&first).await;
    let summary = world.settle().await;
    assert_eq!((world.koski.standing(), summary.items, summary.agreed), (2, 3, 3));
    let one = world.debt("A1").await;
    assert_eq!((one.state, one.generation), (DebtState::Confirmed, 1));
    assert_eq!(world.debt_of(RecordKind::Learner, "L1").await.state, DebtState::Settled, "no item of its own");

    // The learner's journey shows the items she is in.
    let told = journey(&world.gateway, world.id(RecordKind::Learner, "L1")).await.expect("told").expect("known");
    let items: Vec<RecordId> = told.debts.iter().map(|debt| debt.item).collect();
    assert_eq!(items.len(), 3);
    assert!(items.contains(&world.id(RecordKind::Attainment, "A2")));

    // What is said again, planned again and sent again makes no version.
    world.push(&first).await;
    replan::replan(&world.gateway, world.connection()).await.expect("marked");
    world.settle().await;
    assert_eq!(world.debt("A1").await.generation, 1);
    let all = Raise::State { connection: "koski".into(), state: DebtState::Confirmed };
    assert_eq!(world.gateway.ledger.raise(world.clock.now(), "replay", &all).await.expect("raised"), 2);
    world.settle().await;
    assert_eq!(world.attempts(&one).await, 2);
    assert_eq!(["/A1/L1", "/A2/L1"].map(|key| world.koski.versions(key)), [1, 1]);

    // A correction of one leaves the other alone; one of the learner goes with both.
    world.push(&[badge(1, "A1", "1001", "2026-05-13")]).await;
    world.settle().await;
    assert_eq!(["/A1/L1", "/A2/L1"].map(|key| world.koski.versions(key)), [2, 1]);
    assert_eq!((world.debt("A1").await.generation, world.debt("A2").await.generation), (3, 2));
    let mut renamed = learner(1);
    renamed["body"]["family_name"] = "Esimerkki-Malli".into();
    world.push(&[renamed]).await;
    world.settle().await;
    assert_eq!((world.debt("A1").await.generation, world.debt("A2").await.generation), (4, 3));
}

#[tokio::test]
async fn an_outage_of_an_hour_and_lost_answers_lose_nothing_and_double_nothing() {
    const MANY: u32 = 12;
    let world = World::new().await;
    for n in 0..MANY {
        if n == 4 {
            world.work().await;
            world.koski.faults().unavailable = true;
        }
        world.push(&[learner(n), badge(n, &format!("A{n}"), "1001", "2026-05-12")]).await;
    }
    for minute in 0..60 {
        world.clock.advance(60 * SECOND);
        world.work().await;
        if minute == 30 {
            world.push(&[badge(5, "A5", "1001", "2026-05-13")]).await;
        }
    }
    assert_eq!(world.koski.standing(), 4, "what came before");
    let state = world.gateway.ledger.connection("koski").await.expect("a state");
    assert!(state.failures > 0 && state.open_until.is_some(), "it is left in peace: {state:?}");
    world.koski.faults().unavailable = false;
    world.koski.faults().lose_answers = 3;
    for _ in 0..120 {
        world.clock.advance(60 * SECOND);
        world.work().await;
    }
    world.settle().await;
    assert_eq!(world.koski.standing(), MANY as usize);
    for n in 0..MANY {
        assert_eq!(world.koski.versions(&format!("/A{n}/L{n}")), 1, "A{n}");
        assert_eq!(world.debt(&format!("A{n}")).await.state, DebtState::Confirmed);
    }
}

#[tokio::test]
async fn a_conflict_is_resolved() {
    let world = World::new().await;
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12")]).await;
    world.koski.faults().fail_with = vec!["conflict.samanaikainenPäivitys".into()];
    world.work().await;
    assert_eq!(world.debt("A1").await.state, DebtState::Owed, "somebody else is being stored just now");
    world.clock.advance(3600 * SECOND);
    world.settle().await;

    // A register that keeps what Koski answered names the version it knows.
    let mut known = badge(1, "A1", "1001", "2026-05-14");
    let oid = world.koski.oid("/A1/L1").expect("an OID");
    known["body"]["extensions"]["koski.document"] = json!({ "opiskeluoikeus": { "oid": oid, "versionumero": 1 } });
    world.push(&[known]).await;
    world.koski.faults().edit_before = 1;
    world.settle().await;
    assert_eq!(world.koski.versions("/A1/L1"), 3, "ours, somebody else's, ours");
}

#[tokio::test]
async fn what_koski_refused_is_not_sent_again_because_a_sibling_changed() {
    let world = World::new().await;
    world.koski.faults().fail_with = vec!["badRequest.validation.vapaasivistystyo.duplikaattiOsaamismerkki".into()];
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12")]).await;
    world.work().await;
    world.push(&[badge(1, "A2", "1002", "2026-05-12")]).await;
    world.settle().await;
    let refused = world.debt("A1").await;
    assert_eq!((refused.state, refused.generation, world.attempts(&refused).await), (DebtState::Refused, 1, 1));
    world.push(&[badge(1, "A1", "1001", "2026-05-13")]).await;
    world.settle().await;
    assert_eq!((world.debt("A1").await.state, world.koski.standing()), (DebtState::Confirmed, 2), "a cure is sent");
}

#[tokio::test]
async fn who_withdrew_consent_is_left_alone_for_ever() {
    let world = World::new().await;
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12"), badge(1, "A2", "1002", "2026-05-12")]).await;
    world.settle().await;
    assert!(world.koski.withdraw_consent(&world.koski.oid("/A1/L1").expect("an OID")));
    let summary = world.reconcile().await;
    assert_eq!((summary.findings["missing"], summary.repairs), (1, 1), "why is not known yet");
    world.settle().await;
    let barred = world.debt("A1").await;
    assert_eq!((barred.state, world.attempts(&barred).await), (DebtState::Barred, 2));

    world.push(&[badge(1, "A1", "1001", "2026-05-13"), badge(1, "A2", "1002", "2026-05-13")]).await;
    for state in [DebtState::Barred, DebtState::Refused] {
        let all = Raise::State { connection: "koski".into(), state };
        assert_eq!(world.gateway.ledger.raise(world.clock.now(), "by hand", &all).await.expect("raised"), 0);
    }
    replan::replan(&world.gateway, world.connection()).await.expect("marked");
    world.clock.advance(86_400 * SECOND);
    world.settle().await;
    let after = world.debt("A1").await;
    assert_eq!((after.state, world.attempts(&after).await), (DebtState::Barred, 2), "not tried once more");
    assert_eq!((world.koski.standing(), world.koski.versions("/A2/L1")), (1, 2), "the other badge goes on");
}

#[tokio::test]
async fn what_is_taken_back_is_invalidated() {
    let world = World::new().await;
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12"), badge(1, "A2", "1002", "2026-05-12")]).await;
    world.settle().await;
    world.push(&[taken_back("attainment", 1, "A1")]).await;
    world.settle().await;
    assert_eq!((world.koski.standing(), world.koski.versions("/A1/L1")), (1, 0));

    // Somebody sends it again by hand: it is taken back again, though nothing tells any more what was sent.
    world.transfer(&request(1, "/A1/L1", "1001")).await;
    let summary = world.reconcile().await;
    assert_eq!((summary.findings["unexpected"], summary.repairs), (1, 1), "{:?}", world.findings().await);
    world.settle().await;
    assert_eq!(world.koski.standing(), 1);

    // Without its learner a badge cannot be sent; what is there stays there.
    world.push(&[taken_back("learner", 1, "L1"), badge(1, "A2", "1002", "2026-05-13")]).await;
    world.work().await;
    let refused = world.debt("A2").await;
    assert_eq!((refused.state, refused.reason.contains("learner")), (DebtState::Refused, true), "{refused:?}");
    assert_eq!(world.koski.versions("/A2/L1"), 1);
}

#[tokio::test]
async fn what_came_back_before_it_was_taken_back_is_left_alone() {
    let world = World::new().await;
    let of = |revision: u64, mut record: Value| {
        record["source_revision"] = revision.into();
        record
    };
    let one = badge(1, "A1", "1001", "2026-05-12");
    world.push(&[learner(1), of(1, one.clone())]).await;
    world.settle().await;
    world.push(&[of(2, taken_back("attainment", 1, "A1"))]).await;
    while run::plan(&world.gateway, world.connection()).await.expect("planned") {}
    world.push(&[of(3, one)]).await;
    while run::send(&world.gateway, world.connection()).await.expect("sent") {}
    assert_eq!((world.koski.standing(), world.koski.versions("/A1/L1")), (1, 1));
    world.settle().await;
    let debt = world.debt("A1").await;
    assert_eq!((debt.state, world.attempts(&debt).await), (DebtState::Confirmed, 1));
}

#[tokio::test]
async fn a_learner_is_erased_when_koski_holds_nothing_of_hers() {
    let world = World::new().await;
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12"), badge(1, "A2", "1002", "2026-05-12")]).await;
    world.settle().await;
    let stored = world.gateway.ledger.record(world.id(RecordKind::Learner, "L1")).await.expect("read").expect("known");
    let erased = async || erase(&world.gateway, TENANT, stored.learner).await.expect("asked");
    assert_eq!(erased().await, Erasure::Waits(2), "the badges");
    world.settle().await;
    assert_eq!(world.koski.standing(), 0);
    assert_eq!(erased().await, Erasure::Done(3));
    let debts = world.gateway.ledger.debts("koski", None, 0, 10).await.expect("debts");
    assert!(debts.iter().all(|debt| debt.wanted == Wanted::Absent && debt.losses.is_none()));
    let holdings = world.gateway.ledger.holdings("koski", None, 10).await.expect("holdings");
    assert!(holdings.iter().all(|h| h.sent_content.is_none() && h.wanted_content.is_none()));
}

#[tokio::test]
async fn what_is_lost_or_changed_at_koski_is_found_and_mended_and_nothing_else() {
    let world = World::new().await;
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12"), badge(1, "A2", "1002", "2026-05-12")]).await;
    world.push(&[learner(2), badge(2, "B1", "1001", "2026-05-12")]).await;
    world.settle().await;
    let oid = world.koski.oid("/A1/L1").expect("an OID");
    let deleted = reqwest::Client::new()
        .delete(format!("{}/api/opiskeluoikeus/{oid}", world.url))
        .basic_auth("another", Some("secret"))
        .header("Caller-Id", "another")
        .header("CSRF", "x")
        .header("Cookie", "CSRF=x");
    deleted.send().await.expect("sent").error_for_status().expect("erased");
    world.transfer(&request(2, "/B1/L2", "1003")).await;
    let summary = world.reconcile().await;
    let findings = world.findings().await;
    assert_eq!((summary.findings["missing"], summary.findings["differs"], findings.len()), (1, 1, 2), "{findings:?}");
    assert_eq!(summary.repairs, 2);
    world.settle().await;
    assert_eq!((world.koski.standing(), world.koski.versions("/B1/L2")), (3, 3));
    let open = world.gateway.ledger.findings(Some("koski"), true, 0, 10).await.expect("findings");
    assert!(open.iter().all(|finding| finding.status == FindingStatus::Closed));
}

/// A transfer of a badge as another system would make it.
fn request(n: u32, key: &str, code: &str) -> Value {
    let hetu = learner(n)["body"]["identifiers"][0]["value"].take();
    let coded = |value: &str, list: &str| json!({ "koodiarvo": value, "koodistoUri": list });
    let day = "2026-05-12";
    let right = json!({
        "lähdejärjestelmänId": { "id": key, "lähdejärjestelmä": coded("peppi", "lahdejarjestelma") },
        "oppilaitos": { "oid": SCHOOL },
        "tyyppi": coded("vapaansivistystyonkoulutus", "opiskeluoikeudentyyppi"),
        "tila": { "opiskeluoikeusjaksot": [{ "alku": day,
            "tila": coded("hyvaksytystisuoritettu", "koskiopiskeluoikeudentila") }] },
        "suoritukset": [{
            "tyyppi": coded("vstosaamismerkki", "suorituksentyyppi"),
            "koulutusmoduuli": { "tunniste": coded(code, "osaamismerkit") },
            "toimipiste": { "oid": SCHOOL },
            "arviointi": [{ "arvosana": coded("Hyväksytty", "arviointiasteikkovst"), "päivä": day }],
            "vahvistus": { "päivä": day, "myöntäjäOrganisaatio": { "oid": SCHOOL }, "myöntäjäHenkilöt": [{
                "nimi": "Olli Opettaja", "titteli": { "fi": "opettaja" }, "organisaatio": { "oid": SCHOOL } }] }
        }]
    });
    json!({ "henkilö": { "hetu": hetu, "etunimet": "Testi Taina", "kutsumanimi": "Testi", "sukunimi": "Esimerkki" },
        "opiskeluoikeudet": [right] })
}

#[tokio::test]
async fn what_others_told_koski_is_pulled_once_and_never_sent_back() {
    let world = World::new().await;
    let pull = async || sync::pull(&world.gateway, world.connection()).await.expect("pulled");
    let versions = async || world.gateway.ledger.feed(&[TENANT.into()], &[], 0, 100).await.expect("a feed").len();
    world.push(&[learner(1), badge(1, "A1", "1001", "2026-05-12")]).await;
    world.settle().await;
    assert_eq!(pull().await.records, 0, "what was sent from here is known here");
    world.transfer(&request(1, "another-7", "1002")).await;
    world.clock.advance(60 * SECOND);
    assert_eq!(pull().await.records, 2, "a badge and its learner");
    let before = versions().await;
    world.clock.advance(600 * SECOND);
    assert_eq!(pull().await.records, 2, "an hour is read again");
    assert_eq!(versions().await, before, "and says nothing new");
    world.settle().await;
    assert_eq!(world.koski.standing(), 2, "nothing of it is sent back");
    world.clock.advance(7200 * SECOND);
    pull().await;
    assert_eq!(pull().await.records, 0);
    world.koski.faults().unavailable = true;
    let cursor = async || world.gateway.ledger.fact("pull.koski.changes").await.expect("a fact");
    let before = cursor().await;
    assert!(pull().await.again_at.is_some());
    assert_eq!(cursor().await, before, "the cursor stays");
}
