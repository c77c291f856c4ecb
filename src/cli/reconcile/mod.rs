//! `silta reconcile`: a destination read back and compared with what was sent.

use super::client::Client;
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::json;

/// Read a destination back and compare it with what was sent.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// The connection.
    connection: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let path = format!("/v1/connections/{}/reconcile?wait=true", args.connection);
    let summary = args.client.post(&path, &json!({})).await?;
    if args.json {
        say!("{summary:#}");
    } else {
        say!("learners: {} (answered completely: {})", summary["learners"], summary["complete"]);
        say!("items: {} (as they should be: {})", summary["items"], summary["agreed"]);
        for (kind, count) in summary["findings"].as_object().into_iter().flatten() {
            say!("{kind}: {count}");
        }
        say!("repairs raised: {}", summary["repairs"]);
    }
    if let Some(failure) = summary["failure"].as_str() {
        return Err(failure.into());
    }
    let findings = summary["findings"].as_object().into_iter().flatten().any(|(kind, _)| kind != "settling");
    Ok(if findings { Exit::Partial } else { Exit::Clean })
}
