//! What a ledger does, in the plainest words: lists that are walked from end to end, one rule after the other as the
//! traits tell it. Nothing here is fast, and nothing is shared with a store.

use super::super::*;
use silta_adapter::delivery::Verdict;
use std::cmp::Reverse;

/// A content and its digest; the content may have been erased.
type Content = (Digest, Option<Sealed>);

#[derive(Default)]
pub(super) struct Reference {
    last: i64,
    pub(super) records: Vec<Known>,
    pub(super) problems: Vec<StoredProblem>,
    pub(super) debts: Vec<Owing>,
    pub(super) lanes: Vec<Lane>,
    pub(super) loads: Vec<Carried>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) connections: Vec<ConnectionState>,
    pub(super) reconciliations: Vec<Reconciliation>,
    pub(super) findings: Vec<(LearnerId, Finding)>,
}

/// A record, all that was said of it, and all that arrived.
pub(super) struct Known {
    pub(super) now: StoredRecord,
    pub(super) lookup: Lookup,
    pub(super) outcome: Outcome,
    pub(super) versions: Vec<Change>,
    pub(super) arrivals: Vec<Arrival>,
}

/// A debt, and what is not shown of it.
pub(super) struct Owing {
    pub(super) shown: Debt,
    pub(super) mark: Option<i64>,
    by: LaneBy,
    pub(super) lane: Option<i64>,
    planned: bool,
    goal: Option<Content>,
    sent: Option<Content>,
    confirmed: Option<Content>,
    unsure: bool,
}

pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) connection: SmolStr,
    tenant: SmolStr,
    learner: Option<LearnerId>,
    pub(super) due: Option<Micros>,
    pub(super) lease: Option<(LeaseToken, Micros)>,
}

pub(super) struct Carried {
    pub(super) load: Load,
    pub(super) manifest: Vec<ManifestEntry>,
}

fn digest(content: &Option<Content>) -> Option<Digest> {
    content.as_ref().map(|(digest, _)| *digest)
}

// Records.

impl Reference {
    fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    pub(super) fn record(&self, id: RecordId) -> Option<&Known> {
        self.records.iter().find(|r| r.now.id == id)
    }

    pub(super) fn keep(&mut self, batch: &Batch) -> Vec<Kept> {
        let mark = self.number();
        batch.records.iter().map(|incoming| self.keep_one(batch, incoming, mark)).collect()
    }

    fn keep_one(&mut self, batch: &Batch, new: &Incoming, mark: i64) -> Kept {
        let at = self.records.iter().position(|r| r.now.id == new.id);
        let outcome = match at {
            None if self.is_contested(batch, new) => return Kept { outcome: Outcome::Contested, version: 0 },
            None => Outcome::New,
            Some(at) => verdict(&self.records[at], new, batch.reinstate),
        };
        let position = self.number();
        let at = at.unwrap_or(self.records.len());
        if outcome == Outcome::New {
            self.records.push(Known::first(batch, new));
        }
        let known = &mut self.records[at];
        if outcome.wrote() {
            known.now.state = new.state;
            if new.content.is_some() {
                known.now.digest = new.digest;
                known.now.content = new.content.clone();
            }
            known.now.revision = new.revision.or(known.now.revision);
            let said = StoredRecord { revision: new.revision, ..known.now.clone() };
            known.write(position, batch.at, outcome, said);
        } else {
            if outcome == Outcome::Unchanged {
                known.now.revision = known.now.revision.max(new.revision);
            }
            let (version, state, revision, digest) = (known.now.version, new.state, new.revision, new.digest);
            known.arrivals.push(Arrival { at: batch.at, outcome, version, state, revision, digest });
        }
        let kept = Kept { outcome, version: known.now.version };
        if outcome.wrote() {
            for target in &batch.targets {
                self.mark_for(target, new.id, batch.at, mark);
            }
        }
        kept
    }

    fn is_contested(&self, batch: &Batch, new: &Incoming) -> bool {
        let same_key = |r: &&Known| {
            r.now.tenant == batch.tenant
                && r.lookup == new.lookup
                && r.now.kind == new.kind
                && r.now.institution == new.institution
        };
        new.kind != RecordKind::Learner && self.records.iter().filter(same_key).any(|r| r.now.source != new.source)
    }

    pub(super) fn take_back(&mut self, batch: &TakeBack) -> u64 {
        let mark = self.number();
        let mut changed = Vec::new();
        for id in &batch.ids {
            let position = self.number();
            let standing =
                |r: &&mut Known| r.now.id == *id && r.now.tenant == batch.tenant && !r.now.state.is_tombstone();
            let Some(known) = self.records.iter_mut().find(standing) else { continue };
            known.now.state = batch.state;
            known.write(position, batch.at, Outcome::Updated, known.now.clone());
            changed.push(*id);
        }
        for debt in self.debts.iter_mut().filter(|d| changed.contains(&d.shown.item)) {
            debt.mark = Some(mark);
        }
        changed.len() as u64
    }

