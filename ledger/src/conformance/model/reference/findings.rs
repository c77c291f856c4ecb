//! Reconciliations and findings.

use super::*;

impl Reference {
    pub(crate) fn open_reconciliation(&mut self, connection: &str, at: Micros) -> i64 {
        let id = self.number();
        let connection = connection.into();
        self.reconciliations.push(Reconciliation { id, connection, started: at, ended: None, summary: None });
        id
    }

    pub(crate) fn found(&mut self, reconciliation: i64, at: Micros, looked_at: &[RecordId], found: &[NewFinding]) {
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

    pub(crate) fn set_finding(&mut self, id: i64, at: Micros, status: FindingStatus) {
        for (_, finding) in self.findings.iter_mut().filter(|(_, f)| f.id == id && f.closed.is_none()) {
            finding.status = status;
            finding.closed = (status == FindingStatus::Closed).then_some(at);
        }
    }
}
