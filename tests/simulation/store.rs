//! A simulated destination with everything a network does: calls are lost, answers are lost, calls arrive late or twice.
//!
//! It checks what it is asked to do against what the world wants ([`Truth`]) the moment it is asked.

use crate::executor::Switch;
use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use silta_adapter::SmolStr;
use silta_adapter::adapter::*;
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Problem;
use silta_adapter::record::{Body, Record, RecordKind};
use silta_record::SiltaRecord;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) const SECOND: i64 = 1_000_000;
/// How long a request may take: it has then not arrived, or its answer is lost.
const TIMEOUT: i64 = 20 * SECOND;

/// What every destination must agree with: the newest version of each record that was ever pushed.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// The version of each record; negative for a tombstone.
    pub(crate) newest: BTreeMap<SmolStr, i64>,
    /// Records of which a tombstone was ever pushed.
    pub(crate) withdrawn: BTreeSet<SmolStr>,
    /// Records that were ever to be parts.
    pub(crate) parts: BTreeSet<SmolStr>,
    /// What must never be, and was.
    pub(crate) broken: Vec<String>,
}

/// How a destination behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Replaces by identity.
    Upsert,
    /// Adds, and knows a repeated key.
    Keyed,
    /// Adds, and knows no keys.
    Blind,
    /// Takes loads of everything, in its own time.
    Whole,
    /// Replaces by identity items that are composed of a learner's records.
    Composed,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Upsert, Self::Keyed, Self::Blind, Self::Whole, Self::Composed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Keyed => "keyed",
            Self::Blind => "blind",
            Self::Whole => "whole",
            Self::Composed => "composed",
        }
    }
}

/// What can go wrong between us and a destination, as shares of calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trouble {
    /// Nothing arrives, and that is known.
    pub(crate) partition: bool,
    /// The call or its answer is lost.
    pub(crate) lost: f64,
    /// It arrives when the caller has given up.
    pub(crate) late: f64,
    /// It arrives twice.
    pub(crate) twice: f64,
    /// The destination asks to come again.
    pub(crate) busy: f64,
    /// What is read back is not all.
    pub(crate) partial: f64,
}

/// What a destination holds, and what is on its way.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    rng: StdRng,
    pub(crate) trouble: Trouble,
    /// Time that no step of a clock moves back.
    pub(crate) now: i64,
    /// What it holds: the records of each item, by its root.
    pub(crate) held: BTreeMap<SmolStr, Vec<Record>>,
    /// Keys it has seen.
    keys: BTreeSet<String>,
    /// How often each version of a record was put.
    puts: BTreeMap<(SmolStr, i64), usize>,
    /// Versions that may be put once more: a repair asked for it, or the network repeated it.
    pub(crate) excused: BTreeSet<SmolStr>,
    /// What arrives later.
    late: Vec<(i64, String, bool, Vec<Record>)>,
    /// Loads that wait to be taken.
    inbox: VecDeque<Vec<Record>>,
    truth: Arc<Mutex<Truth>>,
}

/// The version a record of the simulation says it has.
pub(crate) fn version(record: &Record) -> i64 {
    match &record.body {
        Some(Body::Attainment(body)) => {
            body.title.0.first().and_then(|title| title.value.parse().ok()).unwrap_or_default()
        }
        Some(Body::Learner(body)) => body.family_name.as_deref().and_then(|n| n.parse().ok()).unwrap_or_default(),
        _ => 0,
    }
}

/// True if a version of a record is to be a part of the next course, where that stands: some versions of every other
/// course are.
pub(crate) fn is_part(name: &str, version: i64) -> bool {
    whole_of(name).is_some() && version % 3 == 0
}

/// The course that another may be a part of.
pub(crate) fn whole_of(name: &str) -> Option<SmolStr> {
    let (of, course) = name.strip_prefix("attainment:")?.rsplit_once('-')?;
    let course: u32 = course.parse().ok()?;
    (course % 2 == 1).then(|| SmolStr::from(format!("attainment:{of}-{}", course + 1)))
}

