//! The ledger on PostgreSQL: one database, any number of gateways.
//!
//! Every method that changes something is one short transaction of a number of statements that does not grow with the
//! batch: rows travel as arrays. Queries are checked against the tables when this crate is compiled.
//!
//! What may happen at once, and how it is ordered:
//!
//! - arrivals of one tenant one after the other (an advisory lock), so that two sources cannot claim a key at once;
//! - versions of all tenants are written last in their transaction, under a lock that is held to the commit, so that
//!   positions of the feed are in the order of commits and nothing appears behind a served cursor;
//! - lanes are claimed with `SKIP LOCKED`, by index;
//! - rows are locked lanes first, then debts, each by id. Where transactions meet all the same, one gives way and is
//!   done again.
//!
//! A list is looked up by the index that is meant for it. Where another condition could lead elsewhere, as it did on tables
//! that grew faster than their statistics, it is kept apart by `OFFSET 0`, which PostgreSQL does not look behind.

mod access;
mod claims;
mod credentials;
#[cfg(test)]
mod cut;
mod debts;
mod filling;
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
#[cfg(any(test, feature = "throwaway"))]
pub mod throwaway;

pub use filling::Filling;

use claims::Heads;
use silta_ledger::stored::pending;
use silta_ledger::{LedgerError, Micros, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{PgConnection, Postgres, Transaction};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections of one process.
const CONNECTIONS: u32 = 16;
/// How long a call waits for one of them.
const BUSY: Duration = Duration::from_secs(30);
/// How often a call that met another transaction is done again.
const AGAIN: u32 = 8;

/// The channel of notifications.
const BELL: &str = "silta";

/// Hears [`PostgresLedger::ring`].
#[derive(Debug)]
pub struct Bell(PgListener);

impl Bell {
    /// Waits for the next ring: the name of the connection, or `None` if the database was away and rings may have been
    /// missed.
    ///
    /// # Errors
    /// If the database stays away.
    pub async fn heard(&mut self) -> Result<Option<String>> {
        let heard = self.0.try_recv().await.map_err(failed)?;
        Ok(heard.map(|notification| notification.payload().to_owned()))
    }
}

/// A ledger in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    pool: PgPool,
    heads: Arc<Heads>,
}

impl PostgresLedger {
    /// Opens a ledger by its URL (`postgres://user@host/database`). Its tables are made by [`PostgresLedger::migrate`].
    ///
    /// # Errors
    /// If the URL is none, or the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        // The error of a URL may repeat it, and with it the password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| LedgerError::Store("the URL of the database cannot be read".into()))?
            .application_name("silta")
            .options([
                // What a lost process held is free again soon; nothing waits for a lock for ever.
                ("idle_in_transaction_session_timeout", "60s"),
                ("lock_timeout", "30s"),
                ("tcp_keepalives_idle", "30"),
                ("timezone", "UTC"),
                // Every statement has an index to go by. A plan that was made while a table was young is kept for long, and
                // must not be one that reads all of it.
                ("enable_seqscan", "off"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(BUSY)
            .connect_with(options)
            .await
            .map_err(failed)?;
        Ok(Self { pool, heads: Arc::default() })
    }

    /// Brings the tables to this version of the gateway. One process at a time does it; others wait.
    ///
    /// # Errors
    /// If the tables were made by a newer version, or a migration fails; nothing is changed by a migration that fails.
    pub async fn migrate(&self) -> Result<()> {
        // A newer version of this form may have taken steps that are not known here; they only add.
        if self.pending_migrations().await?.is_empty() {
            return Ok(());
        }
        MIGRATIONS.run(&self.pool).await.map_err(|e| LedgerError::Store(e.to_string()))
    }

    /// Names of the migrations that [`PostgresLedger::migrate`] would run.
    ///
    /// # Errors
    /// If the store is of a later form than this version knows ([`pending`]), or fails.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let table = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "there!""#);
        let applied: Vec<i64> = match table.fetch_one(&self.pool).await.map_err(failed)? {
            // The table is the migrator's, not ours: not there when queries are checked.
            true => sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.pool)
                .await
                .map_err(failed)?,
            false => Vec::new(),
        };
        pending(&applied, MIGRATIONS.iter().map(|m| (m.version, &*m.description)))
    }

    /// The database's time: due times and leases of all gateways go by it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn now(&self) -> Result<Micros> {
        sqlx::query_scalar!(r#"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS "now!""#)
            .fetch_one(&self.pool)
            .await
            .map_err(failed)
    }

