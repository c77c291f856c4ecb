//! What is known: records and their versions, debts, loads, findings, and who did what.
//!
//! One set of traits, several stores ([`memory`] for simulation; each database has a crate of its own), one suite
//! (`conformance`, a feature) that runs on every one of them. Each method is one short transaction; nothing is held across network calls. Times are
//! microseconds since the epoch given by the caller's clock; positions and versions are integers the ledger assigns.
//!
//! Everywhere: "after" and "before" leave out the id they name; an empty list of kinds or tenants means all of them;
//! ids that are not known are passed over.
//!
//! Rows outside the personal tables know records and learners by keyed pseudonyms only. Whatever could name a person
//! (bodies, documents, source keys, field-level evidence) reaches the ledger sealed ([`Sealed`]) and lies in rows that
//! are found by learner, so that erasing a learner is one sweep.

pub mod batch;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod dump;
mod judge;
pub mod memory;
pub mod rows;
pub mod stored;
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
    /// The store is away for now: its server restarts, or its disk is full. The call did nothing, or its answer was lost;
    /// it may be made again later.
    #[error("the store is away: {0}")]
    Away(String),
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
    /// Transactions of several processes met, and this one gave way. Nothing was changed; the same call may be made again.
    #[error("the store is busy: {0}")]
    Conflict(String),
    /// A lease was lost: somebody else holds the lane now. Nothing was changed.
    #[error("the lease on the lane was lost")]
    LeaseLost,
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Records, their versions, the change feed and the sender's problems.
#[async_trait]
pub trait Records: Send + Sync {
    /// Keeps a batch in one transaction: judges each record against what is known ([`judge()`]), writes versions and
    /// feed positions, and marks the items of the batch's connections dirty. Returns one outcome per record, in order.
    /// A record that occurs twice in a batch is judged against its first occurrence.
    ///
    /// An unknown record is contested if another source of the tenant has a record (standing or not) of the same
    /// look-up pseudonym, kind and institution; learners never are. A tombstone without content keeps the content and
    /// digest the record had. The revision that stands never falls: an arrival without one keeps it, an unchanged
    /// arrival may raise it. Only what writes a version takes a feed position and sets marks; every arrival of a known
    /// record is in its history. An item's lane is chosen when it is first owed, and stays. Where a connection
    /// composes its items, a version marks every item there of the learner it is about and of whom it was about before.
    async fn keep(&self, batch: &Batch) -> Result<Vec<Kept>>;

    /// Tombstones known records: for complete pushes and withdrawals by id. Each gets a version that keeps content,
    /// digest and revision, and every debt it has is marked dirty, with all of its learner where a connection composes
    /// its items. Unknown ids, other tenants' records and records that are tombstones already are left alone; so is
    /// everything if the state is not a tombstone. Returns how many changed.
    async fn take_back(&self, batch: &TakeBack) -> Result<u64>;

    /// One record by its id.
    async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>>;

    /// All records of one learner, learner record first, then by kind and id.
    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>>;

    /// Records of a tenant whose source key has this look-up pseudonym, by id.
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

    /// How many records a tenant has, by kind and state; what there is none of is left out.
    async fn counts(&self, tenant: &str) -> Result<Vec<Count>>;

    /// Changes after a position, in the order of their positions: each record once per change, with the content of
    /// that version.
    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>>;

    /// Every version and every arrival of a record, oldest first.
    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>>;

    /// Brings the open problems of some records to what a new reading found: what is not found any more is closed by
    /// the version that cured it (the one that stands, if the record is known), what is new is opened, what is still
    /// there stays: it keeps its id and age, and takes content, severity and fixer of the new reading. Problems are
    /// matched by record and code, in order where there are several. Problems without a record are always opened.
    async fn settle_problems(&self, reading: &ProblemReading) -> Result<()>;

    /// A tenant's problems after a cursor, by id; open ones only unless `closed` asks for all.
    async fn problems(&self, tenant: &str, after: i64, closed: bool, limit: u32) -> Result<Vec<StoredProblem>>;

    /// Problems of one record, open and closed, by id.
    async fn problems_of(&self, id: RecordId) -> Result<Vec<StoredProblem>>;

