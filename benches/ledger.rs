//! How fast records are kept durably, beside inserting the same rows into the same tables and nothing else.

#[path = "support/documents.rs"]
mod documents;
#[path = "support/measure.rs"]
mod measure;

use documents::{Layout, virta};
use measure::{Task, beside, size, timed};
use silta::env::Rng;
use silta::ledger::{Batch, DebtTarget, Incoming, LaneBy, Records, rank};
use silta::vault::Vault;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits};
use silta_adapter::canonical::Digest;
use silta_adapter::record::Record;
use silta_ledger_sqlite::SqliteLedger;
use silta_virta::Virta;
use sqlx::query_builder::Separated;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};
use std::hint::black_box;
use std::path::Path;

type Failed = Box<dyn std::error::Error>;

const TENANT: &str = "10122";
const BATCH: usize = 500;

fn main() -> Result<(), Failed> {
    let records = records(size("SILTA_BENCH_LEARNERS", 400))?;
    let vault = Vault::new(&[7; 32], Rng::from_seed(1))?;
    let incoming: Vec<Incoming> = records.iter().map(|record| vault.incoming(record)).collect();
    let batches: Vec<Batch> = incoming.chunks(BATCH).map(batch).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("{:<38}{:>10}{:>12}{:>12}{:>8}{:>6}", "", "records", "records/s", "yardstick", "ratio", "aim");

    let keep: Task<'_> = Box::new(|| runtime.block_on(keep(&batches)).unwrap_or(f64::NAN));
    let insert: Task<'_> = Box::new(|| runtime.block_on(insert(&incoming)).unwrap_or(f64::NAN));
    report("kept, one connection owed", records.len(), "1/2", beside(keep, insert));

    let seal = timed(|| records.iter().for_each(|record| drop(black_box(vault.incoming(record)))));
    let json = timed(|| records.iter().for_each(|record| drop(black_box(serde_json::to_vec(record)))));
    report("sealed and digested (beside JSON)", records.len(), "", beside(seal, json));
    Ok(())
}

fn report(name: &str, records: usize, aim: &str, (seconds, yardstick): (f64, f64)) {
    let count = records as f64;
    println!(
        "{name:<38}{records:>10}{:>12.0}{:>12.0}{:>8.2}{aim:>6}",
        count / seconds,
        count / yardstick,
        yardstick / seconds,
    );
}

fn records(learners: usize) -> Result<Vec<Record>, Failed> {
    let (document, _) = virta(Layout::Compact, learners);
    let ctx = DecodeContext { tenant: TENANT.into(), source: "sis".into(), limits: Limits::default() };
    let mut records = Vec::new();
    Virta.decode(&mut document.as_bytes(), &ctx, &mut |found| {
        if let Decoded::Record(record, _) = found {
            records.push(*record);
        }
        Ok(())
    })?;
    Ok(records)
}

fn batch(records: &[Incoming]) -> Batch {
    let target = DebtTarget { connection: "store".into(), lane: LaneBy::Tenant, composed: false };
    Batch { tenant: TENANT.into(), at: 1, reinstate: false, records: records.to_vec(), targets: vec![target] }
}

/// An empty ledger in a directory.
async fn ledger(directory: &Path) -> Result<SqliteLedger, Failed> {
    let ledger = SqliteLedger::open(&directory.join("silta.db").to_string_lossy(), true).await?;
    ledger.migrate().await?;
    Ok(ledger)
}

/// Seconds that keeping takes.
async fn keep(batches: &[Batch]) -> Result<f64, Failed> {
    let directory = tempfile::tempdir()?;
    let ledger = ledger(directory.path()).await?;
    let start = measure::now();
    for batch in batches {
        ledger.keep(batch).await?;
    }
    let taken = start.elapsed().as_secs_f64();
    ledger.close().await;
    Ok(taken)
}

/// Seconds that inserting the same rows takes.
async fn insert(records: &[Incoming]) -> Result<f64, Failed> {
    let directory = tempfile::tempdir()?;
    ledger(directory.path()).await?.close().await;
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("silta.db"))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "8192")
        .pragma("mmap_size", "268435456");
    let mut connection = options.connect().await?;
    sqlx::query("INSERT INTO connection (id, name) VALUES (1, 'store')").execute(&mut connection).await?;
    let start = measure::now();
    for (first, chunk) in (0..).step_by(BATCH).zip(records.chunks(BATCH)) {
        insert_batch(&mut connection, first, chunk).await?;
    }
    let taken = start.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(taken)
}

/// The rows that keeping a batch of new records writes, numbered from the one after the first.
async fn insert_batch(connection: &mut SqliteConnection, first: i64, records: &[Incoming]) -> Result<(), Failed> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let rows: Vec<(i64, &Incoming)> = (first + 1..).zip(records).collect();
    rows_of(&mut tx, "content (id, learner, record, bytes)", &rows, |row, id, r| {
        row.push_bind(id).push_bind(r.learner.0.to_vec()).push_bind(id).push_bind(r.content.clone());
    })
    .await?;
    let record =
        "record (id, key, tenant, learner, lookup, source, kind, institution, version, state, digest, content)";
    rows_of(&mut tx, record, &rows, |row, id, r| {
        row.push_bind(id).push_bind(r.id.0.to_vec()).push_bind(TENANT).push_bind(r.learner.0.to_vec());
        row.push_bind(r.lookup.0.to_vec()).push_bind(r.source.to_string()).push_bind(i64::from(rank(r.kind)));
        row.push_bind(r.institution.to_string()).push_bind(1).push_bind(r.state.name());
        row.push_bind(digest(&r.digest)).push_bind(id);
    })
    .await?;
    rows_of(&mut tx, "version (record, version, tenant, at, outcome, state, digest, content)", &rows, |row, id, r| {
        row.push_bind(id).push_bind(1).push_bind(TENANT).push_bind(1).push_bind("new").push_bind(r.state.name());
        row.push_bind(digest(&r.digest)).push_bind(id);
    })
    .await?;
    rows_of(&mut tx, "debt (connection, record, learner, rank, shared, mark, since)", &rows, |row, id, r| {
        row.push_bind(1).push_bind(id).push_bind(r.learner.0.to_vec()).push_bind(i64::from(rank(r.kind)));
        row.push_bind(1).push_bind(first + 1).push_bind(1);
    })
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn rows_of(
    connection: &mut SqliteConnection,
    table: &str,
    rows: &[(i64, &Incoming)],
    bind: impl Fn(&mut Separated<'_, Sqlite, &'static str>, i64, &Incoming),
) -> Result<(), Failed> {
    let mut query = QueryBuilder::new(format!("INSERT INTO {table} "));
    query.push_values(rows, |mut row, (id, record)| bind(&mut row, *id, record));
    query.build().persistent(rows.len() == BATCH).execute(connection).await?;
    Ok(())
}

fn digest(digest: &Digest) -> Vec<u8> {
    [&digest.form.to_be_bytes()[..], &digest.hash].concat()
}
