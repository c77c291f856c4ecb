//! Lanes, leases and settlements.

use super::*;

pub async fn a_lane_has_one_holder(ledger: &dyn Ledger) {
    nothing_due(ledger, 1).await;
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let held = ledger.claim(STORE, 1, 100, 1).await.expect("asked").expect("due");
    assert_eq!(items(&held), [id(1)]);
    let claimed = &held.debts[0];
    assert_eq!((claimed.tenant.as_str(), claimed.generation, claimed.attempts), (TENANT, 1, 0));
    assert_eq!((claimed.wanted, claimed.record_state, claimed.digest), (Wanted::Present, State::Current, digest(1)));
    assert_eq!(claimed.content, Some(vec![1]));
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sending);
    assert_eq!(debt(ledger, 2).await.state, DebtState::Owed);
    nothing_due(ledger, 50).await;
    nothing_due(ledger, 500).await;
    settle_all(ledger, &held, 2, DebtState::Sent).await;
    let next = claim(ledger, 2).await;
    assert_eq!(items(&next), [id(2)]);
    assert_eq!(next.lane, held.lane);
    assert!(next.token.0 > held.token.0, "tokens rise");
}

pub async fn debts_are_claimed_by_rank_then_age(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    owed(ledger, 2, &[attainment(2, 1), record(3, RecordKind::StudyRight, 1)]).await;
    owed(ledger, 3, &[record(4, RecordKind::Enrolment, 1), record(5, RecordKind::Learner, 1)]).await;
    owed(ledger, 4, &[attainment(1, 2)]).await;
    assert_eq!(items(&claim(ledger, 4).await), [id(5), id(3), id(4), id(2), id(1)]);
}

pub async fn withdrawals_come_last_in_reverse(ledger: &dyn Ledger) {
    let records =
        [record(1, RecordKind::Learner, 1), record(2, RecordKind::StudyRight, 1), attainment(3, 1), attainment(4, 1)];
    settled(ledger, 1, &records, DebtState::Sent).await;
    take_back(ledger, 2, &[id(1), id(2), id(3)]).await;
    owed(ledger, 2, &[attainment(4, 2), record(5, RecordKind::StudyRight, 1)]).await;
    let claimed = claim(ledger, 2).await;
    assert_eq!(items(&claimed), [id(5), id(4), id(3), id(2), id(1)]);
    let withdrawal = &claimed.debts[2];
    assert_eq!((withdrawal.wanted, withdrawal.record_state), (Wanted::Absent, State::Deleted));
}

pub async fn an_absent_debt_carries_what_was_last_there(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    owed(ledger, 2, &[attainment(1, 2), attainment(2, 5)]).await;
    take_back(ledger, 3, &[id(1), id(2)]).await;
    plan_all(ledger, 3).await;
    let claimed = claim(ledger, 3).await;
    let contents: Vec<_> = claimed.debts.iter().map(|d| (d.item, d.content.clone())).collect();
    assert_eq!(contents, [(id(1), Some(vec![1])), (id(2), Some(vec![5]))], "accepted there, or else the record's");
}

pub async fn a_claim_tells_what_changed_since_it_was_planned(ledger: &dyn Ledger) {
    settled(ledger, 1, &[attainment(1, 1)], DebtState::Sent).await;
    take_back(ledger, 2, &[id(1)]).await;
    owed(ledger, 2, &[attainment(2, 1)]).await;
    kept(ledger, &Batch { reinstate: true, ..batch(3, &[attainment(1, 2)]) }).await;
    let claimed = claim(ledger, 3).await;
    let told: Vec<_> = claimed.debts.iter().map(|d| (d.item, d.wanted, d.record_state, d.changed)).collect();
    let stands = State::Current;
    assert_eq!(told, [(id(2), Wanted::Present, stands, false), (id(1), Wanted::Absent, stands, true)]);
}

