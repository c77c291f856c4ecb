//! Reconciliations and their findings.

use super::rows::{insert_contents, keys, opt_digest_bytes, whose};
use super::{PostgresLedger, again, commit, connection_id, content_numbers, failed};
use async_trait::async_trait;
use silta_ledger::batch::NewContent;
use silta_ledger::rows::{FindingRow, row};
use silta_ledger::{
    Finding, FindingKind, FindingStatus, Findings, LedgerError, Micros, NewFinding, Reconciliation, RecordId, Result,
    Summary,
};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashSet};

macro_rules! select_findings {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            FindingRow,
            r#"SELECT f.id, f.reconciliation, c.name AS connection, f.item, f.debt, f.kind, f.status, f.digest,
                f.implied_by, e.bytes AS "bytes?", f.opened, f.seen, f.sightings, f.closed
             FROM finding f JOIN connection c ON c.id = f.connection LEFT JOIN content e ON e.id = f.evidence "# + $rest
            $(, $parameter)*
        )
    };
}

/// A reconciliation that is stored.
#[derive(Clone, Copy)]
struct Run {
    reconciliation: i64,
    connection: i64,
    at: Micros,
}

/// See [`silta_ledger::Findings::found`].
async fn found(
    ledger: &PostgresLedger,
    reconciliation: i64,
    at: Micros,
    looked_at: &[RecordId],
    findings: &[NewFinding],
) -> Result<()> {
    let mut tx = ledger.write().await?;
    // One run of a connection at a time writes what it found.
    let of = sqlx::query_scalar!(
        "SELECT c.id FROM reconciliation r JOIN connection c ON c.id = r.connection WHERE r.id = $1 FOR NO KEY UPDATE OF c",
        reconciliation
    );
    let Some(connection) = of.fetch_optional(&mut *tx).await.map_err(failed)? else { return Ok(()) };
    let run = Run { reconciliation, connection, at };
    let settling: HashSet<RecordId> =
        findings.iter().filter(|f| f.kind == FindingKind::Settling).map(|f| f.item).collect();
    let told = |f: &&NewFinding| f.kind == FindingKind::Settling || !settling.contains(&f.item);
    // Of two of the same item and kind the last one counts.
    let findings: BTreeMap<(RecordId, FindingKind), &NewFinding> =
        findings.iter().filter(told).map(|f| ((f.item, f.kind), f)).collect();
    let findings: Vec<&NewFinding> = findings.into_values().collect();
    let looked_at: Vec<RecordId> = looked_at.iter().filter(|item| !settling.contains(item)).copied().collect();
    close_gone(&mut tx, run, &looked_at, &findings).await?;
    if !findings.is_empty() {
        store(&mut tx, run, &findings).await?;
    }
    commit(tx).await
}

