//! `silta migrate`: the store brought to this version's form, or moved into another database.

use super::open::{ConfigFile, KEY, MOVED, fits, store, vault};
use super::{Exit, Failure, Outcome};
use crate::config::{Config, Place};
use crate::env::Rng;
use crate::store::Store;
use clap::Parser;
use futures_util::stream::TryStreamExt;
use silta_ledger::dump::{TABLES, Table, Tally};
use silta_ledger_postgres::Filling;
use silta_ledger_sqlite::Dump;

/// Rows that travel at once.
const PAGE: usize = 500;

/// Bring the store to this version's form, or move it into another database.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Move the embedded store into this empty PostgreSQL database. Nobody may write meanwhile; the file stays, and
    /// is not opened again. Give the URL in the environment if it has a password.
    #[arg(long, env = "SILTA_MIGRATE_TO", hide_env_values = true, value_name = "URL")]
    to: Option<String>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let config = args.config.read()?;
    if let Some(to) = &args.to {
        return move_to(&config, to).await;
    }
    let store = store(&config, true).await?;
    let steps = store.pending_migrations().await?;
    store.migrate().await?;
    let ledger = store.ledger();
    let fresh = ledger.fact(KEY).await?.is_none();
    fits(&*ledger, &vault(&config, fresh, Rng::from_system())?).await?;
    say!("{}", if steps.is_empty() { "nothing to do".to_owned() } else { format!("taken: {}", steps.join(", ")) });
    Ok(Exit::Clean)
}

/// Moves all rows in one transaction, compares every table row by row on both sides, and only then commits.
async fn move_to(config: &Config, to: &str) -> Outcome {
    let from = store(config, false).await?;
    if !from.pending_migrations().await?.is_empty() {
        return Err("the store is of an older version; run `silta migrate` without --to first".into());
    }
    fits(&*from.ledger(), &vault(config, false, Rng::from_system())?).await?;
    let to = Store::open(&Place::of(to)?, false).await?;
    let (Store::Sqlite(from), Store::Postgres(to, _)) = (from, to) else {
        return Err("only an embedded store can be moved, and only into PostgreSQL".into());
    };
    to.migrate().await?;
    let (mut dump, mut filling) = (from.dump().await?, to.fill().await?);
    let key = Rng::from_system().bytes();
    for table in TABLES {
        let moved = copy(&mut dump, &mut filling, table, &key).await?;
        let arrived = tally(&mut filling, table, &key).await?;
        if moved != arrived {
            return Err(format!("{}: what arrived is not what was sent; nothing was moved", table.name).into());
        }
        say!("{:<15} {:>10} rows, the same on both sides", table.name, moved.rows());
    }
    let (tick, content) = dump.numbers().await?;
    filling.finish(tick, content).await?;
    dump.end_with(MOVED, "postgres").await?;
    say!("moved; give store.url its new value");
    Ok(Exit::Clean)
}

async fn copy(dump: &mut Dump, filling: &mut Filling, table: &'static Table, key: &[u8; 32]) -> Result<Tally, Failure> {
    let mut tally = Tally::new(key);
    let mut rows = dump.rows(table);
    let mut page = Vec::with_capacity(PAGE);
    loop {
        let row = rows.try_next().await?;
        let last = row.is_none();
        if let Some(row) = row {
            tally.add(&row);
            page.push(row);
        }
        if page.len() == PAGE || last && !page.is_empty() {
            filling.add(table, &page).await?;
            page.clear();
        }
        if last {
            return Ok(tally);
        }
    }
}

async fn tally(filling: &mut Filling, table: &'static Table, key: &[u8; 32]) -> Result<Tally, Failure> {
    let mut tally = Tally::new(key);
    let mut rows = filling.rows(table);
    while let Some(row) = rows.try_next().await? {
        tally.add(&row);
    }
    Ok(tally)
}
