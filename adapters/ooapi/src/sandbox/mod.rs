//! A simulated partner: a home institution that takes persons and associations over HTTP as the standard has it, in both
//! versions, and does wrong what it is told to.
//!
//! Under `/v6` and `/v5` are the calls of the two versions over one store each. Beside them `GET` and `POST /faults`, and
//! `/health`.
//!
//! It differs from a real one in this: any token may write; it looks at ids, states and whether a person is known, and at
//! nothing else; in version 5 an association is posted in the name of the person it holds, where the real one asks for a
//! student's own consent.

mod faults;
mod serve;

pub use faults::{BadFaults, Faults};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

/// Objects by id.
#[derive(Debug, Clone, Default)]
struct Store {
    persons: BTreeMap<String, Value>,
    associations: BTreeMap<String, Value>,
    /// How many calls changed something.
    writes: u64,
}

/// A simulated partner.
#[derive(Debug, Default)]
pub struct Sandbox {
    /// Versions 5 and 6.
    stores: [Mutex<Store>; 2],
    faults: Mutex<Faults>,
}

impl Sandbox {
    /// A partner that holds nothing.
    pub fn new(faults: Faults) -> Self {
        Self { faults: Mutex::new(faults), ..Self::default() }
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

    /// What it does wrong.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// The associations of a version that stand, with a result.
    pub fn standing(&self, version: u8) -> Vec<Value> {
        let stands = |object: &&Value| !matches!(object["state"].as_str(), Some("canceled" | "cancelled"));
        self.store(version).associations.values().filter(stands).cloned().collect()
    }

    /// All associations of a version.
    pub fn associations(&self, version: u8) -> Vec<Value> {
        self.store(version).associations.values().cloned().collect()
    }

    /// All persons of a version.
    pub fn persons(&self, version: u8) -> Vec<Value> {
        self.store(version).persons.values().cloned().collect()
    }

    /// How many calls of a version changed something.
    pub fn writes(&self, version: u8) -> u64 {
        self.store(version).writes
    }

    /// Changes an association behind the sender's back. False if there is none of that id.
    pub fn edit(&self, version: u8, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        self.store(version).associations.get_mut(id).map(change).is_some()
    }

    fn store(&self, version: u8) -> MutexGuard<'_, Store> {
        let [five, six] = &self.stores;
        lock(if version == 5 { five } else { six })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
