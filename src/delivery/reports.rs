//! What destinations report later, told to the sender: what was taken with an oddity, and what was not taken at all.
//!
//! A report says everything that is wrong at its time, so that only the newest counts and taking it twice changes
//! nothing: which one was taken is remembered by the process alone. An error is a verdict on what was sent before: the
//! debt is refused until its content changes. It then goes with no load, so that later reports are silent about it, and
//! that silence cures nothing.

use super::DeliveryError;
use super::items::open_item;
use super::plan::new_problem;
use super::walk::Walk;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{DebtState, ProblemReading, RecordId, Rejection};
use silta_adapter::problem::Severity;
use silta_adapter::record::{RecordKey, RecordKind};
use silta_adapter::report::{Remark, Report};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Takes the newest report of a connection, if it is another than the one behind the cursor. Returns the cursor behind
/// what was taken.
///
/// # Errors
/// If the ledger fails or a content cannot be opened. A report that cannot be read is none: it is read again.
pub async fn take(
    gateway: &Gateway,
    connection: &Connection,
    after: Option<SmolStr>,
) -> Result<Option<SmolStr>, DeliveryError> {
    let Some(reports) = &connection.connected.reports else { return Ok(after) };
    let report = match reports.newest(after.as_deref()).await {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(after),
        Err(not_read) => {
            tracing::warn!(connection = %connection.config.name, reason = %not_read, "the report was not read");
            return Ok(after);
        }
    };
    settle(gateway, connection, &report).await?;
    Ok(Some(report.cursor))
}

/// Brings the sender's problems to what a report says: those it does not repeat are cured.
async fn settle(gateway: &Gateway, connection: &Connection, report: &Report) -> Result<(), DeliveryError> {
    let origin: SmolStr = format!("{}:reports", connection.config.name).into();
    let named = name(gateway, connection, report).await?;
    let refused = reject(gateway, connection, report, &named).await?;
    let mut looked_at = HashSet::new();
    for record in told_before(gateway, connection, &origin).await? {
        if !still_refused(gateway, connection, record).await? {
            looked_at.insert(record);
        }
    }
    looked_at.extend(named.values().map(|(record, _)| *record));
    let mut problems = Vec::with_capacity(report.remarks.len());
    let mut unknown = 0u64;
    for remark in &report.remarks {
        // A remark about nothing we sent is the operator's to see, and no sender's.
        match remark.about.as_ref().and_then(|about| named.get(about)) {
            Some((record, key)) => {
                problems.push(new_problem(&gateway.vault, Some(*record), &remark.problem.clone().about(key)));
            }
            None => unknown += 1,
        }
    }
    tracing::info!(
        connection = %connection.config.name,
        told = problems.len(),
        refused,
        unknown,
        unread = report.unread,
        "report of the destination taken"
    );
    let reading = ProblemReading {
        tenant: connection.config.tenant.clone(),
        at: gateway.now(),
        origin,
        records: looked_at.into_iter().collect(),
        problems,
    };
    Ok(gateway.ledger.settle_problems(&reading).await?)
}

/// Refuses what the destination says it did not take. Returns how many debts.
async fn reject(
    gateway: &Gateway,
    connection: &Connection,
    report: &Report,
    named: &Named,
) -> Result<u64, DeliveryError> {
    let mut rejected: BTreeMap<RecordId, Rejection> = BTreeMap::new();
    for Remark { about, problem } in report.remarks.iter().filter(|r| r.problem.severity == Severity::Error) {
        let Some((item, _)) = about.as_ref().and_then(|about| named.get(about)) else { continue };
        let reason = format!("{} ({})", problem.message, problem.code);
        rejected.entry(*item).or_insert(Rejection { item: *item, fixer: problem.fixer, reason });
    }
    let rejected: Vec<Rejection> = rejected.into_values().collect();
    let until = report.at.as_microsecond();
    let refused = gateway.ledger.reject(gateway.now(), &connection.config.name, until, &rejected).await?;
    if refused > 0 {
        // What is carried in their place, if anything is, goes with the next load.
        connection.bell.notify_waiters();
    }
    Ok(refused)
}

/// True if what the connection is owed for a record waits for somebody to fix it.
async fn still_refused(gateway: &Gateway, connection: &Connection, record: RecordId) -> Result<bool, DeliveryError> {
    let debts = gateway.ledger.debts_of(record).await?;
    Ok(debts.iter().any(|debt| debt.connection == connection.config.name && debt.state == DebtState::Refused))
}

/// Records by kind and key at the source.
type Named = HashMap<(RecordKind, SmolStr), (RecordId, RecordKey)>;

/// The records that a report is about: it knows them by their keys at the source alone, which are sealed here, so that
/// everything the connection holds is looked through.
async fn name(gateway: &Gateway, connection: &Connection, report: &Report) -> Result<Named, DeliveryError> {
    const LEARNERS: usize = 200;
    let mut wanted: HashSet<&(RecordKind, SmolStr)> = report.remarks.iter().filter_map(|r| r.about.as_ref()).collect();
    let mut named = HashMap::new();
    let mut walk = Walk::new(gateway, connection);
    while !wanted.is_empty() {
        let learners = walk.next(LEARNERS).await?;
        if learners.is_empty() {
            break;
        }
        for holding in learners.iter().flat_map(|learner| &learner.holdings) {
            let Some((_, content)) = holding.sent_content.as_ref().or(holding.wanted_content.as_ref()) else {
                continue;
            };
            for record in open_item(gateway, content)? {
                let subject = (record.head.key.kind, record.head.key.id.clone());
                if wanted.remove(&subject) {
                    named.insert(subject, (holding.item, record.head.key));
                }
            }
        }
    }
    Ok(named)
}

/// The records that earlier reports told of and that are not cured yet.
async fn told_before(
    gateway: &Gateway,
    connection: &Connection,
    origin: &str,
) -> Result<HashSet<RecordId>, DeliveryError> {
    const PAGE: u32 = 1000;
    let (mut records, mut after) = (HashSet::new(), 0);
    loop {
        let page = gateway.ledger.problems(&connection.config.tenant, after, false, PAGE).await?;
        let Some(last) = page.last() else { return Ok(records) };
        after = last.id;
        records.extend(page.iter().filter(|problem| problem.origin == origin).filter_map(|problem| problem.record));
    }
}