/// What the simulation calls a record.
pub(crate) fn name(record: &Record) -> SmolStr {
    SmolStr::from(format!("{}:{}", record.head.key.kind.name(), record.head.key.id))
}

impl Store {
    pub(crate) fn new(kind: Kind, seed: u64, truth: Arc<Mutex<Truth>>) -> Self {
        Self {
            kind,
            rng: StdRng::seed_from_u64(seed),
            trouble: Trouble::default(),
            now: 0,
            held: BTreeMap::new(),
            keys: BTreeSet::new(),
            puts: BTreeMap::new(),
            excused: BTreeSet::new(),
            late: Vec::new(),
            inbox: VecDeque::new(),
            truth,
        }
    }

    fn broken(&self, what: String) {
        self.truth().broken.push(format!("{}: {what}", self.kind.name()));
    }

    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn withdrawn(&self, name: &SmolStr) -> bool {
        self.truth().withdrawn.contains(name)
    }

    /// Lets time pass: what was late arrives, waiting loads are taken.
    pub(crate) fn pass_time(&mut self, by: i64) {
        self.now += by;
        let now = self.now;
        let (due, rest) = std::mem::take(&mut self.late).into_iter().partition(|(at, ..)| *at <= now);
        self.late = rest;
        for (_, key, withdrawal, records) in due {
            self.take(&key, withdrawal, records, true);
        }
        while let Some(load) = self.inbox.pop_front() {
            self.replace(load);
        }
    }

    /// Takes a call. One that was late excuses what it overtakes: the caller had given up on it.
    fn take(&mut self, key: &str, withdrawal: bool, records: Vec<Record>, late: bool) {
        if self.kind == Kind::Keyed && !self.keys.insert(key.to_owned()) {
            return;
        }
        for item in items(self.kind, records) {
            let name = name(&item[0]);
            if late {
                self.excused.insert(name.clone());
            }
            match withdrawal {
                true => {
                    let nested = self.kind == Kind::Composed && self.truth().parts.contains(&name);
                    if !self.withdrawn(&name) && !nested {
                        self.broken(format!("{name} was taken back and nobody withdrew it"));
                    }
                    self.held.remove(&name);
                }
                false => self.put(name, item),
            }
        }
    }

    fn put(&mut self, name: SmolStr, item: Vec<Record>) {
        let excused = self.excused.contains(&name);
        for record in &item {
            let of_it = self.held.get(&name).into_iter().flatten().find(|held| held.head.key == record.head.key);
            let (before, version) = (of_it.map(version), version(record));
            if before.is_some_and(|before| before > version) && !excused {
                self.broken(format!("{name}: version {version} of {} came after {before:?}", self::name(record)));
            }
        }
        let version = version(&item[0]);
        let puts = self.puts.entry((name.clone(), version)).or_default();
        *puts += 1;
        if *puts > 1 && matches!(self.kind, Kind::Keyed | Kind::Blind) && !excused {
            self.broken(format!("{name}: version {version} was added twice"));
        }
        self.held.insert(name, item);
    }

    fn replace(&mut self, load: Vec<Record>) {
        let load: BTreeMap<SmolStr, Vec<Record>> =
            load.into_iter().map(|record| (name(&record), vec![record])).collect();
        let gone: Vec<SmolStr> = self.held.keys().filter(|name| !load.contains_key(*name)).cloned().collect();
        for name in gone.iter().filter(|name| !self.withdrawn(name)) {
            self.broken(format!("{name} was left out of a load and nobody withdrew it"));
        }
        for (name, item) in &load {
            let (before, after) = (self.held.get(name).map(|held| version(&held[0])), version(&item[0]));
            if before.is_some_and(|before| before > after) && !self.excused.contains(name) {
                self.broken(format!("{name}: version {after} came in a load after {before:?}"));
            }
        }
        self.held = load;
    }

