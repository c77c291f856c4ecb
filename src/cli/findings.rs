//! `silta findings`: what reconciliation found.

use super::client::{Client, table};
use super::{Exit, Outcome};
use clap::Parser;
use serde_json::{Value, json};

/// Show what reconciliation found.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    client: Client,
    /// Only of this connection.
    #[arg(long)]
    connection: Option<String>,
    /// Repair this finding instead of listing.
    #[arg(long, value_name = "ID", group = "act")]
    repair: Option<i64>,
    /// Call the repair of this finding off, if nothing of it was sent yet.
    #[arg(long, value_name = "ID", group = "act")]
    cancel: Option<i64>,
    /// Call every repair of the connection off of which nothing was sent yet.
    #[arg(long, group = "act", requires = "connection")]
    cancel_all: bool,
    /// Accept the difference of this finding as it is.
    #[arg(long, value_name = "ID", group = "act")]
    accept: Option<i64>,
    /// Do not show this finding any more.
    #[arg(long, value_name = "ID", group = "act")]
    suppress: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Outcome {
    if let (true, Some(connection)) = (args.cancel_all, &args.connection) {
        let answer = args.client.post(&format!("/v1/connections/{connection}/cancel"), &json!({})).await?;
        say!("repairs called off: {}", answer["called_off"]);
        say!("too late to call off: {}", answer["too_late"]);
        return Ok(if answer["too_late"] == 0 { Exit::Clean } else { Exit::Partial });
    }
    let acts = [(args.repair, "repair"), (args.cancel, "cancel"), (args.accept, "accept"), (args.suppress, "suppress")];
    for (id, verb) in acts {
        if let Some(id) = id {
            args.client.post(&format!("/v1/findings/{id}/{verb}"), &json!({})).await?;
            say!("finding {id}: {verb} done");
            return Ok(Exit::Clean);
        }
    }
    let filter = args.connection.as_ref().map(|c| format!("connection={c}&")).unwrap_or_default();
    let mut all: Vec<Value> = Vec::new();
    let mut after = 0;
    loop {
        let answer = args.client.get(&format!("/v1/findings?{filter}after={after}")).await?;
        all.extend(answer["findings"].as_array().into_iter().flatten().cloned());
        match answer["next"].as_i64().filter(|next| *next > after) {
            Some(next) => after = next,
            None => break,
        }
    }
    if args.json {
        say!("{:#}", Value::Array(all.clone()));
    } else {
        let columns = [
            ("id", "/id"),
            ("connection", "/connection"),
            ("kind", "/kind"),
            ("status", "/status"),
            ("record", "/item"),
            ("sightings", "/sightings"),
        ];
        say!("{}", table(&with_implied(&all), &columns));
    }
    let open = all.iter().any(|f| f["kind"] != "settling" && f["status"] != "accepted" && f["status"] != "suppressed");
    Ok(if open { Exit::Partial } else { Exit::Clean })
}

/// Each finding, followed by those that follow from it.
fn with_implied(findings: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for finding in findings {
        rows.push(finding.clone());
        for implied in finding["implies"].as_array().into_iter().flatten() {
            let mut row = implied.clone();
            row["kind"] = format!("└ {}", implied["kind"].as_str().unwrap_or_default()).into();
            rows.push(row);
        }
    }
    rows
}
