//! Loads and their manifests.

use super::plans::{drop_unused, rest};
use super::rows::{Cells, digest_bytes, insert_rows, keys};
use super::{SqliteLedger, commit, connection_id, failed};
use silta_ledger::{Load, LoadStatus, ManifestEntry, Micros, NewLoad, RecordId, Result, Shrinkage};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

macro_rules! select_loads {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, c.name AS connection, l.tenant, l.at, l.status, l.reason, l.items, l.closed
            FROM load l CROSS JOIN connection c ON c.id = l.connection ",
            $rest
        )
    };
}

/// A manifest entry `m` carried what its debt wants, in the same generation.
macro_rules! paid {
    () => {
        "m.wanted AND m.generation = debt.generation
            AND iif(m.digest IS NULL, debt.wanted = 'absent', m.digest = wanted_digest)"
    };
}

/// A load of one item is found by asking each load for it, newest first: there are few loads and many items.
pub(super) const OF: &str = select_loads!(
    "WHERE EXISTS (SELECT 1 FROM manifest m WHERE m.load = l.id AND m.item = ?) ORDER BY l.id DESC LIMIT ?"
);
pub(super) const MANIFEST: &str = "SELECT load AS id, debt, item, generation, digest, wanted FROM manifest
    WHERE load = ? AND item > ? ORDER BY item LIMIT ?";
pub(super) const REMOVED: &str = "SELECT count(*) FROM manifest old
    WHERE old.load = ?1 AND old.digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM manifest new
        WHERE new.load = ?2 AND new.item = old.item AND new.digest IS NOT NULL)";