    pub(super) fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64) -> Vec<Change> {
        let all = self.records.iter().flat_map(|r| &r.versions);
        let asked = all.filter(|c| {
            c.position > after
                && (tenants.is_empty() || tenants.iter().any(|t| c.record.tenant == *t))
                && (kinds.is_empty() || kinds.contains(&c.record.kind))
        });
        let mut changes: Vec<Change> = asked.cloned().collect();
        changes.sort_by_key(|c| c.position);
        changes
    }

    pub(super) fn settle_problems(&mut self, reading: &ProblemReading) {
        let mut still: Vec<i64> = Vec::new();
        let ours = |p: &StoredProblem| {
            let looked_at = p.record.is_some_and(|r| reading.records.contains(&r));
            p.closed.is_none() && p.tenant == reading.tenant && p.origin == reading.origin && looked_at
        };
        let before: Vec<i64> = self.problems.iter().filter(|p| ours(p)).map(|p| p.id).collect();
        for new in &reading.problems {
            let same = |p: &&mut StoredProblem| {
                before.contains(&p.id) && !still.contains(&p.id) && p.record == new.record && p.code == new.code
            };
            if let Some(old) = self.problems.iter_mut().find(same) {
                (old.severity, old.fixer, old.content) = (new.severity, new.fixer, new.content.clone());
                still.push(old.id);
                continue;
            }
            let id = self.number();
            self.problems.push(StoredProblem {
                id,
                tenant: reading.tenant.clone(),
                origin: reading.origin.clone(),
                record: new.record,
                code: new.code.clone(),
                severity: new.severity,
                fixer: new.fixer,
                content: new.content.clone(),
                opened: reading.at,
                closed: None,
                closed_by: None,
            });
        }
        for id in before.into_iter().filter(|id| !still.contains(id)) {
            let version = self.problems.iter().find(|p| p.id == id).and_then(|p| p.record);
            let version = version.and_then(|r| self.record(r)).map(|r| r.now.version);
            for cured in self.problems.iter_mut().filter(|p| p.id == id) {
                (cured.closed, cured.closed_by) = (Some(reading.at), version);
            }
        }
    }

    pub(super) fn erase(&mut self, tenant: &str, learner: LearnerId, at: Micros) -> u64 {
        let (mut gone, mut blanked) = (Vec::new(), 0);
        let theirs = |r: &&mut Known| r.now.tenant == tenant && r.now.learner == learner;
        for known in self.records.iter_mut().filter(theirs).filter(|r| r.now.state.is_tombstone()) {
            blanked += u64::from(known.versions.iter().any(|v| v.record.content.is_some()));
            known.now.content = None;
            known.versions.iter_mut().for_each(|v| v.record.content = None);
            gone.push(known.now.id);
        }
        if gone.is_empty() {
            return 0;
        }
        for debt in self.debts.iter_mut().filter(|d| gone.contains(&d.shown.item)) {
            debt.shown.losses = None;
            for (_, content) in [&mut debt.goal, &mut debt.sent, &mut debt.confirmed].into_iter().flatten() {
                *content = None;
            }
        }
        for problem in self.problems.iter_mut().filter(|p| p.record.is_some_and(|r| gone.contains(&r))) {
            problem.content.clear();
            problem.closed = problem.closed.or(Some(at));
        }
        let known: Vec<RecordId> = self.records.iter().map(|r| r.now.id).collect();
        for (of, finding) in &mut self.findings {
            if *of == learner && (gone.contains(&finding.item) || !known.contains(&finding.item)) {
                finding.evidence.clear();
            }
        }
        blanked
    }
}

/// What becomes of an arrival of a known record.
fn verdict(known: &Known, new: &Incoming, reinstate: bool) -> Outcome {
    let now = &known.now;
    let (newer, older) = match (new.revision, now.revision) {
        (Some(new), Some(old)) => (new > old, new < old),
        _ => (false, false),
    };
    let revives = now.state.is_tombstone() && !new.state.is_tombstone();
    if older {
        Outcome::Stale
    } else if now.state == State::ConsentWithdrawn && new.state != State::ConsentWithdrawn {
        Outcome::Refused
    } else if revives && !newer && !reinstate {
        Outcome::Refused
    } else if new.state == now.state && (new.content.is_none() || new.digest == now.digest) {
        Outcome::Unchanged
    } else if new.state == now.state && !newer && known.versions.iter().any(|v| v.record.digest == new.digest) {
        Outcome::Reverted
    } else {
        Outcome::Updated
    }
}

