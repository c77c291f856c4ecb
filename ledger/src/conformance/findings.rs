//! Reconciliations and the life of a finding.

use super::*;
use FindingStatus::{Accepted, Closed, Held, Open, Persistent, Repairing, Suppressed};

fn finding(n: u8, kind: FindingKind, content: u8) -> NewFinding {
    NewFinding {
        item: id(n),
        learner: learner(1),
        debt: Some(i64::from(n)),
        kind,
        digest: Some(digest(content)),
        implied_by: None,
        evidence: vec![content],
    }
}

/// One reconciliation of a connection.
async fn look(ledger: &dyn Ledger, connection: &str, at: Micros, looked_at: &[u8], found: &[NewFinding]) -> i64 {
    let number = ledger.open_reconciliation(connection, at).await.expect("opened");
    let items: Vec<_> = looked_at.iter().copied().map(id).collect();
    ledger.found(number, at, &items, found).await.expect("stored");
    number
}

async fn of(ledger: &dyn Ledger, n: u8) -> Vec<Finding> {
    ledger.findings_of(id(n)).await.expect("findings")
}

/// The newest finding of an item.
async fn last(ledger: &dyn Ledger, n: u8) -> Finding {
    of(ledger, n).await.pop().expect("a finding")
}

pub async fn a_finding_lives_until_it_is_gone(ledger: &dyn Ledger) {
    let first = look(ledger, STORE, 1, &[1, 2], &[finding(1, FindingKind::Differs, 1)]).await;
    let fresh = last(ledger, 1).await;
    assert_eq!((fresh.status, fresh.opened, fresh.seen, fresh.sightings), (Open, 1, 1, 1));
    assert_eq!((fresh.reconciliation, fresh.connection.as_str(), fresh.item), (first, STORE, id(1)));
    assert_eq!((fresh.debt, fresh.kind, fresh.digest), (Some(1), FindingKind::Differs, Some(digest(1))));

    let implied = NewFinding { implied_by: Some(id(2)), ..finding(1, FindingKind::Differs, 2) };
    let second = look(ledger, STORE, 5, &[1], &[implied, finding(1, FindingKind::Duplicate, 3)]).await;
    let all = of(ledger, 1).await;
    assert_eq!(all.iter().map(|f| f.kind).collect::<Vec<_>>(), [FindingKind::Differs, FindingKind::Duplicate]);
    let again = &all[0];
    assert_eq!((again.id, again.opened, again.seen, again.sightings), (fresh.id, 1, 5, 2));
    assert_eq!((again.reconciliation, again.digest, again.evidence.clone()), (second, Some(digest(2)), vec![2]));
    assert_eq!((again.implied_by, again.status), (Some(id(2)), Open));

    look(ledger, STORE, 6, &[1], &[finding(1, FindingKind::Duplicate, 3)]).await;
    let gone = &of(ledger, 1).await[0];
    assert_eq!((gone.status, gone.closed, gone.seen), (Closed, Some(6), 5));
    look(ledger, STORE, 7, &[1], &[finding(1, FindingKind::Differs, 1)]).await;
    let back = last(ledger, 1).await;
    assert!(back.id > fresh.id);
    assert_eq!((back.opened, back.sightings), (7, 1), "what comes back is a new finding");
}

pub async fn a_finding_that_survives_a_repair_is_persistent(ledger: &dyn Ledger) {
    let missing = [finding(1, FindingKind::Missing, 1)];
    look(ledger, STORE, 1, &[1], &missing).await;
    let number = last(ledger, 1).await.id;
    ledger.set_finding(number, 2, Repairing).await.expect("set");
    assert_eq!(last(ledger, 1).await.status, Repairing);
    look(ledger, STORE, 3, &[1], &missing).await;
    assert_eq!(last(ledger, 1).await.status, Persistent);
    assert_eq!(ledger.figures(STORE, 0).await.expect("figures").persistent, 1);
    look(ledger, STORE, 4, &[1], &missing).await;
    assert_eq!(last(ledger, 1).await.status, Persistent);
    look(ledger, STORE, 5, &[1], &[]).await;
    let gone = last(ledger, 1).await;
    assert_eq!((gone.status, gone.closed, gone.sightings), (Closed, Some(5), 3));
    assert_eq!(ledger.figures(STORE, 0).await.expect("figures").persistent, 0);

    ledger.set_finding(number, 6, Open).await.expect("asked");
    ledger.set_finding(999, 6, Open).await.expect("asked");
    assert_eq!(last(ledger, 1).await.status, Closed, "what is closed stays closed");
}

