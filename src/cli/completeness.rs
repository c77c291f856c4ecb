//! `silta completeness`: how completely institutions document their micro-credentials.

use super::client::{Client, table};
use super::{Exit, Failure, Outcome};
use clap::Parser;
use reqwest::Method;
use serde_json::{Value, json};

/// Show how completely institutions document their micro-credentials.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// Whose records.
    tenant: String,
    /// Look at all attainments, not only at those whose type says that they are micro-credentials.
    #[arg(long)]
    all: bool,
    /// Print CSV: one line for each institution and element.
    #[arg(long)]
    csv: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let path = format!("/v1/tenants/{}/completeness?all={}", args.tenant, args.all);
    if args.csv {
        let answer = args.client.request(Method::GET, &path)?.header("accept", "text/csv").send().await?;
        if !answer.status().is_success() {
            return Err(super::client::answer(answer).await.err().unwrap_or_else(|| Failure::from("no CSV came")));
        }
        say!("{}", answer.text().await?.trim_end());
        return Ok(Exit::Clean);
    }
    let found = args.client.get(&path).await?;
    if args.json {
        say!("{found:#}");
        return Ok(Exit::Clean);
    }
    for institution in found["institutions"].as_array().into_iter().flatten() {
        let (records, complete) = (&institution["records"], &institution["complete"]);
        say!("{}: {complete} of {records} complete", institution["institution"].as_str().unwrap_or_default());
        let rows: Vec<Value> = institution["elements"].as_array().into_iter().flatten().map(with_share).collect();
        let columns = [
            ("element", "/id"),
            ("", "/name"),
            ("present", "/present"),
            ("weak", "/weak"),
            ("missing", "/missing"),
            ("share", "/share"),
        ];
        say!("{}", table(&rows, &columns));
    }
    Ok(Exit::Clean)
}

fn with_share(element: &Value) -> Value {
    let count = |name: &str| element[name].as_u64().unwrap_or(0);
    let records = count("present") + count("weak") + count("missing");
    let mut row = element.clone();
    row["share"] = json!(format!("{} %", (count("present") * 100).checked_div(records).unwrap_or(0)));
    row
}
