//! The client against the sandbox, over the loopback interface.

use super::*;
use crate::Virta;
use crate::sandbox::{Faults, PATH, Sandbox, SandboxOptions};
use crate::testing::{attainment, learner, learner_with, virta};
use serde_json::json;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Holding, Inventory, LearnerQuery, Limits, NotRead};
use silta_adapter::delivery::Verdict;
use silta_adapter::record::{Identifier, Learner};
use std::fs;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A running sandbox that was sent documents, each by its institution.
struct Store {
    _dir: TempDir,
    sandbox: Arc<Sandbox>,
    address: SocketAddr,
}

async fn store(faults: Faults, documents: &[(&str, String)]) -> Store {
    let dir = tempfile::tempdir().expect("a directory");
    let options = SandboxOptions { faults, password: Some("salainen".into()), ..SandboxOptions::new(dir.path()) };
    let sandbox = Arc::new(Sandbox::open(options).expect("opens"));
    for (tenant, document) in documents {
        fs::write(dir.path().join(format!("inbox/silta-{tenant}-1.xml")), document).expect("writes");
    }
    for load in sandbox.tick().expect("ticks") {
        assert_eq!(load.defects, []);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    Store { _dir: dir, sandbox, address }
}

impl Store {
    fn settings(&self) -> serde_json::Value {
        json!({"url": format!("http://{}{PATH}", self.address), "system": "gw", "user": "svc", "password": "salainen"})
    }

    fn reader(&self, more: serde_json::Value) -> SoapReader {
        let mut settings = self.settings();
        settings.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let settings = serde_json::from_value(settings).expect("settings");
        let mut reader = SoapReader::new(&settings, Arc::new(Virta)).expect("a reader");
        reader.backoff = ExponentialBuilder::default().with_min_delay(Duration::from_millis(1)).with_max_times(3);
        reader
    }

    async fn holdings(&self, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        self.reader(json!({})).holdings(&ctx(), learners).await
    }

    /// How many requests of each operation were answered.
    fn answered(&self, operation: &Operation) -> usize {
        self.sandbox.answered(operation.name)
    }
}

fn ctx() -> DecodeContext {
    DecodeContext { tenant: "10122".into(), source: "sis".into(), limits: Limits::default() }
}

fn query(learner: &str, identifiers: &[(&str, &str)]) -> LearnerQuery {
    let identifier = |(scheme, value): &(&str, &str)| Identifier { scheme: (*scheme).into(), value: (*value).into() };
    LearnerQuery {
        learner: learner.into(),
        identifiers: identifiers.iter().map(identifier).collect(),
        ..LearnerQuery::default()
    }
}

fn keys(holding: &Holding) -> Vec<&str> {
    holding.records.iter().map(|r| r.head.key.id.as_str()).collect()
}

const HETU: &str = Learner::HETU;
const NUMBER: &str = Learner::LEARNER_NUMBER;

#[tokio::test]
async fn learners_beyond_one_list_are_asked_in_several() {
    let learners: Vec<String> = (0..450)
        .map(|n| learner(&format!("S{n}"), &format!("1.{n}"), &[attainment(&format!("A{n}"), &format!("S{n}"), "")]))
        .collect();
    let store = store(Faults::default(), &[("10122", virta(&learners))]).await;
    let queries: Vec<_> = (0..450).map(|n| query(&format!("S{n}"), &[(NUMBER, &format!("1.{n}"))])).collect();
    let holdings = store.holdings(&queries).await.expect("answers");
    assert_eq!(holdings.len(), 450);
    for (n, holding) in holdings.iter().enumerate() {
        assert_eq!((holding.query, holding.complete), (n, true));
        assert_eq!(keys(holding), [format!("S{n}"), format!("A{n}")]);
    }
    assert_eq!((store.answered(&operation::EVERYTHING_OF_MANY), store.answered(&operation::EVERYTHING)), (3, 0));
}

#[tokio::test]
async fn all_identifiers_are_asked_and_the_answers_united() {
    let hetu = "<Henkilotunnus>010190A900X</Henkilotunnus>";
    let both = "<Henkilotunnus>010190A900X</Henkilotunnus><KansallinenOppijanumero>1.1</KansallinenOppijanumero>";
    let own = virta(&[learner_with("S1", both, &[attainment("A1", "S1", "")])]);
    let other = virta(&[learner_with("X1", hetu, &[attainment("A9", "X1", "").replace("10122", "02629")])]);
    let store = store(Faults::default(), &[("10122", own), ("02629", other)]).await;
    let queries = [query("S1", &[(HETU, "010190A900X"), (NUMBER, "1.1"), (NUMBER, "1.9"), ("esi", "urn:x")])];
    let holdings = store.holdings(&queries).await.expect("answers");
    assert_eq!(keys(&holdings[0]), ["S1", "A1"], "once, and nothing of other institutions");
    assert!(holdings[0].complete && holdings[0].problems.is_empty());
}

#[tokio::test]
async fn one_bad_identifier_costs_only_its_own_learner() {
    let learners: Vec<String> = (0..60)
        .map(|n| {
            let hetu = format!("<Henkilotunnus>010190A9{n:02}X</Henkilotunnus>");
            learner_with(&format!("S{n}"), &hetu, &[])
        })
        .collect();
    let store = store(Faults::default(), &[("10122", virta(&learners))]).await;
    let mut queries: Vec<_> =
        (0..60).map(|n| query(&format!("S{n}"), &[(HETU, &format!("010190A9{n:02}X"))])).collect();
    queries.push(query("BAD", &[(HETU, "999999A9999")]));
    queries.push(query("PART", &[(HETU, "010190A")]));
    let holdings = store.holdings(&queries).await.expect("answers");
    let (good, odd) = holdings.split_at(60);
    assert!(good.iter().all(|h| h.complete && h.records.len() == 1 && h.problems.is_empty()));
    let codes: Vec<_> = odd.iter().map(|h| (h.complete, h.problems[0].code.as_str())).collect();
    assert_eq!(codes, [(false, "not_answered"), (false, "not_identified")]);
    assert!(!format!("{:?}", odd[0].problems).contains("999999"));
}

#[tokio::test]
async fn nothing_held_is_an_answer_in_both_shapes() {
    for empty_list in [false, true] {
        let store = store(Faults { empty_list, ..Faults::default() }, &[]).await;
        let holdings = store.holdings(&[query("S1", &[(NUMBER, "1.1")])]).await.expect("answers");
        assert!(holdings[0].complete && holdings[0].records.is_empty() && holdings[0].problems.is_empty());
        let criteria = Criteria { kind: IdentifierKind::LearnerNumber, identifiers: &["1.1".into()] };
        let answer =
            store.reader(json!({})).ask(&operation::EVERYTHING, criteria, None, 10_000).await.expect("answers");
        assert_eq!(String::from_utf8_lossy(&answer).contains("<Virta "), empty_list);
    }
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_is_judged() {
    let own = virta(&[learner("S1", "1.1", &[])]);
    let flaky = Faults { unavailable: 0.5, lose_answer: 0.3, retry_after_secs: 0, ..Faults::default() };
    let flaky_store = store(flaky, &[("10122", own.clone())]).await;
    let mut read = 0;
    for _ in 0..8 {
        read += usize::from(flaky_store.holdings(&[query("S1", &[(NUMBER, "1.1")])]).await.is_ok());
    }
    assert!(read > 0, "with three more tries some get through");
    let asked = [query("S1", &[(NUMBER, "1.1")])];
    for (faults, verdict, cause) in [
        (Faults { unavailable: 1.0, retry_after_secs: 0, ..Faults::default() }, Verdict::Transient, "http:503"),
        (Faults { unavailable: 1.0, retry_after_secs: 600, ..Faults::default() }, Verdict::Transient, "http:503"),
        (Faults { lose_answer: 1.0, ..Faults::default() }, Verdict::Transient, "answer:lost"),
    ] {
        let pause = (faults.retry_after_secs, faults.unavailable);
        let NotRead(judgement) = store(faults, &[]).await.holdings(&asked).await.expect_err("no answer");
        assert_eq!((judgement.verdict, judgement.cause.as_str()), (verdict, cause));
        assert_eq!(judgement.retry_after, (pause.1 > 0.0).then(|| Duration::from_secs(pause.0)));
    }
}

#[tokio::test]
async fn a_service_that_hangs_or_is_not_there_does_not_hold_us_up() {
    let store = store(Faults { hang: 1.0, hang_secs: 3600, ..Faults::default() }, &[]).await;
    let criteria = Criteria { kind: IdentifierKind::LearnerNumber, identifiers: &["1.1".into()] };
    let mut reader = store.reader(json!({}));
    reader.http = Client::builder().timeout(Duration::from_millis(20)).no_proxy().build().expect("a client");
    let judgement = reader.ask(&operation::EVERYTHING, criteria, None, 10_000).await.expect_err("no answer");
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Transient, "timeout"));
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let reader = store.reader(json!({"url": format!("http://{nobody}/")}));
    let judgement = reader.ask(&operation::EVERYTHING, criteria, None, 10_000).await.expect_err("no answer");
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Transient, "connect"));
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let store = store(Faults::default(), &[]).await;
    let reader = store.reader(json!({"password": "arvattu"}));
    let NotRead(judgement) =
        reader.holdings(&ctx(), &[query("S1", &[(HETU, "010190A900X")])]).await.expect_err("a fault");
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Auth, "fault:client"));
    let said = format!("{judgement:?} {}", NotRead(judgement.clone()));
    assert!(!said.contains("010190") && !said.contains("arvattu") && !said.contains("127.0.0.1"), "{said}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read_and_the_others_are() {
    let rows: Vec<_> = (0..100).map(|n| attainment(&format!("A{n}"), "S1", "")).collect();
    let learners = [learner("S1", "1.1", &rows), learner("S2", "1.2", &[])];
    let store = store(Faults::default(), &[("10122", virta(&learners))]).await;
    let reader = store.reader(json!({"max_answer_bytes": 10_000}));
    let criteria = Criteria { kind: IdentifierKind::LearnerNumber, identifiers: &["1.1".into()] };
    let judgement = reader.ask(&operation::EVERYTHING, criteria, None, u64::MAX).await.expect_err("too large");
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Refused, "answer:too-large"));
    let asked = [query("S1", &[(NUMBER, "1.1")]), query("S2", &[(NUMBER, "1.2")])];
    let holdings = reader.holdings(&ctx(), &asked).await.expect("answers");
    assert_eq!(holdings.iter().map(|h| (h.complete, h.records.len())).collect::<Vec<_>>(), [(false, 0), (true, 1)]);
}

