//! Opens the store and the vault a configuration names, for the commands that work on them directly.

use super::Failure;
use crate::config::Config;
use crate::env::{Rng, SystemClock};
use crate::gateway::{Gateway, Parts};
use crate::ledger::sqlite::SqliteLedger;
use crate::registry;
use crate::vault::Vault;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the configuration is.
#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The configuration file.
    #[arg(long, env = "SILTA_CONFIG", value_name = "FILE", default_value = "config/silta.toml")]
    pub(super) config: PathBuf,
}

impl ConfigFile {
    /// Reads it.
    pub(super) fn read(&self) -> Result<Config, Failure> {
        Ok(Config::read(&self.config)?)
    }
}

/// Opens the ledger; a new one is made and brought to this version's form only if `create` says so.
pub(super) async fn ledger(config: &Config, create: bool) -> Result<SqliteLedger, Failure> {
    let file = config.store.sqlite_file()?;
    if !create && !file.exists() {
        return Err(format!("there is no store at {}; `silta migrate` makes one", file.display()).into());
    }
    Ok(SqliteLedger::open(&file.display().to_string(), create).await?)
}

/// Opens the vault. Its key file is made only together with a new store: a store without its key would be lost.
pub(super) fn vault(config: &Config, create: bool, rng: Rng) -> Result<Vault, Failure> {
    Ok(Vault::open(&config.vault.key_file, create, rng)?)
}

/// Opens everything and puts the gateway together. A new store is made if there is none; an older one must be migrated
/// first.
pub(super) async fn gateway(config: Config) -> Result<Arc<Gateway>, Failure> {
    let rng = Rng::from_system();
    let fresh = !config.store.sqlite_file()?.exists();
    let ledger = ledger(&config, fresh).await?;
    if fresh {
        ledger.migrate().await?;
    } else if !ledger.pending_migrations().await?.is_empty() {
        return Err("the store is of an older version; run `silta migrate` first".into());
    }
    let vault = vault(&config, fresh, rng.clone())?;
    let mappings = registry::mappings(config.mappings.directory.as_deref())?;
    let parts = Parts {
        ledger: Arc::new(ledger),
        vault: Arc::new(vault),
        clock: Arc::new(SystemClock),
        rng,
        registry: registry::adapters(),
        mappings: Arc::new(mappings),
    };
    Ok(Arc::new(Gateway::new(config, parts)?))
}
