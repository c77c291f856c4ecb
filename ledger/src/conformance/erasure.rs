//! Erasing a learner.

use super::*;
use silta_adapter::problem::Severity;

const SECRET: u8 = 77;

pub async fn erasure_leaves_pseudonyms_only(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, SECRET), attainment(2, SECRET), attainment(2, 1)]).await;
    for item in dirty(ledger).await {
        let wanted = Decision::Owe {
            wanted: Wanted::Present,
            digest: digest(9),
            content: Some(vec![SECRET]),
            losses: Some(vec![SECRET]),
        };
        plan(ledger, 1, &item, wanted).await;
    }
    settle_all(ledger, &claim(ledger, 1).await, 1, DebtState::Confirmed).await;
    let reading = ProblemReading {
        tenant: TENANT.into(),
        at: 1,
        origin: "intake".into(),
        records: vec![id(1)],
        problems: vec![NewProblem {
            record: Some(id(1)),
            code: "a".into(),
            severity: Severity::Error,
            fixer: Fixer::Sender,
            content: vec![SECRET],
        }],
    };
    ledger.settle_problems(&reading).await.expect("settled");
    let number = ledger.open_reconciliation(STORE, 2).await.expect("opened");
    let finding = NewFinding {
        item: id(1),
        learner: learner(1),
        debt: None,
        kind: FindingKind::Differs,
        digest: None,
        implied_by: None,
        evidence: vec![SECRET],
    };
    ledger.found(number, 2, &[id(1)], &[finding]).await.expect("stored");
    let (before, changes) = (ledger.history(id(1)).await.expect("history").len(), 3);
    take_back(ledger, 3, &[id(1), id(2)]).await;
    plan_all(ledger, 3).await;

    assert_eq!(ledger.erase("niitty", learner(1), 4).await.expect("asked"), 0);
    assert_eq!(ledger.erase(TENANT, learner(1), 4).await.expect("erased"), 2);
    assert_eq!(ledger.erase(TENANT, learner(1), 5).await.expect("erased"), 0, "nothing is left to erase");

    let blank = stored(ledger, 1).await;
    assert_eq!((blank.state, blank.version, blank.content, blank.digest), (State::Deleted, 2, None, digest(SECRET)));
    let feed = ledger.feed(&[], &[], 0, 100).await.expect("feed");
    assert_eq!(feed.len(), changes + 2, "the feed keeps its positions");
    assert!(feed.iter().all(|c| c.record.content.is_none()));
    assert_eq!(ledger.history(id(1)).await.expect("history").len(), before + 1, "the journey stays");
    assert_eq!(ledger.look_up(TENANT, Lookup([1; 16])).await.expect("records").len(), 1, "a keyed tombstone stays");
    assert_eq!(ledger.records_of(TENANT, learner(1)).await.expect("records").len(), 2);

    let left = debt(ledger, 1).await;
    assert_eq!((left.state, left.wanted, left.losses), (DebtState::Owed, Wanted::Absent, None));
    assert_eq!((left.sent_digest, left.confirmed_digest), (Some(digest(9)), Some(digest(9))));
    let held = holding(ledger, 1).await;
    assert_eq!((held.wanted_content, held.sent_content, held.confirmed_content), (None, None, None));
    assert!(ledger.problems_of(id(1)).await.expect("problems")[0].content.is_empty());
    assert!(ledger.findings_of(id(1)).await.expect("findings")[0].evidence.is_empty());
    let withdrawal = claim(ledger, 4).await;
    assert_eq!(withdrawal.debts.len(), 2, "what is owed stays owed");
    assert!(withdrawal.debts.iter().all(|d| d.content.is_none()));
    assert_eq!(keep(ledger, 6, &[attainment(1, SECRET)]).await, [(Outcome::Refused, 2)]);
}

pub async fn erasure_spares_what_stands_and_other_learners(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 2), of_learner(2, attainment(3, 3))]).await;
    take_back(ledger, 2, &[id(2), id(3)]).await;
    assert_eq!(ledger.erase(TENANT, learner(1), 3).await.expect("erased"), 1);
    assert_eq!(stored(ledger, 1).await.content, Some(vec![1]), "its debts were not turned to absent");
    assert_eq!(holding(ledger, 1).await.wanted_content, Some((digest(1), vec![1])));
    assert_eq!(stored(ledger, 2).await.content, None);
    assert_eq!(stored(ledger, 3).await.content, Some(vec![3]));
}

pub async fn erasure_takes_all_of_a_record_whomever_it_was_about(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    settle_all(ledger, &claim(ledger, 1).await, 1, DebtState::Sent).await;
    owed(ledger, 2, &[of_learner(2, attainment(1, 2)), of_learner(2, attainment(2, 2))]).await;
    take_back(ledger, 3, &[id(1)]).await;
    assert_eq!(ledger.erase(TENANT, learner(1), 4).await.expect("erased"), 0, "they are another's now");
    assert_eq!(stored(ledger, 1).await.content, Some(vec![2]));
    assert_eq!(ledger.erase(TENANT, learner(2), 5).await.expect("erased"), 1);
    let feed = ledger.feed(&[], &[], 0, 100).await.expect("feed");
    let left: Vec<_> = feed.iter().filter(|c| c.record.content.is_some()).map(|c| c.record.id).collect();
    assert_eq!(left, [id(2), id(2)], "of what does not stand nothing is left");
    assert_eq!((holding(ledger, 1).await.sent_content, holding(ledger, 1).await.wanted_content), (None, None));
    assert_eq!(holding(ledger, 2).await.sent_content, Some((digest(1), vec![1])));
}
