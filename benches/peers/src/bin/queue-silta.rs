//! Silta's delivery as a queue: records of a kilobyte are taken as documents, kept, owed, and sent to a destination that
//! accepts them at once.

use async_trait::async_trait;
use serde_json::json;
use silta::config::Config;
use silta::delivery;
use silta::env::{Rng, SystemClock};
use silta::gateway::{Gateway, Parts};
use silta::intake::{self, Submission};
use silta::registry;
use silta::vault::Vault;
use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, Deliver, Descriptor, Document, Effect, Encode, Grouping, Load, Registry,
    Withdraw,
};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::record::RecordKind;
use silta_ledger_postgres::PostgresLedger;
use silta_peers::{Asked, BATCH, CONCURRENCY, Failed, Handled, offer, rate};
use silta_record::SiltaRecord;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const TENANT: &str = "02469";
/// Bytes of a record's line.
const BYTES: usize = 1024;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let asked = Asked::read()?;
    let handled = Arc::new(Handled::default());
    let ledger = PostgresLedger::open(&asked.database).await?;
    if asked.phase == "prepare" {
        ledger.migrate().await?;
        return Ok(());
    }
    let gateway = gateway(ledger, handled.clone())?;
    let began = Instant::now();
    let told = match asked.phase.as_str() {
        "enqueue" => {
            for first in (0..asked.jobs).step_by(BATCH) {
                push(&gateway, first..asked.jobs.min(first + BATCH)).await?;
            }
            rate(asked.jobs, began)
        }
        "drain" => {
            let stop = CancellationToken::new();
            let work = delivery::run::start(&gateway, &stop);
            let told = handled.drained(asked.jobs, began).await;
            stop.cancel();
            work.join_all().await;
            told
        }
        "latency" => {
            let stop = CancellationToken::new();
            let work = delivery::run::start(&gateway, &stop);
            let offered = offer(asked.jobs, |number| push(&gateway, number..number + 1)).await?;
            handled.wait(asked.jobs).await;
            stop.cancel();
            work.join_all().await;
            handled.latencies(&offered)
        }
        other => return Err(format!("no such phase: {other}").into()),
    };
    println!("{told}");
    Ok(())
}

fn gateway(ledger: PostgresLedger, handled: Arc<Handled>) -> Result<Arc<Gateway>, Failed> {
    let config = format!(
        "[[tenant]]\ncode = '{TENANT}'\n[[connection]]\nname = 'peer'\ntenant = '{TENANT}'\nadapter = 'peer'\n\
         concurrency = {CONCURRENCY}\n"
    );
    let rng = Rng::from_system();
    let parts = Parts {
        ledger: Arc::new(ledger),
        vault: Arc::new(Vault::new(&[7; 32], rng.clone())?),
        clock: Arc::new(SystemClock),
        rng,
        registry: Registry::new(vec![Arc::new(Peer { descriptor: DESCRIPTOR, handled })]),
        mappings: Arc::new(registry::mappings(None)?),
    };
    Ok(Arc::new(Gateway::new(Config::from_toml(&config)?, parts)?))
}

/// Pushes records of a learner each.
async fn push(gateway: &Arc<Gateway>, numbers: std::ops::Range<usize>) -> Result<(), Failed> {
    let spool = tempfile::NamedTempFile::new()?;
    let lines: String = numbers.map(line).collect();
    std::fs::write(spool.path(), lines)?;
    let submission = Submission {
        tenant: TENANT.into(),
        source: "sis".into(),
        adapter: Arc::new(SiltaRecord),
        spool: spool.path().to_owned(),
        allowed: Vec::new(),
        complete: Vec::new(),
        confirmed_removals: None,
        reinstate: false,
    };
    intake::take(gateway, submission).await.map_err(|e| format!("{e:?}"))?;
    Ok(())
}

fn line(number: usize) -> String {
    let line = |title: &str| {
        json!({
            "kind": "attainment", "institution": TENANT, "id": number.to_string(), "learner": format!("L{number}"),
            "body": { "title": [{ "lang": "fi", "value": title }], "completed_on": "2026-05-12", "credits": { "ects": "5" } }
        })
        .to_string()
            + "\n"
    };
    let empty = line("").len();
    line(&"x".repeat(BYTES - empty))
}

/// A destination that accepts at once.
struct Peer {
    descriptor: Descriptor,
    handled: Arc<Handled>,
}

const DESCRIPTOR: Descriptor = Descriptor {
    name: "peer",
    summary: "accepts at once",
    media_types: &[],
    settings: None,
    grouping: Grouping::Record,
    effect: Effect::Upsert,
    withdraw: Withdraw::Delete,
    readback: false,
    honours_key: true,
    kinds: &RecordKind::ALL,
    losses: &[],
};

impl Adapter for Peer {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        Some(&SiltaRecord)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        Some(&SiltaRecord)
    }
    fn connect(&self, _: &serde_json::Value) -> Result<Connected, BadSettings> {
        Ok(Connected { deliver: Some(Arc::new(Accept(self.handled.clone()))), ..Connected::default() })
    }
}

struct Accept(Arc<Handled>);

#[async_trait]
impl Deliver for Accept {
    async fn deliver(&self, load: &Load) -> Judgement {
        let number = match &load.document {
            Document::Bytes(bytes) => serde_json::from_slice::<serde_json::Value>(bytes).ok(),
            Document::File(_) => None,
        };
        self.0.one(number.and_then(|record| record["id"].as_str()?.parse().ok()));
        Judgement {
            verdict: Verdict::Accepted,
            fixer: None,
            reason: String::new(),
            cause: "peer".into(),
            retry_after: None,
        }
    }
}
