//! Problems of senders.
//!
//! A problem is known by its record, origin and code. Where a record has several with one code, their number counts:
//! of three that stay two, the last is closed.

use super::rows::{insert_contents, keys, whose};
use super::{PostgresLedger, commit, content_numbers, failed, lock_tenant};
use silta_ledger::batch::NewContent;
use silta_ledger::rows::{ProblemRow, row};
use silta_ledger::stored::severity_name;
use silta_ledger::{NewProblem, ProblemReading, RecordId, Result, StoredProblem};
use smol_str::SmolStr;
use sqlx::PgConnection;
use std::collections::{HashMap, VecDeque};

macro_rules! select_problems {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            ProblemRow,
            r#"SELECT p.id, p.tenant, p.origin, p.record, p.code, p.severity, p.fixer, c.bytes AS "bytes?", p.opened,
                p.closed, p.closed_by FROM problem p LEFT JOIN content c ON c.id = p.content "# + $rest
            $(, $parameter)*
        )
    };
}

/// A problem that is open: its number and that of its content.
type Open = HashMap<(RecordId, SmolStr), VecDeque<(i64, i64)>>;

/// Problems that stay open, column by column.
#[derive(Default)]
struct Staying {
    ids: Vec<i64>,
    severities: Vec<String>,
    fixers: Vec<String>,
}

/// See [`silta_ledger::Records::settle_problems`]. What stays keeps its age and tells what was read last.
pub(super) async fn settle(ledger: &PostgresLedger, reading: &ProblemReading) -> Result<()> {
    // Mostly there is nothing to tell and nothing to cure: nobody waits for that.
    if reading.problems.is_empty()
        && open_of(&mut *ledger.pool.acquire().await.map_err(failed)?, reading).await?.is_empty()
    {
        return Ok(());
    }
    let mut tx = ledger.write().await?;
    lock_tenant(&mut tx, &reading.tenant).await?;
    let mut open = open_of(&mut tx, reading).await?;
    let known = whose(&mut tx, reading.problems.iter().filter_map(|p| p.record.as_ref())).await?;
    let numbers = content_numbers(&mut tx, reading.problems.len()).await?;
    let mut contents = Vec::with_capacity(reading.problems.len());
    let (mut new, mut staying) = (Vec::new(), Staying::default());
    for (problem, fresh) in reading.problems.iter().zip(numbers) {
        let stays = problem.record.and_then(|record| open.get_mut(&(record, problem.code.clone()))?.pop_front());
        let id = stays.map_or(fresh, |(_, content)| content);
        let (record, learner) = problem.record.and_then(|record| known.get(&record).copied()).unzip();
        contents.push(NewContent { id, learner, record, debt: None, bytes: &problem.content });
        match stays {
            Some((number, _)) => {
                staying.ids.push(number);
                staying.severities.push(severity_name(problem.severity).to_owned());
                staying.fixers.push(problem.fixer.name().to_owned());
            }
            None => new.push((id, problem)),
        }
    }
    insert_contents(&mut tx, &contents).await?;
    sqlx::query!(
        "UPDATE problem SET severity = p.severity, fixer = p.fixer
         FROM unnest($1::bigint[], $2::text[], $3::text[]) AS p (id, severity, fixer) WHERE problem.id = p.id",
        &staying.ids,
        &staying.severities,
        &staying.fixers
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    insert_problems(&mut tx, reading, &new).await?;
    let cured: Vec<i64> = open.into_values().flatten().map(|(id, _)| id).collect();
    sqlx::query!(
        "UPDATE problem SET closed = $1, closed_by = (SELECT r.version FROM record r WHERE r.key = problem.record)
         WHERE id = ANY($2)",
        reading.at,
        &cured
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await
}

async fn open_of(conn: &mut PgConnection, reading: &ProblemReading) -> Result<Open> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.record AS "record!", p.code, p.content
        FROM (SELECT * FROM problem WHERE record = ANY($1) OFFSET 0) p
        WHERE p.tenant = $2 AND p.origin = $3 AND p.closed IS NULL ORDER BY p.id"#,
        &keys(reading.records.iter().chain(reading.problems.iter().filter_map(|p| p.record.as_ref()))),
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

async fn insert_problems(conn: &mut PgConnection, reading: &ProblemReading, new: &[(i64, &NewProblem)]) -> Result<()> {
    let records: Vec<Option<Vec<u8>>> = new.iter().map(|(_, p)| p.record.map(|r| r.0.to_vec())).collect();
    let codes: Vec<String> = new.iter().map(|(_, p)| p.code.to_string()).collect();
    let severities: Vec<String> = new.iter().map(|(_, p)| severity_name(p.severity).to_owned()).collect();
    let fixers: Vec<String> = new.iter().map(|(_, p)| p.fixer.name().to_owned()).collect();
    let contents: Vec<i64> = new.iter().map(|(id, _)| *id).collect();
    sqlx::query!(
        "INSERT INTO problem (tenant, origin, record, code, severity, fixer, content, opened)
         SELECT $1, $2, n.record, n.code, n.severity, n.fixer, n.content, $3
         FROM unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::bigint[]) WITH ORDINALITY
            AS n (record, code, severity, fixer, content, turn) ORDER BY n.turn",
        &*reading.tenant,
        &*reading.origin,
        reading.at,
        &records as &[Option<Vec<u8>>],
        &codes,
        &severities,
        &fixers,
        &contents,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// See [`silta_ledger::Records::problems`].
pub(super) async fn after(
    ledger: &PostgresLedger,
    tenant: &str,
    after: i64,
    closed: bool,
    limit: u32,
) -> Result<Vec<StoredProblem>> {
    let limit = i64::from(limit);
    let rows = match closed {
        true => {
            select_problems!("WHERE p.tenant = $1 AND p.id > $2 ORDER BY p.id LIMIT $3", tenant, after, limit)
                .fetch_all(&ledger.pool)
                .await
        }
        false => {
            select_problems!(
                "WHERE p.tenant = $1 AND p.id > $2 AND p.closed IS NULL ORDER BY p.id LIMIT $3",
                tenant,
                after,
                limit
            )
            .fetch_all(&ledger.pool)
            .await
        }
    };
    rows.map_err(failed)?.into_iter().map(ProblemRow::read).collect()
}

/// See [`silta_ledger::Records::problems_of`].
pub(super) async fn of(ledger: &PostgresLedger, id: RecordId) -> Result<Vec<StoredProblem>> {
    let query = select_problems!("WHERE p.record = $1 ORDER BY p.id", &id.0[..]);
    query.fetch_all(&ledger.pool).await.map_err(failed)?.into_iter().map(ProblemRow::read).collect()
}
