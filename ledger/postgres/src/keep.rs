//! Keeping records: load what is known, judge in memory, write; a fixed number of statements for any batch.

use super::rows::{insert_contents, keys};
use super::{
    PostgresLedger, commit, connection_id, content_numbers, failed, lock_feed, lock_tenant, record_numbers, tick,
};
use silta_adapter::record::State;
use silta_ledger::batch::{Judged, Known, Standing, judge_batch};
use silta_ledger::rows::row;
use silta_ledger::stored::digest_bytes;
use silta_ledger::{
    Batch, DebtTarget, Incoming, Kept, LaneBy, LearnerId, Lookup, Micros, Outcome, RecordId, Result, TakeBack, rank,
};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// See [`silta_ledger::Records::keep`].
pub(super) async fn keep(ledger: &PostgresLedger, batch: &Batch) -> Result<Vec<Kept>> {
    let mut tx = ledger.write().await?;
    lock_tenant(&mut tx, &batch.tenant).await?;
    let known = load(&mut tx, batch).await?;
    let rows = record_numbers(&mut tx, batch.records.len().saturating_sub(known.standing.len())).await?;
    let contents = content_numbers(&mut tx, batch.records.len()).await?;
    let verdicts = judge_batch(batch, known, rows.into_iter(), contents.into_iter())?;
    insert_contents(&mut tx, &verdicts.contents).await?;
    write_records(&mut tx, &batch.tenant, &verdicts.records).await?;
    write_arrivals(&mut tx, batch.at, &verdicts.arrivals).await?;
    if !verdicts.versions.is_empty() {
        let mark = tick(&mut tx).await?;
        let changed: Vec<i64> = verdicts.changed().into_iter().collect();
        for target in &batch.targets {
            if target.composed {
                mark_learners(&mut tx, target, mark, &verdicts.learners).await?;
            }
            mark_dirty(&mut tx, target, mark, batch.at, &changed).await?;
        }
        write_versions(&mut tx, batch, &verdicts.versions).await?;
    }
    commit(tx).await?;
    Ok(verdicts.kept)
}

