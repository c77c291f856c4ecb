//! Reading debts and holdings; attempts, connections and their figures.

use super::plans::{self, at_rest};
use super::rows::{Cells, record_columns};
use super::{SqliteLedger, claims, commit, connection_id, failed, keep, loads};
use async_trait::async_trait;
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::Fixer;
use silta_ledger::stored::wanted_from_name;
use silta_ledger::{
    Attempt, Claim, ConnectionState, Debt, DebtState, DebtTarget, Debts, DirtyItem, Figures, Holding, HoldingCursor,
    LaneId, LearnerId, LeaseToken, Load, LoadStatus, ManifestEntry, Micros, NewLoad, Observation, Outcome, Plan, Raise,
    RecordId, Rejection, Result, Settled, Shrinkage, Wanted,
};
use sqlx::sqlite::SqliteRow;

macro_rules! select_debts {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, c.name AS connection, r.tenant, r.key, r.kind, d.state, d.wanted, d.generation, d.attempts,
                d.since, d.fixer, d.reason, d.wanted_digest, d.sent_digest, d.confirmed_digest, d.sent_at,
                d.confirmed_at, l.bytes AS losses
            FROM debt d CROSS JOIN record r ON r.id = d.record CROSS JOIN connection c ON c.id = d.connection
            LEFT JOIN content l ON l.id = d.losses ",
            $rest
        )
    };
}

pub(super) const OF_STATE: &str = select_debts!(
    "WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.id > ? AND d.state = ?
     ORDER BY d.id LIMIT ?"
);
/// The unary plus keeps to the order of the table: all debts of a connection, without sorting them.
pub(super) const OF_CONNECTION: &str = select_debts!(
    "WHERE +d.connection = (SELECT id FROM connection WHERE name = ?) AND d.id > ? ORDER BY d.id LIMIT ?"
);
pub(super) const OF_RECORD: &str =
    select_debts!("WHERE d.record = (SELECT id FROM record WHERE key = ?) ORDER BY d.id");

pub(super) const DIRTY: &str = concat!(
    "SELECT d.id, d.mark, d.state AS debt_state, d.sent_digest, d.confirmed_digest, d.unsure, v.outcome, ",
    record_columns!(),
    ", r.version, r.state, r.revision, r.digest, c.bytes
    FROM debt d CROSS JOIN record r ON r.id = d.record
    CROSS JOIN version v ON v.record = r.id AND v.version = r.version LEFT JOIN content c ON c.id = r.content
    WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.mark > 0 AND ",
    at_rest!(),
    "ORDER BY d.mark, d.id LIMIT ?"
);

macro_rules! select_holdings {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, r.key, d.learner, d.rank, r.kind, d.state, d.generation, d.wanted, d.wanted_digest,
                w.bytes AS wanted_bytes, d.sent_digest, s.bytes AS sent_bytes, d.confirmed_digest,
                f.bytes AS confirmed_bytes, d.sent_at
            FROM debt d CROSS JOIN record r ON r.id = d.record
            LEFT JOIN content w ON w.id = d.wanted_content LEFT JOIN content s ON s.id = d.sent_content
            LEFT JOIN content f ON f.id = d.confirmed_content
            WHERE d.connection = (SELECT id FROM connection WHERE name = ?) ",
            $rest,
            " ORDER BY d.learner, d.rank, d.id LIMIT ?"
        )
    };
}

pub(super) const HOLDINGS: &str = select_holdings!("");
pub(super) const HOLDINGS_AFTER: &str = select_holdings!("AND (d.learner, d.rank, d.id) > (?, ?, ?)");

pub(super) const FIGURES: &str = "SELECT state, count(*) AS debts FROM debt
    WHERE connection = (SELECT id FROM connection WHERE name = ?) GROUP BY state";
pub(super) const DIRTY_COUNT: &str = "SELECT count(*) FROM debt
    WHERE connection = (SELECT id FROM connection WHERE name = ?) AND mark > 0
        AND state NOT IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting')";
pub(super) const OLDEST: &str = "SELECT min(since) FROM debt
    WHERE connection = (SELECT id FROM connection WHERE name = ?)
        AND state IN ('unplanned', 'owed', 'sending', 'uncertain', 'waiting')";
pub(super) const ATTEMPTED: &str =
    "SELECT count(*), count(*) FILTER (WHERE verdict IN ('accepted', 'accepted_pending'))
    FROM attempt WHERE connection = (SELECT id FROM connection WHERE name = ?) AND at >= ?";
