//! Problems of senders.

use super::*;
use silta_adapter::problem::Severity;

fn problem(record: Option<u8>, code: &str, content: u8) -> NewProblem {
    NewProblem {
        record: record.map(id),
        code: code.into(),
        severity: Severity::Error,
        fixer: Fixer::Sender,
        content: vec![content],
    }
}

async fn read(ledger: &dyn Ledger, origin: &str, at: Micros, looked_at: &[u8], problems: Vec<NewProblem>) {
    let records = looked_at.iter().copied().map(id).collect();
    let reading = ProblemReading { tenant: TENANT.into(), at, origin: origin.into(), records, problems };
    ledger.settle_problems(&reading).await.expect("settled");
}

async fn open(ledger: &dyn Ledger) -> Vec<StoredProblem> {
    ledger.problems(TENANT, 0, false, 100).await.expect("problems")
}

fn told(problems: &[StoredProblem]) -> Vec<(Option<RecordId>, &str, u8)> {
    problems.iter().map(|p| (p.record, p.code.as_str(), p.content[0])).collect()
}

pub async fn problems_open_stay_and_close(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let first = vec![problem(Some(1), "a", 1), problem(Some(1), "b", 2), problem(Some(2), "a", 3)];
    read(ledger, "intake", 1, &[1, 2], first).await;
    assert_eq!(told(&open(ledger).await), [(Some(id(1)), "a", 1), (Some(id(1)), "b", 2), (Some(id(2)), "a", 3)]);

    keep(ledger, 2, &[attainment(1, 2)]).await;
    read(ledger, "intake", 2, &[1], vec![problem(Some(1), "a", 4), problem(Some(1), "c", 5)]).await;
    let now = open(ledger).await;
    assert_eq!(told(&now), [(Some(id(1)), "a", 4), (Some(id(2)), "a", 3), (Some(id(1)), "c", 5)]);
    assert_eq!(now[0].opened, 1, "what stays keeps its age and tells what was read last");
    let all = ledger.problems_of(id(1)).await.expect("problems");
    let cured = all.iter().find(|p| p.code == "b").expect("kept");
    assert_eq!((cured.closed, cured.closed_by), (Some(2), Some(2)));

    read(ledger, "intake", 3, &[1, 2], vec![]).await;
    assert!(open(ledger).await.is_empty());
    read(ledger, "intake", 4, &[1], vec![problem(Some(1), "a", 6)]).await;
    assert_eq!(open(ledger).await[0].opened, 4, "what comes back is opened anew");

    read(ledger, "intake", 5, &[], vec![problem(None, "d", 7)]).await;
    read(ledger, "intake", 6, &[], vec![problem(None, "d", 8)]).await;
    assert_eq!(told(&open(ledger).await)[1..], [(None, "d", 7), (None, "d", 8)]);
}

pub async fn problems_of_other_origins_stay(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    read(ledger, "intake", 1, &[1], vec![problem(Some(1), "a", 1)]).await;
    read(ledger, STORE, 1, &[1], vec![problem(Some(1), "a", 2)]).await;
    read(ledger, "intake", 2, &[1], vec![]).await;
    let left = open(ledger).await;
    assert_eq!((left.len(), left[0].origin.as_str(), left[0].content[0]), (1, STORE, 2));
    // A problem about a record that was never kept is closed by no version.
    read(ledger, "intake", 3, &[9], vec![problem(Some(9), "a", 3)]).await;
    read(ledger, "intake", 4, &[9], vec![]).await;
    let closed = &ledger.problems_of(id(9)).await.expect("problems")[0];
    assert_eq!((closed.closed, closed.closed_by), (Some(4), None));
}

pub async fn problems_are_paged(ledger: &dyn Ledger) {
    read(ledger, "intake", 1, &[1, 2, 3], (1..=3).map(|n| problem(Some(n), "a", n)).collect()).await;
    read(ledger, "intake", 2, &[2], vec![]).await;
    let first = ledger.problems(TENANT, 0, false, 1).await.expect("problems");
    assert_eq!(told(&first), [(Some(id(1)), "a", 1)]);
    let rest = ledger.problems(TENANT, first[0].id, false, 9).await.expect("problems");
    assert_eq!(told(&rest), [(Some(id(3)), "a", 3)]);
    let all = ledger.problems(TENANT, first[0].id, true, 9).await.expect("problems");
    assert_eq!(told(&all), [(Some(id(2)), "a", 2), (Some(id(3)), "a", 3)]);
    assert!(ledger.problems("niitty", 0, true, 9).await.expect("problems").is_empty());
    assert_eq!((first[0].severity, first[0].fixer), (Severity::Error, Fixer::Sender));
}

pub async fn problems_of_one_code_are_counted(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let of = |contents: &[u8]| contents.iter().map(|c| problem(Some(1), "a", *c)).collect::<Vec<_>>();
    read(ledger, "intake", 1, &[1], of(&[1, 2, 3])).await;
    read(ledger, "intake", 2, &[1], of(&[4, 5])).await;
    let now = open(ledger).await;
    assert_eq!(told(&now).iter().map(|t| t.2).collect::<Vec<_>>(), [4, 5]);
    assert!(now.iter().all(|p| p.opened == 1));
    assert_eq!(ledger.problems_of(id(1)).await.expect("problems").len(), 3);
}
