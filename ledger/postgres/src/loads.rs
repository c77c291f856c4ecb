//! Loads and their manifests.

use super::plans::{drop_unused, lock_debts, rest};
use super::rows::{keys, opt_digest_bytes};
use super::{PostgresLedger, commit, connection_id, failed};
use silta_ledger::rows::{EntryRow, LoadRow};
use silta_ledger::{Load, LoadStatus, ManifestEntry, Micros, NewLoad, RecordId, Result, Shrinkage};
use sqlx::PgConnection;
use std::collections::BTreeMap;

macro_rules! select_loads {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            LoadRow,
            "SELECT l.id, c.name AS connection, l.tenant, l.at, l.status, l.reason, l.items, l.closed
             FROM load l JOIN connection c ON c.id = l.connection " + $rest
            $(, $parameter)*
        )
    };
}

/// See [`silta_ledger::Debts::open_load`].
pub(super) async fn open(ledger: &PostgresLedger, load: &NewLoad) -> Result<i64> {
    let mut tx = ledger.write().await?;
    let connection = connection_id(&mut tx, &load.connection).await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO load (connection, tenant, at, status, reason) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        connection,
        &*load.tenant,
        load.at,
        load.status.name(),
        load.reason
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(id)
}

/// See [`silta_ledger::Debts::add_to_manifest`]. The debts are locked: a plan that was being written is seen here, and a
/// later one sees the manifest.
pub(super) async fn add(ledger: &PostgresLedger, load: i64, entries: &[ManifestEntry]) -> Result<()> {
    // Of an item that is named twice the last entry counts.
    let entries: BTreeMap<RecordId, &ManifestEntry> = entries.iter().map(|e| (e.item, e)).collect();
    let debts: Vec<i64> = entries.values().map(|e| e.debt).collect();
    let items = keys(entries.keys());
    let generations: Vec<i64> = entries.values().map(|e| e.generation).collect();
    let digests: Vec<Option<Vec<u8>>> = entries.values().map(|e| opt_digest_bytes(e.digest.as_ref())).collect();
    let wanted: Vec<bool> = entries.values().map(|e| e.wanted).collect();
    let placed = entries.values().filter(|e| e.digest.is_some()).count() as i64;
    let mut tx = ledger.write().await?;
    lock_debts(&mut tx, &debts).await?;
    sqlx::query!(
        "UPDATE load SET items = items + $1 - (SELECT count(*) FROM manifest m
            WHERE m.load = $2 AND m.item = ANY($3) AND m.digest IS NOT NULL)
         WHERE id = $2",
        placed,
        load,
        &items
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "INSERT INTO manifest (load, item, debt, generation, digest, wanted)
         SELECT $1, e.item, e.debt, e.generation, e.digest, e.wanted
         FROM unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[], $6::boolean[])
            AS e (item, debt, generation, digest, wanted)
         ON CONFLICT (load, item) DO UPDATE SET debt = excluded.debt, generation = excluded.generation,
            digest = excluded.digest, wanted = excluded.wanted",
        load,
        &items,
        &debts,
        &generations,
        &digests as &[Option<Vec<u8>>],
        &wanted,
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await
}

/// See [`silta_ledger::Debts::close_load`].
pub(super) async fn close(
    ledger: &PostgresLedger,
    load: i64,
    at: Micros,
    status: LoadStatus,
    reason: &str,
) -> Result<()> {
    let mut tx = ledger.write().await?;
    let debts = sqlx::query_scalar!("SELECT debt FROM manifest WHERE load = $1", load)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
    lock_debts(&mut tx, &debts).await?;
    finish(&mut tx, load, at, status, reason).await?;
    commit(tx).await
}

