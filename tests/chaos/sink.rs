//! Destinations that misbehave, and remember everything: many in one HTTP server on loopback, each under a path of its
//! own (`/0`, `/1` …). They take what another gateway takes (`POST …/records`, a JSON object per line) and say what they
//! hold (`POST …/records/held`). An object's `id`, `kind` and `institution` name it, its `source_revision` is its version.
//!
//! A destination that honours the key takes each `Idempotency-Key` once. Nothing else protects it: the same version under
//! another key is an effect again, and an older version takes effect after a newer one, unless it honours revisions. So
//! whoever promises better is caught.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::Instant;

/// What the destinations are like.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Decides which requests go wrong.
    pub(crate) seed: u64,
    /// How each of them behaves.
    pub(crate) destinations: Vec<Behaviour>,
}

/// How a destination behaves. Shares are of a thousand requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    /// Connections are refused, until it is [revived](Sink::revive).
    pub(crate) dead: bool,
    /// How long it thinks before it takes something. It takes it even if nobody waits for the answer any more.
    pub(crate) delay: Duration,
    /// Answered with 503; nothing was taken.
    pub(crate) unavailable: u64,
    /// Never answered; nothing was taken.
    pub(crate) hangs: u64,
    /// Taken, and never answered.
    pub(crate) loses_answers: u64,
    /// Takes the same idempotency key once.
    pub(crate) honours_key: bool,
    /// Refuses versions older than what it holds, as `stale`.
    pub(crate) honours_revision: bool,
}

impl Default for Behaviour {
    /// A healthy one that honours the key.
    fn default() -> Self {
        Self {
            dead: false,
            delay: Duration::ZERO,
            unavailable: 0,
            hangs: 0,
            loses_answers: 0,
            honours_key: true,
            honours_revision: false,
        }
    }
}

/// A version of an object: kind, institution and id, and the version.
pub(crate) type Version = (Name, u64);

/// Kind, institution and id.
pub(crate) type Name = (String, String, String);

/// What happened at a destination so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// Versions that took effect for the first time.
    pub(crate) taken: u64,
    /// Requests under a key that had been taken: no effect.
    pub(crate) repeated: u64,
    /// Effects of a version that was there already, as it is.
    pub(crate) doubled: u64,
    /// Effects of a version that was there before and had been lost or changed.
    pub(crate) restored: u64,
    /// Older versions refused as stale.
    pub(crate) late: u64,
    /// Older versions that took effect after a newer one.
    pub(crate) overtaken: u64,
    /// Requests that went wrong as configured.
    pub(crate) failed: u64,
    /// Versions that came as taken back.
    pub(crate) removed: HashSet<Version>,
    /// When each version first took effect.
    pub(crate) first: HashMap<Version, Instant>,
}

/// A running server. Dropped, it goes on until the runtime ends.
#[derive(Clone)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Bound and not listening: nobody else gets the port, and connections are refused.
    reserved: Arc<Mutex<HashMap<usize, TcpSocket>>>,
    dead: Arc<HashMap<usize, SocketAddr>>,
}

struct Shared {
    seed: u64,
    destinations: Vec<Destination>,
    effects: watch::Sender<u64>,
}

struct Destination {
    behaviour: Behaviour,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    requests: u64,
    keys: HashSet<String>,
    /// By source and learner.
    held: HashMap<(String, String), BTreeMap<Name, Value>>,
    newest: HashMap<Name, u64>,
    figures: Figures,
}

/// The part of an object that is looked at.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    institution: String,
    id: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    learner: String,
    state: Option<String>,
    #[serde(default)]
    source_revision: u64,
}

