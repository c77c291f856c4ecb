//! Records, versions, the feed, problems, erasure.

use super::*;
use silta_adapter::record::State;
use std::ops::Bound::{Excluded, Unbounded};

#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) tenant: SmolStr,
    source: SmolStr,
    institution: SmolStr,
    pub(super) kind: RecordKind,
    revision: Option<u64>,
    /// Never empty.
    versions: Vec<Version>,
    arrivals: Vec<Arrival>,
}

#[derive(Debug, Clone)]
struct Version {
    at: Micros,
    learner: LearnerId,
    outcome: Outcome,
    state: State,
    revision: Option<u64>,
    content: Content,
    /// Its place is kept, and nothing is told of it any more.
    forgotten: bool,
}

impl RecordRow {
    fn standing(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    fn number(&self) -> i64 {
        self.versions.len() as i64
    }

    fn incumbent(&self) -> Incumbent {
        let standing = self.standing();
        Incumbent { state: standing.state, revision: self.revision, digest: standing.content.0 }
    }

    pub(super) fn state(&self) -> State {
        self.standing().state
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.standing().outcome
    }

    pub(super) fn learner(&self) -> LearnerId {
        self.standing().learner
    }

    pub(super) fn content(&self) -> &Content {
        &self.standing().content
    }

    /// When the version that stands was kept.
    pub(super) fn kept_at(&self) -> Micros {
        self.standing().at
    }

    pub(super) fn stored(&self, id: RecordId) -> StoredRecord {
        StoredRecord { revision: self.revision, ..self.at_version(id, self.versions.len() - 1) }
    }

    fn at_version(&self, id: RecordId, place: usize) -> StoredRecord {
        let version = &self.versions[place];
        StoredRecord {
            id,
            tenant: self.tenant.clone(),
            learner: self.learner(),
            source: self.source.clone(),
            kind: self.kind,
            institution: self.institution.clone(),
            version: place as i64 + 1,
            state: version.state,
            revision: version.revision,
            digest: version.content.0,
            content: version.content.1.clone(),
        }
    }
}

impl Rows {
    fn keep(&mut self, batch: &Batch, incoming: &Incoming) -> Kept {
        let known = self.records.get(&incoming.id);
        if known.is_none() && self.contested(&batch.tenant, incoming) {
            return Kept { outcome: Outcome::Contested, version: 0 };
        }
        let incumbent = known.map(RecordRow::incumbent);
        let superseded =
            || known.is_some_and(|r| r.versions.iter().any(|v| !v.forgotten && v.content.0 == incoming.digest));
        let outcome = judge(incumbent.as_ref(), incoming, batch.reinstate, superseded);
        if outcome.wrote() {
            let had = known.map(|r| r.content().clone());
            let content = match (&incoming.content, had) {
                (None, Some(had)) => had,
                (content, _) => (incoming.digest, content.clone()),
            };
            let version = Version {
                at: batch.at,
                learner: incoming.learner,
                outcome,
                state: incoming.state,
                revision: incoming.revision,
                content,
                forgotten: false,
            };
            let before = self.records.get(&incoming.id).map(RecordRow::learner);
            for target in batch.targets.iter().filter(|target| target.composed) {
                before.into_iter().for_each(|learner| self.mark_learner(learner, &target.connection));
            }
            self.write(&batch.tenant, incoming, version);
            for target in &batch.targets {
                if target.composed {
                    self.mark_learner(incoming.learner, &target.connection);
                }
                self.mark_item(incoming.id, &batch.tenant, target, batch.at);
            }
        }
        let Some(row) = self.records.get_mut(&incoming.id) else { return Kept { outcome, version: 0 } };
        if outcome == Outcome::Unchanged {
            row.revision = row.revision.max(incoming.revision);
        }
        let version = row.number();
        let digest = if outcome.wrote() { row.content().0 } else { incoming.digest };
        row.arrivals.push(Arrival {
            at: batch.at,
            outcome,
            version,
            state: incoming.state,
            revision: incoming.revision,
            digest,
        });
        Kept { outcome, version }
    }

    fn contested(&self, tenant: &SmolStr, incoming: &Incoming) -> bool {
        let same_key = self.by_lookup.get(&(tenant.clone(), incoming.lookup)).into_iter().flatten();
        incoming.kind != RecordKind::Learner
            && same_key.filter_map(|id| self.records.get(id)).any(|other| {
                other.kind == incoming.kind
                    && other.institution == incoming.institution
                    && other.source != incoming.source
            })
    }

    fn write(&mut self, tenant: &SmolStr, incoming: &Incoming, version: Version) {
        let id = incoming.id;
        let position = self.next();
        self.by_lookup.entry((tenant.clone(), incoming.lookup)).or_default().insert(id);
        self.by_learner.entry(incoming.learner).or_default().insert(id);
        let row = self.records.entry(id).or_insert_with(|| RecordRow {
            tenant: tenant.clone(),
            source: incoming.source.clone(),
            institution: incoming.institution.clone(),
            kind: incoming.kind,
            revision: None,
            versions: Vec::new(),
            arrivals: Vec::new(),
        });
        row.revision = row.revision.max(version.revision);
        self.feed.insert(position, (id, row.versions.len()));
        row.versions.push(version);
    }

