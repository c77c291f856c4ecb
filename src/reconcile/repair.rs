//! Findings become debts again: bounded, and once. What survives a repair waits for a person, and so does one that was
//! called off before it was sent.

use super::compare::Evidence;
use crate::config::RepairPolicy;
use crate::config::Ruling;
use crate::delivery::DeliveryError;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{DebtState, Finding, FindingKind, FindingStatus, Raise, Wanted};
use schemars::JsonSchema;
use serde::Serialize;

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
            if ruling(gateway, connection, finding) != Ruling::Repair
                || is_there_though_refused(gateway, finding).await?
            {
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

/// True for what a destination is said not to take and holds all the same: no load by itself removes it.
async fn is_there_though_refused(gateway: &Gateway, finding: &Finding) -> Result<bool, DeliveryError> {
    let (FindingKind::Unexpected, Some(id)) = (finding.kind, finding.debt) else { return Ok(false) };
    let debt = gateway.ledger.debt(id).await?;
    Ok(debt.is_some_and(|debt| debt.state == DebtState::Refused && debt.wanted == Wanted::Present))
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
    if !repairable(finding.kind) {
        return Ok(false);
    }
    let now = gateway.now();
    match subject(gateway, connection, finding).await? {
        Subject::Debt(debt) => {
            if gateway.ledger.raise(now, &why(finding), &Raise::Debts(vec![debt])).await? == 0 {
                return Ok(false);
            }
        }
        Subject::AnyLoad => make_load(gateway, connection).await?,
        Subject::None => return Ok(false),
    }
    gateway.ledger.set_finding(finding.id, now, FindingStatus::Repairing).await?;
    connection.bell.notify_waiters();
    Ok(true)
}

/// What mends a finding.
enum Subject {
    /// Sending what this debt wants.
    Debt(i64),
    /// Any load: the store then holds what the load carries, and nothing else.
    AnyLoad,
    /// Nothing that is sent.
    None,
}

async fn subject(gateway: &Gateway, connection: &Connection, finding: &Finding) -> Result<Subject, DeliveryError> {
    let replaces_all = connection.replaces_all();
    let Some(id) = finding.debt else {
        return Ok(if replaces_all { Subject::AnyLoad } else { Subject::None });
    };
    // What is refused is not what was sent last; a load carries what was.
    let refused = gateway.ledger.debt(id).await?.is_some_and(|debt| debt.state == DebtState::Refused);
    Ok(if refused && replaces_all { Subject::AnyLoad } else { Subject::Debt(id) })
}

/// The reason under which the repair of a finding is owed.
fn why(finding: &Finding) -> String {
    format!("repair of finding {}", finding.id)
}

/// The reason under which a debt is owed only so that a load is made.
const FOR_A_LOAD: &str = "a load that repairs what the store holds";

/// Owes something again, so that a load is made, unless one is going to be made anyway.
async fn make_load(gateway: &Gateway, connection: &Connection) -> Result<(), DeliveryError> {
    let name = &connection.config.name;
    if !gateway.ledger.debts(name, Some(DebtState::Owed), 0, 1).await?.is_empty() {
        return Ok(());
    }
    for state in [DebtState::Confirmed, DebtState::Sent, DebtState::Unverifiable] {
        let paid = gateway.ledger.debts(name, Some(state), 0, 1).await?;
        if let Some(debt) = paid.first() {
            gateway.ledger.raise(gateway.now(), FOR_A_LOAD, &Raise::Debts(vec![debt.id])).await?;
            return Ok(());
        }
    }
    Ok(())
}

/// Calls the repair of a finding off, if nothing of it was sent yet; the finding then waits for a person. False if it is
/// too late, or what the repair would have sent is owed for another reason by now.
///
/// # Errors
/// If the ledger fails.
pub async fn call_off(gateway: &Gateway, connection: &Connection, finding: &Finding) -> Result<bool, DeliveryError> {
    if finding.status != FindingStatus::Repairing {
        return Ok(false);
    }
    let now = gateway.now();
    let done = match subject(gateway, connection, finding).await? {
        Subject::Debt(debt) => gateway.ledger.call_off(now, debt, &why(finding)).await?,
        Subject::AnyLoad => unmake_load(gateway, connection, finding).await?,
        Subject::None => false,
    };
    if done {
        gateway.ledger.set_finding(finding.id, now, FindingStatus::Held).await?;
    }
    Ok(done)
}

/// Owes no longer what was owed for a load alone, if no other repair needs it. False if a load is made or was made since.
async fn unmake_load(gateway: &Gateway, connection: &Connection, finding: &Finding) -> Result<bool, DeliveryError> {
    let name = &connection.config.name;
    let mut after = 0;
    let mut vehicle = None;
    while vehicle.is_none() {
        let owed = gateway.ledger.debts(name, Some(DebtState::Owed), after, 1000).await?;
        let Some(last) = owed.last() else { return Ok(false) };
        after = last.id;
        vehicle = owed.iter().find(|debt| debt.reason == FOR_A_LOAD).map(|debt| debt.id);
    }
    let mut after = 0;
    loop {
        let page = gateway.ledger.findings(Some(name), false, after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for other in page.iter().filter(|f| f.id != finding.id && f.status == FindingStatus::Repairing) {
            if matches!(subject(gateway, connection, other).await?, Subject::AnyLoad) {
                return Ok(true);
            }
        }
    }
    match vehicle {
        Some(debt) => Ok(gateway.ledger.call_off(gateway.now(), debt, FOR_A_LOAD).await?),
        None => Ok(false),
    }
}

/// What became of the repairs of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CalledOff {
    /// Repairs that were called off.
    pub called_off: u64,
    /// Repairs that were sent, or are being sent, or whose content is owed for another reason by now.
    pub too_late: u64,
}

/// Calls off every repair of a connection that was not sent yet.
///
/// # Errors
/// If the ledger fails.
pub async fn call_off_all(gateway: &Gateway, connection: &Connection) -> Result<CalledOff, DeliveryError> {
    let (mut out, mut after) = (CalledOff::default(), 0);
    loop {
        let page = gateway.ledger.findings(Some(&connection.config.name), false, after, 200).await?;
        let Some(last) = page.last() else { return Ok(out) };
        after = last.id;
        for finding in page.iter().filter(|f| f.status == FindingStatus::Repairing) {
            match call_off(gateway, connection, finding).await? {
                true => out.called_off += 1,
                false => out.too_late += 1,
            }
        }
    }
}
