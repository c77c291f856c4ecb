//! What may be done to a ledger, as plain data that proptest makes and shrinks. Numbers choose among what there is.

use super::super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// One thing that is done.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Keep {
        tenant: usize,
        arrivals: Vec<Arriving>,
        reinstate: bool,
        routed: bool,
    },
    TakeBack {
        tenant: usize,
        records: Vec<u8>,
        state: State,
    },
    Problems {
        records: Vec<u8>,
        found: Vec<(u8, u8)>,
        bare: bool,
        elsewhere: bool,
    },
    Erase {
        tenant: usize,
        learner: u8,
    },
    /// Looks at what is dirty, and remembers it for a later [`Operation::PlanSeen`].
    Look {
        connection: usize,
    },
    Plan {
        connection: usize,
        decisions: Vec<Choice>,
    },
    PlanSeen {
        decisions: Vec<Choice>,
    },
    Replan {
        connection: usize,
        tenant: usize,
    },
    Claim {
        connection: usize,
        lease: Micros,
        limit: u32,
    },
    Renew {
        claim: usize,
        lease: Micros,
    },
    Settle {
        claim: usize,
        states: Vec<DebtState>,
        older: bool,
        wait: Micros,
    },
    Reap,
    TryAgain {
        connection: usize,
    },
    Raise {
        debts: Vec<usize>,
    },
    RaiseState {
        connection: usize,
        state: DebtState,
    },
    Observe {
        seen: Vec<(usize, About, bool)>,
    },
    OpenLoad {
        connection: usize,
        tenant: usize,
        held: bool,
    },
    Carry {
        load: usize,
        debts: Vec<usize>,
        about: About,
    },
    CloseLoad {
        load: usize,
        status: LoadStatus,
    },
    Attempt {
        debt: usize,
        verdict: Verdict,
    },
    Found {
        connection: usize,
        looked_at: Vec<u8>,
        found: Vec<(u8, FindingKind, u8)>,
    },
    SetFinding {
        finding: usize,
        status: FindingStatus,
    },
    /// What was over so long ago is forgotten.
    Forget {
        what: Trace,
        back: Micros,
    },
    /// Time passes.
    Wait {
        by: Micros,
    },
}

/// A record that arrives.
#[derive(Debug, Clone)]
pub(super) struct Arriving {
    pub(super) record: u8,
    pub(super) content: Option<u8>,
    pub(super) revision: Option<u64>,
    pub(super) state: State,
}

/// What is decided about a dirty item.
#[derive(Debug, Clone, Copy)]
pub(super) enum Choice {
    /// It is owed as the record says.
    Owe,
    /// It is owed as a projection of its own, with losses.
    Project(u8),
    Settle,
    Refuse,
    /// Nothing is decided.
    Leave,
}

/// What of a debt something is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    Wanted,
    Sent,
    Confirmed,
    Nothing,
}

/// Records of the first tenant, then one of the second.
pub(super) const RECORDS: u8 = 6;

fn arriving() -> impl Strategy<Value = Arriving> {
    let states = vec![State::Current, State::Current, State::Current, State::Deleted, State::ConsentWithdrawn];
    let content = prop::option::weighted(0.9, 1..4_u8);
    (1..=RECORDS, content, prop::option::weighted(0.4, 1..5_u64), select(states)).prop_map(
        |(record, content, revision, state)| {
            // Only a tombstone may come without content.
            let content = content.or((state == State::Current).then_some(1));
            Arriving { record, content, revision, state }
        },
    )
}

