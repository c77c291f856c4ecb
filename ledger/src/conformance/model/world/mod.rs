//! A ledger and its reference side by side: each operation is done to both, and what they tell is compared.
//!
//! Each gives out numbers of its own. What is the same is paired when it is first told, and stays so.

mod done;
mod issued;
mod told;

use super::super::*;
use super::operation::{About, Arriving, Choice, Operation, RECORDS};
use super::reference::{Known, Owing, Reference};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Debug;

pub(super) type Checked = std::result::Result<(), TestCaseError>;

const TENANTS: [&str; 2] = [TENANT, "niitty"];
const ALL: u32 = 1_000;

/// One whose lanes are learners, one whose lanes are tenants, one that composes its items.
fn connections() -> [DebtTarget; 3] {
    [
        target(STORE, LaneBy::Learner),
        target("loads", LaneBy::Tenant),
        DebtTarget { composed: true, ..target("wallets", LaneBy::Learner) },
    ]
}

fn name_of(number: usize) -> SmolStr {
    connections()[number].connection.clone()
}

/// Numbers of the reference and of the ledger.
#[derive(Default)]
struct Pairs(BTreeMap<i64, i64>);

impl Pairs {
    fn theirs(&self, ours: i64) -> i64 {
        *self.0.get(&ours).expect("what the reference has, the ledger told")
    }

    fn pair(&mut self, what: &str, ours: i64, theirs: i64) -> Checked {
        let known = *self.0.entry(ours).or_insert(theirs);
        prop_assert_eq!(known, theirs, "{} {} changed its number", what, ours);
        let same = self.0.values().filter(|n| **n == theirs).count();
        prop_assert_eq!(same, 1, "two {}s have the number {}", what, theirs);
        Ok(())
    }
}

pub(super) struct World<'l> {
    ledger: &'l dyn Ledger,
    reference: Reference,
    now: Micros,
    /// Claims as the reference and as the ledger has them, whatever became of them.
    claims: Vec<(Claim, Claim)>,
    /// What was dirty when it was looked at, as both have it.
    seen: (usize, Vec<(DirtyItem, i64)>),
    position: (i64, i64),
    token: i64,
    debts: Pairs,
    lanes: Pairs,
    loads: Pairs,
    problems: Pairs,
    findings: Pairs,
    reconciliations: Pairs,
    credentials: Pairs,
    shares: Pairs,
}

/// Two lists that tell the same.
fn same<T: Debug>(what: &str, ours: &[T], theirs: &[T]) -> Checked {
    let told = |list: &[T]| list.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>();
    let (ours, theirs) = (told(ours), told(theirs));
    let differ = ours.iter().zip(&theirs).find(|(a, b)| a != b);
    let (first, second) = differ.map_or((String::new(), String::new()), |(a, b)| (a.clone(), b.clone()));
    prop_assert_eq!(&first, &second, "{}: what the reference says, and what the ledger says", what);
    prop_assert_eq!(ours, theirs, "{}: what the reference says, and what the ledger says", what);
    Ok(())
}

fn choose<T>(of: &[T], number: usize) -> Option<&T> {
    of.get(number % of.len().max(1))
}

impl<'l> World<'l> {
    pub(super) fn new(ledger: &'l dyn Ledger) -> Self {
        Self {
            ledger,
            reference: Reference::default(),
            now: 100,
            claims: Vec::new(),
            seen: (0, Vec::new()),
            position: (0, 0),
            token: 0,
            debts: Pairs::default(),
            lanes: Pairs::default(),
            loads: Pairs::default(),
            problems: Pairs::default(),
            findings: Pairs::default(),
            reconciliations: Pairs::default(),
            credentials: Pairs::default(),
            shares: Pairs::default(),
        }
    }

    pub(super) async fn does(&mut self, operation: &Operation) -> Checked {
        use Operation as O;
        self.now += 1;
        match operation {
            O::Keep { tenant, arrivals, reinstate, routed } => self.keep(*tenant, arrivals, *reinstate, *routed).await,
            O::TakeBack { tenant, records, state } => self.take_back(*tenant, records, *state).await,
            O::Problems { records, found, bare, elsewhere } => self.problems(records, found, *bare, *elsewhere).await,
            O::Erase { tenant, learner } => self.erase(*tenant, *learner).await,
            O::Look { connection } => self.look(*connection).await,
            O::Plan { connection, decisions } => {
                self.look(*connection).await?;
                self.plan(decisions).await
            }
            O::PlanSeen { decisions } => self.plan(decisions).await,
            O::Replan { connection, tenant } => self.replan(*connection, *tenant).await,
            O::Claim { connection, lease, limit } => self.claim(*connection, *lease, *limit).await,
            O::Renew { claim, lease } => self.renew(*claim, *lease).await,
            O::Settle { claim, states, older, wait } => self.settle(*claim, states, *older, *wait).await,
            O::Reap => self.reap().await,
            O::TryAgain { connection } => self.try_again(*connection).await,
            O::Raise { debts, why } => self.raise_some(debts, why).await,
            O::RaiseState { connection, state, why } => self.raise_state(*connection, *state, why).await,
            O::CallOff { debt, why } => self.call_off(*debt, why).await,
            O::Reject { connection, items, back } => self.reject(*connection, items, *back).await,
            O::Observe { seen } => self.observe(seen).await,
            O::OpenLoad { connection, tenant, held } => self.open_load(*connection, *tenant, *held).await,
            O::Carry { load, debts, about } => self.carry(*load, debts, *about).await,
            O::CloseLoad { load, status } => self.close_load(*load, *status).await,
            O::Attempt { debt, verdict } => self.attempt(*debt, *verdict).await,
            O::Found { connection, looked_at, found } => self.found(*connection, looked_at, found).await,
            O::SetFinding { finding, status } => self.set_finding(*finding, *status).await,
            O::Link { tenant, known } => self.link(*tenant, known).await,
            O::Issue { connection, item, generation } => self.issue(*connection, *item, *generation).await,
            O::KeepDocument { credential, document } => self.keep_document(*credential, *document).await,
            O::WithdrawIssued { credential } => self.withdraw_issued(*credential).await,
            O::AddShare { credential, public } => self.add_share(*credential, *public).await,
            O::RevokeShare { credential, share } => self.revoke_share(*credential, *share).await,
            O::Forget { what, back } => self.forget(*what, *back).await,
            O::Wait { by } => {
                self.now += by;
                Ok(())
            }
        }
    }
}
