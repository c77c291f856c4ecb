//! A ledger and its reference side by side: each operation is done to both, and what they tell is compared.
//!
//! Each gives out numbers of its own. What is the same is paired when it is first told, and stays so.

use super::super::*;
use super::operation::{About, Arriving, Choice, Operation, RECORDS};
use super::reference::{Owing, Reference};
use proptest::prelude::*;
use silta_adapter::problem::Severity;
use std::collections::BTreeMap;
use std::fmt::Debug;

type Checked = std::result::Result<(), TestCaseError>;

const TENANTS: [&str; 2] = [TENANT, "niitty"];
/// One whose lanes are learners, one whose lanes are tenants.
const CONNECTIONS: [(&str, LaneBy); 2] = [(STORE, LaneBy::Learner), ("loads", LaneBy::Tenant)];
const ALL: u32 = 1_000;

/// Numbers of the reference and of the ledger.
#[derive(Default)]
struct Pairs(BTreeMap<i64, i64>);

impl Pairs {
    fn theirs(&self, ours: i64) -> i64 {
        *self.0.get(&ours).expect("what the reference has, the ledger told")
    }

    fn pair(&mut self, what: &str, ours: i64, theirs: i64) -> Checked {
        let known = *self.0.entry(ours).or_insert(theirs);
        prop_assert_eq!(known, theirs, "{} {} changed its number", what, ours);
        let same = self.0.values().filter(|n| **n == theirs).count();
        prop_assert_eq!(same, 1, "two {}s have the number {}", what, theirs);
        Ok(())
    }
}

pub(super) struct World<'l> {
    ledger: &'l dyn Ledger,
    reference: Reference,
    now: Micros,
    /// Claims as the reference and as the ledger has them, whatever became of them.
    claims: Vec<(Claim, Claim)>,
    /// What was dirty when it was looked at, as both have it.
    seen: (usize, Vec<(DirtyItem, i64)>),
    position: (i64, i64),
    token: i64,
    debts: Pairs,
    lanes: Pairs,
    loads: Pairs,
    problems: Pairs,
    findings: Pairs,
    reconciliations: Pairs,
}

/// Two lists that tell the same.
fn same<T: Debug>(what: &str, ours: &[T], theirs: &[T]) -> Checked {
    let told = |list: &[T]| list.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>();
    let (ours, theirs) = (told(ours), told(theirs));
    let differ = ours.iter().zip(&theirs).find(|(a, b)| a != b);
    let (first, second) = differ.map_or((String::new(), String::new()), |(a, b)| (a.clone(), b.clone()));
    prop_assert_eq!(&first, &second, "{}: what the reference says, and what the ledger says", what);
    prop_assert_eq!(ours, theirs, "{}: what the reference says, and what the ledger says", what);
    Ok(())
}

fn choose<T>(of: &[T], number: usize) -> Option<&T> {
    of.get(number % of.len().max(1))
}

impl<'l> World<'l> {
    pub(super) fn new(ledger: &'l dyn Ledger) -> Self {
        Self {
            ledger,
            reference: Reference::default(),
            now: 100,
            claims: Vec::new(),
            seen: (0, Vec::new()),
            position: (0, 0),
            token: 0,
            debts: Pairs::default(),
            lanes: Pairs::default(),
            loads: Pairs::default(),
            problems: Pairs::default(),
            findings: Pairs::default(),
            reconciliations: Pairs::default(),
        }
    }

