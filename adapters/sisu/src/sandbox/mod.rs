//! A simulated Sisu: export feeds by ordinal, import that takes or refuses whole batches, and faults on demand.
//!
//! | address | what it does |
//! |---|---|
//! | `GET /ori/api/<feed>/v1/export?since=&limit=` | the feed after an ordinal |
//! | `GET /kori/api/{course-units,modules,organisations}/<id>` | one entity that others refer to |
//! | `POST /ori/api/attainments/v1/import` | a batch, taken or refused as a whole |
//! | `POST /ori/api/attainments/v1/delete` | ids to delete |
//! | `POST /entities/<feed>` | puts an entity into a feed, or among those that can be referred to |
//! | `GET`, `POST /faults` | what it does wrong |
//!
//! Where the real one was not seen it is a guess: the body of a delete is an array of ids, an import of a known id makes a
//! new version, and single entities of `kori` are read by id. Everything is in memory.

mod faults;
mod rules;
mod serve;
mod store;

pub use faults::{FailingIds, Faults};

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;
use tokio::net::TcpListener;

/// Names and passwords of the two users.
#[derive(Clone)]
pub struct SandboxOptions {
    /// Who may read.
    pub export: (String, String),
    /// Who may import.
    pub import: (String, String),
    /// Faults from the start.
    pub faults: Faults,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            export: ("export".into(), "export".into()),
            import: ("import".into(), "import".into()),
            faults: Faults::default(),
        }
    }
}

/// A simulated Sisu.
pub struct Sandbox {
    export: String,
    import: String,
    store: Mutex<Store>,
}

impl Sandbox {
    /// An empty one.
    pub fn new(options: SandboxOptions) -> Self {
        Self {
            export: serve::basic(&options.export),
            import: serve::basic(&options.import),
            store: Mutex::new(Store::new(options.faults)),
        }
    }

    /// Puts an entity into a feed (`attainments`, `persons` …) as its newest version, with the next ordinal; or among the
    /// entities that others refer to (`course-units`, `modules`, `organisations`). Returns the ordinal.
    pub fn put(&self, feed: &str, entity: serde_json::Value) -> u64 {
        self.store().put(feed, entity, false)
    }

    /// The newest version of an attainment, shown in the export or not yet.
    pub fn attainment(&self, id: &str) -> Option<serde_json::Value> {
        self.store().newest("attainments", id)
    }

    /// How many imports reached it.
    pub fn imports(&self) -> usize {
        self.store().imports
    }

    /// How many requests for pages and single entities it answered.
    pub fn reads(&self) -> usize {
        self.store().reads
    }

    /// Changes what it does wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.store().faults);
    }

    /// Lets seconds pass for the lag of the copies.
    pub fn advance(&self, secs: u64) {
        self.store().advance(secs);
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

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
