//! The ledger on SQLite: one file, no server.
//!
//! The write-ahead log lets readers read while one connection writes. Every method that changes something is one
//! `BEGIN IMMEDIATE` transaction of a number of statements that does not grow with the batch: rows travel as multi-row
//! `VALUES` where they are many and wide, and as one JSON parameter where they are numbers. Commits are synced to disk
//! (`synchronous = FULL`): what was acknowledged survives a power cut.
//!
//! SQL lives in this crate and nowhere else. Queries are checked against the tables when it is compiled; only the
//! migrator's own table, pragmas and the dump of everything are not ours to check.

mod access;
mod claims;
mod credentials;
mod debts;
mod dump;
mod findings;
mod keep;
mod links;
mod loads;
mod plans;
mod problems;
mod records;
mod retention;
mod rows;
#[cfg(test)]
mod tests;

pub use dump::Dump;

use silta_ledger::stored::pending;
use silta_ledger::{LedgerError, Result};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(30);
/// Connections that read.
const READERS: u32 = 4;

/// A ledger in an SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteLedger {
    /// Opens a ledger by path or `sqlite:` URL; `create` makes the file if it is not there. Its tables are made by
    /// [`SqliteLedger::migrate`].
    ///
    /// # Errors
    /// If the file cannot be opened, or is no SQLite database.
    pub async fn open(path_or_url: &str, create: bool) -> Result<Self> {
        let options = match path_or_url.starts_with("sqlite:") {
            true => SqliteConnectOptions::from_str(path_or_url).map_err(failed)?,
            false => SqliteConnectOptions::new().filename(Path::new(path_or_url)),
        };
        let options = options
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("temp_store", "memory")
            // 64 MiB of pages, and a log of 32 MiB between checkpoints: pages of indexes over pseudonyms are changed at
            // random, and written to the file once for many batches.
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "8192")
            .pragma("mmap_size", "268435456");
        // Where SQLite rolled back by itself (a full disk, a failed write), the driver still counts a transaction, and would
        // begin no other on that connection: it is replaced.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!sqlx::Connection::is_in_transaction(connection)) })
            })
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers })
    }

    /// Brings the tables to this version of the gateway.
    ///
    /// # Errors
    /// If the file was made by a newer version, or a migration fails; nothing is changed by a migration that fails.
    pub async fn migrate(&self) -> Result<()> {
        // A newer version of this form may have taken steps that are not known here; they only add.
        if self.pending_migrations().await?.is_empty() {
            return Ok(());
        }
        MIGRATIONS.run(&self.writer).await.map_err(|e| LedgerError::Store(e.to_string()))
    }

    /// Names of the migrations that [`SqliteLedger::migrate`] would run.
    ///
    /// # Errors
    /// If the store is of a later form than this version knows ([`pending`]), or fails.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let mut reader = self.read().await?;
        let table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')";
        let applied: Vec<i64> =
            match sqlx::query_scalar::<_, bool>(table).fetch_one(&mut *reader).await.map_err(failed)? {
                true => sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                    .fetch_all(&mut *reader)
                    .await
                    .map_err(failed)?,
                false => Vec::new(),
            };
        pending(&applied, MIGRATIONS.iter().map(|m| (m.version, &*m.description)))
    }

    /// What is wrong with the file itself; empty if nothing is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn integrity(&self) -> Result<Vec<String>> {
        let mut found: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check").fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// Writes what is still in the log into the file and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn read(&self) -> Result<sqlx::pool::PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(failed)
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }
}

/// The store failed. Texts of SQLite name tables and columns, never values.
fn failed(error: sqlx::Error) -> LedgerError {
    // Somebody else writes, the disk fails or is full, the file cannot be opened. Extended codes have these in their
    // lowest byte.
    const AWAY: [u32; 5] = [5, 6, 10, 13, 14];
    let code = |said: &dyn sqlx::error::DatabaseError| said.code().and_then(|code| code.parse::<u32>().ok());
    match &error {
        sqlx::Error::Database(said) if code(&**said).is_some_and(|code| AWAY.contains(&(code & 0xff))) => {
            LedgerError::Away(said.message().to_owned())
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => LedgerError::Away(error.to_string()),
        _ => LedgerError::Store(error.to_string()),
    }
}

async fn commit(tx: Transaction<'static, Sqlite>) -> Result<()> {
    tx.commit().await.map_err(failed)
}

/// Numbers a transaction may give out.
struct Next {
    /// Greater than any given before; for dirty marks and lease tokens.
    tick: i64,
    /// The first of the contents that were asked for. Never used before, so that references to erased ones stay dead.
    content: i64,
    /// The first for records.
    record: i64,
}

async fn next(conn: &mut SqliteConnection, contents: usize) -> Result<Next> {
    sqlx::query_as!(
        Next,
        r#"UPDATE sequence SET tick = tick + 1, content = content + ?1
        RETURNING tick AS "tick!: i64", content - ?1 AS "content!: i64",
            (SELECT coalesce(max(id), 0) + 1 FROM record) AS "record!: i64""#,
        contents as i64
    )
    .fetch_one(conn)
    .await
    .map_err(failed)
}

/// The number of a connection, made if there is none yet.
async fn connection_id(conn: &mut SqliteConnection, name: &str) -> Result<i64> {
    sqlx::query_scalar!(
        r#"INSERT INTO connection (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = excluded.name
        RETURNING id AS "id!""#,
        name
    )
    .fetch_one(conn)
    .await
    .map_err(failed)
}
