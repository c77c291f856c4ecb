//! What is taken back of debts: that one was raised, that one was paid.

use super::*;

const REPAIR: &str = "repair of finding 7";

/// Raises a debt for a reason and calls that off.
async fn raised_and_called_off(ledger: &dyn Ledger, at: Micros, n: u8) -> Debt {
    let number = debt(ledger, n).await.id;
    ledger.raise(at, REPAIR, &Raise::Debts(vec![number])).await.expect("raised");
    assert!(ledger.call_off(at + 1, number, REPAIR).await.expect("asked"), "{n}");
    debt(ledger, n).await
}

pub async fn what_was_raised_is_called_off_while_it_is_untried(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    let before = debt(ledger, 1).await;
    assert!(!ledger.call_off(2, before.id, "").await.expect("asked"), "nothing is owed");
    raise(ledger, 3, &[before.id]).await;
    assert!(!ledger.call_off(4, before.id, REPAIR).await.expect("asked"), "it was raised for something else");
    assert!(ledger.call_off(4, before.id, "asked for").await.expect("asked"));
    nothing_due(ledger, 9).await;
    let after = debt(ledger, 1).await;
    assert_eq!((after.state, after.generation, after.since), (DebtState::Confirmed, before.generation + 1, 4));
    assert_eq!((after.sent_digest, after.confirmed_digest), (before.sent_digest, before.confirmed_digest));

    ledger.raise(10, REPAIR, &Raise::Debts(vec![before.id])).await.expect("raised");
    let sending = claim(ledger, 11).await;
    assert!(!ledger.call_off(12, before.id, REPAIR).await.expect("asked"), "it is being sent");
    ledger.settle(&outcome(&sending, 13, vec![settlement(&sending.debts[0], DebtState::Owed)])).await.expect("settled");
    assert!(!ledger.call_off(14, before.id, REPAIR).await.expect("asked"), "it was tried");

    settled(ledger, 20, &[attainment(2, 2)], DebtState::Sent).await;
    let other = debt(ledger, 2).await;
    ledger.raise(21, REPAIR, &Raise::Debts(vec![other.id])).await.expect("raised");
    let load = NewLoad {
        connection: STORE.into(),
        tenant: TENANT.into(),
        at: 22,
        status: LoadStatus::Sending,
        reason: String::new(),
    };
    let load = ledger.open_load(&load).await.expect("opened");
    let generation = other.generation + 1;
    let entry = ManifestEntry { debt: other.id, item: id(2), generation, digest: Some(digest(2)), wanted: true };
    ledger.add_to_manifest(load, &[entry]).await.expect("added");
    assert!(!ledger.call_off(23, other.id, REPAIR).await.expect("asked"), "it is in a load that is being sent");
    ledger.close_load(load, 24, LoadStatus::Failed, "").await.expect("closed");
    assert!(ledger.call_off(25, other.id, REPAIR).await.expect("asked"));
    assert!(!ledger.call_off(26, 999, REPAIR).await.expect("asked"));
}

pub async fn a_debt_called_off_is_what_it_was(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    assert_eq!(raised_and_called_off(ledger, 2, 1).await.state, DebtState::Sent);

    settled(ledger, 10, &[attainment(2, 2)], DebtState::Confirmed).await;
    settled(ledger, 11, &[gone(2, State::Deleted)], DebtState::Sent).await;
    assert_eq!(raised_and_called_off(ledger, 12, 2).await.state, DebtState::Sent, "its absence was accepted");

    keep(ledger, 20, &[attainment(3, 3)]).await;
    let item = dirty(ledger).await.remove(0);
    let unsent = Decision::Settle { wanted: Wanted::Absent, state: DebtState::Settled };
    plan(ledger, 20, &item, unsent).await;
    assert_eq!(raised_and_called_off(ledger, 21, 3).await.state, DebtState::Settled);

    settled(ledger, 30, &[attainment(4, 4)], DebtState::Refused).await;
    let waits = raised_and_called_off(ledger, 31, 4).await;
    assert_eq!((waits.state, waits.fixer), (DebtState::Refused, Some(Fixer::Operator)), "it was never accepted");
    settled(ledger, 40, &[attainment(4, 5)], DebtState::Sent).await;
    assert_eq!(debt(ledger, 4).await.state, DebtState::Sent, "and a new version is sent");
    nothing_due(ledger, 99).await;
}

