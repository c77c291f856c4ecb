//! One run: traffic, faults, convergence, proof.

use crate::database::Database;
use crate::faults::{Fault, schedule};
use crate::fleet::{Fleet, Store, name_of};
use crate::sink::{self, Behaviour, Config, Figures, Name, Sink};
use crate::traffic::{Book, Traffic};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// How many destinations there are.
pub(crate) const DESTINATIONS: usize = 20;

/// Destinations from the first that are healthy in every run.
pub(crate) const HEALTHY: usize = 15;

/// The one that is dead until the others have everything.
const DEAD: usize = 16;

/// What a run is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Decides everything but how processes and threads are scheduled.
    pub(crate) seed: u64,
    /// Records at the beginning.
    pub(crate) records: usize,
    /// Changes a second.
    pub(crate) rate: f64,
    /// How long there is traffic at least.
    pub(crate) seconds: u64,
    /// Faults of processes and of the database; with none of them the destinations are healthy too.
    pub(crate) faults: usize,
}

/// What a run came to.
pub(crate) struct Outcome {
    pub(crate) book: Book,
    pub(crate) figures: Vec<Figures>,
    /// What each destination held before anything was injected.
    pub(crate) contents: Vec<BTreeMap<Name, Value>>,
    /// From the last acknowledgement until nothing was owed but to the dead destination.
    pub(crate) converged: Duration,
    /// From its coming to life until nothing was owed to the dead destination.
    pub(crate) caught_up: Duration,
    /// What reconciliation found before anything was injected, by connection.
    pub(crate) found: Vec<String>,
    /// Differences injected, found and repaired.
    pub(crate) injected: usize,
    pub(crate) repaired: usize,
    pub(crate) broken: Vec<String>,
}

fn destinations(faulty: bool) -> Vec<Behaviour> {
    let healthy = Behaviour::default();
    let mut all = vec![healthy; DESTINATIONS];
    if faulty {
        all[15] = Behaviour { delay: Duration::from_millis(400), ..healthy };
        all[DEAD] = Behaviour { dead: true, ..healthy };
        all[17] = Behaviour { unavailable: 50, ..healthy };
        all[18] = Behaviour { hangs: 20, ..healthy };
        all[19] = Behaviour { loses_answers: 20, unavailable: 20, ..healthy };
    }
    all
}

/// Lives through a run on a store.
pub(crate) fn live(postgres: bool, plan: Plan, tell: impl Fn(&str)) -> Outcome {
    let runtime = Runtime::new().expect("a runtime");
    let faulty = plan.faults > 0;
    let config = Config { seed: plan.seed, destinations: destinations(faulty) };
    let sink = runtime.block_on(sink::start(config)).expect("a sink");
    let store = if postgres { Store::Postgres(Database::start()) } else { Store::Sqlite };
    let mut fleet = Fleet::start(store, &sink, DESTINATIONS);
    let inside = runtime.enter();
    let traffic = Traffic::start(plan.seed, plan.records, plan.rate, &fleet.doors, &fleet.token);
    drop(inside);
    let until = Instant::now() + Duration::from_secs(plan.seconds);
    for fault in schedule(plan.seed, plan.faults, &fleet) {
        // In the middle of work: some deliveries after the last one was lifted.
        runtime.block_on(progress(&sink, 100));
        tell(&format!("after {} deliveries {fault}", sink.effects()));
        Fault::befall(fault, &mut fleet, &traffic, &runtime);
    }
    runtime.block_on(async { tokio::time::sleep_until(until).await });
    let mut life = Life { fleet, sink, broken: Vec::new(), seed: plan.seed };
    runtime.block_on(life.close(traffic, faulty))
}

/// Waits until so many more versions have taken effect.
async fn progress(sink: &Sink, effects: u64) {
    let more = sink.reached(sink.effects() + effects);
    tokio::time::timeout(PATIENCE, more).await.expect("deliveries go on");
}

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(120);

struct Life {
    fleet: Fleet,
    sink: Sink,
    seed: u64,
    broken: Vec<String>,
}