    /// Erases a learner's personal rows and leaves keyed tombstones. Debts must have been turned to absent before
    /// ([`Records::take_back`] of all records): a record that still stands is left alone, and one that is about
    /// somebody else now. Of the others every sealed byte goes, whomever an older version was about: contents of
    /// versions and debts, losses, problems, findings (where they are not optional they become
    /// empty), documents of credentials; their open problems are closed. Where none of hers stands, what was known of
    /// who she is goes too ([`Links`]). Digests, states, debts and the journey stay. Returns how many records had
    /// something to blank in one of their versions.
    async fn erase(&self, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64>;
}

/// Debts: what each connection is owed, claims on lanes, loads and attempts.
#[async_trait]
pub trait Debts: Send + Sync {
    /// Items of a connection that are marked dirty, oldest mark first, with all they need to be planned. A new mark
    /// replaces an older one. What is being sent, by a claim or in a load, is left out: nothing is planned anew under it.
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>>;

    /// Writes the plans of dirty items and takes their marks away. A plan counts only while the mark it was made for
    /// stands and the debt is not being sent, by a claim or in a load: otherwise nothing of it is written and the item
    /// stays dirty.
    async fn plan(&self, connection: &str, at: Micros, plans: &[Plan]) -> Result<()>;

    /// Marks every item of a connection dirty (a re-plan after a change of rules, mapping or adapter), including
    /// records of the tenant that have none yet (owed since their version was kept). Returns how many.
    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64>;

    /// Claims due lanes of a connection, at most so many, and of each its first owed debts; they are being sent from then
    /// on. The leases end at `until`.
    ///
    /// A lane is due if it has an owed debt, nobody holds it and its time has come: the time its first debt was owed,
    /// or the `next` of its last settlement. A limit of 0 claims lanes without their debts, for a load. The lanes due
    /// longest come, and come first. In a lane, what must be present goes by
    /// [`rank`], what must be absent after it by rank reversed; within a rank what is owed longest, then by id.
    async fn claim_lanes(
        &self,
        connection: &str,
        now: Micros,
        until: Micros,
        lanes: u32,
        limit: u32,
    ) -> Result<Vec<Claim>>;

    /// Claims the next due lane of a connection, if there is one: see [`Debts::claim_lanes`].
    async fn claim(&self, connection: &str, now: Micros, until: Micros, limit: u32) -> Result<Option<Claim>> {
        Ok(self.claim_lanes(connection, now, until, 1, limit).await?.pop())
    }

    /// Moves the end of a lease. One that ran out is its holder's until it is reaped.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] if the lane is not held by this token.
    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()>;

    /// Writes what became of claimed debts and gives their lanes back, and notes the attempts made for them: all at once.
    /// A settlement counts only for a debt of the claim
    /// and the generation that was claimed, and counts as one try (a whole load, which claims a lane without its debts,
    /// may also find that an owed debt has to wait for another item); all other debts of the claim that are still being
    /// sent go back to owed, untried. A record changed meanwhile is dirty, and planned when the claim has ended.
    ///
    /// Returns the lanes that are not held by their tokens: they and their debts are not changed. Attempts were made
    /// whoever holds the lane now, and are noted.
    async fn settle_lanes(&self, settled: &[Settled], attempts: &[Attempt]) -> Result<Vec<LaneId>>;

    /// Settles one lane: see [`Debts::settle_lanes`].
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] if the lane is not held by this token; nothing is changed then.
    async fn settle(&self, settled: &Settled) -> Result<()> {
        let lost = self.settle_lanes(std::slice::from_ref(settled), &[]).await?;
        if lost.is_empty() { Ok(()) } else { Err(LedgerError::LeaseLost) }
    }

    /// Takes back leases that ended before now. Their debts become `uncertain` if they were being sent, which counts as
    /// a try, with an attempt of its own. Loads that were being sent in a tenant's lane that nobody holds now have failed, whoever held it when they
    /// were opened. Owed debts left in the lane are due at once. Returns how many leases.
    async fn reap(&self, now: Micros) -> Result<u64>;

    /// Owes again what is `uncertain` at a connection, in the same generation: for destinations at which sending twice
    /// is harmless. Returns how many.
    async fn try_again(&self, connection: &str, now: Micros) -> Result<u64>;

    /// Debts of a connection in one state, by id, after an id.
    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>>;

    /// One debt by id.
    async fn debt(&self, id: i64) -> Result<Option<Debt>>;

    /// Debts a record takes part in, by id.
    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>>;

    /// Contents of a connection for a whole-tenant load or a read-back, of all its debts by learner, rank and id, after
    /// a cursor.
    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>>;

    /// Raises debts again: a new generation of each, due at once. Used by retry and repair. A debt without content to
    /// send (not planned yet, or refused by its plan) is marked dirty instead, to be planned again; one that is being
    /// sent, or barred, is left alone. Returns how many were raised or marked.
    async fn raise(&self, at: Micros, why: &str, which: &Raise) -> Result<u64>;

