//! A small world to look at: two tenants, a store that replaces everything and can be read, and a partner that refuses
//! our credentials.

use async_trait::async_trait;
use serde_json::Value;
use silta::access::{NewToken, create};
use silta::config::Config;
use silta::delivery::{items, load, plan};
use silta::env::{ManualClock, Rng};
use silta::gateway::{Gateway, Parts};
use silta::ledger::memory::MemoryLedger;
use silta::ledger::{Batch, RecordId, Role, TakeBack};
use silta::reconcile::run;
use silta::vault::Vault;
use silta_adapter::adapter::*;
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::fidelity::{Change, Loss, LossRule};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Fixer, Problem};
use silta_adapter::record::*;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex};

/// 2026-11-16 06:00:00 UTC.
const START: i64 = 1_794_808_800_000_000;
pub(crate) const DAY: i64 = 86_400_000_000;
pub(crate) const HOME: &str = "10122";
pub(crate) const AWAY: &str = "10118";

const CONFIG: &str = r#"
    [[tenant]]
    code = "10122"
    name = "Home University"
    [[tenant]]
    code = "10118"
    name = "Another University"
    [[connection]]
    name = "store-home"
    tenant = "10122"
    adapter = "store"
    [[connection]]
    name = "partner-home"
    tenant = "10122"
    adapter = "partner"
    [[connection]]
    name = "store-away"
    tenant = "10118"
    adapter = "store"
"#;

/// What a store holds.
pub(crate) type Shelf = Arc<Mutex<Vec<Record>>>;

/// A store of JSON lines that knows no languages and wants a title.
struct Store {
    descriptor: Descriptor,
    shelf: Shelf,
    answer: Verdict,
}

const LOSSES: &[LossRule] = &[LossRule {
    id: "no_language",
    kinds: &[],
    pattern: "/body/language",
    when: "a language is given",
    reason: "the store has no place for the language of instruction",
}];

impl Store {
    fn adapter(name: &'static str, effect: Effect, shelf: Shelf, answer: Verdict) -> Arc<dyn Adapter> {
        let descriptor = Descriptor {
            name,
            summary: "a store for tests",
            media_types: &[],
            settings: None,
            grouping: Grouping::Record,
            effect,
            withdraw: Withdraw::Absence,
            readback: effect == Effect::ReplaceAll,
            honours_key: true,
            kinds: &RecordKind::ALL,
            losses: LOSSES,
        };
        Arc::new(Self { descriptor, shelf, answer })
    }
}

impl Adapter for Store {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }
    fn connect(&self, _: &Value) -> Result<Connected, BadSettings> {
        let end = || Arc::new(End { shelf: self.shelf.clone(), answer: self.answer });
        let inventory = self.descriptor.readback.then(|| end() as Arc<dyn Inventory>);
        Ok(Connected { deliver: Some(end()), inventory, ..Connected::default() })
    }
}

impl Decode for Store {
    fn probe(&self, _: &mut dyn BufRead, _: &Limits) -> Result<(), Unreadable> {
        Ok(())
    }
    fn decode(&self, input: &mut dyn BufRead, _: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        for (at, record) in records(input).into_iter().enumerate() {
            sink(Decoded::Record(Box::new(record), at as u64 + 1)).map_err(|_| Unreadable::Stopped)?;
        }
        Ok(Reading::default())
    }
}

fn records(input: &mut dyn BufRead) -> Vec<Record> {
    input.lines().map(|line| serde_json::from_str(&line.expect("a line")).expect("a record")).collect()
}

impl Encode for Store {
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        _: Option<&str>,
        _: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(Lines(out)))
    }
}

struct Lines<'a>(&'a mut dyn Write);

impl DocumentWriter for Lines<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let mut losses = Vec::new();
        for record in item {
            let mut record = record.clone();
            if let Some(Body::Attainment(a)) = &mut record.body {
                if a.title.is_empty() {
                    return Err(Refusal::from(Problem::error("no_title", "the store wants a title")).into());
                }
                if a.language.take().is_some() {
                    let key = record.head.key.clone();
                    losses.push(Loss {
                        key,
                        path: "/body/language".into(),
                        change: Change::Dropped,
                        rule: "no_language".into(),
                    });
                }
            }
            writeln!(self.0, "{}", serde_json::to_string(&record).expect("a line"))?;
        }
        Ok(losses)
    }
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