    pub(super) async fn does(&mut self, operation: &Operation) -> Checked {
        self.now += 1;
        match operation {
            Operation::Keep { tenant, arrivals, reinstate, routed } => {
                self.keep(*tenant, arrivals, *reinstate, *routed).await
            }
            Operation::TakeBack { tenant, records, state } => {
                let ids = records.iter().copied().map(id).collect();
                let (tenant, at, targets) = (TENANTS[*tenant].into(), self.now, Vec::new());
                let batch = TakeBack { tenant, at, state: *state, ids, targets };
                let theirs = self.ledger.take_back(&batch).await.expect("taken back");
                let ours = if state.is_tombstone() { self.reference.take_back(&batch) } else { 0 };
                same("take_back", &[ours], &[theirs])
            }
            Operation::Problems { records, found, bare, elsewhere } => {
                let reading = self.reading(records, found, *bare, *elsewhere);
                self.ledger.settle_problems(&reading).await.expect("settled");
                self.reference.settle_problems(&reading);
                Ok(())
            }
            Operation::Erase { tenant, learner: n } => {
                let theirs = self.ledger.erase(TENANTS[*tenant], learner(*n), self.now).await.expect("erased");
                same("erase", &[self.reference.erase(TENANTS[*tenant], learner(*n), self.now)], &[theirs])
            }
            Operation::Look { connection } => self.look(*connection).await,
            Operation::Plan { connection, decisions } => {
                self.look(*connection).await?;
                self.plan(decisions).await
            }
            Operation::PlanSeen { decisions } => self.plan(decisions).await,
            Operation::Replan { connection, tenant } => {
                let (name, by) = CONNECTIONS[*connection];
                let target = target(name, by);
                let theirs = self.ledger.replan(&target, TENANTS[*tenant]).await.expect("replanned");
                same("replan", &[self.reference.replan(&target, TENANTS[*tenant])], &[theirs])
            }
            Operation::Claim { connection, lease, limit } => self.claim(*connection, *lease, *limit).await,
            Operation::Renew { claim, lease } => {
                let Some((ours, theirs)) = choose(&self.claims, *claim) else { return Ok(()) };
                let until = self.now + lease;
                let kept = self.ledger.renew(theirs.lane, theirs.token, until).await;
                let expected = self.reference.renew(ours.lane, ours.token, until);
                same("renew", &[expected], &[kept])
            }
            Operation::Settle { claim, states, older, wait } => self.settle(*claim, states, *older, *wait).await,
            Operation::Reap => {
                let theirs = self.ledger.reap(self.now).await.expect("reaped");
                same("reap", &[self.reference.reap(self.now)], &[theirs])
            }
            Operation::TryAgain { connection } => {
                let name = CONNECTIONS[*connection].0;
                let theirs = self.ledger.try_again(name, self.now).await.expect("tried");
                same("try_again", &[self.reference.try_again(name, self.now)], &[theirs])
            }
            Operation::Raise { debts } => {
                let ours: Vec<i64> = debts.iter().filter_map(|n| Some(self.chosen(*n)?.shown.id)).collect();
                let theirs = Raise::Debts(ours.iter().map(|id| self.debts.theirs(*id)).collect());
                self.raise(Raise::Debts(ours), theirs).await
            }
            Operation::RaiseState { connection, state } => {
                let which = Raise::State { connection: CONNECTIONS[*connection].0.into(), state: *state };
                self.raise(which.clone(), which).await
            }
            Operation::Observe { seen } => self.observe(seen).await,
            Operation::OpenLoad { connection, tenant, held } => {
                let load = NewLoad {
                    connection: CONNECTIONS[*connection].0.into(),
                    tenant: TENANTS[*tenant].into(),
                    at: self.now,
                    status: if *held { LoadStatus::Held } else { LoadStatus::Sending },
                    reason: "opened".into(),
                };
                let theirs = self.ledger.open_load(&load).await.expect("a load");
                let ours = self.reference.open_load(&load);
                self.loads.pair("load", ours, theirs)
            }
            Operation::Carry { load, debts, about } => self.carry(*load, debts, *about).await,
            Operation::CloseLoad { load, status } => {
                let Some(load) = choose(&self.reference.loads, *load).map(|l| l.load.id) else { return Ok(()) };
                let theirs = self.loads.theirs(load);
                self.ledger.close_load(theirs, self.now, *status, "closed").await.expect("closed");
                self.reference.close_load(load, self.now, *status, "closed");
                Ok(())
            }
            Operation::Attempt { debt, verdict } => self.attempt(*debt, *verdict).await,
            Operation::Found { connection, looked_at, found } => self.found(*connection, looked_at, found).await,
            Operation::SetFinding { finding, status } => {
                let Some(ours) = choose(&self.reference.findings, *finding).map(|f| f.1.id) else { return Ok(()) };
                self.ledger.set_finding(self.findings.theirs(ours), self.now, *status).await.expect("set");
                self.reference.set_finding(ours, self.now, *status);
                Ok(())
            }
            Operation::Forget { what, back } => {
                let before = self.now - back;
                let forgotten = forget_all(self.ledger, *what, before, 2).await;
                same(what.name(), &[self.reference.forget(*what, before)], &[forgotten])
            }
            Operation::Wait { by } => {
                self.now += by;
                Ok(())
            }
        }
    }