pub async fn an_accepted_difference_is_recognised(ledger: &dyn Ledger) {
    look(ledger, STORE, 1, &[1], &[finding(1, FindingKind::Differs, 1)]).await;
    ledger.set_finding(last(ledger, 1).await.id, 2, Accepted).await.expect("set");
    look(ledger, STORE, 3, &[1], &[finding(1, FindingKind::Differs, 1)]).await;
    assert_eq!((last(ledger, 1).await.status, last(ledger, 1).await.sightings), (Accepted, 2));
    look(ledger, STORE, 4, &[1], &[finding(1, FindingKind::Differs, 2)]).await;
    let other = last(ledger, 1).await;
    assert_eq!((other.status, other.digest), (Open, Some(digest(2))), "another difference was not accepted");
    ledger.set_finding(other.id, 5, Closed).await.expect("set");
    assert_eq!(last(ledger, 1).await.closed, Some(5));
}

pub async fn a_suppressed_finding_stays_quiet(ledger: &dyn Ledger) {
    look(ledger, STORE, 1, &[1], &[finding(1, FindingKind::Differs, 1)]).await;
    ledger.set_finding(last(ledger, 1).await.id, 2, Suppressed).await.expect("set");
    look(ledger, STORE, 3, &[1], &[finding(1, FindingKind::Differs, 2)]).await;
    assert_eq!((of(ledger, 1).await.len(), last(ledger, 1).await.status), (1, Suppressed));
    look(ledger, STORE, 4, &[1], &[]).await;
    assert_eq!(last(ledger, 1).await.status, Closed);
}

pub async fn findings_of_items_not_looked_at_stay(ledger: &dyn Ledger) {
    let both = [finding(1, FindingKind::Missing, 1), finding(2, FindingKind::Missing, 1)];
    look(ledger, STORE, 1, &[1, 2], &both).await;
    look(ledger, "other", 2, &[1], &[]).await;
    look(ledger, STORE, 3, &[2], &[]).await;
    assert_eq!((last(ledger, 1).await.status, last(ledger, 2).await.status), (Open, Closed));
}

pub async fn a_settling_item_keeps_its_findings(ledger: &dyn Ledger) {
    look(ledger, STORE, 1, &[1], &[finding(1, FindingKind::Missing, 1)]).await;
    ledger.set_finding(last(ledger, 1).await.id, 2, Repairing).await.expect("set");
    look(ledger, STORE, 3, &[1], &[finding(1, FindingKind::Settling, 1)]).await;
    assert_eq!((of(ledger, 1).await[0].status, of(ledger, 1).await[0].sightings), (Repairing, 1));
    look(ledger, STORE, 4, &[1], &[finding(1, FindingKind::Missing, 1)]).await;
    let statuses: Vec<_> = of(ledger, 1).await.iter().map(|f| (f.kind, f.status)).collect();
    assert_eq!(statuses, [(FindingKind::Missing, Persistent), (FindingKind::Settling, Closed)]);
}