    /// Tells all processes on the database that something may be owed by some connections. Whoever does not listen looks
    /// in its own time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn ring(&self, connections: &[String]) -> Result<()> {
        sqlx::query!("SELECT pg_notify($1, name) FROM unnest($2::text[]) AS n (name)", BELL, connections)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Listens to [`PostgresLedger::ring`] of all processes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn listen(&self) -> Result<Bell> {
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(failed)?;
        listener.listen(BELL).await.map_err(failed)?;
        Ok(Bell(listener))
    }

    /// What is wrong with the tables themselves; empty if nothing is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn integrity(&self) -> Result<Vec<String>> {
        let invalid = sqlx::query_scalar!(
            r#"SELECT c.relname::text AS "name!" FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready) ORDER BY c.relname"#
        );
        let invalid = invalid.fetch_all(&self.pool).await.map_err(failed)?;
        Ok(invalid.into_iter().map(|name| format!("the index {name} is not valid")).collect())
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn write(&self) -> Result<Transaction<'static, Postgres>> {
        self.pool.begin().await.map_err(failed)
    }
}

/// Does a call again while it gives way to other transactions.
macro_rules! again {
    ($call:expr) => {{
        let mut left = $crate::AGAIN;
        loop {
            match $call.await {
                Err(silta_ledger::LedgerError::Conflict(_)) if left > 0 => left -= 1,
                done => break done,
            }
        }
    }};
}
use again;

/// The store failed. Messages of PostgreSQL name tables and columns; the details, which may hold values, are left out.
fn failed(error: sqlx::Error) -> LedgerError {
    const GAVE_WAY: [&str; 2] = ["40P01", "40001"];
    // Connections that broke, resources that ran out, a server that stops, starts or stands by, locks that were not given.
    const AWAY: [&str; 7] = ["08", "53", "57P", "58", "25006", "25P03", "55P03"];
    match &error {
        sqlx::Error::Database(said) => {
            let (code, message) = (said.code().unwrap_or_default(), said.message().to_owned());
            match () {
                () if GAVE_WAY.contains(&&*code) => LedgerError::Conflict(message),
                () if AWAY.iter().any(|class| code.starts_with(class)) => LedgerError::Away(message),
                () => LedgerError::Store(message),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => LedgerError::Away(error.to_string()),
        _ => LedgerError::Store(error.to_string()),
    }
}

async fn commit(tx: Transaction<'static, Postgres>) -> Result<()> {
    tx.commit().await.map_err(failed)
}

/// A number greater than any given before, for dirty marks and lease tokens.
async fn tick(conn: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"SELECT nextval('tick') AS "tick!""#).fetch_one(conn).await.map_err(failed)
}

/// Numbers for new contents. None is ever used twice, so that references to erased ones stay dead.
async fn content_numbers(conn: &mut PgConnection, count: usize) -> Result<Vec<i64>> {
    numbers(conn, "content", count).await
}

/// Numbers for new records.
async fn record_numbers(conn: &mut PgConnection, count: usize) -> Result<Vec<i64>> {
    numbers(conn, "record", count).await
}

/// Numbers for new rows of a table.
async fn numbers(conn: &mut PgConnection, table: &str, count: usize) -> Result<Vec<i64>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // The sequence is looked up once, not for each number.
    sqlx::query_scalar!(
        r#"SELECT nextval(of.sequence) AS "id!"
        FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS sequence OFFSET 0) of, generate_series(1, $2::bigint)"#,
        table,
        count as i64
    )
    .fetch_all(conn)
    .await
    .map_err(failed)
}

/// The number of a connection, made if there is none yet.
async fn connection_id(conn: &mut PgConnection, name: &str) -> Result<i64> {
    let found = sqlx::query_scalar!("SELECT id FROM connection WHERE name = $1", name);
    if let Some(id) = found.fetch_optional(&mut *conn).await.map_err(failed)? {
        return Ok(id);
    }
    sqlx::query_scalar!(
        "INSERT INTO connection (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await
    .map_err(failed)
}

/// Waits for other arrivals of the tenant to be committed, and holds up later ones until this transaction ends.
async fn lock_tenant(conn: &mut PgConnection, tenant: &str) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(1, hashtext($1))", tenant).execute(conn).await.map_err(failed)?;
    Ok(())
}

/// Waits for other writers of the feed to be committed. Whoever holds this waits for nothing else.
async fn lock_feed(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(2, 0)").execute(conn).await.map_err(failed)?;
    Ok(())
}
