//! A ledger that other tasks come between, and that fails: before a commit, or so that its answer is lost.

use crate::executor::Switch;
use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use silta::ledger::*;
use silta_adapter::record::RecordKind;
use std::sync::{Arc, Mutex, PoisonError};

/// A ledger behind a door that lets others pass, and now and then does not open.
pub(crate) struct Faulty {
    inner: Arc<dyn Ledger>,
    switch: Arc<Switch>,
    state: Mutex<(StdRng, f64)>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Ledger>, switch: Arc<Switch>, seed: u64) -> Self {
        Self { inner, switch, state: Mutex::new((StdRng::seed_from_u64(seed), 0.0)) }
    }

    /// The share of calls that fail from now on.
    pub(crate) fn fail(&self, share: f64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = share;
    }

    async fn door(&self) -> Result<()> {
        self.switch.pass().await;
        let (rng, share) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match rng.random_bool(*share) {
            true => Err(LedgerError::Store("simulated".into())),
            false => Ok(()),
        }
    }
}

macro_rules! through_the_door {
    ($trait:ident { $(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)* }) => {
        #[async_trait]
        impl $trait for Faulty {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$out> {
                self.door().await?;
                let out = self.inner.$name($($arg),*).await?;
                self.door().await?;
                Ok(out)
            })*
        }
    };
}

through_the_door!(Records {
    fn keep(batch: &Batch) -> Vec<Kept>;
    fn take_back(batch: &TakeBack) -> u64;
    fn record(id: RecordId) -> Option<StoredRecord>;
    fn records_of(tenant: &str, learner: LearnerId) -> Vec<StoredRecord>;
    fn look_up(tenant: &str, lookup: Lookup) -> Vec<StoredRecord>;
    fn current_ids(
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32
    ) -> Vec<RecordId>;
    fn learners(tenant: &str, after: Option<LearnerId>, limit: u32) -> Vec<LearnerId>;
    fn counts(tenant: &str) -> Vec<Count>;
    fn feed(tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Vec<Change>;
    fn history(id: RecordId) -> Vec<Arrival>;
    fn settle_problems(reading: &ProblemReading) -> ();
    fn problems(tenant: &str, after: i64, closed: bool, limit: u32) -> Vec<StoredProblem>;
    fn problems_of(id: RecordId) -> Vec<StoredProblem>;
    fn erase(tenant: &str, learner: LearnerId, at: Micros) -> u64;
});

through_the_door!(Debts {
    fn dirty(connection: &str, limit: u32) -> Vec<DirtyItem>;
    fn plan(connection: &str, at: Micros, plans: &[Plan]) -> ();
    fn replan(target: &DebtTarget, tenant: &str) -> u64;
    fn claim_lanes(connection: &str, now: Micros, until: Micros, lanes: u32, limit: u32) -> Vec<Claim>;
    fn renew(lane: LaneId, token: LeaseToken, until: Micros) -> ();
    fn settle_lanes(settled: &[Settled], attempts: &[Attempt]) -> Vec<LaneId>;
    fn reap(now: Micros) -> u64;
    fn try_again(connection: &str, now: Micros) -> u64;
    fn debts(connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Vec<Debt>;
    fn debt(id: i64) -> Option<Debt>;
    fn debts_of(record: RecordId) -> Vec<Debt>;
    fn holdings(connection: &str, after: Option<HoldingCursor>, limit: u32) -> Vec<Holding>;
    fn raise(at: Micros, why: &str, which: &Raise) -> u64;
    fn call_off(at: Micros, debt: i64, why: &str) -> bool;
    fn reject(at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> u64;
    fn observed(at: Micros, seen: &[Observation]) -> ();
    fn open_load(load: &NewLoad) -> i64;
    fn add_to_manifest(load: i64, entries: &[ManifestEntry]) -> ();
    fn close_load(load: i64, at: Micros, status: LoadStatus, reason: &str) -> ();
    fn loads(connection: Option<&str>, held: bool, limit: u32) -> Vec<Load>;
    fn load(id: i64) -> Option<Load>;
    fn manifest(load: i64, after: Option<RecordId>, limit: u32) -> Vec<ManifestEntry>;
    fn shrinkage(connection: &str, load: i64) -> Shrinkage;
    fn loads_of(record: RecordId, limit: u32) -> Vec<Load>;
    fn attempted(attempt: &Attempt) -> ();
    fn attempts(debt: i64, limit: u32) -> Vec<Attempt>;
    fn connection(name: &str) -> ConnectionState;
    fn set_connection(state: &ConnectionState) -> ();
    fn figures(connection: &str, since: Micros) -> Figures;
});

through_the_door!(Findings {
    fn open_reconciliation(connection: &str, at: Micros) -> i64;
    fn found(reconciliation: i64, at: Micros, looked_at: &[RecordId], findings: &[NewFinding]) -> ();
    fn close_reconciliation(id: i64, at: Micros, summary: &Summary) -> ();
    fn reconciliations(connection: Option<&str>, limit: u32) -> Vec<Reconciliation>;
    fn findings(connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Vec<Finding>;
    fn finding(id: i64) -> Option<Finding>;
    fn findings_of(record: RecordId) -> Vec<Finding>;
    fn implied(connection: &str, by: &[RecordId]) -> Vec<Finding>;
    fn set_finding(id: i64, at: Micros, status: FindingStatus) -> ();
});

through_the_door!(Links {
    fn link(tenant: &str, at: Micros, known: &[Identification]) -> u64;
    fn same_person(tenant: &str, learner: LearnerId) -> Vec<LearnerId>;
    fn links_of(tenant: &str, learner: LearnerId) -> Vec<Link>;
});

through_the_door!(Access {
    fn add_token(token: &Token) -> ();
    fn token(hash: &[u8; 32]) -> Option<Token>;
    fn tokens() -> Vec<Token>;
    fn revoke_token(name: &str, at: Micros) -> bool;
    fn audit(entries: &[AuditEntry]) -> ();
    fn audited(before: Option<i64>, limit: u32) -> Vec<AuditEntry>;
    fn fact(name: &str) -> Option<String>;
    fn set_fact(name: &str, value: &str) -> ();
    fn hold(duty: &str, holder: &str, now: Micros, until: Micros) -> bool;
    fn release(duty: &str, holder: &str) -> ();
    fn ready() -> ();
});

through_the_door!(Retention {
    fn forget(what: Trace, before: Micros, after: i64, limit: u32) -> Swept;
});

through_the_door!(Credentials {
    fn issue(issuing: &Issuing) -> Issued;
    fn keep_document(credential: i64, document: &[u8]) -> bool;
    fn issued(credential: i64) -> Option<Issued>;
    fn issued_of(item: RecordId) -> Vec<Issued>;
    fn withdraw_issued(credential: i64, at: Micros) -> bool;
    fn withdrawn(connection: &str, after: Option<i64>, limit: u32) -> Vec<i64>;
    fn add_share(share: &NewShare) -> i64;
    fn share(hash: &[u8; 32]) -> Option<Share>;
    fn shares_of(credential: i64) -> Vec<Share>;
    fn revoke_share(credential: i64, share: i64, at: Micros) -> bool;
});
