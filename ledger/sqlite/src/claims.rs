//! Lanes: claimed, renewed, settled, reaped.

use super::plans::drop_unused;
use super::rows::{Cells, list, numbers};
use super::{SqliteLedger, commit, debts::insert_attempt, failed, loads, next};
use serde_json::json;
use silta_adapter::record::State;
use silta_ledger::stored::wanted_from_name;
use silta_ledger::{
    Attempt, Claim, ClaimedDebt, LaneId, LeaseToken, LedgerError, LoadStatus, Micros, RecordId, Result, Settled,
    Settlement,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

pub(super) const NEXT_LANES: &str = "SELECT l.id FROM lane l
    WHERE l.connection = (SELECT id FROM connection WHERE name = ?) AND l.next_at <= ? ORDER BY l.next_at, l.id LIMIT ?";

pub(super) const HEADS: &str = "SELECT d.id, r.key, r.tenant, d.generation, d.wanted, r.state, d.wanted_digest,
        d.attempts, c.bytes
    FROM debt d CROSS JOIN record r ON r.id = d.record LEFT JOIN content c
        ON c.id = CASE d.wanted WHEN 'present' THEN d.wanted_content ELSE coalesce(d.sent_content, r.content) END
    WHERE d.lane = ? AND d.state = 'owed' ORDER BY d.turn, d.since, d.id LIMIT ?";

/// See [`silta_ledger::Debts::claim_lanes`].
pub(super) async fn claim_lanes(
    ledger: &SqliteLedger,
    connection: &str,
    now: Micros,
    until: Micros,
    lanes: u32,
    limit: u32,
) -> Result<Vec<Claim>> {
    // Most of the time nothing is due: that is found out without the writer.
    let due = sqlx::query(NEXT_LANES).bind(connection).bind(now).bind(1);
    if due.fetch_optional(&mut *ledger.read().await?).await.map_err(failed)?.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = ledger.write().await?;
    let due: Vec<i64> = sqlx::query_scalar(NEXT_LANES)
        .bind(connection)
        .bind(now)
        .bind(lanes)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
    let mut claims = Vec::with_capacity(due.len());
    for lane in due {
        claims.push(take(&mut tx, lane, until, limit).await?);
    }
    commit(tx).await?;
    Ok(claims)
}

async fn take(conn: &mut SqliteConnection, lane: i64, until: Micros, limit: u32) -> Result<Claim> {
    let rows = sqlx::query(HEADS).bind(lane).bind(limit).fetch_all(&mut *conn).await.map_err(failed)?;
    let debts: Vec<ClaimedDebt> = rows.iter().map(claimed).collect::<Result<_>>()?;
    sqlx::query("UPDATE debt SET state = 'sending' WHERE id IN (SELECT value FROM json_each(?))")
        .bind(numbers(debts.iter().map(|d| d.id)))
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    let token = next(conn, 0).await?.tick;
    sqlx::query("UPDATE lane SET next_at = NULL, token = ?, leased_until = ? WHERE id = ?")
        .bind(token)
        .bind(until)
        .bind(lane)
        .execute(conn)
        .await
        .map_err(failed)?;
    Ok(Claim { lane: LaneId(lane), token: LeaseToken(token), debts })
}

fn claimed(row: &SqliteRow) -> Result<ClaimedDebt> {
    let cells = Cells::new("debt", row);
    Ok(ClaimedDebt {
        id: cells.get("id")?,
        item: RecordId(cells.bytes("key")?),
        tenant: cells.text("tenant")?,
        generation: cells.get("generation")?,
        wanted: cells.named("wanted", wanted_from_name)?,
        record_state: cells.named("state", State::from_name)?,
        digest: cells.digest("wanted_digest")?,
        content: cells.get("bytes")?,
        attempts: cells.get("attempts")?,
    })
}

/// See [`silta_ledger::Debts::renew`].
pub(super) async fn renew(ledger: &SqliteLedger, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
    let mut tx = ledger.write().await?;
    let sql = "UPDATE lane SET leased_until = ? WHERE id = ? AND token = ? AND leased_until IS NOT NULL";
    let query = sqlx::query(sql).bind(until).bind(lane.0).bind(token.0);
    match query.execute(&mut *tx).await.map_err(failed)?.rows_affected() {
        0 => Err(LedgerError::LeaseLost),
        _ => commit(tx).await,
    }
}

/// Only debts of this claim, in the generation that was claimed: what is being sent is never planned anew.
/// Each debt is found by its id (the `+` keeps the planner from walking the lane, which may hold all of a tenant).
pub(super) const SETTLE: &str = "UPDATE debt SET state = s.value ->> 2, attempts = attempts + 1, fixer = s.value ->> 3,
        reason = s.value ->> 4,
        unsure = iif(s.value ->> 2 = 'uncertain', 1, iif(s.value ->> 5, 0, unsure)),
        sent_at = iif(s.value ->> 5, ?3, sent_at),
        sent_digest = iif(s.value ->> 5, iif(wanted = 'present', wanted_digest, NULL), sent_digest),
        sent_content = iif(s.value ->> 5, wanted_content, sent_content),
        confirmed_at = iif(s.value ->> 2 = 'confirmed', ?3, confirmed_at),
        confirmed_digest =
            iif(s.value ->> 2 = 'confirmed', iif(wanted = 'present', wanted_digest, NULL), confirmed_digest),
        confirmed_content = iif(s.value ->> 2 = 'confirmed', wanted_content, confirmed_content)
    FROM json_each(?1) s WHERE debt.id = s.value ->> 0 AND generation = s.value ->> 1
        AND +lane = ?2 AND (+state = 'sending' OR (+state = 'owed' AND s.value ->> 2 = 'waiting'))";

/// See [`silta_ledger::Debts::settle_lanes`].
pub(super) async fn settle_lanes(
    ledger: &SqliteLedger,
    settled: &[Settled],
    attempts: &[Attempt],
) -> Result<Vec<LaneId>> {
    let mut tx = ledger.write().await?;
    for attempt in attempts {
        insert_attempt(&mut tx, attempt).await?;
    }
    let mut lost = Vec::new();
    for one in settled {
        if !settle(&mut tx, one).await? {
            lost.push(one.lane);
        }
    }
    commit(tx).await?;
    Ok(lost)
}

/// False if the lane is not held by this token.
async fn settle(conn: &mut SqliteConnection, settled: &Settled) -> Result<bool> {
    let held = sqlx::query("SELECT 1 FROM lane WHERE id = ? AND token = ? AND leased_until IS NOT NULL")
        .bind(settled.lane.0)
        .bind(settled.token.0);
    if held.fetch_optional(&mut *conn).await.map_err(failed)?.is_none() {
        return Ok(false);
    }
    let row = |s: &Settlement| {
        let fixer = s.fixer.map(|fixer| fixer.name());
        json!([s.debt, s.generation, s.state.name(), fixer, s.reason, i64::from(s.state.paid())]).to_string()
    };
    if !settled.debts.is_empty() {
        sqlx::query(SETTLE)
            .bind(list(settled.debts.iter().map(row)))
            .bind(settled.lane.0)
            .bind(settled.at)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        drop_unused(&mut *conn, &numbers(settled.debts.iter().map(|s| s.debt))).await?;
    }
    sqlx::query("UPDATE debt SET state = 'owed' WHERE lane = ? AND state = 'sending'")
        .bind(settled.lane.0)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    sqlx::query(
        "UPDATE lane SET leased_until = NULL,
            next_at = iif(EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed'), ?, NULL)
         WHERE id = ?",
    )
    .bind(settled.next)
    .bind(settled.lane.0)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(true)
}

/// See [`silta_ledger::Debts::try_again`].
pub(super) async fn try_again(ledger: &SqliteLedger, connection: &str, now: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let owed = sqlx::query(
        "UPDATE debt SET state = 'owed'
         WHERE connection = (SELECT id FROM connection WHERE name = ?) AND state = 'uncertain'",
    )
    .bind(connection)
    .execute(&mut *tx)
    .await
    .map_err(failed)?
    .rows_affected();
    if owed > 0 {
        sqlx::query(
            "UPDATE lane SET next_at = ?1
             WHERE connection = (SELECT id FROM connection WHERE name = ?2) AND next_at IS NULL
                AND EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed')",
        )
        .bind(now)
        .bind(connection)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    }
    commit(tx).await?;
    Ok(owed)
}

/// See [`silta_ledger::Debts::reap`].
pub(super) async fn reap(ledger: &SqliteLedger, now: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    sqlx::query(
        "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
         SELECT lane.connection, d.id, NULL, ?1, 0, 'uncertain', 'lease', 'the lease ran out'
         FROM lane JOIN debt d ON d.lane = lane.id AND d.state = 'sending' WHERE lane.leased_until < ?1 ORDER BY d.id",
    )
    .bind(now)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query(
        "UPDATE debt SET state = 'uncertain', unsure = 1, attempts = attempts + 1, reason = 'the lease ran out',
            fixer = NULL
         WHERE state = 'sending' AND lane IN (SELECT id FROM lane WHERE leased_until < ?)",
    )
    .bind(now)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    let lost: Vec<i64> = sqlx::query_scalar(
        "SELECT l.id FROM load l WHERE l.status = 'sending' AND NOT EXISTS (SELECT 1 FROM lane
            WHERE lane.connection = l.connection AND lane.tenant = l.tenant AND lane.key = zeroblob(16)
                AND lane.leased_until >= ?)",
    )
    .bind(now)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    for load in lost {
        loads::finish(&mut tx, load, now, LoadStatus::Failed, "the lease ran out").await?;
    }
    let freed = sqlx::query(
        "UPDATE lane SET leased_until = NULL,
            next_at = iif(EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed'), ?1, NULL)
         WHERE leased_until < ?1",
    )
    .bind(now)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(freed.rows_affected())
}
