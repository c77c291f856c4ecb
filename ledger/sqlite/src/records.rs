//! Reading records, their journey and the change feed.

use super::keep;
use super::problems;
use super::rows::numbers;
use super::{SqliteLedger, failed};
use async_trait::async_trait;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::rows::{ArrivalRow, RecordRow, row};
use silta_ledger::stored::kind_number;
use silta_ledger::{
    Arrival, Batch, Change, Count, Kept, LearnerId, Lookup, Micros, ProblemReading, RecordId, Records, Result,
    StoredProblem, StoredRecord, TakeBack,
};
use sqlx::SqliteConnection;

macro_rules! select_records {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            RecordRow,
            r#"SELECT r.id AS "id!", r.key AS "key!", r.tenant AS "tenant!", r.learner AS "learner!",
                r.source AS "source!", r.kind AS "kind!", r.institution AS "institution!", r.version AS "version!",
                r.state AS "state!", r.revision, r.digest AS "digest!", c.bytes AS "bytes?"
            FROM record r LEFT JOIN content c ON c.id = r.content "# + $rest
            $(, $parameter)*
        )
    };
}

/// A change of the feed as it is read.
struct ChangeRow {
    position: i64,
    at: i64,
    id: i64,
    key: Vec<u8>,
    tenant: String,
    learner: Vec<u8>,
    source: String,
    kind: i64,
    institution: String,
    version: i64,
    state: String,
    revision: Option<i64>,
    digest: Vec<u8>,
    bytes: Option<Vec<u8>>,
}

impl ChangeRow {
    fn read(self) -> Result<Change> {
        let record = RecordRow {
            id: self.id,
            key: self.key,
            tenant: self.tenant,
            learner: self.learner,
            source: self.source,
            kind: self.kind,
            institution: self.institution,
            version: self.version,
            state: self.state,
            revision: self.revision,
            digest: self.digest,
            bytes: self.bytes,
        };
        Ok(Change { position: self.position, at: self.at, record: record.read()? })
    }
}

macro_rules! select_changes {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            ChangeRow,
            r#"SELECT v.position AS "position!", v.at AS "at!", r.id AS "id!", r.key AS "key!", r.tenant AS "tenant!",
                r.learner AS "learner!", r.source AS "source!", r.kind AS "kind!", r.institution AS "institution!",
                v.version AS "version!", v.state AS "state!", v.revision, v.digest AS "digest!", c.bytes AS "bytes?"
            FROM version v CROSS JOIN record r ON r.id = v.record LEFT JOIN content c ON c.id = v.content "# + $rest
            $(, $parameter)*
        )
    };
}

/// Kinds as a parameter; none means all.
fn kinds_json(kinds: &[RecordKind]) -> String {
    let kinds = if kinds.is_empty() { &RecordKind::ALL } else { kinds };
    numbers(kinds.iter().map(|kind| kind_number(*kind)))
}

async fn feed_of_all(conn: &mut SqliteConnection, kinds: &str, after: i64, limit: u32) -> Result<Vec<Change>> {
    let rows = select_changes!(
        "WHERE v.position > ? AND r.kind IN (SELECT value FROM json_each(?)) ORDER BY v.position LIMIT ?",
        after,
        kinds,
        limit
    );
    rows.fetch_all(conn).await.map_err(failed)?.into_iter().map(ChangeRow::read).collect()
}

