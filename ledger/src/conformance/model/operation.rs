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
        why: &'static str,
    },
    RaiseState {
        connection: usize,
        state: DebtState,
        why: &'static str,
    },
    CallOff {
        debt: usize,
        why: &'static str,
    },
    /// A report of some time ago names items; one may be named twice.
    Reject {
        connection: usize,
        items: Vec<(u8, Fixer)>,
        back: Micros,
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
    /// Who learners are known to be, and how.
    Link {
        tenant: usize,
        known: Vec<(u8, Option<u8>, &'static str)>,
    },
    Issue {
        connection: usize,
        item: u8,
        generation: i64,
    },
    KeepDocument {
        credential: usize,
        document: u8,
    },
    WithdrawIssued {
        credential: usize,
    },
    AddShare {
        credential: usize,
        public: bool,
    },
    /// Revokes a link, as one of a credential that may be another's.
    RevokeShare {
        credential: usize,
        share: usize,
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
    /// It is about another learner than it mostly is.
    pub(super) moved: bool,
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
    Stand,
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

/// Why something is raised; the second is also what a settlement says of a debt that stays owed.
pub(super) const REASONS: [&str; 2] = ["asked for", "owed"];

/// How many debts, claims, loads and the like there may be to choose from.
const MANY: usize = 16;

fn arriving() -> impl Strategy<Value = Arriving> {
    let states = vec![State::Current, State::Current, State::Current, State::Deleted, State::ConsentWithdrawn];
    let content = prop::option::weighted(0.9, 1..4_u8);
    let revision = prop::option::weighted(0.4, 1..5_u64);
    (record(), prop::bool::weighted(0.1), content, revision, select(states)).prop_map(
        |(record, moved, content, revision, state)| {
            // Only a tombstone may come without content.
            let content = content.or((state == State::Current).then_some(1));
            Arriving { record, moved, content, revision, state }
        },
    )
}

fn few<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, 1..4)
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let choice = prop_oneof![
        5 => Just(Choice::Owe),
        2 => (1..3_u8).prop_map(Choice::Project),
        1 => Just(Choice::Settle),
        1 => Just(Choice::Refuse),
        1 => Just(Choice::Stand),
        1 => Just(Choice::Leave),
    ];
    prop::collection::vec(choice, 6)
}

fn record() -> impl Strategy<Value = u8> {
    1..=RECORDS
}

fn tenant() -> impl Strategy<Value = usize> {
    0..2_usize
}

fn connection() -> impl Strategy<Value = usize> {
    0..3_usize
}

fn about() -> impl Strategy<Value = About> {
    select(vec![About::Wanted, About::Sent, About::Sent, About::Confirmed, About::Nothing])
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        13 => of_records(),
        11 => of_plans(),
        20 => of_claims(),
        11 => of_what_was_sent(),
        9 => of_loads(),
        3 => of_findings(),
        7 => of_credentials(),
        3 => linked(),
        2 => (select(Trace::ALL.to_vec()), 0..12_i64).prop_map(|(what, back)| Operation::Forget { what, back }),
        1 => (1..9_i64).prop_map(|by| Operation::Wait { by }),
    ]
}

fn of_records() -> impl Strategy<Value = Operation> {
    let states = select(vec![State::Deleted, State::Invalidated, State::Current]);
    prop_oneof![
        8 => (prop_oneof![4 => Just(0), 1 => Just(1)], few(arriving()), any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(tenant, arrivals, reinstate, routed)| Operation::Keep { tenant, arrivals, reinstate, routed }),
        2 => (tenant(), few(record()), states)
            .prop_map(|(tenant, records, state)| Operation::TakeBack { tenant, records, state }),
        2 => (few(record()), prop::collection::vec((record(), 1..4_u8), 0..4), any::<bool>(), any::<bool>())
            .prop_map(|(records, found, bare, elsewhere)| Operation::Problems { records, found, bare, elsewhere }),
        1 => (tenant(), 1..3_u8).prop_map(|(tenant, learner)| Operation::Erase { tenant, learner }),
    ]
}

