//! Lanes: claimed, renewed, settled, reaped.

use super::plans::{drop_unused, lock_debts};
use super::{PostgresLedger, commit, failed, loads};
use silta_ledger::rows::ClaimedRow;
use silta_ledger::{Attempt, Claim, ClaimedDebt, LaneId, LeaseToken, LedgerError, LoadStatus, Micros, Result, Settled};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// How long a place in the queue of lanes is trusted.
const TRUSTED: Micros = 1_000_000;

/// Where the queue of due lanes of each connection begins, as far as this process knows.
///
/// While any transaction in the database is older, what was claimed cannot be removed from the index of due lanes, and
/// a claim that begins at its lower end walks over all of it. Beginning where the last claim ended keeps claims equally
/// fast however old that transaction is. What another process made due before that place is found when the place is
/// given up: after a second, or when nothing else is due.
#[derive(Debug, Default)]
pub(super) struct Heads(Mutex<HashMap<String, Head>>);

#[derive(Debug, Clone, Copy)]
struct Head {
    at: (Micros, i64),
    since: Micros,
}

impl Heads {
    const START: (Micros, i64) = (Micros::MIN, i64::MIN);

    /// Where a claim begins.
    pub(super) fn get(&self, connection: &str, now: Micros) -> (Micros, i64) {
        let heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trusted = heads.get(connection).filter(|head| (0..TRUSTED).contains(&(now - head.since)));
        trusted.map_or(Self::START, |head| head.at)
    }

    fn set(&self, connection: &str, at: (Micros, i64), now: Micros) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = heads.get(connection).map_or(now, |head| head.since);
        let since = if (0..TRUSTED).contains(&(now - since)) { since } else { now };
        heads.insert(connection.to_owned(), Head { at, since });
    }

    /// Lanes may be due from this time on.
    pub(super) fn due(&self, at: Micros) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.retain(|_, head| head.at.0 < at);
    }
}

/// See [`silta_ledger::Debts::claim_lanes`].
pub(super) async fn claim_lanes(
    ledger: &PostgresLedger,
    connection: &str,
    now: Micros,
    until: Micros,
    lanes: u32,
    limit: u32,
) -> Result<Vec<Claim>> {
    let mut tx = ledger.write().await?;
    let begin = ledger.heads.get(connection, now);
    let asked = Asked { connection, now, until, lanes };
    let mut taken = take(&mut tx, &asked, begin).await?;
    if taken.is_empty() && begin != Heads::START {
        taken = take(&mut tx, &asked, Heads::START).await?;
    }
    // The order in which an update returns its rows means nothing.
    taken.sort_unstable_by_key(|taken| (taken.next_at, taken.lane));
    let Some(last) = taken.last().map(|last| (last.next_at, last.lane)) else { return Ok(Vec::new()) };
    let ids: Vec<i64> = taken.iter().map(|taken| taken.lane).collect();
    let mut debts = if limit == 0 { HashMap::new() } else { first_debts(&mut tx, &ids, limit).await? };
    commit(tx).await?;
    ledger.heads.set(connection, last, now);
    let claim = |taken: Taken| Claim {
        lane: LaneId(taken.lane),
        token: LeaseToken(taken.token),
        debts: debts.remove(&taken.lane).unwrap_or_default(),
    };
    Ok(taken.into_iter().map(claim).collect())
}

/// Which lanes are asked for.
struct Asked<'a> {
    connection: &'a str,
    now: Micros,
    until: Micros,
    lanes: u32,
}

/// A lane that was taken, and when it had been due.
struct Taken {
    lane: i64,
    token: i64,
    next_at: Micros,
}

