//! A simulated register of learners: gives tokens, finds people by identity code, and knows whose OID is whose.
//!
//! It differs from the real one in this: it holds who it is told to; a client of any id is known by the one secret; it has
//! the look-ups and none of the calls that create or change people over HTTP.

mod serve;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

/// A person as the register knows her.
#[derive(Debug, Clone)]
struct Person {
    hetu: Option<String>,
    given_names: String,
    family_name: String,
    /// The OID this one is linked to.
    master: Option<String>,
}

/// A simulated register.
#[derive(Debug, Default)]
pub struct Sandbox {
    people: Mutex<BTreeMap<String, Person>>,
    /// Every call but for a token is answered with 503.
    unavailable: Mutex<bool>,
}

/// The secret that clients give.
pub const SECRET: &str = "sandbox";

impl Sandbox {
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
        let person = Person {
            hetu: hetu.map(str::to_owned),
            given_names: given_names.to_owned(),
            family_name: family_name.to_owned(),
            master: None,
        };
        self.people().insert(oid.to_owned(), person);
    }

    /// Links an OID to its master. What was linked to it follows: there are two levels.
    pub fn link(&self, oid: &str, master: &str) {
        let mut people = self.people();
        for (known, person) in people.iter_mut() {
            if known == master {
                person.master = None;
            } else if known == oid || person.master.as_deref() == Some(oid) {
                person.master = Some(master.to_owned());
            }
        }
    }

    /// Undoes the link of an OID.
    pub fn unlink(&self, oid: &str) {
        if let Some(person) = self.people().get_mut(oid) {
            person.master = None;
        }
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
