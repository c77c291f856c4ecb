//! Reading debts and holdings; attempts, connections and their figures.

use super::{SqliteLedger, claims, commit, connection_id, failed, keep, loads, plans};
use async_trait::async_trait;
use silta_ledger::rows::{AttemptRow, DebtRow, HoldingRow, RecordRow, row};
use silta_ledger::stored::wanted_from_name;
use silta_ledger::{
    Attempt, Claim, ConnectionState, Debt, DebtState, DebtTarget, Debts, DirtyItem, Figures, Holding, HoldingCursor,
    LaneId, LeaseToken, Load, LoadStatus, ManifestEntry, Micros, NewLoad, Observation, Outcome, Plan, Raise, RecordId,
    Rejection, Result, Settled, Shrinkage,
};
use sqlx::SqliteConnection;

macro_rules! select_debts {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            DebtRow,
            r#"SELECT d.id AS "id!", c.name AS "connection!", r.tenant AS "tenant!", r.key AS "key!", r.kind AS "kind!",
                d.state AS "state!", d.wanted, d.generation AS "generation!", d.attempts AS "attempts!",
                d.since AS "since!", d.fixer, d.reason AS "reason!", d.wanted_digest, d.sent_digest,
                d.confirmed_digest, d.sent_at, d.confirmed_at, l.bytes AS "losses?"
            FROM debt d CROSS JOIN record r ON r.id = d.record CROSS JOIN connection c ON c.id = d.connection
            LEFT JOIN content l ON l.id = d.losses "# + $rest
            $(, $parameter)*
        )
    };
}

macro_rules! select_holdings {
    ($after:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            HoldingRow,
            r#"SELECT d.id AS "id!", r.key AS "key!", d.learner AS "learner!", d.rank AS "rank!", r.kind AS "kind!",
                d.state AS "state!", d.generation AS "generation!", d.wanted, d.wanted_digest,
                w.bytes AS "wanted_bytes?", d.sent_digest, s.bytes AS "sent_bytes?", d.confirmed_digest,
                f.bytes AS "confirmed_bytes?", d.sent_at
            FROM debt d CROSS JOIN record r ON r.id = d.record
            LEFT JOIN content w ON w.id = d.wanted_content LEFT JOIN content s ON s.id = d.sent_content
            LEFT JOIN content f ON f.id = d.confirmed_content
            WHERE d.connection = (SELECT id FROM connection WHERE name = ?) "# + $after
                + " ORDER BY d.learner, d.rank, d.id LIMIT ?"
            $(, $parameter)*
        )
    };
}