struct End {
    shelf: Shelf,
    answer: Verdict,
}

#[async_trait]
impl Deliver for End {
    async fn deliver(&self, load: &Load) -> Judgement {
        let judged = |fixer, reason: &str, cause: &'static str| Judgement {
            verdict: self.answer,
            fixer,
            reason: reason.into(),
            cause: cause.into(),
            retry_after: None,
        };
        if self.answer != Verdict::Accepted {
            return judged(Some(Fixer::Configuration), "our credentials were not accepted", "http:401");
        }
        let Document::File(path) = &load.document else { panic!("a whole load is a file") };
        let mut file = io::BufReader::new(std::fs::File::open(path).expect("a file"));
        *self.shelf.lock().expect("the shelf") = records(&mut file);
        judged(None, "taken", "dropped")
    }
}

#[async_trait]
impl Inventory for End {
    fn batch(&self) -> usize {
        100
    }
    async fn holdings(&self, _: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let shelf = self.shelf.lock().expect("the shelf");
        let holding = |(query, learner): (usize, &LearnerQuery)| Holding {
            query,
            records: shelf.iter().filter(|r| r.head.learner == learner.learner).cloned().collect(),
            complete: true,
            ..Holding::default()
        };
        Ok(learners.iter().enumerate().map(holding).collect())
    }
}

/// The gateway with its stores.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) shelf: Shelf,
    pub(crate) admin: String,
}

pub(crate) fn key(tenant: &str, kind: RecordKind, id: &str) -> RecordKey {
    RecordKey { tenant: tenant.into(), source: "sis".into(), kind, institution: tenant.into(), id: id.into() }
}

/// An attainment of learner `L1`; none without a title can be sent.
pub(crate) fn attainment(tenant: &str, id: &str, title: Option<&str>, credits: &str) -> Record {
    let body = Attainment {
        title: title.map(|t| Text::new("en", t)).into_iter().collect(),
        credits: Some(Credits { ects: credits.parse().ok(), credit_weeks: None }),
        completed_on: "2026-05-14".parse().ok(),
        language: Some(Coded::new("iso639-1", "en")),
        ..Attainment::default()
    };
    Record::current(key(tenant, RecordKind::Attainment, id), "L1", Body::Attainment(Box::new(body)))
}

pub(crate) fn learner(tenant: &str) -> Record {
    let body = Learner {
        family_name: Some("Esimerkki".into()),
        given_names: Some("Essi Maria".into()),
        identifiers: vec![Identifier {
            scheme: Learner::LEARNER_NUMBER.into(),
            value: "1.2.246.562.98.90000000019".into(),
        }]
        .into(),
        ..Learner::default()
    };
    Record::current(key(tenant, RecordKind::Learner, "L1"), "L1", Body::Learner(Box::new(body)))
}

impl World {
    /// Nothing but the configuration and an administrator's token.
    pub(crate) async fn new() -> Self {
        let (clock, rng) = (Arc::new(ManualClock::at(START)), Rng::from_seed(7));
        let shelf = Shelf::default();
        let adapters = vec![
            Store::adapter("store", Effect::ReplaceAll, shelf.clone(), Verdict::Accepted),
            Store::adapter("partner", Effect::Upsert, Shelf::default(), Verdict::Auth),
        ];
        let parts = Parts {
            ledger: Arc::new(MemoryLedger::new()),
            vault: Arc::new(Vault::new(&[9; 32], rng.clone()).expect("a vault")),
            clock: clock.clone(),
            rng,
            registry: Registry::new(adapters),
            mappings: Arc::new(Mappings::default()),
        };
        let gateway = Arc::new(Gateway::new(Config::from_toml(CONFIG).expect("a configuration"), parts).expect("open"));
        let mut world = Self { gateway, clock, shelf, admin: String::new() };
        world.admin = world.token("boss", Role::Admin, None).await;
        world
    }

