//! The suite, and what is special to PostgreSQL.

use super::PostgresLedger;
use super::cut::Way;
use super::throwaway::Database;
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::{RecordKind, State};
use silta_ledger::conformance::a_call_that_fails_changes_nothing;
use silta_ledger::{
    Batch, DebtState, DebtTarget, Debts, Decision, Incoming, LaneBy, LearnerId, Ledger, Lookup, Plan, RecordId,
    Records, Settled, Settlement, Wanted, ledger_suite, together_suite,
};
use sqlx::AssertSqlSafe;
use std::sync::Arc;

async fn empty() -> (Box<dyn Ledger>, Database) {
    let database = Database::new().await;
    (Box::new(database.ledger().await), database)
}

ledger_suite!(suite, super::empty, 12);

async fn two_processes() -> ([Arc<dyn Ledger>; 2], Database) {
    let database = Database::new().await;
    ([Arc::new(database.ledger().await), Arc::new(database.ledger().await)], database)
}

together_suite!(together, super::two_processes);

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

#[test]
fn migrations_of_one_thousand_only_add() {
    let later = super::MIGRATIONS.iter().filter(|migration| migration.version % 1_000 > 1);
    for migration in later {
        let taken = silta_ledger::stored::takes_away(migration.sql.as_str());
        assert!(taken.is_empty(), "{}: {taken:?}", migration.description);
    }
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

/// The connection breaks before a message gets to the server: what failed changed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_connection_breaks_changes_nothing() {
    let database = Database::new().await;
    let (way, ledger) = Way::to(&database, false).await;
    a_call_that_fails_changes_nothing(&ledger, &way, false).await;
}

/// It breaks before an answer comes back: what failed is done or not done, and never in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_answer_is_lost_is_done_or_not() {
    let database = Database::new().await;
    let (way, ledger) = Way::to(&database, true).await;
    a_call_that_fails_changes_nothing(&ledger, &way, true).await;
}

/// Claiming a debt, trying it and giving it back changes no index, whatever else holds on to the rows before.
#[tokio::test]
async fn what_is_tried_again_stays_in_its_page() {
    const DEBTS: u32 = 40;
    const TRIES: i64 = 10;
    let database = Database::new().await;
    let ledger = database.ledger().await;
    ledger.keep(&batch("kaarna", (0..DEBTS).map(|n| record(n, 1)).collect())).await.expect("kept");
    plan_all(&ledger).await;
    let before = updates(&database, ledger).await;
    let ledger = database.ledger().await;
    for _ in 0..TRIES {
        let mut claims = Vec::new();
        while let Some(claim) = ledger.claim("store", 1, 9, 9).await.expect("asked") {
            claims.push(claim);
        }
        for claim in claims {
            let again = |settlement: Settlement| Settlement { state: DebtState::Owed, ..settlement };
            let settled = sent(&claim, 1);
            let debts = settled.debts.iter().cloned().map(again).collect();
            ledger.settle(&Settled { debts, ..settled }).await.expect("settled");
        }
    }
    let after = updates(&database, ledger).await;
    let (all, in_place) = (after.0 - before.0, after.1 - before.1);
    assert!(all >= i64::from(DEBTS) * TRIES * 2, "{all}");
    assert!(in_place * 10 >= all * 9, "{in_place} of {all} updates changed no index");
}

/// Updates of debts so far, and how many of them changed no index. A connection tells what it did when it ends.
async fn updates(database: &Database, ledger: PostgresLedger) -> (i64, i64) {
    ledger.close().await;
    let again = database.ledger().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'";
    // The server's side of a connection ends, and tells, some time after ours; each question takes its time.
    for _ in 0..10_000 {
        if sqlx::query_scalar::<_, i64>(others).fetch_one(&again.pool).await.expect("counted") == 0 {
            break;
        }
    }
    sqlx::query_as("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'debt'")
        .fetch_one(&again.pool)
        .await
        .expect("counted")
}

/// A page of one tenant's changes costs a page, however much others change.
#[tokio::test]
async fn the_feed_of_a_tenant_reads_no_others_changes() {
    const OTHERS: u32 = 4_000;
    let database = Database::new().await;
    let ledger = database.ledger().await;
    ledger.keep(&batch("kaarna", (0..5).map(|n| record(n, 1)).collect())).await.expect("kept");
    ledger.keep(&batch("niitty", (100..100 + OTHERS).map(|n| record(n, 1)).collect())).await.expect("kept");
    ledger.keep(&batch("kaarna", (10_000..10_005).map(|n| record(n, 1)).collect())).await.expect("kept");
    sqlx::raw_sql("ANALYZE").execute(&ledger.pool).await.expect("analysed");
    let own = ledger.feed(&["kaarna".into(), "kaarna".into()], &[], 0, 8).await.expect("feed");
    assert_eq!(own.len(), 8, "a tenant named twice is one");
    let statement = include_str!("records.rs").split("let rows = match tenants").nth(1).expect("the statement");
    let from = statement.split("_ => {").nth(1).and_then(|text| text.split('"').nth(1)).expect("its text");
    let explain = format!("EXPLAIN (ANALYZE, FORMAT TEXT) SELECT v.position {from}")
        .replace("$1::text[]", "ARRAY['kaarna']")
        .replace("$2", "0")
        .replace("$3::smallint[]", "ARRAY[]::smallint[]")
        .replace("$3", "ARRAY[]::smallint[]")
        .replace("$4", "8");
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&ledger.pool).await.expect("explained");
    let rows =
        |line: &String| line.split("actual time=").nth(1)?.split("rows=").nth(1)?.split(' ').next()?.parse().ok();
    let most: f64 = plan.iter().filter_map(rows).fold(0.0, f64::max);
    let removed = plan.iter().any(|line| line.contains("Rows Removed"));
    assert!(most <= 10.0 && !removed, "{}", plan.join("\n"));
}
