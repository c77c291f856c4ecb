//! One record's way, end to end in one process: pushed, kept, planned, loaded into a simulated national store, read
//! back, repaired. The clock stands still unless moved; the store looks into its inbox when told to.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/gateway.rs"]
mod common;

use common::{gateway, mappings};
use serde_json::{Value, json};
use silta::delivery::baseline::{self, NotImported};
use silta::delivery::load::{Ruling, rule};
use silta::delivery::{load, plan, reports};
use silta::env::ManualClock;
use silta::gateway::{Connection, Gateway};
use silta::intake::{self, NotTaken, Receipt, Submission};
use silta::ledger::{DebtState, FindingKind, FindingStatus, Outcome, Summary};
use silta::reconcile::{self, repair};
use silta_adapter::problem::Problem;
use silta_adapter::record::RecordKind;
use silta_virta::sandbox::{PATH, Sandbox, SandboxOptions};
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;

const SECOND: i64 = 1_000_000;
const TENANT: &str = "02469";

/// A gateway with one VIRTA connection, and the store behind it.
struct World {
    gateway: Arc<Gateway>,
    clock: Arc<ManualClock>,
    store: Arc<Sandbox>,
    url: String,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::configured("").await
    }

    /// A world whose connection has more settings.
    async fn configured(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Sandbox::open(SandboxOptions::new(dir.path())).expect("a store"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(store.clone().serve(listener, std::future::pending()));
        let config = format!(
            "[reconcile]\nsettle_secs = 60\n[[tenant]]\ncode = '{TENANT}'\n[[connection]]\nname = 'virta'\n\
             tenant = '{TENANT}'\nadapter = 'virta'\n[connection.settings]\n{more}directory = '{}'\n\
             [connection.settings.reports]\ndirectory = '{}'\n[connection.settings.soap]\nurl = '{url}{PATH}'\n",
            dir.path().join("inbox").display(),
            dir.path().join("reports").display()
        );
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let gateway = gateway(&config, 1, mappings(), &clock);
        Self { gateway, clock, store, url, dir }
    }

    fn connection(&self) -> &Arc<Connection> {
        self.gateway.connection("virta").expect("the connection")
    }

    async fn submit(
        &self,
        format: &str,
        document: &str,
        complete: &[RecordKind],
        confirmed: Option<u64>,
    ) -> Result<Receipt, NotTaken> {
        let mut spool = tempfile::NamedTempFile::new_in(self.dir.path()).expect("a spool");
        spool.write_all(document.as_bytes()).expect("written");
        let submission = Submission {
            tenant: TENANT.into(),
            source: "sis".into(),
            adapter: self.gateway.registry.get(format).expect("an adapter").clone(),
            spool: spool.path().to_owned(),
            allowed: Vec::new(),
            complete: complete.to_vec(),
            confirmed_removals: confirmed,
            reinstate: false,
        };
        intake::take(&self.gateway, submission).await
    }

    async fn push(&self, document: &str) -> Receipt {
        self.submit("record", document, &[], None).await.expect("taken")
    }

    /// Plans and makes one load, if one is due.
    async fn load(&self) {
        plan::plan_all(&self.gateway, self.connection()).await.expect("planned");
        load::round(&self.gateway, self.connection()).await.expect("a round");
    }

    async fn release(&self) {
        let held = self.gateway.ledger.loads(Some("virta"), true, 10).await.expect("loads");
        assert_eq!(held.len(), 1, "one load is held");
        assert!(rule(&self.gateway, held[0].id, Ruling::Release, "test").await.expect("ruled"));
        self.clock.advance(10 * SECOND);
    }

    /// Loads, lets the store take it, waits until differences count, reads back.
    async fn settle(&self) -> Summary {
        self.load().await;
        self.store.tick().expect("ticked");
        self.clock.advance(120 * SECOND);
        self.reconcile().await
    }

    async fn reconcile(&self) -> Summary {
        reconcile::run::run(&self.gateway, self.connection()).await.expect("reconciled").expect("it can be read")
    }

    /// Pushes, releases the first load, settles.
    async fn established(&self, document: &str) {
        self.push(document).await;
        self.load().await;
        self.release().await;
        let summary = self.settle().await;
        assert_eq!((summary.agreed, summary.findings.len()), (summary.items, 0), "{summary:?}");
    }

    async fn states(&self) -> Vec<(DebtState, i64)> {
        let mut states = self.gateway.ledger.figures("virta", 0).await.expect("figures").states;
        states.retain(|(_, n)| *n > 0);
        states.sort_by_key(|(state, _)| state.name());
        states
    }

    async fn findings(&self) -> Vec<(FindingKind, FindingStatus)> {
        let findings = self.gateway.ledger.findings(Some("virta"), false, 0, 100).await.expect("findings");
        findings.iter().map(|f| (f.kind, f.status)).collect()
    }

    /// Codes of the sender's open problems from an origin, and the keys of the records they are about.
    async fn problems(&self, origin: &str) -> Vec<String> {
        let open = self.gateway.ledger.problems(TENANT, 0, false, 100).await.expect("problems");
        let mut told = Vec::new();
        for row in open.iter().filter(|row| row.origin == origin) {
            assert!(row.record.is_some(), "it is about a record");
            let problem: Problem = self.gateway.vault.open_json(&row.content).expect("a problem");
            told.push(format!("{} {}", problem.code, problem.key.expect("a key").id));
        }
        told.sort();
        told
    }

    async fn harm(&self, faults: Value) {
        let client = reqwest::Client::new();
        let answer = client.post(format!("{}/faults", self.url)).json(&faults).send().await.expect("answered");
        assert!(answer.status().is_success());
        self.store.tick().expect("ticked");
    }

    /// What the store holds, as one text.
    fn stored(&self) -> String {
        let mut files: Vec<_> = std::fs::read_dir(self.dir.path().join("store"))
            .expect("the store's directory")
            .map(|e| e.expect("an entry").path())
            .collect();
        files.sort();
        files.iter().map(|f| std::fs::read_to_string(f).expect("a document")).collect()
    }
}

