//! `silta retry`: debts of a connection raised again.

use super::client::Client;
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::json;

/// Raise refused or given debts of a connection again.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// The connection.
    connection: String,
    /// Debts by id; all refused ones if none is given.
    debts: Vec<i64>,
    /// All debts in this state instead of the refused ones.
    #[arg(long, default_value = "refused", conflicts_with = "debts")]
    state: String,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let body = if args.debts.is_empty() { json!({ "state": args.state }) } else { json!({ "debts": args.debts }) };
    let answer = args.client.post(&format!("/v1/connections/{}/retry", args.connection), &body).await?;
    say!("raised: {}", answer["raised"]);
    Ok(Exit::Clean)
}
