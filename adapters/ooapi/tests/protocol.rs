//! Delivery and reading back against the simulated partner, in both versions.
#![expect(clippy::expect_used, reason = "a test")]

use serde_json::json;
use silta_adapter::adapter::{
    Adapter, Connected, DecodeContext, Document, EncodeContext, Holding, LearnerQuery, Limits, Load,
};
use silta_adapter::canonical::record_form;
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Record, State};
use silta_ooapi::OpenEducation;
use silta_ooapi::sandbox::{Faults, Sandbox};
use std::sync::Arc;
use tokio::net::TcpListener;

struct World {
    adapter: OpenEducation,
    sandbox: Arc<Sandbox>,
    connected: Connected,
    mappings: Mappings,
}

fn ctx() -> DecodeContext {
    DecodeContext { tenant: "10088".into(), source: "readback".into(), limits: Limits::default() }
}

impl World {
    async fn new(version: u8) -> Self {
        let sandbox = Arc::new(Sandbox::new(Faults::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v{version}", listener.local_addr().expect("an address"));
        tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
        let adapter = if version == 5 { OpenEducation::V5 } else { OpenEducation::V6 };
        let settings = json!({ "url": url, "token": "t" });
        let connected = adapter.connect(&settings).expect("connects");
        Self { adapter, sandbox, connected, mappings: Mappings::builtin().expect("mappings") }
    }

    fn document(&self, record: &Record) -> Vec<u8> {
        let ctx = EncodeContext {
            mappings: &self.mappings,
            generation: 1,
            instant: "2026-11-22T00:00:00Z".parse().expect("a time"),
        };
        let encoder = self.adapter.encoder().expect("writes");
        encoder.encode(std::slice::from_ref(record), ctx).expect("encodes").document
    }

    async fn send(&self, record: &Record) -> Judgement {
        let load = Load {
            idempotency_key: "k".into(),
            tenant: "10088".into(),
            document: Document::Bytes(self.document(record)),
            withdrawal: record.head.state.is_tombstone(),
        };
        self.connected.deliver.as_ref().expect("delivers").deliver(&load).await
    }

    /// What is expected to be read back of a record.
    fn projection(&self, record: &Record) -> Record {
        let mut found = None;
        let mut sink = |decoded| {
            if let silta_adapter::adapter::Decoded::Record(record, _) = decoded {
                found = Some(*record);
            }
            Ok(())
        };
        let ctx = DecodeContext { source: "readback".into(), ..ctx() };
        let decoder = self.adapter.decoder().expect("reads");
        decoder.decode(&mut self.document(record).as_slice(), &ctx, &mut sink).expect("reads");
        found.expect("a record")
    }

    async fn held(&self) -> Holding {
        let learner = LearnerQuery { source: "sisu".into(), learner: "p1".into(), ..LearnerQuery::default() };
        let inventory = self.connected.inventory.as_ref().expect("is read");
        inventory.holdings(&ctx(), &[learner]).await.expect("reads").remove(0)
    }
}

fn learner() -> Record {
    serde_json::from_value(json!({ "kind": "learner", "tenant": "10088", "source": "sisu", "id": "p1", "learner": "p1",
        "body": { "given_names": "Testi", "family_name": "Esimerkki", "email": "nobody@a.example",
            "identifiers": [{ "scheme": "esi", "value": "urn:schac:personalUniqueCode:int:esi:fi:1" },
                { "scheme": "fi:hetu", "value": "010190-900P" }] } }))
    .expect("a record")
}

fn attainment(id: &str, grade: &str) -> Record {
    serde_json::from_value(json!({ "kind": "attainment", "tenant": "10088", "source": "sisu", "institution": "10088",
        "id": id, "learner": "p1", "body": { "category": { "scheme": "virta:opintosuorituslaji", "value": "2" },
            "title": [{ "lang": "en", "value": "Biology" }], "completed_on": "2026-05-12", "credits": { "ects": "2.5" },
            "code": "BIO-1", "language": { "scheme": "virta:kieli", "value": "en" },
            "grade": { "scale": { "code": { "scheme": "virta:arvosana", "value": "Viisiportainen" } }, "value": grade },
            "awarding_body": { "scheme": "virta:organisaatio", "value": "10088" } } }))
    .expect("a record")
}

#[tokio::test]
async fn what_is_sent_is_held_and_corrected() {
    for version in [5, 6] {
        let world = World::new(version).await;
        assert!(world.held().await.complete, "nothing is there, and known to be");
        let records = [learner(), attainment("a1", "3"), attainment("a2", "4"), attainment("a3", "5")];
        for record in &records {
            let judgement = world.send(record).await;
            assert_eq!(judgement.verdict, Verdict::Accepted, "{version}: {judgement:?}");
        }
        assert!(!world.document(&learner()).windows(11).any(|part| part == b"010190-900P"), "no national code");
        let corrected = attainment("a1", "5");
        assert_eq!(world.send(&corrected).await.verdict, Verdict::Accepted);
        assert_eq!(world.send(&corrected).await.verdict, Verdict::Accepted, "again");
        assert_eq!(world.sandbox.associations(version).len(), 3, "once each");
        let held = world.held().await;
        let form = |record: &Record| {
            let mut form = record_form(record);
            form["source"] = json!("");
            form
        };
        let mut there: Vec<_> = held.records.iter().map(form).collect();
        let mut expected: Vec<_> =
            [&records[0], &corrected, &records[2], &records[3]].map(|record| form(&world.projection(record))).to_vec();
        let key = |form: &serde_json::Value| form["id"].to_string();
        there.sort_by_key(key);
        expected.sort_by_key(key);
        assert_eq!(there, expected, "{version}");
        assert!(held.complete && held.problems.iter().all(|p| p.code != "deviation"), "{:?}", held.problems);
    }
}

#[tokio::test]
async fn what_is_taken_back_ends_cancelled_without_credits() {
    for version in [5, 6] {
        let world = World::new(version).await;
        for record in [learner(), attainment("a1", "3")] {
            world.send(&record).await;
        }
        let mut withdrawn = attainment("a1", "3");
        withdrawn.head.state = State::Misregistered;
        let judgement = world.send(&withdrawn).await;
        assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Accepted, "cancelled"));
        let left = world.sandbox.associations(version).remove(0);
        assert_eq!(left["state"], if version == 5 { "canceled" } else { "cancelled" });
        assert_eq!(left["result"]["score"].as_str().filter(|_| version == 6), None);
        assert_eq!(left["result"]["studyLoad"]["value"].as_i64().unwrap_or(0), 0);
        assert!(world.sandbox.standing(version).is_empty());
        let held = world.held().await;
        assert!(held.complete && held.records.iter().all(|record| record.head.key.id == "p1"), "{held:?}");
        let mut unknown = attainment("a9", "3");
        unknown.head.state = State::Deleted;
        assert_eq!(world.send(&unknown).await.verdict, Verdict::Accepted, "{version}: nothing to take back");
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    for version in [5, 6] {
        let world = World::new(version).await;
        world.sandbox.faults().unavailable = true;
        assert_eq!(world.send(&learner()).await.verdict, Verdict::Transient);
        *world.sandbox.faults() = Faults { fail_with: vec![401], ..Faults::default() };
        assert_eq!(world.send(&learner()).await.verdict, Verdict::Auth);
        *world.sandbox.faults() = Faults { fail_with: vec![429], ..Faults::default() };
        assert_eq!(world.send(&learner()).await.verdict, Verdict::RetryAfter);
        *world.sandbox.faults() = Faults { fail_with: vec![500], ..Faults::default() };
        assert_eq!(world.send(&learner()).await.verdict, Verdict::Uncertain);
        *world.sandbox.faults() = Faults { lose_answers: 1, ..Faults::default() };
        assert_eq!(world.send(&learner()).await.verdict, Verdict::Uncertain, "it arrived, and nobody says so");
        assert_eq!(world.sandbox.persons(version).len(), 1);
        world.sandbox.faults().unavailable = true;
        let inventory = world.connected.inventory.as_ref().expect("is read");
        let query = LearnerQuery { source: "sisu".into(), learner: "p1".into(), ..LearnerQuery::default() };
        assert!(inventory.holdings(&ctx(), &[query]).await.is_err(), "not read is not empty");
    }
}

#[tokio::test]
async fn version_5_changes_no_person_and_keeps_our_ids() {
    let world = World::new(5).await;
    world.send(&learner()).await;
    let known = world.send(&learner()).await;
    assert_eq!((known.verdict, known.cause.as_str()), (Verdict::AcceptedPending, "person:known"));
    let mut withdrawn = learner();
    withdrawn.head.state = State::Deleted;
    assert_eq!(world.send(&withdrawn).await.verdict, Verdict::Refused);
    world.sandbox.faults().own_ids = true;
    let renamed = world.send(&attainment("a1", "3")).await;
    assert_eq!((renamed.verdict, renamed.cause.as_str()), (Verdict::Refused, "renamed"));
}
