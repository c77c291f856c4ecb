//! The suite, and what is special to SQLite.

use super::{SqliteLedger, access, claims, debts, findings, loads, plans, problems, records};
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::{RecordKind, State};
use silta_ledger::ledger_suite;
use silta_ledger::{
    Batch, DebtState, DebtTarget, Debts, Decision, Incoming, LaneBy, LearnerId, Ledger, LedgerError, Lookup, Outcome,
    Plan, RecordId, Records, Settled, Settlement, Wanted,
};
use sqlx::{AssertSqlSafe, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

async fn open(dir: &TempDir) -> SqliteLedger {
    let path = dir.path().join("silta.db");
    let ledger = SqliteLedger::open(path.to_str().expect("a path"), true).await.expect("opened");
    ledger.migrate().await.expect("migrated");
    ledger
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

async fn empty() -> (Box<dyn Ledger>, TempDir) {
    let dir = directory();
    (Box::new(open(&dir).await), dir)
}

ledger_suite!(suite, super::empty);

fn id(n: u32) -> RecordId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    RecordId(bytes)
}

fn digest(n: u8) -> Digest {
    Digest { form: FORM, hash: [n; 32] }
}

fn record(n: u32, content: u8) -> Incoming {
    Incoming {
        id: id(n),
        learner: LearnerId([1; 16]),
        lookup: Lookup(id(n).0),
        source: "sis".into(),
        kind: RecordKind::Attainment,
        institution: "10122".into(),
        state: State::Current,
        revision: None,
        digest: digest(content),
        content: Some(vec![content]),
    }
}

fn batch(records: Vec<Incoming>) -> Batch {
    Batch {
        tenant: "kaarna".into(),
        at: 1,
        reinstate: false,
        records,
        targets: vec![DebtTarget { connection: "store".into(), lane: LaneBy::Learner }],
    }
}

/// Plans every dirty item with a projection of its own.
async fn plan_all(ledger: &SqliteLedger) {
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
    let plans: Vec<_> = ledger.dirty("store", 10_000).await.expect("dirty").into_iter().map(plan).collect();
    ledger.plan("store", 1, &plans).await.expect("planned");
}

async fn number(ledger: &SqliteLedger, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&ledger.readers).await.expect("a number")
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let dir = directory();
    let first = open(&dir).await;
    first.keep(&batch(vec![record(1, 1), record(2, 1)])).await.expect("kept");
    plan_all(&first).await;
    let held = first.claim("store", 1, 9, 1).await.expect("asked").expect("due");
    drop(first);

    let again = open(&dir).await;
    assert_eq!(again.record(id(1)).await.expect("read").expect("known").content, Some(vec![1]));
    let states = async |state| again.debts("store", Some(state), 0, 9).await.expect("debts").len();
    assert_eq!((states(DebtState::Sending).await, states(DebtState::Owed).await), (1, 1));
    assert_eq!(again.reap(10).await.expect("reaped"), 1);
    let next = again.claim("store", 10, 20, 9).await.expect("asked").expect("due");
    assert!(next.token.0 > held.token.0, "tokens rise over restarts");
    let position = again.feed(&[], &[], 0, 9).await.expect("feed")[1].position;
    again.keep(&batch(vec![record(1, 2)])).await.expect("kept");
    assert!(again.feed(&[], &[], position, 9).await.expect("feed")[0].position > position);
}

#[tokio::test]
async fn migrations_are_told_and_run_once() {
    let dir = directory();
    let path = dir.path().join("silta.db");
    let path = path.to_str().expect("a path");
    assert!(SqliteLedger::open(path, false).await.is_err(), "not made unless asked");
    let ledger = SqliteLedger::open(&format!("sqlite:{path}"), true).await.expect("opened");
    assert_eq!(ledger.pending_migrations().await.expect("asked"), ["0001 ledger", "0002 duty", "0003 link"]);
    ledger.migrate().await.expect("migrated");
    ledger.migrate().await.expect("migrated again");
    assert!(ledger.pending_migrations().await.expect("asked").is_empty());
    assert!(ledger.integrity().await.expect("checked").is_empty());
    ledger.close().await;
}