impl Known {
    fn first(batch: &Batch, new: &Incoming) -> Self {
        let now = StoredRecord {
            id: new.id,
            tenant: batch.tenant.clone(),
            learner: new.learner,
            source: new.source.clone(),
            kind: new.kind,
            institution: new.institution.clone(),
            version: 0,
            state: new.state,
            revision: None,
            digest: new.digest,
            content: None,
        };
        Self { now, lookup: new.lookup, outcome: Outcome::New, versions: Vec::new(), arrivals: Vec::new() }
    }

    fn write(&mut self, position: i64, at: Micros, outcome: Outcome, said: StoredRecord) {
        self.now.version += 1;
        self.outcome = outcome;
        let record = StoredRecord { version: self.now.version, ..said };
        let StoredRecord { version, state, revision, digest, .. } = record;
        self.versions.push(Change { position, at, record });
        self.arrivals.push(Arrival { at, outcome, version, state, revision, digest });
    }
}

// Debts.

impl Reference {
    fn mark_for(&mut self, target: &DebtTarget, item: RecordId, at: Micros, mark: i64) {
        let theirs = |d: &&mut Owing| d.shown.item == item && d.shown.connection == target.connection;
        if let Some(debt) = self.debts.iter_mut().find(theirs) {
            debt.mark = Some(mark);
            return;
        }
        let id = self.number();
        let Some(record) = self.record(item).map(|r| r.now.clone()) else { return };
        self.debts.push(Owing {
            shown: Debt {
                id,
                connection: target.connection.clone(),
                tenant: record.tenant,
                item,
                kind: record.kind,
                state: DebtState::Unplanned,
                wanted: Wanted::Present,
                generation: 0,
                attempts: 0,
                since: at,
                fixer: None,
                reason: String::new(),
                wanted_digest: None,
                sent_digest: None,
                confirmed_digest: None,
                sent_at: None,
                confirmed_at: None,
                losses: None,
            },
            mark: Some(mark),
            by: target.lane,
            lane: None,
            planned: false,
            goal: None,
            sent: None,
            confirmed: None,
            unsure: false,
        });
    }

    pub(super) fn debt(&self, id: i64) -> Option<&Owing> {
        self.debts.iter().find(|d| d.shown.id == id)
    }

    fn is_being_sent(&self, debt: &Owing) -> bool {
        let carries = |l: &Carried| {
            l.load.status == LoadStatus::Sending
                && l.load.connection == debt.shown.connection
                && l.manifest.iter().any(|e| e.item == debt.shown.item)
        };
        debt.shown.state == DebtState::Sending || self.loads.iter().any(carries)
    }

    /// In the order of marks.
    pub(super) fn dirty(&self, connection: &str) -> Vec<DirtyItem> {
        let marked = self.debts.iter().filter(|d| d.shown.connection == connection && !self.is_being_sent(d));
        let item = |d: &Owing| {
            let record = self.record(d.shown.item)?;
            Some(DirtyItem {
                debt: d.shown.id,
                mark: d.mark?,
                record: record.now.clone(),
                outcome: record.outcome,
                sent: digest(&d.sent),
                confirmed: digest(&d.confirmed),
                unsure: d.unsure,
                state: d.shown.state,
            })
        };
        let mut items: Vec<DirtyItem> = marked.filter_map(item).collect();
        items.sort_by_key(|i| (i.mark, i.record.id));
        items
    }

    pub(super) fn plan(&mut self, connection: &str, at: Micros, plans: &[Plan]) {
        let mut planned = Vec::new();
        for plan in plans {
            let Some(debt) = self.debt(plan.debt) else { continue };
            let counts = debt.shown.connection == connection && debt.mark == Some(plan.mark);
            if !counts || self.is_being_sent(debt) {
                continue;
            }
            let said = self.record(debt.shown.item).map(|r| (r.now.digest, r.now.content.clone()));
            for debt in self.debts.iter_mut().filter(|d| d.shown.id == plan.debt) {
                debt.mark = None;
                debt.planned = true;
                debt.shown.since = at;
                debt.decided(&plan.decision, said.clone());
            }
            planned.push(plan.debt);
        }
        self.queue(&planned, at, false);
    }