#[tokio::test]
async fn a_filtered_answer_is_never_complete() {
    let rows = [attainment("A1", "S1", ""), attainment("A2", "S1", "").replace("10122", "02629")];
    let store = store(Faults::default(), &[("10122", virta(&[learner("S1", "1.1", &rows)]))]).await;
    let reader = store.reader(json!({"organisation": "02629"}));
    let holdings = reader.holdings(&ctx(), &[query("S1", &[(NUMBER, "1.1")])]).await.expect("answers");
    assert_eq!((keys(&holdings[0]), holdings[0].complete), (vec!["S1", "A2"], false));
}

#[tokio::test]
async fn every_operation_can_be_asked() {
    let rows = [attainment("A1", "S1", ""), attainment("A2", "S1", "").replace("<Laji>2", "<Laji>1")];
    let store = store(Faults::default(), &[("10122", virta(&[learner("S1", "1.1", &rows)]))]).await;
    let reader = store.reader(json!({}));
    let identifiers: [SmolStr; 1] = ["1.1".into()];
    let criteria = Criteria { kind: IdentifierKind::LearnerNumber, identifiers: &identifiers };
    let mut told = Vec::new();
    for operation in &OPERATIONS {
        let answer = reader.ask(operation, criteria, Some("10122"), 10_000).await.expect("answers");
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.contains(&format!("<l:{}Response ", operation.name)), "{answer}");
        let has = |what: &str| usize::from(answer.contains(what));
        told.push((operation.name, has("<Opiskelija "), has("avain=\"A1\""), has("avain=\"A2\"")));
    }
    let expected = [
        ("OpiskelijanKaikkiTiedot", 1, 1, 1),
        ("OpiskelijanKaikkiTiedotLista", 1, 1, 1),
        ("Opintosuoritukset", 0, 1, 1),
        ("Tutkinnot", 0, 0, 1),
        ("Opiskeluoikeudet", 0, 0, 0),
        ("LukukausiIlmoittautumiset", 0, 0, 0),
        ("Liikkuvuusjaksot", 0, 0, 0),
        ("OpiskelijanTiedot", 1, 0, 0),
    ];
    assert_eq!(told, expected);
    let judgement = reader.ask(&OPERATIONS[7], criteria, None, 10_000).await.expect_err("no organisation");
    assert_eq!(judgement.cause, "request:organisation");
}

#[tokio::test]
async fn faults_can_be_changed_while_it_runs() {
    let store = store(Faults::default(), &[("10122", virta(&[learner("S1", "1.1", &[])]))]).await;
    let http = Client::builder().no_proxy().build().expect("a client");
    let faults = format!("http://{}/faults", store.address);
    let changed = http.post(&faults).json(&json!({"lose_learners": 1})).send().await.expect("answers");
    assert_eq!(changed.status(), StatusCode::OK);
    let wrong = http.post(&faults).json(&json!({"unavailable": 7})).send().await.expect("answers");
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    store.sandbox.tick().expect("ticks");
    let holdings = store.holdings(&[query("S1", &[(NUMBER, "1.1")])]).await.expect("answers");
    assert!(holdings[0].complete && holdings[0].records.is_empty());
    let health = http.get(format!("http://{}/health", store.address)).send().await.expect("answers");
    let health: serde_json::Value = health.json().await.expect("JSON");
    assert_eq!(health, json!({"status": "up", "generations": {"10122": 1}}));
}
