//! A register beside the ledger, and credits over several stores, on the command line.

use crate::process::{CANARIES, Process, assert_private, fed, run, until};
use crate::site::{Site, TENANT, attainment, learner};
use serde_json::Value;

#[test]
fn a_register_is_compared_with_the_ledger() {
    let site = Site::new();
    let mut gateway = site.serve(&site.token("registrar", "registrar"));
    let all = learner() + &attainment("A") + &attainment("B");
    gateway.push(&site.file("all.ndjson", &all), &[]).expect(0);
    let source = format!("{TENANT}/sis");
    let all = site.path("all.ndjson");
    let alike = gateway.silta(&["reconcile", "--source", &source, &all]).expect(0);
    assert!(alike.out.contains("records in the ledger: 3 (as the source says: 3)"), "{}", alike.out);
    let changed = learner() + &attainment("A").replace("\"5\"", "\"4\"") + &attainment("C");
    let changed = site.file("changed.ndjson", &changed);
    let told = gateway.silta(&["reconcile", "--source", &source, "--json", &changed]).expect(3);
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(told["summary"]["findings"], serde_json::json!({"differs": 1, "rekeyed": 1}), "{told}");
    let table = gateway.silta(&["reconcile", "--source", &source, "--dry-run", &changed]).expect(3);
    assert!(table.out.contains("/body/credits/ects"), "{}", table.out);
    let broken = site.file("broken.ndjson", &(attainment("A") + "{"));
    let failed = gateway.silta(&["reconcile", "--source", &source, &broken]).expect(1);
    assert!(failed.err.contains("not read to its end"), "{}", failed.err);
    gateway.silta(&["reconcile", "--source", &source]).expect(1);
    gateway.silta(&["reconcile", "--source", "sis", &all]).expect(2);

    gateway.token = site.token("operator", "operator");
    let open = gateway.silta(&["findings", "--connection", &source]).expect(3);
    assert!(open.out.contains("rekeyed") && open.out.contains("differs"), "{}", open.out);
    let refused = gateway.silta(&["findings", "--cancel", "1"]).expect(1);
    assert!(refused.err.contains("40"), "{}", refused.err);
    gateway.silta(&["findings", "--cancel-all"]).expect(2);
    gateway.stop();
}

#[test]
fn the_same_learning_in_two_documents_counts_once() {
    let site = Site::bare();
    let numbered = learner().replace("fi:henkilotunnus", "fi:oppijanumero");
    let numbered = numbered.replace("010190-999W", "1.2.246.562.98.90000000019");
    let (one, other) = (numbered.clone() + &attainment("A"), numbered.replace("\"L1\"", "\"S9\""));
    let other = other + &attainment("N").replace("\"L1\"", "\"S9\"");
    let (one, other) = (site.file("one.ndjson", &one), site.file("other.ndjson", &other));
    let told = run(&["stack", "--from", "record", "--json", &one, &other]).expect(0);
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!((told.as_array().map(Vec::len), &told[0]["total"]), (Some(1), &"5".into()), "{told}");
    let text = run(&["stack", "--from", "record", &one, &other]).expect(0).out;
    assert!(text.contains("in several stores, and counted once: 1"), "{text}");
    let document = std::fs::read(&one).expect("a document");
    assert!(fed(&["stack", "--from", "record"], &document).expect(0).out.contains("5 ECTS in all"));
}

#[test]
fn a_register_of_learners_is_asked_who_is_who() {
    let site = Site::new();
    let [code, family, given] = CANARIES;
    let people = format!(
        "{{ \"1.2.246.562.98.90000000019\": {{ \"hetu\": \"{code}\", \"given_names\": \"{given}\", \
         \"family_name\": \"{family}\" }} }}"
    );
    let people = site.file("people.json", &people);
    let mut register = Process::start(&["sandbox", "onr", "--people", &people, "--listen", "127.0.0.1:0"]);
    let url = register.out.wait_for("http://");
    site.configure(&format!(
        "[[connection]]\nname = 'onr'\ntenant = '{TENANT}'\nadapter = 'onr'\npull_every_secs = 1\n\
         [connection.settings]\nurl = '{url}'\ntoken_url = '{url}/token'\nclient_id = 'silta'\n\
         client_secret = 'sandbox'\ncaller_id = '1.2.246.562.10.90000000001.silta'\n"
    ));
    let gateway = site.serve(&site.token("admin", "admin"));
    let pushed = |family: &str| {
        let line = learner().replace("fi:henkilotunnus", "fi:hetu").replace("Kanarialintu", family);
        gateway.push(&site.file("learner.ndjson", &line), &[]).expect(0);
    };
    let contradicted = || {
        let told = gateway.ask(&format!("/v1/tenants/{TENANT}/problems?after=0"), None).to_string();
        told.contains("identity_contradiction")
    };
    pushed("Toinen");
    until("the register says that the code is somebody else's", || contradicted().then_some(()));
    pushed(family);
    until("it is hers", || (!contradicted()).then_some(()));
    assert_private(&gateway.stop());
    drop(register);
}
