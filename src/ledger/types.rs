//! The rows of the ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::canonical::Digest;
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::{Fixer, Severity};
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;

/// Microseconds since the Unix epoch.
pub type Micros = i64;

/// Bytes sealed by the vault; only the vault can open them.
pub type Sealed = Vec<u8>;

macro_rules! pseudonym {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let mut bytes = [0; 16];
                if text.len() != 32 || !text.is_ascii() {
                    return Err(NotAnId);
                }
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| NotAnId)?;
                }
                Ok(Self(bytes))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
            }
        }
    };
}

/// The text is not an id (32 hexadecimal digits).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an id (32 hexadecimal digits)")]
pub struct NotAnId;

pseudonym! {
    /// A record or item: keyed pseudonym of the record key (an item is named by its root record).
    RecordId
}
pseudonym! {
    /// A learner: keyed pseudonym of the learner key.
    LearnerId
}
pseudonym! {
    /// Keyed pseudonym of `(tenant, source key)`, to find records by the key a person knows.
    Lookup
}

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

/// What became of a record that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// First seen.
    New,
    /// A newer version.
    Updated,
    /// Says what is known already.
    Unchanged,
    /// Older than what is known; kept in the journey only.
    Stale,
    /// A newer version that says what an older one said.
    Reverted,
    /// The key belongs to another source; nothing changed.
    Contested,
    /// Not taken: a tombstone that may not be revived, or not valid.
    Refused,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::New, Self::Updated, Self::Unchanged, Self::Stale, Self::Reverted, Self::Contested, Self::Refused];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Reverted => "reverted",
            Self::Contested => "contested",
            Self::Refused => "refused",
        }
    }

    /// The outcome with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }

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
    /// The record with the content of this version.
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
    /// Where problems come from: `intake`, or the name of a connection. Only problems of this origin are closed.
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

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneId(pub i64);

/// The token of a lease: rises with every claim, so that a late holder is fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseToken(pub i64);

/// The state of a debt as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DebtState {
    /// Marked dirty and never planned yet.
    Unplanned,
    /// Nothing is owed (not routed here, or taken back before it was ever sent).
    Settled,
    /// To be sent.
    Owed,
    /// Being sent.
    Sending,
    /// The answer was lost.
    Uncertain,
    /// Waits for another item.
    Waiting,
    /// Will not be sent until someone fixes it.
    Refused,
    /// Will never be sent.
    Barred,
    /// Accepted; not yet seen there.
    Sent,
    /// Seen there.
    Confirmed,
    /// Accepted by something that cannot be read.
    Unverifiable,
}

impl DebtState {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Unplanned,
        Self::Settled,
        Self::Owed,
        Self::Sending,
        Self::Uncertain,
        Self::Waiting,
        Self::Refused,
        Self::Barred,
        Self::Sent,
        Self::Confirmed,
        Self::Unverifiable,
    ];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unplanned => "unplanned",
            Self::Settled => "settled",
            Self::Owed => "owed",
            Self::Sending => "sending",
            Self::Uncertain => "uncertain",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Barred => "barred",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Unverifiable => "unverifiable",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// True if the destination accepted what is wanted.
    pub fn paid(self) -> bool {
        matches!(self, Self::Sent | Self::Confirmed | Self::Unverifiable)
    }

    /// True while something is still to be done by the gateway itself.
    pub fn open(self) -> bool {
        matches!(self, Self::Unplanned | Self::Owed | Self::Sending | Self::Uncertain | Self::Waiting)
    }
}

/// What a connection is owed for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Its content must be there.
    Present,
    /// It must not be there.
    Absent,
}

/// A dirty item with all it needs to be planned.
#[derive(Debug, Clone)]
pub struct DirtyItem {
    /// The debt.
    pub debt: i64,
    /// The mark; a newer one survives planning.
    pub mark: i64,
    /// The record.
    pub record: StoredRecord,
    /// Outcome of the version that stands: a connection may hold what was reverted.
    pub outcome: Outcome,
    /// Digest of what was last accepted there; `None` if nothing was, or if its absence was.
    pub sent: Option<Digest>,
    /// Digest of what was last seen there; `None` if nothing was, or if it was seen to be gone. Content is there for
    /// sure only if it was both the last accepted and the last seen.
    pub confirmed: Option<Digest>,
    /// True if an answer was lost and nothing was accepted since: something that no watermark shows may be there, so
    /// that nothing can be settled unsent.
    pub unsure: bool,
    /// The debt's state before planning.
    pub state: DebtState,
}

/// The plan for a dirty item.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The debt.
    pub debt: i64,
    /// The mark that was planned; the plan counts only while it stands.
    pub mark: i64,
    /// What to do.
    pub decision: Decision,
}