fn learner(id: &str) -> String {
    format!(
        r#"{{"kind":"learner","id":"{id}","learner":"{id}","body":{{"family_name":"Malli","given_names":"Testi","identifiers":[{{"scheme":"fi:oppijanumero","value":"1.2.246.562.98.90000000019"}}]}}}}"#
    ) + "\n"
}

fn course(learner: &str, id: &str, grade: &str) -> String {
    course_with(learner, id, grade, &[])
}

fn course_with(learner: &str, id: &str, grade: &str, parts: &[&str]) -> String {
    let parts: Vec<Value> = parts.iter().map(|p| json!({ "id": p })).collect();
    let record = json!({
        "kind": "attainment", "institution": TENANT, "id": id, "learner": learner,
        "body": {
            "code": "C", "category": {"scheme": "virta:opintosuorituslaji", "value": "2"},
            "title": [{"lang": "fi", "value": format!("Kurssi {id}")}], "completed_on": "2026-05-12",
            "credits": {"ects": "5"},
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": grade},
            "awarding_body": {"scheme": "virta:organisaatio", "value": TENANT},
            "parts": parts,
        }
    });
    record.to_string() + "\n"
}

fn withdrawn(learner: &str, id: &str) -> String {
    json!({"kind": "attainment", "institution": TENANT, "id": id, "learner": learner, "state": "misregistered"})
        .to_string()
        + "\n"
}

#[tokio::test]
async fn an_invented_identifier_is_told_and_taken() {
    let world = World::new().await;
    let receipt = world.push(&learner("L1").replace("90000000019", "90000000018")).await;
    assert_eq!(receipt.taken[0].outcome, Outcome::New);
    let told: Vec<_> = receipt.problems.iter().map(|p| (p.code.as_str(), p.path.as_deref())).collect();
    assert_eq!(told, [("wrong_check_digit", Some("/body/identifiers/0"))]);
}

