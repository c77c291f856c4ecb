//! Lanes, leases, and what becomes of claimed debts.

use super::*;
use std::cmp::Reverse;

impl Rows {
    /// The lane of an item, made when it is first needed.
    pub(super) fn lane(&mut self, key: LaneKey) -> i64 {
        if let Some(id) = self.by_lane.get(&key) {
            return *id;
        }
        let id = self.next();
        self.by_lane.insert(key.clone(), id);
        self.lanes.insert(id, Lane { key, debts: Vec::new(), due: None, lease: None });
        id
    }

    /// Gives a debt that is owed its lane. Which one that is, is decided when it is first owed.
    pub(super) fn join_lane(&mut self, debt: i64) -> Option<i64> {
        let row = self.debts.get(&debt)?;
        if row.lane.is_some() || row.state != DebtState::Owed {
            return row.lane;
        }
        let learner = self.records.get(&row.item)?.learner();
        let own = (row.by == LaneBy::Learner).then_some(learner);
        let lane = self.lane((row.connection.clone(), row.tenant.clone(), own));
        self.debts.get_mut(&debt)?.lane = Some(lane);
        self.lanes.get_mut(&lane)?.debts.push(debt);
        Some(lane)
    }

    fn in_state(&self, lane: &Lane, state: DebtState) -> Vec<i64> {
        let is = |id: &&i64| self.debts.get(id).is_some_and(|row| row.state == state);
        lane.debts.iter().filter(is).copied().collect()
    }

