//! Findings become debts again: bounded, and once. What survives a repair waits for a person.

use super::compare::Evidence;
use crate::config::RepairPolicy;
use crate::config::Ruling;
use crate::delivery::DeliveryError;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Finding, FindingKind, FindingStatus, Raise};

/// Raises the repairs of a connection's open findings as debts, as far as its rules and its bound allow. Returns how
/// many findings are being repaired now.
///
/// # Errors
/// If the ledger fails.
pub async fn raise(gateway: &Gateway, connection: &Connection) -> Result<i64, DeliveryError> {
    let (mut raised, mut after) = (0, 0);
    loop {
        let page = gateway.ledger.findings(Some(&connection.config.name), false, after, 200).await?;
        let Some(last) = page.last() else { return Ok(raised) };
        after = last.id;
        for finding in page.iter().filter(|f| f.status == FindingStatus::Open && repairable(f.kind)) {
            if ruling(gateway, connection, finding) != Ruling::Repair {
                continue;
            }
            if raised as u64 >= connection.config.max_repairs {
                return Ok(raised);
            }
            raised += i64::from(repair(gateway, connection, finding).await?);
        }
    }
}

/// What becomes of a finding, as was said when it was found. One without evidence is about erased data: for a person.
fn ruling(gateway: &Gateway, connection: &Connection, finding: &Finding) -> Ruling {
    let by_default = match connection.config.repair {
        RepairPolicy::Auto => Ruling::Repair,
        RepairPolicy::Hold => Ruling::Hold,
    };
    match gateway.vault.open_json::<Evidence>(&finding.evidence) {
        Ok(evidence) => evidence.ruling.unwrap_or(by_default),
        Err(_) => Ruling::Hold,
    }
}

/// True for findings that sending again can mend.
fn repairable(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::Missing | FindingKind::Differs | FindingKind::Stale | FindingKind::Unexpected)
}

/// Repairs one finding. False if sending again cannot mend it.
///
/// # Errors
/// If the ledger fails.
pub async fn repair(gateway: &Gateway, connection: &Connection, finding: &Finding) -> Result<bool, DeliveryError> {
    let debt = match finding.debt {
        Some(debt) => Some(debt),
        // A record that was never ours goes with the next whole load; any debt makes one.
        None if connection.replaces_all() => {
            gateway.ledger.holdings(&connection.config.name, None, 1).await?.first().map(|h| h.debt)
        }
        None => None,
    };
    let Some(debt) = debt.filter(|_| repairable(finding.kind)) else { return Ok(false) };
    let now = gateway.now();
    let why = format!("repair of finding {}", finding.id);
    if gateway.ledger.raise(now, &why, &Raise::Debts(vec![debt])).await? == 0 {
        return Ok(false);
    }
    gateway.ledger.set_finding(finding.id, now, FindingStatus::Repairing).await?;
    connection.bell.notify_waiters();
    Ok(true)
}