    /// True if it was there to be taken back.
    fn take_back(&mut self, batch: &TakeBack, id: RecordId) -> bool {
        let position = self.next();
        let standing = self.records.get_mut(&id).filter(|r| r.tenant == batch.tenant && !r.state().is_tombstone());
        let Some(row) = standing else { return false };
        self.feed.insert(position, (id, row.versions.len()));
        let version = Version {
            at: batch.at,
            outcome: Outcome::Updated,
            state: batch.state,
            revision: row.revision,
            ..row.standing().clone()
        };
        row.arrivals.push(Arrival {
            at: batch.at,
            outcome: Outcome::Updated,
            version: row.number() + 1,
            state: batch.state,
            revision: row.revision,
            digest: version.content.0,
        });
        row.versions.push(version);
        let learner = row.learner();
        for debt in self.debts_of(id) {
            self.mark(debt);
        }
        for target in batch.targets.iter().filter(|target| target.composed) {
            self.mark_learner(learner, &target.connection);
        }
        true
    }

    fn settle_problems(&mut self, reading: &ProblemReading) {
        let looked_at: BTreeSet<RecordId> =
            reading.records.iter().copied().chain(reading.problems.iter().filter_map(|p| p.record)).collect();
        let ours = |p: &StoredProblem| {
            p.closed.is_none() && p.tenant == reading.tenant && p.origin == reading.origin && p.record.is_some()
        };
        let mut open: BTreeMap<(RecordId, SmolStr), std::collections::VecDeque<i64>> = BTreeMap::new();
        for (id, problem) in self.problems.iter().filter(|(_, p)| ours(p)) {
            if let Some(record) = problem.record.filter(|r| looked_at.contains(r)) {
                open.entry((record, problem.code.clone())).or_default().push_back(*id);
            }
        }
        for new in &reading.problems {
            let same = new.record.and_then(|record| open.get_mut(&(record, new.code.clone()))?.pop_front());
            let id = same.unwrap_or_else(|| self.next());
            let opened = self.problems.get(&id).map_or(reading.at, |p| p.opened);
            self.problems.insert(
                id,
                StoredProblem {
                    id,
                    tenant: reading.tenant.clone(),
                    origin: reading.origin.clone(),
                    record: new.record,
                    code: new.code.clone(),
                    severity: new.severity,
                    fixer: new.fixer,
                    content: new.content.clone(),
                    opened,
                    closed: None,
                    closed_by: None,
                },
            );
        }
        for ((record, _), cured) in open {
            let version = self.records.get(&record).map(RecordRow::number);
            for id in cured {
                if let Some(problem) = self.problems.get_mut(&id) {
                    problem.closed = Some(reading.at);
                    problem.closed_by = version;
                }
            }
        }
    }

    /// Forgets versions that something newer superseded before a time, and arrivals of a time before that wrote none.
    pub(super) fn forget_versions(&mut self, before: Micros) -> u64 {
        let mut gone = BTreeSet::new();
        for (id, row) in &mut self.records {
            for place in 0..row.versions.len() {
                let superseded = row.versions.iter().skip(place + 1).any(|newer| newer.at < before);
                let version = &mut row.versions[place];
                if superseded && !version.forgotten {
                    version.forgotten = true;
                    version.content.1 = None;
                    gone.insert((*id, place));
                    row.arrivals.retain(|a| !a.outcome.wrote() || a.version != place as i64 + 1);
                }
            }
        }
        self.feed.retain(|_, place| !gone.contains(place));
        gone.len() as u64
    }

    pub(super) fn forget_arrivals(&mut self, before: Micros) -> u64 {
        let mut forgotten = 0;
        for row in self.records.values_mut() {
            let had = row.arrivals.len();
            row.arrivals.retain(|a| a.outcome.wrote() || a.at >= before);
            forgotten += had - row.arrivals.len();
        }
        forgotten as u64
    }

    /// True if there was something to blank.
    fn erase(&mut self, id: RecordId, at: Micros) -> bool {
        let mut blanked = false;
        let Some(row) = self.records.get_mut(&id) else { return false };
        for version in &mut row.versions {
            blanked |= version.content.1.take().is_some();
        }
        for debt in self.debts_of(id) {
            if let Some(row) = self.debts.get_mut(&debt) {
                row.losses = None;
                for (_, content) in [&mut row.goal, &mut row.sent, &mut row.confirmed].into_iter().flatten() {
                    *content = None;
                }
            }
        }
        for problem in self.problems.values_mut().filter(|p| p.record == Some(id)) {
            problem.content.clear();
            problem.closed = problem.closed.or(Some(at));
        }
        for credential in self.credentials.values_mut().filter(|c| c.item == id) {
            credential.document = None;
        }
        blanked
    }
}

#[async_trait]
impl Records for MemoryLedger {
    async fn keep(&self, batch: &Batch) -> Result<Vec<Kept>> {
        let mut rows = self.rows();
        Ok(batch.records.iter().map(|incoming| rows.keep(batch, incoming)).collect())
    }