/// What to do about an item.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It is owed: raise a new generation.
    Owe {
        /// What must be there.
        wanted: Wanted,
        /// Digest of the projection; that of what is to vanish for [`Wanted::Absent`].
        digest: Digest,
        /// The projection as records, sealed. `None` where it equals the record's stored content (the ledger keeps that
        /// of the version that was planned), or for `Absent`.
        content: Option<Sealed>,
        /// Losses as JSON, sealed.
        losses: Option<Sealed>,
    },
    /// What is wanted is there already, or was never there: nothing to send, no new generation. What is wanted becomes
    /// what was last accepted there, or else what the record says.
    Settle {
        /// What is wanted.
        wanted: Wanted,
        /// The state it settles in.
        state: DebtState,
    },
    /// It cannot be sent: present is wanted, but nothing that could be sent; whatever was accepted or confirmed before
    /// stays there. No new generation.
    Refuse {
        /// Who can fix it.
        fixer: Fixer,
        /// Why, without personal data.
        reason: String,
    },
}

/// A claimed lane.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The lane.
    pub lane: LaneId,
    /// The token of the lease.
    pub token: LeaseToken,
    /// Its first due debts by rank.
    pub debts: Vec<ClaimedDebt>,
}

/// A claimed debt, ready to be sent.
#[derive(Debug, Clone)]
pub struct ClaimedDebt {
    /// The debt.
    pub id: i64,
    /// The item.
    pub item: RecordId,
    /// The tenant.
    pub tenant: SmolStr,
    /// The generation that was claimed.
    pub generation: i64,
    /// What must be there.
    pub wanted: Wanted,
    /// State of the record: how it was taken back, for [`Wanted::Absent`].
    pub record_state: State,
    /// Digest of the projection.
    pub digest: Digest,
    /// The projection, sealed; for [`Wanted::Absent`] what was last accepted there, or else the record's content.
    pub content: Option<Sealed>,
    /// How often this generation was tried before.
    pub attempts: i64,
}

/// What became of claimed debts.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The lane.
    pub lane: LaneId,
    /// The token of the lease.
    pub token: LeaseToken,
    /// When.
    pub at: Micros,
    /// When the lane may be claimed again, if debts are left.
    pub next: Micros,
    /// What became of each debt; debts of the claim that are not named go back to owed.
    pub debts: Vec<Settlement>,
}

/// What became of one claimed debt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The debt.
    pub debt: i64,
    /// The generation that was claimed.
    pub generation: i64,
    /// The state it goes to: [`DebtState::Owed`] to be tried again. [`DebtState::Sent`], [`DebtState::Unverifiable`] and
    /// [`DebtState::Confirmed`] move the sent watermark (the last also the confirmed one); where the item must be absent
    /// they take it away.
    pub state: DebtState,
    /// Who can fix it.
    pub fixer: Option<Fixer>,
    /// Why.
    pub reason: String,
}

/// A debt as shown.
#[derive(Debug, Clone)]
pub struct Debt {
    /// Its id.
    pub id: i64,
    /// Its connection.
    pub connection: SmolStr,
    /// Whose record.
    pub tenant: SmolStr,
    /// The item.
    pub item: RecordId,
    /// Its kind.
    pub kind: RecordKind,
    /// Its state.
    pub state: DebtState,
    /// What must be there; [`Wanted::Present`] until a plan says otherwise.
    pub wanted: Wanted,
    /// Rises with every new debt, never on a retry. 0 until something was owed.
    pub generation: i64,
    /// How often this generation was tried.
    pub attempts: i64,
    /// Since when it is owed: when it was last planned or raised, or first marked.
    pub since: Micros,
    /// Who can fix it.
    pub fixer: Option<Fixer>,
    /// Why it is in this state.
    pub reason: String,
    /// Digest of what must be there, or must vanish; `None` before a plan, or if the plan could not say.
    pub wanted_digest: Option<Digest>,
    /// Digest of what was last accepted; `None` after an accepted withdrawal.
    pub sent_digest: Option<Digest>,
    /// Digest of what was last seen; `None` once it was seen to be gone.
    pub confirmed_digest: Option<Digest>,
    /// When it was last accepted.
    pub sent_at: Option<Micros>,
    /// When it was last seen.
    pub confirmed_at: Option<Micros>,
    /// Losses as JSON, sealed.
    pub losses: Option<Sealed>,
}

/// The rank of a kind: its place in the order in which a destination should receive records.
pub fn rank(kind: RecordKind) -> u8 {
    kind as u8
}

/// Where a walk over holdings stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldingCursor {
    /// The learner.
    pub learner: LearnerId,
    /// The rank.
    pub rank: u8,
    /// The debt.
    pub debt: i64,
}

