//! Koski against stored documents, and against a simulated Koski.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests end the test")]

use contract_tests::{files, shared_dir};
use serde_json::{Value, json};
use silta_adapter::adapter::{
    Adapter, Connected, Decode, DecodeContext, Decoded, Document, Encode, EncodeContext, LearnerQuery, Limits, Load,
};
use silta_adapter::canonical::diff;
use silta_adapter::canonical::record_form;
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Fixer;
use silta_adapter::record::{Body, Identifier, Learner, Record, RecordKind};
use silta_koski::Koski;
use silta_koski::sandbox::{Faults, PATH, Sandbox, SandboxOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::net::TcpListener;

const SCHOOL: &str = "1.2.246.562.10.31915273374";

fn ctx() -> DecodeContext {
    DecodeContext { tenant: "t".into(), source: "peppi".into(), limits: Limits::default() }
}

fn decode(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let reading = Koski.decode(&mut &*bytes, &ctx(), &mut |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => panic!("{problem}"),
        }
        Ok(())
    });
    assert_eq!(reading.unwrap().unread, [""; 0]);
    records
}

/// The documents of all items of one learner.
fn encode(records: &[Record]) -> Vec<Value> {
    let mappings = Mappings::builtin().unwrap();
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: "2026-11-21T00:00:00Z".parse().unwrap() };
    let (plans, problems) = Koski.items(records);
    assert_eq!(problems, []);
    let document = |members: &[usize]| {
        let item: Vec<Record> = members.iter().map(|at| records[*at].clone()).collect();
        let encoded = Koski.encode(&item, ctx).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        serde_json::from_slice(&encoded.document).unwrap()
    };
    plans.iter().map(|plan| document(&plan.members)).collect()
}

/// Paths of the members of a document, without positions in lists.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| paths(value, &format!("{at}/{name}"), into)),
        Value::Array(list) => list.iter().for_each(|value| paths(value, at, into)),
        _ => drop(into.insert(at.to_owned())),
    }
}

#[test]
fn what_koski_stored_comes_back_whole() {
    let Some(cases) = shared_dir("cases/sis/koski") else { return };
    let mut read = 0;
    for file in files(&cases, ".json") {
        let bytes = std::fs::read(&file).unwrap();
        let stored: Value = serde_json::from_slice(&bytes).unwrap();
        if stored.pointer("/opiskeluoikeudet/0/suoritukset").is_none() {
            continue;
        }
        read += 1;
        let records = decode(&bytes);
        let rights = stored["opiskeluoikeudet"].as_array().unwrap();
        assert_eq!(records.iter().filter(|r| r.head.key.kind != RecordKind::Learner).count(), rights.len());
        for (mut back, right) in encode(&records).into_iter().zip(rights) {
            if right.get("lähdejärjestelmänId").is_none() {
                back["opiskeluoikeudet"][0].as_object_mut().unwrap().remove("lähdejärjestelmänId");
            }
            assert_eq!(back["henkilö"], stored["henkilö"], "{}", file.display());
            assert_eq!(back["opiskeluoikeudet"][0], *right, "{}", file.display());
        }
    }
    assert!(read >= 2, "the stored document and the request are among the cases");
}

#[test]
fn what_is_written_has_the_shape_of_what_koski_stored() {
    let Some(cases) = shared_dir("cases/sis/koski") else { return };
    let (mut known, mut ours) = (BTreeSet::new(), BTreeSet::new());
    for file in files(&cases, ".json") {
        paths(&serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap(), "", &mut known);
    }
    for document in encode(&[learner("L1", 900), badge("A1", "1001", "2026-05-12")]) {
        paths(&document, "", &mut ours);
    }
    assert_eq!(ours.difference(&known).collect::<Vec<_>>(), [""; 0]);
    assert!(ours.len() > 20, "{ours:?}");
}

