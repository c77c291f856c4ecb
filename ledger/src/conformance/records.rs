//! Records, versions, the feed.

use super::*;
use Outcome::{Contested, New, Refused, Reverted, Stale, Unchanged, Updated};

fn revised(n: u8, content: u8, revision: u64) -> Incoming {
    Incoming { revision: Some(revision), ..attainment(n, content) }
}

async fn outcomes(ledger: &dyn Ledger, n: u8) -> Vec<Outcome> {
    ledger.history(id(n)).await.expect("history").iter().map(|a| a.outcome).collect()
}

async fn feed(ledger: &dyn Ledger, after: i64) -> Vec<Change> {
    ledger.feed(&[], &[], after, 100).await.expect("feed")
}

pub async fn a_batch_is_judged_record_by_record(ledger: &dyn Ledger) {
    assert_eq!(keep(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await, [(New, 1), (New, 1)]);
    let second = [attainment(1, 1), attainment(2, 2), attainment(3, 3)];
    assert_eq!(keep(ledger, 2, &second).await, [(Unchanged, 1), (Updated, 2), (New, 1)]);
    assert_eq!(keep(ledger, 3, &[attainment(2, 1)]).await, [(Reverted, 3)]);
    let now = stored(ledger, 2).await;
    assert_eq!((now.version, now.digest, now.content), (3, digest(1), Some(vec![1])));
    assert_eq!((now.tenant.as_str(), now.source.as_str(), now.institution.as_str()), (TENANT, SOURCE, "10122"));
    assert!(ledger.record(id(9)).await.expect("read").is_none());
    assert_eq!(keep(ledger, 4, &[]).await, []);
}

pub async fn a_record_twice_in_a_batch_is_judged_against_its_first_occurrence(ledger: &dyn Ledger) {
    let batch = [attainment(1, 1), attainment(1, 1), attainment(1, 2), attainment(1, 1), gone(1, State::Deleted)];
    assert_eq!(keep(ledger, 1, &batch).await, [(New, 1), (Unchanged, 1), (Updated, 2), (Reverted, 3), (Updated, 4)]);
    assert_eq!(feed(ledger, 0).await.iter().map(|c| c.record.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

pub async fn revisions_outrank_the_order_of_arrival(ledger: &dyn Ledger) {
    keep(ledger, 1, &[revised(1, 1, 5)]).await;
    assert_eq!(keep(ledger, 2, &[revised(1, 2, 4)]).await, [(Stale, 1)]);
    assert_eq!(stored(ledger, 1).await.digest, digest(1));
    assert_eq!(keep(ledger, 3, &[revised(1, 2, 6)]).await, [(Updated, 2)]);
    assert_eq!(keep(ledger, 4, &[revised(1, 1, 7)]).await, [(Updated, 3)], "a newer revision is never a reversal");
    assert_eq!(stored(ledger, 1).await.revision, Some(7));
}

pub async fn an_unchanged_arrival_raises_the_revision(ledger: &dyn Ledger) {
    keep(ledger, 1, &[revised(1, 1, 5)]).await;
    let before = feed(ledger, 0).await.len();
    assert_eq!(keep(ledger, 2, &[revised(1, 1, 8)]).await, [(Unchanged, 1)]);
    assert_eq!(feed(ledger, 0).await.len(), before, "nothing changed for readers");
    assert_eq!(stored(ledger, 1).await.revision, Some(8));
    assert_eq!(keep(ledger, 3, &[revised(1, 2, 6)]).await, [(Stale, 1)], "older than what was seen");
}

pub async fn a_revision_never_falls(ledger: &dyn Ledger) {
    keep(ledger, 1, &[revised(1, 1, 5)]).await;
    assert_eq!(keep(ledger, 2, &[attainment(1, 2)]).await, [(Updated, 2)]);
    assert_eq!(stored(ledger, 1).await.revision, Some(5));
    assert_eq!(keep(ledger, 3, &[revised(1, 3, 4)]).await, [(Stale, 2)]);
    take_back(ledger, 4, &[id(1)]).await;
    assert_eq!(keep(ledger, 5, &[revised(1, 3, 5)]).await, [(Refused, 3)]);
    assert_eq!(keep(ledger, 6, &[revised(1, 3, 6)]).await, [(Updated, 4)]);
}

pub async fn a_record_is_about_whom_its_version_says(ledger: &dyn Ledger) {
    let moved = |n: u8| Incoming { revision: Some(n.into()), ..of_learner(2, attainment(1, n)) };
    keep(ledger, 1, &[attainment(1, 1)]).await;
    assert_eq!(keep(ledger, 2, &[moved(1)]).await, [(Outcome::Unchanged, 1)]);
    assert_eq!((stored(ledger, 1).await.learner, stored(ledger, 1).await.revision), (learner(1), Some(1)));
    keep(ledger, 3, &[moved(2), Incoming { revision: Some(3), ..attainment(1, 2) }]).await;
    assert_eq!((stored(ledger, 1).await.learner, stored(ledger, 1).await.revision), (learner(2), Some(3)));
    let feed = ledger.feed(&[], &[], 0, 9).await.expect("feed");
    let told: Vec<_> = feed.iter().map(|c| (c.record.version, c.record.learner)).collect();
    assert_eq!(told, [(1, learner(2)), (2, learner(2))], "older versions are told of whom it is about now");
}

pub async fn tombstones_are_revived_only_on_purpose(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), gone(1, State::Misregistered)]).await;
    assert_eq!(keep(ledger, 2, &[gone(1, State::Misregistered)]).await, [(Unchanged, 2)]);
    assert_eq!(keep(ledger, 3, &[attainment(1, 1)]).await, [(Refused, 2)]);
    assert_eq!(keep(ledger, 4, &[gone(1, State::Deleted)]).await, [(Updated, 3)], "another tombstone");
    let reinstated = Batch { reinstate: true, ..batch(5, &[attainment(1, 1)]) };
    assert_eq!(kept(ledger, &reinstated).await, [(Updated, 4)]);
    assert_eq!(stored(ledger, 1).await.state, State::Current);
    assert_eq!(outcomes(ledger, 1).await, [New, Updated, Unchanged, Refused, Updated, Updated]);
}

pub async fn withdrawn_consent_is_final(ledger: &dyn Ledger) {
    keep(ledger, 1, &[revised(1, 1, 1), gone(1, State::ConsentWithdrawn)]).await;
    let batch = Batch { reinstate: true, ..batch(2, &[revised(1, 1, 9), gone(1, State::Deleted)]) };
    assert_eq!(kept(ledger, &batch).await, [(Refused, 2), (Refused, 2)]);
    assert_eq!(stored(ledger, 1).await.state, State::ConsentWithdrawn);
}

pub async fn a_bare_tombstone_keeps_the_content_it_had(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 7), attainment(2, 7)]).await;
    keep(ledger, 2, &[gone(1, State::Deleted)]).await;
    take_back(ledger, 2, &[id(2)]).await;
    for n in [1, 2] {
        let now = stored(ledger, n).await;
        assert_eq!((now.version, now.state), (2, State::Deleted));
        assert_eq!((now.digest, now.content), (digest(7), Some(vec![7])), "content and its digest go together");
    }
    let with_content = Incoming { state: State::Deleted, ..attainment(1, 8) };
    assert_eq!(keep(ledger, 3, &[with_content]).await, [(Updated, 3)]);
    assert_eq!(stored(ledger, 1).await.content, Some(vec![8]));
}

