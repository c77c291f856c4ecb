//! A register compared with what the ledger holds of it.

use crate::cli::client::{Client, answer, table, text_of};
use crate::cli::convert::open;
use crate::cli::{Failure, push};
use reqwest::Method;
use serde_json::{Value, json};
use silta_adapter::adapter::Limits;
use std::path::Path;
use tokio_util::io::ReaderStream;

/// A register to compare with the ledger.
#[derive(Debug, clap::Args)]
pub(super) struct Register {
    /// The register to compare with what the ledger holds of it.
    #[arg(long, value_name = "TENANT/SOURCE", conflicts_with = "expected")]
    pub(super) source: Option<String>,
    /// Format of the document: record, virta, or the name of a mapping file that the gateway has.
    #[arg(long, default_value = "record", requires = "source")]
    from: String,
    /// The document holds everything of these kinds, and only of them is anything unexpected in the ledger; if not given,
    /// of those it holds anything of. None with an empty list.
    #[arg(long, value_name = "KINDS", requires = "source")]
    complete: Option<String>,
    /// Least share of what the ledger holds that the register must have to be believed; 0 to believe everything.
    #[arg(long, value_name = "SHARE", requires = "source")]
    plausible_share: Option<f64>,
}

/// Asks the gateway to compare.
pub(super) async fn ask(
    client: &Client,
    register: &Register,
    file: Option<&str>,
    dry_run: bool,
) -> Result<Value, Failure> {
    let named = register.source.as_deref().and_then(|source| source.split_once('/'));
    let (tenant, source) = named.ok_or_else(|| Failure::usage("--source is TENANT/SOURCE"))?;
    let mut query = Vec::new();
    query.extend(register.complete.iter().map(|kinds| ("kinds", kinds.clone())));
    query.extend(register.plausible_share.iter().map(|share| ("plausible_share", share.to_string())));
    if dry_run {
        query.push(("dry_run", "true".to_owned()));
    }
    let address = format!("/v1/tenants/{tenant}/sources/{source}/reconcile");
    let mut request = client.request(Method::POST, &address)?.query(&query);
    if let Some(file) = file {
        let media_type = push::media_type(&register.from)?;
        let document = open(Some(Path::new(file)), &Limits::default())?;
        let length = document.metadata()?.len();
        let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(document), 1 << 16);
        request = request
            .header("content-type", media_type)
            .header("content-length", length)
            .body(reqwest::Body::wrap_stream(stream));
    }
    answer(request.send().await?).await
}

/// Tells what was found.
pub(super) fn tell(summary: &Value, findings: Option<&Vec<Value>>) {
    say!("records in the ledger: {} (as the source says: {})", summary["items"], summary["agreed"]);
    for (kind, count) in summary["findings"].as_object().into_iter().flatten() {
        say!("{kind}: {count}");
    }
    if summary["implied"] != 0 {
        say!("following from these: {}", summary["implied"]);
    }
    let rows: Vec<Value> = findings.into_iter().flatten().map(row).collect();
    if !rows.is_empty() {
        say!("{}", table(&rows, &COLUMNS));
    }
}

const COLUMNS: [(&str, &str); 4] = [("kind", "/kind"), ("record", "/record"), ("differs in", "/fields"), ("do", "/do")];

fn row(finding: &Value) -> Value {
    let evidence = &finding["evidence"];
    let fields = evidence["fields"].as_array().into_iter().flatten().map(|field| text_of(&field["path"]));
    let key = &evidence["key"];
    json!({
        "kind": finding["kind"],
        "record": format!("{} {}", text_of(&key["kind"]), text_of(&key["id"])),
        "fields": fields.collect::<Vec<_>>().join(", "),
        "do": evidence["proposal"],
    })
}