    /// After debts changed: what is owed has a lane, which is due; where nothing is owed, it is not.
    fn queue(&mut self, debts: &[i64], at: Micros, at_once: bool) {
        let touched: Vec<usize> = (0..self.debts.len()).filter(|n| debts.contains(&self.debts[*n].shown.id)).collect();
        for n in &touched {
            let debt = &self.debts[*n];
            if debt.shown.state != DebtState::Owed || debt.lane.is_some() {
                continue;
            }
            let learner = self.record(debt.shown.item).map(|r| r.now.learner).filter(|_| debt.by == LaneBy::Learner);
            let (connection, tenant) = (debt.shown.connection.clone(), debt.shown.tenant.clone());
            let same = |l: &&Lane| l.connection == connection && l.tenant == tenant && l.learner == learner;
            let lane = match self.lanes.iter().find(same) {
                Some(lane) => lane.id,
                None => {
                    let id = self.number();
                    self.lanes.push(Lane { id, connection, tenant, learner, due: None, lease: None });
                    id
                }
            };
            self.debts[*n].lane = Some(lane);
        }
        for n in touched {
            let Some(lane) = self.debts[n].lane else { continue };
            let owed = self.debts.iter().any(|d| d.lane == Some(lane) && d.shown.state == DebtState::Owed);
            let changed = self.debts[n].shown.state == DebtState::Owed;
            for lane in self.lanes.iter_mut().filter(|l| l.id == lane && l.lease.is_none()) {
                lane.due = match lane.due {
                    _ if !owed => None,
                    Some(due) if at_once && changed => Some(due.min(at)),
                    Some(due) => Some(due),
                    None => Some(at),
                };
            }
        }
    }

    pub(super) fn replan(&mut self, target: &DebtTarget, tenant: &str) -> u64 {
        let mark = self.number();
        let without: Vec<(RecordId, Micros)> = self
            .records
            .iter()
            .filter(|r| r.now.tenant == tenant)
            .filter_map(|r| Some((r.now.id, r.versions.last()?.at)))
            .collect();
        for (item, at) in without {
            self.mark_for(target, item, at, mark);
        }
        let all = self.debts.iter_mut().filter(|d| d.shown.connection == target.connection);
        all.map(|d| d.mark = Some(mark)).count() as u64
    }

    /// Lanes that may be claimed: all that are due longest.
    pub(super) fn due(&self, connection: &str, now: Micros) -> Vec<i64> {
        let free = |l: &&Lane| l.connection == connection && l.lease.is_none() && l.due.is_some_and(|due| due <= now);
        let first = self.lanes.iter().filter(free).filter_map(|l| l.due).min();
        self.lanes.iter().filter(free).filter(|l| l.due == first).map(|l| l.id).collect()
    }

    pub(super) fn claim(&mut self, lane: i64, until: Micros, limit: u32) -> Claim {
        let mut owed: Vec<&mut Owing> =
            self.debts.iter_mut().filter(|d| d.lane == Some(lane) && d.shown.state == DebtState::Owed).collect();
        owed.sort_by_key(|d| {
            let (absent, rank) = (d.shown.wanted == Wanted::Absent, rank(d.shown.kind));
            (absent, if absent { 0 } else { rank }, Reverse(rank), d.shown.since, d.shown.id)
        });
        owed.truncate(limit as usize);
        let mut debts = Vec::new();
        for debt in owed {
            debt.shown.state = DebtState::Sending;
            let Some(record) = self.records.iter().find(|r| r.now.id == debt.shown.item) else { continue };
            let last_there = debt.sent.clone().and_then(|(_, content)| content);
            let (digest, goal) = debt.goal.clone().expect("what is owed is known");
            debts.push(ClaimedDebt {
                id: debt.shown.id,
                item: debt.shown.item,
                tenant: debt.shown.tenant.clone(),
                generation: debt.shown.generation,
                wanted: debt.shown.wanted,
                record_state: record.now.state,
                digest,
                content: match debt.shown.wanted {
                    Wanted::Present => goal,
                    Wanted::Absent => last_there.or_else(|| record.now.content.clone()),
                },
                attempts: debt.shown.attempts,
            });
        }
        let token = LeaseToken(self.number());
        for lane in self.lanes.iter_mut().filter(|l| l.id == lane) {
            lane.due = None;
            lane.lease = Some((token, until));
        }
        Claim { lane: LaneId(lane), token, debts }
    }

    pub(super) fn renew(&mut self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        let lease = self.lanes.iter_mut().filter(|l| l.id == lane.0).find_map(|l| l.lease.as_mut());
        let lease = lease.filter(|(held, _)| *held == token).ok_or(LedgerError::LeaseLost)?;
        lease.1 = until;
        Ok(())
    }

    pub(super) fn settle(&mut self, settled: &Settled) -> Result<()> {
        self.renew(settled.lane, settled.token, settled.at)?;
        let lane = settled.lane.0;
        for what in &settled.debts {
            for debt in self.debts.iter_mut().filter(|d| d.shown.id == what.debt && d.lane == Some(lane)) {
                let found_waiting = debt.shown.state == DebtState::Owed && what.state == DebtState::Waiting;
                let counts = debt.shown.state == DebtState::Sending || found_waiting;
                if counts && debt.shown.generation == what.generation {
                    debt.settled(what, settled.at);
                }
            }
        }
        for debt in self.debts.iter_mut().filter(|d| d.lane == Some(lane) && d.shown.state == DebtState::Sending) {
            debt.shown.state = DebtState::Owed;
        }
        self.free(lane, settled.next);
        Ok(())
    }

