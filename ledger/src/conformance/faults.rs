//! Every call that changes something, stopped at every step: by a statement that fails, or a connection that is cut.

use super::*;
use silta_adapter::problem::Severity;
use std::fmt::Write;
use std::pin::Pin;

/// Makes a store fail.
#[async_trait]
pub trait Fault {
    /// The next step but so many fails, once; `None`: none does.
    async fn after(&self, steps: Option<u32>);

    /// True if it failed since it was last asked.
    fn struck(&self) -> bool;
}

type Doing<'l> = Pin<Box<dyn Future<Output = Result<()>> + 'l>>;
/// What a call found out that a later one needs.
type Note = std::sync::Mutex<Option<Claim>>;
/// One call that changes something, after what has to be read for it.
type Call = for<'l> fn(&'l dyn Ledger, &'l Note) -> Doing<'l>;

macro_rules! calls {
    ($($name:literal: |$ledger:ident, $note:ident| $call:expr;)+) => {
        [$(($name, (|$ledger, $note| Box::pin(async move { $call; Ok(()) })) as Call)),+]
    };
}

async fn one(ledger: &dyn Ledger, n: u8) -> Result<Debt> {
    let debts = ledger.debts_of(id(n)).await?;
    debts.into_iter().find(|d| d.connection == STORE).ok_or_else(|| LedgerError::Store("no debt".into()))
}

async fn plan_dirty(ledger: &dyn Ledger, decide: fn(&DirtyItem) -> Decision) -> Result<()> {
    let dirty = ledger.dirty(STORE, 9).await?;
    let plans: Vec<Plan> =
        dirty.iter().map(|item| Plan { debt: item.debt, mark: item.mark, decision: decide(item) }).collect();
    ledger.plan(STORE, 2, &plans).await
}

/// A projection of its own, with losses, so that contents are written too.
fn project(item: &DirtyItem) -> Decision {
    Decision::Owe { wanted: Wanted::Present, digest: item.record.digest, content: Some(vec![7]), losses: Some(vec![8]) }
}

async fn last_load(ledger: &dyn Ledger) -> Result<i64> {
    Ok(ledger.loads(None, false, 1).await?.first().map_or(0, |load| load.id))
}

async fn last_run(ledger: &dyn Ledger) -> Result<i64> {
    Ok(ledger.reconciliations(None, 1).await?.first().map_or(0, |run| run.id))
}

fn load(status: LoadStatus) -> NewLoad {
    NewLoad { connection: STORE.into(), tenant: TENANT.into(), at: 3, status, reason: String::new() }
}

fn reading(problems: Vec<NewProblem>) -> ProblemReading {
    ProblemReading { tenant: TENANT.into(), at: 4, origin: "intake".into(), records: vec![id(1), id(2)], problems }
}

fn found(n: u8) -> NewFinding {
    NewFinding {
        item: id(n),
        learner: learner(1),
        debt: None,
        kind: FindingKind::Missing,
        digest: None,
        implied_by: None,
        evidence: vec![n],
    }
}