    async fn keep(&mut self, tenant: usize, arrivals: &[Arriving], reinstate: bool, routed: bool) -> Checked {
        let ours = |a: &&Arriving| (a.record == RECORDS) == (tenant == 1);
        let records: Vec<Incoming> = arrivals.iter().filter(ours).map(incoming).collect();
        // A connection is a target of every batch, or of none that has a record of this tenant yet.
        let known = self.reference.records.iter().any(|r| r.now.tenant == TENANTS[tenant]);
        let targets = CONNECTIONS.iter().filter(|_| routed || known).map(|(name, by)| target(name, *by)).collect();
        let batch = Batch { tenant: TENANTS[tenant].into(), reinstate, targets, ..batch(self.now, &records) };
        let theirs = self.ledger.keep(&batch).await.expect("kept");
        same("keep", &self.reference.keep(&batch), &theirs)
    }

    fn reading(&self, records: &[u8], found: &[(u8, u8)], bare: bool, elsewhere: bool) -> ProblemReading {
        let problem = |(n, (record, code)): (usize, &(u8, u8))| NewProblem {
            record: Some(id(*record)),
            code: format!("code {code}").into(),
            severity: if n == 0 { Severity::Error } else { Severity::Warning },
            fixer: Fixer::Sender,
            content: vec![*code, n as u8],
        };
        let mut problems: Vec<NewProblem> = found.iter().enumerate().map(problem).collect();
        if bare {
            problems.push(NewProblem { record: None, ..problem((9, &(1, 9))) });
        }
        ProblemReading {
            tenant: TENANT.into(),
            at: self.now,
            origin: if elsewhere { STORE } else { "intake" }.into(),
            records: records.iter().copied().chain(found.iter().map(|(r, _)| *r)).map(id).collect(),
            problems,
        }
    }

    async fn look(&mut self, connection: usize) -> Checked {
        let theirs = self.ledger.dirty(CONNECTIONS[connection].0, ALL).await.expect("dirty");
        let ours = self.same_dirty(connection, &theirs)?;
        let mark = |item: &DirtyItem| theirs.iter().find(|t| t.record.id == item.record.id).map(|t| t.mark);
        self.seen = (connection, ours.into_iter().filter_map(|item| Some((item.clone(), mark(&item)?))).collect());
        Ok(())
    }

    async fn plan(&mut self, decisions: &[Choice]) -> Checked {
        let (connection, items) = &self.seen;
        let name = CONNECTIONS[*connection].0;
        let decided: Vec<(&(DirtyItem, i64), Decision)> = items
            .iter()
            .zip(decisions)
            .filter_map(|(seen, choice)| Some((seen, decision(&seen.0, *choice)?)))
            .collect();
        let ours: Vec<Plan> = decided
            .iter()
            .map(|((item, _), decision)| Plan { debt: item.debt, mark: item.mark, decision: decision.clone() })
            .collect();
        let theirs: Vec<Plan> = decided
            .iter()
            .map(|((item, mark), decision)| Plan {
                debt: self.debts.theirs(item.debt),
                mark: *mark,
                decision: decision.clone(),
            })
            .collect();
        self.ledger.plan(name, self.now, &theirs).await.expect("planned");
        self.reference.plan(name, self.now, &ours);
        Ok(())
    }

