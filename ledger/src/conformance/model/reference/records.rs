//! Records, versions, problems, erasure.

use super::*;

impl Reference {
    pub(super) fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn record(&self, id: RecordId) -> Option<&Known> {
        self.records.iter().find(|r| r.now.id == id)
    }

    pub(crate) fn keep(&mut self, batch: &Batch) -> Vec<Kept> {
        let mark = self.number();
        batch.records.iter().map(|incoming| self.keep_one(batch, incoming, mark)).collect()
    }

    pub(super) fn keep_one(&mut self, batch: &Batch, new: &Incoming, mark: i64) -> Kept {
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
        let was_about = known.now.learner;
        if outcome.wrote() {
            known.now.learner = new.learner;
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
                if target.composed {
                    self.mark_learner(&target.connection, was_about, mark);
                    self.mark_learner(&target.connection, new.learner, mark);
                }
                self.mark_for(target, new.id, batch.at, mark);
            }
        }
        kept
    }

    pub(super) fn is_contested(&self, batch: &Batch, new: &Incoming) -> bool {
        let same_key = |r: &&Known| {
            r.now.tenant == batch.tenant
                && r.lookup == new.lookup
                && r.now.kind == new.kind
                && r.now.institution == new.institution
        };
        new.kind != RecordKind::Learner && self.records.iter().filter(same_key).any(|r| r.now.source != new.source)
    }

    pub(crate) fn take_back(&mut self, batch: &TakeBack) -> u64 {
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
            let learner = known.now.learner;
            for target in batch.targets.iter().filter(|t| t.composed) {
                self.mark_learner(&target.connection, learner, mark);
            }
        }
        for debt in self.debts.iter_mut().filter(|d| changed.contains(&d.shown.item)) {
            debt.mark = Some(mark);
        }
        changed.len() as u64
    }

    pub(crate) fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64) -> Vec<Change> {
        let told_now = |r: &Known, c: &Change| Change {
            record: StoredRecord { learner: r.now.learner, ..c.record.clone() },
            ..c.clone()
        };
        let all = self.records.iter().flat_map(|r| r.versions.iter().map(move |c| told_now(r, c)));
        let asked = all.filter(|c| {
            c.position > after
                && (tenants.is_empty() || tenants.iter().any(|t| c.record.tenant == *t))
                && (kinds.is_empty() || kinds.contains(&c.record.kind))
        });
        let mut changes: Vec<Change> = asked.collect();
        changes.sort_by_key(|c| c.position);
        changes
    }

    pub(crate) fn settle_problems(&mut self, reading: &ProblemReading) {
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

    pub(crate) fn erase(&mut self, tenant: &str, learner: LearnerId, at: Micros) -> u64 {
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
        for credential in self.credentials.iter_mut().filter(|c| gone.contains(&c.item)) {
            credential.document = None;
        }
        let stands = |r: &Known| r.now.tenant == tenant && r.now.learner == learner && !r.now.state.is_tombstone();
        if !self.records.iter().any(stands) {
            self.links.retain(|(of, link)| of != tenant || link.learner != learner);
        }
        for problem in self.problems.iter_mut().filter(|p| p.record.is_some_and(|r| gone.contains(&r))) {
            problem.content.clear();
            problem.closed = problem.closed.or(Some(at));
        }
        let known: Vec<RecordId> = self.records.iter().map(|r| r.now.id).collect();
        for (of, finding) in &mut self.findings {
            if gone.contains(&finding.item) || *of == learner && !known.contains(&finding.item) {
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
    let withdrawn = now.state == State::ConsentWithdrawn && new.state != State::ConsentWithdrawn;
    let revives = now.state.is_tombstone() && !new.state.is_tombstone();
    if older {
        Outcome::Stale
    } else if withdrawn || (revives && !newer && !reinstate) {
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
    pub(super) fn first(batch: &Batch, new: &Incoming) -> Self {
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

    pub(super) fn write(&mut self, position: i64, at: Micros, outcome: Outcome, said: StoredRecord) {
        self.now.version += 1;
        self.outcome = outcome;
        let record = StoredRecord { version: self.now.version, ..said };
        let StoredRecord { version, state, revision, digest, .. } = record;
        self.versions.push(Change { position, at, record });
        self.arrivals.push(Arrival { at, outcome, version, state, revision, digest });
    }
}
