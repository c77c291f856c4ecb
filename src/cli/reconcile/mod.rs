//! `silta reconcile`: a destination read back and compared with what was sent, a register with what the ledger holds of
//! it, or two documents with each other.

mod files;
mod source;

use super::client::{Client, table};
use super::{Exit, Failure, Outcome};
use clap::Parser;
use serde_json::{Value, json};

/// Read a destination back and compare it with what was sent, compare a register with the ledger, or two documents.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// The connection. With --source, the document of everything the register has (`-` for standard input); without
    /// one, the feed that is pulled from it is read from its beginning.
    #[arg(value_name = "CONNECTION|FILE", required_unless_present_any = ["expected", "source"], conflicts_with = "expected")]
    subject: Option<String>,
    #[command(flatten)]
    register: source::Register,
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
    let subject = args.subject.as_deref();
    let source = args.register.source.is_some();
    let answer = match source {
        true => source::ask(&args.client, &args.register, subject, args.dry_run).await?,
        false => {
            let connection = subject.unwrap_or_default();
            let how = if args.dry_run { "dry_run=true" } else { "wait=true" };
            args.client.post(&format!("/v1/connections/{connection}/reconcile?{how}"), &json!({})).await?
        }
    };
    let summary = if args.dry_run || source { &answer["summary"] } else { &answer };
    match answer["findings"].as_array() {
        _ if args.json => say!("{answer:#}"),
        findings if source => source::tell(summary, findings),
        findings => tell(summary, findings),
    }
    if let Some(failure) = summary["failure"].as_str() {
        return Err(Failure::from(failure));
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
