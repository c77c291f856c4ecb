//! The suite, and what is special to SQLite.

use super::SqliteLedger;
use async_trait::async_trait;
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::{RecordKind, State};
use silta_ledger::conformance::{Fault, a_call_that_fails_changes_nothing};
use silta_ledger::{
    Batch, DebtState, DebtTarget, Debts, Decision, Incoming, LaneBy, LearnerId, Ledger, LedgerError, Lookup, Outcome,
    Plan, RecordId, Records, Settled, Settlement, Wanted,
};
use silta_ledger::{ledger_suite, together_suite};
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

async fn two_processes() -> ([Arc<dyn Ledger>; 2], TempDir) {
    let dir = directory();
    ([Arc::new(open(&dir).await), Arc::new(open(&dir).await)], dir)
}

together_suite!(together, super::two_processes);

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
        targets: vec![DebtTarget { connection: "store".into(), lane: LaneBy::Learner, composed: false }],
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

#[test]
fn migrations_of_one_thousand_only_add() {
    let later = super::MIGRATIONS.iter().filter(|migration| migration.version % 1_000 > 1);
    for migration in later {
        let taken = silta_ledger::stored::takes_away(migration.sql.as_str());
        assert!(taken.is_empty(), "{}: {taken:?}", migration.description);
    }
}

#[tokio::test]
async fn migrations_are_told_and_run_once() {
    let dir = directory();
    let path = dir.path().join("silta.db");
    let path = path.to_str().expect("a path");
    assert!(SqliteLedger::open(path, false).await.is_err(), "not made unless asked");
    let ledger = SqliteLedger::open(&format!("sqlite:{path}"), true).await.expect("opened");
    assert_eq!(
        ledger.pending_migrations().await.expect("asked"),
        ["0001 ledger", "0002 duty", "0003 finding reconciliation", "0004 link", "0005 credential"]
    );
    ledger.migrate().await.expect("migrated");
    ledger.migrate().await.expect("migrated again");
    assert!(ledger.pending_migrations().await.expect("asked").is_empty());
    assert!(ledger.integrity().await.expect("checked").is_empty());
    ledger.close().await;
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

/// Every statement the compiler checked reaches tables by an index, and pages come out of one without being sorted, so
/// that cost grows with the page and not with the table.
#[tokio::test]
async fn statements_use_indexes() {
    // There are few rows in these, whatever the size of the store.
    const SMALL: [&str; 6] = ["load", "reconciliation", "token", "connection", "sequence", "lane"];
    let dir = directory();
    let ledger = open(&dir).await;
    let mut bad = Vec::new();
    let mut explained = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).expect("checked statements") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("readable");
        let sql = serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["query"].as_str().map(str::to_owned);
        let sql = sql.expect("a statement");
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        for step in sqlx::query(explain).fetch_all(&ledger.readers).await.expect("explained") {
            let step: String = step.get("detail");
            let of_small = || {
                SMALL
                    .iter()
                    .any(|table| step.starts_with(&format!("SCAN {table}")) || sql.contains(&format!("FROM {table}")))
            };
            let scans = step.starts_with("SCAN")
                && !step.contains("VIRTUAL TABLE")
                && !step.contains("CONSTANT ROW")
                && !step.contains("SCAN all_of_it")
                && !of_small();
            if scans || sql.contains("LIMIT ?") && step.contains("TEMP B-TREE") {
                bad.push(format!("{step}: {sql}"));
            }
        }
        explained += 1;
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(explained > 80, "{explained}");
}

/// Interrupts the writer after so many looks of SQLite at its progress.
struct Interrupt<'l> {
    ledger: &'l SqliteLedger,
    struck: Arc<AtomicBool>,
}

#[async_trait]
impl Fault for Interrupt<'_> {
    async fn after(&self, steps: Option<u32>) {
        const INSTRUCTIONS: i32 = 25;
        let (mut left, struck) = (steps.map_or(i64::MAX, i64::from), Arc::clone(&self.struck));
        let mut writer = self.ledger.writer.acquire().await.expect("the writer");
        writer.lock_handle().await.expect("its handle").set_progress_handler(INSTRUCTIONS, move || {
            left -= 1;
            let goes_on = left != -1;
            struck.fetch_or(!goes_on, Ordering::SeqCst);
            goes_on
        });
    }

    fn struck(&self) -> bool {
        self.struck.swap(false, Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_call_that_is_interrupted_changes_nothing() {
    let dir = directory();
    let ledger = open(&dir).await;
    let interrupt = Interrupt { ledger: &ledger, struck: Arc::default() };
    a_call_that_fails_changes_nothing(&ledger, &interrupt, false).await;
}

/// The file may not grow: what has no room is refused as for now, nothing of it is there, and later it is taken.
#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let dir = directory();
    let ledger = open(&dir).await;
    let large = |n| Incoming { content: Some(vec![7; 100_000]), ..record(n, 1) };
    ledger.keep(&batch(vec![large(1)])).await.expect("kept");
    let pages = number(&ledger, "SELECT page_count FROM pragma_page_count").await;
    let limit = async |pages: i64| {
        let pragma = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(pragma).execute(&ledger.writer).await.expect("limited");
    };
    limit(pages).await;
    for _ in 0..3 {
        let refused = ledger.keep(&batch(vec![record(2, 1), large(3)])).await;
        assert!(matches!(refused, Err(LedgerError::Away(_))), "{refused:?}");
        assert!(ledger.record(id(2)).await.expect("read").is_none());
    }
    limit(1 << 20).await;
    ledger.keep(&batch(vec![record(2, 1), large(3)])).await.expect("kept");
    assert_eq!(ledger.feed(&[], &[], 0, 9).await.expect("feed").len(), 3);
}