/// Starts the server.
///
/// # Errors
/// If there is no port.
pub(crate) async fn start(config: Config) -> io::Result<Sink> {
    let (mut reserved, mut dead) = (HashMap::new(), HashMap::new());
    for (n, behaviour) in config.destinations.iter().enumerate() {
        if behaviour.dead {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            dead.insert(n, socket.local_addr()?);
            reserved.insert(n, socket);
        }
    }
    let fresh = |behaviour| Destination { behaviour, kept: Mutex::default() };
    let shared = Arc::new(Shared {
        seed: config.seed,
        destinations: config.destinations.into_iter().map(fresh).collect(),
        effects: watch::Sender::new(0),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    serve(listener, shared.clone());
    Ok(Sink { shared, address, reserved: Arc::new(Mutex::new(reserved)), dead: Arc::new(dead) })
}

fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let app = Router::new()
        .route("/{n}/v1/tenants/{tenant}/records", post(take))
        .route("/{n}/v1/tenants/{tenant}/records/held", post(held))
        .with_state(shared);
    tokio::spawn(async move { axum::serve(listener, app).await });
}

impl Sink {
    /// The base address of a destination.
    pub(crate) fn url(&self, n: usize) -> String {
        format!("http://{}/{n}", self.dead.get(&n).unwrap_or(&self.address))
    }

    /// Lets a dead destination live.
    ///
    /// # Errors
    /// If it cannot listen.
    pub(crate) fn revive(&self, n: usize) -> io::Result<()> {
        if let Some(socket) = lock(&self.reserved).remove(&n) {
            serve(socket.listen(1024)?, self.shared.clone());
        }
        Ok(())
    }

    /// What happened at each destination so far.
    pub(crate) fn figures(&self) -> Vec<Figures> {
        self.shared.destinations.iter().map(|d| lock(&d.kept).figures.clone()).collect()
    }

    /// Waits until so many versions have taken effect, at all destinations together.
    pub(crate) async fn reached(&self, effects: u64) {
        // The sender lives as long as this value.
        let _ = self.shared.effects.subscribe().wait_for(|so_far| *so_far >= effects).await;
    }

    /// How many versions have taken effect, at all destinations together.
    pub(crate) fn effects(&self) -> u64 {
        *self.shared.effects.borrow()
    }

    /// What a destination holds, by name; what was taken back with its state.
    pub(crate) fn contents(&self, n: usize) -> BTreeMap<Name, Value> {
        let kept = lock(&self.shared.destinations[n].kept);
        kept.held.values().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Changes or loses (by `None`) an object behind everybody's back. False if it is not there.
    pub(crate) fn damage(&self, n: usize, name: &Name, edit: impl FnOnce(Value) -> Option<Value>) -> bool {
        let mut kept = lock(&self.shared.destinations[n].kept);
        let Some(of_learner) = kept.held.values_mut().find(|objects| objects.contains_key(name)) else { return false };
        if let Some(edited) = of_learner.remove(name).and_then(edit) {
            of_learner.insert(name.clone(), edited);
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What goes wrong with a request.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Unavailable,
    Hangs,
    LosesAnswer,
}

impl Shared {
    fn fault(&self, n: usize) -> Fault {
        let Destination { behaviour, kept } = &self.destinations[n];
        let mut kept = lock(kept);
        kept.requests += 1;
        let drawn = mixed(self.seed ^ mixed(n as u64 ^ mixed(kept.requests))) % 1000;
        let Behaviour { unavailable, hangs, loses_answers, .. } = *behaviour;
        let fault = match drawn {
            d if d < unavailable => Fault::Unavailable,
            d if d < unavailable + hangs => Fault::Hangs,
            d if d < unavailable + hangs + loses_answers => Fault::LosesAnswer,
            _ => return Fault::None,
        };
        kept.figures.failed += 1;
        fault
    }

    /// Takes one object: the outcome.
    fn effect(&self, n: usize, head: Head, object: Value, repeated: bool) -> &'static str {
        let Destination { behaviour, kept } = &self.destinations[n];
        let mut kept = lock(kept);
        let Kept { held, newest, figures, .. } = &mut *kept;
        if repeated {
            figures.repeated += 1;
            return "unchanged";
        }
        let name = (head.kind, head.institution, head.id);
        let version = head.source_revision;
        let before = newest.get(&name).copied();
        if before.is_some_and(|newest| version < newest) {
            if behaviour.honours_revision {
                figures.late += 1;
                return "stale";
            }
            figures.overtaken += 1;
        }
        if head.state.as_deref().is_some_and(|state| state != "current") {
            figures.removed.insert((name.clone(), version));
        }
        let objects = held.entry((head.source, head.learner)).or_default();
        let there = objects.insert(name.clone(), object.clone());
        if let std::collections::hash_map::Entry::Vacant(first) = figures.first.entry((name.clone(), version)) {
            first.insert(Instant::now());
            figures.taken += 1;
            self.effects.send_modify(|effects| *effects += 1);
        } else if before == Some(version) {
            match there.as_ref() == Some(&object) {
                true => figures.doubled += 1,
                false => figures.restored += 1,
            }
        }
        newest.insert(name, before.map_or(version, |newest| newest.max(version)));
        if before.is_none() { "new" } else { "updated" }
    }
}

/// One of the generators of Steele, Lea and Flood (SplitMix64).
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((n, _tenant)): Path<(usize, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(destination) = shared.destinations.get(n) else { return StatusCode::NOT_FOUND.into_response() };
    let fault = shared.fault(n);
    match fault {
        Fault::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Hangs => std::future::pending().await,
        Fault::None | Fault::LosesAnswer => {}
    }
    let behaviour = destination.behaviour;
    let Some(objects) = objects(&body) else { return StatusCode::UNPROCESSABLE_ENTITY.into_response() };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let working = tokio::spawn(async move {
        tokio::time::sleep(behaviour.delay).await;
        let known = key.is_some_and(|key| !lock(&shared.destinations[n].kept).keys.insert(key));
        let repeated = known && behaviour.honours_key;
        let outcomes = objects.into_iter().map(|(head, object)| shared.effect(n, head, object, repeated));
        outcomes.map(|outcome| json!({ "outcome": outcome })).collect::<Vec<_>>()
    });
    let Ok(outcomes) = working.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    if fault == Fault::LosesAnswer {
        std::future::pending::<()>().await;
    }
    Json(json!({ "outcomes": outcomes, "problems": [] })).into_response()
}

fn objects(body: &[u8]) -> Option<Vec<(Head, Value)>> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let read = |line| Some((serde_json::from_slice(line).ok()?, serde_json::from_slice(line).ok()?));
    lines.map(read).collect()
}

/// Learners to say something about.
#[derive(Deserialize)]
struct Learners {
    learners: Vec<LearnerKey>,
}

#[derive(Deserialize)]
struct LearnerKey {
    source: String,
    id: String,
}

async fn held(
    State(shared): State<Arc<Shared>>,
    Path((n, _tenant)): Path<(usize, String)>,
    Json(asked): Json<Learners>,
) -> Response {
    let Some(destination) = shared.destinations.get(n) else { return StatusCode::NOT_FOUND.into_response() };
    let kept = lock(&destination.kept);
    let stands = |object: &&Value| object["state"].as_str().is_none_or(|state| state == "current");
    let of = |learner: LearnerKey| {
        let objects = kept.held.get(&(learner.source, learner.id));
        let records: Vec<Value> = objects.into_iter().flat_map(|o| o.values()).filter(stands).cloned().collect();
        json!({ "complete": true, "records": records })
    };
    let learners: Vec<Value> = asked.learners.into_iter().map(of).collect();
    Json(json!({ "learners": learners })).into_response()
}
