//! Reading records, their journey and the change feed.

use super::keep;
use super::problems;
use super::rows::{Cells, kind_number, numbers, record_columns};
use super::{SqliteLedger, failed};
use async_trait::async_trait;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::{
    Arrival, Batch, Change, Count, Kept, LearnerId, Lookup, Micros, Outcome, ProblemReading, RecordId, Records, Result,
    StoredProblem, StoredRecord, TakeBack,
};
use sqlx::sqlite::SqliteRow;

macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, ",
            record_columns!(),
            ", r.version, r.state, r.revision, r.digest, c.bytes FROM record r LEFT JOIN content c ON c.id = r.content ",
            $rest
        )
    };
}

macro_rules! select_changes {
    ($rest:literal) => {
        concat!(
            "SELECT v.position AS id, v.at, ",
            record_columns!(),
            ", v.version, v.state, v.revision, v.digest, c.bytes FROM version v CROSS JOIN record r ON r.id = v.record
             LEFT JOIN content c ON c.id = v.content ",
            $rest
        )
    };
}

pub(super) const RECORDS_OF: &str = select_records!("WHERE r.tenant = ? AND r.learner = ? ORDER BY r.kind, r.key");
pub(super) const LOOK_UP: &str = select_records!("WHERE r.tenant = ? AND r.lookup = ? ORDER BY r.key");
/// The unary plus keeps to the order of ids: a page is no sort of all a tenant has.
pub(super) const CURRENT_IDS: &str = "SELECT r.key FROM record r WHERE r.key > ? AND +r.tenant = ? AND r.source = ?
    AND r.kind IN (SELECT value FROM json_each(?)) AND r.state = 'current' ORDER BY r.key LIMIT ?";
pub(super) const LEARNERS: &str = "SELECT DISTINCT learner FROM record
    WHERE tenant = ? AND learner > ? AND state = 'current' ORDER BY learner LIMIT ?";
pub(super) const FEED: &str =
    select_changes!("WHERE v.position > ? AND r.kind IN (SELECT value FROM json_each(?)) ORDER BY v.position LIMIT ?");
pub(super) const TENANT_FEED: &str = select_changes!(
    "WHERE v.tenant = ? AND v.position > ? AND r.kind IN (SELECT value FROM json_each(?))
     ORDER BY v.position LIMIT ?"
);
/// An arrival that wrote no version names the one that stood, so versions and arrivals sort into their order.
pub(super) const HISTORY: &str = "SELECT 0 AS late, position AS id, at, outcome, version, state, revision, digest
    FROM version WHERE record = (SELECT id FROM record WHERE key = ?1)
    UNION ALL SELECT 1, id, at, outcome, version, state, revision, digest
    FROM arrival WHERE record = (SELECT id FROM record WHERE key = ?1) ORDER BY version, late, id";

/// Kinds as a parameter; none means all.
fn kinds_json(kinds: &[RecordKind]) -> String {
    let kinds = if kinds.is_empty() { &RecordKind::ALL } else { kinds };
    numbers(kinds.iter().map(|kind| kind_number(*kind)))
}

fn records(rows: &[SqliteRow]) -> Result<Vec<StoredRecord>> {
    rows.iter().map(|row| Cells::new("record", row).record()).collect()
}

fn change(row: &SqliteRow) -> Result<Change> {
    let cells = Cells::new("version", row);
    Ok(Change { position: cells.get("id")?, at: cells.get("at")?, record: cells.record()? })
}

fn arrival(row: &SqliteRow) -> Result<Arrival> {
    let cells = Cells::new("arrival", row);
    Ok(Arrival {
        at: cells.get("at")?,
        outcome: cells.named("outcome", Outcome::from_name)?,
        version: cells.get("version")?,
        state: cells.named("state", State::from_name)?,
        revision: cells.get::<Option<i64>>("revision")?.map(i64::cast_unsigned),
        digest: cells.digest("digest")?,
    })
}

#[async_trait]
impl Records for SqliteLedger {
    async fn keep(&self, batch: &Batch) -> Result<Vec<Kept>> {
        keep::keep(self, batch).await
    }

