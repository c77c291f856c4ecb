//! Problems of senders.
//!
//! A problem is known by its record, origin and code. Where a record has several with one code, their number counts:
//! of three that stay two, the last is closed.

use super::rows::{
    Cells, NewContent, insert_contents, insert_rows, keys, list, numbers, severity_from_name, severity_name, whose,
};
use super::{SqliteLedger, commit, failed, next};
use serde_json::json;
use silta_adapter::problem::Fixer;
use silta_ledger::{NewProblem, ProblemReading, RecordId, Result, StoredProblem};
use smol_str::SmolStr;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::{HashMap, VecDeque};

macro_rules! select_problems {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.tenant, p.origin, p.record, p.code, p.severity, p.fixer, c.bytes, p.opened, p.closed,
                p.closed_by FROM problem p LEFT JOIN content c ON c.id = p.content ",
            $rest
        )
    };
}

pub(super) const ALL: &str = select_problems!("WHERE p.tenant = ? AND p.id > ? ORDER BY p.id LIMIT ?");
pub(super) const OPEN: &str =
    select_problems!("WHERE p.tenant = ? AND p.id > ? AND p.closed IS NULL ORDER BY p.id LIMIT ?");
pub(super) const OF: &str = select_problems!("WHERE p.record = ? ORDER BY p.id");
pub(super) const OPEN_OF: &str = "SELECT p.id, p.record, p.code, p.content FROM problem p
    WHERE p.record IN (SELECT unhex(value) FROM json_each(?)) AND p.tenant = ? AND p.origin = ? AND p.closed IS NULL
    ORDER BY p.id";

const STAYS: &str = "UPDATE problem SET severity = p.value ->> 1, fixer = p.value ->> 2
    FROM json_each(?) p WHERE problem.id = p.value ->> 0";

/// A problem that is open: its number and that of its content.
type Open = HashMap<(RecordId, SmolStr), VecDeque<(i64, i64)>>;

/// See [`silta_ledger::Records::settle_problems`]. What stays keeps its age and tells what was read last.
pub(super) async fn settle(ledger: &SqliteLedger, reading: &ProblemReading) -> Result<()> {
    let mut tx = ledger.write().await?;
    let mut open = open_of(&mut tx, reading).await?;
    let known = whose(&mut tx, reading.problems.iter().filter_map(|p| p.record.as_ref())).await?;
    let mut fresh = next(&mut tx, reading.problems.len()).await?.content..;
    let mut contents = Vec::with_capacity(reading.problems.len());
    let (mut new, mut staying) = (Vec::new(), Vec::new());
    for (problem, fresh) in reading.problems.iter().zip(&mut fresh) {
        let stays = problem.record.and_then(|record| open.get_mut(&(record, problem.code.clone()))?.pop_front());
        let id = stays.map_or(fresh, |(_, content)| content);
        let (record, learner) = problem.record.and_then(|record| known.get(&record).copied()).unzip();
        contents.push(NewContent { id, learner, record, debt: None, bytes: &problem.content });
        match stays {
            Some((number, _)) => {
                staying.push(json!([number, severity_name(problem.severity), problem.fixer.name()]).to_string());
            }
            None => new.push((id, problem)),
        }
    }
    insert_contents(&mut tx, &contents).await?;
    sqlx::query(STAYS).bind(list(staying.into_iter())).execute(&mut *tx).await.map_err(failed)?;
    insert_problems(&mut tx, reading, &new).await?;
    let cured = numbers(open.into_values().flatten().map(|(id, _)| id));
    sqlx::query(
        "UPDATE problem SET closed = ?, closed_by = (SELECT r.version FROM record r WHERE r.key = problem.record)
         WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(reading.at)
    .bind(cured)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await
}

async fn open_of(conn: &mut SqliteConnection, reading: &ProblemReading) -> Result<Open> {
    let rows = sqlx::query(OPEN_OF)
        .bind(keys(&reading.records))
        .bind(&*reading.tenant)
        .bind(&*reading.origin)
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    let mut open = Open::new();
    for row in &rows {
        let cells = Cells::new("problem", row);
        let key = (RecordId(cells.bytes("record")?), cells.text("code")?);
        open.entry(key).or_default().push_back((cells.get("id")?, cells.get("content")?));
    }
    Ok(open)
}

async fn insert_problems(
    conn: &mut SqliteConnection,
    reading: &ProblemReading,
    new: &[(i64, &NewProblem)],
) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO problem (tenant, origin, record, code, severity, fixer, content, opened) ",
        "",
        new,
        |row, (content, problem)| {
            row.push_bind(&*reading.tenant)
                .push_bind(&*reading.origin)
                .push_bind(problem.record.map(|r| r.0.to_vec()))
                .push_bind(problem.code.to_string())
                .push_bind(severity_name(problem.severity))
                .push_bind(problem.fixer.name())
                .push_bind(*content)
                .push_bind(reading.at);
        },
    )
    .await
}

/// See [`silta_ledger::Records::problems`].
pub(super) async fn after(
    ledger: &SqliteLedger,
    tenant: &str,
    after: i64,
    closed: bool,
    limit: u32,
) -> Result<Vec<StoredProblem>> {
    let query = sqlx::query(if closed { ALL } else { OPEN }).bind(tenant).bind(after).bind(limit);
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.iter().map(problem).collect()
}

/// See [`silta_ledger::Records::problems_of`].
pub(super) async fn of(ledger: &SqliteLedger, id: RecordId) -> Result<Vec<StoredProblem>> {
    let query = sqlx::query(OF).bind(id.0.to_vec());
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.iter().map(problem).collect()
}

fn problem(row: &SqliteRow) -> Result<StoredProblem> {
    let cells = Cells::new("problem", row);
    Ok(StoredProblem {
        id: cells.get("id")?,
        tenant: cells.text("tenant")?,
        origin: cells.text("origin")?,
        record: cells.opt_bytes("record")?.map(RecordId),
        code: cells.text("code")?,
        severity: cells.named("severity", severity_from_name)?,
        fixer: cells.named("fixer", Fixer::from_name)?,
        content: cells.sealed("bytes")?,
        opened: cells.get("opened")?,
        closed: cells.get("closed")?,
        closed_by: cells.get("closed_by")?,
    })
}