const WAITING: &str = "SELECT
    (SELECT count(*) FROM load l WHERE l.connection = c.id AND l.status = 'held'),
    (SELECT count(*) FROM finding f WHERE f.connection = c.id AND f.status = 'persistent')
    FROM connection c WHERE c.name = ?";

fn debt(row: &SqliteRow) -> Result<Debt> {
    let cells = Cells::new("debt", row);
    Ok(Debt {
        id: cells.get("id")?,
        connection: cells.text("connection")?,
        tenant: cells.text("tenant")?,
        item: RecordId(cells.bytes("key")?),
        kind: cells.kind("kind")?,
        state: cells.named("state", DebtState::from_name)?,
        wanted: cells.opt_named("wanted", wanted_from_name)?.unwrap_or(Wanted::Present),
        generation: cells.get("generation")?,
        attempts: cells.get("attempts")?,
        since: cells.get("since")?,
        fixer: cells.opt_named("fixer", Fixer::from_name)?,
        reason: cells.get("reason")?,
        wanted_digest: cells.opt_digest("wanted_digest")?,
        sent_digest: cells.opt_digest("sent_digest")?,
        confirmed_digest: cells.opt_digest("confirmed_digest")?,
        sent_at: cells.get("sent_at")?,
        confirmed_at: cells.get("confirmed_at")?,
        losses: cells.get("losses")?,
    })
}

fn dirty_item(row: &SqliteRow) -> Result<DirtyItem> {
    let cells = Cells::new("debt", row);
    Ok(DirtyItem {
        debt: cells.get("id")?,
        mark: cells.get("mark")?,
        record: cells.record()?,
        outcome: cells.named("outcome", Outcome::from_name)?,
        sent: cells.opt_digest("sent_digest")?,
        confirmed: cells.opt_digest("confirmed_digest")?,
        unsure: cells.get("unsure")?,
        state: cells.named("debt_state", DebtState::from_name)?,
    })
}

fn holding(row: &SqliteRow) -> Result<Holding> {
    let cells = Cells::new("debt", row);
    Ok(Holding {
        debt: cells.get("id")?,
        item: RecordId(cells.bytes("key")?),
        learner: LearnerId(cells.bytes("learner")?),
        rank: cells.get("rank")?,
        kind: cells.kind("kind")?,
        state: cells.named("state", DebtState::from_name)?,
        generation: cells.get("generation")?,
        wanted: cells.opt_named("wanted", wanted_from_name)?,
        wanted_content: cells.content("wanted_digest", "wanted_bytes")?,
        sent_content: cells.content("sent_digest", "sent_bytes")?,
        confirmed_content: cells.content("confirmed_digest", "confirmed_bytes")?,
        sent_at: cells.get("sent_at")?,
    })
}

fn attempt(row: &SqliteRow) -> Result<Attempt> {
    let cells = Cells::new("attempt", row);
    Ok(Attempt {
        debt: cells.get("debt")?,
        load: cells.get("load")?,
        connection: cells.text("connection")?,
        at: cells.get("at")?,
        took: cells.get("took")?,
        verdict: cells.named("verdict", Verdict::from_name)?,
        cause: cells.text("cause")?,
        reason: cells.get("reason")?,
    })
}

#[async_trait]
impl Debts for SqliteLedger {
    async fn dirty(&self, connection: &str, limit: u32) -> Result<Vec<DirtyItem>> {
        let query = sqlx::query(DIRTY).bind(connection).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(dirty_item).collect()
    }

    async fn plan(&self, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
        plans::plan(self, connection, at, plans).await
    }

    async fn replan(&self, target: &DebtTarget, tenant: &str) -> Result<u64> {
        keep::replan(self, target, tenant).await
    }

    async fn claim(&self, connection: &str, now: Micros, until: Micros, limit: u32) -> Result<Option<Claim>> {
        claims::claim(self, connection, now, until, limit).await
    }

    async fn renew(&self, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
        claims::renew(self, lane, token, until).await
    }

    async fn settle(&self, settled: &Settled) -> Result<()> {
        claims::settle(self, settled).await
    }

    async fn reap(&self, now: Micros) -> Result<u64> {
        claims::reap(self, now).await
    }

