//! Parameters: lists travel as arrays.

use super::failed;
use silta_adapter::canonical::Digest;
use silta_adapter::record::RecordKind;
use silta_ledger::batch::NewContent;
use silta_ledger::rows::row;
use silta_ledger::stored::digest_bytes;
use silta_ledger::{LearnerId, RecordId, Result};
use sqlx::PgConnection;
use std::collections::HashMap;

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