fn of_plans() -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => connection().prop_map(|connection| Operation::Look { connection }),
        8 => (connection(), choices()).prop_map(|(connection, decisions)| Operation::Plan { connection, decisions }),
        1 => choices().prop_map(|decisions| Operation::PlanSeen { decisions }),
        1 => (connection(), tenant()).prop_map(|(connection, tenant)| Operation::Replan { connection, tenant }),
    ]
}

fn of_claims() -> impl Strategy<Value = Operation> {
    let states = select(vec![
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
    prop_oneof![
        8 => (connection(), 1..9_i64, 0..4_u32)
            .prop_map(|(connection, lease, limit)| Operation::Claim { connection, lease, limit }),
        1 => (0..MANY, 1..9_i64).prop_map(|(claim, lease)| Operation::Renew { claim, lease }),
        8 => (0..MANY, prop::collection::vec(states, 3), prop::bool::weighted(0.1), 0..5_i64)
            .prop_map(|(claim, states, older, wait)| Operation::Settle { claim, states, older, wait }),
        2 => Just(Operation::Reap),
        1 => connection().prop_map(|connection| Operation::TryAgain { connection }),
    ]
}

fn of_what_was_sent() -> impl Strategy<Value = Operation> {
    let why = || select(REASONS.to_vec());
    let fixer = select(vec![Fixer::Sender, Fixer::OtherSide]);
    prop_oneof![
        3 => (few(0..MANY), why()).prop_map(|(debts, why)| Operation::Raise { debts, why }),
        1 => (connection(), select(DebtState::ALL.to_vec()), why())
            .prop_map(|(connection, state, why)| Operation::RaiseState { connection, state, why }),
        2 => (0..MANY, why()).prop_map(|(debt, why)| Operation::CallOff { debt, why }),
        2 => (connection(), few((record(), fixer)), 0..9_i64)
            .prop_map(|(connection, items, back)| Operation::Reject { connection, items, back }),
        3 => few((0..MANY, about(), any::<bool>())).prop_map(|seen| Operation::Observe { seen }),
    ]
}

fn of_loads() -> impl Strategy<Value = Operation> {
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
    prop_oneof![
        2 => (connection(), tenant(), prop::bool::weighted(0.2))
            .prop_map(|(connection, tenant, held)| Operation::OpenLoad { connection, tenant, held }),
        3 => (0..MANY, few(0..MANY), about())
            .prop_map(|(load, debts, about)| Operation::Carry { load, debts, about }),
        3 => (0..MANY, closing).prop_map(|(load, status)| Operation::CloseLoad { load, status }),
        1 => (0..MANY, verdict).prop_map(|(debt, verdict)| Operation::Attempt { debt, verdict }),
    ]
}

fn of_findings() -> impl Strategy<Value = Operation> {
    let kind = select(vec![FindingKind::Missing, FindingKind::Differs, FindingKind::Settling]);
    prop_oneof![
        2 => (connection(), few(record()), prop::collection::vec((record(), kind, 1..3_u8), 0..3))
            .prop_map(|(connection, looked_at, found)| Operation::Found { connection, looked_at, found }),
        1 => (0..MANY, select(FindingStatus::ALL.to_vec()))
            .prop_map(|(finding, status)| Operation::SetFinding { finding, status }),
    ]
}

fn of_credentials() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (connection(), record(), 1..4_i64)
            .prop_map(|(connection, item, generation)| Operation::Issue { connection, item, generation }),
        2 => (0..MANY, 1..4_u8).prop_map(|(credential, document)| Operation::KeepDocument { credential, document }),
        1 => (0..MANY).prop_map(|credential| Operation::WithdrawIssued { credential }),
        2 => (0..MANY, any::<bool>()).prop_map(|(credential, public)| Operation::AddShare { credential, public }),
        1 => (0..MANY, 0..MANY).prop_map(|(credential, share)| Operation::RevokeShare { credential, share }),
    ]
}

fn linked() -> impl Strategy<Value = Operation> {
    let person = prop::option::weighted(0.8, 1..3_u8);
    (tenant(), few((1..4_u8, person, select(vec!["register", "decree"]))))
        .prop_map(|(tenant, known)| Operation::Link { tenant, known })
}
