//! `silta status`: the connections of a gateway.

use super::client::{Client, table};
use super::{Exit, Outcome};
use crate::env::{Clock, SystemClock};
use clap::Parser;
use serde_json::json;

/// Show the connections of a gateway.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// Only say whether the gateway is ready.
    #[arg(long)]
    ready: bool,
    /// Exit with 3 if any debt is older than this, in seconds.
    #[arg(long, value_name = "SECS")]
    max_age: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Outcome {
    if args.ready {
        return Ok(if args.client.ready().await { Exit::Clean } else { Exit::Failed });
    }
    let answer = args.client.get("/v1/connections").await?;
    let mut connections = answer["connections"].as_array().cloned().unwrap_or_default();
    let now = SystemClock.now();
    let mut oldest = 0;
    for connection in &mut connections {
        if let Some(since) = connection["oldest_debt"].as_i64() {
            let age = (now - since).max(0) / 1_000_000;
            oldest = oldest.max(age);
            connection["oldest_debt_secs"] = age.into();
        }
    }
    if args.json {
        say!("{:#}", json!({ "connections": connections }));
    } else {
        let columns = [
            ("connection", "/name"),
            ("tenant", "/tenant"),
            ("adapter", "/adapter"),
            ("may send", "/usable"),
            ("backlog", "/backlog"),
            ("oldest s", "/oldest_debt_secs"),
            ("refused", "/debts/refused"),
            ("held loads", "/held_loads"),
            ("sends today", "/attempts"),
            ("accepted", "/accepted"),
        ];
        say!("{}", table(&connections, &columns));
    }
    let late = args.max_age.is_some_and(|limit| i64::try_from(limit).is_ok_and(|limit| oldest > limit));
    Ok(if late { Exit::Partial } else { Exit::Clean })
}
