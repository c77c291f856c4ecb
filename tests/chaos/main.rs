//! Real processes on a real store under real faults: killed, stopped for longer than a lease, at their write limit, on a
//! database that is shut down at once, with twenty destinations of which some are dead, slow, failing or mute.
//!
//! Registers push new records, corrections and withdrawals meanwhile. Afterwards: nothing that was acknowledged is lost,
//! no older version took effect after a newer one, nothing took effect twice, nothing was removed that nobody took back,
//! reconciliation finds nothing — and then what is injected, all of it, and repairs it.
//!
//! `SILTA_CHAOS_SEED=n` repeats a schedule of faults; `SILTA_CHAOS_RECORDS`, `SILTA_CHAOS_SECONDS`, `SILTA_CHAOS_FAULTS`
//! and `SILTA_CHAOS_RATE` make a run longer than the small one of every test run. `scripts/chaos.sh` is their front.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod database;
mod faults;
mod fleet;
mod judge;
mod life;
#[expect(dead_code, reason = "shared with the tests of the binary")]
#[path = "../binary/process.rs"]
mod process;
mod sink;
mod traffic;

use life::{Plan, live};
use serde_json::{Value, json};
use sink::{Behaviour, Config, Sink};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// A run without faults, and one with them, on the same store.
fn compared(postgres: bool) {
    // Every kind of fault at least once.
    let (store, kinds) = if postgres { ("PostgreSQL", 4) } else { ("SQLite", 3) };
    let plan = Plan {
        seed: number("SILTA_CHAOS_SEED").unwrap_or(1),
        records: number("SILTA_CHAOS_RECORDS").unwrap_or(20) as usize,
        rate: number("SILTA_CHAOS_RATE").unwrap_or(5) as f64,
        seconds: number("SILTA_CHAOS_SECONDS").unwrap_or(3),
        faults: number("SILTA_CHAOS_FAULTS").unwrap_or(kinds) as usize,
    };
    let tell = |what: &str| eprintln!("{store}: {what}");
    tell(&format!("SILTA_CHAOS_SEED={}", plan.seed));
    let calm = live(postgres, Plan { faults: 0, ..plan }, tell);
    let rough = live(postgres, plan, tell);
    let counted = (judge::count(&calm), judge::count(&rough));
    println!("{}", judge::table(store, (&calm, &counted.0), (&rough, &counted.1)));
    // A machine that is busy with other things may make an answer late; a sender that forgets what it sent repeats much.
    assert!(counted.0.repeated * 10 <= counted.0.effects, "{store} without faults: much was sent again");
    for (run, outcome, counted) in [("without", &calm, &counted.0), ("with", &rough, &counted.1)] {
        let broken = judge::broken(outcome, counted);
        assert!(broken.is_empty(), "{store} {run} faults, seed {}:\n{}", plan.seed, broken.join("\n"));
    }
}

#[test]
fn every_promise_holds_on_sqlite() {
    compared(false);
}

#[test]
fn every_promise_holds_on_postgresql() {
    compared(true);
}

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