async fn take(conn: &mut PgConnection, asked: &Asked<'_>, after: (Micros, i64)) -> Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"WITH head AS (
            SELECT l.id, l.next_at FROM lane l
            WHERE l.connection = (SELECT id FROM connection WHERE name = $1) AND l.next_at <= $2
                AND (l.next_at, l.id) > ($3, $4)
            ORDER BY l.next_at, l.id LIMIT $6 FOR UPDATE SKIP LOCKED)
        UPDATE lane SET next_at = NULL, leased = true, token = nextval('tick'), leased_until = $5
        FROM head WHERE lane.id = head.id
        RETURNING lane.id AS lane, lane.token, head.next_at AS "next_at!""#,
        asked.connection,
        asked.now,
        after.0,
        after.1,
        asked.until,
        i64::from(asked.lanes)
    )
    .fetch_all(conn)
    .await
    .map_err(failed)
}

/// The first owed debts of each lane, in their order. Of what must be absent the content is what was last accepted, as
/// long as it is there.
async fn first_debts(conn: &mut PgConnection, lanes: &[i64], limit: u32) -> Result<HashMap<i64, Vec<ClaimedDebt>>> {
    let rows = sqlx::query_as!(
        ClaimedRow,
        r#"WITH head AS (
            SELECT d.id FROM unnest($1::bigint[]) AS held (lane) CROSS JOIN LATERAL (
                SELECT d.id FROM debt d WHERE d.lane = held.lane AND d.queued AND d.state = 'owed'
                ORDER BY d.turn, d.since, d.id LIMIT $2 FOR UPDATE) d),
        claimed AS (UPDATE debt SET state = 'sending' FROM head WHERE debt.id = head.id RETURNING debt.*)
        SELECT d.lane AS "lane!", d.id AS "id!", d.generation AS "generation!", d.attempts AS "attempts!", d.wanted,
            d.mark > 0 AS "changed!", d.wanted_digest, r.key AS "key!", r.tenant AS "tenant!", r.state AS "state!",
            CASE d.wanted WHEN 'present' THEN w.bytes ELSE coalesce(s.bytes, c.bytes) END AS "bytes?"
        FROM claimed d JOIN record r ON r.id = d.record LEFT JOIN content w ON w.id = d.wanted_content
            LEFT JOIN content s ON s.id = d.sent_content LEFT JOIN content c ON c.id = r.content
        ORDER BY d.turn, d.since, d.id"#,
        lanes,
        i64::from(limit)
    );
    let mut claimed: HashMap<i64, Vec<ClaimedDebt>> = HashMap::with_capacity(lanes.len());
    for row in rows.fetch_all(conn).await.map_err(failed)? {
        claimed.entry(row.lane).or_default().push(row.read()?);
    }
    Ok(claimed)
}

/// See [`silta_ledger::Debts::renew`].
pub(super) async fn renew(ledger: &PostgresLedger, lane: LaneId, token: LeaseToken, until: Micros) -> Result<()> {
    let renewed = sqlx::query!(
        "UPDATE lane SET leased_until = $1 WHERE id = $2 AND token = $3 AND leased",
        until,
        lane.0,
        token.0
    )
    .execute(&ledger.pool)
    .await
    .map_err(failed)?;
    if renewed.rows_affected() == 0 { Err(LedgerError::LeaseLost) } else { Ok(()) }
}

