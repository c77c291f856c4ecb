//! The simulated national store: takes loads from a directory, keeps them durably, serves SOAP reading, and does
//! wrong what it is told to.
//!
//! | in its directory | what it is |
//! |---|---|
//! | `inbox/` | loads wait here, named `<anything>-<tenant>-<anything>.xml` |
//! | `loaded/`, `refused/` | where they go |
//! | `reports/` | one defect report (CSV) per load; only a heading if nothing is wrong |
//! | `store/` | `<tenant>.<generation>.xml`: what is held, which is the last accepted load and nothing else |
//!
//! It differs from the real store in three ways: a load must be a `Virta` document in the default namespace; answers
//! hold names, because they hold what was loaded; and identity codes of artificial people are taken.

mod answer;
mod arrivals;
mod damage;
mod defect;
mod faults;
mod index;
mod question;
mod serve;
mod store;
#[cfg(test)]
mod tests;

pub use defect::Defect;
pub use faults::Faults;
pub use serve::PATH;
pub use store::Loaded;

use arrivals::Arrivals;
use damage::Damage;
use faults::Fate;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

/// How a sandbox is run.
#[derive(Clone)]
pub struct SandboxOptions {
    /// Where it keeps its state.
    pub directory: PathBuf,
    /// How often it looks into its inbox.
    pub poll: Duration,
    /// What its randomness starts from: the same seed and the same requests meet the same faults, and the same content
    /// takes the same damage, whatever was asked in between and in whatever order it was loaded.
    pub seed: u64,
    /// Faults from the start.
    pub faults: Faults,
    /// The password callers must give; any if there is none.
    pub password: Option<String>,
    /// The log of the SFTP server that loads come through. A load has then arrived when the log says that its file was
    /// closed; without it, when it is in the inbox.
    pub sftp_log: Option<PathBuf>,
}

impl SandboxOptions {
    /// The usual sandbox in a directory: no faults, any password, the inbox looked at every second.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            poll: Duration::from_secs(1),
            seed: 0,
            faults: Faults::default(),
            password: None,
            sftp_log: None,
        }
    }
}

/// A simulated national store.
pub struct Sandbox {
    store: Store,
    ticking: Mutex<()>,
    faults: Mutex<Faults>,
    /// Draws the fate of requests.
    answering: Mutex<StdRng>,
    /// Draws what is damaged.
    damaging: Mutex<StdRng>,
    password: Option<String>,
    answered: Mutex<BTreeMap<&'static str, usize>>,
}

/// Runs a sandbox until `shutdown`: looks into its inbox, and answers on `listener`.
///
/// # Errors
/// If its directory cannot be used, or the listener is open to other machines.
pub async fn run(
    options: SandboxOptions,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let poll = options.poll;
    let sandbox = Arc::new(Sandbox::open(options)?);
    tokio::select! {
        ended = sandbox.clone().serve(listener, shutdown) => ended,
        failed = sandbox.watch(poll) => failed,
    }
}

impl Sandbox {
    /// Opens a sandbox with what it held before.
    ///
    /// # Errors
    /// If its directory cannot be used.
    pub fn open(options: SandboxOptions) -> io::Result<Self> {
        Ok(Self {
            store: Store::open(options.directory, Arrivals::of(options.sftp_log))?,
            ticking: Mutex::default(),
            faults: Mutex::new(options.faults),
            answering: Mutex::new(StdRng::seed_from_u64(options.seed)),
            damaging: Mutex::new(StdRng::seed_from_u64(options.seed)),
            password: options.password,
            answered: Mutex::default(),
        })
    }

    /// Loads what waits in the inbox, then does the damage that is due. Says what became of each load.
    ///
    /// # Errors
    /// If a file cannot be read or written; what was loaded before that stays loaded.
    pub fn tick(&self) -> io::Result<Vec<Loaded>> {
        let _one_at_a_time = lock(&self.ticking);
        let waits = {
            let mut faults = self.faults();
            let waits = faults.delay_ticks > 0;
            faults.delay_ticks = faults.delay_ticks.saturating_sub(1);
            waits
        };
        let loaded = if waits { Vec::new() } else { self.store.load()? };
        if !self.store.documents().is_empty() {
            let due = self.faults().take_damage();
            if due != Damage::default() {
                self.store.damage(due, &mut *lock(&self.damaging))?;
            }
        }
        Ok(loaded)
    }

    /// Answers on `listener` until `shutdown`: reading at [`PATH`], `GET` and `POST /faults`, `/health`. What it holds
    /// changes only by [`Sandbox::tick`].
    ///
    /// # Errors
    /// If the listener is open to other machines, or fails.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a sandbox listens on a loopback address only"));
        }
        axum::serve(listener, serve::router(self)).with_graceful_shutdown(shutdown).await
    }

    async fn watch(self: Arc<Self>, poll: Duration) -> io::Result<()> {
        let mut interval = tokio::time::interval(poll);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let sandbox = self.clone();
            for load in tokio::task::spawn_blocking(move || sandbox.tick()).await?? {
                match load.generation {
                    Some(generation) => tracing::info!(tenant = %load.tenant, generation, "load taken"),
                    None => tracing::warn!(tenant = %load.tenant, defects = load.defects.len(), "load refused"),
                }
            }
        }
    }

    /// How often an operation was answered since it was opened.
    pub fn answered(&self, operation: &str) -> usize {
        lock(&self.answered).get(operation).copied().unwrap_or_default()
    }

    fn fate(&self) -> (Fate, Faults) {
        let faults = self.faults().clone();
        (faults.fate(&mut *lock(&self.answering)), faults)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
