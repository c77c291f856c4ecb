//! What is forgotten in time.

use super::named;

named! {
    /// What a store keeps of what is over. Each says what is never forgotten, however old it is.
    pub enum Trace {
        /// Attempts; not those for debts that are still open.
        Attempts = "attempts",
        /// Findings that are closed.
        Findings = "findings",
        /// Reconciliations; not the last one of a connection, nor one of which a finding is left.
        Reconciliations = "reconciliations",
        /// Loads that are closed, with their manifests; not the last one delivered for a connection and tenant.
        Loads = "loads",
        /// Problems that are closed, and those about no record, which nothing closes, as long after they were opened.
        Problems = "problems",
        /// The audit trail.
        Audit = "audit",
        /// Arrivals that wrote no version.
        Arrivals = "arrivals",
        /// Versions that were superseded, with their places in the change feed; not what stands, and of no version a
        /// content that something else refers to: what is wanted, or was accepted or seen at a destination.
        Versions = "versions",
    }
}

/// What one call of [`forget`](crate::Retention::forget) came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// How many were forgotten.
    pub forgotten: u64,
    /// Where to go on; `None` if all were looked at.
    pub next: Option<i64>,
}
