//! Which learners are one person.

use super::*;

const OTHERS: &str = "niitty";

fn known(learner: u8, person: Option<u8>) -> Identification {
    let person = person.map(|person| PersonId([person; 16]));
    Identification { learner: LearnerId([learner; 16]), person, why: "register".into() }
}

async fn same(ledger: &dyn Ledger, learner: u8) -> Vec<u8> {
    let same = ledger.same_person(TENANT, LearnerId([learner; 16])).await.expect("asked");
    same.into_iter().map(|learner| learner.0[0]).collect()
}

pub async fn links_are_made_and_undone(ledger: &dyn Ledger) {
    assert_eq!(same(ledger, 1).await, [1], "everybody is herself");
    let first = [known(1, Some(9)), known(2, Some(9)), known(3, Some(8)), known(4, None)];
    assert_eq!(ledger.link(TENANT, 10, &first).await.expect("linked"), 3);
    assert_eq!(ledger.link(TENANT, 11, &first).await.expect("linked"), 0, "known already");
    assert_eq!((same(ledger, 1).await, same(ledger, 2).await), (vec![1, 2], vec![1, 2]));
    assert_eq!((same(ledger, 3).await, same(ledger, 4).await), (vec![3], vec![4]));
    // The register says that all are another master's, and takes it back later.
    let flipped = [known(1, Some(8)), known(2, Some(8))];
    assert_eq!(ledger.link(TENANT, 20, &flipped).await.expect("linked"), 2);
    assert_eq!(same(ledger, 3).await, [1, 2, 3]);
    assert_eq!(ledger.link(TENANT, 30, &[known(1, None), known(2, Some(9))]).await.expect("linked"), 2);
    assert_eq!((same(ledger, 1).await, same(ledger, 2).await, same(ledger, 3).await), (vec![1], vec![2], vec![3]));
    let history = ledger.links_of(TENANT, LearnerId([1; 16])).await.expect("history");
    let told: Vec<_> = history.iter().map(|link| (link.person.0[0], link.since, link.until)).collect();
    assert_eq!(told, [(9, 10, Some(20)), (8, 20, Some(30))], "what was taken to be so stays to be seen");
    assert_eq!(history[0].why, "register");
    assert_eq!(ledger.link(TENANT, 40, &[known(1, Some(9))]).await.expect("linked"), 1);
    assert_eq!(same(ledger, 1).await, [1, 2], "undone and made again");
}

pub async fn links_stay_within_a_tenant_and_go_with_the_learner(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    ledger.link(TENANT, 10, &[known(1, Some(9)), known(2, Some(9))]).await.expect("linked");
    ledger.link(OTHERS, 10, &[known(3, Some(9))]).await.expect("linked");
    assert_eq!(same(ledger, 1).await, [1, 2]);
    let theirs = ledger.same_person(OTHERS, LearnerId([3; 16])).await.expect("asked");
    assert_eq!(theirs, [LearnerId([3; 16])]);
    take_back(ledger, 20, &[id(1)]).await;
    ledger.erase(TENANT, learner(1), 30).await.expect("erased");
    assert_eq!(ledger.links_of(TENANT, learner(1)).await.expect("history"), []);
    assert_eq!(same(ledger, 2).await, [2]);
}
