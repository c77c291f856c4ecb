//! Twenty destinations, one dead, the others failing now and then. Their addresses are told at once; every line on standard
//! input is a question: `effects`, `figures`, or `revive`, which lets the dead one live.

#[expect(dead_code, reason = "the chaos test does more with it")]
#[path = "../../../../tests/chaos/sink.rs"]
mod sink;

use serde_json::{Value, json};
use silta_peers::Failed;
use sink::{Behaviour, Config, Figures, Sink};
use std::time::SystemTime;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::Instant;

const DESTINATIONS: usize = 20;
const DEAD: usize = 19;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let failing = Behaviour { unavailable: 50, hangs: 10, ..Behaviour::default() };
    let mut destinations = vec![failing; DESTINATIONS];
    destinations[DEAD].dead = true;
    let sink = sink::start(Config { seed: 1, destinations }).await?;
    println!("{}", json!((0..DESTINATIONS).map(|n| sink.url(n)).collect::<Vec<_>>()));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let told = match line.as_str() {
            "effects" => json!(sink.effects()),
            "revive" => json!(sink.revive(DEAD)?),
            _ => Value::Array((0..DESTINATIONS).map(|n| figures(&sink, n)).collect()),
        };
        println!("{told}");
    }
    Ok(())
}

/// What happened at a destination; when each version first took effect, in seconds of the clock on the wall.
fn figures(sink: &Sink, n: usize) -> Value {
    let Figures { repeated, doubled, overtaken, failed, first, .. } = sink.figures().swap_remove(n);
    let (now, wall) = (Instant::now(), SystemTime::now());
    let at = |instant| wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() - (now - instant);
    let first = first.iter().map(|(((_, _, id), version), when)| json!([id, version, at(*when).as_secs_f64()]));
    let held = sink.contents(n).into_iter().map(|((_, _, id), object)| (id, object["source_revision"].clone()));
    json!({
        "repeated": repeated, "doubled": doubled, "overtaken": overtaken, "failed": failed,
        "first": first.collect::<Vec<_>>(), "held": held.collect::<serde_json::Map<_, _>>(),
    })
}