/// Calls one after the other; each once it went through.
fn script() -> Vec<(&'static str, Call)> {
    calls! {
        "keep": |ledger, _note| ledger.keep(&batch(1, &[attainment(1, 1), attainment(2, 1), attainment(3, 1)])).await?;
        "plan": |ledger, _note| plan_dirty(ledger, project).await?;
        "claim": |ledger, _note| ledger.claim(STORE, 10, 20, 2).await?;
        "reap": |ledger, _note| ledger.reap(30).await?;
        "try_again": |ledger, _note| ledger.try_again(STORE, 31).await?;
        "claim to settle": |ledger, note| {
            let claim = ledger.claim(STORE, 50, 60, 1).await?;
            *note.lock().expect("a lock") = claim;
        };
        "renew": |ledger, note| {
            let claim = note.lock().expect("a lock").clone();
            if let Some(claim) = claim {
                ledger.renew(claim.lane, claim.token, 70).await?;
            }
        };
        "settle": |ledger, note| {
            let claim = note.lock().expect("a lock").clone();
            if let Some(claim) = claim {
                let debts = claim.debts.iter().map(|debt| settlement(debt, DebtState::Confirmed)).collect();
                ledger.settle(&outcome(&claim, 55, debts)).await?;
            }
        };
        "keep again": |ledger, _note| ledger.keep(&batch(60, &[attainment(1, 2), attainment(2, 1), attainment(4, 1)])).await?;
        "take_back": |ledger, _note| take_back_of(ledger, &[id(3)]).await?;
        "plan again": |ledger, _note| plan_dirty(ledger, owe).await?;
        "raise": |ledger, _note| ledger.raise(61, "asked", &Raise::Debts(vec![one(ledger, 2).await?.id])).await?;
        "replan": |ledger, _note| ledger.replan(&target(STORE, LaneBy::Learner), TENANT).await?;
        "open_load": |ledger, _note| ledger.open_load(&load(LoadStatus::Sending)).await?;
        "add_to_manifest": |ledger, _note| {
            let debt = one(ledger, 1).await?;
            let (item, generation) = (debt.item, debt.generation);
            let entry = ManifestEntry { debt: debt.id, item, generation, digest: debt.wanted_digest, wanted: true };
            ledger.add_to_manifest(last_load(ledger).await?, &[entry]).await?;
        };
        "close_load": |ledger, _note| {
            ledger.close_load(last_load(ledger).await?, 62, LoadStatus::Delivered, "").await?;
        };
        "observed": |ledger, _note| {
            let debt = one(ledger, 1).await?;
            let (generation, digest) = (debt.generation, debt.sent_digest);
            ledger.observed(63, &[Observation { debt: debt.id, generation, digest, holds: true }]).await?;
        };
        "attempted": |ledger, _note| {
            let debt = one(ledger, 1).await?;
            ledger.attempted(&Attempt {
                debt: Some(debt.id),
                load: None,
                connection: STORE.into(),
                at: 1,
                took: 1,
                verdict: Verdict::Accepted,
                cause: "200".into(),
                reason: String::new(),
            }).await?;
        };
        "settle_problems": |ledger, _note| {
            let problem = |n| NewProblem {
                record: Some(id(n)),
                code: "a".into(),
                severity: Severity::Error,
                fixer: Fixer::Sender,
                content: vec![n],
            };
            ledger.settle_problems(&reading(vec![problem(1), problem(2)])).await?;
        };
        "settle_problems again": |ledger, _note| ledger.settle_problems(&reading(Vec::new())).await?;
        "open_reconciliation": |ledger, _note| ledger.open_reconciliation(STORE, 64).await?;
        "found": |ledger, _note| ledger.found(last_run(ledger).await?, 64, &[id(1), id(2)], &[found(1), found(2)]).await?;
        "found again": |ledger, _note| ledger.found(last_run(ledger).await?, 65, &[id(1), id(2)], &[found(2)]).await?;
        "set_finding": |ledger, _note| if let Some(finding) = ledger.findings(None, false, 0, 1).await?.first() {
            ledger.set_finding(finding.id, 66, FindingStatus::Accepted).await?;
        };
        "close_reconciliation": |ledger, _note| {
            ledger.close_reconciliation(last_run(ledger).await?, 66, &Summary::default()).await?;
        };
        "set_connection": |ledger, _note| {
            ledger.set_connection(&ConnectionState { paused: true, ..ConnectionState::new(STORE) }).await?;
        };
        "add_token": |ledger, _note| ledger.add_token(&super::access::token("peppi", 2)).await?;
        "revoke_token": |ledger, _note| ledger.revoke_token("peppi", 67).await?;
        "audit": |ledger, _note| ledger.audit(&[AuditEntry {
            id: 0,
            at: 1,
            actor: "a".into(),
            action: "b".into(),
            tenant: TENANT.into(),
            subject: "c".into(),
            detail: String::new(),
        }]).await?;
        "set_fact": |ledger, _note| ledger.set_fact("a", "b").await?;
        "hold": |ledger, _note| ledger.hold("duty", "one", 1, 2).await?;
        "release": |ledger, _note| ledger.release("duty", "one").await?;
        "erase": |ledger, _note| ledger.erase(TENANT, learner(1), 68).await?;
        "forget versions": |ledger, _note| ledger.forget(Trace::Versions, 100, 0, 99).await?;
        "forget problems": |ledger, _note| ledger.forget(Trace::Problems, 100, 0, 99).await?;
        "forget findings": |ledger, _note| ledger.forget(Trace::Findings, 100, 0, 99).await?;
        "forget attempts": |ledger, _note| ledger.forget(Trace::Attempts, 100, 0, 99).await?;
    }
    .to_vec()
}

