//! Marks, plans, generations, observations.

use super::*;

async fn settle_unsent(ledger: &dyn Ledger, at: Micros, item: &DirtyItem, wanted: Wanted, state: DebtState) {
    plan(ledger, at, item, Decision::Settle { wanted, state }).await;
}

async fn observe(ledger: &dyn Ledger, at: Micros, debt: &Debt, digest: Option<Digest>, holds: bool) {
    let seen = Observation { debt: debt.id, generation: debt.generation, digest, holds };
    ledger.observed(at, &[seen]).await.expect("observed");
}

pub async fn a_new_version_marks_its_items_dirty(ledger: &dyn Ledger) {
    let mut first = batch(1, &[attainment(1, 1)]);
    first.targets.push(target("other", LaneBy::Tenant));
    kept(ledger, &first).await;
    for connection in [STORE, "other"] {
        let fresh = debt_at(ledger, connection, 1).await;
        assert_eq!((fresh.state, fresh.generation, fresh.since), (DebtState::Unplanned, 0, 1));
        assert_eq!((fresh.tenant.as_str(), fresh.kind, fresh.wanted_digest), (TENANT, RecordKind::Attainment, None));
        let items = ledger.dirty(connection, 9).await.expect("dirty");
        assert_eq!((items.len(), items[0].debt, items[0].outcome), (1, fresh.id, Outcome::New));
        assert_eq!((items[0].record.digest, items[0].state), (digest(1), DebtState::Unplanned));
        assert_eq!((items[0].sent, items[0].confirmed, items[0].unsure), (None, None, false));
    }
    plan_all(ledger, 2).await;
    keep(ledger, 3, &[attainment(1, 1)]).await;
    assert!(dirty(ledger).await.is_empty(), "nothing changed");
    keep(ledger, 4, &[attainment(1, 2), attainment(1, 1)]).await;
    let items = dirty(ledger).await;
    assert_eq!((items.len(), items[0].record.version, items[0].outcome), (1, 3, Outcome::Reverted));
    assert_eq!(ledger.dirty("other", 9).await.expect("dirty").len(), 1, "an item is dirty once");
    assert!(ledger.dirty("nothing", 9).await.expect("dirty").is_empty());
}

pub async fn taking_back_marks_every_connection_dirty(ledger: &dyn Ledger) {
    let mut first = batch(1, &[attainment(1, 1)]);
    first.targets.push(target("other", LaneBy::Tenant));
    kept(ledger, &first).await;
    for connection in [STORE, "other"] {
        let item = &ledger.dirty(connection, 9).await.expect("dirty")[0];
        plan_for(ledger, connection, 2, item, owe(item)).await;
    }
    take_back(ledger, 3, &[id(1)]).await;
    for connection in [STORE, "other"] {
        let items = ledger.dirty(connection, 9).await.expect("dirty");
        assert_eq!((items.len(), items[0].record.state, items[0].outcome), (1, State::Deleted, Outcome::Updated));
    }
}

pub async fn a_record_marks_all_items_composed_with_it(ledger: &dyn Ledger) {
    let composed = DebtTarget { composed: true, ..target(STORE, LaneBy::Learner) };
    let batch = |at, records: &[Incoming]| Batch {
        targets: vec![composed.clone(), target("other", LaneBy::Learner)],
        ..batch(at, records)
    };
    let of = async |connection: &str| {
        let mut items: Vec<RecordId> =
            ledger.dirty(connection, 9).await.expect("dirty").iter().map(|item| item.record.id).collect();
        items.sort_unstable();
        items
    };
    let plan_both = async |at| {
        for connection in [STORE, "other"] {
            for item in ledger.dirty(connection, 9).await.expect("dirty") {
                plan_for(ledger, connection, at, &item, owe(&item)).await;
            }
        }
    };
    let (one, two) = (attainment(1, 1), attainment(2, 1));
    let stranger = of_learner(2, attainment(3, 1));
    kept(ledger, &batch(1, &[one, two, stranger.clone()])).await;
    plan_both(2).await;
    kept(ledger, &batch(3, &[attainment(1, 1)])).await;
    assert_eq!(of(STORE).await, [], "nothing changed");
    kept(ledger, &batch(4, &[attainment(1, 2)])).await;
    assert_eq!((of(STORE).await, of("other").await), (vec![id(1), id(2)], vec![id(1)]), "all of the learner");
    plan_both(5).await;
    kept(ledger, &batch(6, &[of_learner(2, attainment(1, 3))])).await;
    assert_eq!(of(STORE).await, [id(1), id(2), id(3)], "of whom it was about and of whom it is about now");
    plan_both(7).await;
    kept(ledger, &batch(8, &[attainment(2, 2)])).await;
    assert_eq!(of(STORE).await, [id(2)], "one that is about somebody else now is left alone");
    plan_both(9).await;
    let back = TakeBack {
        tenant: TENANT.into(),
        at: 10,
        state: State::Deleted,
        ids: vec![id(3)],
        targets: batch(10, &[]).targets,
    };
    assert_eq!(ledger.take_back(&back).await.expect("taken back"), 1);
    assert_eq!((of(STORE).await, of("other").await), (vec![id(1), id(3)], vec![id(3)]));
}

