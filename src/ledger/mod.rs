//! What is known: records and their versions, debts, loads, findings, and who did what.
//!
//! One set of traits, several stores ([`memory`] for simulation, [`sqlite`] embedded), one [`conformance`] suite that
//! runs on every one of them. Each method is one short transaction; nothing is held across network calls. Times are
//! microseconds since the epoch given by the caller's clock; positions and versions are integers the ledger assigns.
//!
//! Rows outside the personal tables know records and learners by keyed pseudonyms only. Whatever could name a person
//! (bodies, documents, source keys, field-level evidence) reaches the ledger sealed ([`Sealed`]) and lies in rows that
//! are found by learner, so that erasing a learner is one sweep.

mod judge;
pub mod sqlite;
pub mod types;

pub use judge::{Incumbent, judge};
pub use types::*;

use async_trait::async_trait;
use silta_adapter::record::RecordKind;

/// A ledger could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// A row is not what it should be; names table, column and row.
    #[error("inconsistent row in {table}, column {column}, row {row}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row.
        row: String,
    },
    /// A lease was lost: somebody else holds the lane now. Nothing was changed.
    #[error("the lease on the lane was lost")]
    LeaseLost,
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Records, their versions, the change feed and the sender's problems.
#[async_trait]
pub trait Records: Send + Sync {
    /// Keeps a batch in one transaction: judges each record against what is known ([`judge`]), writes versions and
    /// feed positions, and marks the items of the batch's connections dirty. Returns one outcome per record, in order.
    /// A record that occurs twice in a batch is judged against its first occurrence.
    async fn keep(&self, batch: &Batch) -> Result<Vec<Kept>>;

    /// Tombstones known records: for complete pushes and withdrawals by id. Unknown ids and records that are
    /// tombstones already are left alone. Returns how many changed.
    async fn take_back(&self, batch: &TakeBack) -> Result<u64>;

    /// One record by its id.
    async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>>;

    /// All records of one learner, learner record first, then by kind.
    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>>;

    /// Records of a tenant whose source key has this look-up pseudonym.
    async fn look_up(&self, tenant: &str, lookup: Lookup) -> Result<Vec<StoredRecord>>;