    async fn take_back(&self, batch: &TakeBack) -> Result<u64> {
        let mut rows = self.rows();
        if !batch.state.is_tombstone() {
            return Ok(0);
        }
        Ok(batch.ids.iter().filter(|id| rows.take_back(batch, **id)).count() as u64)
    }

    async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>> {
        Ok(self.rows().records.get(&id).map(|row| row.stored(id)))
    }

    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>> {
        let rows = self.rows();
        let ids = rows.by_learner.get(&learner).into_iter().flatten();
        let mut found: Vec<_> = ids
            .filter_map(|id| Some((id, rows.records.get(id)?)))
            .filter(|(_, row)| row.tenant == tenant && row.learner() == learner)
            .map(|(id, row)| row.stored(*id))
            .collect();
        found.sort_by_key(|record| record.kind);
        Ok(found)
    }

    async fn look_up(&self, tenant: &str, lookup: Lookup) -> Result<Vec<StoredRecord>> {
        let rows = self.rows();
        let ids = rows.by_lookup.get(&(tenant.into(), lookup)).into_iter().flatten();
        Ok(ids.filter_map(|id| Some(rows.records.get(id)?.stored(*id))).collect())
    }

    async fn current_ids(
        &self,
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>> {
        let rows = self.rows();
        let walk = rows.records.range((after.map_or(Unbounded, Excluded), Unbounded));
        let current = walk.filter(|(_, row)| {
            row.tenant == tenant
                && row.source == source
                && (kinds.is_empty() || kinds.contains(&row.kind))
                && !row.state().is_tombstone()
        });
        Ok(page(current.map(|(id, _)| *id), limit))
    }

    async fn learners(&self, tenant: &str, after: Option<LearnerId>, limit: u32) -> Result<Vec<LearnerId>> {
        let rows = self.rows();
        let walk = rows.by_learner.range((after.map_or(Unbounded, Excluded), Unbounded));
        let current = walk.filter(|(learner, ids)| {
            ids.iter()
                .filter_map(|id| rows.records.get(id))
                .any(|row| row.tenant == tenant && row.learner() == **learner && !row.state().is_tombstone())
        });
        Ok(page(current.map(|(learner, _)| *learner), limit))
    }

    async fn counts(&self, tenant: &str) -> Result<Vec<Count>> {
        let rows = self.rows();
        let mut counts = BTreeMap::new();
        for row in rows.records.values().filter(|row| row.tenant == tenant) {
            *counts.entry((row.kind, row.state())).or_default() += 1;
        }
        Ok(counts.into_iter().map(|((kind, state), records)| Count { kind, state, records }).collect())
    }

    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>> {
        let rows = self.rows();
        let changes = rows.feed.range((Excluded(after), Unbounded)).filter_map(|(position, (id, place))| {
            let row = rows.records.get(id)?;
            let asked = (tenants.is_empty() || tenants.iter().any(|t| row.tenant == *t))
                && (kinds.is_empty() || kinds.contains(&row.kind));
            asked.then(|| Change {
                position: *position,
                at: row.versions[*place].at,
                record: row.at_version(*id, *place),
            })
        });
        Ok(page(changes, limit))
    }

    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>> {
        Ok(self.rows().records.get(&id).map(|row| row.arrivals.clone()).unwrap_or_default())
    }

    async fn settle_problems(&self, reading: &ProblemReading) -> Result<()> {
        self.rows().settle_problems(reading);
        Ok(())
    }

    async fn problems(&self, tenant: &str, after: i64, closed: bool, limit: u32) -> Result<Vec<StoredProblem>> {
        let rows = self.rows();
        let walk = rows.problems.range((Excluded(after), Unbounded)).map(|(_, p)| p);
        Ok(page(walk.filter(|p| p.tenant == tenant && (closed || p.closed.is_none())).cloned(), limit))
    }

    async fn problems_of(&self, id: RecordId) -> Result<Vec<StoredProblem>> {
        Ok(self.rows().problems.values().filter(|p| p.record == Some(id)).cloned().collect())
    }

    async fn erase(&self, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
        let mut rows = self.rows();
        let ids = rows.by_learner.get(&learner).cloned().unwrap_or_default();
        let (gone, standing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter(|id| rows.records.get(id).is_some_and(|row| row.tenant == tenant && row.learner() == learner))
            .partition(|id| rows.records.get(id).is_some_and(|row| row.state().is_tombstone()));
        let blanked = gone.iter().filter(|id| rows.erase(**id, at)).count() as u64;
        if !gone.is_empty() {
            rows.blank_findings(learner, &gone);
            if standing.is_empty() {
                rows.links.remove(&(tenant.into(), learner));
            }
        }
        Ok(blanked)
    }
}
