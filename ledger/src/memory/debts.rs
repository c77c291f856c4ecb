//! Marks, plans, generations, observations.

use super::loads::digest;
use super::*;
use crate::stored::CALLED_OFF;
use std::ops::Bound::{Excluded, Unbounded};

impl Rows {
    pub(super) fn debts_of(&self, item: RecordId) -> Vec<i64> {
        let from = (item, SmolStr::default());
        let mut debts: Vec<i64> =
            self.by_item.range(from..).take_while(|((of, _), _)| *of == item).map(|(_, debt)| *debt).collect();
        debts.sort_unstable();
        debts
    }

    /// Marks an item dirty, with a debt if it has none yet.
    pub(super) fn mark_item(&mut self, item: RecordId, tenant: &SmolStr, target: &DebtTarget, at: Micros) {
        let key = (item, target.connection.clone());
        let debt = match self.by_item.get(&key) {
            Some(debt) => *debt,
            None => {
                let Some(record) = self.records.get(&item) else { return };
                let kind = record.kind;
                let id = self.next();
                self.debts.insert(id, DebtRow::new(target, tenant, item, kind, at));
                self.by_item.insert(key, id);
                id
            }
        };
        self.mark(debt);
    }

    /// Marks every item of a learner dirty that a connection has.
    pub(super) fn mark_learner(&mut self, learner: LearnerId, connection: &SmolStr) {
        let ids = self.by_learner.get(&learner).into_iter().flatten();
        let theirs = ids.filter(|id| self.records.get(id).is_some_and(|row| row.learner() == learner));
        let debts: Vec<i64> = theirs.filter_map(|id| self.by_item.get(&(*id, connection.clone())).copied()).collect();
        debts.into_iter().for_each(|debt| self.mark(debt));
    }

    pub(super) fn mark(&mut self, debt: i64) {
        let mark = self.next();
        let old = self.debts.get_mut(&debt).and_then(|row| row.mark.replace(mark));
        old.and_then(|old| self.dirty.remove(&old));
        self.dirty.insert(mark, debt);
    }

    /// True while the debt is being sent, by a claim or in one of the loads.
    fn being_sent(row: &DebtRow, loads: &[&loads::LoadRow]) -> bool {
        row.state == DebtState::Sending || loads.iter().any(|load| load.carries(row.item))
    }

    fn dirty_item(&self, mark: i64, debt: i64, row: &DebtRow) -> Option<DirtyItem> {
        let record = self.records.get(&row.item)?;
        Some(DirtyItem {
            debt,
            mark,
            record: record.stored(row.item),
            outcome: record.outcome(),
            sent: digest(&row.sent),
            confirmed: digest(&row.confirmed),
            unsure: row.unsure,
            state: row.state,
            planned: row.wanted.zip(digest(&row.goal)),
        })
    }

    fn plan(&mut self, connection: &str, at: Micros, plans: &[Plan]) {
        let mut lanes = BTreeSet::new();
        for plan in plans {
            let Some(row) = self.debts.get(&plan.debt) else { continue };
            let stands = row.connection == connection && row.mark == Some(plan.mark);
            if !stands || Self::being_sent(row, &self.under_way(connection)) {
                continue;
            }
            let said = self.records.get(&row.item).map(|record| record.content().clone());
            let Some(row) = self.debts.get_mut(&plan.debt) else { continue };
            row.mark = None;
            self.dirty.remove(&plan.mark);
            row.plan(at, &plan.decision, said);
            lanes.extend(self.join_lane(plan.debt));
        }
        for lane in lanes {
            self.look_at_lane(lane, at);
        }
    }

