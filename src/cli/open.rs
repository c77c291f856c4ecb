//! Opens the store and the vault a configuration names, for the commands that work on them directly.

use super::Failure;
use crate::config::Config;
use crate::env::{Rng, SystemClock};
use crate::gateway::{Gateway, Parts};
use crate::ledger::Access;
use crate::registry;
use crate::vault::Vault;
use clap::Args;
use silta_ledger_sqlite::SqliteLedger;
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

/// Checks that a store and a key belong together; a new store takes the key it is first opened with. Under another key
/// nothing kept could be read, and everything sent again would be taken as new.
pub(super) async fn fits(ledger: &SqliteLedger, vault: &Vault) -> Result<(), Failure> {
    const FACT: &str = "vault.key";
    let mark: String = vault.lookup("", FACT).0.iter().map(|byte| format!("{byte:02x}")).collect();
    match ledger.fact(FACT).await? {
        Some(known) if known == mark => Ok(()),
        Some(_) => Err("the key file is not the one the store was made with".into()),
        None => Ok(ledger.set_fact(FACT, &mark).await?),
    }
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
    fits(&ledger, &vault).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_opens_only_with_the_key_it_was_made_with() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str| dir.path().join(name).display().to_string();
        let config = |key: &str| {
            let text = format!("[store]\nurl = 'sqlite:{}'\n[vault]\nkey_file = '{}'", file("silta.db"), file(key));
            Config::from_toml(&text).expect("a configuration")
        };
        drop(gateway(config("ours")).await.map_err(|e| e.message).expect("a new store"));
        drop(gateway(config("ours")).await.map_err(|e| e.message).expect("the same store"));
        std::fs::write(file("another"), "ab".repeat(32)).expect("writes");
        let refused = gateway(config("another")).await.err().expect("another key").message;
        assert_eq!(refused, "the key file is not the one the store was made with");
        let missing = gateway(config("missing")).await.err().expect("no key").message;
        assert!(missing.contains("cannot be used") && !dir.path().join("missing").exists(), "{missing}");
    }
}