pub async fn learners_a_record_was_about_in_passing_are_marked_too(ledger: &dyn Ledger) {
    let composed = |at, records: &[Incoming]| Batch {
        targets: vec![DebtTarget { composed: true, ..target(STORE, LaneBy::Learner) }],
        ..batch(at, records)
    };
    kept(ledger, &composed(1, &[attainment(1, 1), of_learner(2, attainment(2, 1))])).await;
    plan_all(ledger, 2).await;
    kept(ledger, &composed(3, &[of_learner(2, attainment(1, 2)), attainment(1, 3)])).await;
    assert_eq!(dirty(ledger).await.len(), 2, "each version marks whom it is about, and whom it was about before");
}

pub async fn only_versions_mark(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let raised = Incoming { revision: Some(5), ..of_learner(2, attainment(1, 1)) };
    let outcomes = keep(ledger, 2, &[raised, attainment(2, 2)]).await;
    assert_eq!(outcomes, [(Outcome::Unchanged, 1), (Outcome::Updated, 2)]);
    let marked: Vec<RecordId> = dirty(ledger).await.iter().map(|item| item.record.id).collect();
    assert_eq!(marked, [id(2)], "a revision that rises says nothing new");
}

pub async fn what_was_planned_may_stand(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let item = dirty(ledger).await.remove(0);
    assert_eq!(item.planned, None);
    plan(ledger, 2, &item, owe(&item)).await;
    let claimed = claim(ledger, 3).await;
    let refused = Settlement { reason: "no such course".into(), ..settlement(&claimed.debts[0], DebtState::Refused) };
    ledger.settle(&outcome(&claimed, 3, vec![refused])).await.expect("settled");
    keep(ledger, 4, &[attainment(1, 2)]).await;
    let item = dirty(ledger).await.remove(0);
    assert_eq!(item.planned, Some((Wanted::Present, digest(1))));
    plan(ledger, 5, &item, Decision::Stand).await;
    assert!(dirty(ledger).await.is_empty());
    let stands = debt(ledger, 1).await;
    assert_eq!((stands.state, stands.generation, stands.attempts, stands.since), (DebtState::Refused, 1, 1, 2));
    assert_eq!((stands.reason.as_str(), stands.wanted_digest), ("no such course", Some(digest(1))));
}

pub async fn a_mark_set_during_planning_survives(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let seen = dirty(ledger).await.remove(0);
    keep(ledger, 2, &[attainment(1, 2)]).await;
    plan(ledger, 3, &seen, owe(&seen)).await;
    let again = dirty(ledger).await.remove(0);
    assert!(again.mark > seen.mark);
    assert_eq!(debt(ledger, 1).await.state, DebtState::Unplanned, "an outdated plan counts for nothing");
    plan(ledger, 4, &again, owe(&again)).await;
    assert!(dirty(ledger).await.is_empty());
    assert_eq!(claim(ledger, 4).await.debts[0].content, Some(vec![2]), "the content that was planned");
}

pub async fn a_mark_is_planned_once(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let item = dirty(ledger).await.remove(0);
    plan_for(ledger, "other", 2, &item, owe(&item)).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Unplanned, "another connection's plan");
    plan(ledger, 2, &item, owe(&item)).await;
    plan(ledger, 3, &item, refuse()).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.generation), (DebtState::Owed, 1));
}

