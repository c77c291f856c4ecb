//! The suite, and what is special to PostgreSQL.

use super::PostgresLedger;
use super::throwaway::Database;
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::{RecordKind, State};
use silta_ledger::{
    Batch, DebtState, DebtTarget, Debts, Decision, Incoming, LaneBy, LearnerId, Ledger, LedgerError, Lookup, Outcome,
    Plan, RecordId, Records, Settled, Settlement, Wanted, ledger_suite,
};
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn empty() -> (Box<dyn Ledger>, Database) {
    let database = Database::new().await;
    (Box::new(database.ledger().await), database)
}

ledger_suite!(suite, super::empty, 12);

fn id(n: u32) -> RecordId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    RecordId(bytes)
}

fn record(n: u32, content: u8) -> Incoming {
    Incoming {
        id: id(n),
        learner: LearnerId(id(n).0),
        lookup: Lookup(id(n).0),
        source: "sis".into(),
        kind: RecordKind::Attainment,
        institution: "10122".into(),
        state: State::Current,
        revision: None,
        digest: Digest { form: FORM, hash: [content; 32] },
        content: Some(vec![content]),
    }
}

fn batch(tenant: &str, records: Vec<Incoming>) -> Batch {
    Batch {
        tenant: tenant.into(),
        at: 1,
        reinstate: false,
        records,
        targets: vec![DebtTarget { connection: "store".into(), lane: LaneBy::Learner, composed: false }],
    }
}

/// Plans every dirty item with a projection of its own.
async fn plan_all(ledger: &PostgresLedger) {
    loop {
        let dirty = ledger.dirty("store", 1_000).await.expect("dirty");
        if dirty.is_empty() {
            return;
        }
        let plan = |item: silta_ledger::DirtyItem| Plan {
            debt: item.debt,
            mark: item.mark,
            decision: Decision::Owe {
                wanted: Wanted::Present,
                digest: item.record.digest,
                content: item.record.content,
                losses: Some(vec![0]),
            },
        };
        let plans: Vec<_> = dirty.into_iter().map(plan).collect();
        ledger.plan("store", 1, &plans).await.expect("planned");
    }
}

async fn number(ledger: &PostgresLedger, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&ledger.pool).await.expect("a number")
}

/// What became of a claim: all of it was sent.
fn sent(claim: &silta_ledger::Claim, at: i64) -> Settled {
    let debts = claim.debts.iter().map(|d| Settlement {
        debt: d.id,
        generation: d.generation,
        state: DebtState::Sent,
        fixer: None,
        reason: String::new(),
    });
    Settled { lane: claim.lane, token: claim.token, at, next: at, debts: debts.collect() }
}

#[tokio::test]
async fn migrations_are_told_and_run_once_by_many() {
    let database = Database::blank().await;
    let (one, two) = (database.ledger().await, database.ledger().await);
    assert_eq!(one.pending_migrations().await.expect("asked")[0], "0001 ledger");
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.and(second).expect("both find the tables made");
    assert!(one.pending_migrations().await.expect("asked").is_empty());
}

#[tokio::test]
async fn a_password_in_a_url_is_not_told() {
    let told = PostgresLedger::open("postgres://user:secret@host:port/x").await.expect_err("no URL").to_string();
    assert!(!told.contains("secret"), "{told}");
}

