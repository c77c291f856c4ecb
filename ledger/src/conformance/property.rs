//! Random histories against the invariants no order of events may break.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

/// Few records, so that events meet.
const RECORDS: u8 = 2;

/// Whether an invariant holds.
type Checked = std::result::Result<(), TestCaseError>;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    Keep { record: u8, content: u8, revision: Option<u64>, reinstate: bool },
    TakeBack { record: u8 },
    Plan { refuses: bool },
    PlanLate { refuses: bool },
    Claim { limit: u32 },
    Settle { state: DebtState, wait: Micros },
    Raise { record: u8 },
    Reap,
    Observe { record: u8, holds: bool },
    Load,
    Close { status: LoadStatus },
}

fn event() -> impl Strategy<Value = Event> {
    let record = 1..=RECORDS;
    let state = prop::sample::select(vec![
        DebtState::Owed,
        DebtState::Sent,
        DebtState::Confirmed,
        DebtState::Refused,
        DebtState::Uncertain,
    ]);
    prop_oneof![
        4 => (record.clone(), 1..=3_u8, prop::option::of(1..=4_u64), any::<bool>())
            .prop_map(|(record, content, revision, reinstate)| Event::Keep { record, content, revision, reinstate }),
        1 => record.clone().prop_map(|record| Event::TakeBack { record }),
        4 => any::<bool>().prop_map(|refuses| Event::Plan { refuses }),
        3 => any::<bool>().prop_map(|refuses| Event::PlanLate { refuses }),
        4 => (1..=3_u32).prop_map(|limit| Event::Claim { limit }),
        4 => (state, 0..5_i64).prop_map(|(state, wait)| Event::Settle { state, wait }),
        1 => record.clone().prop_map(|record| Event::Raise { record }),
        1 => Just(Event::Reap),
        1 => (record, any::<bool>()).prop_map(|(record, holds)| Event::Observe { record, holds }),
        2 => Just(Event::Load),
        2 => prop::sample::select(vec![LoadStatus::Delivered, LoadStatus::Delivered, LoadStatus::Refused, LoadStatus::Failed])
            .prop_map(|status| Event::Close { status }),
    ]
}

/// What the world outside the ledger knows: the clock, leases, plans under way, the load under way.
#[derive(Default)]
struct World {
    now: Micros,
    claims: Vec<Claim>,
    seen: Vec<DirtyItem>,
    load: Option<i64>,
    position: i64,
    generations: BTreeMap<i64, i64>,
    versions: BTreeMap<RecordId, i64>,
    token: i64,
}

/// Runs random histories, each on a new ledger, and checks the invariants after every event.
pub fn random_histories_keep_the_invariants<G>(make: impl AsyncFn() -> (Box<dyn Ledger>, G)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let histories = prop::collection::vec(event(), 1..60);
    let held = TestRunner::new(config).run(&histories, |events| {
        runtime.block_on(async {
            let (ledger, _guard) = make().await;
            let mut world = World::default();
            for event in &events {
                world.now += 1;
                world.happens(&*ledger, event).await;
                world.holds(&*ledger).await?;
            }
            world.ends(&*ledger).await
        })
    });
    if let Err(broken) = held {
        panic!("{broken}");
    }
}

impl World {
    async fn happens(&mut self, ledger: &dyn Ledger, event: &Event) {
        match *event {
            Event::Keep { record, content, revision, reinstate } => {
                let arrival = Incoming { revision, ..attainment(record, content) };
                kept(ledger, &Batch { reinstate, ..batch(self.now, &[arrival]) }).await;
            }
            Event::TakeBack { record } => {
                take_back(ledger, self.now, &[id(record)]).await;
            }
            Event::Plan { refuses } => {
                self.seen = dirty(ledger).await;
                self.plan(ledger, refuses).await;
            }
            Event::PlanLate { refuses } => {
                self.plan(ledger, refuses).await;
                self.seen = dirty(ledger).await;
            }
            Event::Claim { limit } => {
                let claim = ledger.claim(STORE, self.now, self.now + 5, limit).await.expect("asked");
                self.claims.extend(claim);
            }
            Event::Settle { state, wait } => self.settle(ledger, state, wait).await,
            Event::Raise { record } => {
                let debts: Vec<_> = ledger.debts_of(id(record)).await.expect("debts").iter().map(|d| d.id).collect();
                raise(ledger, self.now, &debts).await;
            }
            Event::Reap => {
                ledger.reap(self.now).await.expect("reaped");
            }
            Event::Observe { record, holds } => {
                let seen: Vec<_> = ledger
                    .debts_of(id(record))
                    .await
                    .expect("debts")
                    .iter()
                    .map(|d| Observation { debt: d.id, generation: d.generation, digest: d.sent_digest, holds })
                    .collect();
                ledger.observed(self.now, &seen).await.expect("observed");
            }
            Event::Load if self.load.is_none() => self.load = Some(self.carry(ledger).await),
            Event::Load => {}
            Event::Close { status } => self.close(ledger, status).await,
        }
    }

    async fn plan(&self, ledger: &dyn Ledger, refuses: bool) {
        for item in &self.seen {
            let decision = if refuses && item.record.id == id(1) { refuse() } else { owe(item) };
            plan(ledger, self.now, item, decision).await;
        }
    }