pub async fn a_generation_is_a_new_debt(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let item = dirty(ledger).await.remove(0);
    let projection =
        Decision::Owe { wanted: Wanted::Present, digest: digest(9), content: Some(vec![9]), losses: Some(vec![3]) };
    plan(ledger, 2, &item, projection).await;
    let first = debt(ledger, 1).await;
    assert_eq!((first.generation, first.wanted, first.wanted_digest), (1, Wanted::Present, Some(digest(9))));
    assert_eq!((first.since, first.losses), (2, Some(vec![3])));
    let claimed = claim(ledger, 2).await;
    assert_eq!((claimed.debts[0].digest, claimed.debts[0].content.clone()), (digest(9), Some(vec![9])));
    settle_all(ledger, &claimed, 3, DebtState::Refused).await;

    owed(ledger, 4, &[attainment(1, 2)]).await;
    let second = debt(ledger, 1).await;
    assert_eq!((second.id, second.generation, second.attempts), (first.id, 2, 0));
    assert_eq!((second.state, second.since, second.losses), (DebtState::Owed, 4, None));
    take_back(ledger, 5, &[id(1)]).await;
    plan_all(ledger, 5).await;
    let third = debt(ledger, 1).await;
    assert_eq!((third.generation, third.wanted, third.wanted_digest), (3, Wanted::Absent, Some(digest(2))));
}

pub async fn what_is_settled_unsent_is_no_debt(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    take_back(ledger, 1, &[id(1)]).await;
    let item = dirty(ledger).await.remove(0);
    settle_unsent(ledger, 2, &item, Wanted::Absent, DebtState::Settled).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.wanted, now.generation), (DebtState::Settled, Wanted::Absent, 0));
    assert_eq!(holding(ledger, 1).await.wanted, Some(Wanted::Absent));
    nothing_due(ledger, 2).await;

    settled(ledger, 3, &[attainment(2, 1)], DebtState::Confirmed).await;
    keep(ledger, 4, &[attainment(2, 2), attainment(2, 1)]).await;
    let item = dirty(ledger).await.remove(0);
    assert_eq!((item.sent, item.confirmed, item.state), (Some(digest(1)), Some(digest(1)), DebtState::Confirmed));
    settle_unsent(ledger, 5, &item, Wanted::Present, DebtState::Confirmed).await;
    let now = debt(ledger, 2).await;
    assert_eq!((now.state, now.generation, now.wanted_digest), (DebtState::Confirmed, 1, Some(digest(1))));
    nothing_due(ledger, 5).await;

    // An owed debt that is settled unsent leaves its lane.
    owed(ledger, 6, &[attainment(3, 1)]).await;
    take_back(ledger, 7, &[id(3)]).await;
    let item = dirty(ledger).await.remove(0);
    settle_unsent(ledger, 7, &item, Wanted::Absent, DebtState::Settled).await;
    nothing_due(ledger, 7).await;
}

pub async fn a_refusal_keeps_what_is_confirmed(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1)]).await;
    let item = dirty(ledger).await.remove(0);
    plan(ledger, 1, &item, refuse()).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.generation, now.wanted_digest), (DebtState::Refused, 0, None));
    assert_eq!((now.fixer, now.reason.as_str()), (Some(Fixer::Sender), "no completion date"));
    assert!(holding(ledger, 1).await.wanted_content.is_none());
    nothing_due(ledger, 1).await;

    settled(ledger, 2, &[attainment(1, 2)], DebtState::Confirmed).await;
    assert_eq!((debt(ledger, 1).await.fixer, debt(ledger, 1).await.reason.as_str()), (None, ""), "cured");
    owed(ledger, 3, &[attainment(1, 3)]).await;
    keep(ledger, 4, &[attainment(1, 4)]).await;
    let item = dirty(ledger).await.remove(0);
    plan(ledger, 4, &item, refuse()).await;
    let kept = holding(ledger, 1).await;
    assert_eq!((kept.state, kept.wanted, kept.wanted_content), (DebtState::Refused, Some(Wanted::Present), None));
    assert_eq!(kept.confirmed_content, Some((digest(2), vec![2])));
    assert_eq!(kept.sent_content, Some((digest(2), vec![2])));
    nothing_due(ledger, 4).await;
}

pub async fn a_replan_reaches_every_record(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    let unrouted = Batch { targets: vec![], ..batch(2, &[attainment(2, 1)]) };
    kept(ledger, &unrouted).await;
    kept(ledger, &Batch { tenant: "niitty".into(), targets: vec![], ..batch(2, &[attainment(3, 1)]) }).await;
    assert!(ledger.debts_of(id(2)).await.expect("debts").is_empty());
    assert_eq!(ledger.replan(&target(STORE, LaneBy::Learner), TENANT).await.expect("replanned"), 2);
    let items = dirty(ledger).await;
    assert_eq!(items.iter().map(|i| i.record.id).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sent, "a mark changes no state");
    let new = debt(ledger, 2).await;
    assert_eq!((new.state, new.since), (DebtState::Unplanned, 2), "owed since its version was kept");
    plan_all(ledger, 3).await;
    assert_eq!(items_claimed(ledger, 3).await, [id(1), id(2)]);
}