pub async fn what_may_be_there_is_not_settled_by_calling_off(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Uncertain).await;
    take_back(ledger, 2, &[id(1)]).await;
    settled(ledger, 3, &[], DebtState::Refused).await;
    let off = raised_and_called_off(ledger, 4, 1).await;
    assert_eq!((off.state, off.wanted, off.sent_at), (DebtState::Refused, Wanted::Absent, None));
    assert_eq!(off.fixer, Some(Fixer::Operator), "its answer was lost, and nothing was accepted since");
}

fn rejection(n: u8) -> Rejection {
    Rejection { item: id(n), fixer: Fixer::Sender, reason: "the store reports a defect".into() }
}

pub async fn what_is_rejected_later_is_refused(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 2)], DebtState::Confirmed).await;
    settled(ledger, 5, &[attainment(1, 3), attainment(3, 3)], DebtState::Sent).await;
    let all = [rejection(1), rejection(2), rejection(3), rejection(9)];
    assert_eq!(ledger.reject(8, "other", 7, &all).await.expect("asked"), 0, "another connection's");
    assert_eq!(ledger.reject(8, STORE, 7, &all).await.expect("rejected"), 3);
    for n in [1, 2, 3] {
        let debt = debt(ledger, n).await;
        assert_eq!((debt.state, debt.fixer, debt.since), (DebtState::Refused, Some(Fixer::Sender), 8));
        assert_eq!(debt.reason, "the store reports a defect");
    }
    let sent = async |n| holding(ledger, n).await.sent_content;
    assert_eq!(sent(1).await, Some((digest(1), vec![1])), "the older version is what was last there");
    assert_eq!(sent(2).await, Some((digest(2), vec![2])), "nothing that was seen there is let go of");
    assert_eq!(sent(3).await, None, "what was never seen there was not taken");
    assert_eq!(ledger.reject(9, STORE, 99, &all).await.expect("asked"), 0, "once");

    keep(ledger, 10, &[attainment(1, 4), gone(3, State::Deleted)]).await;
    let items = dirty(ledger).await;
    let about = |n: u8| items.iter().find(|item| item.record.id == id(n)).expect("dirty");
    assert!(!about(1).unsure && about(3).unsure, "what was not taken may be there all the same");
    plan(ledger, 10, about(1), owe(about(1))).await;
    assert_eq!(items_owed(ledger).await, [id(1)], "changed content is a debt again");
}

async fn items_owed(ledger: &dyn Ledger) -> Vec<RecordId> {
    let owed = ledger.debts(STORE, Some(DebtState::Owed), 0, 100).await.expect("debts");
    owed.iter().map(|debt| debt.item).collect()
}

pub async fn the_first_word_about_a_rejected_item_counts(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 2)], DebtState::Sent).await;
    let second = |n| Rejection { fixer: Fixer::Operator, reason: "and another".into(), ..rejection(n) };
    let report = [rejection(1), second(1), second(2), rejection(2)];
    assert_eq!(ledger.reject(2, STORE, 1, &report).await.expect("rejected"), 2, "each item once");
    let why = async |n| debt(ledger, n).await.reason;
    assert_eq!((why(1).await.as_str(), why(2).await.as_str()), ("the store reports a defect", "and another"));
}

pub async fn what_was_sent_after_a_report_is_not_rejected_by_it(ledger: &dyn Ledger) {
    settled(ledger, 5, &[attainment(1, 1)], DebtState::Sent).await;
    assert_eq!(ledger.reject(8, STORE, 4, &[rejection(1)]).await.expect("asked"), 0, "sent since");
    settled(ledger, 10, &[attainment(2, 2)], DebtState::Sent).await;
    let sent = debt(ledger, 2).await;
    let seen = Observation { debt: sent.id, generation: sent.generation, digest: Some(digest(2)), holds: true };
    ledger.observed(20, &[seen]).await.expect("observed");
    assert_eq!(ledger.reject(21, STORE, 15, &[rejection(2)]).await.expect("asked"), 0, "seen there since");
    owed(ledger, 30, &[attainment(2, 3)]).await;
    assert_eq!(ledger.reject(31, STORE, 31, &[rejection(2)]).await.expect("asked"), 0, "other content is owed");
    settled(ledger, 40, &[gone(1, State::Deleted)], DebtState::Sent).await;
    assert_eq!(ledger.reject(50, STORE, 50, &[rejection(1)]).await.expect("asked"), 0, "it was taken back");
}
