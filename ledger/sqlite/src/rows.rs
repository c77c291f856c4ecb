//! Parameters: lists travel as one JSON text, many wide rows as one statement.

use super::failed;
use silta_ledger::batch::NewContent;
use silta_ledger::rows::row;
use silta_ledger::{LearnerId, Lookup, RecordId, Result};
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::collections::HashMap;
use std::fmt::Write;

/// Rows of one multi-row statement. A full chunk keeps its prepared statement; the rest of a batch is prepared anew.
pub(super) const CHUNK: usize = 500;

/// Inserts many rows by few statements. What is written is the statement for one row, which the compiler checks, and
/// the values of each.
macro_rules! insert_rows {
    ($conn:expr, $rows:expr, |$row:pat_param| $head:tt, $values:tt, $tail:tt, $($value:expr),+ $(,)?) => {
        for chunk in $rows.chunks($crate::rows::CHUNK) {
            let mut arguments = sqlx::sqlite::SqliteArguments::default();
            for $row in chunk {
                if false {
                    // Checked, and never run.
                    let _ = sqlx::query!($head + " VALUES " + $values + " " + $tail, $($value),+);
                }
                $(sqlx::Arguments::add(&mut arguments, $value).map_err(sqlx::Error::Encode).map_err(failed)?;)+
            }
            $crate::rows::run(&mut *$conn, [$head, $values, $tail], chunk.len(), arguments).await?;
        }
    };
}
pub(super) use insert_rows;

/// Runs the statement of [`insert_rows!`] for so many rows.
pub(super) async fn run(
    conn: &mut SqliteConnection,
    [head, values, tail]: [&'static str; 3],
    rows: usize,
    arguments: SqliteArguments,
) -> Result<()> {
    let sql = format!("{head} VALUES {} {tail}", vec![values; rows].join(", "));
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(rows == CHUNK);
    query.execute(conn).await.map_err(failed)?;
    Ok(())
}

/// Bytes that travel in JSON as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Numbers as one JSON parameter.
pub(super) fn numbers(numbers: impl IntoIterator<Item = i64>) -> String {
    list(numbers.into_iter().map(|n| n.to_string()))
}

/// Records as one JSON parameter of hexadecimal texts.
pub(super) fn keys<'a>(ids: impl IntoIterator<Item = &'a RecordId>) -> String {
    list(ids.into_iter().map(|id| format!("\"{}\"", hex(&id.0))))
}

/// Look-up pseudonyms as one JSON parameter of hexadecimal texts.
pub(super) fn lookups<'a>(lookups: impl IntoIterator<Item = &'a Lookup>) -> String {
    list(lookups.into_iter().map(|lookup| format!("\"{}\"", hex(&lookup.0))))
}

/// JSON values as one JSON array.
pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    let mut out = String::from("[");
    for value in values {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&value);
    }
    out.push(']');
    out
}

/// Stores contents; one that has its number already is replaced.
pub(super) async fn insert_contents(conn: &mut SqliteConnection, contents: &[NewContent<'_>]) -> Result<()> {
    insert_rows!(
        conn,
        contents,
        |content| "INSERT INTO content (id, learner, record, debt, bytes)",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes",
        content.id,
        content.learner.map(|l| l.0.to_vec()),
        content.record,
        content.debt,
        content.bytes.to_vec(),
    );
    Ok(())
}

/// Numbers and learners of those of some records that are known.
pub(super) async fn whose<'a>(
    conn: &mut SqliteConnection,
    ids: impl IntoIterator<Item = &'a RecordId>,
) -> Result<HashMap<RecordId, (i64, LearnerId)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", key AS "key!", learner AS "learner!" FROM record
        WHERE key IN (SELECT unhex(value) FROM json_each(?))"#,
        keys(ids)
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let mut known = HashMap::with_capacity(rows.len());
    for found in rows {
        let at = row("record", found.id);
        let learner = LearnerId(at.bytes("learner", &found.learner)?);
        known.insert(RecordId(at.bytes("key", &found.key)?), (found.id, learner));
    }
    Ok(known)
}
