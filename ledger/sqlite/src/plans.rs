//! Plans written, debts raised, observations noted: whatever decides what is owed.

use super::rows::{hex, insert_contents, list, numbers};
use super::{SqliteLedger, commit, failed, next};
use serde_json::{Value, json};
use silta_ledger::batch::NewContent;
use silta_ledger::rows::row;
use silta_ledger::stored::{CALLED_OFF, digest_bytes, each_item_once, wanted_name};
use silta_ledger::{Decision, LearnerId, Micros, Observation, Plan, Raise, Rejection, Result};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// Raised debts are due at once; planned ones wait with their lane.
#[derive(Clone, Copy)]
pub(super) enum Due {
    Now,
    WithLane,
}

/// See [`silta_ledger::Debts::plan`]. A plan whose mark is outdated, or whose item is being sent, counts for nothing.
pub(super) async fn plan(ledger: &SqliteLedger, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let valid = valid(&mut tx, connection, plans).await?;
    let plans: Vec<(&Plan, Whose)> =
        plans.iter().filter_map(|plan| Some((plan, *valid.get(&(plan.debt, plan.mark))?))).collect();
    let debts = numbers(plans.iter().map(|(plan, _)| plan.debt));
    let mut content = next(&mut tx, plans.len() * 2).await?.content;
    let mut contents = Vec::new();
    let (mut owed, mut settled, mut refused, mut stand) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (plan, whose) in &plans {
        let mut store = |bytes: &'_ Option<Vec<u8>>| {
            let id = content;
            content += i64::from(bytes.is_some());
            bytes.as_ref().map(|_| id)
        };
        match &plan.decision {
            Decision::Owe { wanted, digest, content: projection, losses } => {
                let ids = [(store(projection), projection), (store(losses), losses)];
                owed.push(json!([plan.debt, wanted_name(*wanted), hex(&digest_bytes(digest)), ids[0].0, ids[1].0]));
                contents.extend(ids.into_iter().filter_map(|(id, bytes)| {
                    Some(NewContent {
                        id: id?,
                        learner: Some(whose.learner),
                        record: Some(whose.record),
                        debt: Some(plan.debt),
                        bytes: bytes.as_deref()?,
                    })
                }));
            }
            Decision::Settle { wanted, state } => {
                settled.push(json!([plan.debt, wanted_name(*wanted), state.name()]));
            }
            Decision::Refuse { fixer, reason } => refused.push(json!([plan.debt, fixer.name(), reason])),
            Decision::Stand => stand.push(plan.debt),
        }
    }
    insert_contents(&mut tx, &contents).await?;
    decide(&mut tx, at, owed, settled, refused).await?;
    if !stand.is_empty() {
        sqlx::query!("UPDATE debt SET mark = 0 WHERE id IN (SELECT value FROM json_each(?))", numbers(stand))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
    }
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    rest(&mut tx, &debts).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}

/// Writes what was decided, one JSON row each.
async fn decide(
    conn: &mut SqliteConnection,
    at: Micros,
    owed: Vec<Value>,
    settled: Vec<Value>,
    refused: Vec<Value>,
) -> Result<()> {
    if !owed.is_empty() {
        // A projection that equals the record's content shares its row; the mark vouches that the record did not change.
        let query = sqlx::query!(
            "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = ?2, mark = 0,
        fixer = NULL, reason = '', wanted = p.value ->> 1, wanted_digest = unhex(p.value ->> 2),
        wanted_content = CASE p.value ->> 1 WHEN 'present' THEN
            coalesce(p.value ->> 3, (SELECT r.content FROM record r WHERE r.id = debt.record)) END,
        losses = p.value ->> 4
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0",
            Value::Array(owed).to_string(),
            at
        );
        query.execute(&mut *conn).await.map_err(failed)?;
    }
    if !settled.is_empty() {
        // What is wanted becomes what was last accepted, or else what the record says.
        let query = sqlx::query!(
            "UPDATE debt SET state = p.value ->> 2, since = ?2, mark = 0, fixer = NULL, reason = '',
        wanted = p.value ->> 1,
        wanted_digest = coalesce(sent_digest, r.digest),
        wanted_content = iif(p.value ->> 1 = 'present', iif(sent_digest IS NULL, r.content, sent_content), NULL)
    FROM json_each(?1) p, record r WHERE debt.id = p.value ->> 0 AND r.id = debt.record",
            Value::Array(settled).to_string(),
            at
        );
        query.execute(&mut *conn).await.map_err(failed)?;
    }
    if !refused.is_empty() {
        // Nothing is left to send: raising a refusal without content asks for a new plan.
        let query = sqlx::query!(
            "UPDATE debt SET state = 'refused', since = ?2, mark = 0,
        fixer = p.value ->> 1, reason = p.value ->> 2,
        wanted = 'present', wanted_digest = NULL, wanted_content = NULL, losses = NULL
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0",
            Value::Array(refused).to_string(),
            at
        );
        query.execute(conn).await.map_err(failed)?;
    }
    Ok(())
}