/// Closes what was looked for and is not among what was found.
async fn close_gone(conn: &mut PgConnection, run: Run, looked_at: &[RecordId], found: &[&NewFinding]) -> Result<()> {
    let kinds: Vec<String> = found.iter().map(|f| f.kind.name().to_owned()).collect();
    sqlx::query!(
        "UPDATE finding SET status = 'closed', closed = $1
         WHERE connection = $2 AND item = ANY($3) AND status <> 'closed' AND NOT EXISTS (
            SELECT 1 FROM unnest($4::bytea[], $5::text[]) AS f (item, kind)
            WHERE f.item = finding.item AND f.kind = finding.kind)",
        run.at,
        run.connection,
        &keys(looked_at),
        &keys(found.iter().map(|f| &f.item)),
        &kinds
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Stores findings with their evidence, whose former rows go. What is found again keeps its age: a repair it survived
/// makes it persistent, another difference than the accepted one opens it.
async fn store(conn: &mut PgConnection, run: Run, findings: &[&NewFinding]) -> Result<()> {
    let known = whose(conn, findings.iter().map(|f| &f.item)).await?;
    let numbers = content_numbers(conn, findings.len()).await?;
    let contents = numbers.iter().zip(findings).map(|(id, finding)| {
        let record = known.get(&finding.item).map(|(record, _)| *record);
        NewContent { id: *id, learner: Some(finding.learner), record, debt: None, bytes: &finding.evidence }
    });
    let contents: Vec<NewContent<'_>> = contents.collect();
    let items = keys(findings.iter().map(|f| &f.item));
    let kinds: Vec<String> = findings.iter().map(|f| f.kind.name().to_owned()).collect();
    sqlx::query!(
        "DELETE FROM content WHERE id IN (SELECT f.evidence FROM finding f
            JOIN unnest($2::bytea[], $3::text[]) AS n (item, kind) ON n.item = f.item AND n.kind = f.kind
            WHERE f.connection = $1 AND f.status <> 'closed')",
        run.connection,
        &items,
        &kinds
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    insert_contents(conn, &contents).await?;
    let debts: Vec<Option<i64>> = findings.iter().map(|f| f.debt).collect();
    let digests: Vec<Option<Vec<u8>>> = findings.iter().map(|f| opt_digest_bytes(f.digest.as_ref())).collect();
    let implied: Vec<Option<Vec<u8>>> = findings.iter().map(|f| f.implied_by.map(|id| id.0.to_vec())).collect();
    sqlx::query!(
        "INSERT INTO finding (reconciliation, connection, item, debt, kind, status, digest, implied_by, evidence, opened,
            seen, sightings)
         SELECT $1, $2, n.item, n.debt, n.kind, 'open', n.digest, n.implied_by, n.evidence, $3, $3, 1
         FROM unnest($4::bytea[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[], $9::bigint[])
            AS n (item, debt, kind, digest, implied_by, evidence)
         ON CONFLICT (connection, item, kind) WHERE status <> 'closed' DO UPDATE SET
            reconciliation = excluded.reconciliation, debt = excluded.debt, digest = excluded.digest,
            implied_by = excluded.implied_by, evidence = excluded.evidence, seen = excluded.seen,
            sightings = finding.sightings + 1,
            status = CASE
                WHEN finding.status = 'repairing' THEN 'persistent'
                WHEN finding.status = 'accepted' AND finding.digest IS DISTINCT FROM excluded.digest THEN 'open'
                ELSE finding.status END",
        run.reconciliation,
        run.connection,
        run.at,
        &items,
        &debts as &[Option<i64>],
        &kinds,
        &digests as &[Option<Vec<u8>>],
        &implied as &[Option<Vec<u8>>],
        &numbers,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

#[async_trait]
impl Findings for PostgresLedger {
    async fn open_reconciliation(&self, connection: &str, at: Micros) -> Result<i64> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, connection).await?;
        let id = sqlx::query_scalar!(
            "INSERT INTO reconciliation (connection, started) VALUES ($1, $2) RETURNING id",
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
        again!(found(self, reconciliation, at, looked_at, findings))
    }

    async fn close_reconciliation(&self, id: i64, at: Micros, summary: &Summary) -> Result<()> {
        let summary = serde_json::to_string(summary).map_err(|e| LedgerError::Store(e.to_string()))?;
        sqlx::query!("UPDATE reconciliation SET ended = $1, summary = $2 WHERE id = $3", at, summary, id)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn reconciliations(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Reconciliation>> {
        let rows = sqlx::query!(
            "SELECT r.id, c.name AS connection, r.started, r.ended, r.summary
             FROM reconciliation r JOIN connection c ON c.id = r.connection
             WHERE $1::text IS NULL OR c.name = $1 ORDER BY r.id DESC LIMIT $2",
            connection,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
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
            "WHERE f.id > $1 AND ($2::text IS NULL OR c.name = $2) AND ($3 OR f.status <> 'closed') ORDER BY f.id LIMIT $4",
            after,
            connection,
            closed,
            i64::from(limit)
        );
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn finding(&self, id: i64) -> Result<Option<Finding>> {
        let query = select_findings!("WHERE f.id = $1", id);
        query.fetch_optional(&self.pool).await.map_err(failed)?.map(FindingRow::read).transpose()
    }

    async fn findings_of(&self, record: RecordId) -> Result<Vec<Finding>> {
        let query = select_findings!("WHERE f.item = $1 ORDER BY f.id", &record.0[..]);
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn implied(&self, connection: &str, by: &[RecordId]) -> Result<Vec<Finding>> {
        let query = select_findings!(
            "WHERE c.name = $1 AND f.status <> 'closed' AND f.implied_by = ANY($2) ORDER BY f.id",
            connection,
            &keys(by)
        );
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(FindingRow::read).collect()
    }

    async fn set_finding(&self, id: i64, at: Micros, status: FindingStatus) -> Result<()> {
        sqlx::query!(
            "UPDATE finding SET status = $1, closed = $2 WHERE id = $3 AND status <> 'closed'",
            status.name(),
            (status == FindingStatus::Closed).then_some(at),
            id
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }
}