async fn items_claimed(ledger: &dyn Ledger, now: Micros) -> Vec<RecordId> {
    items(&claim(ledger, now).await)
}

pub async fn dirty_items_come_oldest_mark_first(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(3, 1), attainment(1, 1), attainment(2, 1)]).await;
    keep(ledger, 2, &[attainment(3, 2)]).await;
    let order: Vec<_> = dirty(ledger).await.iter().map(|i| i.record.id).collect();
    assert_eq!(order, [id(1), id(2), id(3)]);
    assert_eq!(ledger.dirty(STORE, 2).await.expect("dirty").len(), 2);
}

pub async fn raised_debts_are_new_generations(ledger: &dyn Ledger) {
    let records = [attainment(1, 1), attainment(2, 1), attainment(3, 1)];
    settled(ledger, 1, &records, DebtState::Confirmed).await;
    keep(ledger, 2, &[attainment(4, 1)]).await;
    let (first, unplanned) = (debt(ledger, 1).await, debt(ledger, 4).await);
    assert_eq!(raise(ledger, 3, &[first.id, first.id, 999]).await, 1);
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.generation, now.attempts), (DebtState::Owed, 2, 0));
    assert_eq!((now.since, now.reason.as_str(), now.fixer), (3, "asked for", None));
    assert_eq!(now.confirmed_digest, Some(digest(1)), "what was seen stays known");
    assert_eq!(items_claimed(ledger, 3).await, [id(1)]);

    let all = Raise::State { connection: STORE.into(), state: DebtState::Confirmed };
    assert_eq!(ledger.raise(4, "replay", &all).await.expect("raised"), 2);
    assert_eq!((debt(ledger, 2).await.state, debt(ledger, 3).await.generation), (DebtState::Owed, 2));
    let elsewhere = Raise::State { connection: "other".into(), state: DebtState::Owed };
    assert_eq!(ledger.raise(4, "replay", &elsewhere).await.expect("raised"), 0);
    raise(ledger, 4, &[unplanned.id]).await;
    let now = debt(ledger, 4).await;
    assert_eq!((now.state, now.generation), (DebtState::Unplanned, 0), "there is nothing to send before a plan");
}

pub async fn what_is_barred_is_never_raised(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Barred).await;
    let barred = debt(ledger, 1).await;
    assert_eq!(raise(ledger, 2, &[barred.id]).await, 0);
    let which = Raise::State { connection: STORE.into(), state: DebtState::Barred };
    assert_eq!(ledger.raise(2, "asked for", &which).await.expect("raised"), 0);
    nothing_due(ledger, 3).await;
    let after = debt(ledger, 1).await;
    assert_eq!((after.state, after.generation), (DebtState::Barred, barred.generation));
}

pub async fn raising_a_refused_plan_asks_for_a_new_plan(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    keep(ledger, 2, &[attainment(1, 2)]).await;
    let item = dirty(ledger).await.remove(0);
    plan(ledger, 2, &item, refuse()).await;
    assert_eq!(raise(ledger, 3, &[item.debt]).await, 1);
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.generation), (DebtState::Refused, 1), "older content is never sent instead");
    nothing_due(ledger, 3).await;
    let again = dirty(ledger).await.remove(0);
    assert_eq!((again.record.version, again.state), (2, DebtState::Refused));
    plan(ledger, 4, &again, owe(&again)).await;
    assert_eq!(claim(ledger, 4).await.debts[0].content, Some(vec![2]));
}