/// Changes the status of a load that is not closed yet, with all that follows for its debts.
pub(super) async fn finish(
    conn: &mut PgConnection,
    load: i64,
    at: Micros,
    status: LoadStatus,
    reason: &str,
) -> Result<()> {
    let changed = sqlx::query!(
        "UPDATE load SET status = $1, reason = $2, closed = $3 WHERE id = $4 AND closed IS NULL",
        status.name(),
        reason,
        status.closed().then_some(at),
        load
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    match status {
        _ if changed.rows_affected() == 0 => Ok(()),
        LoadStatus::Failed => unsure(conn, load).await,
        LoadStatus::Delivered => delivered(conn, load, at).await,
        _ => Ok(()),
    }
}

/// It is open whether a failed load arrived: whether there is what it said, or what was last accepted.
async fn unsure(conn: &mut PgConnection, load: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE debt SET unsure = true FROM manifest m
         WHERE m.load = $1 AND debt.id = m.debt AND m.digest IS DISTINCT FROM debt.sent_digest",
        load
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Moves the sent watermark to what a load carried, whatever was raised meanwhile, unless a newer generation was
/// accepted since; and pays what is still owed in the same generation. Carried content is that of a watermark: nothing
/// is planned anew under a load.
async fn delivered(conn: &mut PgConnection, load: i64, at: Micros) -> Result<()> {
    let debts = sqlx::query_scalar!(
        "UPDATE debt SET
            state = CASE WHEN p.pays THEN 'sent' ELSE debt.state END,
            fixer = CASE WHEN p.pays THEN NULL ELSE debt.fixer END,
            reason = CASE WHEN p.pays THEN '' ELSE debt.reason END,
            unsure = debt.unsure AND debt.generation <> p.generation, sent_at = $2,
            sent_content = CASE p.digest
                WHEN sent_digest THEN coalesce(sent_content, CASE WHEN sent_digest = wanted_digest THEN wanted_content END)
                WHEN CASE WHEN debt.wanted = 'present' THEN wanted_digest END THEN wanted_content
                WHEN confirmed_digest THEN confirmed_content END,
            sent_digest = p.digest
         FROM (SELECT m.debt, m.generation, m.digest, m.wanted, l.at, coalesce(m.wanted AND m.generation = d.generation
                AND CASE WHEN m.digest IS NULL THEN d.wanted = 'absent' ELSE m.digest = d.wanted_digest END
                AND d.state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting'), false) AS pays
            FROM load l JOIN manifest m ON m.load = l.id JOIN debt d ON d.id = m.debt WHERE l.id = $1) p
         WHERE debt.id = p.debt AND (p.digest IS NOT NULL OR p.wanted OR debt.sent_digest IS NOT NULL)
            AND (debt.generation = p.generation OR sent_at IS NULL OR sent_at < p.at)
         RETURNING debt.id",
        load,
        at
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    rest(conn, &debts).await?;
    drop_unused(conn, &debts).await
}

/// See [`silta_ledger::Debts::loads`].
pub(super) async fn list(
    ledger: &PostgresLedger,
    connection: Option<&str>,
    held: bool,
    limit: u32,
) -> Result<Vec<Load>> {
    let query = select_loads!(
        "WHERE ($1::text IS NULL OR c.name = $1) AND (NOT $2 OR l.status = 'held') ORDER BY l.id DESC LIMIT $3",
        connection,
        held,
        i64::from(limit)
    );
    query.fetch_all(&ledger.pool).await.map_err(failed)?.into_iter().map(LoadRow::read).collect()
}

/// See [`silta_ledger::Debts::load`].
pub(super) async fn one(ledger: &PostgresLedger, id: i64) -> Result<Option<Load>> {
    let query = select_loads!("WHERE l.id = $1", id);
    query.fetch_optional(&ledger.pool).await.map_err(failed)?.map(LoadRow::read).transpose()
}

/// See [`silta_ledger::Debts::loads_of`]. A load of one item is found by asking each load for it, newest first: there
/// are few loads and many items.
pub(super) async fn of(ledger: &PostgresLedger, record: RecordId, limit: u32) -> Result<Vec<Load>> {
    let query = select_loads!(
        "WHERE EXISTS (SELECT 1 FROM manifest m WHERE m.load = l.id AND m.item = $1) ORDER BY l.id DESC LIMIT $2",
        &record.0[..],
        i64::from(limit)
    );
    query.fetch_all(&ledger.pool).await.map_err(failed)?.into_iter().map(LoadRow::read).collect()
}

/// See [`silta_ledger::Debts::manifest`].
pub(super) async fn manifest(
    ledger: &PostgresLedger,
    load: i64,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<ManifestEntry>> {
    let rows = sqlx::query_as!(
        EntryRow,
        "SELECT load, debt, item, generation, digest, wanted FROM manifest
         WHERE load = $1 AND item > $2 ORDER BY item LIMIT $3",
        load,
        after.map_or_else(Vec::new, |id| id.0.to_vec()),
        i64::from(limit)
    );
    rows.fetch_all(&ledger.pool).await.map_err(failed)?.into_iter().map(EntryRow::read).collect()
}

/// See [`silta_ledger::Debts::shrinkage`].
pub(super) async fn shrinkage(ledger: &PostgresLedger, connection: &str, load: i64) -> Result<Shrinkage> {
    let last = sqlx::query!(
        "SELECT id, items FROM load WHERE connection = (SELECT id FROM connection WHERE name = $1)
            AND status = 'delivered' AND tenant = (SELECT tenant FROM load WHERE id = $2) ORDER BY id DESC LIMIT 1",
        connection,
        load
    )
    .fetch_optional(&ledger.pool)
    .await
    .map_err(failed)?;
    let Some(last) = last else { return Ok(Shrinkage { before: None, removed: 0 }) };
    let removed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "removed!" FROM manifest old
        WHERE old.load = $1 AND old.digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM manifest new
            WHERE new.load = $2 AND new.item = old.item AND new.digest IS NOT NULL)"#,
        last.id,
        load
    )
    .fetch_one(&ledger.pool)
    .await
    .map_err(failed)?;
    Ok(Shrinkage { before: Some(last.items), removed })
}
