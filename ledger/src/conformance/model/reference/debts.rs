//! Marks, plans, lanes, claims, observations.

use super::*;

impl Reference {
    /// Every item of a connection that is of a learner.
    pub(super) fn mark_learner(&mut self, connection: &str, learner: LearnerId, mark: i64) {
        let hers: Vec<RecordId> = self.records.iter().filter(|r| r.now.learner == learner).map(|r| r.now.id).collect();
        let items = self.debts.iter_mut().filter(|d| d.shown.connection == connection && hers.contains(&d.shown.item));
        items.for_each(|d| d.mark = Some(mark));
    }

    pub(super) fn mark_for(&mut self, target: &DebtTarget, item: RecordId, at: Micros, mark: i64) {
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

    pub(crate) fn debt(&self, id: i64) -> Option<&Owing> {
        self.debts.iter().find(|d| d.shown.id == id)
    }

    pub(super) fn is_being_sent(&self, debt: &Owing) -> bool {
        let carries = |l: &Carried| {
            l.load.status == LoadStatus::Sending
                && l.load.connection == debt.shown.connection
                && l.manifest.iter().any(|e| e.item == debt.shown.item)
        };
        debt.shown.state == DebtState::Sending || self.loads.iter().any(carries)
    }

    /// In the order of marks.
    pub(crate) fn dirty(&self, connection: &str) -> Vec<DirtyItem> {
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
                planned: d.goal.as_ref().map(|goal| (d.shown.wanted, goal.0)),
                state: d.shown.state,
            })
        };
        let mut items: Vec<DirtyItem> = marked.filter_map(item).collect();
        items.sort_by_key(|i| (i.mark, i.record.id));
        items
    }

    pub(crate) fn plan(&mut self, connection: &str, at: Micros, plans: &[Plan]) {
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
                if !matches!(plan.decision, Decision::Stand) {
                    debt.planned = true;
                    debt.shown.since = at;
                    debt.decided(&plan.decision, said.clone());
                    planned.push(plan.debt);
                }
            }
        }
        self.queue(&planned, at, false);
    }

    /// After debts changed: what is owed has a lane, which is due; where nothing is owed, it is not.
    pub(super) fn queue(&mut self, debts: &[i64], at: Micros, at_once: bool) {
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

    pub(crate) fn replan(&mut self, target: &DebtTarget, tenant: &str) -> u64 {
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
    pub(crate) fn due(&self, connection: &str, now: Micros) -> Vec<i64> {
        let free = |l: &&Lane| l.connection == connection && l.lease.is_none() && l.due.is_some_and(|due| due <= now);
        let first = self.lanes.iter().filter(free).filter_map(|l| l.due).min();
        self.lanes.iter().filter(free).filter(|l| l.due == first).map(|l| l.id).collect()
    }

    pub(crate) fn claim(&mut self, lane: i64, until: Micros, limit: u32) -> Claim {
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
                changed: debt.mark.is_some(),
            });
        }
        let token = LeaseToken(self.number());
        for lane in self.lanes.iter_mut().filter(|l| l.id == lane) {
            lane.due = None;
            lane.lease = Some((token, until));
        }
        Claim { lane: LaneId(lane), token, debts }
    }

    pub(crate) fn renew(&mut self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        let lease = self.lanes.iter_mut().filter(|l| l.id == lane.0).find_map(|l| l.lease.as_mut());
        let lease = lease.filter(|(held, _)| *held == token).ok_or(LedgerError::LeaseLost)?;
        lease.1 = until;
        Ok(())
    }

    pub(crate) fn settle(&mut self, settled: &Settled) -> Result<()> {
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

    pub(super) fn free(&mut self, id: i64, next: Micros) {
        let owed = self.debts.iter().any(|d| d.lane == Some(id) && d.shown.state == DebtState::Owed);
        for lane in self.lanes.iter_mut().filter(|l| l.id == id) {
            lane.lease = None;
            lane.due = owed.then_some(next);
        }
    }

    pub(crate) fn reap(&mut self, now: Micros) -> u64 {
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

    pub(crate) fn try_again(&mut self, connection: &str, now: Micros) -> u64 {
        let theirs = |d: &&mut Owing| d.shown.connection == connection && d.shown.state == DebtState::Uncertain;
        let mut again = Vec::new();
        for debt in self.debts.iter_mut().filter(theirs) {
            debt.shown.state = DebtState::Owed;
            again.push(debt.shown.id);
        }
        self.queue(&again, now, false);
        again.len() as u64
    }

    /// By learner, rank and age.
    pub(crate) fn holdings(&self, connection: &str) -> Vec<Holding> {
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

    pub(crate) fn figures(&self, connection: &str, since: Micros) -> Figures {
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
    pub(super) fn present(&self) -> Option<Content> {
        self.goal.clone().filter(|_| self.shown.wanted == Wanted::Present)
    }

    pub(super) fn decided(&mut self, decision: &Decision, said: Option<Content>) {
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
            Decision::Stand => {}
        }
    }

    pub(super) fn settled(&mut self, what: &Settlement, at: Micros) {
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

    pub(crate) fn shown(&self) -> Debt {
        Debt {
            wanted_digest: digest(&self.goal),
            sent_digest: digest(&self.sent),
            confirmed_digest: digest(&self.confirmed),
            ..self.shown.clone()
        }
    }
}
