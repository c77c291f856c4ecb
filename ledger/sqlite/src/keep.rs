//! Keeping records: load what is known, judge in memory, write; a fixed number of statements for any batch.

use super::rows::{hex, insert_contents, insert_rows, keys, list, lookups, numbers};
use super::{SqliteLedger, commit, connection_id, failed, next};
use silta_adapter::record::State;
use silta_ledger::batch::{Judged, Known, Standing, judge_batch};
use silta_ledger::rows::row;
use silta_ledger::stored::{digest_bytes, kind_number};
use silta_ledger::{
    Batch, DebtTarget, Incoming, Kept, LaneBy, LearnerId, Lookup, Micros, Outcome, RecordId, Result, TakeBack,
};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

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
        let changed = numbers(verdicts.changed());
        for target in &batch.targets {
            if target.composed {
                mark_learners(&mut tx, target, next.tick, &verdicts.learners).await?;
            }
            mark_dirty(&mut tx, target, next.tick, batch.at, &changed).await?;
        }
    }
    commit(tx).await?;
    Ok(verdicts.kept)
}

async fn load(conn: &mut SqliteConnection, batch: &Batch) -> Result<Known> {
    let mut known = Known::default();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", key AS "key!", learner AS "learner!", version AS "version!", state AS "state!", revision, digest AS "digest!",
            content
        FROM record WHERE key IN (SELECT unhex(value) FROM json_each(?))"#,
        keys(batch.records.iter().map(|r| &r.id))
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    for found in rows {
        let at = row("record", found.id);
        known.standing.insert(
            RecordId(at.bytes("key", &found.key)?),
            Standing {
                row: found.id,
                learner: LearnerId(at.bytes("learner", &found.learner)?),
                version: found.version,
                state: at.named("state", &found.state, State::from_name)?,
                revision: found.revision.map(i64::cast_unsigned),
                digest: at.digest("digest", &found.digest)?,
                content: found.content,
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
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", lookup AS "lookup!", kind AS "kind!", institution AS "institution!", source AS "source!"
        FROM record WHERE tenant = ? AND lookup IN (SELECT unhex(value) FROM json_each(?))"#,
        &*batch.tenant,
        lookups(new)
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for found in rows {
        let at = row("record", found.id);
        let lookup = Lookup(at.bytes("lookup", &found.lookup)?);
        known.owners.push((lookup, at.kind(found.kind)?, found.institution.into(), found.source.into()));
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
    let rows = sqlx::query!(
        r#"SELECT v.position AS "position!", v.record AS "record!", v.digest AS "digest!" FROM json_each(?) j
        CROSS JOIN version v ON v.record = j.value ->> 0 AND v.digest = unhex(j.value ->> 1)"#,
        changed
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for found in rows {
        let digest = row("version", found.position).digest("digest", &found.digest)?;
        known.superseded.insert((found.record, digest));
    }
    Ok(())
}

async fn write_records(conn: &mut SqliteConnection, tenant: &str, records: &[(&Incoming, Standing)]) -> Result<()> {
    insert_rows!(
        conn,
        records,
        |(incoming, standing)| "INSERT INTO record
            (id, key, tenant, learner, lookup, source, kind, institution, version, state, revision, digest, content)",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (id) DO UPDATE SET learner = excluded.learner, version = excluded.version,
            state = excluded.state, revision = excluded.revision, digest = excluded.digest, content = excluded.content",
        standing.row,
        incoming.id.0.to_vec(),
        tenant,
        standing.learner.0.to_vec(),
        incoming.lookup.0.to_vec(),
        &*incoming.source,
        kind_number(incoming.kind),
        &*incoming.institution,
        standing.version,
        standing.state.name(),
        standing.revision.map(u64::cast_signed),
        digest_bytes(&standing.digest),
        standing.content,
    );
    Ok(())
}

async fn write_versions(conn: &mut SqliteConnection, batch: &Batch, versions: &[Judged<'_>]) -> Result<()> {
    insert_rows!(
        conn,
        versions,
        |judged| "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content)",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "",
        judged.standing.row,
        judged.standing.version,
        &*batch.tenant,
        batch.at,
        judged.outcome.name(),
        judged.standing.state.name(),
        judged.incoming.revision.map(u64::cast_signed),
        digest_bytes(&judged.standing.digest),
        judged.standing.content,
    );
    Ok(())
}

async fn write_arrivals(conn: &mut SqliteConnection, at: Micros, arrivals: &[Judged<'_>]) -> Result<()> {
    insert_rows!(
        conn,
        arrivals,
        |judged| "INSERT INTO arrival (record, version, at, outcome, state, revision, digest)",
        "(?, ?, ?, ?, ?, ?, ?)",
        "",
        judged.standing.row,
        judged.standing.version,
        at,
        judged.outcome.name(),
        judged.incoming.state.name(),
        judged.incoming.revision.map(u64::cast_signed),
        digest_bytes(&judged.incoming.digest),
    );
    Ok(())
}

/// Marks all debts of some learners dirty.
async fn mark_learners(
    conn: &mut SqliteConnection,
    target: &DebtTarget,
    mark: i64,
    learners: &BTreeSet<LearnerId>,
) -> Result<()> {
    let connection = connection_id(conn, &target.connection).await?;
    sqlx::query!(
        "UPDATE debt SET mark = ? WHERE connection = ? AND learner IN (SELECT unhex(value) FROM json_each(?))",
        mark,
        connection,
        list(learners.iter().map(|learner| format!("\"{}\"", hex(&learner.0))))
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Marks the debts of some records (a JSON list of numbers) dirty, and makes those that are not there yet.
async fn mark_dirty(
    conn: &mut SqliteConnection,
    target: &DebtTarget,
    mark: i64,
    at: Micros,
    records: &str,
) -> Result<u64> {
    let connection = connection_id(conn, &target.connection).await?;
    let marked = sqlx::query!(
        "INSERT INTO debt (connection, record, learner, rank, shared, mark, since)
         SELECT ?, r.id, r.learner, r.kind, ?, ?, ?
         FROM record r WHERE r.id IN (SELECT value FROM json_each(?))
         ON CONFLICT (record, connection) DO UPDATE SET mark = excluded.mark, learner = excluded.learner",
        connection,
        target.lane == LaneBy::Tenant,
        mark,
        at,
        records
    )
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
    let others = sqlx::query!("UPDATE debt SET mark = ? WHERE connection = ?", mark, connection)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let new = sqlx::query!(
        "INSERT INTO debt (connection, record, learner, rank, mark, shared, since)
         SELECT ?1, r.id, r.learner, r.kind, ?2, ?4,
            (SELECT v.at FROM version v WHERE v.record = r.id AND v.version = r.version)
         FROM record r WHERE r.tenant = ?3
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.record = r.id AND d.connection = ?1)",
        connection,
        mark,
        tenant,
        target.lane == LaneBy::Tenant
    )
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
    let changed = sqlx::query!(
        r#"UPDATE record SET state = ?, version = version + 1
         WHERE key IN (SELECT unhex(value) FROM json_each(?)) AND tenant = ? AND state = 'current'
         RETURNING id AS "id!", learner AS "learner!: Vec<u8>""#,
        batch.state.name(),
        keys(&batch.ids),
        &*batch.tenant
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let records = numbers(changed.iter().map(|found| found.id));
    let mut learners = BTreeSet::new();
    for found in &changed {
        learners.insert(LearnerId(row("record", found.id).bytes("learner", &found.learner)?));
    }
    let mark = next(&mut tx, 0).await?.tick;
    sqlx::query!(
        "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content)
         SELECT r.id, r.version, r.tenant, ?, ?, r.state, r.revision, r.digest, r.content
         FROM json_each(?) j CROSS JOIN record r ON r.id = j.value",
        batch.at,
        Outcome::Updated.name(),
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!("UPDATE debt SET mark = ? WHERE record IN (SELECT value FROM json_each(?))", mark, &records)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    for target in batch.targets.iter().filter(|target| target.composed) {
        mark_learners(&mut tx, target, mark, &learners).await?;
    }
    commit(tx).await?;
    Ok(changed.len() as u64)
}

/// See [`silta_ledger::Records::erase`]. What stands is spared. Rows that refer to erased contents need no change: a
/// number is never used again.
pub(super) async fn erase(ledger: &SqliteLedger, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let learner = learner.0.to_vec();
    let taken_back = sqlx::query!(
        r#"SELECT r.id AS "id!", EXISTS (SELECT 1 FROM version v CROSS JOIN content c ON c.id = v.content
            WHERE v.record = r.id) AS "blanked!: bool"
        FROM record r WHERE r.tenant = ? AND r.learner = ? AND r.state <> 'current'"#,
        tenant,
        &learner
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if taken_back.is_empty() {
        return Ok(0);
    }
    let records = numbers(taken_back.iter().map(|found| found.id));
    sqlx::query!(
        "WITH gone AS (SELECT id, key FROM record WHERE id IN (SELECT value FROM json_each(?2)))
         DELETE FROM content WHERE id IN (
                SELECT c.id FROM content c WHERE c.learner = ?1 AND (c.record IS NULL OR c.record IN (SELECT id FROM gone))
                UNION ALL SELECT v.content FROM gone JOIN version v ON v.record = gone.id
                UNION ALL SELECT d.wanted_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.sent_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.confirmed_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.losses FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT p.content FROM gone JOIN problem p ON p.record = gone.key
                UNION ALL SELECT f.evidence FROM gone JOIN finding f ON f.item = gone.key)",
        learner,
        records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "DELETE FROM link WHERE tenant = ?1 AND learner = ?2
            AND NOT EXISTS (SELECT 1 FROM record WHERE tenant = ?1 AND learner = ?2 AND state = 'current')",
        tenant,
        learner
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE problem SET closed = ? WHERE closed IS NULL AND record IN
            (SELECT key FROM record WHERE id IN (SELECT value FROM json_each(?)))",
        at,
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE credential SET document = NULL WHERE item IN
            (SELECT key FROM record WHERE id IN (SELECT value FROM json_each(?)))",
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(taken_back.iter().filter(|found| found.blanked).count() as u64)
}
