//! The look-ups against the simulated register.
#![expect(clippy::expect_used, reason = "a test")]

use jiff::Timestamp;
use serde_json::json;
use silta_adapter::adapter::{Adapter, Identity, People, PersonQuery};
use silta_adapter::delivery::Verdict;
use silta_adapter::record::Identifier;
use silta_onr::Onr;
use silta_onr::sandbox::{SECRET, Sandbox};
use std::sync::Arc;
use tokio::net::TcpListener;

const NOW: i64 = 1_800_000_000;
const HETU: &str = "010190-901R";
const ONE: &str = "1.2.246.562.98.90000000019";
const TWO: &str = "1.2.246.562.24.62601815904";

async fn open(secret: &str) -> (Arc<Sandbox>, Arc<dyn People>) {
    let sandbox = Arc::new(Sandbox::new(Arc::new(|| Timestamp::from_second(NOW).expect("a time"))));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    let settings = json!({ "url": url, "token_url": format!("{url}/token"), "client_id": "silta", "client_secret": secret,
        "caller_id": "1.2.246.562.10.90000000001.silta" });
    (sandbox, Onr.connect(&settings).expect("connects").people.expect("knows people"))
}

fn id(scheme: &str, value: &str) -> Identifier {
    Identifier { scheme: scheme.into(), value: value.into() }
}

fn asked(family: &str, identifiers: &[(&str, &str)]) -> PersonQuery {
    PersonQuery {
        identifiers: identifiers.iter().map(|(scheme, value)| id(scheme, value)).collect(),
        given_names: Some("Testi Taina".into()),
        family_name: Some(family.into()),
    }
}

fn person(oid: &str) -> Identity {
    Identity::Person(id("fi:henkilo-oid", oid))
}

#[tokio::test]
async fn identifiers_lead_to_the_master_of_today() {
    let (sandbox, people) = open(SECRET).await;
    sandbox.add(ONE, Some(HETU), "Testi Taina", "Esimerkki");
    sandbox.add(TWO, None, "Testi", "Vanha");
    sandbox.link(TWO, ONE);
    let queries = [
        asked("Esimerkki", &[("fi:hetu", HETU)]),
        asked("Muu", &[("fi:oppijanumero", TWO), ("eppn", "a@b.example")]),
        asked("Esimerkki", &[("fi:hetu", "010190-900P"), ("fi:hetu", "010190-")]),
        asked("Joku Muu", &[("fi:hetu", HETU)]),
        PersonQuery { identifiers: vec![id("fi:hetu", HETU)], ..PersonQuery::default() },
    ];
    let said = people.identify(&queries).await.expect("answers");
    assert_eq!(said[0], [(id("fi:hetu", HETU), person(ONE))]);
    assert_eq!(said[1], [(id("fi:oppijanumero", TWO), person(ONE))], "names are nobody's business here");
    assert_eq!(said[2], [(id("fi:hetu", "010190-900P"), Identity::Unknown)]);
    assert_eq!(said[3], [(id("fi:hetu", HETU), Identity::Contradicted)]);
    assert_eq!(said[4], [], "without names it is not asked");

    sandbox.link(ONE, TWO);
    let said = people.identify(&queries[..2]).await.expect("answers");
    assert_eq!((&said[0][0].1, &said[1][0].1), (&person(TWO), &person(TWO)), "the master flips");
    sandbox.unlink(ONE);
    let said = people.identify(&queries[..2]).await.expect("answers");
    assert_eq!((&said[0][0].1, &said[1][0].1), (&person(ONE), &person(TWO)), "a link is undone");
}

#[tokio::test]
async fn a_register_that_does_not_answer_says_nothing() {
    let (sandbox, people) = open(SECRET).await;
    sandbox.available(false);
    let error = people.identify(&[asked("A", &[("fi:oppijanumero", TWO)])]).await.expect_err("no answer");
    assert_eq!(error.0.verdict, Verdict::Transient);
    let (_sandbox, people) = open("wrong").await;
    let error = people.identify(&[asked("A", &[])]).await.expect_err("no token");
    assert_eq!(error.0.verdict, Verdict::Auth);
}

#[tokio::test]
async fn changes_are_read_page_by_page() {
    const MANY: usize = 2500;
    let (sandbox, people) = open(SECRET).await;
    let oid = |n: usize| format!("1.2.246.562.24.{n:011}");
    (0..MANY).for_each(|n| sandbox.add(&oid(n), None, "Testi", "Esimerkki"));
    let at = |second| Timestamp::from_second(second).expect("a time");
    let changed = people.changed(at(NOW)).await.expect("answers").expect("tells");
    assert_eq!(changed.len(), MANY, "each once");
    assert!((0..MANY).all(|n| changed.contains(&id("fi:henkilo-oid", &oid(n)))));
    assert_eq!(people.changed(at(NOW + 1)).await.expect("answers"), Some(Vec::new()));
    sandbox.tells_changes(false);
    assert_eq!(people.changed(at(NOW)).await.expect("answers"), None, "then everybody is asked about");
    sandbox.available(false);
    assert_eq!(people.changed(at(NOW)).await.expect_err("no answer").0.verdict, Verdict::Transient);
}