    async fn settle(&mut self, ledger: &dyn Ledger, state: DebtState, wait: Micros) {
        if self.claims.is_empty() {
            return;
        }
        let claim = self.claims.remove(0);
        let debts = claim.debts.iter().take(2).map(|d| settlement(d, state)).collect();
        let settled = Settled { next: self.now + wait, ..outcome(&claim, self.now, debts) };
        match ledger.settle(&settled).await {
            Ok(()) | Err(LedgerError::LeaseLost) => {}
            Err(other) => panic!("{other}"),
        }
    }

    async fn close(&mut self, ledger: &dyn Ledger, status: LoadStatus) {
        if let Some(load) = self.load.take() {
            ledger.close_load(load, self.now, status, "").await.expect("closed");
        }
    }

    async fn carry(&self, ledger: &dyn Ledger) -> i64 {
        let new = NewLoad {
            connection: STORE.into(),
            tenant: TENANT.into(),
            at: self.now,
            status: LoadStatus::Sending,
            reason: String::new(),
        };
        let load = ledger.open_load(&new).await.expect("a load");
        let holdings = ledger.holdings(STORE, None, 100).await.expect("holdings");
        let entries: Vec<_> = holdings.iter().filter_map(Self::carried).collect();
        ledger.add_to_manifest(load, &entries).await.expect("added");
        load
    }

    /// What a load takes of a holding: what is wanted, or else last-good content.
    fn carried(holding: &Holding) -> Option<ManifestEntry> {
        let entry = |digest, wanted| ManifestEntry {
            debt: holding.debt,
            item: holding.item,
            generation: holding.generation,
            digest,
            wanted,
        };
        let last_good = holding.sent_content.as_ref().or(holding.confirmed_content.as_ref());
        match (holding.wanted, &holding.wanted_content) {
            (Some(Wanted::Absent), _) if holding.state != DebtState::Refused => Some(entry(None, true)),
            (_, Some((digest, _))) if holding.state != DebtState::Refused => Some(entry(Some(*digest), true)),
            _ => last_good.map(|(digest, _)| entry(Some(*digest), false)),
        }
    }

    /// What must be true after every event.
    async fn holds(&mut self, ledger: &dyn Ledger) -> Checked {
        let changes = ledger.feed(&[], &[], self.position, 100).await.expect("feed");
        for change in &changes {
            prop_assert!(change.position > self.position, "positions rise strictly");
            self.position = change.position;
            let version = self.versions.entry(change.record.id).or_default();
            prop_assert_eq!(change.record.version, *version + 1, "no version is skipped");
            *version = change.record.version;
        }
        if let Some(claim) = self.claims.last() {
            prop_assert!(claim.token.0 >= self.token, "tokens rise");
            self.token = claim.token.0;
        }
        let dirty = dirty(ledger).await;
        for h in ledger.holdings(STORE, None, 100).await.expect("holdings") {
            let debt = ledger.debt(h.debt).await.expect("read").expect("a debt");
            prop_assert_eq!(h.sent_content.map(|(digest, _)| digest), debt.sent_digest, "contents are never lost");
        }
        for n in 1..=RECORDS {
            let Some(record) = ledger.record(id(n)).await.expect("read") else { continue };
            let debts = ledger.debts_of(id(n)).await.expect("debts");
            prop_assert_eq!(debts.len(), 1, "every record has its debt");
            let debt = &debts[0];
            let generation = self.generations.entry(debt.id).or_default();
            prop_assert!(debt.generation >= *generation, "a generation never falls");
            *generation = debt.generation;
            self.is_owed(&record, debt, dirty.iter().any(|item| item.debt == debt.id))?;
        }
        Ok(())
    }

    /// A debt that waits for no plan says what its record says.
    fn is_owed(&self, record: &StoredRecord, debt: &Debt, dirty: bool) -> Checked {
        let settled = matches!(debt.state, DebtState::Sent | DebtState::Confirmed);
        prop_assert_eq!(debt.state == DebtState::Unplanned, debt.generation == 0 && debt.state != DebtState::Refused);
        if debt.state == DebtState::Confirmed {
            prop_assert_eq!(debt.confirmed_digest, debt.sent_digest, "what is confirmed is what was sent");
        }
        let under_way = debt.state == DebtState::Sending || self.load.is_some();
        if dirty || under_way || debt.state == DebtState::Refused {
            return Ok(());
        }
        let wanted = if record.state.is_tombstone() { Wanted::Absent } else { Wanted::Present };
        prop_assert_eq!(debt.wanted, wanted, "a planned debt wants what its record says");
        prop_assert_eq!(debt.wanted_digest, Some(record.digest));
        if settled {
            let there = (wanted == Wanted::Present).then_some(record.digest);
            prop_assert_eq!(debt.sent_digest, there, "no older content is left in the place of newer");
        }
        Ok(())
    }

    /// However it went: planned and sent without faults, everything arrives.
    async fn ends(&mut self, ledger: &dyn Ledger) -> Checked {
        self.now += 1_000;
        self.close(ledger, LoadStatus::Failed).await;
        ledger.reap(self.now).await.expect("reaped");
        for state in [DebtState::Refused, DebtState::Uncertain] {
            let which = Raise::State { connection: STORE.into(), state };
            ledger.raise(self.now, "at the end", &which).await.expect("raised");
        }
        plan_all(ledger, self.now).await;
        while let Some(claim) = ledger.claim(STORE, self.now, self.now + 9, 2).await.expect("asked") {
            settle_all(ledger, &claim, self.now, DebtState::Confirmed).await;
        }
        for debt in ledger.debts(STORE, None, 0, 100).await.expect("debts") {
            prop_assert!(matches!(debt.state, DebtState::Confirmed | DebtState::Sent), "{:?}", debt);
        }
        self.holds(ledger).await
    }
}
