//! Lanes: claimed, renewed, settled, reaped.

use super::debts::insert_attempt;
use super::plans::drop_unused;
use super::rows::{list, numbers};
use super::{SqliteLedger, commit, failed, loads, next};
use serde_json::json;
use silta_ledger::rows::ClaimedRow;
use silta_ledger::{
    Attempt, Claim, ClaimedDebt, LaneId, LeaseToken, LedgerError, LoadStatus, Micros, Result, Settled, Settlement,
};
use sqlx::SqliteConnection;

/// The lanes of a connection that are due longest.
async fn next_lanes(conn: &mut SqliteConnection, connection: &str, now: Micros, most: u32) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"SELECT l.id AS "id!" FROM lane l WHERE l.connection = (SELECT id FROM connection WHERE name = ?)
            AND l.next_at <= ? ORDER BY l.next_at, l.id LIMIT ?"#,
        connection,
        now,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed)
}

/// Of what must be absent the content is what was last accepted, as long as it is there.
async fn heads(conn: &mut SqliteConnection, lane: i64, limit: u32) -> Result<Vec<ClaimedDebt>> {
    let rows = sqlx::query_as!(
        ClaimedRow,
        r#"SELECT d.lane AS "lane!", d.id AS "id!", r.key AS "key!", r.tenant AS "tenant!", d.generation AS "generation!", d.wanted,
            r.state AS "state!", d.wanted_digest, d.attempts AS "attempts!", d.mark > 0 AS "changed!: bool",
            CASE d.wanted WHEN 'present' THEN w.bytes ELSE coalesce(s.bytes, c.bytes) END AS "bytes?: Vec<u8>"
        FROM debt d CROSS JOIN record r ON r.id = d.record LEFT JOIN content w ON w.id = d.wanted_content
            LEFT JOIN content s ON s.id = d.sent_content LEFT JOIN content c ON c.id = r.content
        WHERE d.lane = ? AND d.state = 'owed' ORDER BY d.turn, d.since, d.id LIMIT ?"#,
        lane,
        limit
    );
    rows.fetch_all(conn).await.map_err(failed)?.into_iter().map(ClaimedRow::read).collect()
}

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
    if next_lanes(&mut *ledger.read().await?, connection, now, 1).await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = ledger.write().await?;
    let mut claims = Vec::new();
    for lane in next_lanes(&mut tx, connection, now, lanes).await? {
        claims.push(take(&mut tx, lane, until, limit).await?);
    }
    commit(tx).await?;
    Ok(claims)
}

async fn take(conn: &mut SqliteConnection, lane: i64, until: Micros, limit: u32) -> Result<Claim> {
    let debts = heads(conn, lane, limit).await?;
    sqlx::query!(
        "UPDATE debt SET state = 'sending' WHERE id IN (SELECT value FROM json_each(?))",
        numbers(debts.iter().map(|d| d.id))
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let token = next(conn, 0).await?.tick;
    sqlx::query!("UPDATE lane SET next_at = NULL, token = ?, leased_until = ? WHERE id = ?", token, until, lane)
        .execute(conn)
        .await
        .map_err(failed)?;
    Ok(Claim { lane: LaneId(lane), token: LeaseToken(token), debts })
}

/// See [`silta_ledger::Debts::renew`].
pub(super) async fn renew(ledger: &SqliteLedger, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
    let mut tx = ledger.write().await?;
    let query = sqlx::query!(
        "UPDATE lane SET leased_until = ? WHERE id = ? AND token = ? AND leased_until IS NOT NULL",
        until,
        lane.0,
        token.0
    );
    match query.execute(&mut *tx).await.map_err(failed)?.rows_affected() {
        0 => Err(LedgerError::LeaseLost),
        _ => commit(tx).await,
    }
}

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
    let held = sqlx::query_scalar!(
        "SELECT id FROM lane WHERE id = ? AND token = ? AND leased_until IS NOT NULL",
        settled.lane.0,
        settled.token.0
    );
    if held.fetch_optional(&mut *conn).await.map_err(failed)?.is_none() {
        return Ok(false);
    }
    let row = |s: &Settlement| {
        let fixer = s.fixer.map(|fixer| fixer.name());
        json!([s.debt, s.generation, s.state.name(), fixer, s.reason, i64::from(s.state.paid())]).to_string()
    };
    if !settled.debts.is_empty() {
        // Only debts of this claim, in the generation that was claimed: what is being sent is never planned anew. Each is
        // found by its id (the `+` keeps the planner from walking the lane, which may hold all of a tenant).
        sqlx::query!(
            "UPDATE debt SET state = s.value ->> 2, attempts = attempts + 1, fixer = s.value ->> 3,
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
        AND +lane = ?2 AND (+state = 'sending' OR (+state = 'owed' AND s.value ->> 2 = 'waiting'))",
            list(settled.debts.iter().map(row)),
            settled.lane.0,
            settled.at
        )
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        drop_unused(&mut *conn, &numbers(settled.debts.iter().map(|s| s.debt))).await?;
    }
    sqlx::query!("UPDATE debt SET state = 'owed' WHERE lane = ? AND state = 'sending'", settled.lane.0)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    sqlx::query!(
        "UPDATE lane SET leased_until = NULL,
            next_at = iif(EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed'), ?, NULL)
         WHERE id = ?",
        settled.next,
        settled.lane.0
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(true)
}

/// See [`silta_ledger::Debts::try_again`].
pub(super) async fn try_again(ledger: &SqliteLedger, connection: &str, now: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let owed = sqlx::query!(
        "UPDATE debt SET state = 'owed'
         WHERE connection = (SELECT id FROM connection WHERE name = ?) AND state = 'uncertain'",
        connection
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?
    .rows_affected();
    if owed > 0 {
        sqlx::query!(
            "UPDATE lane SET next_at = ?1
             WHERE connection = (SELECT id FROM connection WHERE name = ?2) AND next_at IS NULL
                AND EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed')",
            now,
            connection
        )
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
    sqlx::query!(
        "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
         SELECT lane.connection, d.id, NULL, ?1, 0, 'uncertain', 'lease', 'the lease ran out'
         FROM lane JOIN debt d ON d.lane = lane.id AND d.state = 'sending' WHERE lane.leased_until < ?1 ORDER BY d.id",
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = 'uncertain', unsure = 1, attempts = attempts + 1, reason = 'the lease ran out',
            fixer = NULL
         WHERE state = 'sending' AND lane IN (SELECT id FROM lane WHERE leased_until < ?)",
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    let lost: Vec<i64> = sqlx::query_scalar!(
        "SELECT l.id AS \"id!\" FROM load l WHERE l.status = 'sending' AND NOT EXISTS (SELECT 1 FROM lane
            WHERE lane.connection = l.connection AND lane.tenant = l.tenant AND lane.key = zeroblob(16)
                AND lane.leased_until >= ?)",
        now
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    for load in lost {
        loads::finish(&mut tx, load, now, LoadStatus::Failed, "the lease ran out").await?;
    }
    let freed = sqlx::query!(
        "UPDATE lane SET leased_until = NULL,
            next_at = iif(EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed'), ?1, NULL)
         WHERE leased_until < ?1",
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(freed.rows_affected())
}