    async fn debts(&self, connection: &str, state: Option<DebtState>, after: i64, limit: u32) -> Result<Vec<Debt>> {
        let query = match state {
            Some(state) => sqlx::query(OF_STATE).bind(connection).bind(after).bind(state.name()),
            None => sqlx::query(OF_CONNECTION).bind(connection).bind(after),
        };
        query.bind(limit).fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(debt).collect()
    }

    async fn debt(&self, id: i64) -> Result<Option<Debt>> {
        let query = sqlx::query(select_debts!("WHERE d.id = ?")).bind(id);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.as_ref().map(debt).transpose()
    }

    async fn debts_of(&self, record: RecordId) -> Result<Vec<Debt>> {
        let query = sqlx::query(OF_RECORD).bind(record.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(debt).collect()
    }

    async fn holdings(&self, connection: &str, after: Option<HoldingCursor>, limit: u32) -> Result<Vec<Holding>> {
        let query = match after {
            None => sqlx::query(HOLDINGS).bind(connection),
            Some(after) => sqlx::query(HOLDINGS_AFTER)
                .bind(connection)
                .bind(after.learner.0.to_vec())
                .bind(after.rank)
                .bind(after.debt),
        };
        query.bind(limit).fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(holding).collect()
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
        let connection = connection_id(&mut tx, &attempt.connection).await?;
        sqlx::query(
            "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(connection)
        .bind(attempt.debt)
        .bind(attempt.load)
        .bind(attempt.at)
        .bind(attempt.took)
        .bind(attempt.verdict.name())
        .bind(&*attempt.cause)
        .bind(&attempt.reason)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn attempts(&self, debt: i64, limit: u32) -> Result<Vec<Attempt>> {
        let sql = "SELECT a.id, a.debt, a.load, c.name AS connection, a.at, a.took, a.verdict, a.cause, a.reason
            FROM attempt a CROSS JOIN connection c ON c.id = a.connection WHERE a.debt = ? ORDER BY a.id DESC LIMIT ?";
        let query = sqlx::query(sql).bind(debt).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(attempt).collect()
    }

    async fn connection(&self, name: &str) -> Result<ConnectionState> {
        let row = sqlx::query("SELECT * FROM connection WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            return Ok(ConnectionState::new(name));
        };
        let cells = Cells::new("connection", &row);
        Ok(ConnectionState {
            name: cells.text("name")?,
            paused: cells.get("paused")?,
            failures: cells.get("failures")?,
            open_until: cells.get("open_until")?,
            last_load: cells.get("last_load")?,
            last_reconciled: cells.get("last_reconciled")?,
            planned_under: cells.get("planned_under")?,
        })
    }

    async fn set_connection(&self, state: &ConnectionState) -> Result<()> {
        let mut tx = self.write().await?;
        let id = connection_id(&mut tx, &state.name).await?;
        sqlx::query(
            "UPDATE connection SET paused = ?, failures = ?, open_until = ?, last_load = ?, last_reconciled = ?,
                planned_under = ? WHERE id = ?",
        )
        .bind(state.paused)
        .bind(state.failures)
        .bind(state.open_until)
        .bind(state.last_load)
        .bind(state.last_reconciled)
        .bind(&state.planned_under)
        .bind(id)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn figures(&self, connection: &str, since: Micros) -> Result<Figures> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(FIGURES).bind(connection).fetch_all(&mut *reader).await.map_err(failed)?;
        let state = |row| {
            let cells = Cells::new("debt", row);
            Ok((cells.named("state", DebtState::from_name)?, cells.get("debts")?))
        };
        let mut states: Vec<(DebtState, i64)> = rows.iter().map(state).collect::<Result<_>>()?;
        states.sort_by_key(|(state, _)| DebtState::ALL.iter().position(|s| s == state));
        let oldest = sqlx::query_scalar(OLDEST).bind(connection).fetch_one(&mut *reader).await.map_err(failed)?;
        let (attempts, accepted) =
            sqlx::query_as(ATTEMPTED).bind(connection).bind(since).fetch_one(&mut *reader).await.map_err(failed)?;
        let waiting = sqlx::query_as(WAITING).bind(connection).fetch_optional(&mut *reader).await.map_err(failed)?;
        let (held_loads, persistent) = waiting.unwrap_or_default();
        let dirty = sqlx::query_scalar(DIRTY_COUNT).bind(connection).fetch_one(&mut *reader).await.map_err(failed)?;
        Ok(Figures { states, dirty, oldest, attempts, accepted, held_loads, persistent })
    }
}