#[tokio::test]
async fn a_first_load_waits_for_an_operator_and_then_everything_is_proved_to_be_there() {
    let world = World::new().await;
    let receipt = world.push(&(learner("L1") + &course("L1", "A", "3"))).await;
    assert!(receipt.taken.iter().all(|t| t.outcome == Outcome::New));
    world.load().await;
    assert_eq!(world.states().await, [(DebtState::Owed, 2)], "held, nothing sent");
    assert!(!world.dir.path().join("inbox").read_dir().is_ok_and(|mut d| d.next().is_some()), "nothing was dropped");
    world.load().await;
    assert_eq!(
        world.gateway.ledger.loads(Some("virta"), true, 9).await.expect("loads").len(),
        1,
        "still one held load"
    );
    world.release().await;
    world.load().await;
    assert_eq!(world.states().await, [(DebtState::Sent, 2)]);
    let early = world.reconcile().await;
    assert_eq!(early.findings.get("settling"), Some(&2), "in flight is not an error: {early:?}");
    world.store.tick().expect("ticked");
    world.clock.advance(120 * SECOND);
    let summary = world.reconcile().await;
    assert_eq!((summary.items, summary.agreed, summary.findings.len()), (2, 2, 0));
    assert_eq!(world.states().await, [(DebtState::Confirmed, 2)]);
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_correction_and_a_withdrawal_reach_the_store() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3") + &course("L1", "B", "4"))).await;
    world.push(&course("L1", "A", "5")).await;
    let summary = world.settle().await;
    assert_eq!((summary.items, summary.agreed), (3, 3));
    assert!(world.stored().contains("<Viisiportainen>5</Viisiportainen>"));
    world.push(&withdrawn("L1", "B")).await;
    let summary = world.settle().await;
    assert_eq!((summary.items, summary.agreed), (3, 3));
    assert!(!world.stored().contains("Kurssi B"));
}

#[tokio::test]
async fn what_cannot_be_sent_never_removes_its_older_version() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3") + &course("L1", "B", "4"))).await;
    // VIRTA holds no attainment without a grade.
    let mut broken: Value = serde_json::from_str(&course("L1", "A", "3")).expect("JSON");
    broken["body"].as_object_mut().expect("a body").remove("grade");
    world.push(&(broken.to_string() + "\n" + &course("L1", "B", "5"))).await;
    let summary = world.settle().await;
    assert!(world.stored().contains("Kurssi A"), "the older version stands");
    assert!(world.stored().contains("<Viisiportainen>5</Viisiportainen>"), "the rest goes on");
    assert_eq!(summary.findings.len(), 0, "{summary:?}");
    assert!(world.states().await.contains(&(DebtState::Refused, 1)));
    assert_eq!(world.problems("virta").await.len(), 1, "the sender is told");
    world.push(&course("L1", "A", "2")).await;
    world.settle().await;
    assert!(world.problems("virta").await.is_empty(), "and it is cured");
    assert!(world.states().await.iter().all(|(state, _)| *state == DebtState::Confirmed));
}

#[tokio::test]
async fn a_load_that_renames_every_key_is_held() {
    let world = World::new().await;
    let old: String = (0..40).map(|n| course("L1", &format!("old-{n}"), "3")).collect();
    let new: String = (0..40).map(|n| course("L1", &format!("new-{n}"), "3")).collect();
    world.established(&(learner("L1") + &old)).await;
    let kinds = [RecordKind::Attainment];
    match world.submit("record", &new, &kinds, None).await {
        Err(NotTaken::Shrinks { removed: 40, known: 40 }) => {}
        other => panic!("the sender must confirm: {:?}", other.map(|r| r.removed)),
    }
    assert_eq!(world.submit("record", &new, &kinds, Some(40)).await.expect("confirmed").removed, 40);
    world.load().await;
    let held = world.gateway.ledger.loads(Some("virta"), true, 9).await.expect("loads");
    assert_eq!(held.len(), 1, "held at the destination too");
    assert!(held[0].reason.contains("remove 40 of the 41"), "{}", held[0].reason);
    assert!(world.stored().contains("old-39"));
    world.release().await;
    world.settle().await;
    assert!(!world.stored().contains("old-"));
}

