//! A register beside the ledger, and credits over several stores, on the command line.

use crate::process::{fed, run};
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