/// A synthetic learner with an identity code.
fn learner(id: &str, individual: u32) -> Record {
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(10_190_000 + individual as usize) % 31] as char;
    let line = json!({ "kind": "learner", "tenant": "t", "source": "peppi", "id": id, "learner": id, "body": {
        "identifiers": [{ "scheme": "fi:hetu", "value": format!("010190-{individual}{check}") }],
        "given_names": "Testi Taina", "family_name": "Esimerkki" } });
    serde_json::from_value(line).unwrap()
}

fn badge(id: &str, code: &str, day: &str) -> Record {
    let signatory =
        json!({ "nimi": "Olli Opettaja", "titteli": { "fi": "opettaja" }, "organisaatio": { "oid": SCHOOL } });
    let own = json!({ "opiskeluoikeus": { "suoritukset": [{ "vahvistus": { "myöntäjäHenkilöt": [signatory] } }] } });
    let line = json!({ "kind": "attainment", "tenant": "t", "source": "peppi", "id": id, "learner": "L1", "body": {
        "category": { "scheme": "koski:suorituksentyyppi", "value": "vstosaamismerkki" }, "national_code": code,
        "completed_on": day, "awarding_body": { "scheme": "fi:oppilaitosnumero", "value": "01694" },
        "extensions": { "koski": own } } });
    serde_json::from_value(line).unwrap()
}

/// A simulated Koski, and a connection to it.
struct World {
    koski: Arc<Sandbox>,
    url: String,
    connected: Connected,
}

