//! Loads, manifests and the shrink guard's figures.

use super::*;

fn load(at: Micros, status: LoadStatus) -> NewLoad {
    NewLoad { connection: STORE.into(), tenant: TENANT.into(), at, status, reason: String::new() }
}

fn entry(debt: &Debt, digest: Option<Digest>) -> ManifestEntry {
    ManifestEntry { debt: debt.id, item: debt.item, generation: debt.generation, digest, wanted: true }
}

/// A load of records with what they want, not closed yet.
async fn sending(ledger: &dyn Ledger, at: Micros, records: &[u8]) -> i64 {
    let number = ledger.open_load(&load(at, LoadStatus::Sending)).await.expect("a load");
    let mut entries = Vec::new();
    for n in records {
        let debt = debt(ledger, *n).await;
        let there = (debt.wanted == Wanted::Present).then_some(debt.wanted_digest).flatten();
        entries.push(entry(&debt, there));
    }
    ledger.add_to_manifest(number, &entries).await.expect("added");
    number
}

async fn close(ledger: &dyn Ledger, number: i64, at: Micros, status: LoadStatus) {
    ledger.close_load(number, at, status, "closed").await.expect("closed");
}

pub async fn a_load_has_a_manifest(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 2), attainment(3, 3)]).await;
    let number = sending(ledger, 2, &[3, 1]).await;
    let absent = ManifestEntry { digest: None, wanted: false, ..entry(&debt(ledger, 2).await, None) };
    ledger.add_to_manifest(number, std::slice::from_ref(&absent)).await.expect("added");
    let manifest = ledger.manifest(number, None, 9).await.expect("manifest");
    assert_eq!(manifest.iter().map(|e| e.item).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    assert_eq!(manifest[0], entry(&debt(ledger, 1).await, Some(digest(1))));
    assert_eq!(manifest[1], absent);
    assert_eq!(ledger.manifest(number, Some(id(1)), 1).await.expect("manifest"), [absent]);
    let stored = ledger.load(number).await.expect("read").expect("a load");
    assert_eq!((stored.items, stored.at, stored.status, stored.closed), (2, 2, LoadStatus::Sending, None));
    // An item has one entry.
    let replaced = entry(&debt(ledger, 2).await, Some(digest(2)));
    ledger.add_to_manifest(number, std::slice::from_ref(&replaced)).await.expect("added");
    assert_eq!(ledger.manifest(number, Some(id(1)), 1).await.expect("manifest"), [replaced]);
    assert_eq!(ledger.load(number).await.expect("read").expect("a load").items, 3);
    assert!(ledger.load(999).await.expect("read").is_none());
}

pub async fn a_delivered_load_moves_what_it_carried(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 2), attainment(5, 5)], DebtState::Confirmed).await;
    take_back(ledger, 2, &[id(2)]).await;
    owed(ledger, 2, &[attainment(3, 3), attainment(4, 4)]).await;
    let held = claim(ledger, 2).await;
    let number = sending(ledger, 3, &[1, 2, 3]).await;
    close(ledger, number, 4, LoadStatus::Delivered).await;
    ledger.settle(&outcome(&held, 4, vec![])).await.expect("settled");

    let told = async |n| {
        let d = debt(ledger, n).await;
        (d.state, d.sent_digest, d.sent_at)
    };
    assert_eq!(told(1).await, (DebtState::Confirmed, Some(digest(1)), Some(4)), "seen there before, as carried");
    assert_eq!(told(2).await, (DebtState::Sent, None, Some(4)), "left out");
    assert_eq!(told(3).await, (DebtState::Sent, Some(digest(3)), Some(4)));
    assert_eq!(told(4).await, (DebtState::Owed, None, None), "not carried");
    assert_eq!(told(5).await, (DebtState::Confirmed, Some(digest(5)), Some(1)), "not carried");
    assert_eq!(holding(ledger, 3).await.sent_content, Some((digest(3), vec![3])));
    let stored = ledger.load(number).await.expect("read").expect("a load");
    assert_eq!((stored.status, stored.closed, stored.reason.as_str()), (LoadStatus::Delivered, Some(4), "closed"));
}