pub async fn observation_proves_only_what_was_sent(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    let sent = debt(ledger, 1).await;
    assert_eq!((sent.sent_digest, sent.sent_at, sent.confirmed_digest), (Some(digest(1)), Some(1), None));
    observe(ledger, 2, &sent, Some(digest(2)), true).await;
    observe(ledger, 2, &sent, Some(digest(1)), false).await;
    observe(ledger, 2, &Debt { generation: 9, ..sent.clone() }, Some(digest(1)), true).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sent);
    observe(ledger, 3, &sent, Some(digest(1)), true).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.confirmed_digest, now.confirmed_at), (DebtState::Confirmed, Some(digest(1)), Some(3)));
    observe(ledger, 4, &now, Some(digest(1)), false).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.confirmed_digest, now.confirmed_at), (DebtState::Sent, None, None), "gone");
    assert_eq!(holding(ledger, 1).await.sent_content, Some((digest(1), vec![1])), "last-good content stays");

    // A proof about what is there says nothing about what is owed since.
    owed(ledger, 5, &[attainment(1, 2)]).await;
    let newer = debt(ledger, 1).await;
    observe(ledger, 6, &newer, Some(digest(2)), true).await;
    assert_eq!((debt(ledger, 1).await.state, debt(ledger, 1).await.confirmed_at), (DebtState::Owed, None));
    observe(ledger, 7, &newer, Some(digest(1)), true).await;
    assert_eq!((debt(ledger, 1).await.state, debt(ledger, 1).await.confirmed_at), (DebtState::Owed, Some(7)));

    // What was accepted last is disproved, not what was seen before.
    settled(ledger, 8, &[], DebtState::Sent).await;
    observe(ledger, 9, &debt(ledger, 1).await, Some(digest(2)), false).await;
    assert_eq!(debt(ledger, 1).await.confirmed_digest, Some(digest(1)));
}

pub async fn observation_settles_the_uncertain(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 2)], DebtState::Uncertain).await;
    let (first, second) = (debt(ledger, 1).await, debt(ledger, 2).await);
    observe(ledger, 2, &first, Some(digest(1)), true).await;
    let now = debt(ledger, 1).await;
    assert_eq!(
        (now.state, now.sent_digest, now.confirmed_digest),
        (DebtState::Confirmed, Some(digest(1)), Some(digest(1)))
    );
    observe(ledger, 3, &second, None, true).await;
    assert_eq!(debt(ledger, 2).await.state, DebtState::Uncertain, "a proof of what was there before");
    observe(ledger, 3, &second, Some(digest(2)), false).await;
    let now = debt(ledger, 2).await;
    assert_eq!(
        (now.state, now.generation, now.attempts),
        (DebtState::Owed, 1, 1),
        "to be sent again, as the same debt"
    );
    assert_eq!(items_claimed(ledger, 3).await, [id(2)]);
}

pub async fn observation_of_absence(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Confirmed).await;
    take_back(ledger, 2, &[id(1)]).await;
    settled(ledger, 2, &[], DebtState::Sent).await;
    let sent = debt(ledger, 1).await;
    assert_eq!((sent.sent_digest, sent.sent_at, sent.wanted_digest), (None, Some(2), Some(digest(1))));
    assert_eq!(sent.confirmed_digest, Some(digest(1)), "not seen to be gone yet");
    observe(ledger, 3, &sent, Some(digest(1)), true).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sent, "its presence proves nothing");
    observe(ledger, 3, &sent, None, true).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.confirmed_digest, now.confirmed_at), (DebtState::Confirmed, None, Some(3)));
    let left = holding(ledger, 1).await;
    assert_eq!((left.wanted, left.sent_content, left.confirmed_content), (Some(Wanted::Absent), None, None));
    observe(ledger, 4, &now, None, false).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sent, "there again");

    // Nothing accepted and nothing there: no proof of what is owed.
    owed(ledger, 5, &[attainment(2, 1)]).await;
    observe(ledger, 6, &debt(ledger, 2).await, None, true).await;
    assert_eq!((debt(ledger, 2).await.state, debt(ledger, 2).await.confirmed_digest), (DebtState::Owed, None));
}

pub async fn holdings_are_walked_by_learner_and_rank(ledger: &dyn Ledger) {
    let records = [
        of_learner(2, attainment(1, 1)),
        attainment(2, 1),
        record(3, RecordKind::StudyRight, 1),
        of_learner(2, record(4, RecordKind::Learner, 1)),
        record(5, RecordKind::Activity, 1),
        attainment(6, 1),
    ];
    owed(ledger, 1, &records).await;
    let all = ledger.holdings(STORE, None, 100).await.expect("holdings");
    let order: Vec<_> = all.iter().map(|h| h.item).collect();
    assert_eq!(order, [id(3), id(2), id(6), id(5), id(4), id(1)]);
    let mut walked = Vec::new();
    let mut cursor = None;
    loop {
        let page = ledger.holdings(STORE, cursor, 2).await.expect("holdings");
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor());
        walked.extend(page.iter().map(|h| h.item));
    }
    assert_eq!(walked, order);
    let first = &all[0];
    assert_eq!((first.learner, first.kind, first.rank), (learner(1), RecordKind::StudyRight, 1));
    assert_eq!((first.state, first.generation, first.wanted), (DebtState::Owed, 1, Some(Wanted::Present)));
    assert_eq!(first.wanted_content, Some((digest(1), vec![1])));
    assert!(ledger.holdings("other", None, 9).await.expect("holdings").is_empty());
}