/// Two processes write at once while a reader follows the feed: it misses nothing and sees nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_of_the_feed_misses_nothing() {
    const WRITERS: u32 = 8;
    const BATCHES: u32 = 12;
    let dir = directory();
    let handles = [open(&dir).await, open(&dir).await];
    let done = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn({
        let (ledger, done) = (open(&dir).await, Arc::clone(&done));
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
                    let kept = ledger.keep(&batch(records)).await.expect("kept");
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
    assert!(followed.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_share_lanes_and_fence_each_other() {
    let dir = directory();
    let (one, two) = (open(&dir).await, open(&dir).await);
    let by_learner = |n: u32| Incoming { learner: LearnerId(id(n).0), ..record(n, 1) };
    one.keep(&batch((0..40).map(by_learner).collect())).await.expect("kept");
    plan_all(&one).await;
    let workers = [one.clone(), two.clone()].map(|ledger| {
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

    one.keep(&batch(vec![by_learner(40)])).await.expect("kept");
    plan_all(&one).await;
    let late = one.claim("store", 1, 9, 9).await.expect("asked").expect("due");
    assert_eq!(two.reap(10).await.expect("reaped"), 41);
    let debts = late.debts.iter().map(|d| Settlement {
        debt: d.id,
        generation: d.generation,
        state: DebtState::Sent,
        fixer: None,
        reason: String::new(),
    });
    let settled = Settled { lane: late.lane, token: late.token, at: 11, next: 11, debts: debts.collect() };
    assert!(matches!(one.settle(&settled).await, Err(LedgerError::LeaseLost)));
    assert_eq!(two.debt(late.debts[0].id).await.expect("read").expect("a debt").state, DebtState::Uncertain);
}

#[tokio::test]
async fn a_batch_may_be_larger_than_a_statement() {
    let dir = directory();
    let ledger = open(&dir).await;
    for (content, outcome) in
        [(1, Outcome::New), (2, Outcome::Updated), (1, Outcome::Reverted), (1, Outcome::Unchanged)]
    {
        let kept = ledger.keep(&batch((0..1_203).map(|n| record(n, content)).collect())).await.expect("kept");
        assert_eq!(kept.len(), 1_203);
        assert!(kept.iter().all(|k| k.outcome == outcome), "{outcome:?}");
    }
    assert_eq!(ledger.dirty("store", 5_000).await.expect("dirty").len(), 1_203);
}

#[tokio::test]
async fn contents_no_watermark_refers_to_are_removed() {
    let dir = directory();
    let ledger = open(&dir).await;
    let projections = "SELECT count(*) FROM content WHERE debt IS NOT NULL";
    for content in 1..=4 {
        ledger.keep(&batch(vec![record(1, content)])).await.expect("kept");
        plan_all(&ledger).await;
        assert_eq!(number(&ledger, projections).await, 2, "what is wanted, and its losses");
    }
    let claim = ledger.claim("store", 1, 9, 9).await.expect("asked").expect("due");
    let debts = vec![Settlement {
        debt: claim.debts[0].id,
        generation: claim.debts[0].generation,
        state: DebtState::Confirmed,
        fixer: None,
        reason: String::new(),
    }];
    let settled = Settled { lane: claim.lane, token: claim.token, at: 1, next: 1, debts };
    ledger.settle(&settled).await.expect("settled");
    assert_eq!(number(&ledger, projections).await, 2, "shared by all watermarks");
    ledger.keep(&batch(vec![record(1, 9)])).await.expect("kept");
    plan_all(&ledger).await;
    assert_eq!(number(&ledger, projections).await, 3, "what is wanted and its losses, what was confirmed");
    assert_eq!(number(&ledger, "SELECT count(*) FROM content WHERE debt IS NULL").await, 5, "versions keep theirs");
}

#[tokio::test]
async fn a_broken_row_is_named_without_its_values() {
    let dir = directory();
    let ledger = open(&dir).await;
    ledger.keep(&batch(vec![record(1, 1)])).await.expect("kept");
    sqlx::query("UPDATE record SET state = 'nonsense'").execute(&ledger.writer).await.expect("broken");
    let told = ledger.record(id(1)).await.expect_err("inconsistent").to_string();
    assert_eq!(told, "inconsistent row in record, column state, row 1");
}

/// Every table is reached by an index, and pages come out of one without being sorted, so that cost grows with the
/// page and not with the table.
#[tokio::test]
async fn hot_queries_use_indexes() {
    let dir = directory();
    let ledger = open(&dir).await;
    let paged = [
        records::CURRENT_IDS,
        records::LEARNERS,
        records::FEED,
        records::TENANT_FEED,
        problems::ALL,
        problems::OPEN,
        problems::OF,
        debts::DIRTY,
        debts::OF_STATE,
        debts::OF_CONNECTION,
        debts::HOLDINGS,
        debts::HOLDINGS_AFTER,
        claims::NEXT_LANE,
        claims::HEADS,
        loads::MANIFEST,
        findings::OF,
        access::AUDITED,
    ];
    let sets = [
        records::RECORDS_OF,
        records::LOOK_UP,
        records::HISTORY,
        problems::OPEN_OF,
        debts::OF_RECORD,
        debts::FIGURES,
        debts::OLDEST,
        debts::ATTEMPTED,
        plans::VALID,
        plans::OWE,
        plans::SETTLE,
        plans::REFUSE,
        plans::MAKE_LANES,
        plans::JOIN_LANES,
        plans::WAKE,
        plans::WAKE_IDLE,
        plans::REST,
        plans::DROP_UNUSED,
        plans::ARRIVED,
        plans::PROVED,
        plans::DISPROVED,
        plans::LOST,
        loads::REMOVED,
        loads::DELIVERED,
        findings::GONE,
    ];
    let mut bad = Vec::new();
    for (sql, is_page) in paged.map(|sql| (sql, true)).into_iter().chain(sets.map(|sql| (sql, false))) {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        for step in sqlx::query(explain).fetch_all(&ledger.readers).await.expect("explained") {
            let step: String = step.get("detail");
            let scans = step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE") && !step.contains("CONSTANT ROW");
            if scans || is_page && step.contains("TEMP B-TREE") {
                bad.push(format!("{step}: {sql}"));
            }
        }
    }
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", claims::SETTLE));
    let steps = sqlx::query(explain).fetch_all(&ledger.readers).await.expect("explained");
    let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
    let by_id = steps.iter().any(|step| step.starts_with("SEARCH debt USING INTEGER PRIMARY KEY"));
    assert!(by_id, "a claim is settled by id, however many debts its lane has: {steps:?}");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