impl Life {
    /// Everything ends well, or it is told what did not.
    async fn close(&mut self, traffic: Traffic, faulty: bool) -> Outcome {
        let book = traffic.end().await;
        let all: Vec<usize> = (0..DESTINATIONS).collect();
        let alive: Vec<usize> = all.iter().copied().filter(|n| !faulty || *n != DEAD).collect();
        let converged = self.settled(&alive).await;
        self.sink.revive(DEAD).expect("it listens");
        let caught_up = self.settled(&all).await;
        let contents: Vec<_> = all.iter().map(|n| self.sink.contents(*n)).collect();
        let mut found = Vec::new();
        for n in &all {
            let summary = self.reconciled(*n).await;
            if let Some(findings) = summary["findings"].as_object().filter(|findings| !findings.is_empty()) {
                found.push(format!("{}: {findings:?}", name_of(*n)));
            }
        }
        let (injected, repaired) = self.damaged(&book).await;
        let figures = self.sink.figures();
        Outcome {
            book,
            figures,
            contents,
            converged,
            caught_up,
            found,
            injected,
            repaired,
            broken: std::mem::take(&mut self.broken),
        }
    }

    /// Waits until nothing is owed to some destinations: how long that took.
    async fn settled(&mut self, whom: &[usize]) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let listed = self.fleet.ask("/v1/connections", false).await;
            let connections = listed.as_ref().and_then(|listed| listed["connections"].as_array());
            let paid = |n: &usize| connections.is_some_and(|all| all[*n]["backlog"] == 0);
            if whom.iter().all(paid) {
                return begun.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.broken.push("it does not converge".to_owned());
        begun.elapsed()
    }

    /// Reads a destination back; again where it could not be read.
    async fn reconciled(&mut self, n: usize) -> Value {
        for _ in 0..10 {
            let path = format!("/v1/connections/{}/reconcile?wait=true", name_of(n));
            match self.fleet.ask(&path, true).await {
                Some(summary) if summary["failure"].is_null() => return summary,
                _ => {}
            }
        }
        self.broken.push(format!("{} cannot be reconciled", name_of(n)));
        Value::Null
    }

    /// Loses and changes things at some destinations, and lets something come back that was taken back: how many, and
    /// how many of them were found and repaired.
    async fn damaged(&mut self, book: &Book) -> (usize, usize) {
        let mut injected = Vec::new();
        for n in [0, 1, 17, 18, 19] {
            let contents = self.sink.contents(n);
            let attainments = || contents.iter().filter(|((kind, ..), _)| kind == "attainment");
            let is = |name: &Name, withdrawn| book.last.get(name).is_some_and(|last| last.withdrawn == withdrawn);
            let standing: Vec<&Name> = attainments().map(|(name, _)| name).filter(|name| is(name, false)).collect();
            let gone: Vec<&Name> = attainments().map(|(name, _)| name).filter(|name| is(name, true)).collect();
            let at = self.seed as usize % standing.len();
            let (lost, changed) = (standing[at], standing[(at + 1) % standing.len()]);
            assert!(
                self.sink.damage(n, lost, |_| None) && self.sink.damage(n, changed, |was| with(was, "/body/code", "X"))
            );
            injected.extend([(n, "missing", lost.clone()), (n, "differs", changed.clone())]);
            if let Some(back) = gone.first() {
                assert!(self.sink.damage(n, back, |was| with(was, "/state", "current")));
                injected.push((n, "unexpected", (*back).clone()));
            }
        }
        let mut kinds: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
        for (n, kind, ..) in &injected {
            *kinds.entry(*n).or_default().entry((*kind).to_owned()).or_default() += 1;
        }
        for (n, expected) in &kinds {
            let summary = self.reconciled(*n).await;
            let found: BTreeMap<String, u64> = serde_json::from_value(summary["findings"].clone()).unwrap_or_default();
            if found != *expected {
                self.broken.push(format!("{}: {expected:?} were injected, {found:?} found", name_of(*n)));
            }
        }
        let touched: Vec<usize> = kinds.keys().copied().collect();
        self.settled(&touched).await;
        for n in touched {
            let summary = self.reconciled(n).await;
            if summary["findings"].as_object().is_none_or(|findings| !findings.is_empty()) {
                self.broken.push(format!("{}: after repair {} is found", name_of(n), summary["findings"]));
            }
        }
        let mended = |(n, _, name): &&(usize, &str, Name)| {
            let contents = self.sink.contents(*n);
            book.last.get(name).is_some_and(|last| crate::judge::is_right(contents.get(name), last))
        };
        (injected.len(), injected.iter().filter(mended).count())
    }
}

/// An object with another text at a place.
fn with(mut object: Value, place: &str, text: &str) -> Option<Value> {
    if let Some(value) = object.pointer_mut(place) {
        *value = text.into();
    }
    Some(object)
}
