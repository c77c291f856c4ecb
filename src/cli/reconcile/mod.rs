//! `silta reconcile`: a destination read back and compared with what was sent, or two documents with each other.

mod files;

use super::client::{Client, table};
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::{Value, json};

/// Read a destination back and compare it with what was sent, or compare two documents.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// The connection.
    #[arg(required_unless_present = "expected", conflicts_with = "expected")]
    connection: Option<String>,
    /// Tell what would be found; nothing is stored and nothing repaired.
    #[arg(long, conflicts_with = "expected")]
    dry_run: bool,
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
    let how = if args.dry_run { "dry_run=true" } else { "wait=true" };
    let answer = args.client.post(&format!("/v1/connections/{connection}/reconcile?{how}"), &json!({})).await?;
    let summary = if args.dry_run { &answer["summary"] } else { &answer };
    if args.json {
        say!("{answer:#}");
    } else {
        tell(summary, answer["findings"].as_array());
    }
    if let Some(failure) = summary["failure"].as_str() {
        return Err(failure.into());
    }
    let findings = summary["findings"].as_object().into_iter().flatten().any(|(kind, _)| kind != "settling");
    Ok(if findings { Exit::Partial } else { Exit::Clean })
}

fn tell(summary: &Value, foreseen: Option<&Vec<Value>>) {
    say!("learners: {} (answered completely: {})", summary["learners"], summary["complete"]);
    say!("items: {} (as they should be: {})", summary["items"], summary["agreed"]);
    for (kind, count) in summary["findings"].as_object().into_iter().flatten() {
        say!("{kind}: {count}");
    }
    for (name, what) in [
        ("implied", "following from these"),
        ("legitimate", "legitimate differences"),
        ("recognised", "origins of recognised credit elsewhere"),
    ] {
        if summary[name] != 0 {
            say!("{what}: {}", summary[name]);
        }
    }
    match foreseen {
        None => say!("repairs raised: {}", summary["repairs"]),
        Some(findings) => say!("{}", table(findings, &FORESEEN)),
    }
    if let Some(waits) = summary["waits"].as_str() {
        say!("nothing was repaired: {waits}");
    }
}

/// What is shown of a finding of a dry run.
const FORESEEN: [(&str, &str); 4] =
    [("kind", "/kind"), ("record", "/item"), ("then", "/evidence/ruling"), ("proposal", "/evidence/proposal")];
