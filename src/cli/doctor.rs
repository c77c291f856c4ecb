//! `silta doctor`: a configuration and its store, checked.

use super::open::{self, ConfigFile, fits, vault};
use super::{Exit, Failure, Outcome};
use crate::config::Config;
use crate::env::{Rng, SystemClock};
use crate::gateway::{Gateway, Parts};
use crate::ledger::memory::MemoryLedger;
use crate::registry;
use clap::Parser;
use std::sync::Arc;

/// Check a configuration and its store.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let config = args.config.read()?;
    let mut failed = false;
    let mut tell = |what: &str, result: Result<String, Failure>| match result {
        Ok(detail) => say!("ok    {what}{detail}"),
        Err(failure) => {
            failed = true;
            say!("FAIL  {what}: {}", failure.message);
        }
    };
    tell("configuration", Ok(format!(": {} tenants, {} connections", config.tenant.len(), config.connection.len())));
    tell(
        "mappings",
        registry::mappings(config.mappings.directory.as_deref()).map(|_| String::new()).map_err(Into::into),
    );
    let opened = connections(&config);
    let advice = opened.as_ref().map_or_else(|_| Vec::new(), |(_, advice)| advice.clone());
    tell("connections", opened.map(|(open, _)| format!(": {open} open")));
    advice.iter().for_each(|line| say!("note  {line}"));
    tell("key file", vault(&config, false, Rng::from_system()).map(|_| String::new()));
    tell("store", store(&config).await);
    Ok(if failed { Exit::Failed } else { Exit::Clean })
}

async fn store(config: &Config) -> Result<String, Failure> {
    let store = open::store(config, false).await?;
    let pending = store.pending_migrations().await?;
    if !pending.is_empty() {
        return Err(format!("{} migrations are pending; run `silta migrate`", pending.len()).into());
    }
    if let Some(damage) = store.integrity().await?.first() {
        return Err(format!("the store is damaged: {damage}").into());
    }
    let ledger = store.ledger();
    fits(&*ledger, &vault(config, false, Rng::from_system())?).await?;
    let tokens = ledger.tokens().await?.len();
    Ok(format!(": whole, {tokens} tokens"))
}

/// Opens every connection against a ledger in memory; nothing is sent. How many there are, and what is to be known of
/// their settings.
fn connections(config: &Config) -> Result<(usize, Vec<String>), Failure> {
    let rng = Rng::from_system();
    let directory = config.mappings.directory.as_deref();
    let mappings = registry::mappings(directory)?;
    let parts = Parts {
        ledger: Arc::new(MemoryLedger::default()),
        vault: Arc::new(crate::vault::Vault::new(&rng.bytes(), rng.clone())?),
        clock: Arc::new(SystemClock),
        rng,
        registry: registry::adapters_and_files(directory, &mappings)?,
        mappings: Arc::new(mappings),
    };
    let gateway = Gateway::new(config.clone(), parts)?;
    let mut advice = Vec::new();
    for connection in &gateway.connections {
        let settings = serde_json::to_value(&connection.config.settings)?;
        let lines = connection.adapter.advice(&settings);
        advice.extend(lines.into_iter().map(|line| format!("connection {}: {line}", connection.config.name)));
    }
    Ok((gateway.connections.len(), advice))
}
