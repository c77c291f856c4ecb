//! What registers send: new records, corrections, withdrawals and records that come back, pushed to whichever gateway,
//! and again if no answer came.

use crate::fleet::{Doors, TENANT};
use crate::sink::{Name, Version};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Attainments of each learner.
const ATTAINMENTS: usize = 3;

/// Registers that push beside each other, each the records of its own learners.
const SENDERS: usize = 4;

/// How long a register waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a record says last, as its register knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Last {
    /// Its version.
    pub(crate) version: u64,
    /// True if it was taken back.
    pub(crate) withdrawn: bool,
    /// What it says, if it was not.
    pub(crate) body: Value,
}

/// What was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// The last version of each record; all of them were acknowledged when traffic has ended.
    pub(crate) last: BTreeMap<Name, Last>,
    /// When each version was acknowledged.
    pub(crate) acknowledged: HashMap<Version, Instant>,
    /// Versions that take a record back.
    pub(crate) withdrawals: HashSet<Version>,
    /// Pushes that were answered, and not as they should be.
    pub(crate) odd: Vec<String>,
}

/// Registers at work.
pub(crate) struct Traffic {
    book: Arc<Mutex<Book>>,
    failures: watch::Sender<u64>,
    stop: Arc<AtomicBool>,
    senders: JoinSet<()>,
}

impl Traffic {
    /// Starts it: so many records, then so many changes a second until it is ended.
    pub(crate) fn start(seed: u64, records: usize, per_second: f64, doors: &Doors, token: &str) -> Self {
        let (book, stop) = (Arc::<Mutex<Book>>::default(), Arc::<AtomicBool>::default());
        let failures = watch::Sender::new(0);
        let mut senders = JoinSet::new();
        let learners = records.div_ceil(ATTAINMENTS + 1).max(SENDERS);
        for n in 0..SENDERS {
            let register = Register {
                learners: (n..learners).step_by(SENDERS).collect(),
                pause: Duration::from_secs_f64(SENDERS as f64 / per_second),
                rng: StdRng::seed_from_u64(seed ^ (n as u64 + 1)),
                doors: doors.clone(),
                token: token.to_owned(),
                http: reqwest::Client::builder().timeout(PATIENCE).build().expect("a client"),
                book: book.clone(),
                failures: failures.clone(),
            };
            senders.spawn(register.work(stop.clone()));
        }
        Self { book, failures, stop, senders }
    }

    /// How many pushes got no good answer so far.
    pub(crate) fn failures(&self) -> u64 {
        *self.failures.borrow()
    }

    /// Waits until so many pushes got no good answer.
    pub(crate) async fn failed(&self, pushes: u64) {
        // The sender lives as long as this value.
        let _ = self.failures.subscribe().wait_for(|so_far| *so_far >= pushes).await;
    }

    /// Ends it, after what has to be acknowledged is.
    pub(crate) async fn end(mut self) -> Book {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("no register gives up");
        }
        lock(&self.book).clone()
    }
}

struct Register {
    learners: Vec<usize>,
    pause: Duration,
    rng: StdRng,
    doors: Doors,
    token: String,
    http: reqwest::Client,
    book: Arc<Mutex<Book>>,
    failures: watch::Sender<u64>,
}

/// A record and how it is known to its register.
#[derive(Clone)]
struct Record {
    name: Name,
    learner: String,
}

impl Register {
    async fn work(mut self, stop: Arc<AtomicBool>) {
        let mut records = Vec::new();
        for learner in self.learners.clone() {
            let of_learner = records_of(learner);
            let first: Vec<_> = of_learner.iter().map(|record| self.next(record, false)).collect();
            self.push(&first, true).await;
            records.extend(of_learner);
        }
        let mut ticks = tokio::time::interval(self.pause);
        let mut open = HashSet::new();
        while !stop.load(Ordering::SeqCst) {
            ticks.tick().await;
            let record = records[self.rng.random_range(0..records.len())].clone();
            let change = self.next(&record, true);
            match self.push(&[change], false).await {
                true => open.remove(&record.name),
                false => open.insert(record.name),
            };
        }
        for record in records.into_iter().filter(|record| open.contains(&record.name)) {
            let change = self.next(&record, true);
            self.push(&[change], true).await;
        }
    }

    /// The next version of a record: mostly a correction; now and then it is taken back, and comes back.
    fn next(&mut self, record: &Record, may_withdraw: bool) -> (Name, Value) {
        let withdrawing = may_withdraw && record.name.0 == "attainment" && self.rng.random_ratio(1, 5);
        let mut book = lock(&self.book);
        let last = book.last.entry(record.name.clone()).or_default();
        last.version += 1;
        last.withdrawn = withdrawing && !last.withdrawn;
        let (kind, institution, id) = &record.name;
        let mut line = json!({
            "kind": kind, "institution": institution, "id": id, "learner": record.learner,
            "source_revision": last.version,
        });
        if last.withdrawn {
            line["state"] = "deleted".into();
        } else {
            last.body = body(record, last.version);
            line["body"] = last.body.clone();
        }
        let version = (record.name.clone(), last.version);
        if last.withdrawn {
            book.withdrawals.insert(version);
        }
        (record.name.clone(), line)
    }

    /// Pushes records until they are acknowledged, or, if they do not have to be, gives up now and then.
    async fn push(&mut self, lines: &[(Name, Value)], must: bool) -> bool {
        let body: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        loop {
            let door = {
                let doors = lock(&self.doors);
                doors[self.rng.random_range(0..doors.len())].clone()
            };
            let request = self.http.post(format!("{door}/v1/tenants/{TENANT}/records?source=sis"));
            let request = request.bearer_auth(&self.token).header("content-type", "application/x-ndjson");
            if let Some(answer) = answer(request.body(body.clone())).await {
                self.acknowledged(lines, &answer);
                return true;
            }
            self.failures.send_modify(|failures| *failures += 1);
            if !must && self.rng.random_ratio(1, 8) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn acknowledged(&self, lines: &[(Name, Value)], answer: &Value) {
        let mut book = lock(&self.book);
        for (at, (name, line)) in lines.iter().enumerate() {
            let outcome = answer["outcomes"][at]["outcome"].as_str().unwrap_or("nothing");
            if !matches!(outcome, "new" | "updated" | "unchanged") {
                book.odd.push(format!("{name:?} {outcome}"));
            }
            let version = (name.clone(), line["source_revision"].as_u64().unwrap_or_default());
            book.acknowledged.entry(version).or_insert_with(Instant::now);
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Option<Value> {
    request.send().await.ok()?.error_for_status().ok()?.json().await.ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn records_of(learner: usize) -> Vec<Record> {
    let learner = format!("L{learner}");
    let own = Record { name: ("learner".to_owned(), String::new(), learner.clone()), learner: learner.clone() };
    let attainment = |n| Record {
        name: ("attainment".to_owned(), TENANT.to_owned(), format!("{learner}-A{n}")),
        learner: learner.clone(),
    };
    std::iter::once(own).chain((0..ATTAINMENTS).map(attainment)).collect()
}

fn body(record: &Record, version: u64) -> Value {
    if record.name.0 == "learner" {
        return json!({ "family_name": format!("Version {version}"), "given_names": "Esimerkki" });
    }
    json!({
        "code": "C", "title": [{ "lang": "en", "value": format!("Version {version}") }], "completed_on": "2026-05-12",
        "credits": { "ects": "5" }, "awarding_body": { "scheme": "virta:organisaatio", "value": TENANT },
    })
}