    /// Damages what it holds: some records are lost, some are changed back. Returns how many, by name.
    pub(crate) fn damage(&mut self, lose: usize, alter: usize) -> Vec<SmolStr> {
        let mut names: Vec<SmolStr> = self
            .held
            .iter()
            .filter(|(_, item)| item[0].head.key.kind == RecordKind::Attainment)
            .map(|(n, _)| n.clone())
            .collect();
        let mut damaged = Vec::new();
        for n in 0..lose + alter {
            if names.is_empty() {
                break;
            }
            let name = names.swap_remove(self.rng.random_range(0..names.len()));
            self.excused.insert(name.clone());
            match self.held.get_mut(&name).filter(|_| n >= lose) {
                Some(item) => {
                    let at = self.rng.random_range(0..item.len());
                    match &mut item[at].body {
                        Some(Body::Attainment(body)) => {
                            body.title.0.iter_mut().for_each(|title| title.value = "0".into());
                        }
                        Some(Body::Learner(body)) => body.family_name = Some("0".into()),
                        _ => {}
                    }
                }
                None => drop(self.held.remove(&name)),
            }
            damaged.push(name);
        }
        damaged
    }
}

/// A destination as the gateway sees it.
pub(crate) struct Destination {
    descriptor: Descriptor,
    store: Arc<Mutex<Store>>,
    switch: Arc<Switch>,
}

impl Destination {
    pub(crate) fn new(store: Arc<Mutex<Store>>, switch: Arc<Switch>) -> Self {
        let kind = store.lock().unwrap_or_else(PoisonError::into_inner).kind;
        let descriptor = Descriptor {
            name: kind.name(),
            summary: "A simulated destination.",
            media_types: &[],
            settings: None,
            grouping: if kind == Kind::Composed { Grouping::Learner } else { Grouping::Record },
            effect: match kind {
                Kind::Upsert | Kind::Composed => Effect::Upsert,
                Kind::Keyed | Kind::Blind => Effect::Create,
                Kind::Whole => Effect::ReplaceAll,
            },
            withdraw: if kind == Kind::Whole { Withdraw::Absence } else { Withdraw::Delete },
            readback: true,
            honours_key: kind == Kind::Keyed,
            kinds: &RecordKind::ALL,
            losses: &[],
        };
        Self { descriptor, store, switch }
    }
}

impl Adapter for Destination {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        SiltaRecord.decoder().map(|_| &SiltaRecord as &dyn Decode)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        match self.descriptor.grouping {
            Grouping::Record => Some(&SiltaRecord),
            Grouping::Learner => Some(&Composer),
        }
    }
    fn connect(&self, _: &serde_json::Value) -> Result<Connected, BadSettings> {
        let wire = Arc::new(Wire { store: self.store.clone(), switch: self.switch.clone() });
        Ok(Connected { deliver: Some(wire.clone()), inventory: Some(wire), ..Connected::default() })
    }
}

/// Composes a course with its learner and, where the course before it is a part, with that.
struct Composer;

impl Encode for Composer {
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        let standing: BTreeMap<SmolStr, usize> = records
            .iter()
            .enumerate()
            .filter(|(_, record)| !record.head.state.is_tombstone())
            .map(|(at, record)| (name(record), at))
            .collect();
        let versions = standing.iter().map(|(name, at)| (name.clone(), version(&records[*at]))).collect();
        let plan = |(root, names): (SmolStr, Vec<SmolStr>)| ItemPlan {
            root: records[standing[&root]].head.key.clone(),
            members: names.iter().map(|name| standing[name]).collect(),
        };
        (compose(&versions).into_iter().map(plan).collect(), Vec::new())
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn std::io::Write,
        form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> std::io::Result<Box<dyn DocumentWriter + 'a>> {
        SiltaRecord.document(out, form, ctx)
    }
}

/// What items are composed of, by their roots, where these versions stand.
pub(crate) fn compose(standing: &BTreeMap<SmolStr, i64>) -> BTreeMap<SmolStr, Vec<SmolStr>> {
    let whole = |name: &SmolStr, version: i64| {
        whole_of(name).filter(|whole| is_part(name, version) && standing.contains_key(whole))
    };
    let courses = standing.iter().filter(|(name, _)| name.starts_with("attainment:"));
    let (parts, roots): (Vec<_>, Vec<_>) = courses.partition(|(name, version)| whole(name, **version).is_some());
    let mut items: BTreeMap<SmolStr, Vec<SmolStr>> = BTreeMap::new();
    for (root, _) in roots {
        let learner = root.rsplit_once('-').map(|(of, _)| of.replace("attainment:", "learner:").into());
        let learner = learner.filter(|learner| standing.contains_key(learner));
        items.insert(root.clone(), std::iter::once(root.clone()).chain(learner).collect());
    }
    for (part, version) in parts {
        if let Some(item) = whole(part, *version).and_then(|whole| items.get_mut(&whole)) {
            item.push(part.clone());
        }
    }
    items
}

