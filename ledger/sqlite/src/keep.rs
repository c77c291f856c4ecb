//! Keeping records: load what is known, judge in memory, write; a fixed number of statements for any batch.

use super::rows::{Cells, hex, insert_contents, insert_rows, keys, list, lookups, numbers};
use super::{SqliteLedger, commit, connection_id, failed, next};
use silta_adapter::record::State;
use silta_ledger::batch::{Judged, Known, Standing, judge_batch};
use silta_ledger::stored::{digest_bytes, kind_number};
use silta_ledger::{
    Batch, DebtTarget, Incoming, Kept, LaneBy, LearnerId, Lookup, Micros, Outcome, RecordId, Result, TakeBack,
};
use sqlx::SqliteConnection;

/// See [`silta_ledger::Records::keep`].
pub(super) async fn keep(ledger: &SqliteLedger, batch: &Batch) -> Result<Vec<Kept>> {
    let mut tx = ledger.write().await?;
    let known = load(&mut tx, batch).await?;
    let next = next(&mut tx, batch.records.len()).await?;
    let verdicts = judge_batch(batch, known, next.record.., next.content..)?;
    insert_contents(&mut tx, &verdicts.contents).await?;
    write_records(&mut tx, &batch.tenant, &verdicts.records).await?;
    write_versions(&mut tx, batch, &verdicts.versions).await?;
    write_arrivals(&mut tx, batch.at, &verdicts.arrivals).await?;
    if !verdicts.versions.is_empty() {
        let written = numbers(verdicts.records.iter().map(|(_, standing)| standing.row));
        for target in &batch.targets {
            if target.composed {
                mark_learners(&mut tx, target, next.tick, &written).await?;
            }
            mark_dirty(&mut tx, target, next.tick, batch.at, &written).await?;
        }
    }
    commit(tx).await?;
    Ok(verdicts.kept)
}

async fn load(conn: &mut SqliteConnection, batch: &Batch) -> Result<Known> {
    let mut known = Known::default();
    let rows = sqlx::query(
        "SELECT id, key, version, state, revision, digest, content FROM record
         WHERE key IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(keys(batch.records.iter().map(|r| &r.id)))
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("record", row);
        known.standing.insert(
            RecordId(cells.bytes("key")?),
            Standing {
                row: cells.get("id")?,
                version: cells.get("version")?,
                state: cells.named("state", State::from_name)?,
                revision: cells.get::<Option<i64>>("revision")?.map(i64::cast_unsigned),
                digest: cells.digest("digest")?,
                content: cells.get("content")?,
            },
        );
    }
    load_owners(conn, batch, &mut known).await?;
    load_superseded(conn, batch, &mut known).await?;
    Ok(known)
}

async fn load_owners(conn: &mut SqliteConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let new = batch.records.iter().filter(|r| !known.standing.contains_key(&r.id));
    let new: Vec<&Lookup> = new.map(|r| &r.lookup).collect();
    if new.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT id, lookup, kind, institution, source FROM record
         WHERE tenant = ? AND lookup IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(&*batch.tenant)
    .bind(lookups(new))
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("record", row);
        known.owners.push((
            Lookup(cells.bytes("lookup")?),
            cells.kind("kind")?,
            cells.text("institution")?,
            cells.text("source")?,
        ));
    }
    Ok(())
}

async fn load_superseded(conn: &mut SqliteConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let changed = batch.records.iter().filter_map(|r| {
        let standing = known.standing.get(&r.id).filter(|standing| standing.digest != r.digest)?;
        Some(format!("[{},\"{}\"]", standing.row, hex(&digest_bytes(&r.digest))))
    });
    let changed = list(changed);
    if changed == "[]" {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT v.position AS id, v.record, v.digest FROM json_each(?) j
         CROSS JOIN version v ON v.record = j.value ->> 0 AND v.digest = unhex(j.value ->> 1)",
    )
    .bind(changed)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("version", row);
        known.superseded.insert((cells.get("record")?, cells.digest("digest")?));
    }
    Ok(())
}