#[tokio::test]
async fn a_silent_change_and_a_silent_loss_are_found_and_repaired() {
    let world = World::new().await;
    let courses: String = (0..10).map(|n| course("L1", &format!("A{n}"), "3")).collect();
    world.established(&(learner("L1") + &courses)).await;
    world.harm(json!({"alter_rows": 1, "lose_rows": 1})).await;
    let summary = world.reconcile().await;
    assert_eq!(summary.findings.values().sum::<i64>(), 2, "{summary:?}");
    assert_eq!(summary.repairs, 2);
    let mut kinds = world.findings().await;
    kinds.sort_by_key(|(kind, _)| *kind);
    assert_eq!(
        kinds,
        [(FindingKind::Missing, FindingStatus::Repairing), (FindingKind::Differs, FindingStatus::Repairing)]
    );
    let healed = world.settle().await;
    assert_eq!((healed.agreed, healed.findings.len()), (healed.items, 0));
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn what_survives_a_repair_waits_for_a_person() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3"))).await;
    world.harm(json!({"lose_rows": 1})).await;
    assert_eq!(world.reconcile().await.repairs, 1);
    world.load().await;
    world.store.tick().expect("ticked");
    // The repair was sent, and the store loses the row again.
    world.harm(json!({"lose_rows": 1})).await;
    world.clock.advance(120 * SECOND);
    assert_eq!(world.reconcile().await.repairs, 0);
    assert_eq!(world.findings().await, [(FindingKind::Missing, FindingStatus::Persistent)]);
    let finding = world.gateway.ledger.findings(Some("virta"), false, 0, 1).await.expect("findings").remove(0);
    assert!(repair::repair(&world.gateway, world.connection(), &finding).await.expect("repaired"), "a person repairs");
    let healed = world.settle().await;
    assert_eq!((healed.agreed, healed.findings.len()), (healed.items, 0));
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_be_read_proves_nothing() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3"))).await;
    world.harm(json!({"unavailable": 1.0, "retry_after_secs": 0})).await;
    let summary = world.reconcile().await;
    assert!(summary.failure.is_some());
    assert!(summary.findings.is_empty());
    assert!(world.findings().await.is_empty());
    assert_eq!(world.states().await, [(DebtState::Confirmed, 2)]);
}

#[tokio::test]
async fn a_whole_waits_for_its_part_and_a_named_part_is_not_removed() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "X", "3"))).await;
    world.push(&course_with("L1", "WHOLE", "4", &["PART"])).await;
    world.settle().await;
    assert!(world.states().await.contains(&(DebtState::Waiting, 1)), "{:?}", world.states().await);
    assert!(!world.stored().contains("WHOLE"));
    world.push(&course("L1", "PART", "4")).await;
    world.settle().await;
    assert_eq!(world.states().await, [(DebtState::Confirmed, 4)]);
    assert!(world.stored().contains("WHOLE"));
    world.push(&withdrawn("L1", "PART")).await;
    world.settle().await;
    assert!(world.stored().contains("Kurssi PART"), "the whole still names it");
    world.push(&course("L1", "WHOLE", "4")).await;
    world.settle().await;
    assert!(!world.stored().contains("Kurssi PART"), "now it may go");
}

#[tokio::test]
async fn a_key_sent_twice_with_different_content_takes_neither() {
    let world = World::new().await;
    world.push(&(learner("L1") + &course("L1", "A", "3"))).await;
    let receipt = world.push(&(course("L1", "A", "4") + &course("L1", "B", "1") + &course("L1", "A", "5"))).await;
    let outcomes: Vec<_> = receipt.taken.iter().map(|t| t.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused, Outcome::New, Outcome::Refused]);
    let problem = receipt.problems.iter().find(|p| p.code == "duplicate_key").expect("told");
    assert_eq!((problem.line, problem.related_line), (Some(3), Some(1)));
}