    fn free(&mut self, id: i64, next: Micros) {
        let owed = self.debts.iter().any(|d| d.lane == Some(id) && d.shown.state == DebtState::Owed);
        for lane in self.lanes.iter_mut().filter(|l| l.id == id) {
            lane.lease = None;
            lane.due = owed.then_some(next);
        }
    }

    pub(super) fn reap(&mut self, now: Micros) -> u64 {
        let over = |l: &&Lane| l.lease.is_some_and(|(_, until)| until < now);
        let lost: Vec<i64> = self.lanes.iter().filter(over).map(|l| l.id).collect();
        for debt in &mut self.debts {
            if debt.shown.state != DebtState::Sending || !debt.lane.is_some_and(|lane| lost.contains(&lane)) {
                continue;
            }
            debt.shown.state = DebtState::Uncertain;
            debt.shown.attempts += 1;
            debt.shown.reason = "the lease ran out".into();
            debt.shown.fixer = None;
            debt.unsure = true;
            self.attempts.push(Attempt {
                debt: Some(debt.shown.id),
                load: None,
                connection: debt.shown.connection.clone(),
                at: now,
                took: 0,
                verdict: Verdict::Uncertain,
                cause: "lease".into(),
                reason: "the lease ran out".into(),
            });
        }
        for lane in &lost {
            self.free(*lane, now);
        }
        let held = |load: &Load| {
            let of = |l: &&Lane| l.connection == load.connection && l.tenant == load.tenant && l.learner.is_none();
            self.lanes.iter().filter(of).any(|l| l.lease.is_some())
        };
        let sending = self.loads.iter().filter(|l| l.load.status == LoadStatus::Sending && !held(&l.load));
        let dead: Vec<i64> = sending.map(|l| l.load.id).collect();
        for load in dead {
            self.close_load(load, now, LoadStatus::Failed, "the lease ran out");
        }
        lost.len() as u64
    }

    pub(super) fn try_again(&mut self, connection: &str, now: Micros) -> u64 {
        let theirs = |d: &&mut Owing| d.shown.connection == connection && d.shown.state == DebtState::Uncertain;
        let mut again = Vec::new();
        for debt in self.debts.iter_mut().filter(theirs) {
            debt.shown.state = DebtState::Owed;
            again.push(debt.shown.id);
        }
        self.queue(&again, now, false);
        again.len() as u64
    }

    pub(super) fn raise(&mut self, at: Micros, why: &str, which: &Raise) -> u64 {
        let mark = self.number();
        let asked = |d: &&mut Owing| match which {
            Raise::Debts(ids) => ids.contains(&d.shown.id),
            Raise::State { connection, state } => d.shown.connection == *connection && d.shown.state == *state,
        };
        let mut raised = Vec::new();
        for debt in self.debts.iter_mut().filter(asked).filter(|d| d.shown.state != DebtState::Sending) {
            raised.push(debt.shown.id);
            match debt.goal {
                Some(_) => debt.raised(at, why),
                None => debt.mark = Some(mark),
            }
        }
        self.queue(&raised, at, true);
        raised.len() as u64
    }

    pub(super) fn observed(&mut self, at: Micros, seen: &[Observation]) {
        for one in seen {
            let theirs = |d: &&mut Owing| d.shown.id == one.debt && d.shown.generation == one.generation;
            self.debts.iter_mut().filter(theirs).for_each(|d| d.observed(at, one));
        }
        self.queue(&seen.iter().map(|o| o.debt).collect::<Vec<_>>(), at, false);
    }

    /// By learner, rank and age.
    pub(super) fn holdings(&self, connection: &str) -> Vec<Holding> {
        let whole = |content: &Option<Content>| content.clone().and_then(|(of, content)| Some((of, content?)));
        let theirs = self.debts.iter().filter(|d| d.shown.connection == connection);
        let holding = |d: &Owing| {
            Some(Holding {
                debt: d.shown.id,
                item: d.shown.item,
                learner: self.record(d.shown.item)?.now.learner,
                rank: rank(d.shown.kind),
                kind: d.shown.kind,
                state: d.shown.state,
                generation: d.shown.generation,
                wanted: d.planned.then_some(d.shown.wanted),
                wanted_content: whole(&d.present()),
                sent_content: whole(&d.sent),
                confirmed_content: whole(&d.confirmed),
                sent_at: d.shown.sent_at,
            })
        };
        let mut holdings: Vec<Holding> = theirs.filter_map(holding).collect();
        holdings.sort_by_key(|h| (h.learner, h.rank, h.debt));
        holdings
    }

