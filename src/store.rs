//! The store a configuration names: the only place that names databases.

use crate::config::{BadConfig, Place};
use crate::env::{Clock, SharedClock, SystemClock};
use crate::gateway::Gateway;
use crate::ledger::{Ledger, LedgerError};
use futures_util::FutureExt;
use secrecy::ExposeSecret;
use silta_ledger_postgres::PostgresLedger;
use silta_ledger_sqlite::SqliteLedger;
use smol_str::SmolStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the clock is set by the database's, and how long it is left alone after a failure.
const CLOCK: Duration = Duration::from_secs(10);

/// An open store.
pub enum Store {
    /// An SQLite file.
    Sqlite(SqliteLedger),
    /// A PostgreSQL database, and its clock.
    Postgres(PostgresLedger, Arc<SharedClock>),
}

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// The configuration names none.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// There is no file.
    #[error("there is no store at {}; `silta migrate` makes one", .0.display())]
    Missing(PathBuf),
    /// The store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Store {
    /// Opens the store. `create` makes the file of one that is a file; the database of a server has to be there.
    ///
    /// # Errors
    /// If it is not there or does not open.
    pub async fn open(place: &Place, create: bool) -> Result<Self, Unopened> {
        match place {
            Place::Sqlite(file) if !create && !file.exists() => Err(Unopened::Missing(file.clone())),
            Place::Sqlite(file) => Ok(Self::Sqlite(SqliteLedger::open(&file.display().to_string(), create).await?)),
            Place::Postgres(url) => {
                let ledger = PostgresLedger::open(url.expose_secret()).await?;
                let clock = Arc::new(SharedClock::default());
                set(&clock, &ledger).await?;
                Ok(Self::Postgres(ledger, clock))
            }
        }
    }

    /// What it holds.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        match self {
            Self::Sqlite(ledger) => Arc::new(ledger.clone()),
            Self::Postgres(ledger, _) => Arc::new(ledger.clone()),
        }
    }

    /// The time its due times and leases go by: the machine's, or the database's where several machines share it.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Sqlite(_) => Arc::new(SystemClock),
            Self::Postgres(_, clock) => clock.clone(),
        }
    }

    /// Brings the tables to this version's form.
    ///
    /// # Errors
    /// If they are of a newer version, or the store fails.
    pub async fn migrate(&self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.migrate().await,
            Self::Postgres(ledger, _) => ledger.migrate().await,
        }
    }

    /// Names of the migrations that [`Store::migrate`] would run.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.pending_migrations().await,
            Self::Postgres(ledger, _) => ledger.pending_migrations().await,
        }
    }

    /// What is wrong with the database itself; empty if nothing is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn integrity(&self) -> Result<Vec<String>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.integrity().await,
            Self::Postgres(ledger, _) => ledger.integrity().await,
        }
    }

    /// Keeps step with other gateways on the store until `stop` is cancelled: bells are heard there and here, and the
    /// clock follows the database's. Where nobody tells, polling finds it.
    pub fn share(&self, gateway: &Arc<Gateway>, stop: &CancellationToken, work: &mut JoinSet<()>) {
        let Self::Postgres(ledger, clock) = self else { return };
        let (rings, rung) = mpsc::unbounded_channel();
        gateway.connections.iter().for_each(|connection| connection.bell.also(rings.clone()));
        let (telling, hearing) = (tell(ledger.clone(), rung), hear(ledger.clone(), gateway.clone()));
        work.spawn(stop.clone().run_until_cancelled_owned(telling).map(|_| ()));
        work.spawn(stop.clone().run_until_cancelled_owned(hearing).map(|_| ()));
        let (stop, ledger, clock) = (stop.clone(), ledger.clone(), clock.clone());
        work.spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(CLOCK)).await.is_some() {
                if let Err(error) = set(&clock, &ledger).await {
                    tracing::warn!(%error, "the database's time could not be asked");
                }
            }
        });
    }
}

/// Sets a clock by the database's, to within half of the time the question took.
async fn set(clock: &SharedClock, ledger: &PostgresLedger) -> Result<(), LedgerError> {
    let asked = SystemClock.now();
    let theirs = ledger.now().await?;
    clock.set(theirs - (asked + (SystemClock.now() - asked) / 2));
    Ok(())
}

/// Tells other processes what was rung here; what is rung while it tells goes together.
async fn tell(ledger: PostgresLedger, mut rung: mpsc::UnboundedReceiver<SmolStr>) {
    let mut names = Vec::new();
    while rung.recv_many(&mut names, 1024).await > 0 {
        names.sort_unstable();
        names.dedup();
        let told: Vec<String> = names.drain(..).map(Into::into).collect();
        if let Err(error) = ledger.ring(&told).await {
            tracing::warn!(%error, "other gateways were not woken; they look in their own time");
        }
    }
}

/// Rings here what was rung in any process.
async fn hear(ledger: PostgresLedger, gateway: Arc<Gateway>) {
    loop {
        if let Err(error) = listen(&ledger, &gateway).await {
            tracing::warn!(%error, "bells of other gateways are not heard; polling goes on");
        }
        tokio::time::sleep(CLOCK).await;
    }
}

/// Ends only with an error. A ring that may have been missed while the database was away is made up for.
async fn listen(ledger: &PostgresLedger, gateway: &Gateway) -> Result<(), LedgerError> {
    let mut bell = ledger.listen().await?;
    loop {
        let name = bell.heard().await?;
        let rung = gateway.connections.iter().filter(|c| name.as_ref().is_none_or(|name| c.config.name == *name));
        rung.for_each(|connection| connection.bell.here());
    }
}
