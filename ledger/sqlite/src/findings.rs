//! Reconciliations and their findings.

use super::rows::{insert_contents, insert_rows, keys, list, whose};
use super::{SqliteLedger, commit, connection_id, failed, next};
use async_trait::async_trait;
use serde_json::json;
use silta_ledger::batch::NewContent;
use silta_ledger::rows::{FindingRow, row};
use silta_ledger::stored::digest_bytes;
use silta_ledger::{
    Finding, FindingKind, FindingStatus, Findings, LedgerError, Micros, NewFinding, Reconciliation, RecordId, Result,
    Summary,
};
use sqlx::SqliteConnection;
use std::collections::HashSet;

macro_rules! select_findings {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            FindingRow,
            r#"SELECT f.id AS "id!", f.reconciliation AS "reconciliation!", c.name AS "connection!", f.item AS "item!",
                f.debt, f.kind AS "kind!", f.status AS "status!", f.digest, f.implied_by, e.bytes AS "bytes?",
                f.opened AS "opened!", f.seen AS "seen!", f.sightings AS "sightings!", f.closed
            FROM finding f CROSS JOIN connection c ON c.id = f.connection LEFT JOIN content e ON e.id = f.evidence "#
                + $rest
            $(, $parameter)*
        )
    };
}

/// Stores findings with their evidence, whose former rows go. What is found again keeps its age: a repair it survived
/// makes it persistent, another difference than the accepted one opens it.
async fn store(
    conn: &mut SqliteConnection,
    (reconciliation, connection): (i64, i64),
    at: Micros,
    findings: &[&NewFinding],
) -> Result<()> {
    let known = whose(conn, findings.iter().map(|f| &f.item)).await?;
    let first = next(conn, findings.len()).await?.content;
    let numbered: Vec<(i64, &NewFinding)> = (first..).zip(findings.iter().copied()).collect();
    let contents: Vec<NewContent<'_>> = numbered
        .iter()
        .map(|(id, finding)| NewContent {
            id: *id,
            learner: Some(finding.learner),
            record: known.get(&finding.item).map(|(record, _)| *record),
            debt: None,
            bytes: &finding.evidence,
        })
        .collect();
    sqlx::query!(
        "DELETE FROM content WHERE id IN (SELECT f.evidence FROM finding f
            WHERE f.connection = ? AND f.status <> 'closed'
                AND (f.item, f.kind) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?)))",
        connection,
        pairs(findings.iter().copied())
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    insert_contents(conn, &contents).await?;
    insert_rows!(
        conn,
        numbered,
        |(evidence, finding)| "INSERT INTO finding (reconciliation, connection, item, debt, kind, status, digest,
            implied_by, evidence, opened, seen, sightings)",
        "(?, ?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, 1)",
        "ON CONFLICT (connection, item, kind) WHERE status <> 'closed' DO UPDATE SET
    reconciliation = excluded.reconciliation, debt = excluded.debt, digest = excluded.digest,
    implied_by = excluded.implied_by, evidence = excluded.evidence, seen = excluded.seen, sightings = sightings + 1,
    status = CASE
        WHEN status = 'repairing' THEN 'persistent'
        WHEN status = 'accepted' AND digest IS NOT excluded.digest THEN 'open'
        ELSE status END",
        reconciliation,
        connection,
        finding.item.0.to_vec(),
        finding.debt,
        finding.kind.name(),
        finding.digest.as_ref().map(digest_bytes),
        finding.implied_by.map(|id| id.0.to_vec()),
        *evidence,
        at,
        at,
    );
    Ok(())
}

/// Item and kind of findings as one JSON parameter.
fn pairs<'a>(findings: impl Iterator<Item = &'a NewFinding>) -> String {
    list(findings.map(|f| json!([f.item, f.kind.name()]).to_string()))
}

