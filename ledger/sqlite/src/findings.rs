//! Reconciliations and their findings.

use super::rows::{Cells, insert_contents, insert_rows, keys, list, whose};
use super::{SqliteLedger, commit, connection_id, failed, next};
use async_trait::async_trait;
use serde_json::json;
use silta_ledger::batch::NewContent;
use silta_ledger::stored::digest_bytes;
use silta_ledger::{
    Finding, FindingKind, FindingStatus, Findings, LedgerError, Micros, NewFinding, Reconciliation, RecordId, Result,
    Summary,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::HashSet;

macro_rules! select_findings {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.reconciliation, c.name AS connection, f.item, f.debt, f.kind, f.status, f.digest,
                f.implied_by, e.bytes, f.opened, f.seen, f.sightings, f.closed
            FROM finding f CROSS JOIN connection c ON c.id = f.connection LEFT JOIN content e ON e.id = f.evidence ",
            $rest
        )
    };
}

pub(super) const OF: &str = select_findings!("WHERE f.item = ? ORDER BY f.id");

pub(super) const IMPLIED: &str = select_findings!(
    "WHERE c.name = ? AND f.status <> 'closed' AND f.implied_by IN (SELECT unhex(value) FROM json_each(?)) ORDER BY f.id"
);

/// What is found again keeps its age: a repair it survived makes it persistent, another difference than the accepted
/// one opens it.
const AGAIN: &str = " ON CONFLICT (connection, item, kind) WHERE status <> 'closed' DO UPDATE SET
    reconciliation = excluded.reconciliation, debt = excluded.debt, digest = excluded.digest,
    implied_by = excluded.implied_by, evidence = excluded.evidence, seen = excluded.seen, sightings = sightings + 1,
    status = CASE
        WHEN status = 'repairing' THEN 'persistent'
        WHEN status = 'accepted' AND digest IS NOT excluded.digest THEN 'open'
        ELSE status END";

/// Closes what was looked for (the first list) and is not among what was found (pairs of item and kind). Of an item
/// that is settling nothing is closed.
pub(super) const GONE: &str = "UPDATE finding SET status = 'closed', closed = ?3
    WHERE connection = ?4 AND item IN (SELECT unhex(value) FROM json_each(?1)) AND status <> 'closed'
        AND (item, kind) NOT IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?2))
        AND item NOT IN (SELECT unhex(value ->> 0) FROM json_each(?2) WHERE value ->> 1 = 'settling')";

fn finding(row: &SqliteRow) -> Result<Finding> {
    let cells = Cells::new("finding", row);
    Ok(Finding {
        id: cells.get("id")?,
        reconciliation: cells.get("reconciliation")?,
        connection: cells.text("connection")?,
        item: RecordId(cells.bytes("item")?),
        debt: cells.get("debt")?,
        kind: cells.named("kind", FindingKind::from_name)?,
        status: cells.named("status", FindingStatus::from_name)?,
        digest: cells.opt_digest("digest")?,
        implied_by: cells.opt_bytes("implied_by")?.map(RecordId),
        evidence: cells.sealed("bytes")?,
        opened: cells.get("opened")?,
        seen: cells.get("seen")?,
        sightings: cells.get("sightings")?,
        closed: cells.get("closed")?,
    })
}

fn reconciliation(row: &SqliteRow) -> Result<Reconciliation> {
    let cells = Cells::new("reconciliation", row);
    let summary: Option<&str> = cells.get("summary")?;
    Ok(Reconciliation {
        id: cells.get("id")?,
        connection: cells.text("connection")?,
        started: cells.get("started")?,
        ended: cells.get("ended")?,
        summary: summary.map(|text| serde_json::from_str(text).map_err(|_| cells.bad("summary"))).transpose()?,
    })
}

/// Stores findings with their evidence, whose former rows go.
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
    sqlx::query(
        "DELETE FROM content WHERE id IN (SELECT f.evidence FROM finding f
            WHERE f.connection = ? AND f.status <> 'closed'
                AND (f.item, f.kind) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?)))",
    )
    .bind(connection)
    .bind(pairs(findings.iter().copied()))
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    insert_contents(conn, &contents).await?;
    insert_rows(
        conn,
        "INSERT INTO finding (reconciliation, connection, item, debt, kind, status, digest, implied_by, evidence,
            opened, seen, sightings) ",
        AGAIN,
        &numbered,
        |row, (evidence, finding)| {
            row.push_bind(reconciliation)
                .push_bind(connection)
                .push_bind(finding.item.0.to_vec())
                .push_bind(finding.debt)
                .push_bind(finding.kind.name())
                .push_bind(FindingStatus::Open.name())
                .push_bind(finding.digest.as_ref().map(digest_bytes))
                .push_bind(finding.implied_by.map(|id| id.0.to_vec()))
                .push_bind(*evidence)
                .push_bind(at)
                .push_bind(at)
                .push_bind(1);
        },
    )
    .await
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
        let sql = "INSERT INTO reconciliation (connection, started) VALUES (?, ?) RETURNING id";
        let query = sqlx::query_scalar(sql).bind(connection).bind(at);
        let id = query.fetch_one(&mut *tx).await.map_err(failed)?;
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
        let connection: i64 = sqlx::query_scalar("SELECT connection FROM reconciliation WHERE id = ?")
            .bind(reconciliation)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query(GONE)
            .bind(keys(looked_at))
            .bind(pairs(findings.iter()))
            .bind(at)
            .bind(connection)
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
        sqlx::query("UPDATE reconciliation SET ended = ?, summary = ? WHERE id = ?")
            .bind(at)
            .bind(summary)
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await
    }

    async fn reconciliations(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Reconciliation>> {
        let sql = "SELECT r.id, c.name AS connection, r.started, r.ended, r.summary
            FROM reconciliation r CROSS JOIN connection c ON c.id = r.connection
            WHERE ?1 IS NULL OR c.name = ?1 ORDER BY r.id DESC LIMIT ?2";
        let query = sqlx::query(sql).bind(connection).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(reconciliation).collect()
    }

    async fn findings(&self, connection: Option<&str>, closed: bool, after: i64, limit: u32) -> Result<Vec<Finding>> {
        let sql = select_findings!(
            "WHERE f.id > ?1 AND (?2 IS NULL OR c.name = ?2) AND (?3 OR f.status <> 'closed') ORDER BY f.id LIMIT ?4"
        );
        let query = sqlx::query(sql).bind(after).bind(connection).bind(closed).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(finding).collect()
    }

    async fn finding(&self, id: i64) -> Result<Option<Finding>> {
        let query = sqlx::query(select_findings!("WHERE f.id = ?")).bind(id);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.as_ref().map(finding).transpose()
    }

    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>> {
        let query = sqlx::query(OF).bind(record.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(finding).collect()
    }

    async fn implied(&self, connection: &str, by: &[RecordId]) -> Result<Vec<Finding>> {
        let query = sqlx::query(IMPLIED).bind(connection).bind(keys(by));
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(finding).collect()
    }

    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE finding SET status = ?, closed = ? WHERE id = ? AND status <> 'closed'")
            .bind(status.name())
            .bind((status == FindingStatus::Closed).then_some(at))
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await
    }
}
