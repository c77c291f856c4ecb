//! `silta migrate`: the store brought to this version's form.

use super::open::{ConfigFile, fits, ledger, vault};
use super::{Exit, Outcome};
use crate::env::Rng;
use clap::Parser;

/// Bring the store to this version's form.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let config = args.config.read()?;
    let fresh = !config.store.sqlite_file()?.exists();
    let ledger = ledger(&config, true).await?;
    let steps = ledger.pending_migrations().await?;
    ledger.migrate().await?;
    fits(&ledger, &vault(&config, fresh, Rng::from_system())?).await?;
    say!("{}", if steps.is_empty() { "nothing to do".to_owned() } else { format!("taken: {}", steps.join(", ")) });
    Ok(Exit::Clean)
}
