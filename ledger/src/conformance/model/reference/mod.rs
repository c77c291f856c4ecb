//! What a ledger does, in the plainest words: lists that are walked from end to end, one rule after the other as the
//! traits tell it. Nothing here is fast, and nothing is shared with a store.

mod credentials;
mod debts;
mod findings;
mod links;
mod loads;
mod records;
mod retention;
mod sent;

use super::super::*;
use silta_adapter::delivery::Verdict;
use std::cmp::Reverse;

/// A content and its digest; the content may have been erased.
type Content = (Digest, Option<Sealed>);

#[derive(Default)]
pub(crate) struct Reference {
    last: i64,
    pub(crate) records: Vec<Known>,
    pub(crate) problems: Vec<StoredProblem>,
    pub(crate) debts: Vec<Owing>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) loads: Vec<Carried>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) reconciliations: Vec<Reconciliation>,
    pub(crate) findings: Vec<(LearnerId, Finding)>,
    /// Tenant and link, oldest first.
    pub(crate) links: Vec<(SmolStr, Link)>,
    pub(crate) credentials: Vec<Issued>,
    pub(crate) shares: Vec<([u8; 32], Share)>,
}

/// A record, all that was said of it, and all that arrived.
pub(crate) struct Known {
    pub(crate) now: StoredRecord,
    pub(crate) lookup: Lookup,
    pub(crate) outcome: Outcome,
    pub(crate) versions: Vec<Change>,
    pub(crate) arrivals: Vec<Arrival>,
}

/// A debt, and what is not shown of it.
pub(crate) struct Owing {
    pub(crate) shown: Debt,
    pub(crate) mark: Option<i64>,
    by: LaneBy,
    pub(crate) lane: Option<i64>,
    planned: bool,
    goal: Option<Content>,
    sent: Option<Content>,
    confirmed: Option<Content>,
    unsure: bool,
}

pub(crate) struct Lane {
    pub(crate) id: i64,
    pub(crate) connection: SmolStr,
    tenant: SmolStr,
    learner: Option<LearnerId>,
    pub(crate) due: Option<Micros>,
    pub(crate) lease: Option<(LeaseToken, Micros)>,
}

pub(crate) struct Carried {
    pub(crate) load: Load,
    pub(crate) manifest: Vec<ManifestEntry>,
}

fn digest(content: &Option<Content>) -> Option<Digest> {
    content.as_ref().map(|(digest, _)| *digest)
}
