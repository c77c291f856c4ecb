//! Findings, each with those that follow from it.

use crate::ledger::{Finding, Ledger, RecordId, Result};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// A finding and what follows from it.
#[derive(Debug, Clone)]
pub struct Nested {
    /// The finding.
    pub finding: Finding,
    /// Findings that are not closed and go with it.
    pub implies: Vec<Finding>,
}

/// Nests findings: each that is not closed and follows from another hangs under that one, wherever in the list either
/// stands, and is told there alone.
///
/// # Errors
/// If the ledger fails.
pub async fn nest(ledger: &dyn Ledger, findings: Vec<Finding>) -> Result<Vec<Nested>> {
    let mut by_connection: BTreeMap<SmolStr, BTreeSet<RecordId>> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.implied_by.is_none() && f.closed.is_none()) {
        by_connection.entry(finding.connection.clone()).or_default().insert(finding.item);
    }
    let mut implied: BTreeMap<(SmolStr, RecordId), Vec<Finding>> = BTreeMap::new();
    for (connection, items) in by_connection {
        let items: Vec<RecordId> = items.into_iter().collect();
        for finding in ledger.implied(&connection, &items).await? {
            let Some(by) = finding.implied_by else { continue };
            implied.entry((connection.clone(), by)).or_default().push(finding);
        }
    }
    let mut roots: BTreeMap<(SmolStr, RecordId), bool> = BTreeMap::new();
    let mut out = Vec::with_capacity(findings.len());
    for finding in findings {
        if let (Some(by), None) = (finding.implied_by, finding.closed) {
            let place = (finding.connection.clone(), by);
            let known = match roots.get(&place) {
                Some(known) => *known,
                None => {
                    let found = ledger.findings_of(by).await?;
                    found.iter().any(|f| is_root(f) && f.connection == place.0)
                }
            };
            roots.insert(place, known);
            if known {
                continue;
            }
        }
        let implies = match is_root(&finding) {
            true => implied.remove(&(finding.connection.clone(), finding.item)).unwrap_or_default(),
            false => Vec::new(),
        };
        out.push(Nested { finding, implies });
    }
    Ok(out)
}

fn is_root(finding: &Finding) -> bool {
    finding.implied_by.is_none() && finding.closed.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::memory::MemoryLedger;
    use crate::ledger::{FindingKind, Findings as _, LearnerId, NewFinding};

    fn finding(n: u8, by: Option<u8>) -> NewFinding {
        NewFinding {
            item: RecordId([n; 16]),
            learner: LearnerId([1; 16]),
            debt: None,
            kind: FindingKind::Missing,
            digest: None,
            implied_by: by.map(|n| RecordId([n; 16])),
            evidence: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_follows_from_a_finding_is_told_with_it_on_whatever_page_it_stands() {
        let ledger = MemoryLedger::new();
        let run = ledger.open_reconciliation("store", 1).await.expect("opened");
        let found = [finding(3, Some(1)), finding(1, None), finding(2, Some(1)), finding(5, Some(4))];
        ledger.found(run, 1, &[], &found).await.expect("stored");
        let told = async |after, limit| {
            let page = ledger.findings(Some("store"), false, after, limit).await.expect("findings");
            let nested = nest(&ledger, page).await.expect("nested");
            let first = |f: &Finding| f.item.0[0];
            nested.iter().map(|n| (first(&n.finding), n.implies.iter().map(first).collect())).collect::<Vec<_>>()
        };
        assert_eq!(told(0, 9).await, [(1, vec![3, 2]), (5, vec![])], "a root that is gone implies nothing");
        let all = ledger.findings(None, false, 0, 9).await.expect("findings");
        assert_eq!(told(0, 2).await, [(1, vec![3, 2])]);
        assert_eq!(told(all[1].id, 1).await, [], "told with its root");
    }
}