async fn feed_of(
    conn: &mut SqliteConnection,
    tenant: &str,
    kinds: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Change>> {
    let rows = select_changes!(
        "WHERE v.tenant = ? AND v.position > ? AND r.kind IN (SELECT value FROM json_each(?))
         ORDER BY v.position LIMIT ?",
        tenant,
        after,
        kinds,
        limit
    );
    rows.fetch_all(conn).await.map_err(failed)?.into_iter().map(ChangeRow::read).collect()
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
        let query = select_records!("WHERE r.key = ?", id.0.to_vec());
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.map(RecordRow::read).transpose()
    }

    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>> {
        let query =
            select_records!("WHERE r.tenant = ? AND r.learner = ? ORDER BY r.kind, r.key", tenant, learner.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(RecordRow::read).collect()
    }

    async fn look_up(&self, tenant: &str, lookup: Lookup) -> Result<Vec<StoredRecord>> {
        let query = select_records!("WHERE r.tenant = ? AND r.lookup = ? ORDER BY r.key", tenant, lookup.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(RecordRow::read).collect()
    }

    async fn current_ids(
        &self,
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>> {
        // The unary plus keeps to the order of ids: a page is no sort of all a tenant has.
        let rows = sqlx::query!(
            r#"SELECT r.id AS "id!", r.key AS "key!" FROM record r WHERE r.key > ? AND +r.tenant = ? AND r.source = ?
                AND r.kind IN (SELECT value FROM json_each(?)) AND r.state = 'current' ORDER BY r.key LIMIT ?"#,
            after.map_or_else(Vec::new, |id| id.0.to_vec()),
            tenant,
            source,
            kinds_json(kinds),
            limit
        )
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        rows.into_iter().map(|found| row("record", found.id).bytes("key", &found.key).map(RecordId)).collect()
    }

    async fn learners(&self, tenant: &str, after: Option<LearnerId>, limit: u32) -> Result<Vec<LearnerId>> {
        let rows = sqlx::query_scalar!(
            r#"SELECT DISTINCT learner AS "learner!" FROM record
            WHERE tenant = ? AND learner > ? AND state = 'current' ORDER BY learner LIMIT ?"#,
            tenant,
            after.map_or_else(Vec::new, |id| id.0.to_vec()),
            limit
        )
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        rows.iter().map(|learner| row("record", 0).bytes("learner", learner).map(LearnerId)).collect()
    }

    async fn counts(&self, tenant: &str) -> Result<Vec<Count>> {
        let rows = sqlx::query!(
            r#"SELECT kind AS "kind!", state AS "state!", count(*) AS "records!: i64" FROM record WHERE tenant = ?
            GROUP BY kind, state ORDER BY kind, state"#,
            tenant
        )
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        let count = rows.into_iter().map(|found| {
            let at = row("record", 0);
            let state = at.named("state", &found.state, State::from_name)?;
            Ok(Count { kind: at.kind(found.kind)?, state, records: found.records })
        });
        count.collect()
    }

    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>> {
        let mut reader = self.read().await?;
        let kinds = kinds_json(kinds);
        if tenants.is_empty() {
            return feed_of_all(&mut reader, &kinds, after, limit).await;
        }
        // One snapshot for all tenants: else a later query could see a change that commits before an earlier tenant's.
        let mut tx = sqlx::Connection::begin(&mut *reader).await.map_err(failed)?;
        let mut changes = Vec::new();
        for tenant in tenants {
            changes.extend(feed_of(&mut tx, tenant, &kinds, after, limit).await?);
        }
        tx.commit().await.map_err(failed)?;
        changes.sort_by_key(|change| change.position);
        changes.dedup_by_key(|change| change.position);
        changes.truncate(limit as usize);
        Ok(changes)
    }

    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>> {
        // An arrival that wrote no version names the one that stood, so versions and arrivals sort into their order.
        let rows = sqlx::query_as!(
            ArrivalRow,
            r#"SELECT id AS "id!: i64", at AS "at!: i64", outcome AS "outcome!: String", version AS "version!: i64",
                state AS "state!: String", revision AS "revision?: i64", digest AS "digest!: Vec<u8>"
            FROM (SELECT 0 AS late, position AS id, at, outcome, version, state, revision, digest
                FROM version WHERE record = (SELECT id FROM record WHERE key = ?1)
                UNION ALL SELECT 1, id, at, outcome, version, state, revision, digest
                FROM arrival WHERE record = (SELECT id FROM record WHERE key = ?1)) AS all_of_it
            ORDER BY version, late, id"#,
            id.0.to_vec()
        );
        rows.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(ArrivalRow::read).collect()
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
