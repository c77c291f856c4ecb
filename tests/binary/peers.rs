//! Who a gateway speaks with besides stores: another gateway, a collector of traces, a webhook.

use crate::listener::{Listener, Request};
use crate::process::{CANARIES, assert_private, until};
use crate::site::{Gateway, Site, TENANT, attainment, fixture, learner};
use serde_json::{Value, json};

/// How many attainments go from one gateway to the other.
const MANY: usize = 40;

#[test]
fn gateways_killed_while_one_delivers_to_the_other_lose_and_double_nothing() {
    let (near, far) = (Site::new(), Site::new());
    let token = far.file("partner.token", &(far.token("partner", "registrar") + "\n"));
    let admin = far.token("admin", "admin");
    let receiver = far.serve(&admin);
    let address = receiver.address.clone();
    near.configure(&format!(
        "[[connection]]\nname = 'partner'\ntenant = '{TENANT}'\nadapter = 'record'\nconcurrency = 2\n\
         rate_per_sec = 10\n[connection.settings]\nurl = 'http://{address}'\ntenant = '{TENANT}'\n\
         token_file = '{token}'\ntimeout_secs = 10\n"
    ));
    let sender = near.serve(&near.token("admin", "admin"));
    let many: String = (0..MANY).map(|n| attainment(&format!("A{n}"))).collect();
    sender.push(&near.file("many.ndjson", &(learner() + &many)), &[]).expect(0);
    until("some have arrived", || (receiver.feed().len() >= 5).then_some(()));
    drop(receiver);
    sender.wait("a send fails", |figures| figures["attempts"].as_i64() > figures["accepted"].as_i64());

    far.listening(&address, "");
    let receiver = far.serve(&admin);
    until("more have arrived", || (receiver.feed().len() >= 20).then_some(()));
    let token = sender.token.clone();
    drop(sender);
    let sender = near.serve(&token);
    sender.wait("all have arrived", |figures| settled(figures) == MANY as i64 + 1);
    assert_eq!(sender.figures()["backlog"], 0);
    let held = receiver.feed();
    assert_eq!(held.len(), MANY + 1, "nothing is lost");
    assert!(held.iter().all(|line| line["version"] == 1), "nothing is doubled: {held:?}");
    let audit = receiver.ask("/v1/audit?limit=1000", None);
    let pushes: Vec<&Value> =
        audit["entries"].as_array().expect("entries").iter().filter(|e| e["action"] == "push").collect();
    assert!(pushes.len() > MANY, "item by item");
    assert!(pushes.iter().all(|p| p["detail"] == "1 new" || p["detail"] == "1 unchanged"), "{pushes:?}");
    assert_private(&sender.stop());
    assert_private(&receiver.stop());
}

/// What arrived although its answer was lost does not keep a later withdrawal away; reading back proves it.
#[test]
fn a_withdrawal_is_newer_than_whatever_arrived_before() {
    let (near, far) = (Site::new(), Site::new());
    let receiver = far.serve(&far.token("admin", "admin"));
    near.configure(&format!(
        "[[connection]]\nname = 'partner'\ntenant = '{TENANT}'\nadapter = 'record'\n[connection.settings]\n\
         url = 'http://{}'\ntoken = '{}'\n",
        receiver.address,
        far.token("partner", "registrar")
    ));
    let sender = near.serve(&near.token("admin", "admin"));
    let revised = |revision: u64, from: &str, to: &str| {
        let mut line: Value = serde_json::from_str(&attainment("A")).expect("JSON");
        line["source_revision"] = revision.into();
        near.file("revised.ndjson", &format!("{}{line}\n", learner()).replace(from, to))
    };
    let confirmed = |n: i64| {
        sender.wait("it is sent", |figures| figures["backlog"] == 0);
        sender.silta(&["reconcile", "partner"]).expect(0);
        assert_eq!(sender.figures()["debts"]["confirmed"], n);
    };
    sender.push(&revised(1, "", ""), &[]).expect(0);
    confirmed(2);
    receiver.push(&revised(2, "Kurssi", "Uusi"), &[]).expect(0);
    let withdrawn = json!({ "kind": "attainment", "institution": TENANT, "id": "A", "learner": "L1", "state": "deleted", "source_revision": 3 });
    sender.push(&near.file("withdrawn.ndjson", &withdrawn.to_string()), &[]).expect(0);
    sender.wait("it is sent", |figures| figures["backlog"] == 0);
    let told = receiver.feed();
    assert_eq!(told.last().expect("a change")["state"], "deleted", "{told:?}");
    sender.silta(&["reconcile", "partner"]).expect(0);
}