pub async fn an_unknown_key_may_be_withdrawn(ledger: &dyn Ledger) {
    assert_eq!(keep(ledger, 1, &[gone(1, State::Deleted)]).await, [(New, 1)]);
    let now = stored(ledger, 1).await;
    assert_eq!((now.state, now.content), (State::Deleted, None));
    assert_eq!(keep(ledger, 2, &[attainment(1, 1)]).await, [(Refused, 1)]);
}

pub async fn a_key_belongs_to_one_source(ledger: &dyn Ledger) {
    let other = |record: Incoming| Incoming { source: "other".into(), ..record };
    let same_key_as_1 = |n| Incoming { lookup: Lookup([1; 16]), ..other(attainment(n, 1)) };
    assert_eq!(keep(ledger, 1, &[attainment(1, 1), same_key_as_1(2)]).await, [(New, 1), (Contested, 0)]);
    assert!(ledger.record(id(2)).await.expect("read").is_none());
    assert!(ledger.history(id(2)).await.expect("history").is_empty());
    assert!(ledger.debts_of(id(2)).await.expect("debts").is_empty());
    assert_eq!(feed(ledger, 0).await.len(), 1);

    let same_source = Incoming { source: SOURCE.into(), ..same_key_as_1(3) };
    let other_kind = Incoming { kind: RecordKind::StudyRight, ..same_key_as_1(4) };
    let other_institution = Incoming { institution: "02535".into(), ..same_key_as_1(5) };
    assert_eq!(keep(ledger, 2, &[same_source, other_kind, other_institution]).await, [(New, 1); 3]);
    let elsewhere = Batch { tenant: "niitty".into(), ..batch(3, &[same_key_as_1(6)]) };
    assert_eq!(kept(ledger, &elsewhere).await, [(New, 1)], "another tenant's keys are its own");
    let learners = [
        record(7, RecordKind::Learner, 1),
        Incoming { lookup: Lookup([7; 16]), ..other(record(8, RecordKind::Learner, 1)) },
    ];
    assert_eq!(keep(ledger, 4, &learners).await, [(New, 1); 2], "registers may know the same learner");
    take_back(ledger, 5, &[id(1)]).await;
    assert_eq!(keep(ledger, 6, &[same_key_as_1(2)]).await, [(Contested, 0)], "a tombstone holds its key");
}