    pub(super) fn figures(&self, connection: &str, since: Micros) -> Figures {
        let debts: Vec<&Owing> = self.debts.iter().filter(|d| d.shown.connection == connection).collect();
        let count = |state| debts.iter().filter(|d| d.shown.state == state).count() as i64;
        let attempts: Vec<&Attempt> =
            self.attempts.iter().filter(|a| a.connection == connection && a.at >= since).collect();
        let taken = |a: &&&Attempt| matches!(a.verdict, Verdict::Accepted | Verdict::AcceptedPending);
        let held = |l: &&Carried| l.load.connection == connection && l.load.status == LoadStatus::Held;
        let persistent =
            |f: &&(LearnerId, Finding)| f.1.connection == connection && f.1.status == FindingStatus::Persistent;
        Figures {
            states: DebtState::ALL.into_iter().map(|s| (s, count(s))).filter(|(_, n)| *n > 0).collect(),
            dirty: debts.iter().filter(|d| d.mark.is_some() && !d.shown.state.open()).count() as i64,
            oldest: debts.iter().filter(|d| d.shown.state.open()).map(|d| d.shown.since).min(),
            attempts: attempts.len() as i64,
            accepted: attempts.iter().filter(taken).count() as i64,
            held_loads: self.loads.iter().filter(held).count() as i64,
            persistent: self.findings.iter().filter(persistent).count() as i64,
        }
    }
}

impl Owing {
    /// What must be there, if anything must.
    fn present(&self) -> Option<Content> {
        self.goal.clone().filter(|_| self.shown.wanted == Wanted::Present)
    }

    fn raised(&mut self, at: Micros, why: &str) {
        let shown = &mut self.shown;
        (shown.state, shown.since, shown.attempts) = (DebtState::Owed, at, 0);
        (shown.fixer, shown.reason) = (None, why.into());
        shown.generation += 1;
    }

    fn decided(&mut self, decision: &Decision, said: Option<Content>) {
        match decision {
            Decision::Owe { wanted, digest, content, losses } => {
                let of_record = said.and_then(|(_, content)| content);
                let own = content.clone().or(of_record).filter(|_| *wanted == Wanted::Present);
                self.shown.wanted = *wanted;
                self.goal = Some((*digest, own));
                self.shown.losses.clone_from(losses);
                self.raised(self.shown.since, "");
            }
            Decision::Settle { wanted, state } => {
                (self.shown.wanted, self.shown.state) = (*wanted, *state);
                (self.shown.fixer, self.shown.reason) = (None, String::new());
                self.goal = self.sent.clone().or(said);
            }
            Decision::Refuse { fixer, reason } => {
                (self.shown.wanted, self.shown.state) = (Wanted::Present, DebtState::Refused);
                (self.shown.fixer, self.shown.reason) = (Some(*fixer), reason.clone());
                (self.goal, self.shown.losses) = (None, None);
            }
        }
    }

    fn settled(&mut self, what: &Settlement, at: Micros) {
        self.shown.state = what.state;
        self.shown.attempts += 1;
        (self.shown.fixer, self.shown.reason) = (what.fixer, what.reason.clone());
        self.unsure |= what.state == DebtState::Uncertain;
        if what.state.paid() {
            self.accepted(at);
        }
        if what.state == DebtState::Confirmed {
            self.seen(at);
        }
    }

    fn accepted(&mut self, at: Micros) {
        self.sent = self.present();
        self.shown.sent_at = Some(at);
        self.unsure = false;
    }

    fn seen(&mut self, at: Micros) {
        self.confirmed = self.sent.clone();
        self.shown.confirmed_at = Some(at);
    }

    fn observed(&mut self, at: Micros, seen: &Observation) {
        let settles = self.shown.state == DebtState::Uncertain && digest(&self.present()) == seen.digest;
        if settles && seen.holds {
            self.accepted(at);
            self.shown.state = DebtState::Sent;
        }
        if self.shown.sent_at.is_some() && digest(&self.sent) == seen.digest {
            if seen.holds {
                self.seen(at);
                if matches!(self.shown.state, DebtState::Sent | DebtState::Unverifiable) {
                    self.shown.state = DebtState::Confirmed;
                }
            } else {
                if digest(&self.confirmed) == digest(&self.sent) {
                    (self.confirmed, self.shown.confirmed_at) = (None, None);
                }
                if self.shown.state == DebtState::Confirmed {
                    self.shown.state = DebtState::Sent;
                }
            }
        }
        if settles && !seen.holds {
            self.shown.state = DebtState::Owed;
        }
    }

