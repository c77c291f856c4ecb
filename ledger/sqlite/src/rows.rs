//! Between rows and types: the one place where columns are read and parameters are made.

use super::failed;
use silta_adapter::canonical::Digest;
use silta_adapter::problem::Severity;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::{LearnerId, LedgerError, Lookup, RecordId, Result, StoredRecord, rank};
use smol_str::SmolStr;
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::HashMap;
use std::fmt::Write;

/// Rows of one multi-row statement. A full chunk keeps its prepared statement; the rest of a batch is prepared anew.
const CHUNK: usize = 500;

/// Columns of a record `r` that do not change with its version.
macro_rules! record_columns {
    () => {
        "r.key, r.tenant, r.learner, r.source, r.kind, r.institution"
    };
}
pub(super) use record_columns;

/// A row being read.
pub(super) struct Cells<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Cells<'r> {
    /// A row of (mainly) this table.
    pub(super) fn new(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    /// The row is not what it should be.
    pub(super) fn bad(&self, column: &'static str) -> LedgerError {
        let row = self.row.try_get::<i64, _>("id").map_or_else(|_| "?".to_owned(), |id| id.to_string());
        LedgerError::Inconsistent { table: self.table, column, row }
    }

    /// A plain value.
    pub(super) fn get<T>(&self, column: &'static str) -> Result<T>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|_| self.bad(column))
    }

    /// A text.
    pub(super) fn text(&self, column: &'static str) -> Result<SmolStr> {
        Ok(self.get::<&str>(column)?.into())
    }

    /// A text that may be absent.
    pub(super) fn opt_text(&self, column: &'static str) -> Result<Option<SmolStr>> {
        Ok(self.get::<Option<&str>>(column)?.map(SmolStr::from))
    }

    /// A value stored by its name.
    pub(super) fn named<T>(&self, column: &'static str, from_name: fn(&str) -> Option<T>) -> Result<T> {
        from_name(self.get(column)?).ok_or_else(|| self.bad(column))
    }

    /// A value stored by its name, that may be absent.
    pub(super) fn opt_named<T>(&self, column: &'static str, from_name: fn(&str) -> Option<T>) -> Result<Option<T>> {
        let name: Option<&str> = self.get(column)?;
        name.map(|name| from_name(name).ok_or_else(|| self.bad(column))).transpose()
    }

    /// A kind of record.
    pub(super) fn kind(&self, column: &'static str) -> Result<RecordKind> {
        let number = usize::try_from(self.get::<i64>(column)?).map_err(|_| self.bad(column))?;
        RecordKind::ALL.get(number).copied().ok_or_else(|| self.bad(column))
    }

    /// Sealed bytes; empty if they were erased.
    pub(super) fn sealed(&self, column: &'static str) -> Result<Vec<u8>> {
        Ok(self.get::<Option<Vec<u8>>>(column)?.unwrap_or_default())
    }

    /// A pseudonym that may be absent.
    pub(super) fn opt_bytes<const N: usize>(&self, column: &'static str) -> Result<Option<[u8; N]>> {
        let bytes: Option<&[u8]> = self.get(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.bad(column))).transpose()
    }

    /// A pseudonym or hash.
    pub(super) fn bytes<const N: usize>(&self, column: &'static str) -> Result<[u8; N]> {
        self.opt_bytes(column)?.ok_or_else(|| self.bad(column))
    }

    /// A digest that may be absent.
    pub(super) fn opt_digest(&self, column: &'static str) -> Result<Option<Digest>> {
        let digest = |[a, b, hash @ ..]: [u8; 34]| Digest { form: u16::from_be_bytes([a, b]), hash };
        Ok(self.opt_bytes(column)?.map(digest))
    }

    /// A digest.
    pub(super) fn digest(&self, column: &'static str) -> Result<Digest> {
        self.opt_digest(column)?.ok_or_else(|| self.bad(column))
    }

    /// A content with its digest, if both are there.
    pub(super) fn content(&self, digest: &'static str, bytes: &'static str) -> Result<Option<(Digest, Vec<u8>)>> {
        Ok(self.opt_digest(digest)?.zip(self.get(bytes)?))
    }

    /// A record: `record_columns!()`, `version`, `state`, `revision`, `digest`, and `bytes` of its content.
    pub(super) fn record(&self) -> Result<StoredRecord> {
        Ok(StoredRecord {
            id: RecordId(self.bytes("key")?),
            tenant: self.text("tenant")?,
            learner: LearnerId(self.bytes("learner")?),
            source: self.text("source")?,
            kind: self.kind("kind")?,
            institution: self.text("institution")?,
            version: self.get("version")?,
            state: self.named("state", State::from_name)?,
            revision: self.get::<Option<i64>>("revision")?.map(i64::cast_unsigned),
            digest: self.digest("digest")?,
            content: self.get("bytes")?,
        })
    }
}

/// The number of a kind: its place in the order of sending.
pub(super) fn kind_number(kind: RecordKind) -> i64 {
    i64::from(rank(kind))
}

/// A digest as stored.
pub(super) fn digest_bytes(digest: &Digest) -> Vec<u8> {
    [&digest.form.to_be_bytes()[..], &digest.hash].concat()
}

/// The name of a severity.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The severity with this name.
pub(super) fn severity_from_name(name: &str) -> Option<Severity> {
    [Severity::Warning, Severity::Error].into_iter().find(|s| severity_name(*s) == name)
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

/// Inserts many rows by few statements: `head` is `INSERT INTO table (columns) `, `tail` what follows the values.
pub(super) async fn insert_rows<T>(
    conn: &mut SqliteConnection,
    head: &'static str,
    tail: &'static str,
    rows: &[T],
    mut bind: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<()> {
    for chunk in rows.chunks(CHUNK) {
        let mut query = QueryBuilder::new(head);
        query.push_values(chunk, |mut row, value| bind(&mut row, value));
        query.push(tail);
        query.build().persistent(chunk.len() == CHUNK).execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}

/// A content to store.
pub(super) struct NewContent<'a> {
    /// Its number.
    pub(super) id: i64,
    /// Whom it can name.
    pub(super) learner: Option<LearnerId>,
    /// The record it is about, if it is known.
    pub(super) record: Option<i64>,
    /// The debt that owns it.
    pub(super) debt: Option<i64>,
    /// The sealed bytes.
    pub(super) bytes: &'a [u8],
}

/// Stores contents; one that has its number already is replaced.
pub(super) async fn insert_contents(conn: &mut SqliteConnection, contents: &[NewContent<'_>]) -> Result<()> {
    let head = "INSERT INTO content (id, learner, record, debt, bytes) ";
    let tail = " ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes";
    insert_rows(conn, head, tail, contents, |row, content| {
        row.push_bind(content.id)
            .push_bind(content.learner.map(|l| l.0.to_vec()))
            .push_bind(content.record)
            .push_bind(content.debt)
            .push_bind(content.bytes.to_vec());
    })
    .await
}

/// Numbers and learners of those of some records that are known.
pub(super) async fn whose<'a>(
    conn: &mut SqliteConnection,
    ids: impl IntoIterator<Item = &'a RecordId>,
) -> Result<HashMap<RecordId, (i64, LearnerId)>> {
    let rows = sqlx::query("SELECT id, key, learner FROM record WHERE key IN (SELECT unhex(value) FROM json_each(?))")
        .bind(keys(ids))
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    let known = |row| {
        let cells = Cells::new("record", row);
        Ok((RecordId(cells.bytes("key")?), (cells.get("id")?, LearnerId(cells.bytes("learner")?))))
    };
    rows.iter().map(known).collect()
}