pub async fn lanes_are_independent(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), of_learner(2, attainment(2, 1))]).await;
    let (first, second) = (claim(ledger, 1).await, claim(ledger, 1).await);
    assert_ne!(first.lane, second.lane);
    assert_eq!((items(&first), items(&second)), (vec![id(1)], vec![id(2)]));
    nothing_due(ledger, 1).await;
    settle_all(ledger, &second, 2, DebtState::Sent).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sending);
    settle_all(ledger, &first, 2, DebtState::Sent).await;

    let tenant_lane = |tenant: &str, records: &[Incoming]| Batch {
        tenant: tenant.into(),
        targets: vec![target("loads", LaneBy::Tenant)],
        ..batch(3, records)
    };
    kept(ledger, &tenant_lane(TENANT, &[attainment(3, 1), of_learner(2, attainment(4, 1))])).await;
    kept(ledger, &tenant_lane("niitty", &[attainment(5, 1)])).await;
    for item in ledger.dirty("loads", 9).await.expect("dirty") {
        plan_for(ledger, "loads", 3, &item, owe(&item)).await;
    }
    let all = ledger.claim("loads", 3, 9, 9).await.expect("asked").expect("due");
    assert_eq!(items(&all), [id(3), id(4)], "one lane for all learners of a tenant");
    let other = ledger.claim("loads", 3, 9, 9).await.expect("asked").expect("due");
    assert_eq!(items(&other), [id(5)], "and one for each tenant");
}

pub async fn connections_are_independent(ledger: &dyn Ledger) {
    let mut both = batch(1, &[attainment(1, 1)]);
    both.targets.push(target("other", LaneBy::Learner));
    kept(ledger, &both).await;
    plan_all(ledger, 1).await;
    let held = claim(ledger, 1).await;
    assert!(ledger.claim("other", 1, 9, 9).await.expect("asked").is_none(), "not planned there yet");
    let item = &ledger.dirty("other", 9).await.expect("dirty")[0];
    plan_for(ledger, "other", 1, item, owe(item)).await;
    let other = ledger.claim("other", 1, 9, 9).await.expect("asked").expect("due");
    assert_ne!(held.lane, other.lane);
    settle_all(ledger, &held, 2, DebtState::Refused).await;
    settle_all(ledger, &other, 2, DebtState::Sent).await;
    assert_eq!(debt(ledger, 1).await.state, DebtState::Refused);
    assert_eq!(debt_at(ledger, "other", 1).await.state, DebtState::Sent);
}

pub async fn the_lane_due_longest_is_next(ledger: &dyn Ledger) {
    owed(ledger, 1, &[of_learner(3, attainment(1, 1)), of_learner(3, attainment(2, 1))]).await;
    owed(ledger, 2, &[of_learner(1, attainment(3, 1))]).await;
    owed(ledger, 3, &[of_learner(2, attainment(4, 1))]).await;
    let first = ledger.claim(STORE, 5, 9, 1).await.expect("asked").expect("due");
    assert_eq!(items(&first), [id(1)]);
    settle_all(ledger, &first, 5, DebtState::Sent).await;
    let mut order = Vec::new();
    while let Some(claim) = ledger.claim(STORE, 5, 9, 9).await.expect("asked") {
        order.extend(items(&claim));
    }
    assert_eq!(order, [id(3), id(4), id(2)], "a lane that had its turn queues again");
}

/// Several lanes, each with its own debts and token, at most as many as asked for.
pub async fn lanes_are_claimed_together(ledger: &dyn Ledger) {
    owed(ledger, 1, &[of_learner(3, attainment(1, 1)), of_learner(3, attainment(2, 1))]).await;
    owed(ledger, 2, &[of_learner(1, attainment(3, 1))]).await;
    owed(ledger, 3, &[of_learner(2, attainment(4, 1))]).await;
    let first = ledger.claim_lanes(STORE, 5, 9, 2, 9).await.expect("asked");
    assert_eq!(first.iter().map(items).collect::<Vec<_>>(), [vec![id(1), id(2)], vec![id(3)]]);
    assert_ne!(first[0].token, first[1].token);
    let rest = ledger.claim_lanes(STORE, 5, 9, 9, 9).await.expect("asked");
    assert_eq!(rest.iter().map(items).collect::<Vec<_>>(), [[id(4)]]);
    assert!(ledger.claim_lanes(STORE, 5, 9, 9, 9).await.expect("asked").is_empty());
}