async fn load(conn: &mut PgConnection, batch: &Batch) -> Result<Known> {
    let mut known = Known::default();
    let rows = sqlx::query!(
        "SELECT id, key, learner, version, state, revision, digest, content FROM record WHERE key = ANY($1)",
        &keys(batch.records.iter().map(|r| &r.id))
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

async fn load_owners(conn: &mut PgConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let new = batch.records.iter().filter(|r| !known.standing.contains_key(&r.id));
    let new: Vec<Vec<u8>> = new.map(|r| r.lookup.0.to_vec()).collect();
    if new.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "SELECT r.id, r.lookup, r.kind, r.institution, r.source
         FROM (SELECT DISTINCT unnest($2::bytea[])) AS new (lookup) CROSS JOIN LATERAL (
            SELECT * FROM record WHERE tenant = $1 AND record.lookup = new.lookup OFFSET 0) r",
        &*batch.tenant,
        &new
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for found in rows {
        let at = row("record", found.id);
        let lookup = Lookup(at.bytes("lookup", &found.lookup)?);
        known.owners.push((lookup, at.kind(found.kind.into())?, found.institution.into(), found.source.into()));
    }
    Ok(())
}

async fn load_superseded(conn: &mut PgConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let changed = batch.records.iter().filter_map(|r| {
        let standing = known.standing.get(&r.id).filter(|standing| standing.digest != r.digest)?;
        Some((standing.row, digest_bytes(&r.digest)))
    });
    let (records, digests): (Vec<i64>, Vec<Vec<u8>>) = changed.unzip();
    if records.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "SELECT v.position, v.record, v.digest FROM unnest($1::bigint[], $2::bytea[]) AS c (record, digest)
         JOIN version v ON v.record = c.record AND v.digest = c.digest",
        &records,
        &digests
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

async fn write_records(conn: &mut PgConnection, tenant: &str, records: &[(&Incoming, Standing)]) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Incoming) -> Vec<u8>| records.iter().map(|(r, _)| of(r)).collect::<Vec<_>>();
    let ids: Vec<i64> = records.iter().map(|(_, s)| s.row).collect();
    let learners: Vec<Vec<u8>> = records.iter().map(|(_, s)| s.learner.0.to_vec()).collect();
    let sources: Vec<String> = records.iter().map(|(r, _)| r.source.to_string()).collect();
    let kinds: Vec<i16> = records.iter().map(|(r, _)| rank(r.kind).into()).collect();
    let institutions: Vec<String> = records.iter().map(|(r, _)| r.institution.to_string()).collect();
    let versions: Vec<i64> = records.iter().map(|(_, s)| s.version).collect();
    let states: Vec<String> = records.iter().map(|(_, s)| s.state.name().to_owned()).collect();
    let revisions: Vec<Option<i64>> = records.iter().map(|(_, s)| s.revision.map(u64::cast_signed)).collect();
    let digests: Vec<Vec<u8>> = records.iter().map(|(_, s)| digest_bytes(&s.digest)).collect();
    let contents: Vec<Option<i64>> = records.iter().map(|(_, s)| s.content).collect();
    sqlx::query!(
        "INSERT INTO record (id, key, tenant, learner, lookup, source, kind, institution, version, state, revision,
            digest, content)
         SELECT n.id, n.key, $1, n.learner, n.lookup, n.source, n.kind, n.institution, n.version, n.state, n.revision,
            n.digest, n.content
         FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::smallint[], $8::text[],
            $9::bigint[], $10::text[], $11::bigint[], $12::bytea[], $13::bigint[])
            AS n (id, key, learner, lookup, source, kind, institution, version, state, revision, digest, content)
         ON CONFLICT (id) DO UPDATE SET learner = excluded.learner, version = excluded.version, state = excluded.state,
            revision = excluded.revision, digest = excluded.digest, content = excluded.content",
        tenant,
        &ids,
        &column(|r| r.id.0.to_vec()),
        &learners,
        &column(|r| r.lookup.0.to_vec()),
        &sources,
        &kinds,
        &institutions,
        &versions,
        &states,
        &revisions as &[Option<i64>],
        &digests,
        &contents as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Writes versions. Must come last: other writers of the feed wait from here to the commit.
async fn write_versions(conn: &mut PgConnection, batch: &Batch, versions: &[Judged<'_>]) -> Result<()> {
    let records: Vec<i64> = versions.iter().map(|j| j.standing.row).collect();
    let numbers: Vec<i64> = versions.iter().map(|j| j.standing.version).collect();
    let outcomes: Vec<String> = versions.iter().map(|j| j.outcome.name().to_owned()).collect();
    let states: Vec<String> = versions.iter().map(|j| j.standing.state.name().to_owned()).collect();
    let revisions: Vec<Option<i64>> = versions.iter().map(|j| j.incoming.revision.map(u64::cast_signed)).collect();
    let digests: Vec<Vec<u8>> = versions.iter().map(|j| digest_bytes(&j.standing.digest)).collect();
    let contents: Vec<Option<i64>> = versions.iter().map(|j| j.standing.content).collect();
    lock_feed(conn).await?;
    sqlx::query!(
        "INSERT INTO version (position, record, version, tenant, at, outcome, state, revision, digest, content)
         SELECT nextval('feed'), n.record, n.version, $1, $2, n.outcome, n.state, n.revision, n.digest, n.content
         FROM (SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bytea[],
                $9::bigint[]) WITH ORDINALITY
            AS n (record, version, outcome, state, revision, digest, content, turn) ORDER BY turn) n",
        &*batch.tenant,
        batch.at,
        &records,
        &numbers,
        &outcomes,
        &states,
        &revisions as &[Option<i64>],
        &digests,
        &contents as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn write_arrivals(conn: &mut PgConnection, at: Micros, arrivals: &[Judged<'_>]) -> Result<()> {
    if arrivals.is_empty() {
        return Ok(());
    }
    let records: Vec<i64> = arrivals.iter().map(|j| j.standing.row).collect();
    let numbers: Vec<i64> = arrivals.iter().map(|j| j.standing.version).collect();
    let outcomes: Vec<String> = arrivals.iter().map(|j| j.outcome.name().to_owned()).collect();
    let states: Vec<String> = arrivals.iter().map(|j| j.incoming.state.name().to_owned()).collect();
    let revisions: Vec<Option<i64>> = arrivals.iter().map(|j| j.incoming.revision.map(u64::cast_signed)).collect();
    let digests: Vec<Vec<u8>> = arrivals.iter().map(|j| digest_bytes(&j.incoming.digest)).collect();
    sqlx::query!(
        "INSERT INTO arrival (record, version, at, outcome, state, revision, digest)
         SELECT n.record, n.version, $1, n.outcome, n.state, n.revision, n.digest
         FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bytea[]) WITH ORDINALITY
            AS n (record, version, outcome, state, revision, digest, turn) ORDER BY n.turn",
        at,
        &records,
        &numbers,
        &outcomes,
        &states,
        &revisions as &[Option<i64>],
        &digests,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Marks all debts of some learners dirty. Locks what [`mark_dirty`] locks after it.
async fn mark_learners(
    conn: &mut PgConnection,
    target: &DebtTarget,
    mark: i64,
    learners: &BTreeSet<LearnerId>,
) -> Result<()> {
    let connection = connection_id(conn, &target.connection).await?;
    sqlx::query!(
        "WITH theirs AS (SELECT d.id FROM debt d WHERE d.connection = $1 AND d.learner = ANY($2)
            ORDER BY d.id FOR UPDATE)
         UPDATE debt SET mark = $3 FROM theirs WHERE debt.id = theirs.id",
        connection,
        &learners.iter().map(|learner| learner.0.to_vec()).collect::<Vec<_>>(),
        mark
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Marks the debts of some records dirty, and makes those that are not there yet.
async fn mark_dirty(
    conn: &mut PgConnection,
    target: &DebtTarget,
    mark: i64,
    at: Micros,
    records: &[i64],
) -> Result<()> {
    let connection = connection_id(conn, &target.connection).await?;
    sqlx::query!(
        "WITH known AS (SELECT d.id FROM debt d WHERE d.id IN (
                SELECT o.id FROM (SELECT id, connection FROM debt WHERE record = ANY($2) OFFSET 0) o WHERE o.connection = $1)
            ORDER BY d.id FOR UPDATE)
         UPDATE debt SET mark = $3, learner = r.learner FROM known, record r
         WHERE debt.id = known.id AND r.id = debt.record",
        connection,
        records,
        mark
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "INSERT INTO debt (connection, record, learner, rank, shared, mark, since)
         SELECT $1, r.id, r.learner, r.kind, $4, $3, $5 FROM record r WHERE r.id = ANY($2) ORDER BY r.id
         ON CONFLICT (record, connection) DO NOTHING",
        connection,
        records,
        mark,
        target.lane == LaneBy::Tenant,
        at
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// See [`silta_ledger::Debts::replan`].
pub(super) async fn replan(ledger: &PostgresLedger, target: &DebtTarget, tenant: &str) -> Result<u64> {
    let mut tx = ledger.write().await?;
    lock_tenant(&mut tx, tenant).await?;
    let mark = tick(&mut tx).await?;
    let connection = connection_id(&mut tx, &target.connection).await?;
    let others = sqlx::query!(
        "WITH ours AS (SELECT d.id FROM debt d WHERE d.connection = $1 ORDER BY d.id FOR UPDATE)
         UPDATE debt SET mark = $2 FROM ours WHERE debt.id = ours.id",
        connection,
        mark
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    let new = sqlx::query!(
        "INSERT INTO debt (connection, record, learner, rank, mark, shared, since)
         SELECT $1, r.id, r.learner, r.kind, $2, $4, v.at
         FROM record r JOIN version v ON v.record = r.id AND v.version = r.version
         WHERE r.tenant = $3 AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.record = r.id AND d.connection = $1)
         ORDER BY r.id",
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
pub(super) async fn take_back(ledger: &PostgresLedger, batch: &TakeBack) -> Result<u64> {
    if !batch.state.is_tombstone() {
        return Ok(0);
    }
    let mut tx = ledger.write().await?;
    lock_tenant(&mut tx, &batch.tenant).await?;
    let changed = sqlx::query_scalar!(
        "UPDATE record SET state = $1, version = version + 1
         WHERE key = ANY($2) AND tenant = $3 AND state = 'current' RETURNING id",
        batch.state.name(),
        &keys(&batch.ids),
        &*batch.tenant
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let mark = tick(&mut tx).await?;
    let composed = batch.targets.iter().filter(|target| target.composed);
    let composed: Vec<String> = composed.map(|target| target.connection.to_string()).collect();
    sqlx::query!(
        "WITH theirs AS (SELECT d.id FROM debt d WHERE d.id IN (
                SELECT o.id FROM debt o WHERE o.record = ANY($1) UNION
                SELECT o.id FROM record r JOIN debt o ON o.learner = r.learner JOIN connection c ON c.id = o.connection
                WHERE r.id = ANY($1) AND c.name = ANY($3))
            ORDER BY d.id FOR UPDATE)
         UPDATE debt SET mark = $2 FROM theirs WHERE debt.id = theirs.id",
        &changed,
        mark,
        &composed
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    lock_feed(&mut tx).await?;
    sqlx::query!(
        "INSERT INTO version (position, record, version, tenant, at, outcome, state, revision, digest, content)
         SELECT nextval('feed'), r.id, r.version, r.tenant, $1, $2, r.state, r.revision, r.digest, r.content
         FROM unnest($3::bigint[]) AS c (id) JOIN record r ON r.id = c.id",
        batch.at,
        Outcome::Updated.name(),
        &changed
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(changed.len() as u64)
}

/// See [`silta_ledger::Records::erase`]. What stands is spared. Rows that refer to erased contents need no change: a
/// number is never used again.
pub(super) async fn erase(ledger: &PostgresLedger, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    lock_tenant(&mut tx, tenant).await?;
    let learner = learner.0.to_vec();
    let taken_back = sqlx::query!(
        r#"SELECT r.id, coalesce((SELECT true FROM version v JOIN content c ON c.id = v.content WHERE v.record = r.id
            LIMIT 1), false) AS "blanked!"
         FROM record r WHERE r.tenant = $1 AND r.learner = $2 AND r.state <> 'current'"#,
        tenant,
        &learner
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if taken_back.is_empty() {
        return Ok(0);
    }
    let records: Vec<i64> = taken_back.iter().map(|r| r.id).collect();
    sqlx::query!(
        "WITH gone AS (SELECT id, key FROM record WHERE id = ANY($2))
         DELETE FROM content WHERE id IN (
                SELECT c.id FROM content c WHERE c.learner = $1 AND (c.record IS NULL OR c.record IN (SELECT id FROM gone))
                UNION ALL SELECT v.content FROM gone JOIN version v ON v.record = gone.id
                UNION ALL SELECT d.wanted_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.sent_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.confirmed_content FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT d.losses FROM gone JOIN debt d ON d.record = gone.id
                UNION ALL SELECT p.content FROM gone JOIN problem p ON p.record = gone.key
                UNION ALL SELECT f.evidence FROM gone JOIN finding f ON f.item = gone.key)",
        &learner,
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "DELETE FROM link WHERE tenant = $1 AND learner = $2
            AND NOT EXISTS (SELECT 1 FROM record WHERE tenant = $1 AND learner = $2 AND state = 'current')",
        tenant,
        &learner
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE problem SET closed = $1
         WHERE closed IS NULL AND record IN (SELECT key FROM record WHERE id = ANY($2))",
        at,
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE credential SET document = NULL WHERE item IN (SELECT key FROM record WHERE id = ANY($1))",
        &records
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(taken_back.iter().filter(|r| r.blanked).count() as u64)
}