pub async fn the_feed_tells_changes_in_order(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    keep(ledger, 2, &[attainment(1, 1), attainment(1, 2)]).await;
    take_back(ledger, 3, &[id(2)]).await;
    let feed = feed(ledger, 0).await;
    let told: Vec<_> = feed.iter().map(|c| (c.at, c.record.id, c.record.version, c.record.state)).collect();
    assert_eq!(
        told,
        [
            (1, id(1), 1, State::Current),
            (1, id(2), 1, State::Current),
            (2, id(1), 2, State::Current),
            (3, id(2), 2, State::Deleted),
        ]
    );
    assert!(feed.windows(2).all(|w| w[0].position < w[1].position), "positions rise");
    let contents: Vec<_> = feed.iter().map(|c| c.record.content.clone().expect("content")[0]).collect();
    assert_eq!(contents, [1, 1, 2, 1], "each change has the content of its version");
    assert_eq!(feed[0].record.digest, digest(1));
}

pub async fn the_feed_is_paged_by_tenant_and_kind(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), record(2, RecordKind::Activity, 1), attainment(3, 1)]).await;
    kept(ledger, &Batch { tenant: "niitty".into(), ..batch(2, &[attainment(4, 1)]) }).await;
    let ids = |changes: Vec<Change>| changes.iter().map(|c| c.record.id).collect::<Vec<_>>();
    let first = ledger.feed(&[], &[], 0, 3).await.expect("feed");
    let cursor = first[2].position;
    assert_eq!(ids(first), [id(1), id(2), id(3)]);
    assert_eq!(ids(feed(ledger, cursor).await), [id(4)]);
    let attainments = &[RecordKind::Attainment];
    assert_eq!(ids(ledger.feed(&[], attainments, 0, 10).await.expect("feed")), [id(1), id(3), id(4)]);
    assert_eq!(ids(ledger.feed(&[TENANT.to_owned()], attainments, 0, 10).await.expect("feed")), [id(1), id(3)]);
    let both = [TENANT.to_owned(), "niitty".to_owned()];
    assert_eq!(ledger.feed(&both, &[], 0, 10).await.expect("feed").len(), 4);
    assert!(ledger.feed(&["nobody".to_owned()], &[], 0, 10).await.expect("feed").is_empty());
}

pub async fn what_is_known_is_taken_back_once(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), attainment(2, 1)]).await;
    let elsewhere =
        TakeBack { tenant: "niitty".into(), at: 2, state: State::Deleted, ids: vec![id(1)], targets: Vec::new() };
    assert_eq!(ledger.take_back(&elsewhere).await.expect("asked"), 0, "another tenant's record");
    let standing =
        TakeBack { tenant: TENANT.into(), at: 2, state: State::Current, ids: vec![id(1)], targets: Vec::new() };
    assert_eq!(ledger.take_back(&standing).await.expect("asked"), 0, "no way of taking back");
    assert_eq!(take_back(ledger, 2, &[id(1), id(9), id(1)]).await, 1);
    assert_eq!(take_back(ledger, 3, &[id(1)]).await, 0);
    let invalidated = TakeBack {
        tenant: TENANT.into(),
        at: 4,
        state: State::Invalidated,
        ids: vec![id(1), id(2)],
        targets: Vec::new(),
    };
    assert_eq!(ledger.take_back(&invalidated).await.expect("asked"), 1, "tombstones are left alone");
    assert_eq!((stored(ledger, 1).await.state, stored(ledger, 2).await.state), (State::Deleted, State::Invalidated));
    assert_eq!(outcomes(ledger, 1).await, [New, Updated]);
}

