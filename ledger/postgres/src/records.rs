//! Reading records, their journey and the change feed.

use super::rows::{RecordRow, kind_numbers, row};
use super::{PostgresLedger, again, failed, keep, problems};
use async_trait::async_trait;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::{
    Arrival, Batch, Change, Count, Kept, LearnerId, Lookup, Micros, Outcome, ProblemReading, RecordId, Records, Result,
    StoredProblem, StoredRecord, TakeBack,
};

macro_rules! select_records {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            RecordRow,
            r#"SELECT r.id, r.key, r.tenant, r.learner, r.source, r.kind, r.institution, r.version, r.state, r.revision,
                r.digest, c.bytes AS "bytes?" FROM record r LEFT JOIN content c ON c.id = r.content "# + $rest
            $(, $parameter)*
        )
    };
}

#[async_trait]
impl Records for PostgresLedger {
    async fn keep(&self, batch: &Batch) -> Result<Vec<Kept>> {
        again!(keep::keep(self, batch))
    }

    async fn take_back(&self, batch: &TakeBack) -> Result<u64> {
        again!(keep::take_back(self, batch))
    }

    async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>> {
        let query = select_records!("WHERE r.key = $1", &id.0[..]);
        query.fetch_optional(&self.pool).await.map_err(failed)?.map(RecordRow::read).transpose()
    }

    async fn records_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<StoredRecord>> {
        let query =
            select_records!("WHERE r.tenant = $1 AND r.learner = $2 ORDER BY r.kind, r.key", tenant, &learner.0[..]);
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(RecordRow::read).collect()
    }

    async fn look_up(&self, tenant: &str, lookup: Lookup) -> Result<Vec<StoredRecord>> {
        let query = select_records!("WHERE r.tenant = $1 AND r.lookup = $2 ORDER BY r.key", tenant, &lookup.0[..]);
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(RecordRow::read).collect()
    }

    async fn current_ids(
        &self,
        tenant: &str,
        source: &str,
        kinds: &[RecordKind],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>> {
        let rows = sqlx::query!(
            "SELECT r.id, r.key FROM record r WHERE r.key > $1 AND r.tenant = $2 AND r.source = $3
                AND (cardinality($4::smallint[]) = 0 OR r.kind = ANY($4)) AND r.state = 'current'
             ORDER BY r.key LIMIT $5",
            after.map_or_else(Vec::new, |id| id.0.to_vec()),
            tenant,
            source,
            &kind_numbers(kinds),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.into_iter().map(|found| row("record", found.id).bytes("key", &found.key).map(RecordId)).collect()
    }

    async fn learners(&self, tenant: &str, after: Option<LearnerId>, limit: u32) -> Result<Vec<LearnerId>> {
        let rows = sqlx::query_scalar!(
            "SELECT DISTINCT learner FROM record WHERE tenant = $1 AND learner > $2 AND state = 'current'
             ORDER BY learner LIMIT $3",
            tenant,
            after.map_or_else(Vec::new, |id| id.0.to_vec()),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.iter().map(|learner| row("record", 0).bytes("learner", learner).map(LearnerId)).collect()
    }

    async fn counts(&self, tenant: &str) -> Result<Vec<Count>> {
        let rows = sqlx::query!(
            r#"SELECT kind, state, count(*) AS "records!" FROM record WHERE tenant = $1
            GROUP BY kind, state ORDER BY kind, state COLLATE "C""#,
            tenant
        )
        .fetch_all(&self.pool)
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
        let rows = sqlx::query!(
            r#"SELECT v.position, v.at, r.id, r.key, r.tenant, r.learner, r.source, r.kind, r.institution, v.version,
                v.state, v.revision, v.digest, c.bytes AS "bytes?"
            FROM version v JOIN record r ON r.id = v.record LEFT JOIN content c ON c.id = v.content
            WHERE v.position > $1 AND (cardinality($2::text[]) = 0 OR v.tenant = ANY($2))
                AND (cardinality($3::smallint[]) = 0 OR r.kind = ANY($3))
            ORDER BY v.position LIMIT $4"#,
            after,
            tenants,
            &kind_numbers(kinds),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let changes = rows.into_iter().map(|found| {
            let record = RecordRow {
                id: found.id,
                key: found.key,
                tenant: found.tenant,
                learner: found.learner,
                source: found.source,
                kind: found.kind,
                institution: found.institution,
                version: found.version,
                state: found.state,
                revision: found.revision,
                digest: found.digest,
                bytes: found.bytes,
            };
            Ok(Change { position: found.position, at: found.at, record: record.read()? })
        });
        changes.collect()
    }

    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>> {
        // An arrival that wrote no version names the one that stood, so versions and arrivals sort into their order.
        let rows = sqlx::query!(
            r#"SELECT 0 AS "late!", position AS "id!", at AS "at!", outcome AS "outcome!", version AS "version!",
                state AS "state!", revision, digest AS "digest!"
            FROM version WHERE record = (SELECT id FROM record WHERE key = $1)
            UNION ALL SELECT 1, id, at, outcome, version, state, revision, digest
            FROM arrival WHERE record = (SELECT id FROM record WHERE key = $1) ORDER BY 5, 1, 2"#,
            &id.0[..]
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let arrivals = rows.into_iter().map(|found| {
            let at = row("arrival", found.id);
            Ok(Arrival {
                at: found.at,
                outcome: at.named("outcome", &found.outcome, Outcome::from_name)?,
                version: found.version,
                state: at.named("state", &found.state, State::from_name)?,
                revision: found.revision.map(i64::cast_unsigned),
                digest: at.digest("digest", &found.digest)?,
            })
        });
        arrivals.collect()
    }

    async fn settle_problems(&self, reading: &ProblemReading) -> Result<()> {
        again!(problems::settle(self, reading))
    }

    async fn problems(&self, tenant: &str, after: i64, closed: bool, limit: u32) -> Result<Vec<StoredProblem>> {
        problems::after(self, tenant, after, closed, limit).await
    }

    async fn problems_of(&self, id: RecordId) -> Result<Vec<StoredProblem>> {
        problems::of(self, id).await
    }

    async fn erase(&self, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
        again!(keep::erase(self, tenant, learner, at))
    }
}