    fn raise(&mut self, at: Micros, why: &str, which: &Raise) -> u64 {
        let ids: BTreeSet<i64> = match which {
            Raise::Debts(ids) => ids.iter().copied().collect(),
            Raise::State { connection, state } => {
                let asked = self.debts.iter().filter(|(_, row)| row.connection == *connection && row.state == *state);
                asked.map(|(id, _)| *id).collect()
            }
        };
        let mut raised = 0;
        let mut lanes = BTreeSet::new();
        for id in ids {
            let fixed = |row: &DebtRow| matches!(row.state, DebtState::Sending | DebtState::Barred);
            let Some(row) = self.debts.get_mut(&id).filter(|row| !fixed(row)) else { continue };
            raised += 1;
            if row.goal.is_some() {
                row.raise(at, why);
                lanes.extend(self.join_lane(id));
            } else {
                self.mark(id);
            }
        }
        for lane in lanes {
            let due = self.lanes.get(&lane).and_then(|lane| lane.due).unwrap_or(at);
            self.set_due(lane, Some(due.min(at)));
        }
        raised
    }

    fn call_off(&mut self, at: Micros, id: i64, why: &str) -> bool {
        let loads = self.under_way_of(id);
        let Some(row) = self.debts.get_mut(&id) else { return false };
        if row.state != DebtState::Owed || row.attempts > 0 || row.reason != why || loads {
            return false;
        }
        let lane = row.lane;
        row.call_off(at);
        if let Some(lane) = lane {
            self.look_at_lane(lane, at);
        }
        true
    }

    /// True if a debt's item is in a load that is being sent.
    fn under_way_of(&self, debt: i64) -> bool {
        let Some(row) = self.debts.get(&debt) else { return false };
        self.under_way(&row.connection).iter().any(|load| load.carries(row.item))
    }

    fn reject(&mut self, at: Micros, connection: &str, until: Micros, rejected: &Rejection) -> bool {
        let debt = self.by_item.get(&(rejected.item, connection.into())).copied();
        let Some(row) = debt.and_then(|debt| self.debts.get_mut(&debt)) else { return false };
        let later = |time: Option<Micros>| time.is_some_and(|time| time > until);
        if row.wanted != Some(Wanted::Present) || !row.state.paid() || later(row.sent_at) || later(row.confirmed_at) {
            return false;
        }
        row.reject(at, rejected);
        true
    }

    fn observed(&mut self, at: Micros, seen: &Observation) {
        let Some(row) = self.debts.get_mut(&seen.debt).filter(|row| row.generation == seen.generation) else { return };
        row.observed(at, seen);
        if let Some(lane) = row.lane {
            self.look_at_lane(lane, at);
        }
    }

    fn holding(&self, id: i64, row: &DebtRow) -> Option<Holding> {
        let whole = |content: Option<Content>| content.and_then(|(digest, content)| Some((digest, content?)));
        Some(Holding {
            debt: id,
            item: row.item,
            learner: self.records.get(&row.item)?.learner(),
            rank: rank(row.kind),
            kind: row.kind,
            state: row.state,
            generation: row.generation,
            wanted: row.wanted,
            wanted_content: whole(row.present()),
            sent_content: whole(row.sent.clone()),
            confirmed_content: whole(row.confirmed.clone()),
            sent_at: row.sent_at,
        })
    }

    fn figures(&self, connection: &str, since: Micros) -> Figures {
        let mut figures = Figures::default();
        let debts = || self.debts.values().filter(|row| row.connection == connection);
        for state in DebtState::ALL {
            let count = debts().filter(|row| row.state == state).count() as i64;
            if count > 0 {
                figures.states.push((state, count));
            }
        }
        figures.dirty = debts().filter(|row| row.mark.is_some() && !row.state.open()).count() as i64;
        figures.oldest = debts().filter(|row| row.state.open()).map(|row| row.since).min();
        for attempt in self.attempts.iter().filter(|a| a.connection == connection && a.at >= since) {
            figures.attempts += 1;
            figures.accepted += i64::from(matches!(attempt.verdict, Verdict::Accepted | Verdict::AcceptedPending));
        }
        let loads = self.loads.values().map(LoadRow::shown);
        figures.held_loads =
            loads.filter(|load| load.connection == connection && load.status == LoadStatus::Held).count() as i64;
        let findings = self.findings.values().map(|row| &row.finding);
        figures.persistent =
            findings.filter(|f| f.connection == connection && f.status == FindingStatus::Persistent).count() as i64;
        figures
    }
}

