//! `silta push`: a document to a gateway.

use super::client::{Client, answer, text_of};
use super::{Exit, Failure, Outcome, convert};
use crate::registry;
use clap::Parser;
use reqwest::Method;
use silta_adapter::adapter::Limits;
use std::path::PathBuf;
use tokio_util::io::ReaderStream;

/// Push a document to a gateway.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// Whose records these are.
    #[arg(long)]
    tenant: String,
    /// The register they come from.
    #[arg(long, default_value = "default")]
    source: String,
    /// Format of the document: record, virta, or the name of a mapping file that the gateway has.
    #[arg(long, default_value = "record")]
    from: String,
    /// The document holds everything of these kinds: what is not in it is deleted.
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    complete: Vec<String>,
    /// Number of removals to confirm, where a complete document removes more than is allowed.
    #[arg(long, value_name = "N")]
    confirm_removals: Option<u64>,
    /// Revive records that were taken back.
    #[arg(long)]
    reinstate: bool,
    /// The document; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let media_type = media_type(&args.from)?;
    let file = convert::open(args.file.as_deref(), &Limits::default())?;
    let length = file.metadata()?.len();
    let mut query = vec![("source", args.source.clone())];
    if !args.complete.is_empty() {
        query.extend([("mode", "complete".to_owned()), ("kinds", args.complete.join(","))]);
    }
    if let Some(n) = args.confirm_removals {
        query.push(("confirm_removals", n.to_string()));
    }
    if args.reinstate {
        query.push(("reinstate", "true".to_owned()));
    }
    let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file), 1 << 16));
    let response = args
        .client
        .request(Method::POST, &format!("/v1/tenants/{}/records", args.tenant))?
        .query(&query)
        .header("content-type", media_type)
        .header("content-length", length)
        .body(body)
        .send()
        .await?;
    let receipt = answer(response).await?;
    for (outcome, count) in receipt["counts"].as_object().into_iter().flatten() {
        say!("{outcome}: {count}");
    }
    if receipt["removed"].as_u64().is_some_and(|n| n > 0) {
        say!("removed: {}", receipt["removed"]);
    }
    let problems = receipt["problems"].as_array().map_or(&[][..], Vec::as_slice);
    for problem in problems {
        note!("{}", problem_line(problem));
    }
    // What could not be read has no outcome, only a problem.
    let unread = problems.iter().any(|problem| problem["severity"] == "error");
    let refused = ["refused", "contested"].iter().any(|o| receipt["counts"][o].as_u64().is_some_and(|n| n > 0));
    Ok(if unread || refused { Exit::Partial } else { Exit::Clean })
}

/// The media type of a format that a gateway takes.
pub(super) fn media_type(format: &str) -> Result<String, Failure> {
    let registry = registry::adapters();
    let media_type = match registry.get(format) {
        Some(adapter) => adapter.descriptor().media_types.first().map(|media_type| (*media_type).to_owned()),
        // Whether the gateway has such a mapping file it says itself.
        None => registry::media_type_of_file(format),
    };
    media_type.ok_or_else(|| Failure::usage(format!("{format} cannot be pushed")))
}

fn problem_line(problem: &serde_json::Value) -> String {
    match serde_json::from_value::<silta_adapter::problem::Problem>(problem.clone()) {
        Ok(problem) => problem.to_string(),
        Err(_) => text_of(problem),
    }
}
