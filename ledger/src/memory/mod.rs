//! A ledger in memory: for simulation and tests. The same promises as the stores on disk, in plain collections whose
//! order is fixed, so that the same events give the same answers.

mod access;
mod credentials;
mod debts;
mod findings;
mod lanes;
mod links;
mod loads;
mod records;
mod retention;

use super::*;
use loads::LoadRow;
use records::RecordRow;
use silta_adapter::canonical::Digest;
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::Fixer;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A ledger that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryLedger(Mutex<Rows>);

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every method is one lock: one transaction after the other.
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows, and the indexes that keep walks from being scans.
#[derive(Debug, Default)]
struct Rows {
    /// The last number given out: ids, positions, marks and lease tokens are one rising sequence.
    last: i64,
    records: BTreeMap<RecordId, RecordRow>,
    by_lookup: BTreeMap<(SmolStr, Lookup), BTreeSet<RecordId>>,
    /// Records that are, or once were, about a learner.
    by_learner: BTreeMap<LearnerId, BTreeSet<RecordId>>,
    /// Position → record and place of its version.
    feed: BTreeMap<i64, (RecordId, usize)>,
    problems: BTreeMap<i64, StoredProblem>,
    debts: BTreeMap<i64, DebtRow>,
    by_item: BTreeMap<(RecordId, SmolStr), i64>,
    /// Mark → debt.
    dirty: BTreeMap<i64, i64>,
    lanes: BTreeMap<i64, Lane>,
    by_lane: BTreeMap<LaneKey, i64>,
    loads: BTreeMap<i64, LoadRow>,
    attempts: Vec<Attempt>,
    connections: BTreeMap<SmolStr, ConnectionState>,
    reconciliations: BTreeMap<i64, Reconciliation>,
    findings: BTreeMap<i64, findings::FindingRow>,
    /// Duty → holder and end.
    duties: BTreeMap<String, (String, Micros)>,
    tokens: BTreeMap<SmolStr, Token>,
    audit: BTreeMap<i64, AuditEntry>,
    facts: BTreeMap<String, String>,
    /// Who learners were taken to be, oldest first.
    links: BTreeMap<(SmolStr, LearnerId), Vec<Link>>,
    credentials: BTreeMap<i64, Issued>,
    shares: BTreeMap<i64, ([u8; 32], Share)>,
}

impl Rows {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }
}

/// Why a debt or load is not known to have arrived when its holder is gone.
const LEASE_RAN_OUT: &str = "the lease ran out";

/// A content and its digest; the content may have been erased.
type Content = (Digest, Option<Sealed>);

#[derive(Debug)]
struct DebtRow {
    connection: SmolStr,
    tenant: SmolStr,
    item: RecordId,
    kind: RecordKind,
    by: LaneBy,
    /// `None` until it was first owed.
    lane: Option<i64>,
    mark: Option<i64>,
    state: DebtState,
    generation: i64,
    attempts: i64,
    since: Micros,
    fixer: Option<Fixer>,
    reason: String,
    /// `None` until it was planned.
    wanted: Option<Wanted>,
    /// What must be there, or must vanish.
    goal: Option<Content>,
    sent: Option<Content>,
    sent_at: Option<Micros>,
    confirmed: Option<Content>,
    confirmed_at: Option<Micros>,
    losses: Option<Sealed>,
    unsure: bool,
}

/// Connection, tenant, and the learner where each has a lane.
type LaneKey = (SmolStr, SmolStr, Option<LearnerId>);

#[derive(Debug)]
struct Lane {
    key: LaneKey,
    /// All debts that were ever put here.
    debts: Vec<i64>,
    /// When it may be claimed; `None` if nothing is owed.
    due: Option<Micros>,
    lease: Option<Lease>,
}

#[derive(Debug)]
struct Lease {
    token: LeaseToken,
    until: Micros,
}

/// The first rows of a walk.
fn page<T>(rows: impl Iterator<Item = T>, limit: u32) -> Vec<T> {
    rows.take(limit as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn empty() -> (Box<dyn Ledger>, ()) {
        (Box::new(MemoryLedger::new()), ())
    }

    async fn two_processes() -> ([std::sync::Arc<dyn Ledger>; 2], ()) {
        let ledger = std::sync::Arc::new(MemoryLedger::new());
        ([ledger.clone(), ledger], ())
    }

    crate::ledger_suite!(suite, super::empty);
    crate::together_suite!(together, super::two_processes);
}