impl DebtRow {
    fn new(target: &DebtTarget, tenant: &SmolStr, item: RecordId, kind: RecordKind, at: Micros) -> Self {
        Self {
            connection: target.connection.clone(),
            tenant: tenant.clone(),
            item,
            kind,
            by: target.lane,
            lane: None,
            mark: None,
            state: DebtState::Unplanned,
            generation: 0,
            attempts: 0,
            since: at,
            fixer: None,
            reason: String::new(),
            wanted: None,
            goal: None,
            sent: None,
            sent_at: None,
            confirmed: None,
            confirmed_at: None,
            losses: None,
            unsure: false,
        }
    }

    /// A new debt for what is wanted.
    fn raise(&mut self, at: Micros, why: &str) {
        self.state = DebtState::Owed;
        self.generation += 1;
        self.attempts = 0;
        self.since = at;
        self.fixer = None;
        self.reason = why.to_owned();
    }

    /// `said` is what the record says now.
    fn plan(&mut self, at: Micros, decision: &Decision, said: Option<Content>) {
        match decision {
            Decision::Owe { wanted, digest, content, losses } => {
                let own = content.clone().or_else(|| said?.1.filter(|_| *wanted == Wanted::Present));
                self.wanted = Some(*wanted);
                self.goal = Some((*digest, own));
                self.losses.clone_from(losses);
                self.raise(at, "");
            }
            Decision::Settle { wanted, state } => {
                self.wanted = Some(*wanted);
                self.goal = self.sent.clone().or(said);
                self.state = *state;
                self.since = at;
                self.fixer = None;
                self.reason.clear();
            }
            Decision::Refuse { fixer, reason } => {
                self.wanted = Some(Wanted::Present);
                self.goal = None;
                self.losses = None;
                self.state = DebtState::Refused;
                self.since = at;
                self.fixer = Some(*fixer);
                self.reason.clone_from(reason);
            }
            Decision::Stand => {}
        }
    }

    fn call_off(&mut self, at: Micros) {
        let wanted = digest(&self.present());
        let accepted = self.sent_at.is_some() && digest(&self.sent) == wanted;
        (self.state, self.fixer, self.reason) = match accepted {
            true if self.confirmed_at.is_some() && digest(&self.confirmed) == wanted => {
                (DebtState::Confirmed, None, String::new())
            }
            true => (DebtState::Sent, None, String::new()),
            false if self.wanted == Some(Wanted::Absent) && self.sent_at.is_none() && !self.unsure => {
                (DebtState::Settled, None, String::new())
            }
            false => (DebtState::Refused, Some(Fixer::Operator), CALLED_OFF.to_owned()),
        };
        self.since = at;
    }

    fn reject(&mut self, at: Micros, rejected: &Rejection) {
        self.state = DebtState::Refused;
        self.since = at;
        self.fixer = Some(rejected.fixer);
        self.reason.clone_from(&rejected.reason);
        self.unsure |= self.confirmed.is_none();
        self.sent.clone_from(&self.confirmed);
        self.sent_at = self.confirmed_at;
    }

    fn observed(&mut self, at: Micros, seen: &Observation) {
        let settles = self.state == DebtState::Uncertain && seen.digest == digest(&self.present());
        if settles && seen.holds {
            self.accept(at);
            self.state = DebtState::Sent;
        }
        if self.sent_at.is_some() && seen.digest == digest(&self.sent) {
            if seen.holds { self.proved(at) } else { self.disproved() }
        }
        if settles && !seen.holds {
            self.state = DebtState::Owed;
        }
    }

    /// What was last accepted is there.
    fn proved(&mut self, at: Micros) {
        self.confirm(at);
        if matches!(self.state, DebtState::Sent | DebtState::Unverifiable) {
            self.state = DebtState::Confirmed;
        }
    }