pub async fn findings_are_paged_by_connection(ledger: &dyn Ledger) {
    let found: Vec<_> = (1..=3).map(|n| finding(n, FindingKind::Missing, n)).collect();
    look(ledger, STORE, 1, &[1, 2, 3], &found).await;
    look(ledger, "other", 2, &[4], &[finding(4, FindingKind::Stale, 4)]).await;
    look(ledger, STORE, 3, &[2], &[]).await;
    let list = async |connection, closed, after, limit| {
        let findings = ledger.findings(connection, closed, after, limit).await.expect("findings");
        findings.iter().map(|f| f.item).collect::<Vec<_>>()
    };
    assert_eq!(list(None, false, 0, 9).await, [id(1), id(3), id(4)]);
    assert_eq!(list(Some(STORE), true, 0, 9).await, [id(1), id(2), id(3)]);
    let first = last(ledger, 1).await;
    assert_eq!(list(Some(STORE), false, first.id, 9).await, [id(3)]);
    assert_eq!(list(Some(STORE), true, first.id, 1).await, [id(2)]);
    // What a person accepted is still a difference.
    ledger.set_finding(first.id, 4, Accepted).await.expect("set");
    assert_eq!(list(Some(STORE), false, 0, 9).await, [id(1), id(3)]);
    assert_eq!(ledger.finding(first.id).await.expect("read").expect("a finding").evidence, [1]);
    assert!(ledger.finding(999).await.expect("read").is_none());
}

pub async fn findings_hang_under_the_one_that_implies_them(ledger: &dyn Ledger) {
    let implied = |n, by| NewFinding { implied_by: Some(id(by)), ..finding(n, FindingKind::Missing, n) };
    let found = [finding(1, FindingKind::Missing, 1), implied(2, 1), implied(3, 1), implied(5, 4)];
    look(ledger, STORE, 1, &[1, 2, 3, 5], &found).await;
    look(ledger, "other", 2, &[2], &[implied(2, 1)]).await;
    let under = async |connection, by: &[u8]| {
        let by: Vec<_> = by.iter().copied().map(id).collect();
        let findings = ledger.implied(connection, &by).await.expect("findings");
        findings.iter().map(|f| (f.connection.to_string(), f.item)).collect::<Vec<_>>()
    };
    let at = |n| (STORE.to_owned(), id(n));
    assert_eq!(under(STORE, &[1]).await, [at(2), at(3)]);
    assert_eq!(under(STORE, &[1, 4]).await, [at(2), at(3), at(5)]);
    assert_eq!(under(STORE, &[2]).await, []);
    look(ledger, STORE, 3, &[2], &[]).await;
    assert_eq!(under(STORE, &[1]).await, [at(3)], "what is closed hangs nowhere");
}

pub async fn a_held_finding_waits(ledger: &dyn Ledger) {
    look(ledger, STORE, 1, &[1], &[finding(1, FindingKind::Missing, 1)]).await;
    ledger.set_finding(last(ledger, 1).await.id, 2, Held).await.expect("set");
    look(ledger, STORE, 3, &[1], &[finding(1, FindingKind::Missing, 2)]).await;
    assert_eq!((last(ledger, 1).await.status, last(ledger, 1).await.sightings), (Held, 2));
    look(ledger, STORE, 4, &[1], &[]).await;
    assert_eq!(last(ledger, 1).await.status, Closed);
}

pub async fn reconciliations_are_kept(ledger: &dyn Ledger) {
    let first = ledger.open_reconciliation(STORE, 1).await.expect("opened");
    let second = ledger.open_reconciliation("other", 2).await.expect("opened");
    let third = ledger.open_reconciliation(STORE, 3).await.expect("opened");
    let mut summary = Summary { learners: 4, complete: 3, items: 9, agreed: 7, repairs: 1, ..Summary::default() };
    summary.findings.insert("missing".into(), 2);
    summary.failure = Some("the store did not answer".into());
    ledger.close_reconciliation(first, 5, &summary).await.expect("closed");
    let list = async |connection, limit| {
        let found = ledger.reconciliations(connection, limit).await.expect("reconciliations");
        found.iter().map(|r| r.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, [third, second, first], "newest first");
    assert_eq!(list(Some(STORE), 1).await, [third]);
    let all = ledger.reconciliations(Some(STORE), 9).await.expect("reconciliations");
    assert_eq!((all[0].ended, all[0].summary.clone(), all[0].started), (None, None, 3));
    assert_eq!((all[1].ended, all[1].summary.clone(), all[1].started), (Some(5), Some(summary), 1));
    assert_eq!(all[1].connection, STORE);
}