async fn write_records(conn: &mut SqliteConnection, tenant: &str, records: &[(&Incoming, Standing)]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO record
            (id, key, tenant, learner, lookup, source, kind, institution, version, state, revision, digest, content) ",
        " ON CONFLICT (id) DO UPDATE SET learner = excluded.learner, version = excluded.version,
            state = excluded.state, revision = excluded.revision, digest = excluded.digest, content = excluded.content",
        records,
        |row, (incoming, standing)| {
            row.push_bind(standing.row)
                .push_bind(incoming.id.0.to_vec())
                .push_bind(tenant)
                .push_bind(incoming.learner.0.to_vec())
                .push_bind(incoming.lookup.0.to_vec())
                .push_bind(incoming.source.to_string())
                .push_bind(kind_number(incoming.kind))
                .push_bind(incoming.institution.to_string())
                .push_bind(standing.version)
                .push_bind(standing.state.name())
                .push_bind(standing.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&standing.digest))
                .push_bind(standing.content);
        },
    )
    .await
}

async fn write_versions(conn: &mut SqliteConnection, batch: &Batch, versions: &[Judged<'_>]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content) ",
        "",
        versions,
        |row, judged| {
            row.push_bind(judged.standing.row)
                .push_bind(judged.standing.version)
                .push_bind(&*batch.tenant)
                .push_bind(batch.at)
                .push_bind(judged.outcome.name())
                .push_bind(judged.standing.state.name())
                .push_bind(judged.incoming.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&judged.standing.digest))
                .push_bind(judged.standing.content);
        },
    )
    .await
}

async fn write_arrivals(conn: &mut SqliteConnection, at: Micros, arrivals: &[Judged<'_>]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO arrival (record, version, at, outcome, state, revision, digest) ",
        "",
        arrivals,
        |row, judged| {
            row.push_bind(judged.standing.row)
                .push_bind(judged.standing.version)
                .push_bind(at)
                .push_bind(judged.outcome.name())
                .push_bind(judged.incoming.state.name())
                .push_bind(judged.incoming.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&judged.incoming.digest));
        },
    )
    .await
}

/// Marks all debts dirty of the learners that some records (a JSON list of numbers) are about, or were.
async fn mark_learners(conn: &mut SqliteConnection, target: &DebtTarget, mark: i64, records: &str) -> Result<()> {
    let connection = connection_id(conn, &target.connection).await?;
    let marked = sqlx::query(MARK_LEARNERS).bind(connection).bind(mark).bind(records);
    marked.execute(conn).await.map_err(failed)?;
    Ok(())
}

pub(super) const MARK_LEARNERS: &str = "UPDATE debt SET mark = ?2 WHERE connection = ?1 AND learner IN (
    SELECT r.learner FROM record r WHERE r.id IN (SELECT value FROM json_each(?3)) UNION
    SELECT d.learner FROM debt d WHERE d.connection = ?1 AND d.record IN (SELECT value FROM json_each(?3)))";

/// Marks the debts of some records (a JSON list of numbers) dirty, and makes those that are not there yet.
async fn mark_dirty(
    conn: &mut SqliteConnection,
    target: &DebtTarget,
    mark: i64,
    at: Micros,
    records: &str,
) -> Result<u64> {
    let connection = connection_id(conn, &target.connection).await?;
    let marked = sqlx::query(
        "INSERT INTO debt (connection, record, learner, rank, shared, mark, since)
         SELECT ?, r.id, r.learner, r.kind, ?, ?, ?
         FROM record r WHERE r.id IN (SELECT value FROM json_each(?))
         ON CONFLICT (record, connection) DO UPDATE SET mark = excluded.mark, learner = excluded.learner",
    )
    .bind(connection)
    .bind(target.lane == LaneBy::Tenant)
    .bind(mark)
    .bind(at)
    .bind(records)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(marked.rows_affected())
}

