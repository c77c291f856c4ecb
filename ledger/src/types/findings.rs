//! Reconciliations and findings.

use super::named;
use super::{LearnerId, Micros, RecordId, Sealed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::canonical::Digest;
use smol_str::SmolStr;

named! {
    /// What kind of difference a finding is.
    #[derive(PartialOrd, Ord)]
    pub enum FindingKind {
        /// Should be there and is not.
        Missing = "missing",
        /// Is there and should not be.
        Unexpected = "unexpected",
        /// Is there with other content.
        Differs = "differs",
        /// Is there with the content of an older version.
        Stale = "stale",
        /// Is there more than once.
        Duplicate = "duplicate",
        /// Is there under another key.
        Rekeyed = "rekeyed",
        /// A part without its whole, or a whole whose part is not there.
        OrphanPart = "orphan_part",
        /// In flight: not an error yet.
        Settling = "settling",
    }
}

named! {
    /// Status of a finding.
    pub enum FindingStatus {
        /// Open; a repair may be proposed.
        Open = "open",
        /// A repair was raised as a debt.
        Repairing = "repairing",
        /// Survived a repair: waits for a person.
        Persistent = "persistent",
        /// A person called its repair off: waits for one.
        Held = "held",
        /// A person accepts the difference with this content.
        Accepted = "accepted",
        /// A person does not want to hear of it.
        Suppressed = "suppressed",
        /// Gone.
        Closed = "closed",
    }
}

/// A finding to store.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// The item.
    pub item: RecordId,
    /// Its learner.
    pub learner: LearnerId,
    /// The debt, if we have one for it.
    pub debt: Option<i64>,
    /// What kind of difference.
    pub kind: FindingKind,
    /// Digest of what was found there, so that an accepted difference is recognised again.
    pub digest: Option<Digest>,
    /// The finding that implies this one, by its item.
    pub implied_by: Option<RecordId>,
    /// Field-level evidence and the key as JSON, sealed.
    pub evidence: Sealed,
}

/// A finding.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its id.
    pub id: i64,
    /// The reconciliation that last saw it.
    pub reconciliation: i64,
    /// The connection.
    pub connection: SmolStr,
    /// The item.
    pub item: RecordId,
    /// The debt, if we have one for it.
    pub debt: Option<i64>,
    /// What kind of difference.
    pub kind: FindingKind,
    /// Its status.
    pub status: FindingStatus,
    /// Digest of what was found there.
    pub digest: Option<Digest>,
    /// The item of the finding that implies this one.
    pub implied_by: Option<RecordId>,
    /// Field-level evidence and the key as JSON, sealed.
    pub evidence: Sealed,
    /// First seen.
    pub opened: Micros,
    /// Last seen.
    pub seen: Micros,
    /// How often it was seen.
    pub sightings: i64,
    /// When it was closed.
    pub closed: Option<Micros>,
}

/// A reconciliation.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// Its id.
    pub id: i64,
    /// The connection.
    pub connection: SmolStr,
    /// When it started.
    pub started: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
    /// Its summary.
    pub summary: Option<Summary>,
}

/// Summary of a reconciliation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Learners asked about.
    pub learners: i64,
    /// Of them answered completely.
    pub complete: i64,
    /// Items compared.
    pub items: i64,
    /// Items that are as they should be.
    pub agreed: i64,
    /// Findings by kind, without those that follow from another.
    pub findings: std::collections::BTreeMap<SmolStr, i64>,
    /// Findings that follow from another.
    #[serde(default)]
    pub implied: i64,
    /// Differences that are no errors, by the rules of the connection.
    #[serde(default)]
    pub legitimate: i64,
    /// Records of other institutions in which credit that ours recognised has its origin.
    #[serde(default)]
    pub recognised: i64,
    /// Repairs raised as debts.
    pub repairs: i64,
    /// Why nothing was repaired without a person, if it is the share of differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Why it is incomplete, if it is: nothing is repaired from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
