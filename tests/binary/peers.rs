//! Who a gateway speaks with besides stores: another gateway, a collector of traces, a webhook.

use crate::listener::Listener;
use crate::process::{CANARIES, assert_private};
use crate::site::{Site, TENANT, attainment, fixture, learner};
use serde_json::{Value, json};

/// How many attainments go from one gateway to the other.
const MANY: usize = 40;

#[test]
fn a_gateway_that_is_killed_while_another_delivers_to_it_loses_and_doubles_nothing() {
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
    sender.wait("some have arrived", |figures| settled(figures) >= 5);
    drop(receiver);
    let before = settled(&sender.figures());
    assert!(before <= MANY as i64, "it was killed in the middle: {before}");
    sender.wait("a send fails", |figures| figures["attempts"].as_i64() > figures["accepted"].as_i64());

    far.listening(&address, "");
    let receiver = far.serve(&admin);
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

#[test]
fn an_alert_is_raised_once_and_cleared_once() {
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
    let raised = webhook.next();
    assert_eq!(raised.line, "POST /hook");
    assert_eq!(event(&raised.body), json!(["virta", TENANT, "held_load", "raised"]));
    // What was told is known after a crash, too.
    drop(gateway);
    let gateway = site.serve(&token);
    gateway.wait("it is still held", |figures| figures["held_loads"] == 1);
    let loads = gateway.ask("/v1/loads", None);
    gateway.ask(&format!("/v1/loads/{}/release", loads["loads"][0]["id"]), Some(json!({})));
    let cleared = webhook.next();
    assert_eq!(event(&cleared.body), json!(["virta", TENANT, "held_load", "cleared"]));
    gateway.stop();
    assert!(webhook.so_far().is_empty(), "once each");
    for body in [raised.body, cleared.body] {
        let body = String::from_utf8(body).expect("text");
        for content in ["KAR-", "1001", "Kirjanpito", "1.2.246"] {
            assert!(!body.contains(content), "{content} in {body}");
        }
    }
}

/// What an event is about.
fn event(body: &[u8]) -> Value {
    let event: Value = serde_json::from_slice(body).expect("JSON");
    assert!(event["at"].is_i64() && event["figures"].is_object());
    json!([event["connection"], event["tenant"], event["alert"], event["change"]])
}
