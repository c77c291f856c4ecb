//! Two processes of a gateway on one ledger, five destinations, a register that pushes, an operator; and a seed that
//! decides what happens to them.

use crate::executor::{Executor, Switch};
use crate::ledger::Faulty;
use crate::store::{Destination, Kind, SECOND, Store, Trouble, Truth, compose, is_part, name, version};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use serde_json::json;
use silta::config::Config;
use silta::delivery::load::{Ruling, rule};
use silta::delivery::run;
use silta::env::{ManualClock, Rng};
use silta::gateway::{Connection, Gateway, Parts};
use silta::intake::{self, Submission};
use silta::ledger::memory::MemoryLedger;
use silta::ledger::{DebtState, Debts as _, Ledger, Summary};
use silta::reconcile;
use silta::registry;
use silta::vault::Vault;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Adapter, Registry};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::Record;
use silta_record::SiltaRecord;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

const TENANT: &str = "02469";
const PROCESSES: usize = 2;
const LEARNERS: u32 = 3;
const COURSES: u32 = 4;
/// Tasks of one process at once.
const TASKS: usize = 6;
/// Rounds in which everything has to come right once the faults end.
const ROUNDS: usize = 30;

/// A document the register sends until it is told that it was taken.
struct Document {
    text: String,
    taken: Arc<AtomicBool>,
}