    /// After debts of a lane changed: it is due if something is owed, from `at` on if it was not due before.
    pub(super) fn look_at_lane(&mut self, id: i64, at: Micros) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let due = (!self.in_state(lane, DebtState::Owed).is_empty()).then(|| lane.due.unwrap_or(at));
        self.set_due(id, due);
    }

    pub(super) fn set_due(&mut self, id: i64, due: Option<Micros>) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.due = due;
        }
    }

    /// Claims the lane due longest.
    pub(super) fn claim(&mut self, connection: &str, now: Micros, until: Micros, limit: u32) -> Option<Claim> {
        let free = self.lanes.iter().filter(|(_, lane)| lane.key.0 == connection && lane.lease.is_none());
        let (_, id) = free.filter_map(|(id, lane)| Some((lane.due.filter(|due| *due <= now)?, *id))).min()?;
        let mut owed = self.in_state(self.lanes.get(&id)?, DebtState::Owed);
        owed.sort_by_cached_key(|debt| self.turn(*debt));
        owed.truncate(limit as usize);
        let debts = owed.into_iter().filter_map(|debt| self.start(debt)).collect();
        let token = LeaseToken(self.next());
        self.lanes.get_mut(&id)?.lease = Some(Lease { token, until });
        Some(Claim { lane: LaneId(id), token, debts })
    }

    /// The place of a debt in its lane: what must be present by rank, then what must be absent by rank reversed.
    fn turn(&self, id: i64) -> Option<(bool, u8, Reverse<u8>, Micros, i64)> {
        let row = self.debts.get(&id)?;
        let (absent, rank) = (row.wanted == Some(Wanted::Absent), rank(row.kind));
        let (up, down) = if absent { (0, rank) } else { (rank, 0) };
        Some((absent, up, Reverse(down), row.since, id))
    }

    fn start(&mut self, id: i64) -> Option<ClaimedDebt> {
        let row = self.debts.get_mut(&id)?;
        let record = self.records.get(&row.item)?;
        let (wanted, (digest, content)) = (row.wanted?, row.goal.clone()?);
        row.state = DebtState::Sending;
        let content = match wanted {
            Wanted::Present => content,
            Wanted::Absent => row.sent.as_ref().and_then(|s| s.1.clone()).or_else(|| record.content().1.clone()),
        };
        Some(ClaimedDebt {
            id,
            item: row.item,
            tenant: row.tenant.clone(),
            generation: row.generation,
            wanted,
            record_state: record.state(),
            digest,
            content,
            attempts: row.attempts,
            changed: row.mark.is_some(),
        })
    }

    /// The lane, if it is held by this token.
    pub(super) fn held(&mut self, lane: LaneId, token: LeaseToken) -> Result<&mut Lane> {
        let held = self.lanes.get_mut(&lane.0);
        held.filter(|l| l.lease.as_ref().is_some_and(|lease| lease.token == token)).ok_or(LedgerError::LeaseLost)
    }

    pub(super) fn settle(&mut self, settled: &Settled) -> Result<()> {
        self.held(settled.lane, settled.token)?.lease = None;
        for settlement in &settled.debts {
            let claimed = |row: &&mut DebtRow| {
                let found_waiting = row.state == DebtState::Owed && settlement.state == DebtState::Waiting;
                row.lane == Some(settled.lane.0)
                    && (row.state == DebtState::Sending || found_waiting)
                    && row.generation == settlement.generation
            };
            if let Some(row) = self.debts.get_mut(&settlement.debt).filter(claimed) {
                row.settle(settlement, settled.at);
            }
        }
        self.give_back(settled.lane.0, DebtState::Owed);
        self.set_due(settled.lane.0, Some(settled.next));
        self.look_at_lane(settled.lane.0, settled.next);
        Ok(())
    }

    /// What is still being sent in a lane goes to a state.
    fn give_back(&mut self, lane: i64, state: DebtState) {
        for id in self.lanes.get(&lane).map(|l| self.in_state(l, DebtState::Sending)).unwrap_or_default() {
            if let Some(row) = self.debts.get_mut(&id) {
                row.state = state;
                if state == DebtState::Uncertain {
                    row.attempts += 1;
                    row.unsure = true;
                    row.fixer = None;
                    row.reason = LEASE_RAN_OUT.to_owned();
                }
            }
        }
    }

    /// What was being sent in a lane whose lease ran out counts as a try.
    fn note_lost(&mut self, lane: i64, at: Micros) {
        let Some(held) = self.lanes.get(&lane) else { return };
        let lost = |debt| Attempt {
            debt: Some(debt),
            load: None,
            connection: held.key.0.clone(),
            at,
            took: 0,
            verdict: Verdict::Uncertain,
            cause: "lease".into(),
            reason: LEASE_RAN_OUT.into(),
        };
        let mut tries: Vec<Attempt> = self.in_state(held, DebtState::Sending).into_iter().map(lost).collect();
        tries.sort_by_key(|attempt| attempt.debt);
        self.attempts.append(&mut tries);
    }

    pub(super) fn try_again(&mut self, connection: &str, now: Micros) -> u64 {
        let unsure = |row: &&mut DebtRow| row.connection == connection && row.state == DebtState::Uncertain;
        let mut lanes = BTreeSet::new();
        let mut again = 0;
        for row in self.debts.values_mut().filter(unsure) {
            row.state = DebtState::Owed;
            lanes.extend(row.lane);
            again += 1;
        }
        for lane in lanes {
            self.look_at_lane(lane, now);
        }
        again
    }

    pub(super) fn reap(&mut self, now: Micros) -> u64 {
        let over = |lane: &Lane| lane.lease.as_ref().is_some_and(|lease| lease.until < now);
        let lost: Vec<i64> = self.lanes.iter().filter(|(_, lane)| over(lane)).map(|(id, _)| *id).collect();
        for id in &lost {
            self.note_lost(*id, now);
            self.give_back(*id, DebtState::Uncertain);
            self.set_due(*id, Some(now));
            self.look_at_lane(*id, now);
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.lease = None;
            }
        }
        self.fail_loads(now);
        lost.len() as u64
    }
}

impl DebtRow {
    fn settle(&mut self, settlement: &Settlement, at: Micros) {
        self.state = settlement.state;
        self.attempts += 1;
        self.fixer = settlement.fixer;
        self.reason.clone_from(&settlement.reason);
        self.unsure |= settlement.state == DebtState::Uncertain;
        if settlement.state.paid() {
            self.accept(at);
        }
        if settlement.state == DebtState::Confirmed {
            self.confirm(at);
        }
    }

    /// What is wanted was accepted.
    pub(super) fn accept(&mut self, at: Micros) {
        self.sent = self.present();
        self.sent_at = Some(at);
        self.unsure = false;
    }

    /// What was accepted was seen.
    pub(super) fn confirm(&mut self, at: Micros) {
        self.confirmed = self.sent.clone();
        self.confirmed_at = Some(at);
    }

    /// What must be there, if anything must.
    pub(super) fn present(&self) -> Option<Content> {
        self.goal.clone().filter(|_| self.wanted == Some(Wanted::Present))
    }
}