pub async fn a_journey_keeps_every_arrival(ledger: &dyn Ledger) {
    keep(ledger, 1, &[revised(1, 1, 5)]).await;
    keep(ledger, 2, &[revised(1, 3, 4)]).await;
    keep(ledger, 3, &[revised(1, 1, 6)]).await;
    keep(ledger, 4, &[revised(1, 2, 7)]).await;
    keep(ledger, 5, &[gone(1, State::Deleted)]).await;
    keep(ledger, 6, &[attainment(1, 1)]).await;
    let history = ledger.history(id(1)).await.expect("history");
    let told: Vec<_> = history.iter().map(|a| (a.at, a.outcome, a.version, a.state, a.revision)).collect();
    assert_eq!(
        told,
        [
            (1, New, 1, State::Current, Some(5)),
            (2, Stale, 1, State::Current, Some(4)),
            (3, Unchanged, 1, State::Current, Some(6)),
            (4, Updated, 2, State::Current, Some(7)),
            (5, Updated, 3, State::Deleted, None),
            (6, Refused, 3, State::Current, None),
        ]
    );
    assert_eq!(history[1].digest, digest(3), "an arrival shows its own digest");
}

pub async fn records_are_found_by_learner_and_key(ledger: &dyn Ledger) {
    let records = [
        attainment(4, 1),
        record(3, RecordKind::Enrolment, 1),
        attainment(2, 1),
        record(9, RecordKind::Learner, 1),
        of_learner(2, attainment(1, 1)),
    ];
    keep(ledger, 1, &records).await;
    let found = ledger.records_of(TENANT, learner(1)).await.expect("records");
    assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [id(9), id(3), id(2), id(4)]);
    assert!(ledger.records_of("niitty", learner(1)).await.expect("records").is_empty());

    keep(ledger, 2, &[Incoming { lookup: Lookup([4; 16]), ..record(5, RecordKind::StudyRight, 1) }]).await;
    let found = ledger.look_up(TENANT, Lookup([4; 16])).await.expect("records");
    assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [id(4), id(5)], "by id");
    assert!(ledger.look_up("niitty", Lookup([4; 16])).await.expect("records").is_empty());
}

pub async fn current_ids_and_learners_are_paged(ledger: &dyn Ledger) {
    let records: Vec<_> = (1..=5).map(|n| of_learner(10 - n, attainment(n, 1))).collect();
    keep(ledger, 1, &records).await;
    keep(ledger, 2, &[record(6, RecordKind::Learner, 1)]).await;
    keep(ledger, 2, &[Incoming { source: "other".into(), ..attainment(7, 1) }]).await;
    take_back(ledger, 3, &[id(2)]).await;
    let ids = async |kinds: &[RecordKind], after, limit| {
        ledger.current_ids(TENANT, SOURCE, kinds, after, limit).await.expect("ids")
    };
    assert_eq!(ids(&[RecordKind::Attainment], None, 2).await, [id(1), id(3)]);
    assert_eq!(ids(&[RecordKind::Attainment], Some(id(3)), 9).await, [id(4), id(5)]);
    assert_eq!(ids(&[], None, 9).await, [id(1), id(3), id(4), id(5), id(6)], "no kinds means all");
    assert!(ledger.current_ids("niitty", SOURCE, &[], None, 9).await.expect("ids").is_empty());

    let learners = async |after, limit| ledger.learners(TENANT, after, limit).await.expect("learners");
    assert_eq!(learners(None, 9).await, [learner(1), learner(5), learner(6), learner(7), learner(9)]);
    assert_eq!(learners(Some(learner(5)), 2).await, [learner(6), learner(7)]);
}

pub async fn records_are_counted_by_kind_and_state(ledger: &dyn Ledger) {
    keep(ledger, 1, &[attainment(1, 1), attainment(2, 1), attainment(3, 1), record(4, RecordKind::Learner, 1)]).await;
    take_back(ledger, 2, &[id(2)]).await;
    let counts = ledger.counts(TENANT).await.expect("counts");
    let told: Vec<_> = counts.iter().map(|c| (c.kind, c.state, c.records)).collect();
    assert_eq!(
        told,
        [
            (RecordKind::Learner, State::Current, 1),
            (RecordKind::Attainment, State::Current, 2),
            (RecordKind::Attainment, State::Deleted, 1),
        ]
    );
    assert!(ledger.counts("niitty").await.expect("counts").is_empty());
}
