//! What is done, to the one and to the other.

use super::*;
use silta_adapter::problem::Severity;

impl World<'_> {
    pub(super) async fn keep(
        &mut self,
        tenant: usize,
        arrivals: &[Arriving],
        reinstate: bool,
        routed: bool,
    ) -> Checked {
        let ours = |a: &&Arriving| (a.record == RECORDS) == (tenant == 1);
        let records: Vec<Incoming> = arrivals.iter().filter(ours).map(incoming).collect();
        // A connection is a target of every batch, or of none that has a record of this tenant yet.
        let known = self.reference.records.iter().any(|r| r.now.tenant == TENANTS[tenant]);
        let targets = if routed || known { connections().to_vec() } else { Vec::new() };
        let batch = Batch { tenant: TENANTS[tenant].into(), reinstate, targets, ..batch(self.now, &records) };
        let theirs = self.ledger.keep(&batch).await.expect("kept");
        same("keep", &self.reference.keep(&batch), &theirs)
    }

    pub(super) async fn take_back(&mut self, tenant: usize, records: &[u8], state: State) -> Checked {
        let ids = records.iter().copied().map(id).collect();
        let targets = connections().to_vec();
        let batch = TakeBack { tenant: TENANTS[tenant].into(), at: self.now, state, ids, targets };
        let theirs = self.ledger.take_back(&batch).await.expect("taken back");
        let ours = if state.is_tombstone() { self.reference.take_back(&batch) } else { 0 };
        same("take_back", &[ours], &[theirs])
    }

    pub(super) async fn problems(
        &mut self,
        records: &[u8],
        found: &[(u8, u8)],
        bare: bool,
        elsewhere: bool,
    ) -> Checked {
        let reading = self.reading(records, found, bare, elsewhere);
        self.ledger.settle_problems(&reading).await.expect("settled");
        self.reference.settle_problems(&reading);
        Ok(())
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

    pub(super) async fn erase(&mut self, tenant: usize, number: u8) -> Checked {
        let theirs = self.ledger.erase(TENANTS[tenant], learner(number), self.now).await.expect("erased");
        same("erase", &[self.reference.erase(TENANTS[tenant], learner(number), self.now)], &[theirs])
    }

    pub(super) async fn look(&mut self, connection: usize) -> Checked {
        let theirs = self.ledger.dirty(&name_of(connection), ALL).await.expect("dirty");
        let ours = self.same_dirty(connection, &theirs)?;
        let mark = |item: &DirtyItem| theirs.iter().find(|t| t.record.id == item.record.id).map(|t| t.mark);
        self.seen = (connection, ours.into_iter().filter_map(|item| Some((item.clone(), mark(&item)?))).collect());
        Ok(())
    }

    pub(super) async fn plan(&mut self, decisions: &[Choice]) -> Checked {
        let (connection, items) = &self.seen;
        let name = &name_of(*connection);
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

    pub(super) async fn replan(&mut self, connection: usize, tenant: usize) -> Checked {
        let target = &connections()[connection];
        let theirs = self.ledger.replan(target, TENANTS[tenant]).await.expect("replanned");
        same("replan", &[self.reference.replan(target, TENANTS[tenant])], &[theirs])
    }

    pub(super) async fn claim(&mut self, connection: usize, lease: Micros, limit: u32) -> Checked {
        let name = &name_of(connection);
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

    pub(super) async fn renew(&mut self, claim: usize, lease: Micros) -> Checked {
        let Some((ours, theirs)) = choose(&self.claims, claim) else { return Ok(()) };
        let until = self.now + lease;
        let kept = self.ledger.renew(theirs.lane, theirs.token, until).await;
        same("renew", &[self.reference.renew(ours.lane, ours.token, until)], &[kept])
    }

    pub(super) async fn settle(&mut self, claim: usize, states: &[DebtState], older: bool, wait: Micros) -> Checked {
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

    pub(super) async fn reap(&mut self) -> Checked {
        let theirs = self.ledger.reap(self.now).await.expect("reaped");
        same("reap", &[self.reference.reap(self.now)], &[theirs])
    }

    pub(super) async fn try_again(&mut self, connection: usize) -> Checked {
        let name = &name_of(connection);
        let theirs = self.ledger.try_again(name, self.now).await.expect("tried");
        same("try_again", &[self.reference.try_again(name, self.now)], &[theirs])
    }

    pub(super) async fn raise_some(&mut self, debts: &[usize], why: &str) -> Checked {
        let ours: Vec<i64> = debts.iter().filter_map(|n| Some(self.chosen(*n)?.shown.id)).collect();
        let theirs = Raise::Debts(ours.iter().map(|id| self.debts.theirs(*id)).collect());
        self.raise(Raise::Debts(ours), theirs, why).await
    }

    pub(super) async fn raise_state(&mut self, connection: usize, state: DebtState, why: &str) -> Checked {
        let which = Raise::State { connection: name_of(connection), state };
        self.raise(which.clone(), which, why).await
    }

    pub(super) async fn raise(&mut self, ours: Raise, theirs: Raise, why: &str) -> Checked {
        let told = self.ledger.raise(self.now, why, &theirs).await.expect("raised");
        same("raise", &[self.reference.raise(self.now, why, &ours)], &[told])
    }

    /// Mostly one that is owed for this reason, if there is one.
    pub(super) async fn call_off(&mut self, number: usize, why: &str) -> Checked {
        let owed = |d: &&Owing| d.shown.state == DebtState::Owed && d.shown.reason == why;
        let likely: Vec<i64> = self.reference.debts.iter().filter(owed).map(|d| d.shown.id).collect();
        let any = self.chosen(number).map(|d| d.shown.id);
        let Some(debt) = choose(&likely, number).copied().filter(|_| number > 2).or(any) else { return Ok(()) };
        let theirs = self.ledger.call_off(self.now, self.debts.theirs(debt), why).await.expect("called off");
        same("call_off", &[self.reference.call_off(self.now, debt, why)], &[theirs])
    }

    pub(super) async fn reject(&mut self, connection: usize, items: &[(u8, Fixer)], back: Micros) -> Checked {
        let rejection =
            |(n, fixer): &(u8, Fixer)| Rejection { item: id(*n), fixer: *fixer, reason: fixer.name().into() };
        let rejected: Vec<Rejection> = items.iter().map(rejection).collect();
        let (name, until) = (&name_of(connection), self.now - back);
        let theirs = self.ledger.reject(self.now, name, until, &rejected).await.expect("rejected");
        same("reject", &[self.reference.reject(self.now, name, until, &rejected)], &[theirs])
    }

    fn chosen(&self, number: usize) -> Option<&Owing> {
        choose(&self.reference.debts, number)
    }

    pub(super) async fn observe(&mut self, seen: &[(usize, About, bool)]) -> Checked {
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

    pub(super) async fn open_load(&mut self, connection: usize, tenant: usize, held: bool) -> Checked {
        let load = NewLoad {
            connection: name_of(connection),
            tenant: TENANTS[tenant].into(),
            at: self.now,
            status: if held { LoadStatus::Held } else { LoadStatus::Sending },
            reason: "opened".into(),
        };
        let theirs = self.ledger.open_load(&load).await.expect("a load");
        let ours = self.reference.open_load(&load);
        self.loads.pair("load", ours, theirs)
    }

    pub(super) async fn carry(&mut self, load: usize, debts: &[usize], about: About) -> Checked {
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

    pub(super) async fn close_load(&mut self, load: usize, status: LoadStatus) -> Checked {
        let Some(load) = choose(&self.reference.loads, load).map(|l| l.load.id) else { return Ok(()) };
        self.ledger.close_load(self.loads.theirs(load), self.now, status, "closed").await.expect("closed");
        self.reference.close_load(load, self.now, status, "closed");
        Ok(())
    }

    pub(super) async fn attempt(&mut self, debt: usize, verdict: Verdict) -> Checked {
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

    pub(super) async fn found(
        &mut self,
        connection: usize,
        looked_at: &[u8],
        found: &[(u8, FindingKind, u8)],
    ) -> Checked {
        let name = &name_of(connection);
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

    pub(super) async fn set_finding(&mut self, finding: usize, status: FindingStatus) -> Checked {
        let Some(ours) = choose(&self.reference.findings, finding).map(|f| f.1.id) else { return Ok(()) };
        self.ledger.set_finding(self.findings.theirs(ours), self.now, status).await.expect("set");
        self.reference.set_finding(ours, self.now, status);
        Ok(())
    }

    pub(super) async fn forget(&mut self, what: Trace, back: Micros) -> Checked {
        let before = self.now - back;
        let forgotten = forget_all(self.ledger, what, before, 2).await;
        same(what.name(), &[self.reference.forget(what, before)], &[forgotten])
    }
}

/// A record as it arrives: who it is of, and what it is, goes by its number.
fn incoming(arriving: &Arriving) -> Incoming {
    let Arriving { record: n, moved, content, revision, state } = *arriving;
    let kind = match n {
        1 => RecordKind::Learner,
        2 => RecordKind::StudyRight,
        _ => RecordKind::Attainment,
    };
    Incoming {
        learner: learner(if (n <= 3) == moved { 2 } else { 1 }),
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
        Choice::Stand => Some(Decision::Stand),
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