    /// Ids of a tenant's current records of a source and kinds, ascending, after a given one.
    async fn current_ids(
        &self,
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>>;

    /// Learners of a tenant that have a current record, ascending, after a given one.
    async fn learners(&self, tenant: &str, after: Option<LearnerId>, limit: u32) -> Result<Vec<LearnerId>>;

    /// How many records a tenant has, by kind and state.
    async fn counts(&self, tenant: &str) -> Result<Vec<Count>>;

    /// Changes after a position, in the order of their positions: each record once per change, with the content of
    /// that version. `tenants` empty means all.
    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>>;

    /// Every version and every arrival of a record, oldest first.
    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>>;

    /// Brings the open problems of some records to what a new reading found: what is not found any more is closed by
    /// the version that cured it, what is new is opened, what is still there stays. Problems without a record are
    /// always opened.
    async fn settle_problems(&self, reading: &ProblemReading) -> Result<()>;

    /// A tenant's problems after a cursor; open ones only unless `closed` asks for all.
    async fn problems(&self, tenant: &str, after: i64, closed: bool, limit: u32) -> Result<Vec<StoredProblem>>;

    /// Problems of one record, open and closed.
    async fn problems_of(&self, id: RecordId) -> Result<Vec<StoredProblem>>;

    /// Erases a learner's personal rows and leaves keyed tombstones. Debts must have been turned to absent before
    /// ([`Records::take_back`] of all records). Returns how many records were blanked.
    async fn erase(&self, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64>;
}

/// Debts: what each connection is owed, claims on lanes, loads and attempts.
#[async_trait]
pub trait Debts: Send + Sync {
    /// Items of a connection that are marked dirty, oldest mark first, with all they need to be planned.
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>>;

    /// Writes the plans of dirty items. A plan takes the dirty mark away only if no newer one was set meanwhile.
    async fn plan(&self, connection: &str, at: Micros, plans: &[Plan]) -> Result<()>;

    /// Marks every item of a connection dirty (a re-plan after a change of rules, mapping or adapter), including
    /// records of the tenant that have none yet. Returns how many.
    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64>;

    /// Claims the next due lane of a connection and its first due debts by rank. The lease ends at `until`.
    async fn claim(&self, connection: &str, now: Micros, until: Micros, limit: u32) -> Result<Option<Claim>>;

    /// Moves the end of a lease.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] if the lane is held by another token.
    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()>;

    /// Writes what became of claimed debts and gives the lane back. A settlement counts only for the generation that
    /// was claimed: a debt raised meanwhile stays a debt.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] if the lane is held by another token; nothing is changed then.
    async fn settle(&self, settled: &Settled) -> Result<()>;

    /// Takes back leases that ran out. Their debts become `uncertain` if they were being sent. Returns how many.
    async fn reap(&self, now: Micros) -> Result<u64>;

    /// Debts of a connection in one state, oldest first, after an id.
    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>>;

    /// One debt by id.
    async fn debt(&self, id: i64) -> Result<Option<Debt>>;

    /// Debts a record takes part in.
    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>>;

    /// Contents of a connection for a whole-tenant load or a read-back, by learner and rank, after a cursor.
    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>>;

    /// Raises debts again: a new generation of each. Used by retry and repair. Returns how many.
    async fn raise(&self, at: Micros, why: &str, which: &Raise) -> Result<u64>;

    /// Says what reading a store back proved about debts.
    async fn observed(&self, at: Micros, seen: &[Observation]) -> Result<()>;

    /// Stores a load with its manifest, held or ready to send.
    async fn open_load(&self, load: &NewLoad) -> Result<i64>;

    /// Adds to the manifest of a load.
    async fn add_to_manifest(&self, load: i64, entries: &[ManifestEntry]) -> Result<()>;

    /// Changes the status of a load. Settling (`Delivered`) moves the watermarks of its manifest's entries, of the
    /// generation each was taken at, and nothing else.
    async fn close_load(&self, load: i64, at: Micros, status: LoadStatus, reason: &str) -> Result<()>;

    /// Loads of a connection, newest first; `held` only if asked.
    async fn loads(&self, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>>;

    /// One load.
    async fn load(&self, id: i64) -> Result<Option<Load>>;

    /// Entries of a load's manifest, after an item.
    async fn manifest(&self, load: i64, after: Option<RecordId>, limit: u32) -> Result<Vec<ManifestEntry>>;

    /// How many items the last delivered load of a connection placed, and how many of them a new load would remove:
    /// present there and not present in the given one.
    async fn shrinkage(&self, connection: &str, load: i64) -> Result<Shrinkage>;

    /// Loads a record was part of, newest first.
    async fn loads_of(&self, record: RecordId, limit: u32) -> Result<Vec<Load>>;

    /// Notes an attempt.
    async fn attempted(&self, attempt: &Attempt) -> Result<()>;

    /// Attempts for a debt, newest first.
    async fn attempts(&self, debt: i64, limit: u32) -> Result<Vec<Attempt>>;

    /// What a connection's state is; a default one if nothing was stored yet.
    async fn connection(&self, name: &str) -> Result<ConnectionState>;

    /// Stores a connection's state.
    async fn set_connection(&self, state: &ConnectionState) -> Result<()>;

    /// Figures of a connection.
    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures>;
}

/// Reconciliations and their findings.
#[async_trait]
pub trait Findings: Send + Sync {
    /// Opens a reconciliation.
    async fn open_reconciliation(&self, connection: &str, at: Micros) -> Result<i64>;

    /// Stores what a reconciliation found for some items: a finding that is open already keeps its age and counts one
    /// more sighting; open findings of the items that were looked at and not found again are closed.
    async fn found(
        &self,
        reconciliation: i64,
        at: Micros,
        looked_at: &[RecordId],
        findings: &[NewFinding],
    ) -> Result<()>;

    /// Closes a reconciliation with its summary.
    async fn close_reconciliation(&self, id: i64, at: Micros, summary: &Summary) -> Result<()>;

    /// Reconciliations, newest first.
    async fn reconciliations(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Reconciliation>>;

    /// Findings, oldest first, after an id; open ones only unless asked.
    async fn findings(&self, connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Result<Vec<Finding>>;

    /// One finding.
    async fn finding(&self, id: i64) -> Result<Option<Finding>>;

    /// Findings about a record.
    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>>;

    /// Changes the status of a finding.
    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()>;
}

/// Tokens, audit, cursors and small facts.
#[async_trait]
pub trait Access: Send + Sync {
    /// Stores a token (only its hash).
    async fn add_token(&self, token: &Token) -> Result<()>;

    /// The token with this hash, unless it was revoked.
    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>>;

    /// All tokens.
    async fn tokens(&self) -> Result<Vec<Token>>;

    /// Revokes a token by its name. True if there was one.
    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool>;

    /// Writes audit entries.
    async fn audit(&self, entries: &[AuditEntry]) -> Result<()>;

    /// Audit entries, newest first, before an id.
    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>>;

    /// A small fact by name (schema-independent: cursors, schedules, alert states).
    async fn fact(&self, name: &str) -> Result<Option<String>>;

    /// Stores a small fact.
    async fn set_fact(&self, name: &str, value: &str) -> Result<()>;

    /// True if the store answers.
    async fn ready(&self) -> Result<()>;
}

/// The whole ledger.
pub trait Ledger: Records + Debts + Findings + Access {}
impl<T: Records + Debts + Findings + Access> Ledger for T {}