/// Writers in many processes while a reader follows the feed: it misses nothing and sees nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_of_the_feed_misses_nothing() {
    const WRITERS: u32 = 8;
    const BATCHES: u32 = 12;
    let database = Database::new().await;
    let handles = [database.ledger().await, database.ledger().await];
    let done = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn({
        let (ledger, done) = (database.ledger().await, Arc::clone(&done));
        async move {
            let mut followed = Vec::new();
            loop {
                let last = done.load(Ordering::SeqCst);
                let after = followed.last().map_or(0, |(position, _)| *position);
                let page = ledger.feed(&[], &[], after, 7).await.expect("feed");
                if page.is_empty() && last {
                    return followed;
                }
                followed.extend(page.iter().map(|change| (change.position, change.record.id)));
                tokio::task::yield_now().await;
            }
        }
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let ledger = handles[writer as usize % 2].clone();
            tokio::spawn(async move {
                for n in 0..BATCHES {
                    let first = (writer * BATCHES + n) * 3;
                    let records = (first..first + 3).map(|n| record(n, 1)).collect();
                    let kept = ledger.keep(&batch(&format!("tenant{writer}"), records)).await.expect("kept");
                    assert!(kept.iter().all(|k| k.outcome == Outcome::New));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("wrote");
    }
    done.store(true, Ordering::SeqCst);
    let followed = follower.await.expect("followed");
    let all = handles[0].feed(&[], &[], 0, 10_000).await.expect("feed");
    assert_eq!(all.len() as u32, WRITERS * BATCHES * 3);
    assert_eq!(followed, all.iter().map(|c| (c.position, c.record.id)).collect::<Vec<_>>());
}

/// A writer that has taken positions and not committed holds up the next one: no position appears behind a served one.
#[tokio::test]
async fn positions_are_in_the_order_of_commits() {
    let database = Database::new().await;
    let ledger = database.ledger().await;
    let mut slow = ledger.write().await.expect("a transaction");
    super::lock_feed(&mut slow).await.expect("locked");
    let taken: i64 = sqlx::query_scalar("SELECT nextval('feed')").fetch_one(&mut *slow).await.expect("a position");
    let fast = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.keep(&batch("fast", vec![record(1, 1)])).await }
    });
    // The other writer is seen to wait.
    while number(&ledger, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").await == 0 {
        tokio::task::yield_now().await;
    }
    assert!(ledger.feed(&[], &[], 0, 9).await.expect("feed").is_empty());
    slow.commit().await.expect("committed");
    fast.await.expect("wrote").expect("kept");
    assert!(ledger.feed(&[], &[], 0, 9).await.expect("feed")[0].position > taken);
}

/// Two sources that send the same key at once: one has it, the other is contested.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_claimed_by_one_of_two_sources_at_once() {
    let database = Database::new().await;
    let (one, two) = (database.ledger().await, database.ledger().await);
    for n in 0..20 {
        let theirs = Incoming { id: id(1_000 + n), source: "lms".into(), ..record(n, 2) };
        let (first, second) = (batch("kaarna", vec![record(n, 1)]), batch("kaarna", vec![theirs]));
        let (first, second) = tokio::join!(one.keep(&first), two.keep(&second));
        let mut outcomes = [first.expect("kept")[0].outcome, second.expect("kept")[0].outcome];
        outcomes.sort_by_key(|outcome| outcome.name());
        assert_eq!(outcomes, [Outcome::Contested, Outcome::New]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_share_lanes_and_fence_each_other() {
    let database = Database::new().await;
    let (one, two) = (database.ledger().await, database.ledger().await);
    one.keep(&batch("kaarna", (0..40).map(|n| record(n, 1)).collect())).await.expect("kept");
    plan_all(&one).await;
    let workers = [one.clone(), two.clone(), one.clone(), two.clone()].map(|ledger| {
        tokio::spawn(async move {
            let mut items = Vec::new();
            while let Some(claim) = ledger.claim("store", 1, 9, 9).await.expect("asked") {
                items.extend(claim.debts.iter().map(|d| d.item));
            }
            items
        })
    });
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.expect("worked"));
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (0..40).map(id).collect::<Vec<_>>(), "each debt is claimed once");

    one.keep(&batch("kaarna", vec![record(40, 1)])).await.expect("kept");
    plan_all(&one).await;
    let late = one.claim("store", 1, 9, 9).await.expect("asked").expect("due");
    assert_eq!(two.reap(10).await.expect("reaped"), 41);
    assert!(matches!(one.settle(&sent(&late, 11)).await, Err(LedgerError::LeaseLost)));
    assert_eq!(two.debt(late.debts[0].id).await.expect("read").expect("a debt").state, DebtState::Uncertain);
}