    async fn claim(&mut self, connection: usize, lease: Micros, limit: u32) -> Checked {
        let name = CONNECTIONS[connection].0;
        let due = self.reference.due(name, self.now);
        // Of lanes that are due equally long any may be claimed; which one it was is told by its debts.
        let limit = if due.len() > 1 { limit.max(1) } else { limit };
        let theirs = self.ledger.claim(name, self.now, self.now + lease, limit).await.expect("asked");
        let Some(mut theirs) = theirs else {
            prop_assert!(due.is_empty(), "a lane is due, and the ledger claims none");
            return Ok(());
        };
        prop_assert!(theirs.token.0 > self.token, "tokens rise");
        self.token = theirs.token.0;
        let of_first = theirs.debts.first().and_then(|d| self.debts.0.iter().find(|(_, n)| **n == d.id));
        let lane = match of_first.and_then(|(ours, _)| self.reference.debt(*ours)?.lane) {
            Some(lane) => Some(lane),
            None => due.first().copied(),
        };
        prop_assert!(lane.is_some_and(|lane| due.contains(&lane)), "a lane is claimed that is not due, or not yet");
        let ours = self.reference.claim(lane.unwrap_or_default(), self.now + lease, limit);
        self.lanes.pair("lane", ours.lane.0, theirs.lane.0)?;
        let stored = theirs.clone();
        theirs
            .debts
            .iter_mut()
            .zip(&ours.debts)
            .for_each(|(t, o)| t.id = if t.id == self.debts.theirs(o.id) { o.id } else { t.id });
        same("claim", &ours.debts, &theirs.debts)?;
        self.claims.push((ours, stored));
        Ok(())
    }

    async fn settle(&mut self, claim: usize, states: &[DebtState], older: bool, wait: Micros) -> Checked {
        let Some((ours, theirs)) = choose(&self.claims, claim).cloned() else { return Ok(()) };
        let settled = |claim: &Claim| {
            let named = claim.debts.iter().zip(states).map(|(debt, state)| Settlement {
                generation: debt.generation - i64::from(older),
                fixer: (*state == DebtState::Refused).then_some(Fixer::OtherSide),
                reason: state.name().into(),
                ..settlement(debt, *state)
            });
            Settled { next: self.now + wait, ..outcome(claim, self.now, named.collect()) }
        };
        let told = self.ledger.settle(&settled(&theirs)).await;
        same("settle", &[self.reference.settle(&settled(&ours))], &[told])
    }

    async fn raise(&mut self, ours: Raise, theirs: Raise) -> Checked {
        let told = self.ledger.raise(self.now, "asked for", &theirs).await.expect("raised");
        same("raise", &[self.reference.raise(self.now, "asked for", &ours)], &[told])
    }

    fn chosen(&self, number: usize) -> Option<&Owing> {
        choose(&self.reference.debts, number)
    }

    async fn observe(&mut self, seen: &[(usize, About, bool)]) -> Checked {
        let mut ours: Vec<Observation> = Vec::new();
        for (number, about, holds) in seen {
            let Some(debt) = self.chosen(*number).map(Owing::shown) else { continue };
            if ours.iter().all(|o| o.debt != debt.id) {
                let digest = of(&debt, *about);
                ours.push(Observation { debt: debt.id, generation: debt.generation, digest, holds: *holds });
            }
        }
        let theirs: Vec<Observation> =
            ours.iter().map(|o| Observation { debt: self.debts.theirs(o.debt), ..o.clone() }).collect();
        self.ledger.observed(self.now, &theirs).await.expect("observed");
        self.reference.observed(self.now, &ours);
        Ok(())
    }