    /// What was last accepted is not there.
    fn disproved(&mut self) {
        if digest(&self.confirmed) == digest(&self.sent) {
            self.confirmed = None;
            self.confirmed_at = None;
        }
        if self.state == DebtState::Confirmed {
            self.state = DebtState::Sent;
        }
    }

    fn shown(&self, id: i64) -> Debt {
        Debt {
            id,
            connection: self.connection.clone(),
            tenant: self.tenant.clone(),
            item: self.item,
            kind: self.kind,
            state: self.state,
            wanted: self.wanted.unwrap_or(Wanted::Present),
            generation: self.generation,
            attempts: self.attempts,
            since: self.since,
            fixer: self.fixer,
            reason: self.reason.clone(),
            wanted_digest: digest(&self.goal),
            sent_digest: digest(&self.sent),
            confirmed_digest: digest(&self.confirmed),
            sent_at: self.sent_at,
            confirmed_at: self.confirmed_at,
            losses: self.losses.clone(),
        }
    }
}

#[async_trait]
impl Debts for MemoryLedger {
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>> {
        let rows = self.rows();
        let loads = rows.under_way(connection);
        let items = rows.dirty.iter().filter_map(|(mark, debt)| {
            let row = rows.debts.get(debt).filter(|row| row.connection == connection)?;
            if Rows::being_sent(row, &loads) {
                return None;
            }
            rows.dirty_item(*mark, *debt, row)
        });
        Ok(page(items, limit))
    }

    async fn plan(&self, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
        self.rows().plan(connection, at, plans);
        Ok(())
    }

    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64> {
        let mut rows = self.rows();
        let tenant = SmolStr::from(tenant);
        let records: Vec<_> =
            rows.records.iter().filter(|(_, row)| row.tenant == tenant).map(|(id, row)| (*id, row.kept_at())).collect();
        for (id, kept_at) in &records {
            rows.mark_item(*id, &tenant, target, *kept_at);
        }
        let of_connection = rows.debts.iter().filter(|(_, row)| row.connection == target.connection);
        let all: Vec<i64> = of_connection.map(|(id, _)| *id).collect();
        all.iter().for_each(|debt| rows.mark(*debt));
        Ok(all.len() as u64)
    }