/// Debts that are paid, as far as can be known of something that cannot be read.
fn settled(figures: &Value) -> i64 {
    ["sent", "unverifiable", "confirmed"].iter().filter_map(|state| figures["debts"][state].as_i64()).sum()
}

#[test]
fn traces_go_to_the_collector_and_hold_nothing_personal() {
    let collector = Listener::start();
    let site = Site::new();
    site.configure(&format!("[telemetry]\notlp_endpoint = '{}'\nservice_name = 'silta-tested'\n", collector.url));
    let gateway = site.serve(&site.token("admin", "admin"));
    gateway.push(&site.file("one.ndjson", &(learner() + &attainment("A"))), &[]).expect(0);
    gateway.stop();
    let request = collector.next();
    assert_eq!(request.line, "POST /v1/traces");
    assert!(request.headers.contains("content-type: application/x-protobuf"), "{}", request.headers);
    let mut sent = request.body;
    collector.so_far().into_iter().for_each(|more| sent.extend(more.body));
    let holds = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("silta-tested") && holds("request") && holds("/v1/tenants/{tenant}/records"));
    assert!(CANARIES.iter().all(|canary| !holds(canary)));
}

/// A gateway holds a load, ends in some way, comes back, and the load is released. The events about held loads.
fn held_and_released(ending: impl Fn(Gateway)) -> Vec<String> {
    let webhook = Listener::start();
    let site = Site::new();
    let inbox = site.dir.path().join("inbox");
    std::fs::create_dir(&inbox).expect("made");
    site.configure(&format!(
        "[[connection]]\nname = 'virta'\ntenant = '{TENANT}'\nadapter = 'virta'\nalert_webhook = '{}/hook'\n\
         [connection.settings]\ndirectory = '{}'\n",
        webhook.url,
        inbox.display()
    ));
    let token = site.token("admin", "admin");
    let gateway = site.serve(&token);
    gateway.push(&fixture("02469.xml"), &["--from", "virta"]).expect(0);
    let mut changes = vec![change(&webhook.next())];
    ending(gateway);
    let gateway = site.serve(&token);
    let loads = gateway.ask("/v1/loads?held=true", None);
    gateway.ask(&format!("/v1/loads/{}/release", loads["loads"][0]["id"]), Some(json!({})));
    while changes.last().is_some_and(|last| last != "cleared") {
        changes.push(change(&webhook.next()));
    }
    gateway.stop();
    changes.extend(webhook.so_far().iter().map(change));
    changes
}

/// What changed, according to an event about a held load.
fn change(request: &Request) -> String {
    assert_eq!(request.line, "POST /hook");
    let mut event: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(json!([event["connection"], event["tenant"], event["alert"]]), json!(["virta", TENANT, "held_load"]));
    // A time may have any digits in it.
    let times = [event["at"].take(), event["figures"]["oldest"].take()];
    assert!(times[0].is_i64() && event["figures"].is_object());
    for content in ["KAR-", "1001", "Kirjanpito", "1.2.246"] {
        assert!(!event.to_string().contains(content), "{content} in {event}");
    }
    event["change"].as_str().expect("a change").to_owned()
}

#[test]
fn an_alert_is_raised_once_and_cleared_once() {
    assert_eq!(held_and_released(|gateway| drop(gateway.stop())), ["raised", "cleared"]);
}

#[test]
fn an_alert_that_was_raised_is_cleared_even_if_the_gateway_dies_at_once() {
    let changes = held_and_released(drop);
    // Who dies while telling cannot know that it was heard.
    assert!(changes == ["raised", "cleared"] || changes == ["raised", "raised", "cleared"], "{changes:?}");
}