#[tokio::test]
async fn a_failed_drop_loses_nothing_and_opens_the_breaker() {
    let world = World::new().await;
    world.push(&(learner("L1") + &course("L1", "A", "3"))).await;
    world.load().await;
    world.release().await;
    let inbox = world.dir.path().join("inbox");
    std::fs::remove_dir_all(&inbox).expect("removed");
    for _ in 0..6 {
        world.load().await;
        world.clock.advance(3600 * SECOND);
    }
    assert_eq!(world.states().await, [(DebtState::Owed, 2)]);
    let state = world.gateway.ledger.connection("virta").await.expect("state");
    assert!(state.failures >= 5 && state.open_until.is_some(), "{state:?}");
    std::fs::create_dir_all(&inbox).expect("made");
    let summary = world.settle().await;
    assert_eq!((summary.items, summary.agreed), (2, 2), "the release still holds");
}

#[tokio::test]
async fn a_first_load_that_covers_the_imported_earlier_one_needs_no_release() {
    let world = World::new().await;
    let records = learner("L1") + &course("L1", "A", "3") + &course("L1", "B", "3");
    world.push(&records).await;
    let earlier = world.dir.path().join("earlier.xml");
    let xml = r#"<Virta xmlns="urn:mace:funet.fi:virta/2015/09/01"><Opiskelija avain="L1"><Opintosuoritukset>
        <Opintosuoritus avain="A" opiskelijaAvain="L1" koulutusmoduulitunniste="C"><SuoritusPvm>2026-05-12</SuoritusPvm>
        <Laajuus><Opintopiste>5</Opintopiste></Laajuus><Arvosana><Viisiportainen>3</Viisiportainen></Arvosana>
        <Myontaja>02469</Myontaja><Laji>2</Laji></Opintosuoritus></Opintosuoritukset></Opiskelija></Virta>"#;
    std::fs::write(&earlier, xml).expect("written");
    let items =
        baseline::import(&world.gateway, world.connection(), earlier.clone(), "sis".into()).await.expect("imported");
    assert_eq!(items, 2);
    let summary = world.settle().await;
    assert_eq!((summary.items, summary.agreed), (3, 3), "sent without a release");
    let late = baseline::import(&world.gateway, world.connection(), earlier, "sis".into()).await;
    assert!(matches!(late, Err(NotImported::TooLate)));
}

#[tokio::test]
async fn what_a_load_lacks_is_told_until_it_is_there() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3"))).await;
    let lacking =
        ["attainment_without_field A", "attainment_without_study_right A", "learner_without_identity_code L1"];
    assert_eq!(world.problems("virta:checks").await, lacking);
    let field = r#""fields_of_study":[{"field":{"scheme":"virta:koulutusala/ohjausala","value":"7"}}],"parts""#;
    world.push(&course("L1", "A", "3").replace(r#""parts""#, field)).await;
    world.settle().await;
    assert_eq!(world.problems("virta:checks").await, &lacking[1..]);
}

#[tokio::test]
async fn what_the_store_reports_later_reaches_the_sender_until_it_reports_it_no_more() {
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3") + &course("L1", "B", "3"))).await;
    let report = |name: &str, rows: &str| {
        let heading = "virhekoodi;virhe;opiskelijaAvain;opintosuoritusAvain";
        let text = format!("{heading}\n{rows}");
        std::fs::write(world.dir.path().join("reports").join(name), text).expect("written");
    };
    report("x.csv", "OS12;nimi puuttuu;L1;A\nOP3;;L1;\nOS12;nimi puuttuu;L1;GONE\n");
    let take = async |after| reports::take(&world.gateway, world.connection(), after).await.expect("taken");
    let first = take(None).await;
    assert_eq!(world.problems("virta:reports").await, ["OP3 L1", "OS12 A"]);
    assert_eq!(take(first.clone()).await, first, "it is taken once");
    report("y.csv", "OS12;nimi puuttuu;L1;A\n");
    let second = take(first.clone()).await;
    assert_ne!(second, first);
    assert_eq!(world.problems("virta:reports").await, ["OS12 A"]);
    report("z.csv", "");
    take(second).await;
    assert_eq!(world.problems("virta:reports").await, [""; 0]);
}

/// Puts a report where the store puts them, written at a time of the gateway's clock.
fn report(world: &World, name: &str, text: &str) {
    let path = world.dir.path().join("reports").join(name);
    let file = std::fs::File::create(path).expect("a file");
    (&file).write_all(text.as_bytes()).expect("written");
    let at = u64::try_from(world.gateway.now() / SECOND).expect("a time");
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at)).expect("dated");
}

