//! Reconciliations and findings.

use super::*;
use std::ops::Bound::{Excluded, Unbounded};

#[derive(Debug)]
pub(super) struct FindingRow {
    learner: LearnerId,
    pub(super) finding: Finding,
}

impl Rows {
    fn found(&mut self, reconciliation: i64, connection: &SmolStr, at: Micros, new: &NewFinding) -> i64 {
        let same = self.findings.iter().find(|(_, row)| {
            let old = &row.finding;
            old.closed.is_none() && old.connection == *connection && old.item == new.item && old.kind == new.kind
        });
        let (id, opened, sightings, status) = match same {
            None => (self.next(), at, 1, FindingStatus::Open),
            Some((id, FindingRow { finding: old, .. })) => {
                let status = match old.status {
                    FindingStatus::Repairing => FindingStatus::Persistent,
                    FindingStatus::Accepted if old.digest != new.digest => FindingStatus::Open,
                    other => other,
                };
                (*id, old.opened, old.sightings + 1, status)
            }
        };
        let finding = Finding {
            id,
            reconciliation,
            connection: connection.clone(),
            item: new.item,
            debt: new.debt,
            kind: new.kind,
            status,
            digest: new.digest,
            implied_by: new.implied_by,
            evidence: new.evidence.clone(),
            opened,
            seen: at,
            sightings,
            closed: None,
        };
        self.findings.insert(id, FindingRow { learner: new.learner, finding });
        id
    }

    /// Blanks the evidence about some records, and about a learner where the record is not known.
    pub(super) fn blank_findings(&mut self, learner: LearnerId, gone: &[RecordId]) {
        for row in self.findings.values_mut() {
            let item = &row.finding.item;
            if gone.contains(item) || row.learner == learner && !self.records.contains_key(item) {
                row.finding.evidence.clear();
            }
        }
    }
}

fn set(finding: &mut Finding, at: Micros, status: FindingStatus) {
    if finding.closed.is_none() {
        finding.status = status;
        finding.closed = (status == FindingStatus::Closed).then_some(at);
    }
}

#[async_trait]
impl Findings for MemoryLedger {
    async fn open_reconciliation(&self, connection: &str, at: Micros) -> Result<i64> {
        let mut rows = self.rows();
        let id = rows.next();
        let opened = Reconciliation { id, connection: connection.into(), started: at, ended: None, summary: None };
        rows.reconciliations.insert(id, opened);
        Ok(id)
    }

    async fn found(
        &self,
        reconciliation: i64,
        at: Micros,
        looked_at: &[RecordId],
        findings: &[NewFinding],
    ) -> Result<()> {
        let mut rows = self.rows();
        let Some(connection) = rows.reconciliations.get(&reconciliation).map(|r| r.connection.clone()) else {
            return Ok(());
        };
        let settling: BTreeSet<RecordId> =
            findings.iter().filter(|f| f.kind == FindingKind::Settling).map(|f| f.item).collect();
        let told = findings.iter().filter(|f| f.kind == FindingKind::Settling || !settling.contains(&f.item));
        let seen: BTreeSet<i64> = told.map(|new| rows.found(reconciliation, &connection, at, new)).collect();
        let looked_at: BTreeSet<RecordId> = looked_at.iter().filter(|id| !settling.contains(id)).copied().collect();
        for row in rows.findings.values_mut() {
            let finding = &mut row.finding;
            if finding.connection == connection && looked_at.contains(&finding.item) && !seen.contains(&finding.id) {
                set(finding, at, FindingStatus::Closed);
            }
        }
        Ok(())
    }

    async fn close_reconciliation(&self, id: i64, at: Micros, summary: &Summary) -> Result<()> {
        if let Some(reconciliation) = self.rows().reconciliations.get_mut(&id) {
            reconciliation.ended = Some(at);
            reconciliation.summary = Some(summary.clone());
        }
        Ok(())
    }

    async fn reconciliations(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Reconciliation>> {
        let rows = self.rows();
        let newest = rows.reconciliations.values().rev();
        Ok(page(newest.filter(|r| connection.is_none_or(|c| r.connection == c)).cloned(), limit))
    }

    async fn findings(&self, connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Result<Vec<Finding>> {
        let rows = self.rows();
        let walk = rows.findings.range((Excluded(after), Unbounded)).map(|(_, row)| &row.finding);
        let asked = walk.filter(|f| connection.is_none_or(|c| f.connection == c) && (closed || f.closed.is_none()));
        Ok(page(asked.cloned(), limit))
    }

    async fn finding(&self, id: i64) -> Result<Option<Finding>> {
        Ok(self.rows().findings.get(&id).map(|row| row.finding.clone()))
    }

    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>> {
        let rows = self.rows();
        Ok(rows.findings.values().map(|row| &row.finding).filter(|f| f.item == record).cloned().collect())
    }

    async fn implied(&self, connection: &str, by: &[RecordId]) -> Result<Vec<Finding>> {
        let rows = self.rows();
        let open = rows.findings.values().map(|row| &row.finding);
        let open = open.filter(|f| f.connection == connection && f.closed.is_none());
        Ok(open.filter(|f| f.implied_by.is_some_and(|item| by.contains(&item))).cloned().collect())
    }

    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()> {
        if let Some(row) = self.rows().findings.get_mut(&id) {
            set(&mut row.finding, at, status);
        }
        Ok(())
    }
}