    async fn carry(&mut self, load: usize, debts: &[usize], about: About) -> Checked {
        let open: Vec<i64> =
            self.reference.loads.iter().filter(|l| l.load.closed.is_none()).map(|l| l.load.id).collect();
        let Some(load) = choose(&open, load).copied() else { return Ok(()) };
        let connection = self.reference.loads.iter().find(|l| l.load.id == load).map(|l| l.load.connection.clone());
        let theirs_of = |d: &&Owing| Some(&d.shown.connection) == connection.as_ref();
        let mut ours: Vec<ManifestEntry> = Vec::new();
        for number in debts {
            let Some(debt) = self.chosen(*number).filter(theirs_of).map(Owing::shown) else { continue };
            let digest = of(&debt, about);
            let wanted = matches!(about, About::Wanted) && debt.wanted_digest.is_some();
            ours.push(ManifestEntry { debt: debt.id, item: debt.item, generation: debt.generation, digest, wanted });
        }
        let theirs: Vec<ManifestEntry> =
            ours.iter().map(|e| ManifestEntry { debt: self.debts.theirs(e.debt), ..e.clone() }).collect();
        self.ledger.add_to_manifest(self.loads.theirs(load), &theirs).await.expect("added");
        self.reference.add_to_manifest(load, &ours);
        Ok(())
    }

    async fn attempt(&mut self, debt: usize, verdict: Verdict) -> Checked {
        let Some(debt) = self.chosen(debt).map(Owing::shown) else { return Ok(()) };
        let attempt = Attempt {
            debt: Some(debt.id),
            load: None,
            connection: debt.connection,
            at: self.now,
            took: 3,
            verdict,
            cause: "200".into(),
            reason: "answered".into(),
        };
        let theirs = Attempt { debt: Some(self.debts.theirs(debt.id)), ..attempt.clone() };
        self.ledger.attempted(&theirs).await.expect("noted");
        self.reference.attempts.push(attempt);
        Ok(())
    }

    async fn found(&mut self, connection: usize, looked_at: &[u8], found: &[(u8, FindingKind, u8)]) -> Checked {
        let name = CONNECTIONS[connection].0;
        let theirs = self.ledger.open_reconciliation(name, self.now).await.expect("opened");
        let ours = self.reference.open_reconciliation(name, self.now);
        self.reconciliations.pair("reconciliation", ours, theirs)?;
        let once: BTreeMap<(u8, FindingKind), u8> = found.iter().map(|(n, kind, what)| ((*n, *kind), *what)).collect();
        // What is not known here belongs to nobody we know.
        let whose = |n: u8| self.reference.record(id(n)).map_or(learner(9), |r| r.now.learner);
        let finding = |((n, kind), what): (&(u8, FindingKind), &u8)| NewFinding {
            item: id(*n),
            learner: whose(*n),
            debt: None,
            kind: *kind,
            digest: Some(digest(*what)),
            implied_by: None,
            evidence: vec![*what],
        };
        let findings: Vec<NewFinding> = once.iter().map(finding).collect();
        let looked_at: Vec<RecordId> = looked_at.iter().copied().map(id).collect();
        self.ledger.found(theirs, self.now, &looked_at, &findings).await.expect("stored");
        self.reference.found(ours, self.now, &looked_at, &findings);
        let summary = Summary { items: findings.len() as i64, ..Summary::default() };
        self.ledger.close_reconciliation(theirs, self.now, &summary).await.expect("closed");
        for run in self.reference.reconciliations.iter_mut().filter(|r| r.id == ours) {
            (run.ended, run.summary) = (Some(self.now), Some(summary.clone()));
        }
        Ok(())
    }
}

/// A record as it arrives: who it is of, and what it is, goes by its number.
fn incoming(arriving: &Arriving) -> Incoming {
    let Arriving { record: n, content, revision, state } = *arriving;
    let kind = match n {
        1 => RecordKind::Learner,
        2 => RecordKind::StudyRight,
        _ => RecordKind::Attainment,
    };
    Incoming {
        learner: learner(if n <= 3 { 1 } else { 2 }),
        // The fifth has the key of the fourth, and comes from elsewhere.
        lookup: Lookup([if n == 5 { 4 } else { n }; 16]),
        source: if n == 5 { "other" } else { SOURCE }.into(),
        revision,
        state,
        digest: digest(content.unwrap_or(0)),
        content: content.map(|content| vec![content]),
        ..record(n, kind, 0)
    }
}