/// Lanes are settled together with the attempts made in them; one that was lost is told, and changes nothing.
pub async fn lanes_are_settled_together(ledger: &dyn Ledger) {
    owed(ledger, 1, &[of_learner(1, attainment(1, 1)), of_learner(2, attainment(2, 1))]).await;
    let claims = ledger.claim_lanes(STORE, 1, 100, 9, 9).await.expect("asked");
    let [ours, lost] = &claims[..] else { panic!("two lanes: {claims:?}") };
    let sent = |claim: &Claim| outcome(claim, 2, vec![settlement(&claim.debts[0], DebtState::Sent)]);
    let stranger = Claim { token: LeaseToken(lost.token.0 + 100), ..lost.clone() };
    let attempt = |claim: &Claim| Attempt {
        debt: Some(claim.debts[0].id),
        load: None,
        connection: STORE.into(),
        at: 2,
        took: 1,
        verdict: Verdict::Accepted,
        cause: "http:200".into(),
        reason: String::new(),
    };
    let settled = [sent(&stranger), sent(ours)];
    let told = ledger.settle_lanes(&settled, &[attempt(ours), attempt(lost)]).await.expect("settled");
    assert_eq!(told, [lost.lane]);
    let state = async |claim: &Claim| ledger.debt(claim.debts[0].id).await.expect("read").expect("a debt").state;
    assert_eq!((state(ours).await, state(lost).await), (DebtState::Sent, DebtState::Sending));
    for claim in &claims {
        let made = ledger.attempts(claim.debts[0].id, 9).await.expect("read");
        assert_eq!(made.len(), 1, "whoever holds the lane, it was made");
    }
}

pub async fn a_lost_lease_changes_nothing(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    let lost = claim(ledger, 1).await;
    let stranger = Claim { token: LeaseToken(lost.token.0 + 1), ..lost.clone() };
    let all = lost.debts.iter().map(|d| settlement(d, DebtState::Sent)).collect::<Vec<_>>();
    let refused = ledger.settle(&outcome(&stranger, 2, all.clone())).await;
    assert!(matches!(refused, Err(LedgerError::LeaseLost)));
    assert!(matches!(ledger.renew(lost.lane, stranger.token, 300).await, Err(LedgerError::LeaseLost)));
    assert!(matches!(ledger.renew(LaneId(999), lost.token, 300).await, Err(LedgerError::LeaseLost)));
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sending);

    assert_eq!(ledger.reap(500).await.expect("reaped"), 1);
    assert!(matches!(ledger.settle(&outcome(&lost, 501, all.clone())).await, Err(LedgerError::LeaseLost)));
    assert!(matches!(ledger.renew(lost.lane, lost.token, 900).await, Err(LedgerError::LeaseLost)));
    assert_eq!(debt(ledger, 1).await.state, DebtState::Uncertain);

    raise(ledger, 502, &[all[0].debt]).await;
    let newer = claim(ledger, 502).await;
    assert!(matches!(ledger.settle(&outcome(&lost, 503, all.clone())).await, Err(LedgerError::LeaseLost)));
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sending);
    settle_all(ledger, &newer, 504, DebtState::Sent).await;
    assert!(matches!(ledger.settle(&outcome(&newer, 505, vec![])).await, Err(LedgerError::LeaseLost)), "given back");
}

pub async fn debts_not_named_go_back(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1), of_learner(2, attainment(3, 1))]).await;
    let held = claim(ledger, 1).await;
    let foreign = Settlement { debt: debt(ledger, 3).await.id, ..settlement(&held.debts[0], DebtState::Sent) };
    let named = vec![settlement(&held.debts[0], DebtState::Sent), foreign];
    ledger.settle(&outcome(&held, 2, named)).await.expect("settled");
    assert_eq!(debt(ledger, 1).await.state, DebtState::Sent);
    let unnamed = debt(ledger, 2).await;
    assert_eq!((unnamed.state, unnamed.generation, unnamed.attempts), (DebtState::Owed, 1, 0), "it was not tried");
    assert_eq!(debt(ledger, 3).await.state, DebtState::Owed, "not a debt of this claim");
}

pub async fn a_settlement_pays_only_its_generation(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    let held = claim(ledger, 1).await;
    let older = Settlement { generation: 0, ..settlement(&held.debts[0], DebtState::Sent) };
    ledger.settle(&outcome(&held, 2, vec![older])).await.expect("settled");
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.sent_digest, now.attempts), (DebtState::Owed, None, 0));

    let held = claim(ledger, 2).await;
    keep(ledger, 3, &[attainment(1, 2)]).await;
    settle_all(ledger, &held, 4, DebtState::Confirmed).await;
    let now = debt(ledger, 1).await;
    assert_eq!((now.sent_digest, now.confirmed_digest), (Some(digest(1)), Some(digest(1))));
    plan_all(ledger, 5).await;
    let newer = debt(ledger, 1).await;
    assert_eq!((newer.state, newer.generation, newer.wanted_digest), (DebtState::Owed, 2, Some(digest(2))));
}

