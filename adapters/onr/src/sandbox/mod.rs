//! A simulated register of learners: gives tokens, finds people by identity code, and knows whose OID is whose.
//!
//! It differs from the real one in this: it holds who it is told to; a client of any id is known by the one secret; it has
//! the look-ups and the list of changes, and none of the calls that create or change people over HTTP.

mod serve;

use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

/// A person as the register knows her.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Her identity code.
    #[serde(default)]
    pub hetu: Option<String>,
    /// Her given names.
    pub given_names: String,
    /// Her family name.
    pub family_name: String,
    /// The OID this one is linked to.
    #[serde(default)]
    pub master: Option<String>,
    /// When this was last changed.
    #[serde(skip)]
    changed: Timestamp,
}

/// What time it is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A simulated register.
pub struct Sandbox {
    now: Now,
    people: Mutex<BTreeMap<String, Person>>,
    /// Every call but for a token is answered with 503.
    unavailable: Mutex<bool>,
    /// Changes are told to nobody.
    discreet: Mutex<bool>,
}

/// The secret that clients give.
pub const SECRET: &str = "sandbox";

impl Sandbox {
    /// A register that knows nobody.
    pub fn new(now: Now) -> Self {
        Self { now, people: Mutex::default(), unavailable: Mutex::default(), discreet: Mutex::default() }
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

    /// Adds a person under an OID.
    pub fn add(&self, oid: &str, hetu: Option<&str>, given_names: &str, family_name: &str) {
        let (given_names, family_name) = (given_names.to_owned(), family_name.to_owned());
        let person =
            Person { hetu: hetu.map(str::to_owned), given_names, family_name, master: None, changed: (self.now)() };
        self.people().insert(oid.to_owned(), person);
    }

    /// Holds these people, by OID, and nobody else.
    pub fn hold(&self, mut people: BTreeMap<String, Person>) {
        people.values_mut().for_each(|person| person.changed = (self.now)());
        *self.people() = people;
    }

    /// Links an OID to its master. What was linked to it follows: there are two levels.
    pub fn link(&self, oid: &str, master: &str) {
        let now = (self.now)();
        for (known, person) in self.people().iter_mut() {
            let linked = match person.master.as_deref() {
                _ if known == master => None,
                of if known == oid || of == Some(oid) => Some(master),
                of => of,
            };
            if linked != person.master.as_deref() {
                (person.master, person.changed) = (linked.map(str::to_owned), now);
            }
        }
    }

    /// Undoes the link of an OID.
    pub fn unlink(&self, oid: &str) {
        let now = (self.now)();
        if let Some(person) = self.people().get_mut(oid) {
            (person.master, person.changed) = (None, now);
        }
    }

    /// Makes it tell what changed, or say that it is nobody's business.
    pub fn tells_changes(&self, tells: bool) {
        *lock(&self.discreet) = !tells;
    }

    /// Makes it answer, or not.
    pub fn available(&self, available: bool) {
        *lock(&self.unavailable) = !available;
    }

    fn people(&self) -> MutexGuard<'_, BTreeMap<String, Person>> {
        lock(&self.people)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