    pub(super) fn shown(&self) -> Debt {
        Debt {
            wanted_digest: digest(&self.goal),
            sent_digest: digest(&self.sent),
            confirmed_digest: digest(&self.confirmed),
            ..self.shown.clone()
        }
    }
}

// Loads.

impl Reference {
    pub(super) fn open_load(&mut self, new: &NewLoad) -> i64 {
        let id = self.number();
        let NewLoad { connection, tenant, at, status, reason } = new.clone();
        let load = Load { id, connection, tenant, at, status, reason, items: 0, closed: None };
        self.loads.push(Carried { load, manifest: Vec::new() });
        id
    }

    pub(super) fn add_to_manifest(&mut self, load: i64, entries: &[ManifestEntry]) {
        for carried in self.loads.iter_mut().filter(|l| l.load.id == load) {
            for entry in entries {
                carried.manifest.retain(|old| old.item != entry.item);
                carried.manifest.push(entry.clone());
            }
            carried.manifest.sort_by_key(|e| e.item);
            carried.load.items = carried.manifest.iter().filter(|e| e.digest.is_some()).count() as i64;
        }
    }

    pub(super) fn close_load(&mut self, id: i64, at: Micros, status: LoadStatus, reason: &str) {
        let open = |l: &&mut Carried| l.load.id == id && l.load.closed.is_none();
        let Some(carried) = self.loads.iter_mut().find(open) else { return };
        (carried.load.status, carried.load.reason) = (status, reason.into());
        carried.load.closed = status.closed().then_some(at);
        let (opened, manifest) = (carried.load.at, carried.manifest.clone());
        for entry in &manifest {
            for debt in self.debts.iter_mut().filter(|d| d.shown.id == entry.debt) {
                match status {
                    LoadStatus::Delivered => debt.delivered(entry, opened, at),
                    LoadStatus::Failed => debt.unsure |= entry.digest != digest(&debt.sent),
                    _ => {}
                }
            }
        }
        if status == LoadStatus::Delivered {
            self.queue(&manifest.iter().map(|e| e.debt).collect::<Vec<_>>(), at, false);
        }
    }

    pub(super) fn shrinkage(&self, connection: &str, load: i64) -> Shrinkage {
        let none = Shrinkage { before: None, removed: 0 };
        let Some(new) = self.loads.iter().find(|l| l.load.id == load) else { return none };
        let delivered = |l: &&Carried| {
            l.load.connection == connection
                && l.load.tenant == new.load.tenant
                && l.load.status == LoadStatus::Delivered
        };
        let Some(last) = self.loads.iter().rfind(delivered) else { return none };
        let places = |load: &Carried, item| load.manifest.iter().any(|e| e.item == item && e.digest.is_some());
        let there = last.manifest.iter().filter(|e| e.digest.is_some());
        let removed = there.filter(|e| !places(new, e.item)).count() as i64;
        Shrinkage { before: Some(last.load.items), removed }
    }
}

impl Owing {
    fn delivered(&mut self, entry: &ManifestEntry, opened: Micros, at: Micros) {
        let same_debt = entry.generation == self.shown.generation;
        let accepted_since = self.shown.sent_at.is_some_and(|sent| sent >= opened);
        let nothing = entry.digest.is_none() && !entry.wanted && self.sent.is_none();
        if nothing || !same_debt && accepted_since {
            return;
        }
        let pays = same_debt
            && entry.wanted
            && match entry.digest {
                None => self.shown.wanted == Wanted::Absent,
                Some(carried) => digest(&self.goal) == Some(carried),
            };
        let at_hand: Vec<Content> = [&self.sent, &self.goal, &self.confirmed].into_iter().flatten().cloned().collect();
        let known = |of: Digest| at_hand.iter().find(|c| c.0 == of && c.1.is_some()).and_then(|c| c.1.clone());
        self.sent = entry.digest.map(|of| (of, known(of)));
        self.shown.sent_at = Some(at);
        self.unsure &= !same_debt;
        if pays && self.shown.state.open() {
            (self.shown.state, self.shown.fixer, self.shown.reason) = (DebtState::Sent, None, String::new());
        }
    }
}

// Findings.

impl Reference {
    pub(super) fn open_reconciliation(&mut self, connection: &str, at: Micros) -> i64 {
        let id = self.number();
        let connection = connection.into();
        self.reconciliations.push(Reconciliation { id, connection, started: at, ended: None, summary: None });
        id
    }