/// Whose a debt is.
#[derive(Clone, Copy)]
struct Whose {
    record: i64,
    learner: LearnerId,
}

/// Whose the planned debts are, by debt and standing mark.
async fn valid(conn: &mut SqliteConnection, connection: &str, plans: &[Plan]) -> Result<HashMap<(i64, i64), Whose>> {
    let rows = sqlx::query!(
        r#"SELECT d.id AS "id!", d.mark AS "mark!", d.record AS "record!", d.learner AS "learner!"
        FROM json_each(?) j CROSS JOIN debt d ON d.id = j.value CROSS JOIN record r ON r.id = d.record
        WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.mark > 0
            AND d.state <> 'sending' AND NOT EXISTS (SELECT 1 FROM load l CROSS JOIN manifest m ON m.load = l.id
                WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key)"#,
        numbers(plans.iter().map(|plan| plan.debt)),
        connection
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let whose = rows.into_iter().map(|found| {
        let learner = LearnerId(row("debt", found.id).bytes("learner", &found.learner)?);
        Ok(((found.id, found.mark), Whose { record: found.record, learner }))
    });
    whose.collect()
}

/// Gives those of some debts that are owed their lanes and turns, and makes the lanes due.
pub(super) async fn enqueue(conn: &mut SqliteConnection, debts: &str, at: Micros, due: Due) -> Result<()> {
    sqlx::query!(
        "INSERT OR IGNORE INTO lane (connection, tenant, key)
    SELECT DISTINCT d.connection, r.tenant, iif(d.shared, zeroblob(16), d.learner)
    FROM json_each(?) j CROSS JOIN debt d ON d.id = j.value CROSS JOIN record r ON r.id = d.record
    WHERE d.state = 'owed' AND d.lane IS NULL",
        debts
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    // Placements come by rank, withdrawals after them in reverse.
    sqlx::query!(
        "UPDATE debt SET
        turn = CASE wanted WHEN 'present' THEN rank ELSE 255 - rank END,
        lane = coalesce(lane, (SELECT l.id FROM record r CROSS JOIN lane l WHERE r.id = debt.record
            AND l.connection = debt.connection AND l.tenant = r.tenant
            AND l.key = iif(debt.shared, zeroblob(16), debt.learner)))
    WHERE id IN (SELECT value FROM json_each(?)) AND state = 'owed'",
        debts
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let woken = match due {
        Due::Now => sqlx::query!(
            "UPDATE lane SET next_at = min(coalesce(next_at, ?2), ?2) WHERE leased_until IS NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')",
            debts,
            at
        ),
        Due::WithLane => sqlx::query!(
            "UPDATE lane SET next_at = ?2 WHERE next_at IS NULL AND leased_until IS NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')",
            debts,
            at
        ),
    };
    woken.execute(conn).await.map_err(failed)?;
    Ok(())
}

/// Lanes of some debts that have nothing owed any more are not due.
pub(super) async fn rest(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE lane SET next_at = NULL WHERE next_at IS NOT NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?)))
    AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed')",
        debts
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Removes projections and losses that some debts own and no watermark of theirs refers to any more.
pub(super) async fn drop_unused(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    sqlx::query!(
        "DELETE FROM content WHERE debt IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.id = content.debt
        AND content.id IN (d.wanted_content, d.losses, d.sent_content, d.confirmed_content))",
        debts
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// See [`silta_ledger::Debts::raise`].
pub(super) async fn raise(ledger: &SqliteLedger, at: Micros, why: &str, which: &Raise) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let found =
        match which {
            Raise::Debts(debts) => sqlx::query_scalar!(
                r#"SELECT id AS "id!" FROM debt WHERE id IN (SELECT value FROM json_each(?)) AND state NOT IN ('sending', 'barred')"#,
                numbers(debts.iter().copied())
            )
            .fetch_all(&mut *tx)
            .await,
            Raise::State { connection, state } => {
                sqlx::query_scalar!(
                    r#"SELECT id AS "id!" FROM debt WHERE connection = (SELECT id FROM connection WHERE name = ?)
                    AND state = ? AND state NOT IN ('sending', 'barred')"#,
                    &**connection,
                    state.name()
                )
                .fetch_all(&mut *tx)
                .await
            }
        };
    let found = found.map_err(failed)?;
    if found.is_empty() {
        return Ok(0);
    }
    let debts = numbers(found.iter().copied());
    let mark = next(&mut tx, 0).await?.tick;
    sqlx::query!(
        "UPDATE debt SET mark = ? WHERE id IN (SELECT value FROM json_each(?)) AND wanted_digest IS NULL",
        mark,
        &debts
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = ?, reason = ?, fixer = NULL
         WHERE id IN (SELECT value FROM json_each(?)) AND wanted_digest IS NOT NULL",
        at,
        why,
        &debts
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    enqueue(&mut tx, &debts, at, Due::Now).await?;
    commit(tx).await?;
    Ok(found.len() as u64)
}

/// See [`silta_ledger::Debts::call_off`].
pub(super) async fn call_off(ledger: &SqliteLedger, at: Micros, debt: i64, why: &str) -> Result<bool> {
    let mut tx = ledger.write().await?;
    // What was accepted is what it was; what never was waits for an operator.
    let done = sqlx::query!(
        "UPDATE debt SET since = ?2,
            fixer = iif(was.accepted OR was.settled, NULL, 'operator'),
            reason = iif(was.accepted OR was.settled, '', ?4),
            state = CASE
                WHEN was.accepted THEN
                    iif(confirmed_at IS NOT NULL AND confirmed_digest IS sent_digest, 'confirmed', 'sent')
                WHEN was.settled THEN 'settled' ELSE 'refused' END
         FROM (SELECT d.id,
                d.sent_at IS NOT NULL AND d.sent_digest IS iif(d.wanted = 'present', d.wanted_digest, NULL) AS accepted,
                d.wanted = 'absent' AND d.sent_at IS NULL AND NOT d.unsure AS settled
            FROM debt d CROSS JOIN record r ON r.id = d.record
            WHERE d.id = ?1 AND d.state = 'owed' AND d.attempts = 0 AND d.reason = ?3
                AND NOT EXISTS (SELECT 1 FROM load l CROSS JOIN manifest m ON m.load = l.id
                    WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key)) was
         WHERE debt.id = was.id",
        debt,
        at,
        why,
        CALLED_OFF
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?
    .rows_affected();
    rest(&mut tx, &numbers([debt])).await?;
    commit(tx).await?;
    Ok(done > 0)
}

/// See [`silta_ledger::Debts::reject`].
pub(super) async fn reject(
    ledger: &SqliteLedger,
    at: Micros,
    connection: &str,
    until: Micros,
    rejected: &[Rejection],
) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let row = |one: &Rejection| json!([hex(&one.item.0), one.fixer.name(), one.reason]).to_string();
    let rejected = each_item_once(rejected);
    // What was last accepted is what was last seen there.
    let refused = sqlx::query_scalar!(
        r#"UPDATE debt SET state = 'refused', since = ?2, fixer = j.value ->> 1,
            reason = j.value ->> 2, unsure = unsure OR confirmed_digest IS NULL,
            sent_at = confirmed_at, sent_digest = confirmed_digest, sent_content = confirmed_content
         FROM json_each(?1) j, record r WHERE r.key = unhex(j.value ->> 0) AND debt.record = r.id
            AND debt.connection = (SELECT id FROM connection WHERE name = ?3)
            AND debt.wanted = 'present' AND debt.state IN ('sent', 'confirmed', 'unverifiable')
            AND coalesce(debt.sent_at, 0) <= ?4 AND coalesce(debt.confirmed_at, 0) <= ?4 RETURNING debt.id AS "id!""#,
        list(rejected.into_iter().map(row)),
        at,
        connection,
        until
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    drop_unused(&mut tx, &numbers(refused.iter().copied())).await?;
    commit(tx).await?;
    Ok(refused.len() as u64)
}

/// See [`silta_ledger::Debts::observed`].
pub(super) async fn observed(ledger: &SqliteLedger, at: Micros, seen: &[Observation]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let debts = numbers(seen.iter().map(|o| o.debt));
    let rows = |holds: bool| {
        let seen = seen.iter().filter(|o| o.holds == holds);
        list(seen.map(|o| json!([o.debt, o.generation, o.digest.map(|d| hex(&digest_bytes(&d)))]).to_string()))
    };
    let (held, not_held) = (rows(true), rows(false));
    sqlx::query!(
        "UPDATE debt SET unsure = 0, state = 'sent', sent_at = ?2,
        sent_digest = iif(wanted = 'present', wanted_digest, NULL), sent_content = wanted_content
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND state = 'uncertain'
        AND iif(wanted = 'present', wanted_digest, NULL) IS unhex(o.value ->> 2)",
        &held,
        at
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET
        confirmed_at = ?2, confirmed_digest = sent_digest, confirmed_content = sent_content,
        state = iif(state IN ('sent', 'unverifiable'), 'confirmed', state)
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1
        AND sent_at IS NOT NULL AND sent_digest IS unhex(o.value ->> 2)",
        held,
        at
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET
        confirmed_at = iif(confirmed_digest IS sent_digest, NULL, confirmed_at),
        confirmed_digest = iif(confirmed_digest IS sent_digest, NULL, confirmed_digest),
        confirmed_content = iif(confirmed_digest IS sent_digest, NULL, confirmed_content),
        state = iif(state = 'confirmed', 'sent', state)
    FROM json_each(?) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1
        AND sent_at IS NOT NULL AND sent_digest IS unhex(o.value ->> 2)",
        &not_held
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = 'owed'
    FROM json_each(?) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND state = 'uncertain'
        AND iif(wanted = 'present', wanted_digest, NULL) IS unhex(o.value ->> 2)",
        not_held
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}
