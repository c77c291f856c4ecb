//! Learners across systems: two registers of one institution, and the national register of learners that says who is who.
#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "common/gateway.rs"]
mod common;

use common::{gateway, mappings};
use jiff::Timestamp;
use serde_json::json;
use silta::env::{Clock as _, ManualClock};
use silta::gateway::Gateway;
use silta::intake::{self, Submission};
use silta::learners::{Looked, NotLooked, keep_up, look, records_of_person};
use silta::ledger::LearnerId;
use silta_adapter::record::LearnerKey;
use silta_onr::sandbox::{SECRET, Sandbox};
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;

const HOUR: i64 = 3600 * 1_000_000;
const TENANT: &str = "10088";
const HETU: &str = "010190-901R";
const ONE: &str = "1.2.246.562.98.90000000019";
const TWO: &str = "1.2.246.562.24.62601815904";

struct World {
    gateway: Arc<Gateway>,
    register: Arc<Sandbox>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
        let of_register = clock.clone();
        let now = move || Timestamp::from_microsecond(of_register.now()).expect("a time");
        let register = Arc::new(Sandbox::new(Arc::new(now)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(register.clone().serve(listener, std::future::pending()));
        let config = format!(
            "[[tenant]]\ncode = '{TENANT}'\n\
             [[connection]]\nname = 'onr'\ntenant = '{TENANT}'\nadapter = 'onr'\npull_every_secs = 3600\n\
             [connection.settings]\nurl = '{url}'\ntoken_url = '{url}/token'\nclient_id = 'silta'\nclient_secret = '{SECRET}'\n\
             caller_id = 'test'\n"
        );
        Self { gateway: gateway(&config, 1, mappings(), &clock), register, clock }
    }

    async fn push(&self, source: &str, lines: &[serde_json::Value]) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        lines.iter().for_each(|line| writeln!(file, "{line}").expect("written"));
        let submission = Submission {
            tenant: TENANT.into(),
            source: source.into(),
            adapter: self.gateway.registry.get("record").expect("the adapter").clone(),
            spool: file.path().to_owned(),
            allowed: Vec::new(),
            complete: Vec::new(),
            confirmed_removals: None,
            reinstate: false,
        };
        intake::take(&self.gateway, submission).await.expect("taken");
    }

    async fn look(&self) -> Result<Looked, NotLooked> {
        self.clock.advance(1_000_000);
        let people = self.gateway.connection("onr").expect("the connection").connected.people.clone();
        look(&self.gateway, TENANT, people.as_deref()).await
    }

    /// Keeps up, some hours later: how many learners were looked at.
    async fn keep_up(&self) -> Result<usize, NotLooked> {
        self.clock.advance(2 * HOUR);
        let looked = keep_up(&self.gateway, self.gateway.connection("onr").expect("the connection")).await?;
        Ok(looked.learners)
    }

    fn id(&self, source: &str, learner: &str) -> LearnerId {
        let key = LearnerKey { tenant: TENANT.into(), source: source.into(), id: learner.into() };
        self.gateway.vault.learner_id(&key)
    }

    async fn same(&self, one: (&str, &str), other: (&str, &str)) -> bool {
        let same = self.gateway.ledger.same_person(TENANT, self.id(one.0, one.1)).await.expect("asked");
        same.contains(&self.id(other.0, other.1))
    }
}

fn learner(id: &str, family: &str, identifiers: &[(&str, &str)]) -> serde_json::Value {
    let identifiers: Vec<_> =
        identifiers.iter().map(|(scheme, value)| json!({ "scheme": scheme, "value": value })).collect();
    json!({ "kind": "learner", "id": id, "learner": id,
        "body": { "given_names": "Testi Taina", "family_name": family, "identifiers": identifiers } })
}

const A: (&str, &str) = ("sis", "a");
const B: (&str, &str) = ("open", "b");
const C: (&str, &str) = ("open", "c");

