//! Real processes under real faults.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

mod sink;

use serde_json::{Value, json};
use sink::{Behaviour, Config, Sink};

/// Sends a version of an object to a destination: the outcome.
async fn sent(sink: &Sink, n: usize, key: &str, version: u64) -> String {
    let url = format!("{}/v1/tenants/t/records", sink.url(n));
    let object = json!({ "kind": "attainment", "id": "A", "source": "s", "learner": "L", "source_revision": version });
    let request = reqwest::Client::new().post(url).header("Idempotency-Key", key).body(object.to_string());
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["outcomes"][0]["outcome"].as_str().expect("an outcome").to_owned()
}

#[tokio::test]
async fn the_sink_catches_who_sends_twice_or_out_of_order() {
    let fenced = Behaviour { honours_revision: true, ..Behaviour::default() };
    let careless = Behaviour { honours_key: false, ..Behaviour::default() };
    let dead = Behaviour { dead: true, ..Behaviour::default() };
    let destinations = vec![Behaviour::default(), fenced, careless, dead];
    let sink = sink::start(Config { seed: 1, destinations }).await.expect("a sink");
    for n in 0..3 {
        let mut outcomes = Vec::new();
        for (key, version) in [("k1", 1), ("k2", 2), ("k2", 2), ("k3", 2), ("k0", 1)] {
            outcomes.push(sent(&sink, n, key, version).await);
        }
        let expected = match n {
            0 => ["new", "updated", "unchanged", "updated", "updated"],
            1 => ["new", "updated", "unchanged", "updated", "stale"],
            _ => ["new", "updated", "updated", "updated", "updated"],
        };
        assert_eq!(outcomes, expected, "destination {n}");
    }
    let counted: Vec<_> =
        sink.figures().iter().map(|f| (f.taken, f.repeated, f.doubled, f.late, f.overtaken)).collect();
    assert_eq!(counted, [(2, 1, 1, 0, 1), (2, 1, 1, 1, 0), (2, 0, 2, 0, 1), (0, 0, 0, 0, 0)]);
    assert!(reqwest::get(sink.url(3)).await.is_err_and(|e| e.is_connect()));
    sink.revive(3).expect("it listens");
    assert_eq!(sent(&sink, 3, "k1", 1).await, "new");
    let name = ("attainment".to_owned(), String::new(), "A".to_owned());
    assert!(sink.damage(3, &name, |_| None) && !sink.damage(3, &name, |_| None));
    assert!(sink.contents(3).is_empty());
    assert_eq!(sent(&sink, 3, "k9", 1).await, "updated");
    assert_eq!(sink.figures()[3].restored, 1);
    sink.reached(7).await;
    assert_eq!(sink.effects(), 7);
}
