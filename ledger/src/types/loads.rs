//! Loads, attempts and the state of connections.

use super::named;
use super::{DebtState, Micros, RecordId};
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::canonical::Digest;
use silta_adapter::delivery::Verdict;
use smol_str::SmolStr;

/// A load to store.
#[derive(Debug, Clone)]
pub struct NewLoad {
    /// The connection.
    pub connection: SmolStr,
    /// Whose records.
    pub tenant: SmolStr,
    /// When.
    pub at: Micros,
    /// Held or sending.
    pub status: LoadStatus,
    /// Why.
    pub reason: String,
}

/// One item of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The debt.
    pub debt: i64,
    /// The item.
    pub item: RecordId,
    /// The generation it was taken at.
    pub generation: i64,
    /// What is carried: `None` where the item is left out because it must be absent.
    pub digest: Option<Digest>,
    /// True if this is what is wanted now; false if last-good content stands in for it.
    pub wanted: bool,
}

named! {
    /// Status of a load.
    pub enum LoadStatus {
        /// Waits for an operator.
        Held = "held",
        /// Released by an operator: the next load may be sent.
        Released = "released",
        /// Rejected by an operator.
        Rejected = "rejected",
        /// Being sent.
        Sending = "sending",
        /// Accepted.
        Delivered = "delivered",
        /// Refused by the destination.
        Refused = "refused",
        /// Did not get through; a later load replaces it.
        Failed = "failed",
    }
}

impl LoadStatus {
    /// True if it is over: nothing more becomes of the load.
    pub fn closed(self) -> bool {
        matches!(self, Self::Rejected | Self::Delivered | Self::Refused | Self::Failed)
    }
}

/// A load.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Load {
    /// Its id.
    pub id: i64,
    /// The connection.
    pub connection: SmolStr,
    /// Whose records.
    pub tenant: SmolStr,
    /// When it was made.
    pub at: Micros,
    /// Its status.
    pub status: LoadStatus,
    /// Why.
    pub reason: String,
    /// Items it places: entries of its manifest that carry something.
    pub items: i64,
    /// When it was delivered, refused, failed or rejected.
    pub closed: Option<Micros>,
}

/// What a load would remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shrinkage {
    /// Items the last delivered load placed; `None` if there was none.
    pub before: Option<i64>,
    /// How many of them the new load does not place.
    pub removed: i64,
}

/// One attempt to send.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The debt; `None` for an attempt of a whole load.
    pub debt: Option<i64>,
    /// The load; `None` for single items.
    pub load: Option<i64>,
    /// The connection.
    pub connection: SmolStr,
    /// When it started.
    pub at: Micros,
    /// How long it took, in microseconds.
    pub took: Micros,
    /// What became of it.
    pub verdict: Verdict,
    /// The cause it was judged by.
    pub cause: SmolStr,
    /// Why.
    pub reason: String,
}

/// State of a connection that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionState {
    /// Its name.
    pub name: SmolStr,
    /// Paused by an operator.
    pub paused: bool,
    /// Failures in a row.
    pub failures: i64,
    /// The breaker is open until then.
    pub open_until: Option<Micros>,
    /// The last load was made at.
    pub last_load: Option<Micros>,
    /// The last reconciliation was started at.
    pub last_reconciled: Option<Micros>,
    /// Digest of the rules and settings everything was planned under.
    pub planned_under: String,
}

impl ConnectionState {
    /// The state of a connection of which nothing was stored yet.
    pub fn new(name: impl Into<SmolStr>) -> Self {
        Self {
            name: name.into(),
            paused: false,
            failures: 0,
            open_until: None,
            last_load: None,
            last_reconciled: None,
            planned_under: String::new(),
        }
    }
}

/// Figures of a connection.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Debts by state.
    pub states: Vec<(DebtState, i64)>,
    /// Debts in no open state whose record changed and that are to be planned again.
    pub dirty: i64,
    /// Since when the oldest open debt is owed.
    pub oldest: Option<Micros>,
    /// Attempts since the given time.
    pub attempts: i64,
    /// Of them accepted, or taken to be processed later.
    pub accepted: i64,
    /// Held loads.
    pub held_loads: i64,
    /// Findings that survived a repair.
    pub persistent: i64,
}

impl Figures {
    /// How many debts are open.
    pub fn backlog(&self) -> i64 {
        self.dirty + self.states.iter().filter(|(state, _)| state.open()).map(|(_, n)| n).sum::<i64>()
    }

    /// How many debts are in a state.
    pub fn in_state(&self, state: DebtState) -> i64 {
        self.states.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
    }
}