pub async fn a_debt_being_sent_is_left_alone(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    keep(ledger, 2, &[attainment(2, 2)]).await;
    let seen = dirty(ledger).await.remove(0);
    let held = claim(ledger, 2).await;
    keep(ledger, 3, &[attainment(1, 2)]).await;
    assert!(dirty(ledger).await.is_empty(), "items being sent are planned later");
    plan(ledger, 3, &seen, owe(&seen)).await;
    assert_eq!(raise(ledger, 3, &[seen.debt]).await, 0);
    let now = debt(ledger, 2).await;
    assert_eq!((now.state, now.generation), (DebtState::Sending, 1));
    settle_all(ledger, &held, 4, DebtState::Sent).await;
    assert_eq!((debt(ledger, 1).await.sent_digest, debt(ledger, 1).await.state), (Some(digest(1)), DebtState::Sent));
    assert_eq!(dirty(ledger).await.len(), 2, "the marks survived");
    plan_all(ledger, 5).await;
    assert_eq!(items(&claim(ledger, 5).await), [id(1), id(2)]);
}

pub async fn a_settled_lane_waits_for_its_next_time(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    let held = claim(ledger, 1).await;
    let later = vec![settlement(&held.debts[0], DebtState::Owed)];
    ledger.settle(&Settled { next: 50, ..outcome(&held, 2, later) }).await.expect("settled");
    nothing_due(ledger, 49).await;
    owed(ledger, 3, &[attainment(2, 1)]).await;
    nothing_due(ledger, 49).await;
    let held = claim(ledger, 50).await;
    assert_eq!(items(&held), [id(1), id(2)], "a new debt waits with its lane");

    let paid = held.debts.iter().map(|d| settlement(d, DebtState::Sent)).collect();
    ledger.settle(&Settled { next: 900, ..outcome(&held, 51, paid) }).await.expect("settled");
    owed(ledger, 60, &[attainment(3, 1)]).await;
    let held = claim(ledger, 60).await;
    assert_eq!(items(&held), [id(3)], "an empty lane waits for nothing");

    let later = vec![settlement(&held.debts[0], DebtState::Owed)];
    ledger.settle(&Settled { next: 900, ..outcome(&held, 61, later) }).await.expect("settled");
    raise(ledger, 70, &[held.debts[0].id]).await;
    assert_eq!(items(&claim(ledger, 70).await), [id(3)], "who raises a debt does not want to wait");
}

pub async fn retries_keep_the_generation(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    for tried in 0..3 {
        let held = claim(ledger, 1).await;
        assert_eq!((held.debts[0].generation, held.debts[0].attempts), (1, tried));
        let again = Settlement {
            fixer: Some(Fixer::OtherSide),
            reason: "busy".into(),
            ..settlement(&held.debts[0], DebtState::Owed)
        };
        ledger.settle(&outcome(&held, 1, vec![again])).await.expect("settled");
    }
    let now = debt(ledger, 1).await;
    assert_eq!((now.state, now.attempts, now.since), (DebtState::Owed, 3, 1));
    assert_eq!((now.fixer, now.reason.as_str()), (Some(Fixer::OtherSide), "busy"));
    owed(ledger, 9, &[attainment(1, 2)]).await;
    assert_eq!(debt(ledger, 1).await.attempts, 0, "tries of a generation");
}

pub async fn what_leaves_the_lane_is_not_claimed(ledger: &dyn Ledger) {
    let states = [
        DebtState::Refused,
        DebtState::Barred,
        DebtState::Waiting,
        DebtState::Uncertain,
        DebtState::Sent,
        DebtState::Confirmed,
        DebtState::Unverifiable,
    ];
    let records: Vec<_> = (1..=states.len() as u8).map(|n| attainment(n, n)).collect();
    owed(ledger, 1, &records).await;
    let held = claim(ledger, 1).await;
    let settled = held.debts.iter().zip(states).map(|(d, state)| settlement(d, state)).collect();
    ledger.settle(&outcome(&held, 2, settled)).await.expect("settled");
    nothing_due(ledger, 3).await;
    for (n, state) in (1..).zip(states) {
        let now = debt(ledger, n).await;
        assert_eq!((now.state, now.attempts), (state, 1));
        let there = matches!(state, DebtState::Sent | DebtState::Confirmed | DebtState::Unverifiable);
        assert_eq!(now.sent_digest, there.then(|| digest(n)), "{}", state.name());
        assert_eq!(now.sent_at, there.then_some(2), "{}", state.name());
        let seen = state == DebtState::Confirmed;
        assert_eq!((now.confirmed_digest, now.confirmed_at), (seen.then(|| digest(n)), seen.then_some(2)));
    }
}