    /// Takes back that a debt was raised, if it still stands as it was raised for that reason ([`Debts::raise`]): owed,
    /// untried, and not being sent in a load. It is again what it was before, as far as its watermarks tell: confirmed
    /// or sent where what is wanted is what was last accepted, settled where nothing is wanted, nothing was ever
    /// accepted and nothing can be there unseen ([unsure](DirtyItem::unsure)); what else was never accepted waits for
    /// an operator, refused. The generation stays. False if nothing was taken back.
    async fn call_off(&self, at: Micros, debt: i64, why: &str) -> Result<bool>;

    /// Takes back that debts of a connection were paid: a destination said later that it did not take their items. Each
    /// that is paid by something present is refused, unless it was accepted, or seen there, after `until`. What was last accepted is then what
    /// was last seen there, if anything was; without it something may be there that no watermark shows. Of an item that
    /// is named twice the first word counts. Returns how many were refused.
    async fn reject(&self, at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> Result<u64>;

    /// Says what reading a store back proved about debts. A proof counts if it is of the debt's generation and of what
    /// was last accepted there. Held: the confirmed watermark moves to it, and what was sent (or unverifiable) is
    /// confirmed. Not held: what was confirmed is only sent again, and its confirmed watermark is taken away (its
    /// content stays, as what was last accepted).
    ///
    /// An uncertain debt is settled by a proof of what it wants: held, it is accepted and confirmed; not held, it is
    /// owed again as the same generation.
    async fn observed(&self, at: Micros, seen: &[Observation]) -> Result<()>;

    /// Stores a load, held or being sent; its manifest is added after. While it is being sent the items of its manifest
    /// are not planned anew.
    async fn open_load(&self, load: &NewLoad) -> Result<i64>;

    /// Adds to the manifest of a load; an entry replaces an older one of the same item.
    async fn add_to_manifest(&self, load: i64, entries: &[ManifestEntry]) -> Result<()>;

    /// Changes the status of a load that is not closed yet (delivered, refused, failed or rejected).
    ///
    /// `Delivered` settles its manifest and nothing else. The sent watermark of each entry's debt moves to what was
    /// carried. A debt of the entry's generation, whose wanted content was carried, is sent if it was open, and stays
    /// what it is otherwise (confirmed content that was carried again stays confirmed). A debt raised meanwhile stays a
    /// debt, and if it was accepted since by other ways its watermark stays too.
    ///
    /// `Failed` leaves open whether it arrived: of the debts of which it says something else than what was last accepted
    /// there, one can be [unsure](DirtyItem::unsure) what is there. All other statuses say that it did not arrive.
    async fn close_load(&self, load: i64, at: Micros, status: LoadStatus, reason: &str) -> Result<()>;

    /// Loads of a connection, newest first; only held ones if `held`.
    async fn loads(&self, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>>;

    /// One load.
    async fn load(&self, id: i64) -> Result<Option<Load>>;

    /// Entries of a load's manifest, by item, after an item.
    async fn manifest(&self, load: i64, after: Option<RecordId>, limit: u32) -> Result<Vec<ManifestEntry>>;

    /// How many items the last delivered load of a connection and the given load's tenant placed, and how many of them
    /// the given load would remove: present there and not present in the given one.
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

    /// Figures of a connection; attempts since a time. States that no debt is in are left out.
    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures>;
}

/// Reconciliations and their findings.
#[async_trait]
pub trait Findings: Send + Sync {
    /// Opens a reconciliation.
    async fn open_reconciliation(&self, connection: &str, at: Micros) -> Result<i64>;

    /// Stores what a reconciliation found for some items: a finding that is not closed yet (same connection, item and
    /// kind) keeps its age, counts one more sighting and takes digest, evidence and the rest of the new one; findings of
    /// the items that were looked at and not found again are closed.
    ///
    /// A finding seen again while it is being repaired is persistent; an accepted one whose digest is another now is
    /// open again; any other status stays. While an item is settling nothing is known of it: its other findings are
    /// neither seen nor closed.
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

    /// Findings, by id, after an id; without closed ones unless `closed` asks for all.
    async fn findings(&self, connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Result<Vec<Finding>>;

    /// One finding.
    async fn finding(&self, id: i64) -> Result<Option<Finding>>;

    /// Findings about a record, by id.
    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>>;

    /// Findings of a connection that are not closed and follow from findings about these items, by id.
    async fn implied(&self, connection: &str, by: &[RecordId]) -> Result<Vec<Finding>>;

    /// Changes the status of a finding that is not closed.
    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()>;
}

/// Which learners are one person: a dated overlay over the records that can be undone. Keys, lanes and digests never
/// depend on it.
#[async_trait]
pub trait Links: Send + Sync {
    /// Says what is known from a time on, in one transaction; no learner twice. A link that says something else ends.
    /// Returns for how many learners something changed.
    async fn link(&self, tenant: &str, at: Micros, known: &[Identification]) -> Result<u64>;

    /// All learners of the tenant who are the same person as a learner now, in order; she herself is one of them.
    async fn same_person(&self, tenant: &str, learner: LearnerId) -> Result<Vec<LearnerId>>;

    /// Who a learner was taken to be, oldest first.
    async fn links_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<Link>>;
}

/// Tokens, audit, cursors and small facts.
#[async_trait]
pub trait Access: Send + Sync {
    /// Stores a token (only its hash). It replaces one of the same name.
    async fn add_token(&self, token: &Token) -> Result<()>;

    /// The token with this hash, unless it was revoked. Whether it has ended is for the caller to see.
    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>>;

    /// All tokens, by name.
    async fn tokens(&self) -> Result<Vec<Token>>;

    /// Revokes a token by its name. True if there was one that was not revoked yet.
    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool>;

    /// Writes audit entries; the ledger gives the ids.
    async fn audit(&self, entries: &[AuditEntry]) -> Result<()>;

    /// Audit entries, newest first, before an id.
    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>>;

    /// A small fact by name (schema-independent: cursors, schedules, alert states).
    async fn fact(&self, name: &str) -> Result<Option<String>>;

    /// Stores a small fact.
    async fn set_fact(&self, name: &str, value: &str) -> Result<()>;

    /// Takes a duty that one process at a time has, or keeps it, until a time. False if another holder has it and its
    /// time is not over.
    async fn hold(&self, duty: &str, holder: &str, now: Micros, until: Micros) -> Result<bool>;

    /// Gives a duty back, if this holder has it.
    async fn release(&self, duty: &str, holder: &str) -> Result<()>;

    /// True if the store answers.
    async fn ready(&self) -> Result<()>;
}

/// Forgetting what is over.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Forgets what was over before a time, as [`Trace`] says of each, with the contents that only it referred to. Looks
    /// at no more than so many rows behind a number, from the oldest on; what is left has to be asked for again. What is
    /// still to be done is never forgotten, nor what a destination may have to be given back.
    async fn forget(&self, what: Trace, before: Micros, after: i64, limit: u32) -> Result<Swept>;
}

/// Credentials that were issued, and links to them. They stay when they are withdrawn: who has one may ask about it.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Notes that a credential is to be issued and gives it the next place in its connection's status list. The same
    /// connection, item and generation give the same credential again, as it is by then.
    async fn issue(&self, issuing: &Issuing) -> Result<Issued>;

    /// Keeps the sealed document of a credential. False, and nothing changes, if it has one or is not known.
    async fn keep_document(&self, credential: i64, document: &[u8]) -> Result<bool>;

    /// One credential.
    async fn issued(&self, credential: i64) -> Result<Option<Issued>>;

    /// Credentials of an item, oldest first.
    async fn issued_of(&self, item: RecordId) -> Result<Vec<Issued>>;

    /// Withdraws a credential. True if it was not withdrawn before.
    async fn withdraw_issued(&self, credential: i64, at: Micros) -> Result<bool>;

    /// Places of a connection's withdrawn credentials in its status list, ascending, after a place.
    async fn withdrawn(&self, connection: &str, after: Option<i64>, limit: u32) -> Result<Vec<i64>>;

    /// Adds a link by which a credential is shown; its number.
    async fn add_share(&self, share: &NewShare) -> Result<i64>;

    /// The link with this hash, unless it was revoked. Whether it has ended is for the caller to see.
    async fn share(&self, hash: &[u8; 32]) -> Result<Option<Share>>;

    /// Links to a credential, oldest first.
    async fn shares_of(&self, credential: i64) -> Result<Vec<Share>>;

    /// Revokes a link of a credential. True if there was one that was not revoked yet.
    async fn revoke_share(&self, credential: i64, share: i64, at: Micros) -> Result<bool>;
}

/// The whole ledger.
pub trait Ledger: Records + Debts + Findings + Links + Access + Retention + Credentials {}
impl<T: Records + Debts + Findings + Links + Access + Retention + Credentials> Ledger for T {}