/// What a connection should hold for an item, and what it held.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The debt.
    pub debt: i64,
    /// The item.
    pub item: RecordId,
    /// Its learner.
    pub learner: LearnerId,
    /// Its rank.
    pub rank: u8,
    /// Its kind.
    pub kind: RecordKind,
    /// The debt's state.
    pub state: DebtState,
    /// Its generation.
    pub generation: i64,
    /// What must be there; `None` until it was planned.
    pub wanted: Option<Wanted>,
    /// The projection that must be there; `None` if it must be absent or cannot be sent. Contents that were erased are
    /// `None` everywhere.
    pub wanted_content: Option<(Digest, Sealed)>,
    /// The projection last accepted.
    pub sent_content: Option<(Digest, Sealed)>,
    /// The projection last seen there.
    pub confirmed_content: Option<(Digest, Sealed)>,
    /// When it was last accepted.
    pub sent_at: Option<Micros>,
}

impl Holding {
    /// The place of this row in the walk.
    pub fn cursor(&self) -> HoldingCursor {
        HoldingCursor { learner: self.learner, rank: self.rank, debt: self.debt }
    }
}

/// Which debts to raise again.
#[derive(Debug, Clone)]
pub enum Raise {
    /// These.
    Debts(Vec<i64>),
    /// All of a connection in a state.
    State {
        /// The connection.
        connection: SmolStr,
        /// The state.
        state: DebtState,
    },
}

/// What reading a store back proved about a debt.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The debt.
    pub debt: i64,
    /// The generation that was compared.
    pub generation: i64,
    /// Digest of the projection that was compared, `None` for an item that must be absent; the proof counts only while
    /// that is what was last sent (or what is wanted, if the debt is uncertain).
    pub digest: Option<Digest>,
    /// True if the store holds exactly that; for an absent item: if it is not there.
    pub holds: bool,
}

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

/// Status of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadStatus {
    /// Waits for an operator.
    Held,
    /// Released by an operator: the next load may be sent.
    Released,
    /// Rejected by an operator.
    Rejected,
    /// Being sent.
    Sending,
    /// Accepted.
    Delivered,
    /// Refused by the destination.
    Refused,
    /// Did not get through; a later load replaces it.
    Failed,
}

impl LoadStatus {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Held, Self::Released, Self::Rejected, Self::Sending, Self::Delivered, Self::Refused, Self::Failed];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Rejected => "rejected",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// True if it is over: nothing more becomes of the load.
    pub fn closed(self) -> bool {
        matches!(self, Self::Rejected | Self::Delivered | Self::Refused | Self::Failed)
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
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

/// What kind of difference a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Should be there and is not.
    Missing,
    /// Is there and should not be.
    Unexpected,
    /// Is there with other content.
    Differs,
    /// Is there with the content of an older version.
    Stale,
    /// Is there more than once.
    Duplicate,
    /// Is there under another key.
    Rekeyed,
    /// A part without its whole, or a whole whose part is not there.
    OrphanPart,
    /// In flight: not an error yet.
    Settling,
}

impl FindingKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::Unexpected,
        Self::Differs,
        Self::Stale,
        Self::Duplicate,
        Self::Rekeyed,
        Self::OrphanPart,
        Self::Settling,
    ];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::Differs => "differs",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Rekeyed => "rekeyed",
            Self::OrphanPart => "orphan_part",
            Self::Settling => "settling",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// Status of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// Open; a repair may be proposed.
    Open,
    /// A repair was raised as a debt.
    Repairing,
    /// Survived a repair: waits for a person.
    Persistent,
    /// A person accepts the difference with this content.
    Accepted,
    /// A person does not want to hear of it.
    Suppressed,
    /// Gone.
    Closed,
}

impl FindingStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Repairing, Self::Persistent, Self::Accepted, Self::Suppressed, Self::Closed];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Repairing => "repairing",
            Self::Persistent => "persistent",
            Self::Accepted => "accepted",
            Self::Suppressed => "suppressed",
            Self::Closed => "closed",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
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
    /// Findings by kind.
    pub findings: std::collections::BTreeMap<SmolStr, i64>,
    /// Repairs raised as debts.
    pub repairs: i64,
    /// Why it could not be finished, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Push records and read the sender's own problems.
    Registrar,
    /// Read records and the feed.
    Reader,
    /// See and steer connections.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Registrar, Self::Reader, Self::Operator, Self::Admin];

    /// The name used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

/// A bearer token; only its hash is known.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its name.
    pub name: SmolStr,
    /// BLAKE3 of the token.
    pub hash: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// For which tenant; `None` for all.
    pub tenant: Option<SmolStr>,
    /// For which kinds; empty for all.
    pub kinds: Vec<RecordKind>,
    /// When it was made.
    pub created: Micros,
    /// When it ends.
    pub expires: Option<Micros>,
    /// When it was revoked.
    pub revoked: Option<Micros>,
}

/// One line of the audit trail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// Its id; 0 for a new one.
    pub id: i64,
    /// When.
    pub at: Micros,
    /// Who: a token's name, or `gateway`.
    pub actor: SmolStr,
    /// What was done (`read_record`, `release_load` …).
    pub action: SmolStr,
    /// For which tenant.
    pub tenant: SmolStr,
    /// To what: an opaque id or a connection's name.
    pub subject: SmolStr,
    /// More about it, without personal data.
    pub detail: String,
}