    async fn take_back(&self, batch: &TakeBack) -> Result<u64> {
        keep::take_back(self, batch).await
    }

    async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>> {
        let row = sqlx::query(select_records!("WHERE r.key = ?"))
            .bind(id.0.to_vec())
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(failed)?;
        row.map(|row| Cells::new("record", &row).record()).transpose()
    }

    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>> {
        let query = sqlx::query(RECORDS_OF).bind(tenant).bind(learner.0.to_vec());
        records(&query.fetch_all(&mut *self.read().await?).await.map_err(failed)?)
    }

    async fn look_up(&self, tenant: &str, lookup: Lookup) -> Result<Vec<StoredRecord>> {
        let query = sqlx::query(LOOK_UP).bind(tenant).bind(lookup.0.to_vec());
        records(&query.fetch_all(&mut *self.read().await?).await.map_err(failed)?)
    }

    async fn current_ids(
        &self,
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>> {
        let rows = sqlx::query(CURRENT_IDS)
            .bind(after.map_or_else(Vec::new, |id| id.0.to_vec()))
            .bind(tenant)
            .bind(source)
            .bind(kinds_json(kinds))
            .bind(limit)
            .fetch_all(&mut *self.read().await?)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| Cells::new("record", row).bytes("key").map(RecordId)).collect()
    }

    async fn learners(&self, tenant: &str, after: Option<LearnerId>, limit: u32) -> Result<Vec<LearnerId>> {
        let rows = sqlx::query(LEARNERS)
            .bind(tenant)
            .bind(after.map_or_else(Vec::new, |id| id.0.to_vec()))
            .bind(limit)
            .fetch_all(&mut *self.read().await?)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| Cells::new("record", row).bytes("learner").map(LearnerId)).collect()
    }

    async fn counts(&self, tenant: &str) -> Result<Vec<Count>> {
        let sql = "SELECT kind, state, count(*) AS records FROM record WHERE tenant = ?
                   GROUP BY kind, state ORDER BY kind, state";
        let rows = sqlx::query(sql).bind(tenant).fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        let count = |row| {
            let cells = Cells::new("record", row);
            Ok(Count {
                kind: cells.kind("kind")?,
                state: cells.named("state", State::from_name)?,
                records: cells.get("records")?,
            })
        };
        rows.iter().map(count).collect()
    }

    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>> {
        let mut reader = self.read().await?;
        let kinds = kinds_json(kinds);
        if tenants.is_empty() {
            let query = sqlx::query(FEED).bind(after).bind(kinds).bind(limit);
            return query.fetch_all(&mut *reader).await.map_err(failed)?.iter().map(change).collect();
        }
        // One snapshot for all tenants: else a later query could see a change that commits before an earlier tenant's.
        let mut tx = sqlx::Connection::begin(&mut *reader).await.map_err(failed)?;
        let mut changes = Vec::new();
        for tenant in tenants {
            let query = sqlx::query(TENANT_FEED).bind(tenant).bind(after).bind(&kinds).bind(limit);
            for row in &query.fetch_all(&mut *tx).await.map_err(failed)? {
                changes.push(change(row)?);
            }
        }
        tx.commit().await.map_err(failed)?;
        changes.sort_by_key(|change| change.position);
        changes.dedup_by_key(|change| change.position);
        changes.truncate(limit as usize);
        Ok(changes)
    }

    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>> {
        let query = sqlx::query(HISTORY).bind(id.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(arrival).collect()
    }

    async fn settle_problems(&self, reading: &ProblemReading) -> Result<()> {
        problems::settle(self, reading).await
    }

    async fn problems(&self, tenant: &str, after: i64, closed: bool, limit: u32) -> Result<Vec<StoredProblem>> {
        problems::after(self, tenant, after, closed, limit).await
    }

    async fn problems_of(&self, id: RecordId) -> Result<Vec<StoredProblem>> {
        problems::of(self, id).await
    }

    async fn erase(&self, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
        keep::erase(self, tenant, learner, at).await
    }
}
