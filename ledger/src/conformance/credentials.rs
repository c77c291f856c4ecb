//! Credentials and links to them.

use super::*;

fn issuing(connection: &str, item: u8, generation: i64, at: Micros) -> Issuing {
    Issuing { tenant: TENANT.into(), connection: connection.into(), item: id(item), generation, at }
}

async fn issue(ledger: &dyn Ledger, issuing: &Issuing) -> Issued {
    ledger.issue(issuing).await.expect("issued")
}

pub async fn a_credential_is_issued_once_for_each_generation(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let first = issue(ledger, &issuing(STORE, 1, 1, 5)).await;
    assert_eq!(
        (first.tenant.as_str(), first.connection.as_str(), first.item, first.generation, first.place, first.at),
        (TENANT, STORE, id(1), 1, 0, 5)
    );
    assert_eq!((first.withdrawn, &first.document), (None, &None));
    assert_eq!(issue(ledger, &issuing(STORE, 1, 1, 9)).await, first, "a retry is the same credential");
    let next = issue(ledger, &issuing(STORE, 1, 2, 9)).await;
    assert!(next.id != first.id && next.place != first.place);
    let other = issue(ledger, &issuing(STORE, 2, 1, 9)).await;
    assert_eq!(ledger.issued_of(id(1)).await.expect("read"), [first.clone(), next]);
    assert_eq!(ledger.issued_of(id(2)).await.expect("read"), [other]);
    assert_eq!(ledger.issued(first.id).await.expect("read"), Some(first));
    assert_eq!(ledger.issued(9_999_999).await.expect("read"), None);
}

pub async fn a_document_is_kept_once(ledger: &dyn Ledger) {
    let issued = issue(ledger, &issuing(STORE, 1, 1, 5)).await;
    assert!(ledger.keep_document(issued.id, &[1, 2]).await.expect("kept"));
    assert!(!ledger.keep_document(issued.id, &[3]).await.expect("asked"), "what was sealed first stays");
    assert!(!ledger.keep_document(9_999_999, &[3]).await.expect("asked"));
    let again = issue(ledger, &issuing(STORE, 1, 1, 6)).await;
    assert_eq!(again.document, Some(vec![1, 2]));
}

pub async fn places_are_given_in_turn_for_each_connection(ledger: &dyn Ledger) {
    for (connection, generation, place) in [("a", 1, 0), ("a", 2, 1), ("b", 1, 0), ("a", 1, 0), ("a", 3, 2)] {
        assert_eq!(issue(ledger, &issuing(connection, 1, generation, 1)).await.place, place);
    }
}

pub async fn withdrawn_credentials_are_listed_by_place(ledger: &dyn Ledger) {
    let mut ids = Vec::new();
    for generation in 1..=4 {
        ids.push(issue(ledger, &issuing(STORE, 1, generation, 1)).await.id);
    }
    let other = issue(ledger, &issuing("other", 1, 1, 1)).await.id;
    for withdrawn in [ids[3], ids[0], ids[2], other] {
        assert!(ledger.withdraw_issued(withdrawn, 7).await.expect("asked"));
    }
    assert!(!ledger.withdraw_issued(ids[0], 8).await.expect("asked"), "once");
    assert_eq!(ledger.issued(ids[0]).await.expect("read").and_then(|c| c.withdrawn), Some(7));
    assert_eq!(ledger.withdrawn(STORE, None, 100).await.expect("read"), [0, 2, 3]);
    assert_eq!(ledger.withdrawn(STORE, None, 2).await.expect("read"), [0, 2]);
    assert_eq!(ledger.withdrawn(STORE, Some(0), 2).await.expect("read"), [2, 3]);
    assert!(ledger.withdrawn("nowhere", None, 9).await.expect("read").is_empty());
}

pub async fn a_link_is_found_until_it_is_revoked(ledger: &dyn Ledger) {
    let credential = issue(ledger, &issuing(STORE, 1, 1, 5)).await.id;
    let other = issue(ledger, &issuing(STORE, 1, 2, 5)).await.id;
    let new = |hash: u8, public| NewShare { credential, hash: [hash; 32], created: 6, expires: 9, public };
    let first = ledger.add_share(&new(1, false)).await.expect("added");
    let second = ledger.add_share(&new(2, true)).await.expect("added");
    let found = ledger.share(&[2; 32]).await.expect("read").expect("a link");
    let expected = Share { id: second, credential, created: 6, expires: 9, revoked: None, public: true };
    assert_eq!(found, expected);
    assert_eq!(ledger.share(&[3; 32]).await.expect("read"), None);
    assert_eq!(ledger.shares_of(credential).await.expect("read").len(), 2);
    assert!(ledger.shares_of(other).await.expect("read").is_empty());
    assert!(!ledger.revoke_share(other, first, 7).await.expect("asked"), "it is of another credential");
    assert!(ledger.revoke_share(credential, first, 7).await.expect("asked"));
    assert!(!ledger.revoke_share(credential, first, 8).await.expect("asked"), "once");
    assert_eq!(ledger.share(&[1; 32]).await.expect("read"), None);
    let told: Vec<_> = ledger.shares_of(credential).await.expect("read").iter().map(|l| (l.id, l.revoked)).collect();
    assert_eq!(told, [(first, Some(7)), (second, None)]);
}

pub async fn erasure_takes_the_documents_of_credentials(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), of_learner(2, attainment(2, 1))]).await;
    for item in [1, 2] {
        let issued = issue(ledger, &issuing(STORE, item, 1, 5)).await;
        ledger.keep_document(issued.id, &[7]).await.expect("kept");
    }
    take_back(ledger, 3, &[id(1)]).await;
    plan_all(ledger, 3).await;
    assert_eq!(ledger.erase(TENANT, learner(1), 4).await.expect("erased"), 1);
    let left = ledger.issued_of(id(1)).await.expect("read");
    assert_eq!((left.len(), &left[0].document), (1, &None), "that it was issued stays known");
    assert_eq!(ledger.issued_of(id(2)).await.expect("read")[0].document, Some(vec![7]));
}
