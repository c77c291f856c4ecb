//! `silta status`: the connections of a gateway.

use super::client::{Client, table};
use super::{Exit, Outcome};
use clap::Parser;

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
    if args.json {
        println!("{answer:#}");
    } else {
        let rows = answer["connections"].as_array().cloned().unwrap_or_default();
        let columns = [
            ("connection", "/name"),
            ("tenant", "/tenant"),
            ("adapter", "/adapter"),
            ("state", "/state"),
            ("backlog", "/backlog"),
            ("oldest s", "/oldest_debt_secs"),
            ("refused", "/refused"),
            ("held loads", "/held_loads"),
            ("success", "/success_rate"),
        ];
        println!("{}", table(&rows, &columns));
    }
    let oldest =
        answer["connections"].as_array().into_iter().flatten().filter_map(|c| c["oldest_debt_secs"].as_u64()).max();
    let late = args.max_age.is_some_and(|limit| oldest.is_some_and(|age| age > limit));
    Ok(if late { Exit::Partial } else { Exit::Clean })
}