pub async fn debts_are_listed_by_state(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 1)], DebtState::Sent).await;
    owed(ledger, 2, &[attainment(3, 1)]).await;
    let list = async |state, after, limit| {
        let debts = ledger.debts(STORE, state, after, limit).await.expect("debts");
        debts.iter().map(|d| d.item).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 0, 9).await, [id(1), id(2), id(3)]);
    assert_eq!(list(Some(DebtState::Sent), 0, 9).await, [id(1), id(2)]);
    let first = debt(ledger, 1).await.id;
    assert_eq!(list(Some(DebtState::Sent), first, 9).await, [id(2)]);
    assert_eq!(list(None, first, 1).await, [id(2)]);
    assert_eq!(ledger.debt(first).await.expect("read").expect("a debt").item, id(1));
    assert!(ledger.debt(999).await.expect("read").is_none());
}

pub async fn a_connection_remembers_its_state(ledger: &dyn Ledger) {
    let fresh = ledger.connection(STORE).await.expect("read");
    let default = ConnectionState::new(STORE);
    assert_eq!(fresh, default);
    let changed = ConnectionState {
        paused: true,
        failures: 3,
        open_until: Some(9),
        last_load: Some(4),
        last_reconciled: Some(5),
        planned_under: "rules".into(),
        ..default
    };
    ledger.set_connection(&changed).await.expect("stored");
    assert_eq!(ledger.connection(STORE).await.expect("read"), changed);
}

fn attempt(debt: Option<i64>, at: Micros, verdict: Verdict) -> Attempt {
    Attempt {
        debt,
        load: None,
        connection: STORE.into(),
        at,
        took: 7,
        verdict,
        cause: "503".into(),
        reason: "the store is busy".into(),
    }
}

pub async fn attempts_are_kept(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    let debt = debt(ledger, 1).await.id;
    for (at, verdict) in [(1, Verdict::Transient), (2, Verdict::Refused), (3, Verdict::Accepted)] {
        ledger.attempted(&attempt(Some(debt), at, verdict)).await.expect("noted");
    }
    ledger.attempted(&Attempt { load: Some(1), ..attempt(None, 4, Verdict::Accepted) }).await.expect("noted");
    let last = ledger.attempts(debt, 2).await.expect("attempts");
    assert_eq!(
        last.iter().map(|a| (a.at, a.verdict)).collect::<Vec<_>>(),
        [(3, Verdict::Accepted), (2, Verdict::Refused)]
    );
    assert_eq!((last[0].took, last[0].cause.as_str(), last[0].reason.as_str()), (7, "503", "the store is busy"));
    assert_eq!((last[0].debt, last[0].load, last[0].connection.as_str()), (Some(debt), None, STORE));
}

pub async fn figures_count_what_is_there(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1), attainment(2, 1)], DebtState::Sent).await;
    owed(ledger, 5, &[attainment(3, 1)]).await;
    keep(ledger, 6, &[attainment(4, 1)]).await;
    for (at, verdict) in
        [(1, Verdict::Accepted), (7, Verdict::AcceptedPending), (8, Verdict::Accepted), (9, Verdict::Transient)]
    {
        ledger.attempted(&attempt(None, at, verdict)).await.expect("noted");
    }
    let held = NewLoad {
        connection: STORE.into(),
        tenant: TENANT.into(),
        at: 6,
        status: LoadStatus::Held,
        reason: "first load".into(),
    };
    ledger.open_load(&held).await.expect("a load");
    let figures = ledger.figures(STORE, 7).await.expect("figures");
    assert_eq!(figures.states, [(DebtState::Unplanned, 1), (DebtState::Owed, 1), (DebtState::Sent, 2)]);
    assert_eq!((figures.backlog(), figures.oldest), (2, Some(5)));
    assert_eq!((figures.attempts, figures.accepted, figures.held_loads, figures.persistent), (3, 2, 1, 0));
    let none = ledger.figures("other", 0).await.expect("figures");
    assert_eq!((none.states.len(), none.oldest, none.attempts, none.held_loads), (0, None, 0, 0));
}