fn decision(item: &DirtyItem, choice: Choice) -> Option<Decision> {
    let wanted = if item.record.state.is_tombstone() { Wanted::Absent } else { Wanted::Present };
    match choice {
        Choice::Owe => Some(owe(item)),
        Choice::Project(n) if wanted == Wanted::Present => {
            let (digest, content) = (digest(100 + n), Some(vec![100 + n]));
            Some(Decision::Owe { wanted, digest, content, losses: Some(vec![n]) })
        }
        Choice::Project(_) => Some(owe(item)),
        Choice::Settle if wanted == Wanted::Absent => Some(Decision::Settle { wanted, state: DebtState::Settled }),
        Choice::Settle => Some(Decision::Settle { wanted, state: DebtState::Confirmed }),
        Choice::Refuse => Some(refuse()),
        Choice::Leave => None,
    }
}

fn of(debt: &Debt, about: About) -> Option<Digest> {
    match about {
        About::Wanted => debt.wanted_digest.filter(|_| debt.wanted == Wanted::Present),
        About::Sent => debt.sent_digest,
        About::Confirmed => debt.confirmed_digest,
        About::Nothing => None,
    }
}

// What both tell.

impl World<'_> {
    /// After every step: all that may have changed.
    pub(super) async fn is_the_same(&mut self) -> Checked {
        for (connection, (name, _)) in CONNECTIONS.into_iter().enumerate() {
            self.same_debts(name).await?;
            let theirs = self.ledger.dirty(name, ALL).await.expect("dirty");
            self.same_dirty(connection, &theirs)?;
            self.same_holdings(name).await?;
            let since = self.now - 10;
            let figures = self.ledger.figures(name, since).await.expect("figures");
            same("figures", &[self.reference.figures(name, since)], &[figures])?;
        }
        self.same_loads().await?;
        self.same_findings().await?;
        self.same_problems().await?;
        self.same_feed().await
    }

    async fn same_debts(&mut self, connection: &str) -> Checked {
        let mut theirs = self.ledger.debts(connection, None, 0, ALL).await.expect("debts");
        prop_assert!(theirs.windows(2).all(|pair| pair[0].id < pair[1].id), "debts come by id");
        let shown = self.reference.debts.iter().filter(|d| d.shown.connection == connection).map(Owing::shown);
        let mut ours: Vec<Debt> = shown.collect();
        theirs.sort_by_key(|d| d.item);
        ours.sort_by_key(|d| d.item);
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs).filter(|(a, b)| a.item == b.item) {
            self.debts.pair("debt", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
            let paid = ours.wanted_digest.filter(|_| ours.wanted == Wanted::Present);
            let accepted = !ours.state.paid() || theirs.sent_digest == paid;
            prop_assert!(accepted || !matches!(ours.state, DebtState::Sent), "what is paid was sent: {:?}", theirs);
        }
        same("debts", &ours, &theirs)
    }

    /// What is dirty, in the order of marks; of one mark in any order.
    fn same_dirty(
        &self,
        connection: usize,
        theirs: &[DirtyItem],
    ) -> std::result::Result<Vec<DirtyItem>, TestCaseError> {
        let ours = self.reference.dirty(CONNECTIONS[connection].0);
        let marks: BTreeMap<RecordId, i64> = ours.iter().map(|i| (i.record.id, i.mark)).collect();
        let order: Vec<_> = theirs.iter().map(|i| marks.get(&i.record.id)).collect();
        prop_assert!(order.is_sorted(), "what was marked first comes first");
        let told = |items: &[DirtyItem]| {
            let mut items: Vec<DirtyItem> =
                items.iter().map(|item| DirtyItem { debt: 0, mark: 0, ..item.clone() }).collect();
            items.sort_by_key(|i| i.record.id);
            items
        };
        same("dirty", &told(&ours), &told(theirs))?;
        Ok(ours)
    }

    async fn same_holdings(&mut self, connection: &str) -> Checked {
        let theirs = self.ledger.holdings(connection, None, ALL).await.expect("holdings");
        prop_assert!(theirs.is_sorted_by_key(|h| (h.learner, h.rank, h.debt)), "holdings come by learner and rank");
        let told = |holdings: Vec<Holding>| {
            let mut told: Vec<Holding> = holdings.into_iter().map(|h| Holding { debt: 0, ..h }).collect();
            told.sort_by_key(|h| (h.learner, h.rank, h.item));
            told
        };
        same("holdings", &told(self.reference.holdings(connection)), &told(theirs))
    }

    async fn same_loads(&mut self) -> Checked {
        let mut theirs = self.ledger.loads(None, false, ALL).await.expect("loads");
        let mut ours: Vec<Load> = self.reference.loads.iter().rev().map(|l| l.load.clone()).collect();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            let shrinkage = self.ledger.shrinkage(&theirs.connection, theirs.id).await.expect("compared");
            same("shrinkage", &[self.reference.shrinkage(&ours.connection, ours.id)], &[shrinkage])?;
            self.loads.pair("load", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
        }
        same("loads", &ours, &theirs)
    }

    async fn same_findings(&mut self) -> Checked {
        let mut theirs = self.ledger.findings(None, true, 0, ALL).await.expect("findings");
        let mut ours: Vec<Finding> = self.reference.findings.iter().map(|(_, f)| f.clone()).collect();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            self.findings.pair("finding", ours.id, theirs.id)?;
            self.reconciliations.pair("reconciliation", ours.reconciliation, theirs.reconciliation)?;
            (ours.id, theirs.id) = (0, 0);
            (ours.reconciliation, theirs.reconciliation) = (0, 0);
        }
        same("findings", &ours, &theirs)
    }

    async fn same_problems(&mut self) -> Checked {
        let mut theirs = self.ledger.problems(TENANT, 0, true, ALL).await.expect("problems");
        let mut ours = self.reference.problems.clone();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            self.problems.pair("problem", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
        }
        same("problems", &ours, &theirs)
    }

    /// What is new in the feed. Records of one call that takes back may come in any order.
    async fn same_feed(&mut self) -> Checked {
        let theirs = self.ledger.feed(&[], &[], self.position.1, ALL).await.expect("feed");
        prop_assert!(theirs.iter().all(|c| c.position > self.position.1), "no position appears behind a served one");
        prop_assert!(theirs.windows(2).all(|pair| pair[0].position < pair[1].position), "positions rise");
        let ours = self.reference.feed(&[], &[], self.position.0);
        let last = |changes: &[Change], before| changes.last().map_or(before, |c| c.position);
        self.position = (last(&ours, self.position.0), last(&theirs, self.position.1));
        same("feed", &told(ours), &told(theirs))
    }

    /// At the end: everything.
    pub(super) async fn is_the_same_in_everything(&mut self) -> Checked {
        let ledger = self.ledger;
        for n in 1..=RECORDS {
            let known = self.reference.record(id(n));
            let theirs = ledger.record(id(n)).await.expect("read");
            same("record", &[known.map(|r| r.now.clone())], &[theirs])?;
            let arrivals = known.map(|r| r.arrivals.clone()).unwrap_or_default();
            same("history", &arrivals, &ledger.history(id(n)).await.expect("history"))?;
            let mut of = ledger.debts_of(id(n)).await.expect("debts");
            of.iter_mut().for_each(|d| d.id = 0);
            let ours = self.reference.debts.iter().filter(|d| d.shown.item == id(n)).map(Owing::shown);
            let mut ours: Vec<Debt> = ours.map(|d| Debt { id: 0, ..d }).collect();
            of.sort_by(|a, b| a.connection.cmp(&b.connection));
            ours.sort_by(|a, b| a.connection.cmp(&b.connection));
            same("debts of a record", &ours, &of)?;
            let theirs: Vec<i64> = ledger.loads_of(id(n), ALL).await.expect("loads").iter().map(|l| l.id).collect();
            let carries = self.reference.loads.iter().rev().filter(|l| l.manifest.iter().any(|e| e.item == id(n)));
            let ours: Vec<i64> = carries.map(|l| self.loads.theirs(l.load.id)).collect();
            same("loads of a record", &ours, &theirs)?;
        }
        for load in &self.reference.loads {
            let theirs = ledger.manifest(self.loads.theirs(load.load.id), None, ALL).await.expect("manifest");
            let ours = load.manifest.iter().map(|e| ManifestEntry { debt: self.debts.theirs(e.debt), ..e.clone() });
            same("manifest", &ours.collect::<Vec<_>>(), &theirs)?;
        }
        for debt in &self.reference.debts {
            let theirs = ledger.attempts(self.debts.theirs(debt.shown.id), ALL).await.expect("attempts");
            let of = self.reference.attempts.iter().rev().filter(|a| a.debt == Some(debt.shown.id));
            let ours = of.map(|a| Attempt { debt: a.debt.map(|id| self.debts.theirs(id)), ..a.clone() });
            same("attempts", &ours.collect::<Vec<_>>(), &theirs)?;
        }
        self.same_lists().await
    }

    async fn same_lists(&self) -> Checked {
        let ledger = self.ledger;
        for tenant in TENANTS {
            let theirs = ledger.feed(&[tenant.to_owned()], &[RecordKind::Attainment], 0, ALL).await.expect("feed");
            let ours = self.reference.feed(&[tenant.to_owned()], &[RecordKind::Attainment], 0);
            same("feed of a tenant", &told(ours), &told(theirs))?;
            let standing: Vec<&StoredRecord> = self.reference.records.iter().map(|r| &r.now).collect();
            let current = standing.iter().filter(|r| r.tenant == tenant && r.state == State::Current);
            let mut learners: Vec<LearnerId> = current.clone().map(|r| r.learner).collect();
            learners.sort_unstable();
            learners.dedup();
            same("learners", &learners, &ledger.learners(tenant, None, ALL).await.expect("learners"))?;
            let mut ids: Vec<RecordId> = current.filter(|r| r.source == SOURCE).map(|r| r.id).collect();
            ids.sort_unstable();
            let theirs = ledger.current_ids(tenant, SOURCE, &[], None, ALL).await.expect("ids");
            same("current ids", &ids, &theirs)?;
            let counted: i64 = ledger.counts(tenant).await.expect("counts").iter().map(|c| c.records).sum();
            same("counts", &[standing.iter().filter(|r| r.tenant == tenant).count() as i64], &[counted])?;
            for n in 1..=2 {
                let mut ours: Vec<StoredRecord> = standing
                    .iter()
                    .filter(|r| r.tenant == tenant && r.learner == learner(n))
                    .map(|r| StoredRecord::clone(r))
                    .collect();
                ours.sort_by_key(|r| (r.kind, r.id));
                same("records of a learner", &ours, &ledger.records_of(tenant, learner(n)).await.expect("records"))?;
            }
            for n in 1..=RECORDS {
                let same_key = |r: &&super::reference::Known| r.now.tenant == tenant && r.lookup == Lookup([n; 16]);
                let mut ours: Vec<RecordId> =
                    self.reference.records.iter().filter(same_key).map(|r| r.now.id).collect();
                ours.sort_unstable();
                let theirs = ledger.look_up(tenant, Lookup([n; 16])).await.expect("records");
                same("records of a key", &ours, &theirs.iter().map(|r| r.id).collect::<Vec<_>>())?;
            }
        }
        Ok(())
    }
}

/// Changes without their positions; those of one time in the order of their records.
fn told(changes: Vec<Change>) -> Vec<Change> {
    let mut told: Vec<Change> = changes.into_iter().map(|c| Change { position: 0, ..c }).collect();
    told.sort_by_key(|c| (c.at, c.record.id, c.record.version));
    told
}