/// The network between the gateway and a destination.
struct Wire {
    store: Arc<Mutex<Store>>,
    switch: Arc<Switch>,
}

impl Wire {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrives(&self, load: &Load, began: i64) -> Verdict {
        let mut store = self.store();
        let trouble = store.trouble;
        if trouble.partition || store.now - began > TIMEOUT {
            return Verdict::Transient;
        }
        if store.rng.random_bool(trouble.busy) {
            return Verdict::RetryAfter;
        }
        let records = read(&load.document);
        if store.kind == Kind::Whole {
            store.inbox.push_back(records);
            let lost = store.rng.random_bool(trouble.lost);
            return if lost { Verdict::Uncertain } else { Verdict::AcceptedPending };
        }
        if store.rng.random_bool(trouble.late) {
            let at = store.now + store.rng.random_range(1..30) * SECOND;
            store.late.push((at, load.idempotency_key.clone(), load.withdrawal, records));
            return Verdict::Uncertain;
        }
        let (lost, arrived) = (store.rng.random_bool(trouble.lost), store.rng.random_bool(0.5));
        if lost && !arrived {
            return Verdict::Uncertain;
        }
        if store.kind != Kind::Blind && store.rng.random_bool(trouble.twice) {
            let at = store.now + store.rng.random_range(0..5) * SECOND;
            store.late.push((at, load.idempotency_key.clone(), load.withdrawal, records.clone()));
        }
        store.take(&load.idempotency_key, load.withdrawal, records, false);
        if lost { Verdict::Uncertain } else { Verdict::Accepted }
    }
}

/// The items that the records of a load are.
fn items(kind: Kind, records: Vec<Record>) -> Vec<Vec<Record>> {
    match kind {
        Kind::Composed => vec![records],
        _ => records.into_iter().map(|record| vec![record]).collect(),
    }
}

fn read(document: &Document) -> Vec<Record> {
    let text = match document {
        Document::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Document::File(path) => std::fs::read_to_string(path).expect("the load's file"),
    };
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

fn judged(verdict: Verdict) -> Judgement {
    Judgement { verdict, fixer: None, reason: "simulated".into(), cause: "simulated".into(), retry_after: None }
}

#[async_trait]
impl Deliver for Wire {
    async fn deliver(&self, load: &Load) -> Judgement {
        let began = self.store().now;
        self.switch.pass().await;
        let verdict = self.arrives(load, began);
        self.switch.pass().await;
        judged(verdict)
    }
}

#[async_trait]
impl Inventory for Wire {
    fn batch(&self) -> usize {
        3
    }

    async fn holdings(&self, _: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        self.switch.pass().await;
        let answer = {
            let mut store = self.store();
            if store.trouble.partition {
                return Err(NotRead(judged(Verdict::Transient)));
            }
            let mut answer = Vec::new();
            for (query, learner) in learners.iter().enumerate() {
                let of_learner = |item: &&Vec<Record>| item[0].head.learner == learner.learner;
                let mut held: Vec<Vec<Record>> = store.held.values().filter(of_learner).cloned().collect();
                let share = store.trouble.partial;
                let complete = !store.rng.random_bool(share);
                if !complete {
                    let left = store.rng.random_range(0..=held.len());
                    held.truncate(left);
                }
                let mut records = Vec::new();
                let mut items = Vec::new();
                for item in held {
                    items.push((records.len()..records.len() + item.len()).collect());
                    records.extend(item);
                }
                answer.push(Holding { query, records, items, complete, ..Holding::default() });
            }
            answer
        };
        self.switch.pass().await;
        Ok(answer)
    }
}