pub async fn a_load_does_not_pay_what_was_raised_meanwhile(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    owed(ledger, 2, &[attainment(2, 2)]).await;
    let number = sending(ledger, 3, &[1, 2]).await;
    for n in [1, 2] {
        assert_eq!(raise(ledger, 4, &[debt(ledger, n).await.id]).await, 1);
    }
    close(ledger, number, 5, LoadStatus::Delivered).await;
    for n in [1, 2] {
        let now = debt(ledger, n).await;
        assert_eq!((now.state, now.generation), (DebtState::Owed, 2), "record {n}");
        assert_eq!((now.sent_digest, now.sent_at), (Some(digest(n)), Some(5)), "what was carried is there");
        assert_eq!(holding(ledger, n).await.sent_content, Some((digest(n), vec![n])));
    }
    let held = claim(ledger, 5).await;
    assert_eq!(items(&held), [id(1), id(2)]);

    // Newer content that was accepted by other ways is not overtaken by an older load.
    settle_all(ledger, &held, 5, DebtState::Sent).await;
    let older = sending(ledger, 6, &[1]).await;
    raise(ledger, 7, &[held.debts[0].id]).await;
    settle_all(ledger, &claim(ledger, 7).await, 7, DebtState::Sent).await;
    close(ledger, older, 8, LoadStatus::Delivered).await;
    assert_eq!((debt(ledger, 1).await.state, debt(ledger, 1).await.sent_at), (DebtState::Sent, Some(7)));
}

pub async fn nothing_is_planned_under_a_load(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 2)]).await;
    keep(ledger, 2, &[attainment(1, 3)]).await;
    let seen = dirty(ledger).await.remove(0);
    let number = sending(ledger, 3, &[1]).await;
    keep(ledger, 4, &[attainment(2, 4)]).await;
    let planned: Vec<_> = dirty(ledger).await.iter().map(|i| i.record.id).collect();
    assert_eq!(planned, [id(2)], "an item that is not in the load");
    plan(ledger, 4, &seen, refuse()).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Owed);
    close(ledger, number, 5, LoadStatus::Delivered).await;
    assert_eq!(holding(ledger, 1).await.sent_content, Some((digest(1), vec![1])), "what was carried is not lost");
    assert_eq!(dirty(ledger).await[0].record.id, id(1));

    for status in [LoadStatus::Held, LoadStatus::Failed] {
        let number = sending(ledger, 6, &[1]).await;
        assert_eq!(dirty(ledger).await.len(), 1, "being sent");
        close(ledger, number, 6, status).await;
        assert_eq!(dirty(ledger).await.len(), 2, "not being sent any more");
    }
}

pub async fn a_lane_is_claimed_for_a_load(ledger: &dyn Ledger) {
    let by_tenant = |at, record| Batch { targets: vec![target(STORE, LaneBy::Tenant)], ..batch(at, &[record]) };
    kept(ledger, &by_tenant(1, attainment(1, 1))).await;
    plan_all(ledger, 1).await;
    let held = ledger.claim(STORE, 1, 9, 0).await.expect("asked").expect("due");
    assert!(held.debts.is_empty(), "a load settles its manifest, not a claim");
    nothing_due(ledger, 1).await;
    let number = sending(ledger, 1, &[1]).await;
    close(ledger, number, 2, LoadStatus::Delivered).await;
    ledger.settle(&outcome(&held, 2, vec![])).await.expect("settled");
    nothing_due(ledger, 9).await;

    // A process that died while it sent a load.
    kept(ledger, &by_tenant(3, attainment(2, 2))).await;
    plan_all(ledger, 3).await;
    ledger.claim(STORE, 3, 9, 0).await.expect("asked").expect("due");
    let lost = sending(ledger, 3, &[1, 2]).await;
    take_back(ledger, 4, &[id(2)]).await;
    assert_eq!(ledger.reap(10).await.expect("reaped"), 1);
    assert_eq!(ledger.load(lost).await.expect("read").expect("a load").status, LoadStatus::Failed);
    let item = dirty(ledger).await.remove(0);
    assert_eq!((item.record.id, item.sent, item.unsure), (id(2), None, true), "it may have arrived");
    close(ledger, lost, 11, LoadStatus::Delivered).await;
    assert_eq!(debt(ledger, 2).await.sent_digest, None);

    // A process that was stopped before it opened its load, lost the lane meanwhile, and died then.
    let late = sending(ledger, 11, &[1, 2]).await;
    ledger.reap(12).await.expect("reaped");
    assert_eq!(ledger.load(late).await.expect("read").expect("a load").status, LoadStatus::Failed);
    assert!(ledger.claim(STORE, 12, 20, 0).await.expect("asked").is_some(), "it is owed again");
    let live = sending(ledger, 12, &[1, 2]).await;
    ledger.reap(13).await.expect("reaped");
    assert_eq!(ledger.load(live).await.expect("read").expect("a load").status, LoadStatus::Sending);
}

pub async fn last_good_content_stands_in(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    keep(ledger, 2, &[attainment(1, 2)]).await;
    let item = dirty(ledger).await.remove(0);
    plan(ledger, 2, &item, refuse()).await;
    let number = ledger.open_load(&load(3, LoadStatus::Sending)).await.expect("a load");
    let stand_in = ManifestEntry { wanted: false, ..entry(&debt(ledger, 1).await, Some(digest(1))) };
    ledger.add_to_manifest(number, &[stand_in]).await.expect("added");
    close(ledger, number, 4, LoadStatus::Delivered).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.sent_digest, now.sent_at), (DebtState::Refused, Some(digest(1)), Some(4)));
    assert_eq!(holding(ledger, 1).await.sent_content, Some((digest(1), vec![1])));
}