/// Moves the sent watermark to what a load carried, whatever was raised meanwhile, unless a newer generation was
/// accepted since; and pays what is still owed in the same generation. Carried content is that of a watermark: nothing
/// is planned anew under a load.
pub(super) const DELIVERED: &str = concat!(
    "UPDATE debt SET
        state = iif(",
    paid!(),
    " AND state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting'), 'sent', state),
        fixer = iif(",
    paid!(),
    ", NULL, fixer),
        reason = iif(",
    paid!(),
    ", '', debt.reason),
        unsure = 0,
        sent_at = ?2,
        sent_content = CASE m.digest
            WHEN wanted_digest THEN coalesce(wanted_content, sent_content, confirmed_content)
            WHEN sent_digest THEN sent_content
            WHEN confirmed_digest THEN confirmed_content END,
        sent_digest = m.digest
    FROM load l, manifest m WHERE l.id = ?1 AND m.load = l.id AND debt.id = m.debt
        AND (m.digest IS NOT NULL OR m.wanted OR sent_digest IS NOT NULL)
        AND (debt.generation = m.generation OR sent_at IS NULL OR sent_at < l.at)"
);

/// It is open whether a failed load arrived.
const UNSURE: &str =
    "UPDATE debt SET unsure = 1 WHERE id IN (SELECT debt FROM manifest WHERE load = ? AND digest IS NOT NULL)";

fn load(row: &SqliteRow) -> Result<Load> {
    let cells = Cells::new("load", row);
    Ok(Load {
        id: cells.get("id")?,
        connection: cells.text("connection")?,
        tenant: cells.text("tenant")?,
        at: cells.get("at")?,
        status: cells.named("status", LoadStatus::from_name)?,
        reason: cells.get("reason")?,
        items: cells.get("items")?,
        closed: cells.get("closed")?,
    })
}

/// See [`silta_ledger::Debts::open_load`].
pub(super) async fn open(ledger: &SqliteLedger, load: &NewLoad) -> Result<i64> {
    let mut tx = ledger.write().await?;
    let connection = connection_id(&mut tx, &load.connection).await?;
    let sql = "INSERT INTO load (connection, tenant, at, status, reason) VALUES (?, ?, ?, ?, ?) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(connection)
        .bind(&*load.tenant)
        .bind(load.at)
        .bind(load.status.name())
        .bind(&load.reason)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
    commit(tx).await?;
    Ok(id)
}

/// See [`silta_ledger::Debts::add_to_manifest`].
pub(super) async fn add(ledger: &SqliteLedger, load: i64, entries: &[ManifestEntry]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let replaced: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM manifest
         WHERE load = ? AND item IN (SELECT unhex(value) FROM json_each(?)) AND digest IS NOT NULL",
    )
    .bind(load)
    .bind(keys(entries.iter().map(|e| &e.item)))
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    let placed = entries.iter().filter(|e| e.digest.is_some()).count() as i64;
    sqlx::query("UPDATE load SET items = items + ? WHERE id = ?")
        .bind(placed - replaced)
        .bind(load)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    insert_rows(
        &mut tx,
        "INSERT INTO manifest (load, item, debt, generation, digest, wanted) ",
        " ON CONFLICT (load, item) DO UPDATE SET debt = excluded.debt, generation = excluded.generation,
            digest = excluded.digest, wanted = excluded.wanted",
        entries,
        |row, entry| {
            row.push_bind(load)
                .push_bind(entry.item.0.to_vec())
                .push_bind(entry.debt)
                .push_bind(entry.generation)
                .push_bind(entry.digest.as_ref().map(digest_bytes))
                .push_bind(entry.wanted);
        },
    )
    .await?;
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
    let changed = sqlx::query("UPDATE load SET status = ?, reason = ?, closed = ? WHERE id = ? AND closed IS NULL")
        .bind(status.name())
        .bind(reason)
        .bind(status.closed().then_some(at))
        .bind(load)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    match status {
        _ if changed.rows_affected() == 0 => {}
        LoadStatus::Failed => {
            sqlx::query(UNSURE).bind(load).execute(conn).await.map_err(failed)?;
        }
        LoadStatus::Delivered => {
            sqlx::query(DELIVERED).bind(load).bind(at).execute(&mut *conn).await.map_err(failed)?;
            let debts: String = sqlx::query_scalar("SELECT json_group_array(debt) FROM manifest WHERE load = ?")
                .bind(load)
                .fetch_one(&mut *conn)
                .await
                .map_err(failed)?;
            rest(conn, &debts).await?;
            drop_unused(conn, &debts).await?;
        }
        _ => {}
    }
    Ok(())
}

/// See [`silta_ledger::Debts::loads`].
pub(super) async fn list(ledger: &SqliteLedger, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>> {
    let sql = select_loads!(
        "WHERE (?1 IS NULL OR c.name = ?1) AND (NOT ?2 OR l.status = 'held') ORDER BY l.id DESC LIMIT ?3"
    );
    let query = sqlx::query(sql).bind(connection).bind(held).bind(limit);
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.iter().map(load).collect()
}

/// See [`silta_ledger::Debts::load`].
pub(super) async fn one(ledger: &SqliteLedger, id: i64) -> Result<Option<Load>> {
    let query = sqlx::query(select_loads!("WHERE l.id = ?")).bind(id);
    query.fetch_optional(&mut *ledger.read().await?).await.map_err(failed)?.as_ref().map(load).transpose()
}

/// See [`silta_ledger::Debts::loads_of`].
pub(super) async fn of(ledger: &SqliteLedger, record: RecordId, limit: u32) -> Result<Vec<Load>> {
    let query = sqlx::query(OF).bind(record.0.to_vec()).bind(limit);
    query.fetch_all(&mut *ledger.read().await?).await.map_err(failed)?.iter().map(load).collect()
}

/// See [`silta_ledger::Debts::manifest`].
pub(super) async fn manifest(
    ledger: &SqliteLedger,
    load: i64,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<ManifestEntry>> {
    let rows = sqlx::query(MANIFEST)
        .bind(load)
        .bind(after.map_or_else(Vec::new, |id| id.0.to_vec()))
        .bind(limit)
        .fetch_all(&mut *ledger.read().await?)
        .await
        .map_err(failed)?;
    let entry = |row| {
        let cells = Cells::new("manifest", row);
        Ok(ManifestEntry {
            debt: cells.get("debt")?,
            item: RecordId(cells.bytes("item")?),
            generation: cells.get("generation")?,
            digest: cells.opt_digest("digest")?,
            wanted: cells.get("wanted")?,
        })
    };
    rows.iter().map(entry).collect()
}

/// See [`silta_ledger::Debts::shrinkage`].
pub(super) async fn shrinkage(ledger: &SqliteLedger, connection: &str, load: i64) -> Result<Shrinkage> {
    let mut reader = ledger.read().await?;
    let last: Option<(i64, i64)> = sqlx::query_as(
        "SELECT id, items FROM load WHERE connection = (SELECT id FROM connection WHERE name = ?)
            AND status = 'delivered' AND tenant = (SELECT tenant FROM load WHERE id = ?) ORDER BY id DESC LIMIT 1",
    )
    .bind(connection)
    .bind(load)
    .fetch_optional(&mut *reader)
    .await
    .map_err(failed)?;
    let Some((last, before)) = last else { return Ok(Shrinkage { before: None, removed: 0 }) };
    let query = sqlx::query_scalar(REMOVED).bind(last).bind(load);
    let removed = query.fetch_one(&mut *reader).await.map_err(failed)?;
    Ok(Shrinkage { before: Some(before), removed })
}