    async fn claim_lanes(
        &self,
        connection: &str,
        now: Micros,
        until: Micros,
        lanes: u32,
        limit: u32,
    ) -> Result<Vec<Claim>> {
        let mut rows = self.rows();
        Ok((0..lanes).map_while(|_| rows.claim(connection, now, until, limit)).collect())
    }

    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        self.rows().held(lane, token)?.lease = Some(Lease { token, until });
        Ok(())
    }

    async fn settle_lanes(&self, settled: &[Settled], attempts: &[Attempt]) -> Result<Vec<LaneId>> {
        let mut rows = self.rows();
        rows.attempts.extend_from_slice(attempts);
        Ok(settled.iter().filter(|one| rows.settle(one).is_err()).map(|one| one.lane).collect())
    }

    async fn try_again(&self, connection: &str, now: Micros) -> Result<u64> {
        Ok(self.rows().try_again(connection, now))
    }

    async fn reap(&self, now: Micros) -> Result<u64> {
        Ok(self.rows().reap(now))
    }

    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>> {
        let rows = self.rows();
        let walk = rows.debts.range((Excluded(after), Unbounded));
        let asked =
            walk.filter(|(_, row)| row.connection == connection && state.is_none_or(|state| row.state == state));
        Ok(page(asked.map(|(id, row)| row.shown(*id)), limit))
    }

    async fn debt(&self, id: i64) -> Result<Option<Debt>> {
        Ok(self.rows().debts.get(&id).map(|row| row.shown(id)))
    }

    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>> {
        let rows = self.rows();
        Ok(rows.debts_of(record).iter().filter_map(|id| Some(rows.debts.get(id)?.shown(*id))).collect())
    }

    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>> {
        let rows = self.rows();
        let place = |id: i64, row: &DebtRow| Some((rows.records.get(&row.item)?.learner(), rank(row.kind), id));
        let of_connection = rows.debts.iter().filter(|(_, row)| row.connection == connection);
        let mut places: Vec<_> = of_connection.filter_map(|(id, row)| place(*id, row)).collect();
        places.sort_unstable();
        let after = after.map(|cursor| (cursor.learner, cursor.rank, cursor.debt));
        let rest = places.into_iter().filter(|place| after.is_none_or(|after| *place > after));
        Ok(page(rest.filter_map(|(_, _, id)| rows.holding(id, rows.debts.get(&id)?)), limit))
    }

    async fn raise(&self, at: Micros, why: &str, which: &Raise) -> Result<u64> {
        Ok(self.rows().raise(at, why, which))
    }

    async fn call_off(&self, at: Micros, debt: i64, why: &str) -> Result<bool> {
        Ok(self.rows().call_off(at, debt, why))
    }

    async fn reject(&self, at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> Result<u64> {
        let mut rows = self.rows();
        Ok(rejected.iter().filter(|one| rows.reject(at, connection, until, one)).count() as u64)
    }

    async fn observed(&self, at: Micros, seen: &[Observation]) -> Result<()> {
        let mut rows = self.rows();
        seen.iter().for_each(|one| rows.observed(at, one));
        Ok(())
    }

    async fn open_load(&self, load: &NewLoad) -> Result<i64> {
        Ok(self.rows().open_load(load))
    }

    async fn add_to_manifest(&self, load: i64, entries: &[ManifestEntry]) -> Result<()> {
        self.rows().add_to_manifest(load, entries);
        Ok(())
    }

    async fn close_load(&self, load: i64, at: Micros, status: LoadStatus, reason: &str) -> Result<()> {
        self.rows().close_load(load, at, status, reason);
        Ok(())
    }

    async fn loads(&self, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>> {
        let rows = self.rows();
        let newest = rows.loads.values().rev().map(LoadRow::shown);
        let asked = newest.filter(|load| {
            connection.is_none_or(|c| load.connection == c) && (!held || load.status == LoadStatus::Held)
        });
        Ok(page(asked, limit))
    }

    async fn load(&self, id: i64) -> Result<Option<Load>> {
        Ok(self.rows().loads.get(&id).map(LoadRow::shown))
    }

    async fn manifest(&self, load: i64, after: Option<RecordId>, limit: u32) -> Result<Vec<ManifestEntry>> {
        let rows = self.rows();
        Ok(page(rows.loads.get(&load).into_iter().flat_map(|row| row.manifest(after)).cloned(), limit))
    }

    async fn shrinkage(&self, connection: &str, load: i64) -> Result<Shrinkage> {
        Ok(self.rows().shrinkage(connection, load))
    }

    async fn loads_of(&self, record: RecordId, limit: u32) -> Result<Vec<Load>> {
        let rows = self.rows();
        Ok(page(rows.loads.values().rev().filter(|row| row.carries(record)).map(LoadRow::shown), limit))
    }

    async fn attempted(&self, attempt: &Attempt) -> Result<()> {
        self.rows().attempts.push(attempt.clone());
        Ok(())
    }

    async fn attempts(&self, debt: i64, limit: u32) -> Result<Vec<Attempt>> {
        let rows = self.rows();
        Ok(page(rows.attempts.iter().rev().filter(|attempt| attempt.debt == Some(debt)).cloned(), limit))
    }

    async fn connection(&self, name: &str) -> Result<ConnectionState> {
        let known = self.rows().connections.get(name).cloned();
        Ok(known.unwrap_or_else(|| ConnectionState::new(name)))
    }

    async fn set_connection(&self, state: &ConnectionState) -> Result<()> {
        self.rows().connections.insert(state.name.clone(), state.clone());
        Ok(())
    }

    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures> {
        Ok(self.rows().figures(connection, since))
    }
}