/// Notes an attempt.
pub(super) async fn insert_attempt(conn: &mut SqliteConnection, attempt: &Attempt) -> Result<()> {
    let connection = connection_id(conn, &attempt.connection).await?;
    sqlx::query!(
        "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        connection,
        attempt.debt,
        attempt.load,
        attempt.at,
        attempt.took,
        attempt.verdict.name(),
        &*attempt.cause,
        &attempt.reason
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

#[async_trait]
impl Debts for SqliteLedger {
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>> {
        let rows = sqlx::query!(
            r#"SELECT d.id AS "id!", d.mark AS "mark!", d.state AS "debt_state!", d.sent_digest, d.confirmed_digest,
                d.unsure AS "unsure!", d.wanted, d.wanted_digest, v.outcome AS "outcome!", r.id AS "record!", r.key AS "key!",
                r.tenant AS "tenant!", r.learner AS "learner!", r.source AS "source!", r.kind AS "kind!",
                r.institution AS "institution!", r.version AS "version!", r.state AS "state!", r.revision,
                r.digest AS "digest!", c.bytes AS "bytes?"
            FROM debt d CROSS JOIN record r ON r.id = d.record
            CROSS JOIN version v ON v.record = r.id AND v.version = r.version LEFT JOIN content c ON c.id = r.content
            WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.mark > 0
                AND d.state <> 'sending' AND NOT EXISTS (SELECT 1 FROM load l CROSS JOIN manifest m ON m.load = l.id
                    WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key)
            ORDER BY d.mark, d.id LIMIT ?"#,
            connection,
            limit
        )
        .fetch_all(&mut *self.read().await?)
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
                    kind: found.kind,
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
        plans::plan(self, connection, at, plans).await
    }

    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64> {
        keep::replan(self, target, tenant).await
    }

    async fn claim_lanes(
        &self,
        connection: &str,
        now: Micros,
        until: Micros,
        lanes: u32,
        limit: u32,
    ) -> Result<Vec<Claim>> {
        claims::claim_lanes(self, connection, now, until, lanes, limit).await
    }

    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        claims::renew(self, lane, token, until).await
    }

    async fn settle_lanes(&self, settled: &[Settled], attempts: &[Attempt]) -> Result<Vec<LaneId>> {
        claims::settle_lanes(self, settled, attempts).await
    }

    async fn reap(&self, now: Micros) -> Result<u64> {
        claims::reap(self, now).await
    }

    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>> {
        let mut reader = self.read().await?;
        let rows = match state {
            Some(state) => {
                select_debts!(
                    "WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.id > ? AND d.state = ?
                     ORDER BY d.id LIMIT ?",
                    connection,
                    after,
                    state.name(),
                    limit
                )
                .fetch_all(&mut *reader)
                .await
            }
            // The unary plus keeps to the order of the table: all debts of a connection, without sorting them.
            None => select_debts!(
                "WHERE +d.connection = (SELECT id FROM connection WHERE name = ?) AND d.id > ? ORDER BY d.id LIMIT ?",
                connection,
                after,
                limit
            )
            .fetch_all(&mut *reader)
            .await,
        };
        rows.map_err(failed)?.into_iter().map(DebtRow::read).collect()
    }

    async fn debt(&self, id: i64) -> Result<Option<Debt>> {
        let query = select_debts!("WHERE d.id = ?", id);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.map(DebtRow::read).transpose()
    }

    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>> {
        let query =
            select_debts!("WHERE d.record = (SELECT id FROM record WHERE key = ?) ORDER BY d.id", record.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(DebtRow::read).collect()
    }

    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>> {
        let mut reader = self.read().await?;
        let rows = match after {
            None => select_holdings!("", connection, limit).fetch_all(&mut *reader).await,
            Some(after) => {
                select_holdings!(
                    "AND (d.learner, d.rank, d.id) > (?, ?, ?)",
                    connection,
                    after.learner.0.to_vec(),
                    after.rank,
                    after.debt,
                    limit
                )
                .fetch_all(&mut *reader)
                .await
            }
        };
        rows.map_err(failed)?.into_iter().map(HoldingRow::read).collect()
    }

    async fn try_again(&self, connection: &str, now: Micros) -> Result<u64> {
        claims::try_again(self, connection, now).await
    }

    async fn raise(&self, at: Micros, why: &str, which: &Raise) -> Result<u64> {
        plans::raise(self, at, why, which).await
    }

    async fn call_off(&self, at: Micros, debt: i64, why: &str) -> Result<bool> {
        plans::call_off(self, at, debt, why).await
    }

    async fn reject(&self, at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> Result<u64> {
        plans::reject(self, at, connection, until, rejected).await
    }

    async fn observed(&self, at: Micros, seen: &[Observation]) -> Result<()> {
        plans::observed(self, at, seen).await
    }

    async fn open_load(&self, load: &NewLoad) -> Result<i64> {
        loads::open(self, load).await
    }

    async fn add_to_manifest(&self, load: i64, entries: &[ManifestEntry]) -> Result<()> {
        loads::add(self, load, entries).await
    }

    async fn close_load(&self, load: i64, at: Micros, status: LoadStatus, reason: &str) -> Result<()> {
        loads::close(self, load, at, status, reason).await
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
        insert_attempt(&mut tx, attempt).await?;
        commit(tx).await
    }

    async fn attempts(&self, debt: i64, limit: u32) -> Result<Vec<Attempt>> {
        let rows = sqlx::query_as!(
            AttemptRow,
            r#"SELECT a.id AS "id!", a.debt, a.load, c.name AS "connection!", a.at AS "at!", a.took AS "took!",
                a.verdict AS "verdict!", a.cause AS "cause!", a.reason AS "reason!"
            FROM attempt a CROSS JOIN connection c ON c.id = a.connection
            WHERE a.debt = ? ORDER BY a.id DESC LIMIT ?"#,
            debt,
            limit
        );
        rows.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(AttemptRow::read).collect()
    }

    async fn connection(&self, name: &str) -> Result<ConnectionState> {
        let found = sqlx::query!(
            r#"SELECT paused AS "paused!", failures AS "failures!", open_until, last_load, last_reconciled,
                planned_under AS "planned_under!"
            FROM connection WHERE name = ?"#,
            name
        )
        .fetch_optional(&mut *self.read().await?)
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
        let mut tx = self.write().await?;
        let id = connection_id(&mut tx, &state.name).await?;
        sqlx::query!(
            "UPDATE connection SET paused = ?, failures = ?, open_until = ?, last_load = ?, last_reconciled = ?,
                planned_under = ? WHERE id = ?",
            state.paused,
            state.failures,
            state.open_until,
            state.last_load,
            state.last_reconciled,
            &state.planned_under,
            id
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures> {
        let mut reader = self.read().await?;
        let rows = sqlx::query!(
            r#"SELECT state AS "state!", count(*) AS "debts!: i64" FROM debt
            WHERE connection = (SELECT id FROM connection WHERE name = ?) GROUP BY state"#,
            connection
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(failed)?;
        let state = |name: &str| row("debt", 0).named("state", name, DebtState::from_name);
        let mut states: Vec<(DebtState, i64)> =
            rows.into_iter().map(|found| Ok((state(&found.state)?, found.debts))).collect::<Result<_>>()?;
        states.sort_by_key(|(state, _)| DebtState::ALL.iter().position(|s| s == state));
        let rest = sqlx::query!(
            r#"WITH c (id) AS (SELECT (SELECT id FROM connection WHERE name = ?1))
            SELECT
                (SELECT min(since) FROM debt d WHERE d.connection = c.id
                    AND d.state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting')) AS "oldest?: i64",
                (SELECT count(*) FROM debt d WHERE d.connection = c.id AND d.mark > 0
                    AND d.state NOT IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting')) AS "dirty!: i64",
                (SELECT count(*) FROM attempt a WHERE a.connection = c.id AND a.at >= ?2) AS "attempts!: i64",
                (SELECT count(*) FROM attempt a WHERE a.connection = c.id AND a.at >= ?2
                    AND a.verdict IN ('accepted', 'accepted_pending')) AS "accepted!: i64",
                (SELECT count(*) FROM load l WHERE l.connection = c.id AND l.status = 'held') AS "held_loads!: i64",
                (SELECT count(*) FROM finding f WHERE f.connection = c.id
                    AND f.status = 'persistent') AS "persistent!: i64"
            FROM c"#,
            connection,
            since
        )
        .fetch_one(&mut *reader)
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