async fn take_back_of(ledger: &dyn Ledger, ids: &[RecordId]) -> Result<u64> {
    let (ids, targets) = (ids.to_vec(), Vec::new());
    ledger.take_back(&TakeBack { tenant: TENANT.into(), at: 60, state: State::Deleted, ids, targets }).await
}

/// Everything a ledger tells.
async fn told(ledger: &dyn Ledger) -> Result<String> {
    let mut text = String::new();
    macro_rules! tell {
        ($($told:expr),+ $(,)?) => {
            $(writeln!(text, "{:?}", $told.await?).expect("a string takes it");)+
        };
    }
    for n in 1..=4 {
        tell!(ledger.record(id(n)), ledger.history(id(n)));
        for debt in ledger.debts_of(id(n)).await? {
            tell!(ledger.attempts(debt.id, 9));
        }
    }
    for load in ledger.loads(None, false, 9).await? {
        tell!(ledger.manifest(load.id, None, 9));
    }
    tell!(
        ledger.debts(STORE, None, 0, 9),
        ledger.dirty(STORE, 9),
        ledger.holdings(STORE, None, 9),
        ledger.figures(STORE, 0),
        ledger.connection(STORE),
        ledger.feed(&[], &[], 0, 99),
        ledger.loads(None, false, 9),
        ledger.findings(None, true, 0, 9),
        ledger.reconciliations(None, 9),
        ledger.problems(TENANT, 0, true, 9),
        ledger.tokens(),
        ledger.audited(None, 9),
        ledger.fact("a"),
    );
    Ok(text)
}

/// Each call is stopped at its first step, then at its second, and so on until it goes through. One that says it failed
/// changed nothing, unless the failure came after the change (`late`: an answer may be lost); and the same call can be made
/// again.
pub async fn a_call_that_fails_changes_nothing(ledger: &dyn Ledger, fault: &dyn Fault, late: bool) {
    let (mut struck, note) = (0, Note::default());
    for (name, call) in script() {
        let mut steps = 0;
        loop {
            let before = told(ledger).await.expect("it can be read");
            fault.after(Some(steps)).await;
            let done = call(ledger, &note).await;
            fault.after(None).await;
            let failed = fault.struck();
            let now = told(ledger).await.unwrap_or_else(|e| panic!("{name}, stopped at step {steps}: {e}"));
            match done {
                Ok(()) if !failed => break,
                // What went wrong was made up for.
                Ok(()) => {}
                Err(LedgerError::Away(_)) | Err(LedgerError::Store(_)) => {
                    assert!(failed, "{name} failed by itself");
                    assert!(late || now == before, "{name}, stopped at step {steps}, changed something");
                }
                Err(other) => panic!("{name}, stopped at step {steps}: {other}"),
            }
            struck += 1;
            steps += 1 + steps / 4;
            if now != before {
                break;
            }
        }
    }
    assert!(struck > 80, "calls were stopped {struck} times");
}