pub(crate) struct World {
    rng: StdRng,
    clock: Arc<ManualClock>,
    truth: Arc<Mutex<Truth>>,
    stores: Vec<Arc<Mutex<Store>>>,
    sound: Arc<MemoryLedger>,
    faulty: Arc<Faulty>,
    switch: Arc<Switch>,
    executor: Executor,
    processes: Vec<Arc<Gateway>>,
    /// A reconciliation of a process holds one; it does only one at a time.
    reading: Vec<Arc<()>>,
    operator: Arc<Gateway>,
    documents: Vec<Document>,
    version: i64,
    spool: tempfile::TempDir,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mappings() -> Arc<Mappings> {
    static MAPPINGS: OnceLock<Arc<Mappings>> = OnceLock::new();
    MAPPINGS.get_or_init(|| Arc::new(registry::mappings(None).expect("mappings"))).clone()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(1_800_000_000 * SECOND));
        let truth = Arc::new(Mutex::new(Truth::default()));
        let store = |kind| Arc::new(Mutex::new(Store::new(kind, seed ^ kind as u64, truth.clone())));
        let stores: Vec<_> = Kind::ALL.into_iter().map(store).collect();
        let switch = Arc::new(Switch::default());
        let sound = Arc::new(MemoryLedger::default());
        let faulty = Arc::new(Faulty::new(sound.clone(), switch.clone(), seed));
        let process = |n| gateway(faulty.clone(), &clock, &stores, &switch, seed + n);
        Self {
            rng: StdRng::seed_from_u64(seed),
            processes: (0..PROCESSES as u64).map(process).collect(),
            reading: (0..PROCESSES).map(|_| Arc::new(())).collect(),
            operator: gateway(sound.clone(), &clock, &stores, &switch, seed),
            executor: Executor::new(switch.clone()),
            documents: Vec::new(),
            version: 0,
            spool: tempfile::tempdir().expect("a directory"),
            clock,
            truth,
            stores,
            sound,
            faulty,
            switch,
        }
    }

    /// One seed's history: trouble, then peace in which everything has to come right, then damage that has to be found.
    pub(crate) fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            self.something_happens();
        }
        self.peace();
        self.heal();
        self.agree();
        self.find_damage();
        self.heal();
        self.agree();
    }

    fn something_happens(&mut self) {
        let process = self.rng.random_range(0..PROCESSES);
        match self.rng.random_range(0..100) {
            0..=49 => (0..self.rng.random_range(1..10)).for_each(|_| self.executor.step(&mut self.rng)),
            50..=57 => self.write(),
            58..=64 => self.push(process),
            65..=73 => self.start(process, |g, c| async move { drop(run::plan(&g, &c).await) }),
            74..=84 => self.start(process, |g, c| async move { drop(run::send(&g, &c).await) }),
            85..=87 => self.start(process, |g, _| async move { drop(run::recover(&g).await) }),
            88..=89 => self.read_back(process),
            90..=92 => self.time_passes(),
            93 => self.executor.stopped = self.rng.random_bool(0.5).then_some(process),
            94 => self.crash(process),
            95 => self.trouble(),
            96 => self.faulty.fail([0.0, 0.0, 0.02, 0.1][self.rng.random_range(0..4)]),
            97 => drop(self.damage(1, 1)),
            _ => self.release(),
        }
    }

    /// A record changes in the register.
    fn write(&mut self) {
        let mut text = String::new();
        // One record a learner: a key that is said twice in one document is taken from neither.
        for learner in 0..self.rng.random_range(1..=LEARNERS) {
            let learner = format!("L{learner}");
            let course = self.rng.random_range(0..=COURSES);
            self.version += 1;
            let (version, withdrawn) = (self.version, self.rng.random_bool(0.15));
            let record = match course {
                0 => json!({
                    "kind": "learner", "id": learner, "learner": learner, "source_revision": version,
                    "body": { "family_name": version.to_string() }
                }),
                _ if withdrawn => json!({
                    "kind": "attainment", "institution": TENANT, "id": format!("{learner}-{course}"),
                    "learner": learner, "source_revision": version, "state": "deleted"
                }),
                _ => json!({
                    "kind": "attainment", "institution": TENANT, "id": format!("{learner}-{course}"),
                    "learner": learner, "source_revision": version,
                    "body": { "title": [{ "value": version.to_string() }], "completed_on": "2026-05-12" }
                }),
            };
            let name = SmolStr::from(format!(
                "{}:{}",
                record["kind"].as_str().expect("a kind"),
                record["id"].as_str().expect("an id")
            ));
            let mut truth = lock(&self.truth);
            let gone = withdrawn && course > 0;
            truth.newest.insert(name.clone(), if gone { -version } else { version });
            if is_part(&name, version) {
                truth.parts.insert(name.clone());
            }
            if gone {
                truth.withdrawn.insert(name);
            }
            text += &(record.to_string() + "\n");
        }
        self.documents.push(Document { text, taken: Arc::default() });
    }

    /// The register sends a document that it was not told is taken: any of them, so that they overtake each other.
    fn push(&mut self, process: usize) {
        self.documents.retain(|document| !document.taken.load(Ordering::SeqCst));
        if self.documents.is_empty() || self.executor.running(process) >= TASKS {
            return;
        }
        let at = self.rng.random_range(0..self.documents.len());
        let (gateway, document) = (self.processes[process].clone(), &self.documents[at]);
        let work = push(gateway, self.spool.path().to_owned(), document.text.clone(), document.taken.clone());
        self.executor.start(process, work);
    }

    fn start<W>(&mut self, process: usize, work: impl FnOnce(Arc<Gateway>, Arc<Connection>) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        if self.executor.running(process) < TASKS {
            let gateway = self.processes[process].clone();
            let connection = gateway.connections[self.rng.random_range(0..Kind::ALL.len())].clone();
            self.executor.start(process, work(gateway, connection));
        }
    }

    fn read_back(&mut self, process: usize) {
        let turn = self.reading[process].clone();
        if Arc::strong_count(&turn) == 2 {
            self.start(process, |gateway, connection| async move {
                drop(reconcile::run::run(&gateway, &connection).await);
                drop(turn);
            });
        }
    }

    fn time_passes(&mut self) {
        let by = self.rng.random_range(1..200) * SECOND;
        self.pass_time(by);
        // A clock is set back now and then; what it measured before stays.
        if self.rng.random_bool(0.1) {
            self.clock.set(-self.rng.random_range(1..by));
        }
    }

    fn pass_time(&mut self, by: i64) {
        self.clock.advance(by);
        self.stores.iter().for_each(|store| lock(store).pass_time(by));
    }

    /// `kill -9`, and a new process in its place.
    fn crash(&mut self, process: usize) {
        self.executor.kill(process);
        let seed = self.rng.random();
        self.processes[process] = gateway(self.faulty.clone(), &self.clock, &self.stores, &self.switch, seed);
    }

    fn trouble(&mut self) {
        let at = self.rng.random_range(0..self.stores.len());
        let rng = &mut self.rng;
        let trouble = Trouble {
            partition: rng.random_bool(0.2),
            lost: rng.random_range(0.0..0.5),
            late: rng.random_range(0.0..0.3),
            twice: rng.random_range(0.0..0.3),
            busy: rng.random_range(0.0..0.3),
            partial: rng.random_range(0.0..0.5),
        };
        lock(&self.stores[at]).trouble = if rng.random_bool(0.3) { Trouble::default() } else { trouble };
    }

    fn damage(&mut self, lose: usize, alter: usize) -> Vec<SmolStr> {
        let at = self.rng.random_range(0..self.stores.len());
        lock(&self.stores[at]).damage(lose, alter)
    }

    fn release(&mut self) {
        let operator = self.operator.clone();
        self.executor.finish(async move {
            for load in operator.ledger.loads(None, true, 10).await.expect("loads") {
                rule(&operator, load.id, Ruling::Release, "operator").await.expect("ruled");
            }
        });
    }

    /// The faults end; processes are as they fell.
    fn peace(&mut self) {
        self.faulty.fail(0.0);
        self.executor.stopped = None;
        (0..PROCESSES).for_each(|process| self.executor.kill(process));
        for store in &self.stores {
            lock(store).trouble = Trouble::default();
        }
        self.pass_time(3600 * SECOND);
        for document in std::mem::take(&mut self.documents) {
            let work = push(self.operator.clone(), self.spool.path().to_owned(), document.text, document.taken.clone());
            self.executor.finish(work);
            assert!(document.taken.load(Ordering::SeqCst), "what is sent in peace is taken");
        }
    }

    /// Lets the gateway work until nothing is owed and everything is proved.
    fn heal(&mut self) {
        for _ in 0..ROUNDS {
            self.pass_time(7200 * SECOND);
            let gateway = self.operator.clone();
            self.executor.finish(async move {
                run::recover(&gateway).await.expect("recovered");
                for connection in &gateway.connections {
                    run::plan(&gateway, connection).await.expect("planned");
                    while run::send(&gateway, connection).await.expect("sent") {}
                }
            });
            self.release();
            self.pass_time(120 * SECOND);
            if self.reconcile().iter().all(|s| s.findings.is_empty() && s.agreed == s.items) && self.is_quiet() {
                return;
            }
            self.repair();
        }
        panic!("it does not converge: {:?}", self.states());
    }

    fn reconcile(&mut self) -> Vec<Summary> {
        let gateway = self.operator.clone();
        self.executor.finish(async move {
            let mut summaries = Vec::new();
            for connection in &gateway.connections {
                let summary = reconcile::run::run(&gateway, connection).await.expect("reconciled");
                summaries.push(summary.expect("it can be read"));
            }
            summaries
        })
    }

    /// A person repairs what survived its repair.
    fn repair(&mut self) {
        let gateway = self.operator.clone();
        self.executor.finish(async move {
            for connection in &gateway.connections {
                let name = Some(connection.config.name.as_str());
                for finding in gateway.ledger.findings(name, false, 0, 100).await.expect("findings") {
                    reconcile::repair::repair(&gateway, connection, &finding).await.expect("repaired");
                }
            }
        });
    }

    fn states(&self) -> Vec<(SmolStr, DebtState, i64)> {
        let ledger = self.sound.clone();
        self.executor.finish(async move {
            let mut states = Vec::new();
            for kind in Kind::ALL {
                let figures = ledger.figures(kind.name(), 0).await.expect("figures");
                states.extend(figures.states.into_iter().map(|(state, n)| (SmolStr::from(kind.name()), state, n)));
                states
                    .extend((figures.dirty > 0).then(|| (SmolStr::from(kind.name()), DebtState::Owed, figures.dirty)));
            }
            states
        })
    }

    fn is_quiet(&self) -> bool {
        self.states().iter().all(|(_, state, _)| matches!(state, DebtState::Confirmed | DebtState::Settled))
    }

    /// Every destination holds what the register said last, and nothing else; and nothing happened that must not.
    fn agree(&self) {
        let truth = lock(&self.truth);
        assert_eq!(truth.broken, Vec::<String>::new(), "what must never be");
        for store in &self.stores {
            let store = lock(store);
            let item = |records: &Vec<Record>| records.iter().map(|r| (name(r), version(r))).collect::<Vec<_>>();
            let held: Vec<_> = store.held.values().map(item).collect();
            let standing: BTreeMap<SmolStr, i64> =
                truth.newest.iter().filter(|(_, v)| **v > 0).map(|(name, v)| (name.clone(), *v)).collect();
            let with_version = |name: &SmolStr| (name.clone(), standing[name]);
            let wanted: Vec<Vec<_>> = match store.kind {
                Kind::Composed => {
                    compose(&standing).values().map(|item| item.iter().map(with_version).collect()).collect()
                }
                _ => standing.keys().map(|name| vec![with_version(name)]).collect(),
            };
            assert_eq!(held, wanted, "what {} holds", store.kind.name());
        }
    }

    /// What is damaged in peace is found, all of it and nothing else.
    fn find_damage(&mut self) {
        let damaged: Vec<usize> = self.stores.iter().map(|store| lock(store).damage(2, 1).len()).collect();
        let summaries = self.reconcile();
        let found: Vec<usize> =
            summaries.iter().map(|s| usize::try_from(s.findings.values().sum::<i64>()).expect("a count")).collect();
        assert_eq!(found, damaged, "differences found: {summaries:?}");
    }
}

