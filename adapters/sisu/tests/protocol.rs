//! Pull and delivery against the simulated Sisu.
#![expect(clippy::expect_used, clippy::panic, reason = "a test")]

use serde_json::{Value, json};
use silta_adapter::adapter::{
    Adapter, Connected, Decode, DecodeContext, Decoded, Deliver, Document, LearnerQuery, Limits, Load, Pull,
};
use silta_adapter::delivery::Verdict;
use silta_adapter::record::{Body, Record, State};
use silta_sisu::Sisu;
use silta_sisu::sandbox::{FailingIds, Sandbox, SandboxOptions};
use std::sync::Arc;
use tokio::net::TcpListener;

async fn open(settings: Value) -> (Arc<Sandbox>, Connected) {
    let sandbox = Arc::new(Sandbox::new(SandboxOptions::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    let mut all = json!({
        "url": url,
        "export": {"name": "export", "password": "export"},
        "import": {"name": "import", "password": "import"},
    });
    let (Value::Object(all_members), Value::Object(members)) = (&mut all, settings) else { panic!("objects") };
    all_members.extend(members);
    (sandbox, Sisu.connect(&all).expect("connects"))
}

fn attainment(id: &str) -> Value {
    json!({"type": "CourseUnitAttainment", "id": id, "documentState": "ACTIVE", "personId": "xy-p1",
        "courseUnitId": "xy-cu1", "attainmentDate": "2024-05-12", "registrationDate": "2024-05-13",
        "attainmentLanguageUrn": "urn:code:language:en", "state": "ATTAINED", "primary": true, "misregistration": false,
        "credits": 5, "gradeScaleId": "sis-0-5", "gradeId": 4,
        "acceptorPersons": [{"personId": "xy-p9"}],
        "organisations": [{"organisationId": "xy-o1", "share": 1,
            "roleUrn": "urn:code:organisation-role:responsible-organisation"}]})
}

fn records(document: &[u8]) -> Vec<Record> {
    let ctx = DecodeContext { tenant: "10088".into(), source: "sisu".into(), limits: Limits::default() };
    let mut records = Vec::new();
    let mut sink = |found| {
        if let Decoded::Record(record, _) = found {
            records.push(*record);
        }
        Ok(())
    };
    Sisu.decode(&mut &document[..], &ctx, &mut sink).expect("reads");
    records
}

async fn all(pull: &dyn Pull, mut cursor: Option<String>) -> (Vec<Record>, String, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = pull.pull("attainments", cursor.as_deref()).await.expect("a page");
        pages += 1;
        found.extend(page.document.iter().flat_map(|document| records(document)));
        cursor = Some(page.cursor.to_string());
        if !page.more {
            return (found, page.cursor.to_string(), pages);
        }
    }
}

#[tokio::test]
async fn a_feed_is_read_to_its_end_with_the_names_it_refers_to() {
    let (sandbox, connected) = open(json!({"page_size": 2})).await;
    let pull = connected.pull.expect("a source");
    sandbox.put("course-units", json!({"id": "xy-cu1", "code": "CU-1", "name": {"fi": "Kurssi", "en": "Course"}}));
    for number in 0..5 {
        sandbox.put("attainments", attainment(&format!("xy-{number}")));
    }
    let (found, cursor, pages) = all(pull.as_ref(), None).await;
    assert_eq!((found.len(), pages), (5, 3));
    let Some(Body::Attainment(first)) = &found[0].body else { panic!("an attainment") };
    assert_eq!((first.code.as_deref(), first.title.len()), (Some("CU-1"), 2));
    assert!(found.windows(2).all(|pair| pair[0].head.source_revision < pair[1].head.source_revision));
    // One request for a page, two for what it refers to, which are remembered within the run.
    assert_eq!(sandbox.reads(), 3 + 2);
    let corrected = sandbox.put(
        "attainments",
        json!({"gradeId": 5, "type": "CourseUnitAttainment", "id": "xy-1",
        "personId": "xy-p1"}),
    );
    let (found, next, _) = all(pull.as_ref(), Some(cursor)).await;
    assert_eq!(found.len(), 1, "only what is new");
    assert_eq!((found[0].head.source_revision, next), (Some(corrected), corrected.to_string()));
}

#[tokio::test]
async fn a_page_that_cannot_be_all_is_no_end_and_a_missing_grant_is_told() {
    let (sandbox, connected) = open(json!({"page_size": 2, "names": false})).await;
    let pull = connected.pull.expect("a source");
    sandbox.put("attainments", attainment("xy-1"));
    sandbox.put("attainments", attainment("xy-2"));
    let cause = async || {
        let refused = pull.pull("attainments", None).await.expect_err("no page").0;
        (refused.cause.to_string(), refused.verdict)
    };
    sandbox.with_faults(|faults| faults.empty_pages = 1);
    assert_eq!(cause().await, ("read:page:empty".to_owned(), Verdict::Transient));
    sandbox.with_faults(|faults| faults.short_pages = 1);
    assert_eq!(cause().await, ("read:page:short".to_owned(), Verdict::Transient));
    sandbox.with_faults(|faults| faults.unavailable = 1);
    assert_eq!(cause().await, ("read:http:503".to_owned(), Verdict::RetryAfter));
    sandbox.with_faults(|faults| faults.forbidden = vec!["attainments".into()]);
    assert_eq!(cause().await, ("read:http:403".to_owned(), Verdict::Misconfigured));
    sandbox.with_faults(|faults| faults.forbidden.clear());
    assert_eq!(all(pull.as_ref(), None).await.0.len(), 2, "nothing was lost");
}

#[tokio::test]
async fn of_several_versions_on_a_page_the_greatest_ordinal_counts() {
    let (sandbox, connected) = open(json!({"names": false})).await;
    sandbox.with_faults(|faults| faults.all_versions = true);
    sandbox.put("attainments", attainment("xy-1"));
    sandbox.put("attainments", attainment("xy-2"));
    let mut mistaken = attainment("xy-1");
    mistaken["misregistration"] = true.into();
    let last = sandbox.put("attainments", mistaken);
    let (found, ..) = all(connected.pull.expect("a source").as_ref(), None).await;
    let seen: Vec<_> = found.iter().map(|r| (r.head.key.id.as_str(), r.head.state, r.head.source_revision)).collect();
    assert_eq!(seen, [("xy-2", State::Current, Some(last - 1)), ("xy-1", State::Misregistered, Some(last))]);
}

fn load(entities: &[Value]) -> Load {
    let document = serde_json::to_vec(entities).expect("JSON");
    Load { idempotency_key: "k".into(), tenant: "10088".into(), document: Document::Bytes(document), withdrawal: false }
}

async fn deliver(deliver: &dyn Deliver, entities: &[Value]) -> Verdict {
    deliver.deliver(&load(entities)).await.verdict
}

#[tokio::test]
async fn a_bad_attainment_does_not_keep_the_good_ones_of_its_batch() {
    let (sandbox, connected) = open(json!({})).await;
    let import = connected.deliver.expect("a destination");
    for (form, most) in [(FailingIds::Array, 2), (FailingIds::Text, 2), (FailingIds::None, 12)] {
        sandbox.with_faults(|faults| faults.failing_ids = form);
        let mut batch: Vec<Value> =
            (0..8).map(|n| attainment(&format!("{}-{n}", ["ab", "cd", "ef"][form as usize]))).collect();
        batch[5]["organisations"][0]["share"] = json!(0.9);
        let before = sandbox.imports();
        assert_eq!(deliver(import.as_ref(), &batch).await, Verdict::Refused, "{form:?}");
        assert!(sandbox.imports() - before <= most, "{form:?}: {} imports", sandbox.imports() - before);
        for (at, entity) in batch.iter().enumerate() {
            let id = entity["id"].as_str().expect("an id");
            assert_eq!(sandbox.attainment(id).is_some(), at != 5, "{form:?} {id}");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_stays_open_until_the_copies_have_followed() {
    let (sandbox, connected) = open(json!({"lag_secs": 3600})).await;
    let (import, inventory) = (connected.deliver.expect("a destination"), connected.inventory.expect("readable"));
    sandbox.with_faults(|faults| (faults.lost_answers, faults.lag_secs) = (1, 3600));
    assert_eq!(deliver(import.as_ref(), &[attainment("xy-1")]).await, Verdict::Uncertain);
    let ctx = DecodeContext { tenant: "10088".into(), source: "readback".into(), limits: Limits::default() };
    let query = |learner: &str| LearnerQuery { learner: learner.into(), ..LearnerQuery::default() };
    let asked = [query("xy-p1"), query("xy-p2")];
    let held = inventory.holdings(&ctx, &asked).await.expect("read");
    assert_eq!((held[0].records.len(), held[0].complete), (0, false), "its absence proves nothing yet");
    assert!(held[1].complete, "nothing was imported for the other one");
    sandbox.advance(3600);
    let held = inventory.holdings(&ctx, &asked).await.expect("read");
    assert_eq!(held[0].records.len(), 1, "it had arrived");
    assert_eq!(sandbox.imports(), 1, "and was not sent again");
}

#[tokio::test]
async fn what_is_taken_back_is_deleted_and_a_failure_while_importing_is_not_called_harmless() {
    let (sandbox, connected) = open(json!({})).await;
    let import = connected.deliver.expect("a destination");
    assert_eq!(deliver(import.as_ref(), &[attainment("xy-1")]).await, Verdict::AcceptedPending);
    let gone = json!({"id": "xy-1", "personId": "xy-p1", "documentState": "DELETED"});
    assert_eq!(deliver(import.as_ref(), &[gone]).await, Verdict::AcceptedPending);
    assert_eq!(sandbox.attainment("xy-1").expect("a version")["documentState"], "DELETED");
    sandbox.with_faults(|faults| faults.unavailable = 1);
    assert_eq!(deliver(import.as_ref(), &[attainment("xy-2")]).await, Verdict::Uncertain);
}
