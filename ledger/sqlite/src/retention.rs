//! Forgetting what is over, page by page.

use super::rows::numbers;
use super::{SqliteLedger, commit, failed};
use async_trait::async_trait;
use silta_ledger::{Micros, Result, Retention, Swept, Trace};
use sqlx::SqliteConnection;

/// Numbers of the rows of a table behind one.
macro_rules! page {
    ($conn:expr, $sql:tt, $after:expr, $limit:expr) => {
        sqlx::query_scalar!($sql, $after, $limit).fetch_all(&mut *$conn).await.map_err(failed)?
    };
}

async fn page(conn: &mut SqliteConnection, what: Trace, after: i64, limit: u32) -> Result<Vec<i64>> {
    Ok(match what {
        Trace::Attempts => {
            page!(conn, r#"SELECT id AS "id!" FROM attempt WHERE id > ? ORDER BY id LIMIT ?"#, after, limit)
        }
        Trace::Findings => {
            page!(conn, r#"SELECT id AS "id!" FROM finding WHERE id > ? ORDER BY id LIMIT ?"#, after, limit)
        }
        Trace::Reconciliations => {
            page!(conn, r#"SELECT id AS "id!" FROM reconciliation WHERE id > ? ORDER BY id LIMIT ?"#, after, limit)
        }
        Trace::Loads => page!(conn, r#"SELECT id AS "id!" FROM load WHERE id > ? ORDER BY id LIMIT ?"#, after, limit),
        Trace::Problems => {
            page!(conn, r#"SELECT id AS "id!" FROM problem WHERE id > ? ORDER BY id LIMIT ?"#, after, limit)
        }
        Trace::Audit => page!(conn, r#"SELECT id AS "id!" FROM audit WHERE id > ? ORDER BY id LIMIT ?"#, after, limit),
        Trace::Arrivals => {
            page!(conn, r#"SELECT id AS "id!" FROM arrival WHERE id > ? ORDER BY id LIMIT ?"#, after, limit)
        }
        Trace::Versions => {
            page!(
                conn,
                r#"SELECT position AS "id!" FROM version WHERE position > ? ORDER BY position LIMIT ?"#,
                after,
                limit
            )
        }
    })
}

/// Forgets what of some rows was over before a time.
async fn forget(conn: &mut SqliteConnection, what: Trace, rows: &str, before: Micros) -> Result<u64> {
    let forgotten = match what {
        Trace::Attempts => sqlx::query!(
            "DELETE FROM attempt WHERE id IN (SELECT value FROM json_each(?)) AND at < ? AND NOT EXISTS (
                SELECT 1 FROM debt d WHERE d.id = attempt.debt
                    AND d.state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting'))",
            rows,
            before
        ),
        Trace::Findings => {
            let evidence = sqlx::query!(
                "DELETE FROM content WHERE id IN (SELECT f.evidence FROM finding f
                    WHERE f.id IN (SELECT value FROM json_each(?)) AND f.closed < ?)",
                rows,
                before
            );
            evidence.execute(&mut *conn).await.map_err(failed)?;
            sqlx::query!(
                "DELETE FROM finding WHERE id IN (SELECT value FROM json_each(?)) AND closed < ?",
                rows,
                before
            )
        }
        Trace::Reconciliations => sqlx::query!(
            "DELETE FROM reconciliation WHERE id IN (SELECT value FROM json_each(?)) AND coalesce(ended, started) < ?
                AND id NOT IN (SELECT reconciliation FROM finding)
                AND id NOT IN (SELECT max(id) FROM reconciliation GROUP BY connection)",
            rows,
            before
        ),
        Trace::Loads => {
            let manifests = sqlx::query!(
                "DELETE FROM manifest WHERE load IN (SELECT l.id FROM load l
                    WHERE l.id IN (SELECT value FROM json_each(?)) AND l.closed < ? AND l.id NOT IN (
                        SELECT max(id) FROM load WHERE status = 'delivered' GROUP BY connection, tenant))",
                rows,
                before
            );
            manifests.execute(&mut *conn).await.map_err(failed)?;
            sqlx::query!(
                "DELETE FROM load WHERE id IN (SELECT value FROM json_each(?)) AND closed < ? AND id NOT IN (
                    SELECT max(id) FROM load WHERE status = 'delivered' GROUP BY connection, tenant)",
                rows,
                before
            )
        }
        Trace::Problems => {
            let contents = sqlx::query!(
                "DELETE FROM content WHERE id IN (SELECT p.content FROM problem p
                    WHERE p.id IN (SELECT value FROM json_each(?1))
                        AND (p.closed < ?2 OR p.record IS NULL AND p.opened < ?2))",
                rows,
                before
            );
            contents.execute(&mut *conn).await.map_err(failed)?;
            sqlx::query!(
                "DELETE FROM problem WHERE id IN (SELECT value FROM json_each(?1))
                    AND (closed < ?2 OR record IS NULL AND opened < ?2)",
                rows,
                before
            )
        }
        Trace::Audit => {
            sqlx::query!("DELETE FROM audit WHERE id IN (SELECT value FROM json_each(?)) AND at < ?", rows, before)
        }
        Trace::Arrivals => {
            sqlx::query!("DELETE FROM arrival WHERE id IN (SELECT value FROM json_each(?)) AND at < ?", rows, before)
        }
        Trace::Versions => return versions(conn, rows, before).await,
    };
    Ok(forgotten.execute(conn).await.map_err(failed)?.rows_affected())
}

/// A content stays as long as the record, another version or a watermark refers to it.
async fn versions(conn: &mut SqliteConnection, rows: &str, before: Micros) -> Result<u64> {
    let contents = sqlx::query_scalar!(
        "DELETE FROM version WHERE position IN (SELECT value FROM json_each(?)) AND EXISTS (
            SELECT 1 FROM version n WHERE n.record = version.record AND n.version > version.version AND n.at < ?)
         RETURNING content",
        rows,
        before
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let forgotten = contents.len() as u64;
    sqlx::query!(
        "DELETE FROM content WHERE id IN (SELECT value FROM json_each(?))
            AND NOT EXISTS (SELECT 1 FROM record r WHERE r.id = content.record AND r.content = content.id)
            AND NOT EXISTS (SELECT 1 FROM version v WHERE v.record = content.record AND v.content = content.id)
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.record = content.record
                AND content.id IN (d.wanted_content, d.sent_content, d.confirmed_content))",
        numbers(contents.into_iter().flatten())
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(forgotten)
}

#[async_trait]
impl Retention for SqliteLedger {
    async fn forget(&self, what: Trace, before: Micros, after: i64, limit: u32) -> Result<Swept> {
        let rows = page(&mut *self.read().await?, what, after, limit).await?;
        let Some(last) = rows.last().copied() else { return Ok(Swept { forgotten: 0, next: None }) };
        let next = (rows.len() == limit as usize).then_some(last);
        let mut tx = self.write().await?;
        let forgotten = forget(&mut tx, what, &numbers(rows), before).await?;
        commit(tx).await?;
        Ok(Swept { forgotten, next })
    }
}
