//! Loads and their manifests.

use super::plans::{drop_unused, rest};
use super::rows::{insert_rows, keys};
use super::{SqliteLedger, commit, connection_id, failed};
use silta_ledger::rows::{EntryRow, LoadRow};
use silta_ledger::stored::digest_bytes;
use silta_ledger::{Load, LoadStatus, ManifestEntry, Micros, NewLoad, RecordId, Result, Shrinkage};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

macro_rules! select_loads {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            LoadRow,
            r#"SELECT l.id AS "id!", c.name AS "connection!", l.tenant AS "tenant!", l.at AS "at!", l.status AS "status!",
                l.reason AS "reason!", l.items AS "items!", l.closed
            FROM load l CROSS JOIN connection c ON c.id = l.connection "# + $rest
            $(, $parameter)*
        )
    };
}

/// See [`silta_ledger::Debts::open_load`].
pub(super) async fn open(ledger: &SqliteLedger, load: &NewLoad) -> Result<i64> {
    let mut tx = ledger.write().await?;
    let connection = connection_id(&mut tx, &load.connection).await?;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO load (connection, tenant, at, status, reason) VALUES (?, ?, ?, ?, ?) RETURNING id AS "id!""#,
        connection,
        &*load.tenant,
        load.at,
        load.status.name(),
        &load.reason
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(id)
}

/// See [`silta_ledger::Debts::add_to_manifest`].
pub(super) async fn add(ledger: &SqliteLedger, load: i64, entries: &[ManifestEntry]) -> Result<()> {
    // Of an item that is named twice the last entry counts.
    let entries: BTreeMap<RecordId, &ManifestEntry> = entries.iter().map(|e| (e.item, e)).collect();
    let placed = entries.values().filter(|e| e.digest.is_some()).count() as i64;
    let mut tx = ledger.write().await?;
    let changed = sqlx::query!(
        "UPDATE load SET items = items + ?1 - (SELECT count(*) FROM manifest m WHERE m.load = ?2
            AND m.item IN (SELECT unhex(value) FROM json_each(?3)) AND m.digest IS NOT NULL)
         WHERE id = ?2",
        placed,
        load,
        keys(entries.keys())
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    let entries: Vec<&ManifestEntry> = entries.into_values().collect();
    insert_rows!(
        &mut tx,
        entries,
        |entry| "INSERT INTO manifest (load, item, debt, generation, digest, wanted)",
        "(?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (load, item) DO UPDATE SET debt = excluded.debt, generation = excluded.generation,
            digest = excluded.digest, wanted = excluded.wanted",
        load,
        entry.item.0.to_vec(),
        entry.debt,
        entry.generation,
        entry.digest.as_ref().map(digest_bytes),
        entry.wanted,
    );
    commit(tx).await
}

/// See [`silta_ledger::Debts::close_load`].
pub(super) async fn close(
    ledger: &SqliteLedger,
    load: i64,
    at: Micros,
    status: LoadStatus,
    reason: &str,
) -> Result<()> {
    let mut tx = ledger.write().await?;
    finish(&mut tx, load, at, status, reason).await?;
    commit(tx).await
}

