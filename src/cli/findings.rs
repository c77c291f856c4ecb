//! `silta findings`: what reconciliation found.

use super::client::{Client, table};
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Show what reconciliation found.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// Only of this connection.
    #[arg(long)]
    connection: Option<String>,
    /// Repair this finding instead of listing.
    #[arg(long, value_name = "ID", group = "act")]
    repair: Option<i64>,
    /// Accept the difference of this finding as it is.
    #[arg(long, value_name = "ID", group = "act")]
    accept: Option<i64>,
    /// Do not show this finding any more.
    #[arg(long, value_name = "ID", group = "act")]
    suppress: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Outcome {
    for (id, verb) in [(args.repair, "repair"), (args.accept, "accept"), (args.suppress, "suppress")] {
        if let Some(id) = id {
            args.client.post(&format!("/v1/findings/{id}/{verb}"), &json!({})).await?;
            say!("finding {id}: {verb} done");
            return Ok(Exit::Clean);
        }
    }
    let filter = args.connection.as_ref().map(|c| format!("connection={c}&")).unwrap_or_default();
    let mut all: Vec<Value> = Vec::new();
    let mut after = 0;
    loop {
        let answer = args.client.get(&format!("/v1/findings?{filter}after={after}")).await?;
        let Some(page) = answer["findings"].as_array().filter(|p| !p.is_empty()) else { break };
        after = page.last().and_then(|f| f["id"].as_i64()).unwrap_or(i64::MAX);
        all.extend_from_slice(page);
    }
    let all = nested(all);
    if args.json {
        say!("{:#}", Value::Array(all.clone()));
    } else {
        let columns = [
            ("id", "/id"),
            ("connection", "/connection"),
            ("kind", "/kind"),
            ("status", "/status"),
            ("record", "/item"),
            ("sightings", "/sightings"),
        ];
        say!("{}", table(&all, &columns));
    }
    let open = all.iter().any(|f| f["kind"] != "settling" && f["status"] != "accepted" && f["status"] != "suppressed");
    Ok(if open { Exit::Partial } else { Exit::Clean })
}

/// Each finding that follows from another with that one, under `implies`.
fn nested(all: Vec<Value>) -> Vec<Value> {
    let place = |f: &Value| (f["connection"].to_string(), f["item"].to_string());
    let follows = |f: &Value| f["implied_by"].is_string();
    let roots: HashSet<_> = all.iter().filter(|f| !follows(f)).map(place).collect();
    let from = |f: &Value| (f["connection"].to_string(), f["implied_by"].to_string());
    let (implied, mut own): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|f| follows(f) && roots.contains(&from(f)));
    let mut by_root: HashMap<_, Vec<Value>> = HashMap::new();
    for one in implied {
        by_root.entry(from(&one)).or_default().push(one);
    }
    for one in &mut own {
        if let Some(implied) = by_root.remove(&place(one)) {
            one["implies"] = Value::Array(implied);
        }
    }
    own
}