fn few<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, 1..4)
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        5 => Just(Choice::Owe),
        2 => (1..3_u8).prop_map(Choice::Project),
        1 => Just(Choice::Settle),
        1 => Just(Choice::Refuse),
        1 => Just(Choice::Leave),
    ]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let two = 0..2_usize;
    let any_of = 0..16_usize;
    let record = 1..=RECORDS;
    let about = || select(vec![About::Wanted, About::Sent, About::Sent, About::Confirmed, About::Nothing]);
    let settled = select(vec![
        DebtState::Sent,
        DebtState::Sent,
        DebtState::Confirmed,
        DebtState::Unverifiable,
        DebtState::Owed,
        DebtState::Uncertain,
        DebtState::Refused,
        DebtState::Barred,
        DebtState::Waiting,
    ]);
    let closing = select(vec![
        LoadStatus::Delivered,
        LoadStatus::Delivered,
        LoadStatus::Failed,
        LoadStatus::Refused,
        LoadStatus::Rejected,
        LoadStatus::Released,
        LoadStatus::Sending,
    ]);
    let verdict = select(vec![Verdict::Accepted, Verdict::AcceptedPending, Verdict::Transient]);
    let kind = select(vec![FindingKind::Missing, FindingKind::Differs, FindingKind::Settling]);
    prop_oneof![
        8 => (prop_oneof![4 => Just(0), 1 => Just(1)], few(arriving()), any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(tenant, arrivals, reinstate, routed)| Operation::Keep { tenant, arrivals, reinstate, routed }),
        2 => (two.clone(), few(record.clone()), select(vec![State::Deleted, State::Invalidated, State::Current]))
            .prop_map(|(tenant, records, state)| Operation::TakeBack { tenant, records, state }),
        2 => (few(record.clone()), prop::collection::vec((record.clone(), 1..4_u8), 0..4), any::<bool>(), any::<bool>())
            .prop_map(|(records, found, bare, elsewhere)| Operation::Problems { records, found, bare, elsewhere }),
        1 => (two.clone(), 1..3_u8).prop_map(|(tenant, learner)| Operation::Erase { tenant, learner }),
        1 => two.clone().prop_map(|connection| Operation::Look { connection }),
        8 => (two.clone(), prop::collection::vec(choice(), 6))
            .prop_map(|(connection, decisions)| Operation::Plan { connection, decisions }),
        1 => prop::collection::vec(choice(), 6).prop_map(|decisions| Operation::PlanSeen { decisions }),
        1 => (two.clone(), two.clone()).prop_map(|(connection, tenant)| Operation::Replan { connection, tenant }),
        8 => (two.clone(), 1..9_i64, 0..4_u32)
            .prop_map(|(connection, lease, limit)| Operation::Claim { connection, lease, limit }),
        1 => (any_of.clone(), 1..9_i64).prop_map(|(claim, lease)| Operation::Renew { claim, lease }),
        8 => (any_of.clone(), prop::collection::vec(settled, 3), prop::bool::weighted(0.1), 0..5_i64)
            .prop_map(|(claim, states, older, wait)| Operation::Settle { claim, states, older, wait }),
        2 => Just(Operation::Reap),
        1 => two.clone().prop_map(|connection| Operation::TryAgain { connection }),
        2 => few(any_of.clone()).prop_map(|debts| Operation::Raise { debts }),
        1 => (two.clone(), select(DebtState::ALL.to_vec()))
            .prop_map(|(connection, state)| Operation::RaiseState { connection, state }),
        3 => few((any_of.clone(), about(), any::<bool>())).prop_map(|seen| Operation::Observe { seen }),
        2 => (two.clone(), two.clone(), prop::bool::weighted(0.2))
            .prop_map(|(connection, tenant, held)| Operation::OpenLoad { connection, tenant, held }),
        3 => (any_of.clone(), few(any_of.clone()), about())
            .prop_map(|(load, debts, about)| Operation::Carry { load, debts, about }),
        3 => (any_of.clone(), closing).prop_map(|(load, status)| Operation::CloseLoad { load, status }),
        1 => (any_of.clone(), verdict).prop_map(|(debt, verdict)| Operation::Attempt { debt, verdict }),
        2 => (two, few(record.clone()), prop::collection::vec((record, kind, 1..3_u8), 0..3))
            .prop_map(|(connection, looked_at, found)| Operation::Found { connection, looked_at, found }),
        1 => (any_of, select(FindingStatus::ALL.to_vec()))
            .prop_map(|(finding, status)| Operation::SetFinding { finding, status }),
        2 => (select(Trace::ALL.to_vec()), 0..12_i64).prop_map(|(what, back)| Operation::Forget { what, back }),
        1 => (1..9_i64).prop_map(|by| Operation::Wait { by }),
    ]
}