async fn push(gateway: Arc<Gateway>, spool: std::path::PathBuf, text: String, taken: Arc<AtomicBool>) {
    let mut file = tempfile::NamedTempFile::new_in(spool).expect("a spool");
    file.write_all(text.as_bytes()).expect("written");
    let submission = Submission {
        tenant: TENANT.into(),
        source: "sis".into(),
        adapter: Arc::new(SiltaRecord),
        spool: file.path().to_owned(),
        allowed: Vec::new(),
        complete: Vec::new(),
        confirmed_removals: None,
        reinstate: false,
    };
    taken.fetch_or(intake::take(&gateway, submission).await.is_ok(), Ordering::SeqCst);
}

fn gateway(
    ledger: Arc<dyn Ledger>,
    clock: &Arc<ManualClock>,
    stores: &[Arc<Mutex<Store>>],
    switch: &Arc<Switch>,
    seed: u64,
) -> Arc<Gateway> {
    let mut toml = format!("[reconcile]\nsettle_secs = 60\n[[tenant]]\ncode = '{TENANT}'\n");
    for kind in Kind::ALL {
        let name = kind.name();
        toml += &format!("[[connection]]\nname = '{name}'\ntenant = '{TENANT}'\nadapter = '{name}'\nconcurrency = 2\n");
    }
    let adapter =
        |store: &Arc<Mutex<Store>>| -> Arc<dyn Adapter> { Arc::new(Destination::new(store.clone(), switch.clone())) };
    let rng = Rng::from_seed(seed);
    let parts = Parts {
        ledger,
        vault: Arc::new(Vault::new(&[1; 32], rng.clone()).expect("a vault")),
        clock: clock.clone(),
        rng,
        registry: Registry::new(stores.iter().map(adapter).collect()),
        mappings: mappings(),
    };
    let config = Config::from_toml(&toml).expect("a configuration");
    Arc::new(Gateway::new(config, parts).expect("a gateway"))
}