pub async fn leases_are_renewed_and_reaped(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let held = ledger.claim(STORE, 1, 100, 1).await.expect("asked").expect("due");
    assert_eq!(ledger.reap(100).await.expect("reaped"), 0, "it ends after its last moment");
    ledger.renew(held.lane, held.token, 200).await.expect("renewed");
    assert_eq!(ledger.reap(150).await.expect("reaped"), 0);
    assert_eq!(ledger.reap(201).await.expect("reaped"), 1);
    let lost = debt(ledger, 1).await;
    assert_eq!((lost.state, lost.attempts, lost.sent_digest), (DebtState::Uncertain, 1, None));
    let tries = ledger.attempts(lost.id, 9).await.expect("attempts");
    assert_eq!(tries.iter().map(|one| (one.verdict, one.at)).collect::<Vec<_>>(), [(Verdict::Uncertain, 201)]);
    assert_eq!(debt(ledger, 2).await.state, DebtState::Owed);
    assert_eq!(ledger.reap(900).await.expect("reaped"), 0);
    let next = claim(ledger, 201).await;
    assert_eq!(items(&next), [id(2)], "the lane is free again");
    // A lease that ran out and was not taken back yet is still its holder's.
    settle_all(ledger, &next, 9_000, DebtState::Sent).await;
    assert_eq!(debt(ledger, 2).await.state, DebtState::Sent);
}

pub async fn a_lost_answer_is_remembered_until_it_is_cleared(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    settle_all(ledger, &claim(ledger, 1).await, 1, DebtState::Uncertain).await;
    owed(ledger, 2, &[attainment(1, 2)]).await;
    take_back(ledger, 3, &[id(1)]).await;
    let item = dirty(ledger).await.remove(0);
    assert_eq!((item.state, item.sent, item.unsure), (DebtState::Owed, None, true), "something may be there");
    plan(ledger, 3, &item, owe(&item)).await;
    settle_all(ledger, &claim(ledger, 3).await, 3, DebtState::Sent).await;
    let reinstated = Batch { reinstate: true, ..batch(4, &[attainment(1, 1)]) };
    kept(ledger, &reinstated).await;
    let item = dirty(ledger).await.remove(0);
    assert_eq!((item.state, item.sent, item.unsure), (DebtState::Sent, None, false));
}

pub async fn what_may_have_arrived_is_tried_again_in_its_generation(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1)]).await;
    settle_all(ledger, &claim(ledger, 1).await, 1, DebtState::Uncertain).await;
    nothing_due(ledger, 2).await;
    assert_eq!(ledger.try_again("elsewhere", 2).await.expect("tried"), 0);
    assert_eq!(ledger.try_again(STORE, 2).await.expect("tried"), 1);
    let again = claim(ledger, 2).await;
    assert_eq!((items(&again), again.debts[0].generation, again.debts[0].attempts), (vec![id(1)], 1, 1));
}

pub async fn a_load_finds_that_an_owed_debt_has_to_wait(ledger: &dyn Ledger) {
    owed(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let held = ledger.claim(STORE, 1, 100, 0).await.expect("asked").expect("due");
    let waiting = Settlement {
        debt: debt(ledger, 1).await.id,
        generation: 1,
        state: DebtState::Waiting,
        fixer: Some(Fixer::Sender),
        reason: "a part is not there".into(),
    };
    let early = Settlement { debt: debt(ledger, 2).await.id, state: DebtState::Sent, fixer: None, ..waiting.clone() };
    ledger.settle(&outcome(&held, 2, vec![waiting, early])).await.expect("settled");
    assert_eq!(debt(ledger, 1).await.state, DebtState::Waiting);
    assert_eq!(debt(ledger, 2).await.state, DebtState::Owed, "only what was claimed can be paid");
}