#[tokio::test]
async fn an_error_in_a_report_is_a_verdict_until_the_content_changes() {
    const HEADING: &str = "db,virhekoodi,virhe,opintosuoritusAvain\n";
    let world = World::new().await;
    world.established(&(learner("L1") + &course("L1", "A", "3") + &course("L1", "B", "3"))).await;
    world.push(&course("L1", "A", "4")).await;
    world.load().await;
    world.store.tick().expect("ticked");
    world.clock.advance(120 * SECOND);
    let take = async |after| reports::take(&world.gateway, world.connection(), after).await.expect("taken");
    report(&world, "one.csv", &format!("{HEADING}x,foreign_row,ei kelpaa,A\nx,OS12,puuttuu,B\n"));
    let cursor = take(None).await;
    let refused = world.gateway.ledger.debts("virta", Some(DebtState::Refused), 0, 9).await.expect("debts");
    assert_eq!(refused.len(), 1, "an error refuses, a warning does not");
    assert!(refused[0].reason.contains("ei kelpaa (foreign_row)"), "{}", refused[0].reason);
    assert_eq!(refused[0].fixer.map(|fixer| fixer.name()), Some("sender"));
    assert_eq!(world.problems("virta:reports").await, ["OS12 B", "foreign_row A"]);

    world.push(&course("L1", "B", "5")).await;
    world.load().await;
    world.store.tick().expect("ticked");
    assert!(world.stored().contains("<Viisiportainen>3</Viisiportainen>"), "what was there before goes along");
    assert!(!world.stored().contains("<Viisiportainen>4</Viisiportainen>"), "what was refused does not");
    world.clock.advance(120 * SECOND);
    report(&world, "two.csv", HEADING);
    let cursor = take(cursor).await;
    assert_eq!(
        world.problems("virta:reports").await,
        ["foreign_row A"],
        "silence about what was not sent cures nothing"
    );
    let summary = world.reconcile().await;
    assert_eq!((summary.findings.len(), summary.repairs), (0, 0), "{summary:?}");

    world.push(&course("L1", "A", "5")).await;
    world.load().await;
    world.store.tick().expect("ticked");
    assert_eq!(world.gateway.ledger.debts("virta", Some(DebtState::Refused), 0, 9).await.expect("debts").len(), 0);
    world.clock.advance(120 * SECOND);
    report(&world, "three.csv", HEADING);
    take(cursor).await;
    assert_eq!(world.problems("virta:reports").await, [""; 0]);
    world.reconcile().await;
    assert_eq!(world.states().await, [(DebtState::Confirmed, 3)]);
}

#[tokio::test]
async fn a_row_that_the_official_schema_does_not_take_is_refused_alone() {
    let Some(schema) = contract_tests::shared_dir("schemas/virta/csc_current") else { return };
    let world = World::configured(&format!("schema = '{}'\n", schema.display())).await;
    // A code that no code list has.
    let odd = course("L1", "A", "3")
        .replace("\"virta:organisaatio\",\"value\":\"02469\"", "\"virta:organisaatio\",\"value\":\"99999\"");
    let odd = odd.replace("\"institution\":\"02469\"", "\"institution\":\"99999\"");
    world.push(&(learner("L1") + &odd + &course("L1", "B", "4"))).await;
    world.load().await;
    world.release().await;
    world.settle().await;
    assert_eq!(world.problems("virta").await, ["against_schema A"]);
    assert!(world.stored().contains("Kurssi B") && !world.stored().contains("Kurssi A"), "the rest goes on");
    world.push(&withdrawn("L1", "A").replace("02469", "99999")).await;
    world.push(&course("L1", "A", "3")).await;
    world.settle().await;
    assert!(world.stored().contains("Kurssi A"));
}
