//! A simulated Koski: takes badges over HTTP by the real one's rules, keeps every version, and does wrong what it is
//! told to.
//!
//! Under `/koski/api` it has what the transfer interface has: `oppija` (PUT, POST, GET, also as a batch and as a change
//! query), `opiskeluoikeus` (GET, DELETE, history), `henkilo/search` and the sender's errors. Beside it `GET` and
//! `POST /faults`, `POST /consent-withdrawn` (a study right's OID, as its learner would), and `/health`.
//!
//! It differs from the real one in this: it knows badges only; identity codes of artificial people are the ones it
//! takes; a person it does not know comes into being with her first badge; any school and any service user may send.

mod faults;
mod person;
mod rules;
mod serve;
mod store;

pub use faults::Faults;
use jiff::Timestamp;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;
use tokio::net::TcpListener;

/// Where the interface is, under the address of the sandbox.
pub const PATH: &str = "/koski";

/// Tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a sandbox is run.
#[derive(Clone)]
pub struct SandboxOptions {
    /// Where it keeps its state; only in memory without.
    pub directory: Option<PathBuf>,
    /// Its clock.
    pub now: Now,
    /// Faults from the start.
    pub faults: Faults,
    /// The password callers must give; any if there is none.
    pub password: Option<String>,
}

/// A simulated Koski.
pub struct Sandbox {
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    now: Now,
    password: Option<String>,
    directory: Option<PathBuf>,
}

impl Sandbox {
    /// Opens a sandbox with what it held before.
    ///
    /// # Errors
    /// If its directory cannot be used.
    pub fn open(options: SandboxOptions) -> io::Result<Self> {
        let store = match &options.directory {
            Some(directory) => Store::read(directory)?,
            None => Store::default(),
        };
        Ok(Self {
            store: Mutex::new(store),
            faults: Mutex::new(options.faults),
            now: options.now,
            password: options.password,
            directory: options.directory,
        })
    }

    /// Answers on `listener` until `shutdown`.
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

    /// How many study rights stand.
    pub fn standing(&self) -> usize {
        self.store().standing()
    }

    /// How many versions the study right of a source's key has; none once it is erased.
    pub fn versions(&self, source_id: &str) -> usize {
        self.store().versions(source_id)
    }

    /// The OID of the study right that a source's key led to last.
    pub fn oid(&self, source_id: &str) -> Option<String> {
        self.store().oid(source_id)
    }

    /// Erases a study right because its learner withdrew her consent; it is never taken again. False if there is none
    /// of that OID.
    pub fn withdraw_consent(&self, oid: &str) -> bool {
        self.store().erase(oid, true).is_ok()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    /// What it does wrong.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Makes what it holds outlast it.
    fn keep(&self) -> io::Result<()> {
        self.directory.as_ref().map_or(Ok(()), |directory| self.store().write(directory))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