#[tokio::test]
async fn the_register_links_flips_and_unlinks_and_records_stay_as_they_are() {
    let world = World::new().await;
    world.register.add(ONE, Some(HETU), "Testi Taina", "Esimerkki");
    world.register.add(TWO, None, "Testi", "Esimerkki");
    world.push("sis", &[learner("a", "Esimerkki", &[("fi:hetu", HETU)])]).await;
    let credit =
        json!({ "kind": "attainment", "id": "x", "learner": "b", "body": { "title": [{ "value": "Biology" }] } });
    // The same names, and nothing else.
    let namesake = learner("c", "Esimerkki", &[]);
    world.push("open", &[learner("b", "Esimerkki", &[("fi:oppijanumero", TWO)]), credit, namesake]).await;
    let feed = world.gateway.ledger.feed(&[], &[], 0, 100).await.expect("a feed").len();

    let looked = world.look().await.expect("looked");
    assert_eq!((looked.learners, looked.contradictions), (3, 0));
    assert!(!world.same(A, B).await && !world.same(A, C).await && !world.same(B, C).await, "names link nobody");

    world.register.link(TWO, ONE);
    assert!(world.look().await.expect("looked").changed > 0);
    assert!(world.same(A, B).await && world.same(B, A).await && !world.same(A, C).await);
    let whole = records_of_person(&world.gateway, TENANT, world.id("sis", "a")).await.expect("records");
    assert!(whole.iter().any(|record| record.head.key.id == "x"), "her credit from the other register");

    world.register.link(ONE, TWO);
    world.look().await.expect("looked");
    assert!(world.same(A, B).await, "another master, the same person");
    assert_eq!(world.look().await.expect("looked").changed, 0, "nothing new");

    world.register.unlink(ONE);
    world.look().await.expect("looked");
    assert!(!world.same(A, B).await, "undone");
    let history = world.gateway.ledger.links_of(TENANT, world.id("sis", "a")).await.expect("history");
    assert!(history.len() >= 3 && history.iter().filter(|link| link.until.is_none()).count() == 1);
    assert_eq!(world.gateway.ledger.feed(&[], &[], 0, 100).await.expect("a feed").len(), feed, "no record changed");
}

#[tokio::test]
async fn a_contradiction_links_nobody_and_an_outage_changes_nothing() {
    let world = World::new().await;
    world.register.add(ONE, Some(HETU), "Testi Taina", "Esimerkki");
    world.push("sis", &[learner("a", "Esimerkki", &[("fi:hetu", HETU)])]).await;
    world
        .push(
            "open",
            &[learner("b", "Esimerkki", &[("fi:oppijanumero", ONE)]), learner("c", "Toinen", &[("fi:hetu", HETU)])],
        )
        .await;
    let looked = world.look().await.expect("looked");
    assert_eq!((looked.known, looked.contradictions), (2, 1));
    assert!(world.same(A, B).await && !world.same(A, C).await, "the code is hers, the names are somebody else's");
    let told = world.gateway.ledger.problems(TENANT, 0, false, 10).await.expect("problems");
    assert_eq!(told.iter().filter(|problem| problem.code == "identity_contradiction").count(), 1);

    world.register.available(false);
    assert!(world.look().await.is_err());
    assert!(world.same(A, B).await, "what was known stays");
    world.register.available(true);
    world.push("open", &[learner("c", "Toinen", &[])]).await;
    world.look().await.expect("looked");
    let told = world.gateway.ledger.problems(TENANT, 0, false, 10).await.expect("problems");
    assert!(told.iter().all(|problem| problem.code != "identity_contradiction"), "it is over");
}

#[tokio::test]
async fn changes_are_followed_and_nobody_else_is_asked_about() {
    let world = World::new().await;
    world.register.add(ONE, Some(HETU), "Testi Taina", "Esimerkki");
    world.register.add(TWO, None, "Testi", "Esimerkki");
    world.push("sis", &[learner("a", "Esimerkki", &[("fi:hetu", HETU)])]).await;
    world.push("open", &[learner("b", "Esimerkki", &[("fi:oppijanumero", TWO)]), learner("c", "Toinen", &[])]).await;
    assert_eq!(world.keep_up().await.expect("kept up"), 3, "everybody at first");
    assert_eq!(world.keep_up().await.expect("kept up"), 0, "nothing changed");

    world.register.link(TWO, ONE);
    assert_eq!(world.keep_up().await.expect("kept up"), 2, "she whose number changed, and who she is said to be");
    assert!(world.same(A, B).await && !world.same(A, C).await);
    world.register.link(ONE, TWO);
    assert_eq!(world.keep_up().await.expect("kept up"), 2);
    assert!(world.same(A, B).await, "another master, the same person");
    world.register.link(TWO, ONE);
    assert_eq!(world.keep_up().await.expect("kept up"), 2, "and back");
    world.register.available(false);
    world.register.unlink(TWO);
    assert!(world.keep_up().await.is_err() && world.same(A, B).await, "an outage changes nothing");
    world.register.available(true);
    assert_eq!(world.keep_up().await.expect("kept up"), 2, "nor is anything lost in it");
    assert!(!world.same(A, B).await, "undone");

    world.push("open", &[learner("c", "Toinen", &[("fi:henkilo-oid", ONE)])]).await;
    assert_eq!(world.keep_up().await.expect("kept up"), 2, "a record changed");
    assert!(world.same(A, C).await && !world.same(B, C).await);
    world.register.link(TWO, ONE);
    world.clock.advance(HOUR / 2);
    world.keep_up().await.expect("kept up");
    assert!(world.same(A, B).await && world.same(A, C).await, "all three");

    world.register.tells_changes(false);
    assert_eq!(world.keep_up().await.expect("kept up"), 3, "a register that does not tell is asked about everybody");
    world.register.tells_changes(true);
    assert_eq!(world.keep_up().await.expect("kept up"), 0);
    world.clock.advance(24 * HOUR);
    assert_eq!(world.keep_up().await.expect("kept up"), 3, "and every day so is any");
}
