//! Reading records, their journey and the change feed.

use super::rows::kind_numbers;
use super::{PostgresLedger, again, failed, keep, problems};
use async_trait::async_trait;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::rows::{ArrivalRow, RecordRow, row};
use silta_ledger::{
    Arrival, Batch, Change, Count, Kept, LearnerId, Lookup, Micros, ProblemReading, RecordId, Records, Result,
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

/// A change of the feed as it is read.
struct ChangeRow {
    position: i64,
    at: i64,
    id: i64,
    key: Vec<u8>,
    tenant: String,
    learner: Vec<u8>,
    source: String,
    kind: i16,
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
            kind: self.kind.into(),
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
            r#"SELECT v.position, v.at, r.id, r.key, r.tenant, r.learner, r.source, r.kind, r.institution, v.version,
                v.state, v.revision, v.digest, c.bytes AS "bytes?" "# + $rest
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
            Ok(Count { kind: at.kind(found.kind.into())?, state, records: found.records })
        });
        count.collect()
    }

    async fn feed(&self, tenants: &[String], kinds: &[RecordKind], after: i64, limit: u32) -> Result<Vec<Change>> {
        let kinds = kind_numbers(kinds);
        let rows = match tenants {
            [] => {
                select_changes!(
                    "FROM version v JOIN record r ON r.id = v.record LEFT JOIN content c ON c.id = v.content
                     WHERE v.position > $1 AND (cardinality($2::smallint[]) = 0 OR r.kind = ANY($2))
                     ORDER BY v.position LIMIT $3",
                    after,
                    &kinds,
                    i64::from(limit)
                )
                .fetch_all(&self.pool)
                .await
            }
            // A page of each tenant by its own index, and of these the first: what others change costs nothing. Were the
            // tenant compared by `=`, the order would be that of positions alone, and the planner walk over all of them.
            _ => {
                select_changes!(
                    "FROM (SELECT DISTINCT tenant FROM unnest($1::text[]) AS t (tenant)) t
                     CROSS JOIN LATERAL (SELECT v.* FROM version v JOIN record k ON k.id = v.record
                        WHERE (v.tenant, v.position) > (t.tenant, $2) AND v.tenant <= t.tenant
                            AND (cardinality($3::smallint[]) = 0 OR k.kind = ANY($3))
                        ORDER BY v.tenant, v.position LIMIT $4) v
                     JOIN record r ON r.id = v.record LEFT JOIN content c ON c.id = v.content
                     ORDER BY v.position LIMIT $4",
                    tenants,
                    after,
                    &kinds,
                    i64::from(limit)
                )
                .fetch_all(&self.pool)
                .await
            }
        };
        rows.map_err(failed)?.into_iter().map(ChangeRow::read).collect()
    }

    async fn history(&self, id: RecordId) -> Result<Vec<Arrival>> {
        // An arrival that wrote no version names the one that stood, so versions and arrivals sort into their order.
        let rows = sqlx::query_as!(
            ArrivalRow,
            r#"SELECT id AS "id!", at AS "at!", outcome AS "outcome!", version AS "version!", state AS "state!", revision,
                digest AS "digest!"
            FROM (SELECT 0 AS late, position AS id, at, outcome, version, state, revision, digest
                FROM version WHERE record = (SELECT id FROM record WHERE key = $1)
                UNION ALL SELECT 1, id, at, outcome, version, state, revision, digest
                FROM arrival WHERE record = (SELECT id FROM record WHERE key = $1)) all_of_it
            ORDER BY version, late, id"#,
            &id.0[..]
        );
        rows.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(ArrivalRow::read).collect()
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
