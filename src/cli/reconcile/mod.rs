//! `silta reconcile`: a destination read back and compared with what was sent, or two documents with each other.

mod files;

use super::client::Client;
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::json;

/// Read a destination back and compare it with what was sent, or compare two documents.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// The connection.
    #[arg(required_unless_present = "expected", conflicts_with = "expected")]
    connection: Option<String>,
    /// Print JSON.
    #[arg(long, conflicts_with = "expected")]
    json: bool,
    #[command(flatten)]
    files: Option<files::Documents>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    if let Some(files) = &args.files {
        return tokio::task::block_in_place(|| files::run(files));
    }
    let connection = args.connection.as_deref().unwrap_or_default();
    let path = format!("/v1/connections/{connection}/reconcile?wait=true");
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