    pub(super) fn found(&mut self, reconciliation: i64, at: Micros, looked_at: &[RecordId], found: &[NewFinding]) {
        let run = self.reconciliations.iter().find(|r| r.id == reconciliation);
        let Some(connection) = run.map(|r| r.connection.clone()) else { return };
        let settling = |item| found.iter().any(|f| f.item == item && f.kind == FindingKind::Settling);
        for (_, old) in self.findings.iter_mut().filter(|(_, f)| f.connection == connection && f.closed.is_none()) {
            let again = found.iter().any(|f| f.item == old.item && f.kind == old.kind);
            if looked_at.contains(&old.item) && !again && !settling(old.item) {
                (old.status, old.closed) = (FindingStatus::Closed, Some(at));
            }
        }
        for new in found.iter().filter(|f| f.kind == FindingKind::Settling || !settling(f.item)) {
            let same = |f: &&mut (LearnerId, Finding)| {
                let old = &f.1;
                old.closed.is_none() && old.connection == connection && old.item == new.item && old.kind == new.kind
            };
            if let Some((_, old)) = self.findings.iter_mut().find(same) {
                old.status = match old.status {
                    FindingStatus::Repairing => FindingStatus::Persistent,
                    FindingStatus::Accepted if old.digest != new.digest => FindingStatus::Open,
                    other => other,
                };
                (old.reconciliation, old.debt, old.digest) = (reconciliation, new.debt, new.digest);
                (old.implied_by, old.evidence, old.seen) = (new.implied_by, new.evidence.clone(), at);
                old.sightings += 1;
                continue;
            }
            let id = self.number();
            let finding = Finding {
                id,
                reconciliation,
                connection: connection.clone(),
                item: new.item,
                debt: new.debt,
                kind: new.kind,
                status: FindingStatus::Open,
                digest: new.digest,
                implied_by: new.implied_by,
                evidence: new.evidence.clone(),
                opened: at,
                seen: at,
                sightings: 1,
                closed: None,
            };
            self.findings.push((new.learner, finding));
        }
    }

    pub(super) fn set_finding(&mut self, id: i64, at: Micros, status: FindingStatus) {
        for (_, finding) in self.findings.iter_mut().filter(|(_, f)| f.id == id && f.closed.is_none()) {
            finding.status = status;
            finding.closed = (status == FindingStatus::Closed).then_some(at);
        }
    }
}

// What is over.

impl Reference {
    pub(super) fn forget(&mut self, what: Trace, before: Micros) -> u64 {
        let over = |closed: Option<Micros>| closed.is_some_and(|closed| closed < before);
        match what {
            Trace::Attempts => {
                let states: Vec<(i64, DebtState)> = self.debts.iter().map(|d| (d.shown.id, d.shown.state)).collect();
                let open = |id| states.iter().any(|(debt, state)| *debt == id && state.open());
                retain(&mut self.attempts, |a| a.at >= before || a.debt.is_some_and(open))
            }
            Trace::Findings => retain(&mut self.findings, |(_, f)| !over(f.closed)),
            Trace::Reconciliations => {
                let all = self.reconciliations.clone();
                let told: Vec<i64> = self.findings.iter().map(|(_, f)| f.reconciliation).collect();
                retain(&mut self.reconciliations, |run| {
                    let last = all.iter().rfind(|r| r.connection == run.connection).is_some_and(|r| r.id == run.id);
                    last || told.contains(&run.id) || run.ended.unwrap_or(run.started) >= before
                })
            }
            Trace::Loads => {
                let all: Vec<Load> = self.loads.iter().map(|l| l.load.clone()).collect();
                retain(&mut self.loads, |l| {
                    let same = |o: &&Load| o.connection == l.load.connection && o.tenant == l.load.tenant;
                    let last = all.iter().filter(same).rfind(|o| o.status == LoadStatus::Delivered);
                    last.is_some_and(|last| last.id == l.load.id) || !over(l.load.closed)
                })
            }
            Trace::Problems => retain(&mut self.problems, |p| !over(p.closed)),
            Trace::Audit => 0,
            Trace::Arrivals => {
                self.records.iter_mut().map(|r| retain(&mut r.arrivals, |a| a.outcome.wrote() || a.at >= before)).sum()
            }
            Trace::Versions => self.records.iter_mut().map(|r| r.forget_versions(before)).sum(),
        }
    }
}

impl Known {
    fn forget_versions(&mut self, before: Micros) -> u64 {
        let all: Vec<(i64, Micros)> = self.versions.iter().map(|v| (v.record.version, v.at)).collect();
        let stays = |version| !all.iter().any(|(newer, at)| *newer > version && *at < before);
        self.arrivals.retain(|a| !a.outcome.wrote() || stays(a.version));
        retain(&mut self.versions, |v| stays(v.record.version))
    }
}

/// Keeps some; returns how many went.
fn retain<T>(of: &mut Vec<T>, stays: impl Fn(&T) -> bool) -> u64 {
    let had = of.len();
    of.retain(stays);
    (had - of.len()) as u64
}