pub async fn a_load_that_did_not_arrive_moves_nothing(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    for status in [LoadStatus::Held, LoadStatus::Released, LoadStatus::Sending] {
        let number = sending(ledger, 2, &[1]).await;
        close(ledger, number, 3, status).await;
        let stored = ledger.load(number).await.expect("read").expect("a load");
        assert_eq!((stored.status, stored.closed), (status, None));
    }
    for status in [LoadStatus::Rejected, LoadStatus::Refused, LoadStatus::Failed] {
        let number = sending(ledger, 2, &[1]).await;
        close(ledger, number, 3, status).await;
        let stored = ledger.load(number).await.expect("read").expect("a load");
        assert_eq!((stored.status, stored.closed), (status, Some(3)));
    }
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.sent_digest), (DebtState::Owed, None));
}

pub async fn a_closed_load_stays_closed(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    let first = sending(ledger, 2, &[1]).await;
    close(ledger, first, 3, LoadStatus::Delivered).await;
    owed(ledger, 4, &[attainment(1, 2)]).await;
    let second = sending(ledger, 5, &[1]).await;
    close(ledger, second, 6, LoadStatus::Delivered).await;
    close(ledger, first, 7, LoadStatus::Delivered).await;
    close(ledger, second, 7, LoadStatus::Failed).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.sent_digest, now.sent_at), (DebtState::Sent, Some(digest(2)), Some(6)));
    assert_eq!(ledger.load(second).await.expect("read").expect("a load").status, LoadStatus::Delivered);
}

pub async fn loads_are_listed(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 2)]).await;
    let first = sending(ledger, 2, &[1]).await;
    let held = ledger.open_load(&load(3, LoadStatus::Held)).await.expect("a load");
    let elsewhere = NewLoad { connection: "other".into(), ..load(4, LoadStatus::Sending) };
    let other = ledger.open_load(&elsewhere).await.expect("a load");
    let last = sending(ledger, 5, &[1, 2]).await;
    let list = async |connection, held, limit| {
        let loads = ledger.loads(connection, held, limit).await.expect("loads");
        loads.iter().map(|l| l.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, false, 9).await, [last, other, held, first], "newest first");
    assert_eq!(list(Some(STORE), false, 2).await, [last, held]);
    assert_eq!(list(None, true, 9).await, [held], "held ones if asked");
    assert!(list(Some("other"), true, 9).await.is_empty());
    let of = async |n, limit| {
        let loads = ledger.loads_of(id(n), limit).await.expect("loads");
        loads.iter().map(|l| l.id).collect::<Vec<_>>()
    };
    assert_eq!((of(1, 9).await, of(2, 9).await, of(1, 1).await), (vec![last, first], vec![last], vec![last]));
}

pub async fn shrinkage_counts_items_not_numbers(ledger: &dyn Ledger) {
    owed(ledger, 1, &(1..=6).map(|n| attainment(n, n)).collect::<Vec<_>>()).await;
    let first = sending(ledger, 2, &[1, 2, 3, 4]).await;
    let compare = async |load| ledger.shrinkage(STORE, load).await.expect("compared");
    assert_eq!(compare(first).await, Shrinkage { before: None, removed: 0 }, "a first load");
    close(ledger, first, 3, LoadStatus::Delivered).await;
    let same_number = sending(ledger, 4, &[3, 4, 5, 6]).await;
    assert_eq!(compare(same_number).await, Shrinkage { before: Some(4), removed: 2 });
    close(ledger, same_number, 5, LoadStatus::Failed).await;

    // An item that is left out is not placed.
    take_back(ledger, 6, &[id(1)]).await;
    plan_all(ledger, 6).await;
    let withdrawn = sending(ledger, 6, &[1, 2, 3, 4]).await;
    assert_eq!(compare(withdrawn).await, Shrinkage { before: Some(4), removed: 1 }, "compared with what was delivered");
    close(ledger, withdrawn, 7, LoadStatus::Delivered).await;
    let next = sending(ledger, 8, &[2, 3, 4]).await;
    assert_eq!(compare(next).await, Shrinkage { before: Some(3), removed: 0 });

    let elsewhere = NewLoad { tenant: "niitty".into(), ..load(9, LoadStatus::Held) };
    let other = ledger.open_load(&elsewhere).await.expect("a load");
    assert_eq!(compare(other).await, Shrinkage { before: None, removed: 0 }, "another tenant's first");
}