    /// A token.
    pub(crate) async fn token(&self, name: &str, role: Role, tenant: Option<&str>) -> String {
        let new =
            NewToken { name: name.into(), role, tenant: tenant.map(Into::into), kinds: Vec::new(), expires: None };
        create(&*self.gateway.ledger, &self.gateway.rng, self.gateway.now(), new).await.expect("a token")
    }

    pub(crate) fn id(&self, tenant: &str, kind: RecordKind, id: &str) -> RecordId {
        self.gateway.vault.record_id(&key(tenant, kind, id))
    }

    /// Keeps and plans records of a tenant.
    pub(crate) async fn keep(&self, tenant: &str, records: &[Record]) {
        let batch = Batch {
            tenant: tenant.into(),
            at: self.gateway.now(),
            reinstate: false,
            records: records.iter().map(|r| self.gateway.vault.incoming(r)).collect(),
            targets: self.gateway.targets(tenant),
        };
        self.gateway.ledger.keep(&batch).await.expect("kept");
        self.plan().await;
    }

    pub(crate) async fn plan(&self) {
        for connection in &self.gateway.connections {
            plan::plan_all(&self.gateway, connection).await.expect("planned");
        }
    }

    /// Sends what a connection is owed, once, when its lane is due again.
    pub(crate) async fn send(&self, connection: &str) {
        self.clock.advance(10_000_000);
        let connection = self.gateway.connection(connection).expect("a connection");
        if connection.replaces_all() {
            load::round(&self.gateway, connection).await.expect("a round");
        } else {
            items::round(&self.gateway, connection).await.expect("a round");
        }
    }

    pub(crate) async fn reconcile(&self, connection: &str) {
        run::run(&self.gateway, self.gateway.connection(connection).expect("a connection")).await.expect("read");
    }

    /// Id of the newest load of a connection.
    pub(crate) async fn newest_load(&self, connection: &str) -> i64 {
        self.gateway.ledger.loads(Some(connection), false, 1).await.expect("loads")[0].id
    }

    /// The store loses a credit of an attainment without saying so.
    pub(crate) fn falsify(&self, id: &str) {
        for record in self.shelf.lock().expect("the shelf").iter_mut().filter(|r| r.head.key.id == id) {
            let Some(Body::Attainment(a)) = &mut record.body else { continue };
            a.credits = Some(Credits { ects: "4".parse().ok(), credit_weeks: None });
        }
    }

    /// A week in the life of the home university: a load delivered and confirmed, one attainment falsified by the
    /// store even after a repair, one refused for want of a title, the partner closed to us, and a load held because
    /// it would remove too much.
    pub(crate) async fn after_a_week() -> Self {
        let world = Self::new().await;
        let titles = ["Data structures", "Discrete mathematics", "<script>alert('x')</script>", "Swedish", "Physics"];
        let mut records = vec![learner(HOME)];
        for (at, title) in titles.iter().enumerate() {
            records.push(attainment(HOME, &format!("A{}", at + 1), Some(title), "5"));
        }
        records.push(attainment(HOME, "A9", None, "3"));
        world.keep(HOME, &records).await;
        world.send("partner-home").await;
        world.send("store-home").await;
        let first = world.newest_load("store-home").await;
        load::rule(&world.gateway, first, load::Ruling::Release, "boss").await.expect("ruled");
        world.send("store-home").await;
        for _ in 0..2 {
            world.clock.advance(2 * DAY);
            world.falsify("A2");
            world.reconcile("store-home").await;
            world.send("store-home").await;
        }
        let ids = ["A3", "A4"].map(|id| world.id(HOME, RecordKind::Attainment, id)).to_vec();
        let gone =
            TakeBack { tenant: HOME.into(), at: world.gateway.now(), state: State::Deleted, ids, targets: Vec::new() };
        world.gateway.ledger.take_back(&gone).await.expect("taken back");
        world.plan().await;
        world.send("store-home").await;
        world.clock.advance(3 * 3_600_000_000);
        world.send("partner-home").await;
        world.clock.advance(30_000_000);
        world
    }
}