/// See [`silta_ledger::Debts::settle_lanes`].
pub(super) async fn settle_lanes(
    ledger: &PostgresLedger,
    settled: &[Settled],
    attempts: &[Attempt],
) -> Result<Vec<LaneId>> {
    let mut tx = ledger.write().await?;
    let lanes: Vec<i64> = settled.iter().map(|one| one.lane.0).collect();
    let tokens: Vec<i64> = settled.iter().map(|one| one.token.0).collect();
    let held: HashSet<i64> = sqlx::query_scalar!(
        "SELECT l.id FROM lane l JOIN unnest($1::bigint[], $2::bigint[]) AS s (lane, token) ON l.id = s.lane
         WHERE l.token = s.token AND l.leased ORDER BY l.id FOR UPDATE OF l",
        &lanes,
        &tokens
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?
    .into_iter()
    .collect();
    let (held, lost): (Vec<&Settled>, Vec<&Settled>) = settled.iter().partition(|one| held.contains(&one.lane.0));
    if !attempts.is_empty() {
        insert_attempts(&mut tx, attempts).await?;
    }
    let next_at = if held.is_empty() { None } else { settle_held(&mut tx, &held).await? };
    commit(tx).await?;
    if let Some(next_at) = next_at {
        ledger.heads.due(next_at);
    }
    Ok(lost.into_iter().map(|one| one.lane).collect())
}

/// Settles lanes that are held by their tokens; when the first of them is due again.
async fn settle_held(conn: &mut PgConnection, held: &[&Settled]) -> Result<Option<Micros>> {
    if held.iter().any(|one| !one.debts.is_empty()) {
        settle_debts(conn, held).await?;
    }
    let lanes: Vec<i64> = held.iter().map(|one| one.lane.0).collect();
    let next: Vec<i64> = held.iter().map(|one| one.next).collect();
    sqlx::query!("UPDATE debt SET state = 'owed' WHERE lane = ANY($1) AND queued AND state = 'sending'", &lanes)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    // Asked lane by lane: an `EXISTS` would be answered by reading the whole queue once.
    let due = sqlx::query_scalar!(
        "UPDATE lane SET leased = false,
            next_at = (SELECT s.next FROM debt d WHERE d.lane = lane.id AND d.queued AND d.state = 'owed' LIMIT 1)
         FROM unnest($1::bigint[], $2::bigint[]) AS s (lane, next) WHERE lane.id = s.lane RETURNING lane.next_at",
        &lanes,
        &next
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    Ok(due.into_iter().flatten().min())
}

/// Attempts for debts of lanes, whose connections are known.
async fn insert_attempts(conn: &mut PgConnection, attempts: &[Attempt]) -> Result<()> {
    let connections: Vec<String> = attempts.iter().map(|a| a.connection.to_string()).collect();
    let debts: Vec<Option<i64>> = attempts.iter().map(|a| a.debt).collect();
    let ats: Vec<i64> = attempts.iter().map(|a| a.at).collect();
    let took: Vec<i64> = attempts.iter().map(|a| a.took).collect();
    let verdicts: Vec<String> = attempts.iter().map(|a| a.verdict.name().to_owned()).collect();
    let causes: Vec<String> = attempts.iter().map(|a| a.cause.to_string()).collect();
    let reasons: Vec<String> = attempts.iter().map(|a| a.reason.clone()).collect();
    sqlx::query!(
        "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
         SELECT c.id, a.debt, NULL, a.at, a.took, a.verdict, a.cause, a.reason
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
            WITH ORDINALITY AS a (connection, debt, at, took, verdict, cause, reason, nth)
         JOIN connection c ON c.name = a.connection ORDER BY a.nth",
        &connections,
        &debts as &[Option<i64>],
        &ats,
        &took,
        &verdicts,
        &causes,
        &reasons,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Only debts of their claim, in the generation that was claimed: what is being sent is never planned anew.
async fn settle_debts(conn: &mut PgConnection, held: &[&Settled]) -> Result<()> {
    let each = || held.iter().flat_map(|one| one.debts.iter().map(move |s| (one, s)));
    let debts: Vec<i64> = each().map(|(_, s)| s.debt).collect();
    let lanes: Vec<i64> = each().map(|(one, _)| one.lane.0).collect();
    let ats: Vec<i64> = each().map(|(one, _)| one.at).collect();
    let generations: Vec<i64> = each().map(|(_, s)| s.generation).collect();
    let states: Vec<String> = each().map(|(_, s)| s.state.name().to_owned()).collect();
    let fixers: Vec<Option<String>> = each().map(|(_, s)| s.fixer.map(|f| f.name().to_owned())).collect();
    let reasons: Vec<String> = each().map(|(_, s)| s.reason.clone()).collect();
    let paid: Vec<bool> = each().map(|(_, s)| s.state.paid()).collect();
    // Whoever marks debts dirty does not ask for their lanes.
    sqlx::query_scalar!(
        "SELECT count(*) FROM (SELECT d.id FROM debt d WHERE d.id = ANY($1) ORDER BY d.id FOR UPDATE) locked",
        &debts
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = s.state, attempts = attempts + 1, fixer = s.fixer, reason = s.reason,
            unsure = CASE WHEN s.state = 'uncertain' THEN true WHEN s.paid THEN false ELSE unsure END,
            sent_at = CASE WHEN s.paid THEN s.at ELSE sent_at END,
            sent_digest = CASE WHEN NOT s.paid THEN sent_digest WHEN wanted = 'present' THEN wanted_digest END,
            sent_content = CASE WHEN s.paid THEN wanted_content ELSE sent_content END,
            confirmed_at = CASE WHEN s.state = 'confirmed' THEN s.at ELSE confirmed_at END,
            confirmed_digest = CASE WHEN s.state <> 'confirmed' THEN confirmed_digest
                WHEN wanted = 'present' THEN wanted_digest END,
            confirmed_content = CASE WHEN s.state = 'confirmed' THEN wanted_content ELSE confirmed_content END
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::boolean[]) AS s (debt, lane, at, generation, state, fixer, reason, paid)
        WHERE debt.id = s.debt AND debt.generation = s.generation AND debt.lane = s.lane
            AND (debt.state = 'sending' OR (debt.state = 'owed' AND s.state = 'waiting'))",
        &debts,
        &lanes,
        &ats,
        &generations,
        &states,
        &fixers as &[Option<String>],
        &reasons,
        &paid,
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    drop_unused(conn, &debts).await
}

/// See [`silta_ledger::Debts::try_again`].
pub(super) async fn try_again(ledger: &PostgresLedger, connection: &str, now: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let found = sqlx::query_scalar!(
        "SELECT id FROM debt WHERE connection = (SELECT id FROM connection WHERE name = $1) AND phase = 'uncertain'",
        connection
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if found.is_empty() {
        return Ok(0);
    }
    lock_debts(&mut tx, &found).await?;
    let owed = sqlx::query_scalar!(
        r#"UPDATE debt SET state = 'owed' WHERE id = ANY($1) AND state = 'uncertain' RETURNING lane AS "lane!""#,
        &found
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!("UPDATE lane SET next_at = $1 WHERE id = ANY($2) AND next_at IS NULL AND NOT leased", now, &owed)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    commit(tx).await?;
    ledger.heads.due(now);
    Ok(owed.len() as u64)
}

/// See [`silta_ledger::Debts::reap`].
pub(super) async fn reap(ledger: &PostgresLedger, now: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let lanes =
        sqlx::query_scalar!("SELECT id FROM lane WHERE leased AND leased_until < $1 ORDER BY id FOR UPDATE", now)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?;
    sqlx::query!(
        "INSERT INTO attempt (connection, debt, load, at, took, verdict, cause, reason)
         SELECT lane.connection, d.id, NULL, $2, 0, 'uncertain', 'lease', 'the lease ran out'
         FROM debt d JOIN lane ON lane.id = d.lane WHERE d.queued AND d.state = 'sending' AND d.lane = ANY($1) ORDER BY d.id",
        &lanes,
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = 'uncertain', unsure = true, attempts = attempts + 1, reason = 'the lease ran out',
            fixer = NULL
         WHERE queued AND state = 'sending' AND lane = ANY($1)",
        &lanes
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    let lost = sqlx::query_scalar!(
        "SELECT l.id FROM load l WHERE l.status = 'sending' AND NOT EXISTS (SELECT 1 FROM lane
            WHERE lane.connection = l.connection AND lane.tenant = l.tenant
                AND lane.key = decode(repeat('00', 16), 'hex') AND lane.leased AND lane.leased_until >= $1)",
        now
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    for load in lost {
        loads::finish(&mut tx, load, now, LoadStatus::Failed, "the lease ran out").await?;
    }
    sqlx::query!(
        "UPDATE lane SET leased = false,
            next_at = (SELECT $2::bigint FROM debt d WHERE d.lane = lane.id AND d.queued AND d.state = 'owed' LIMIT 1)
         WHERE id = ANY($1)",
        &lanes,
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    ledger.heads.due(now);
    Ok(lanes.len() as u64)
}
