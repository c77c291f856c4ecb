//! `silta route explain`: which connections carry a record, and why.

use super::client::{Client, table};
use super::{Exit, Outcome};
use clap::{Parser, Subcommand};
use serde_json::json;

/// Explain which connections carry a record.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// For each connection: whether it carries the record, and why.
    Explain(Explain),
}

/// For each connection: whether it carries the record, and why.
#[derive(Debug, Parser)]
pub(super) struct Explain {
    #[command(flatten)]
    client: Client,
    /// Whose record it is, to find it by its source key; without it KEY is an opaque record id.
    #[arg(long)]
    tenant: Option<String>,
    /// The record: opaque id, or source key with --tenant.
    key: String,
}

pub(super) async fn run(command: &Command) -> Outcome {
    let Command::Explain(args) = command;
    let ids: Vec<String> = match &args.tenant {
        None => vec![args.key.clone()],
        Some(tenant) => {
            let found =
                args.client.post(&format!("/v1/tenants/{tenant}/records/find"), &json!({ "id": args.key })).await?;
            let records = found["records"].as_array().cloned().unwrap_or_default();
            records.iter().filter_map(|r| r["record"].as_str().map(str::to_owned)).collect()
        }
    };
    if ids.is_empty() {
        return Err("there is no such record".into());
    }
    for id in ids {
        let answer = args.client.post("/v1/route", &json!({ "id": id })).await?;
        say!("record {id}");
        let rows = answer["connections"].as_array().cloned().unwrap_or_default();
        say!("{}", table(&rows, &[("connection", "/connection"), ("sent", "/send"), ("why", "/why")]));
    }
    Ok(Exit::Clean)
}
