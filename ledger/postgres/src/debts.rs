//! Reading debts and holdings; attempts, connections and their figures.

use super::{PostgresLedger, again, claims, commit, connection_id, failed, keep, loads, plans};
use async_trait::async_trait;
use silta_ledger::rows::{AttemptRow, DebtRow, HoldingRow, RecordRow, row};
use silta_ledger::stored::wanted_from_name;
use silta_ledger::{
    Attempt, Claim, ConnectionState, Debt, DebtState, DebtTarget, Debts, DirtyItem, Figures, Holding, HoldingCursor,
    LaneId, LeaseToken, Load, LoadStatus, ManifestEntry, Micros, NewLoad, Observation, Outcome, Plan, Raise, RecordId,
    Rejection, Result, Settled, Shrinkage,
};

macro_rules! select_debts {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            DebtRow,
            r#"SELECT d.id, c.name AS connection, r.tenant, r.key, r.kind, d.state, d.wanted, d.generation, d.attempts,
                d.since, d.fixer, d.reason, d.wanted_digest, d.sent_digest, d.confirmed_digest, d.sent_at,
                d.confirmed_at, l.bytes AS "losses?"
             FROM debt d JOIN record r ON r.id = d.record JOIN connection c ON c.id = d.connection
             LEFT JOIN content l ON l.id = d.losses "# + $rest
            $(, $parameter)*
        )
    };
}

#[async_trait]
impl Debts for PostgresLedger {
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>> {
        let rows = sqlx::query!(
            r#"SELECT d.id, d.mark, d.state AS debt_state, d.sent_digest, d.confirmed_digest, d.unsure, d.wanted,
                d.wanted_digest, v.outcome,
                r.id AS record, r.key, r.tenant, r.learner, r.source, r.kind, r.institution, r.version, r.state,
                r.revision, r.digest, c.bytes AS "bytes?"
            FROM debt d JOIN record r ON r.id = d.record
            JOIN version v ON v.record = r.id AND v.version = r.version LEFT JOIN content c ON c.id = r.content
            WHERE d.connection = (SELECT id FROM connection WHERE name = $1) AND d.mark > 0
                AND d.state <> 'sending' AND NOT EXISTS (SELECT 1 FROM load l JOIN manifest m ON m.load = l.id
                    WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key)
            ORDER BY d.mark, d.id LIMIT $2"#,
            connection,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let items = rows.into_iter().map(|found| {
            let at = row("debt", found.id);
            Ok(DirtyItem {
                debt: found.id,
                mark: found.mark,
                outcome: at.named("outcome", &found.outcome, Outcome::from_name)?,
                sent: at.opt_digest("sent_digest", found.sent_digest.as_deref())?,
                confirmed: at.opt_digest("confirmed_digest", found.confirmed_digest.as_deref())?,
                unsure: found.unsure,
                planned: at
                    .opt_named("wanted", found.wanted.as_deref(), wanted_from_name)?
                    .zip(at.opt_digest("wanted_digest", found.wanted_digest.as_deref())?),
                state: at.named("state", &found.debt_state, DebtState::from_name)?,
                record: RecordRow {
                    id: found.record,
                    key: found.key,
                    tenant: found.tenant,
                    learner: found.learner,
                    source: found.source,
                    kind: found.kind.into(),
                    institution: found.institution,
                    version: found.version,
                    state: found.state,
                    revision: found.revision,
                    digest: found.digest,
                    bytes: found.bytes,
                }
                .read()?,
            })
        });
        items.collect()
    }

    async fn plan(&self, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
        again!(plans::plan(self, connection, at, plans))
    }

    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64> {
        again!(keep::replan(self, target, tenant))
    }

    async fn claim_lanes(
        &self,
        connection: &str,
        now: Micros,
        until: Micros,
        lanes: u32,
        limit: u32,
    ) -> Result<Vec<Claim>> {
        again!(claims::claim_lanes(self, connection, now, until, lanes, limit))
    }

    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        again!(claims::renew(self, lane, token, until))
    }

    async fn settle_lanes(&self, settled: &[Settled], attempts: &[Attempt]) -> Result<Vec<LaneId>> {
        again!(claims::settle_lanes(self, settled, attempts))
    }

