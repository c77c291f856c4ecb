//! Between rows and types: the one place where columns are read and parameters are made.

use super::failed;
use silta_adapter::canonical::Digest;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::batch::NewContent;
use silta_ledger::stored::{digest_bytes, digest_from_bytes, kind_from_number};
use silta_ledger::{LearnerId, LedgerError, RecordId, Result, StoredRecord};
use sqlx::PgConnection;
use std::collections::HashMap;

/// A row being read: its table and number, for what is wrong with it.
#[derive(Clone, Copy)]
pub(super) struct Row {
    table: &'static str,
    id: i64,
}

/// A row of (mainly) this table.
pub(super) fn row(table: &'static str, id: i64) -> Row {
    Row { table, id }
}

impl Row {
    /// The row is not what it should be.
    pub(super) fn bad(self, column: &'static str) -> LedgerError {
        LedgerError::Inconsistent { table: self.table, column, row: self.id.to_string() }
    }

    /// A value stored by its name.
    pub(super) fn named<T>(self, column: &'static str, name: &str, from_name: fn(&str) -> Option<T>) -> Result<T> {
        from_name(name).ok_or_else(|| self.bad(column))
    }

    /// A value stored by its name, that may be absent.
    pub(super) fn opt_named<T>(
        self,
        column: &'static str,
        name: Option<&str>,
        from_name: fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        name.map(|name| self.named(column, name, from_name)).transpose()
    }

    /// A kind of record.
    pub(super) fn kind(self, number: i16) -> Result<RecordKind> {
        kind_from_number(number.into()).ok_or_else(|| self.bad("kind"))
    }

    /// A pseudonym or hash.
    pub(super) fn bytes<const N: usize>(self, column: &'static str, bytes: &[u8]) -> Result<[u8; N]> {
        bytes.try_into().map_err(|_| self.bad(column))
    }

    /// A digest.
    pub(super) fn digest(self, column: &'static str, bytes: &[u8]) -> Result<Digest> {
        digest_from_bytes(bytes).ok_or_else(|| self.bad(column))
    }

    /// A digest that may be absent.
    pub(super) fn opt_digest(self, column: &'static str, bytes: Option<&[u8]>) -> Result<Option<Digest>> {
        bytes.map(|bytes| self.digest(column, bytes)).transpose()
    }
}

/// A record as it is read.
pub(super) struct RecordRow {
    pub(super) id: i64,
    pub(super) key: Vec<u8>,
    pub(super) tenant: String,
    pub(super) learner: Vec<u8>,
    pub(super) source: String,
    pub(super) kind: i16,
    pub(super) institution: String,
    pub(super) version: i64,
    pub(super) state: String,
    pub(super) revision: Option<i64>,
    pub(super) digest: Vec<u8>,
    pub(super) bytes: Option<Vec<u8>>,
}

impl RecordRow {
    pub(super) fn read(self) -> Result<StoredRecord> {
        let row = row("record", self.id);
        Ok(StoredRecord {
            id: RecordId(row.bytes("key", &self.key)?),
            tenant: self.tenant.into(),
            learner: LearnerId(row.bytes("learner", &self.learner)?),
            source: self.source.into(),
            kind: row.kind(self.kind)?,
            institution: self.institution.into(),
            version: self.version,
            state: row.named("state", &self.state, State::from_name)?,
            revision: self.revision.map(i64::cast_unsigned),
            digest: row.digest("digest", &self.digest)?,
            content: self.bytes,
        })
    }
}

/// Records as a parameter.
pub(super) fn keys<'a>(ids: impl IntoIterator<Item = &'a RecordId>) -> Vec<Vec<u8>> {
    ids.into_iter().map(|id| id.0.to_vec()).collect()
}

/// A digest as a parameter.
pub(super) fn opt_digest_bytes(digest: Option<&Digest>) -> Option<Vec<u8>> {
    digest.map(digest_bytes)
}

/// Kinds as a parameter.
pub(super) fn kind_numbers(kinds: &[RecordKind]) -> Vec<i16> {
    kinds.iter().map(|kind| i16::from(silta_ledger::rank(*kind))).collect()
}

/// Stores contents; one that has its number already is replaced.
pub(super) async fn insert_contents(conn: &mut PgConnection, contents: &[NewContent<'_>]) -> Result<()> {
    if contents.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = contents.iter().map(|c| c.id).collect();
    let learners: Vec<Option<Vec<u8>>> = contents.iter().map(|c| c.learner.map(|l| l.0.to_vec())).collect();
    let records: Vec<Option<i64>> = contents.iter().map(|c| c.record).collect();
    let debts: Vec<Option<i64>> = contents.iter().map(|c| c.debt).collect();
    let bytes: Vec<&[u8]> = contents.iter().map(|c| c.bytes).collect();
    sqlx::query!(
        "INSERT INTO content (id, learner, record, debt, bytes)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[])
         ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes",
        &ids,
        &learners as &[Option<Vec<u8>>],
        &records as &[Option<i64>],
        &debts as &[Option<i64>],
        &bytes as &[&[u8]],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Numbers and learners of those of some records that are known.
pub(super) async fn whose<'a>(
    conn: &mut PgConnection,
    ids: impl IntoIterator<Item = &'a RecordId>,
) -> Result<HashMap<RecordId, (i64, LearnerId)>> {
    let rows = sqlx::query!("SELECT id, key, learner FROM record WHERE key = ANY($1)", &keys(ids))
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