/// Everything at once on few records: whoever gives way is done again, and nobody sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_meets_gives_way_unseen() {
    let database = Database::new().await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..4_u8 {
        let ledger = database.ledger().await;
        workers.spawn(async move {
            for round in 0..15_u8 {
                // Each in another order.
                let mut records: Vec<_> = (0..8).map(|n| record(n, worker * 16 + round)).collect();
                records.rotate_left(usize::from(worker) * 2);
                ledger.keep(&batch("kaarna", records)).await.expect("kept");
                let mut dirty = ledger.dirty("store", 8).await.expect("dirty");
                let turned = usize::from(worker) % dirty.len().max(1);
                dirty.rotate_left(turned);
                let decision = |item: &silta_ledger::DirtyItem| Decision::Owe {
                    wanted: Wanted::Present,
                    digest: item.record.digest,
                    content: None,
                    losses: None,
                };
                let plans: Vec<_> =
                    dirty.iter().map(|d| Plan { debt: d.debt, mark: d.mark, decision: decision(d) }).collect();
                ledger.plan("store", 1, &plans).await.expect("planned");
                while let Some(claim) = ledger.claim("store", 1, 9, 3).await.expect("asked") {
                    ledger.settle(&sent(&claim, 1)).await.expect("settled");
                }
            }
        });
    }
    while let Some(worked) = workers.join_next().await {
        worked.expect("no transaction failed");
    }
    let ledger = database.ledger().await;
    plan_all(&ledger).await;
    while let Some(claim) = ledger.claim("store", 1, 9, 9).await.expect("asked") {
        ledger.settle(&sent(&claim, 1)).await.expect("settled");
    }
    let debts = ledger.debts("store", None, 0, 99).await.expect("debts");
    assert_eq!(debts.len(), 8);
    for debt in debts {
        let stands = ledger.record(debt.item).await.expect("read").expect("known").digest;
        assert_eq!((debt.state, debt.sent_digest), (DebtState::Sent, Some(stands)), "what stands was sent last");
    }
}

/// With a transaction open that is older than the queue, what was claimed cannot be removed. A claim then must not walk
/// over all of it: what it reads stays the same from the first lane to the last.
#[tokio::test]
async fn claims_do_not_slow_down_under_an_old_snapshot() {
    const LANES: u32 = 600;
    let database = Database::new().await;
    let ledger = database.ledger().await;
    ledger.keep(&batch("kaarna", (0..LANES).map(|n| record(n, 1)).collect())).await.expect("kept");
    plan_all(&ledger).await;
    let mut old = ledger.write().await.expect("a transaction");
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *old).await.expect("set");
    sqlx::query("SELECT count(*) FROM lane").execute(&mut *old).await.expect("a snapshot");
    let mut claimed = 0;
    while let Some(claim) = ledger.claim("store", 1, 9, 9).await.expect("asked") {
        claimed += 1;
        ledger.settle(&sent(&claim, 1)).await.expect("settled");
        if claimed == LANES - 10 {
            break;
        }
    }
    let begin = ledger.heads.get("store", 1);
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) SELECT l.id FROM lane l WHERE l.connection = 1 AND l.next_at <= 1
            AND (l.next_at, l.id) > ({}, {}) ORDER BY l.next_at, l.id LIMIT 1",
        begin.0, begin.1
    );
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&ledger.pool).await.expect("explained");
    let read = plan.iter().find_map(|line| line.split_once("shared hit=")?.1.split([' ', '\n']).next()?.parse().ok());
    assert!(read.is_some_and(|pages: u32| pages < 12), "a claim reads a few pages: {}", plan.join("\n"));
    old.rollback().await.expect("ended");
}

#[tokio::test]
async fn a_bell_is_heard_by_every_process() {
    let database = Database::new().await;
    let (one, two) = (database.ledger().await, database.ledger().await);
    let (mut ours, mut theirs) = (one.listen().await.expect("listens"), two.listen().await.expect("listens"));
    one.ring(&["store".into(), "mirror".into()]).await.expect("rung");
    for bell in [&mut ours, &mut theirs] {
        assert_eq!(bell.heard().await.expect("heard").as_deref(), Some("store"));
        assert_eq!(bell.heard().await.expect("heard").as_deref(), Some("mirror"));
    }
}