    async fn reap(&self, now: Micros) -> Result<u64> {
        again!(claims::reap(self, now))
    }

    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>> {
        let query = select_debts!(
            "WHERE d.connection = (SELECT id FROM connection WHERE name = $1) AND d.id > $2
                AND ($3::text IS NULL OR d.state = $3) ORDER BY d.id LIMIT $4",
            connection,
            after,
            state.map(DebtState::name),
            i64::from(limit)
        );
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(DebtRow::read).collect()
    }

    async fn debt(&self, id: i64) -> Result<Option<Debt>> {
        let query = select_debts!("WHERE d.id = $1", id);
        query.fetch_optional(&self.pool).await.map_err(failed)?.map(DebtRow::read).transpose()
    }

    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>> {
        let query = select_debts!("WHERE r.key = $1 ORDER BY d.id", &record.0[..]);
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(DebtRow::read).collect()
    }

    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>> {
        let (learner, rank, debt) =
            after.map_or_else(|| (Vec::new(), -1, 0), |c| (c.learner.0.to_vec(), i16::from(c.rank), c.debt));
        let rows = sqlx::query_as!(
            HoldingRow,
            r#"SELECT d.id, r.key, d.learner, d.rank, r.kind, d.state, d.generation, d.wanted, d.wanted_digest,
                w.bytes AS "wanted_bytes?", d.sent_digest, s.bytes AS "sent_bytes?", d.confirmed_digest,
                f.bytes AS "confirmed_bytes?", d.sent_at
            FROM debt d JOIN record r ON r.id = d.record
            LEFT JOIN content w ON w.id = d.wanted_content LEFT JOIN content s ON s.id = d.sent_content
            LEFT JOIN content f ON f.id = d.confirmed_content
            WHERE d.connection = (SELECT id FROM connection WHERE name = $1) AND (d.learner, d.rank, d.id) > ($2, $3, $4)
            ORDER BY d.learner, d.rank, d.id LIMIT $5"#,
            connection,
            learner,
            rank,
            debt,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.into_iter().map(HoldingRow::read).collect()
    }

    async fn try_again(&self, connection: &str, now: Micros) -> Result<u64> {
        again!(claims::try_again(self, connection, now))
    }

    async fn raise(&self, at: Micros, why: &str, which: &Raise) -> Result<u64> {
        again!(plans::raise(self, at, why, which))
    }

    async fn call_off(&self, at: Micros, debt: i64, why: &str) -> Result<bool> {
        again!(plans::call_off(self, at, debt, why))
    }

    async fn reject(&self, at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> Result<u64> {
        again!(plans::reject(self, at, connection, until, rejected))
    }

    async fn observed(&self, at: Micros, seen: &[Observation]) -> Result<()> {
        again!(plans::observed(self, at, seen))
    }

    async fn open_load(&self, load: &NewLoad) -> Result<i64> {
        again!(loads::open(self, load))
    }

    async fn add_to_manifest(&self, load: i64, entries: &[ManifestEntry]) -> Result<()> {
        again!(loads::add(self, load, entries))
    }

    async fn close_load(&self, load: i64, at: Micros, status: LoadStatus, reason: &str) -> Result<()> {
        again!(loads::close(self, load, at, status, reason))
    }

    async fn loads(&self, connection: Option<&str>, held: bool, limit: u32) -> Result<Vec<Load>> {
        loads::list(self, connection, held, limit).await
    }

    async fn load(&self, id: i64) -> Result<Option<Load>> {
        loads::one(self, id).await
    }

    async fn manifest(&self, load: i64, after: Option<RecordId>, limit: u32) -> Result<Vec<ManifestEntry>> {
        loads::manifest(self, load, after, limit).await
    }

    async fn shrinkage(&self, connection: &str, load: i64) -> Result<Shrinkage> {
        loads::shrinkage(self, connection, load).await
    }

    async fn loads_of(&self, record: RecordId, limit: u32) -> Result<Vec<Load>> {
        loads::of(self, record, limit).await
    }

    async fn attempted(&self, attempt: &Attempt) -> Result<()> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, &attempt.connection).await?;
        sqlx::query!(
            "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            connection,
            attempt.debt,
            attempt.load,
            attempt.at,
            attempt.took,
            attempt.verdict.name(),
            &*attempt.cause,
            attempt.reason
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn attempts(&self, debt: i64, limit: u32) -> Result<Vec<Attempt>> {
        let rows = sqlx::query_as!(
            AttemptRow,
            "SELECT a.id, a.debt, a.load, c.name AS connection, a.at, a.took, a.verdict, a.cause, a.reason
             FROM attempt a JOIN connection c ON c.id = a.connection WHERE a.debt = $1 ORDER BY a.id DESC LIMIT $2",
            debt,
            i64::from(limit)
        );
        rows.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(AttemptRow::read).collect()
    }

    async fn connection(&self, name: &str) -> Result<ConnectionState> {
        let found = sqlx::query!(
            "SELECT paused, failures, open_until, last_load, last_reconciled, planned_under
             FROM connection WHERE name = $1",
            name
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        let Some(found) = found else {
            return Ok(ConnectionState::new(name));
        };
        Ok(ConnectionState {
            name: name.into(),
            paused: found.paused,
            failures: found.failures,
            open_until: found.open_until,
            last_load: found.last_load,
            last_reconciled: found.last_reconciled,
            planned_under: found.planned_under,
        })
    }

    async fn set_connection(&self, state: &ConnectionState) -> Result<()> {
        sqlx::query!(
            "INSERT INTO connection (name, paused, failures, open_until, last_load, last_reconciled, planned_under)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, failures = excluded.failures,
                open_until = excluded.open_until, last_load = excluded.last_load,
                last_reconciled = excluded.last_reconciled, planned_under = excluded.planned_under",
            &*state.name,
            state.paused,
            state.failures,
            state.open_until,
            state.last_load,
            state.last_reconciled,
            state.planned_under
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures> {
        let Some(id) = sqlx::query_scalar!("SELECT id FROM connection WHERE name = $1", connection)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?
        else {
            return Ok(Figures::default());
        };
        // What is being sent is counted with what is owed in the index; it is in leased lanes, of which there are few.
        let rows = sqlx::query!(
            r#"WITH sending AS (SELECT count(*) AS debts FROM lane l JOIN debt d ON d.lane = l.id AND d.queued
                AND d.state = 'sending' WHERE l.leased AND l.connection = $1),
            counted AS (SELECT phase AS state, count(*) AS debts FROM debt WHERE connection = $1 GROUP BY phase)
            SELECT c.state AS "state!", c.debts - CASE c.state WHEN 'owed' THEN s.debts ELSE 0 END AS "debts!"
            FROM counted c CROSS JOIN sending s
            UNION ALL SELECT 'sending', debts FROM sending"#,
            id
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let state = |name: &str| row("debt", 0).named("state", name, DebtState::from_name);
        let there = rows.iter().filter(|r| r.debts > 0);
        let mut states = there.map(|r| Ok((state(&r.state)?, r.debts))).collect::<Result<Vec<_>>>()?;
        states.sort_by_key(|(state, _)| DebtState::ALL.iter().position(|s| s == state));
        let rest = sqlx::query!(
            r#"SELECT
                (SELECT min(since) FROM debt WHERE connection = $1
                    AND phase IN ('unplanned', 'owed', 'uncertain', 'waiting')) AS oldest,
                (SELECT count(*) FROM debt WHERE connection = $1 AND mark > 0
                    AND phase NOT IN ('unplanned', 'owed', 'uncertain', 'waiting')) AS "dirty!",
                (SELECT count(*) FROM attempt WHERE connection = $1 AND at >= $2) AS "attempts!",
                (SELECT count(*) FROM attempt WHERE connection = $1 AND at >= $2
                    AND verdict IN ('accepted', 'accepted_pending')) AS "accepted!",
                (SELECT count(*) FROM load WHERE connection = $1 AND status = 'held') AS "held_loads!",
                (SELECT count(*) FROM finding WHERE connection = $1 AND status = 'persistent') AS "persistent!""#,
            id,
            since
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed)?;
        Ok(Figures {
            states,
            dirty: rest.dirty,
            oldest: rest.oldest,
            attempts: rest.attempts,
            accepted: rest.accepted,
            held_loads: rest.held_loads,
            persistent: rest.persistent,
        })
    }
}