/// See [`silta_ledger::Debts::replan`].
pub(super) async fn replan(ledger: &SqliteLedger, target: &DebtTarget, tenant: &str) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let mark = next(&mut tx, 0).await?.tick;
    let connection = connection_id(&mut tx, &target.connection).await?;
    let others = sqlx::query("UPDATE debt SET mark = ? WHERE connection = ?")
        .bind(mark)
        .bind(connection)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let new = sqlx::query(
        "INSERT INTO debt (connection, record, learner, rank, mark, shared, since)
         SELECT ?1, r.id, r.learner, r.kind, ?2, ?4,
            (SELECT v.at FROM version v WHERE v.record = r.id AND v.version = r.version)
         FROM record r WHERE r.tenant = ?3
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.record = r.id AND d.connection = ?1)",
    )
    .bind(connection)
    .bind(mark)
    .bind(tenant)
    .bind(target.lane == LaneBy::Tenant)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(others.rows_affected() + new.rows_affected())
}

/// See [`silta_ledger::Records::take_back`].
pub(super) async fn take_back(ledger: &SqliteLedger, batch: &TakeBack) -> Result<u64> {
    if !batch.state.is_tombstone() {
        return Ok(0);
    }
    let mut tx = ledger.write().await?;
    let changed: Vec<i64> = sqlx::query_scalar(
        "UPDATE record SET state = ?, version = version + 1
         WHERE key IN (SELECT unhex(value) FROM json_each(?)) AND tenant = ? AND state = 'current' RETURNING id",
    )
    .bind(batch.state.name())
    .bind(keys(&batch.ids))
    .bind(&*batch.tenant)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let records = numbers(changed.iter().copied());
    let mark = next(&mut tx, 0).await?.tick;
    sqlx::query(
        "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content)
         SELECT r.id, r.version, r.tenant, ?, ?, r.state, r.revision, r.digest, r.content
         FROM json_each(?) j CROSS JOIN record r ON r.id = j.value",
    )
    .bind(batch.at)
    .bind(Outcome::Updated.name())
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query("UPDATE debt SET mark = ? WHERE record IN (SELECT value FROM json_each(?))")
        .bind(mark)
        .bind(&records)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    for target in batch.targets.iter().filter(|target| target.composed) {
        mark_learners(&mut tx, target, mark, &records).await?;
    }
    commit(tx).await?;
    Ok(changed.len() as u64)
}

/// See [`silta_ledger::Records::erase`]. What stands is spared. Rows that refer to erased contents need no change: a
/// number is never used again.
pub(super) async fn erase(ledger: &SqliteLedger, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let learner = learner.0.to_vec();
    let taken_back: Vec<(i64, bool)> = sqlx::query_as(
        "SELECT r.id, EXISTS (SELECT 1 FROM version v CROSS JOIN content c ON c.id = v.content WHERE v.record = r.id)
         FROM record r
         WHERE r.tenant = ? AND r.learner = ? AND r.state <> 'current'",
    )
    .bind(tenant)
    .bind(&learner)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if taken_back.is_empty() {
        return Ok(0);
    }
    let records = numbers(taken_back.iter().map(|(id, _)| *id));
    sqlx::query(
        "DELETE FROM content WHERE learner = ?
            AND (record IS NULL OR record IN (SELECT value FROM json_each(?)))",
    )
    .bind(&learner)
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query(
        "UPDATE problem SET closed = ? WHERE closed IS NULL AND record IN
            (SELECT key FROM record WHERE id IN (SELECT value FROM json_each(?)))",
    )
    .bind(at)
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query(
        "UPDATE credential SET document = NULL WHERE item IN
            (SELECT key FROM record WHERE id IN (SELECT value FROM json_each(?)))",
    )
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(taken_back.iter().filter(|(_, blanked)| *blanked).count() as u64)
}