#[async_trait]
impl Findings for SqliteLedger {
    async fn open_reconciliation(&self, connection: &str, at: Micros) -> Result<i64> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, connection).await?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO reconciliation (connection, started) VALUES (?, ?) RETURNING id AS "id!""#,
            connection,
            at
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(id)
    }

    async fn found(
        &self,
        reconciliation: i64,
        at: Micros,
        looked_at: &[RecordId],
        findings: &[NewFinding],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let of = sqlx::query_scalar!(
            r#"SELECT connection AS "connection!" FROM reconciliation WHERE id = ?"#,
            reconciliation
        );
        let Some(connection) = of.fetch_optional(&mut *tx).await.map_err(failed)? else { return Ok(()) };
        // What was looked for and is not among what was found is gone. Of an item that is settling nothing is closed.
        sqlx::query!(
            "UPDATE finding SET status = 'closed', closed = ?3
    WHERE connection = ?4 AND item IN (SELECT unhex(value) FROM json_each(?1)) AND status <> 'closed'
        AND (item, kind) NOT IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?2))
        AND item NOT IN (SELECT unhex(value ->> 0) FROM json_each(?2) WHERE value ->> 1 = 'settling')",
            keys(looked_at),
            pairs(findings.iter()),
            at,
            connection
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let settling = findings.iter().filter(|f| f.kind == FindingKind::Settling);
        let settling: HashSet<RecordId> = settling.map(|f| f.item).collect();
        let told = |f: &&NewFinding| f.kind == FindingKind::Settling || !settling.contains(&f.item);
        let findings: Vec<&NewFinding> = findings.iter().filter(told).collect();
        if !findings.is_empty() {
            store(&mut tx, (reconciliation, connection), at, &findings).await?;
        }
        commit(tx).await
    }

    async fn close_reconciliation(&self, id: i64, at: Micros, summary: &Summary) -> Result<()> {
        let summary = serde_json::to_string(summary).map_err(|e| LedgerError::Store(e.to_string()))?;
        let mut tx = self.write().await?;
        sqlx::query!("UPDATE reconciliation SET ended = ?, summary = ? WHERE id = ?", at, summary, id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await
    }

    async fn reconciliations(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Reconciliation>> {
        let rows = sqlx::query!(
            r#"SELECT r.id AS "id!", c.name AS "connection!", r.started AS "started!", r.ended, r.summary
            FROM reconciliation r CROSS JOIN connection c ON c.id = r.connection
            WHERE ?1 IS NULL OR c.name = ?1 ORDER BY r.id DESC LIMIT ?2"#,
            connection,
            limit
        )
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        let reconciliations = rows.into_iter().map(|found| {
            let bad = || row("reconciliation", found.id).bad("summary");
            Ok(Reconciliation {
                id: found.id,
                connection: found.connection.into(),
                started: found.started,
                ended: found.ended,
                summary: found.summary.map(|text| serde_json::from_str(&text).map_err(|_| bad())).transpose()?,
            })
        });
        reconciliations.collect()
    }

    async fn findings(&self, connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Result<Vec<Finding>> {
        let query = select_findings!(
            "WHERE f.id > ?1 AND (?2 IS NULL OR c.name = ?2) AND (?3 OR f.status <> 'closed') ORDER BY f.id LIMIT ?4",
            after,
            connection,
            closed,
            limit
        );
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn finding(&self, id: i64) -> Result<Option<Finding>> {
        let query = select_findings!("WHERE f.id = ?", id);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.map(FindingRow::read).transpose()
    }

    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>> {
        let query = select_findings!("WHERE f.item = ? ORDER BY f.id", record.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn implied(&self, connection: &str, by: &[RecordId]) -> Result<Vec<Finding>> {
        let query = select_findings!(
            "WHERE f.connection = (SELECT id FROM connection WHERE name = ?) AND f.status <> 'closed'
                AND f.implied_by IN (SELECT unhex(value) FROM json_each(?)) ORDER BY f.id",
            connection,
            keys(by)
        );
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query!(
            "UPDATE finding SET status = ?, closed = ? WHERE id = ? AND status <> 'closed'",
            status.name(),
            (status == FindingStatus::Closed).then_some(at),
            id
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }
}
