//! Forgetting what is over.

use super::*;
use silta_adapter::problem::Severity;

/// Forgets page by page; returns how many.
pub(super) async fn forget_all(ledger: &dyn Ledger, what: Trace, before: Micros, page: u32) -> u64 {
    let (mut forgotten, mut after) = (0, Some(0));
    while let Some(behind) = after {
        let swept = ledger.forget(what, before, behind, page).await.expect("forgotten");
        forgotten += swept.forgotten;
        after = swept.next;
    }
    forgotten
}

async fn forget(ledger: &dyn Ledger, what: Trace, before: Micros) -> u64 {
    forget_all(ledger, what, before, 2).await
}

pub async fn what_is_over_is_forgotten_and_nothing_else(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    owed(ledger, 2, &[attainment(2, 1)]).await;
    let (paid, open) = (debt(ledger, 1).await.id, debt(ledger, 2).await.id);
    let attempt = |debt, at| Attempt {
        debt: Some(debt),
        load: None,
        connection: STORE.into(),
        at,
        took: 1,
        verdict: Verdict::Accepted,
        cause: "200".into(),
        reason: String::new(),
    };
    for (debt, at) in [(paid, 1), (paid, 5), (open, 1)] {
        ledger.attempted(&attempt(debt, at)).await.expect("noted");
    }
    assert_eq!(forget(ledger, Trace::Attempts, 5).await, 1);
    assert_eq!(ledger.attempts(paid, 9).await.expect("attempts").len(), 1);
    assert_eq!(ledger.attempts(open, 9).await.expect("attempts").len(), 1, "it is still to be paid");

    let problem = |n: u8| NewProblem {
        record: Some(id(n)),
        code: "a".into(),
        severity: Severity::Error,
        fixer: Fixer::Sender,
        content: vec![n],
    };
    let reading = |at, problems| ProblemReading {
        tenant: TENANT.into(),
        at,
        origin: "intake".into(),
        records: vec![id(1), id(2)],
        problems,
    };
    ledger.settle_problems(&reading(1, vec![problem(1), problem(2)])).await.expect("settled");
    let about_no_record = NewProblem { record: None, ..problem(9) };
    ledger.settle_problems(&reading(2, vec![problem(2), about_no_record])).await.expect("settled");
    assert_eq!(forget(ledger, Trace::Problems, 2).await, 0, "not over for long enough");
    assert_eq!(forget(ledger, Trace::Problems, 3).await, 2);
    let left = ledger.problems(TENANT, 0, true, 9).await.expect("problems");
    assert_eq!(left.iter().map(|p| p.record).collect::<Vec<_>>(), [Some(id(2))], "an open one is never forgotten");

    let entry = |at| AuditEntry {
        id: 0,
        at,
        actor: "a".into(),
        action: "b".into(),
        tenant: TENANT.into(),
        subject: "c".into(),
        detail: String::new(),
    };
    ledger.audit(&[entry(1), entry(2), entry(3)]).await.expect("written");
    assert_eq!(forget(ledger, Trace::Audit, 3).await, 2);
    assert_eq!(ledger.audited(None, 9).await.expect("audit").len(), 1);

    let finding = |n: u8| NewFinding {
        item: id(n),
        learner: learner(1),
        debt: None,
        kind: FindingKind::Missing,
        digest: None,
        implied_by: None,
        evidence: vec![n],
    };
    let runs = [(1, vec![finding(1), finding(2)]), (2, vec![finding(2)]), (3, vec![finding(2)])];
    for (at, found) in runs {
        let run = ledger.open_reconciliation(STORE, at).await.expect("opened");
        ledger.found(run, at, &[id(1), id(2)], &found).await.expect("stored");
        ledger.close_reconciliation(run, at, &Summary::default()).await.expect("closed");
    }
    assert_eq!(
        forget(ledger, Trace::Reconciliations, 9).await,
        1,
        "the first has a finding left, the last is the last"
    );
    assert_eq!(forget(ledger, Trace::Findings, 9).await, 1);
    assert_eq!(ledger.findings(None, true, 0, 9).await.expect("findings").len(), 1);
    assert_eq!(forget(ledger, Trace::Reconciliations, 9).await, 1);
}

pub async fn what_a_destination_may_need_is_never_forgotten(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    keep(ledger, 2, &[attainment(1, 2), attainment(1, 2), attainment(1, 3), attainment(2, 1)]).await;
    let item = dirty(ledger).await.into_iter().find(|i| i.record.id == id(1)).expect("dirty");
    plan(ledger, 3, &item, refuse()).await;
    assert_eq!(forget(ledger, Trace::Arrivals, 9).await, 1);
    assert_eq!(forget(ledger, Trace::Versions, 2).await, 0, "superseded at that time, not before");
    assert_eq!(forget(ledger, Trace::Versions, 3).await, 2);
    let feed = ledger.feed(&[], &[], 0, 9).await.expect("feed");
    let told: Vec<_> = feed.iter().map(|c| (c.record.id, c.record.version)).collect();
    assert_eq!(told, [(id(1), 3), (id(2), 1)], "what stands is told to whoever reads from the start");
    assert_eq!(ledger.history(id(1)).await.expect("history").len(), 1);
    assert_eq!(stored(ledger, 1).await.content, Some(vec![3]));
    assert_eq!(holding(ledger, 1).await.sent_content, Some((digest(1), vec![1])), "last-good content stays");

    let load = |at| NewLoad {
        connection: STORE.into(),
        tenant: TENANT.into(),
        at,
        status: LoadStatus::Sending,
        reason: String::new(),
    };
    for status in [LoadStatus::Delivered, LoadStatus::Delivered, LoadStatus::Failed] {
        let number = ledger.open_load(&load(4)).await.expect("a load");
        ledger.close_load(number, 4, status, "").await.expect("closed");
    }
    let held = ledger.open_load(&NewLoad { status: LoadStatus::Held, ..load(4) }).await.expect("a load");
    assert_eq!(forget(ledger, Trace::Loads, 9).await, 2);
    let left = ledger.loads(None, false, 9).await.expect("loads");
    let left: Vec<_> = left.iter().map(|l| (l.id == held, l.status)).collect();
    assert_eq!(left, [(true, LoadStatus::Held), (false, LoadStatus::Delivered)], "the next is compared with the last");
}
