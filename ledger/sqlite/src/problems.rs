//! Problems of senders.
//!
//! A problem is known by its record, origin and code. Where a record has several with one code, their number counts:
//! of three that stay two, the last is closed.

use super::rows::{insert_contents, insert_rows, keys, list, numbers, whose};
use super::{SqliteLedger, commit, failed, next};
use serde_json::json;
use silta_ledger::batch::NewContent;
use silta_ledger::rows::{ProblemRow, row};
use silta_ledger::stored::severity_name;
use silta_ledger::{NewProblem, ProblemReading, RecordId, Result, StoredProblem};
use smol_str::SmolStr;
use sqlx::SqliteConnection;
use std::collections::{HashMap, VecDeque};

macro_rules! select_problems {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            ProblemRow,
            r#"SELECT p.id AS "id!", p.tenant AS "tenant!", p.origin AS "origin!", p.record, p.code AS "code!",
                p.severity AS "severity!", p.fixer AS "fixer!", c.bytes AS "bytes?", p.opened AS "opened!", p.closed,
                p.closed_by
            FROM problem p LEFT JOIN content c ON c.id = p.content "# + $rest
            $(, $parameter)*
        )
    };
}

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
    sqlx::query!(
        "UPDATE problem SET severity = p.value ->> 1, fixer = p.value ->> 2
         FROM json_each(?) p WHERE problem.id = p.value ->> 0",
        list(staying.into_iter())
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    insert_problems(&mut tx, reading, &new).await?;
    sqlx::query!(
        "UPDATE problem SET closed = ?, closed_by = (SELECT r.version FROM record r WHERE r.key = problem.record)
         WHERE id IN (SELECT value FROM json_each(?))",
        reading.at,
        numbers(open.into_values().flatten().map(|(id, _)| id))
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await
}

async fn open_of(conn: &mut SqliteConnection, reading: &ProblemReading) -> Result<Open> {
    let rows = sqlx::query!(
        r#"SELECT p.id AS "id!", p.record AS "record!", p.code AS "code!", p.content AS "content!" FROM problem p
        WHERE p.record IN (SELECT unhex(value) FROM json_each(?)) AND p.tenant = ? AND p.origin = ?
            AND p.closed IS NULL
        ORDER BY p.id"#,
        keys(reading.records.iter().chain(reading.problems.iter().filter_map(|p| p.record.as_ref()))),
        &*reading.tenant,
        &*reading.origin
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let mut open = Open::new();
    for found in rows {
        let record = RecordId(row("problem", found.id).bytes("record", &found.record)?);
        open.entry((record, found.code.into())).or_default().push_back((found.id, found.content));
    }
    Ok(open)
}

async fn insert_problems(
    conn: &mut SqliteConnection,
    reading: &ProblemReading,
    new: &[(i64, &NewProblem)],
) -> Result<()> {
    insert_rows!(
        conn,
        new,
        |(content, problem)| "INSERT INTO problem (tenant, origin, record, code, severity, fixer, content, opened)",
        "(?, ?, ?, ?, ?, ?, ?, ?)",
        "",
        &*reading.tenant,
        &*reading.origin,
        problem.record.map(|r| r.0.to_vec()),
        &*problem.code,
        severity_name(problem.severity),
        problem.fixer.name(),
        *content,
        reading.at,
    );
    Ok(())
}

/// See [`silta_ledger::Records::problems`].
pub(super) async fn after(
    ledger: &SqliteLedger,
    tenant: &str,
    after: i64,
    closed: bool,
    limit: u32,
) -> Result<Vec<StoredProblem>> {
    let mut reader = ledger.read().await?;
    let rows = match closed {
        true => {
            select_problems!("WHERE p.tenant = ? AND p.id > ? ORDER BY p.id LIMIT ?", tenant, after, limit)
                .fetch_all(&mut *reader)
                .await
        }
        false => {
            select_problems!(
                "WHERE p.tenant = ? AND p.id > ? AND p.closed IS NULL ORDER BY p.id LIMIT ?",
                tenant,
                after,
                limit
            )
            .fetch_all(&mut *reader)
            .await
        }
    };
    rows.map_err(failed)?.into_iter().map(ProblemRow::read).collect()
}

/// See [`silta_ledger::Records::problems_of`].
pub(super) async fn of(ledger: &SqliteLedger, id: RecordId) -> Result<Vec<StoredProblem>> {
    let query = select_problems!("WHERE p.record = ? ORDER BY p.id", id.0.to_vec());
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.into_iter().map(ProblemRow::read).collect()
}
