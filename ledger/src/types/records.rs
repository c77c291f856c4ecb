//! Records as they arrive and as they are kept; changes, arrivals and problems.

use super::named;
use super::{LearnerId, Lookup, Micros, RecordId, Sealed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::canonical::Digest;
use silta_adapter::problem::{Fixer, Severity};
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;

/// A record as it arrives at the ledger.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its id.
    pub id: RecordId,
    /// Its learner.
    pub learner: LearnerId,
    /// Look-up pseudonym of its source key.
    pub lookup: Lookup,
    /// The register it comes from.
    pub source: SmolStr,
    /// Its kind.
    pub kind: RecordKind,
    /// The institution as sent.
    pub institution: SmolStr,
    /// Its state.
    pub state: State,
    /// The source's own revision.
    pub revision: Option<u64>,
    /// Digest of its canonical form.
    pub digest: Digest,
    /// The record, sealed; `None` for a tombstone without content.
    pub content: Option<Sealed>,
}

/// A connection whose items a batch marks dirty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebtTarget {
    /// Name of the connection.
    pub connection: SmolStr,
    /// What its lanes are made of.
    pub lane: LaneBy,
    /// True if its items are composed from all records of a learner: a new version of one marks them all.
    pub composed: bool,
}

/// What the lanes of a connection are made of: within a lane debts are sent one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneBy {
    /// One lane for everything (a load replaces everything of the tenant).
    Tenant,
    /// One lane for each learner.
    Learner,
}

/// A batch of records to keep.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose records these are.
    pub tenant: SmolStr,
    /// When they arrived.
    pub at: Micros,
    /// True if tombstones (save for withdrawn consent) may be revived.
    pub reinstate: bool,
    /// The records.
    pub records: Vec<Incoming>,
    /// Connections of the tenant.
    pub targets: Vec<DebtTarget>,
}

/// What became of one record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// What became of it.
    pub outcome: Outcome,
    /// The version that stands now; 0 if the record is not known (contested).
    pub version: i64,
}

named! {
    /// What became of a record that arrived.
    pub enum Outcome {
        /// First seen.
        New = "new",
        /// A newer version.
        Updated = "updated",
        /// Says what is known already.
        Unchanged = "unchanged",
        /// Older than what is known; kept in the journey only.
        Stale = "stale",
        /// A newer version that says what an older one said.
        Reverted = "reverted",
        /// The key belongs to another source; nothing changed.
        Contested = "contested",
        /// Not taken: a tombstone that may not be revived, or not valid.
        Refused = "refused",
    }
}

impl Outcome {
    /// True if a version was written.
    pub fn wrote(self) -> bool {
        matches!(self, Self::New | Self::Updated | Self::Reverted)
    }
}

/// Known records to tombstone.
#[derive(Debug, Clone)]
pub struct TakeBack {
    /// Whose.
    pub tenant: SmolStr,
    /// When.
    pub at: Micros,
    /// How they are taken back.
    pub state: State,
    /// Which.
    pub ids: Vec<RecordId>,
    /// Connections of the tenant.
    pub targets: Vec<DebtTarget>,
}

/// A record as the ledger holds it.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// Its id.
    pub id: RecordId,
    /// Its tenant.
    pub tenant: SmolStr,
    /// Its learner.
    pub learner: LearnerId,
    /// The register it comes from.
    pub source: SmolStr,
    /// Its kind.
    pub kind: RecordKind,
    /// The institution as sent.
    pub institution: SmolStr,
    /// The version that stands.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// The source's own revision.
    pub revision: Option<u64>,
    /// Digest of what stands.
    pub digest: Digest,
    /// What stands, sealed; a tombstone keeps the content it had; `None` if it never had any or was erased.
    pub content: Option<Sealed>,
}

/// A number of records.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Count {
    /// Of this kind.
    pub kind: RecordKind,
    /// In this state.
    pub state: State,
    /// How many.
    pub records: i64,
}

/// One change in the feed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its position: rises in commit order, never reused.
    pub position: i64,
    /// When it was kept.
    pub at: Micros,
    /// The record with the content of this version, as what it said then; its learner is whom it is about now.
    pub record: StoredRecord,
}

/// One arrival of a record: a version, or one that changed nothing.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When.
    pub at: Micros,
    /// What became of it.
    pub outcome: Outcome,
    /// The version it wrote, or the one that stood.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// The source's own revision.
    pub revision: Option<u64>,
    /// Its digest.
    pub digest: Digest,
}

/// What a reading of some records found wrong.
#[derive(Debug, Clone)]
pub struct ProblemReading {
    /// Whose records.
    pub tenant: SmolStr,
    /// When.
    pub at: Micros,
    /// Where problems come from: `intake`, or a connection, by name and what of it. Only problems of this origin are
    /// closed.
    pub origin: SmolStr,
    /// The records that were looked at.
    pub records: Vec<RecordId>,
    /// What was found.
    pub problems: Vec<NewProblem>,
}

/// A problem to open.
#[derive(Debug, Clone)]
pub struct NewProblem {
    /// The record it is about.
    pub record: Option<RecordId>,
    /// Its code.
    pub code: SmolStr,
    /// How bad it is.
    pub severity: Severity,
    /// Who can fix it.
    pub fixer: Fixer,
    /// The whole problem as JSON, sealed.
    pub content: Sealed,
}

/// A problem of a sender.
#[derive(Debug, Clone)]
pub struct StoredProblem {
    /// Its id; also the cursor.
    pub id: i64,
    /// Whose.
    pub tenant: SmolStr,
    /// Where it comes from: `intake`, or a connection.
    pub origin: SmolStr,
    /// The record it is about.
    pub record: Option<RecordId>,
    /// Its code.
    pub code: SmolStr,
    /// How bad it is.
    pub severity: Severity,
    /// Who can fix it.
    pub fixer: Fixer,
    /// The whole problem as JSON, sealed.
    pub content: Sealed,
    /// When it was opened.
    pub opened: Micros,
    /// When it was closed.
    pub closed: Option<Micros>,
    /// The version that cured it; `None` if the record was never kept.
    pub closed_by: Option<i64>,
}
