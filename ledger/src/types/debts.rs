//! Debts: lanes, claims, plans, settlements, holdings.

use super::named;
use super::{LearnerId, Micros, Outcome, RecordId, Sealed, StoredRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::canonical::Digest;
use silta_adapter::problem::Fixer;
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneId(pub i64);

/// The token of a lease: rises with every claim, so that a late holder is fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseToken(pub i64);

named! {
    /// The state of a debt as shown.
    pub enum DebtState {
        /// Marked dirty and never planned yet.
        Unplanned = "unplanned",
        /// Nothing is owed (not routed here, or taken back before it was ever sent).
        Settled = "settled",
        /// To be sent.
        Owed = "owed",
        /// Being sent.
        Sending = "sending",
        /// The answer was lost.
        Uncertain = "uncertain",
        /// Waits for another item.
        Waiting = "waiting",
        /// Will not be sent until someone fixes it.
        Refused = "refused",
        /// Will never be sent.
        Barred = "barred",
        /// Accepted; not yet seen there.
        Sent = "sent",
        /// Seen there.
        Confirmed = "confirmed",
        /// Accepted by something that cannot be read.
        Unverifiable = "unverifiable",
    }
}

impl DebtState {
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
    /// What is wanted by the plan that stands, and the digest of what must be there or vanish; `None` if nothing was
    /// planned yet that could be sent.
    pub planned: Option<(Wanted, Digest)>,
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
    /// What was planned before is wanted still: only the mark goes.
    Stand,
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
    /// True if something changed since this was planned, so that it will be planned anew.
    pub changed: bool,
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
    /// Since when it is as it is: when it was last planned, raised, called off or rejected, or first marked.
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

/// An item that a destination did not take, as it said later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The item.
    pub item: RecordId,
    /// Who can fix it.
    pub fixer: Fixer,
    /// Why, without personal data.
    pub reason: String,
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