/// Changes the status of a load that is not closed yet, with all that follows for its debts.
pub(super) async fn finish(
    conn: &mut SqliteConnection,
    load: i64,
    at: Micros,
    status: LoadStatus,
    reason: &str,
) -> Result<()> {
    let changed = sqlx::query!(
        "UPDATE load SET status = ?, reason = ?, closed = ? WHERE id = ? AND closed IS NULL",
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
async fn unsure(conn: &mut SqliteConnection, load: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE debt SET unsure = 1 FROM manifest m
         WHERE m.load = ? AND debt.id = m.debt AND m.digest IS NOT debt.sent_digest",
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
async fn delivered(conn: &mut SqliteConnection, load: i64, at: Micros) -> Result<()> {
    sqlx::query!(
        "UPDATE debt SET
            state = iif(p.pays, 'sent', state), fixer = iif(p.pays, NULL, fixer), reason = iif(p.pays, '', debt.reason),
            unsure = iif(debt.generation = p.generation, 0, unsure), sent_at = ?2,
            sent_content = CASE p.digest
                WHEN sent_digest THEN coalesce(sent_content, iif(sent_digest = wanted_digest, wanted_content, NULL))
                WHEN iif(debt.wanted = 'present', wanted_digest, NULL) THEN wanted_content
                WHEN confirmed_digest THEN confirmed_content END,
            sent_digest = p.digest
         FROM (SELECT m.debt, m.generation, m.digest, m.wanted, l.at,
                m.wanted AND m.generation = d.generation
                    AND iif(m.digest IS NULL, d.wanted = 'absent', m.digest = d.wanted_digest)
                    AND d.state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting') AS pays
            FROM load l CROSS JOIN manifest m ON m.load = l.id CROSS JOIN debt d ON d.id = m.debt WHERE l.id = ?1) p
         WHERE debt.id = p.debt AND (p.digest IS NOT NULL OR p.wanted OR debt.sent_digest IS NOT NULL)
            AND (debt.generation = p.generation OR sent_at IS NULL OR sent_at < p.at)",
        load,
        at
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let debts =
        sqlx::query_scalar!(r#"SELECT json_group_array(debt) AS "debts!: String" FROM manifest WHERE load = ?"#, load)
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
    rest(conn, &debts).await?;
    drop_unused(conn, &debts).await
}

/// See [`silta_ledger::Debts::loads`].
pub(super) async fn list(ledger: &SqliteLedger, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>> {
    let query = select_loads!(
        "WHERE (?1 IS NULL OR c.name = ?1) AND (NOT ?2 OR l.status = 'held') ORDER BY l.id DESC LIMIT ?3",
        connection,
        held,
        limit
    );
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.into_iter().map(LoadRow::read).collect()
}

/// See [`silta_ledger::Debts::load`].
pub(super) async fn one(ledger: &SqliteLedger, id: i64) -> Result<Option<Load>> {
    let query = select_loads!("WHERE l.id = ?", id);
    query.fetch_optional(&mut *ledger.read().await?).await.map_err(failed)?.map(LoadRow::read).transpose()
}

/// See [`silta_ledger::Debts::loads_of`]. A load of one item is found by asking each load for it, newest first: there
/// are few loads and many items.
pub(super) async fn of(ledger: &SqliteLedger, record: RecordId, limit: u32) -> Result<Vec<Load>> {
    let query = select_loads!(
        "WHERE EXISTS (SELECT 1 FROM manifest m WHERE m.load = l.id AND m.item = ?) ORDER BY l.id DESC LIMIT ?",
        record.0.to_vec(),
        limit
    );
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.into_iter().map(LoadRow::read).collect()
}

/// See [`silta_ledger::Debts::manifest`].
pub(super) async fn manifest(
    ledger: &SqliteLedger,
    load: i64,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<ManifestEntry>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"SELECT load AS "load!", debt AS "debt!", item AS "item!", generation AS "generation!", digest,
            wanted AS "wanted!"
        FROM manifest WHERE load = ? AND item > ? ORDER BY item LIMIT ?"#,
        load,
        after.map_or_else(Vec::new, |id| id.0.to_vec()),
        limit
    );
    rows.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.into_iter().map(EntryRow::read).collect()
}

/// See [`silta_ledger::Debts::shrinkage`].
pub(super) async fn shrinkage(ledger: &SqliteLedger, connection: &str, load: i64) -> Result<Shrinkage> {
    let mut reader = ledger.read().await?;
    let last = sqlx::query!(
        r#"SELECT id AS "id!", items AS "items!" FROM load
        WHERE connection = (SELECT id FROM connection WHERE name = ?) AND status = 'delivered'
            AND tenant = (SELECT tenant FROM load WHERE id = ?) ORDER BY id DESC LIMIT 1"#,
        connection,
        load
    )
    .fetch_optional(&mut *reader)
    .await
    .map_err(failed)?;
    let Some(last) = last else { return Ok(Shrinkage { before: None, removed: 0 }) };
    let removed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "removed!: i64" FROM manifest old
        WHERE old.load = ?1 AND old.digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM manifest new
            WHERE new.load = ?2 AND new.item = old.item AND new.digest IS NOT NULL)"#,
        last.id,
        load
    )
    .fetch_one(&mut *reader)
    .await
    .map_err(failed)?;
    Ok(Shrinkage { before: Some(last.items), removed })
}