impl World {
    async fn new() -> Self {
        // Every look at the clock is a second later.
        let clock = AtomicI64::new(1_790_000_000);
        let now = move || jiff::Timestamp::from_second(clock.fetch_add(1, Ordering::Relaxed)).unwrap();
        let options = SandboxOptions {
            directory: None,
            now: Arc::new(now),
            faults: Faults::default(),
            password: Some("secret".into()),
        };
        let koski = Arc::new(Sandbox::open(options).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        tokio::spawn(koski.clone().serve(listener, std::future::pending()));
        let connected = connect(&url, "secret");
        Self { koski, url, connected }
    }

    async fn send(&self, document: &Value, withdrawal: bool) -> Judgement {
        send(&self.connected, document, withdrawal).await
    }

    /// What is read back of a learner, and whether that is known to be everything.
    async fn holdings(&self, of: &Record) -> (Vec<Record>, bool) {
        let Some(Body::Learner(learner)) = &of.body else { panic!("no learner") };
        let query = LearnerQuery { learner: of.head.learner.clone(), identifiers: learner.identifiers.0.clone() };
        let inventory = self.connected.inventory.as_ref().unwrap();
        let holding = inventory.holdings(&ctx(), &[query]).await.unwrap().remove(0);
        assert_eq!(holding.problems, []);
        (holding.records, holding.complete)
    }
}

fn connect(url: &str, password: &str) -> Connected {
    let settings = json!({ "url": url, "user": "silta", "password": password, "caller_id": "1.2.246.562.10.9.silta" });
    Koski.connect(&settings).unwrap()
}

async fn send(connected: &Connected, document: &Value, withdrawal: bool) -> Judgement {
    let load = Load {
        idempotency_key: "k".into(),
        tenant: "t".into(),
        document: Document::Bytes(document.to_string().into_bytes()),
        withdrawal,
    };
    connected.deliver.as_ref().unwrap().deliver(&load).await
}

fn cause(judgement: &Judgement) -> (Verdict, &str) {
    (judgement.verdict, judgement.cause.as_str())
}

fn one(records: &[Record]) -> Value {
    let mut documents = encode(records);
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

const ID: &str = "/A1/L1";

#[tokio::test]
async fn a_badge_is_stored_read_back_corrected_and_never_twice() {
    let world = World::new().await;
    let (learner, badge) = (learner("L1", 900), badge("A1", "1001", "2026-05-12"));
    let request = one(&[learner.clone(), badge.clone()]);
    for _ in 0..3 {
        assert_eq!(cause(&world.send(&request, false).await), (Verdict::Accepted, "stored"));
    }
    assert_eq!((world.koski.standing(), world.koski.versions(ID)), (1, 1), "a replay makes no version");

    let (held, complete) = world.holdings(&learner).await;
    assert!(complete);
    let projection = decode(request.to_string().as_bytes());
    let ours = |records: &[Record]| record_form(records.iter().find(|r| r.head.key == badge.head.key).unwrap());
    assert_eq!(diff(&ours(&projection), &ours(&held)), [], "what is read back is what was sent");

    let corrected = one(&[learner.clone(), self::badge("A1", "1001", "2026-05-13")]);
    assert_eq!(cause(&world.send(&corrected, false).await), (Verdict::Accepted, "stored"));
    assert_eq!((world.koski.standing(), world.koski.versions(ID)), (1, 2));
}

#[tokio::test]
async fn a_conflict_of_versions_is_resolved_on_top_of_what_is_there() {
    let world = World::new().await;
    let records = [learner("L1", 900), badge("A1", "1001", "2026-05-12")];
    let mut request = one(&records);
    world.send(&request, false).await;
    let oid = world.koski.oid(ID).unwrap();
    request["opiskeluoikeudet"][0]["oid"] = oid.into();
    request["opiskeluoikeudet"][0]["versionumero"] = 1.into();
    world.koski.faults().edit_before = 1;
    assert_eq!(cause(&world.send(&request, false).await), (Verdict::Accepted, "stored"));
    assert_eq!(world.koski.versions(ID), 3, "ours, somebody else's, ours again");
    world.koski.faults().edit_before = 2;
    let judgement = world.send(&request, false).await;
    assert_eq!(cause(&judgement), (Verdict::Transient, "key:conflict.versionumero"), "not for ever: later");
    assert_eq!(cause(&world.send(&request, false).await), (Verdict::Accepted, "stored"));
}

#[tokio::test]
async fn who_withdrew_consent_is_left_alone() {
    let world = World::new().await;
    let learner = learner("L1", 900);
    let request = one(&[learner.clone(), badge("A1", "1001", "2026-05-12")]);
    world.send(&request, false).await;
    let oid = world.koski.oid(ID).unwrap();
    assert!(world.koski.withdraw_consent(&oid));
    let judgement = world.send(&request, false).await;
    assert_eq!(cause(&judgement), (Verdict::Barred, "key:forbidden.suostumusPeruttu"));
    assert!(!judgement.verdict.retries());
    assert_eq!(world.koski.standing(), 0);
    assert_eq!(world.holdings(&learner).await, (Vec::new(), true), "it is known that nothing is held");
    assert_eq!(cause(&world.send(&request, true).await), (Verdict::Accepted, "gone"), "nothing is left to take back");
}

#[tokio::test]
async fn a_badge_is_taken_back_by_whatever_names_it() {
    let world = World::new().await;
    let (learner, badge) = (learner("L1", 900), badge("A1", "1001", "2026-05-12"));
    let by_code = one(&[learner.clone(), badge.clone()]);
    world.send(&by_code, false).await;
    let oid = world.koski.oid(ID).unwrap();
    let held = world.holdings(&learner).await.0;
    assert_eq!(held.len(), 2);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document = by_code.clone();
        change(&mut document);
        document
    };
    for (document, expected) in
        [(by_code.clone(), "invalidated"), (with(&|d| d["opiskeluoikeudet"][0]["oid"] = oid.clone().into()), "gone")]
    {
        assert_eq!(cause(&world.send(&document, true).await), (Verdict::Accepted, expected));
        assert_eq!(world.koski.standing(), 0);
    }
    let mut known = learner.clone();
    let Some(Body::Learner(body)) = &mut known.body else { panic!("no learner") };
    world.send(&by_code, false).await;
    let person = reqwest::Client::new()
        .post(format!("{}/api/henkilo/search", world.url))
        .basic_auth("silta", Some("secret"))
        .header("Caller-Id", "test")
        .header("CSRF", "x")
        .header("Cookie", "CSRF=x")
        .json(&json!({ "query": body.identifiers[0].value }))
        .send()
        .await
        .unwrap();
    let person: Value = person.json().await.unwrap();
    let oid = person["henkilöt"][0]["oid"].as_str().unwrap();
    body.identifiers.push(Identifier { scheme: Learner::PERSON_OID.into(), value: oid.into() });
    let by_person = one(&[known, badge]);
    assert_eq!(cause(&world.send(&by_person, true).await), (Verdict::Accepted, "invalidated"));
    assert_eq!(cause(&world.send(&by_person, true).await), (Verdict::Accepted, "gone"));
    assert_eq!(world.koski.standing(), 0);
}

#[tokio::test]
async fn an_outage_and_lost_answers_lose_nothing_and_double_nothing() {
    let world = World::new().await;
    let mut owed: Vec<Value> = (0..12)
        .map(|n| {
            let mut learner = learner("L1", 900 + n);
            let mut badge = badge(&format!("A{n}"), "1001", "2026-05-12");
            for record in [&mut learner, &mut badge] {
                record.head.learner = format!("L{n}").into();
            }
            learner.head.key.id = format!("L{n}").into();
            one(&[learner, badge])
        })
        .collect();
    let mut verdicts = BTreeSet::new();
    for hour in 0..4 {
        world.koski.faults().unavailable = hour == 1;
        world.koski.faults().lose_answers = if hour == 2 { 5 } else { 0 };
        let mut left = Vec::new();
        for document in owed {
            // The first hour is over after a few.
            let judgement = if hour == 0 && left.len() < 6 { None } else { Some(world.send(&document, false).await) };
            let verdict = judgement.map(|judgement| judgement.verdict);
            verdicts.insert(verdict.map_or("not tried", Verdict::name));
            if verdict != Some(Verdict::Accepted) {
                left.push(document);
            }
        }
        owed = left;
    }
    assert_eq!(owed, [Value::Null; 0], "everything has arrived");
    assert_eq!(verdicts.into_iter().collect::<Vec<_>>(), ["accepted", "not tried", "transient", "uncertain"]);
    assert_eq!(world.koski.standing(), 12);
    for n in 0..12 {
        assert_eq!(world.koski.versions(&format!("/A{n}/L{n}")), 1, "what was sent again is the same version");
    }
}

#[tokio::test]
async fn each_error_says_what_it_means_and_who_can_mend_it() {
    use Fixer::{Configuration, Operator, OtherSide, Sender};
    let world = World::new().await;
    let request = one(&[learner("L1", 900), badge("A1", "1001", "2026-05-12")]);
    let validation = "badRequest.validation";
    for (key, verdict, fixer) in [
        ("badRequest.format.json", Verdict::Refused, Some(Sender)),
        ("badRequest.format.date", Verdict::Refused, Some(Sender)),
        ("badRequest.format.number", Verdict::Refused, Some(Sender)),
        (&format!("{validation}.jsonSchema"), Verdict::Refused, Some(Operator)),
        (&format!("{validation}.henkilötiedot.hetu"), Verdict::Refused, Some(Sender)),
        (&format!("{validation}.koodisto.tuntematonKoodi"), Verdict::Refused, Some(Configuration)),
        (&format!("{validation}.organisaatio.tuntematon"), Verdict::Refused, Some(Configuration)),
        (&format!("{validation}.vapaasivistystyo.tallennuspäivä"), Verdict::Refused, Some(OtherSide)),
        (&format!("{validation}.vapaasivistystyo.päättymispäivä"), Verdict::Refused, Some(Sender)),
        (&format!("{validation}.vapaasivistystyo.osaamismerkkiPäivät"), Verdict::Refused, Some(Sender)),
        (&format!("{validation}.vapaasivistystyo.duplikaattiOsaamismerkki"), Verdict::Refused, Some(Sender)),
        ("unauthorized.notAuthenticated", Verdict::Auth, Some(Configuration)),
        ("unauthorized.loginFail", Verdict::Auth, Some(Configuration)),
        ("forbidden.organisaatio", Verdict::Refused, Some(Configuration)),
        ("forbidden.lähdejärjestelmäIdPuuttuu", Verdict::Refused, Some(Configuration)),
        ("forbidden.lähdejärjestelmäIdEiSallittu", Verdict::Refused, Some(Configuration)),
        ("forbidden.oppijaOidinMuutos", Verdict::Refused, Some(Operator)),
        ("forbidden.suostumusPeruttu", Verdict::Barred, None),
        ("notFound.oppijaaEiLöydyTaiEiOikeuksia", Verdict::Refused, Some(Sender)),
        ("conflict.samanaikainenPäivitys", Verdict::RetryAfter, None),
        ("conflict.exists", Verdict::Refused, Some(Operator)),
        ("conflict.hetu", Verdict::Refused, Some(Sender)),
        ("conflict.löytyiEnemmänKuinYksiRivi", Verdict::Refused, Some(OtherSide)),
        ("unsupportedMediaType.jsonOnly", Verdict::Misconfigured, Some(Configuration)),
        ("internalError", Verdict::Uncertain, Some(OtherSide)),
        ("unavailable.virta", Verdict::Transient, Some(OtherSide)),
    ] {
        world.koski.faults().fail_with = vec![key.to_owned()];
        let judgement = world.send(&request, false).await;
        assert_eq!((judgement.verdict, judgement.fixer), (verdict, fixer), "{key}: {judgement:?}");
        assert_eq!(judgement.cause, format!("key:{key}"));
    }
    world.koski.faults().fail_with = vec!["badRequest.010190-900P".to_owned()];
    let judgement = world.send(&request, false).await;
    assert_eq!(cause(&judgement), (Verdict::Refused, "http:400"), "what is no key is not repeated");
    assert_eq!(world.koski.standing(), 0);
    let stranger = connect(&world.url, "another");
    assert_eq!(cause(&send(&stranger, &request, false).await), (Verdict::Auth, "key:unauthorized.loginFail"));
    let nowhere = connect("http://127.0.0.1:9/koski", "secret");
    assert_eq!(cause(&send(&nowhere, &request, false).await), (Verdict::Transient, "connect"));
}

#[tokio::test]
async fn what_was_changed_is_read_since_a_little_before_the_last_time() {
    let world = World::new().await;
    let open = |overlap: u64| {
        let settings = json!({ "url": world.url, "user": "silta", "password": "secret", "caller_id": "x",
            "overlap_secs": overlap });
        Koski.connect(&settings).unwrap().pull.unwrap()
    };
    let changes = open(0);
    assert_eq!(changes.feeds(), ["changes"]);
    let page = async |cursor: Option<&str>| changes.pull("changes", cursor).await;
    assert!(page(None).await.unwrap().document.is_none());
    world.send(&one(&[learner("L1", 900), badge("A1", "1001", "2026-05-12")]), false).await;
    assert!(page(None).await.unwrap().document.is_none(), "what was sent from here is known here");
    let mut of_another = one(&[learner("L1", 900), badge("A2", "1002", "2026-05-12")]);
    of_another["opiskeluoikeudet"][0]["lähdejärjestelmänId"]["id"] = "another-7".into();
    world.send(&of_another, false).await;
    let first = page(None).await.unwrap();
    assert!(!first.more);
    let records = decode(&first.document.unwrap());
    assert_eq!(
        records.iter().map(|r| r.head.key.kind).collect::<Vec<_>>(),
        [RecordKind::Learner, RecordKind::Attainment]
    );
    assert!(page(Some(&first.cursor)).await.unwrap().document.is_none(), "nothing since");
    let again = open(600).pull("changes", Some(&first.cursor)).await.unwrap();
    assert_eq!(decode(&again.document.unwrap()), records, "a stretch is read again");
    assert!(page(Some("yesterday")).await.is_err());
    world.koski.faults().unavailable = true;
    let judgement = page(Some(&first.cursor)).await.unwrap_err().0;
    assert_eq!(judgement.verdict, Verdict::Transient);
}

#[tokio::test]
async fn the_same_badge_is_taken_once() {
    let world = World::new().await;
    let learner = learner("L1", 900);
    let records = [
        learner.clone(),
        badge("A1", "1001", "2026-05-12"),
        badge("A2", "1001", "2026-05-12"),
        badge("A3", "1002", "2026-05-12"),
    ];
    let (plans, problems) = Koski.items(&records);
    assert_eq!(plans.iter().map(|plan| plan.root.id.as_str()).collect::<Vec<_>>(), ["A1", "A3"]);
    assert_eq!(problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["duplicate_badge"]);
    for twin in &records[1..3] {
        world.send(&one(&[learner.clone(), twin.clone()]), false).await;
    }
    assert_eq!(world.koski.standing(), 1, "Koski refuses it too");
    let later = one(&[learner.clone(), badge("A2", "1001", "2026-05-13")]);
    assert_eq!(cause(&world.send(&later, false).await), (Verdict::Accepted, "stored"), "another day is another badge");
}

#[test]
fn what_koski_would_refuse_is_refused_at_home() {
    let mappings = Mappings::builtin().unwrap();
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: "2026-11-21T00:00:00Z".parse().unwrap() };
    let refusal = |change: &dyn Fn(&mut Value, &mut Value)| {
        let [mut badge, mut learner] =
            [badge("A1", "1001", "2026-05-12"), learner("L1", 900)].map(|r| serde_json::to_value(r).unwrap());
        change(&mut badge, &mut learner);
        let item = [badge, learner].map(|record| serde_json::from_value(record).unwrap());
        let problem = Koski.encode(&item, ctx).map(drop).unwrap_err().0.remove(0);
        assert!(!problem.message.contains("010190"), "{problem}");
        (problem.code.to_string(), problem.fixer)
    };
    for (code, fixer, change) in [
        (
            "unknown_badge",
            Fixer::Configuration,
            (|b, _| b["body"]["national_code"] = "1999".into()) as fn(&mut Value, &mut Value),
        ),
        ("no_badge_code", Fixer::Sender, |b, _| drop(b["body"].as_object_mut().unwrap().remove("national_code"))),
        ("too_early", Fixer::Sender, |b, _| b["body"]["completed_on"] = "2023-12-31".into()),
        ("several_days", Fixer::Sender, |b, _| b["body"]["issued_on"] = "2026-05-13".into()),
        ("no_day", Fixer::Sender, |b, _| drop(b["body"].as_object_mut().unwrap().remove("completed_on"))),
        ("not_passed", Fixer::Sender, |b, _| {
            b["body"]["grade"] =
                json!({ "scale": { "code": { "scheme": "virta:arvosana", "value": "Viisiportainen" } }, "value": "5" });
        }),
        ("unknown_school", Fixer::Configuration, |b, _| b["body"]["awarding_body"]["value"] = "99999".into()),
        ("no_school", Fixer::Sender, |b, _| drop(b["body"].as_object_mut().unwrap().remove("awarding_body"))),
        ("no_signatory", Fixer::Sender, |b, _| drop(b["body"].as_object_mut().unwrap().remove("extensions"))),
        ("not_a_badge", Fixer::Sender, |b, _| drop(b["body"].as_object_mut().unwrap().remove("category"))),
        ("no_identity", Fixer::Sender, |_, l| l["body"]["identifiers"][0]["value"] = "010190-".into()),
        ("no_name", Fixer::Sender, |_, l| l["body"]["family_name"] = " ".into()),
        ("unknown_source_system", Fixer::Configuration, |b, l| {
            b["source"] = "sis".into();
            l["source"] = "sis".into();
        }),
        ("contradiction", Fixer::Sender, |b, _| {
            b["body"]["extensions"]["koski"]["opiskeluoikeus"]["tyyppi"] = json!({ "koodiarvo": "lukiokoulutus" });
            b["body"]["extensions"]["koski"]["opiskeluoikeus"]["oppilaitos"] = json!({ "oid": "1.2.246.562.10.1" });
        }),
    ] {
        assert_eq!(refusal(&change), (code.to_owned(), fixer));
    }
}
