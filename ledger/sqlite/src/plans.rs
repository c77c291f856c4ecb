//! Plans written, debts raised, observations noted: whatever decides what is owed.

use super::rows::{Cells, hex, insert_contents, list, numbers};
use super::{SqliteLedger, commit, failed, next};
use serde_json::{Value, json};
use silta_ledger::batch::NewContent;
use silta_ledger::stored::{digest_bytes, wanted_name};
use silta_ledger::{Decision, LearnerId, Micros, Observation, Plan, Raise, Result};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// A debt `d` of a record `r` that is not being sent, by a claim or in a load.
macro_rules! at_rest {
    () => {
        "d.state <> 'sending' AND NOT EXISTS (SELECT 1 FROM load l CROSS JOIN manifest m ON m.load = l.id
            WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key) "
    };
}
pub(super) use at_rest;

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
    for (sql, rows) in [(OWE, owed), (SETTLE, settled), (REFUSE, refused)] {
        if !rows.is_empty() {
            sqlx::query(sql).bind(Value::Array(rows).to_string()).bind(at).execute(&mut *tx).await.map_err(failed)?;
        }
    }
    if !stand.is_empty() {
        sqlx::query(STAND).bind(numbers(stand)).execute(&mut *tx).await.map_err(failed)?;
    }
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    rest(&mut tx, &debts).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}

pub(super) const STAND: &str = "UPDATE debt SET mark = 0 WHERE id IN (SELECT value FROM json_each(?))";

pub(super) const VALID: &str = concat!(
    "SELECT d.id, d.mark, d.record, d.learner FROM json_each(?) j CROSS JOIN debt d ON d.id = j.value
    CROSS JOIN record r ON r.id = d.record
    WHERE d.connection = (SELECT id FROM connection WHERE name = ?) AND d.mark > 0 AND ",
    at_rest!()
);

/// A projection that equals the record's content shares its row; the mark vouches that the record did not change.
pub(super) const OWE: &str =
    "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = ?2, mark = 0,
        fixer = NULL, reason = '', wanted = p.value ->> 1, wanted_digest = unhex(p.value ->> 2),
        wanted_content = CASE p.value ->> 1 WHEN 'present' THEN
            coalesce(p.value ->> 3, (SELECT r.content FROM record r WHERE r.id = debt.record)) END,
        losses = p.value ->> 4
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0";

/// What is wanted becomes what was last accepted, or else what the record says.
pub(super) const SETTLE: &str =
    "UPDATE debt SET state = p.value ->> 2, since = ?2, mark = 0, fixer = NULL, reason = '',
        wanted = p.value ->> 1,
        wanted_digest = coalesce(sent_digest, r.digest),
        wanted_content = iif(p.value ->> 1 = 'present', iif(sent_digest IS NULL, r.content, sent_content), NULL)
    FROM json_each(?1) p, record r WHERE debt.id = p.value ->> 0 AND r.id = debt.record";

/// Nothing is left to send: raising a refusal without content asks for a new plan.
pub(super) const REFUSE: &str = "UPDATE debt SET state = 'refused', since = ?2, mark = 0,
        fixer = p.value ->> 1, reason = p.value ->> 2,
        wanted = 'present', wanted_digest = NULL, wanted_content = NULL, losses = NULL
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0";

/// Whose a debt is.
#[derive(Clone, Copy)]
struct Whose {
    record: i64,
    learner: LearnerId,
}

/// Whose the planned debts are, by debt and standing mark.
async fn valid(conn: &mut SqliteConnection, connection: &str, plans: &[Plan]) -> Result<HashMap<(i64, i64), Whose>> {
    let rows = sqlx::query(VALID)
        .bind(numbers(plans.iter().map(|plan| plan.debt)))
        .bind(connection)
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    let mark = |row| {
        let cells = Cells::new("debt", row);
        let whose = Whose { record: cells.get("record")?, learner: LearnerId(cells.bytes("learner")?) };
        Ok(((cells.get("id")?, cells.get("mark")?), whose))
    };
    rows.iter().map(mark).collect()
}

/// Gives those of some debts that are owed their lanes and turns, and makes the lanes due.
pub(super) async fn enqueue(conn: &mut SqliteConnection, debts: &str, at: Micros, due: Due) -> Result<()> {
    let wake = match due {
        Due::Now => WAKE,
        Due::WithLane => WAKE_IDLE,
    };
    for sql in [MAKE_LANES, JOIN_LANES] {
        sqlx::query(sql).bind(debts).execute(&mut *conn).await.map_err(failed)?;
    }
    sqlx::query(wake).bind(debts).bind(at).execute(conn).await.map_err(failed)?;
    Ok(())
}

pub(super) const MAKE_LANES: &str = "INSERT OR IGNORE INTO lane (connection, tenant, key)
    SELECT DISTINCT d.connection, r.tenant, iif(d.shared, zeroblob(16), d.learner)
    FROM json_each(?) j CROSS JOIN debt d ON d.id = j.value CROSS JOIN record r ON r.id = d.record
    WHERE d.state = 'owed' AND d.lane IS NULL";

pub(super) const WAKE: &str = "UPDATE lane SET next_at = min(coalesce(next_at, ?2), ?2) WHERE leased_until IS NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')";

pub(super) const WAKE_IDLE: &str = "UPDATE lane SET next_at = ?2 WHERE next_at IS NULL AND leased_until IS NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')";

/// Placements come by rank, withdrawals after them in reverse.
pub(super) const JOIN_LANES: &str = "UPDATE debt SET
        turn = CASE wanted WHEN 'present' THEN rank ELSE 255 - rank END,
        lane = coalesce(lane, (SELECT l.id FROM record r CROSS JOIN lane l WHERE r.id = debt.record
            AND l.connection = debt.connection AND l.tenant = r.tenant
            AND l.key = iif(debt.shared, zeroblob(16), debt.learner)))
    WHERE id IN (SELECT value FROM json_each(?)) AND state = 'owed'";

/// Lanes of some debts that have nothing owed any more are not due.
pub(super) async fn rest(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    sqlx::query(REST).bind(debts).execute(conn).await.map_err(failed)?;
    Ok(())
}

pub(super) const REST: &str = "UPDATE lane SET next_at = NULL WHERE next_at IS NOT NULL
    AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?)))
    AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed')";

/// Removes projections and losses that some debts own and no watermark of theirs refers to any more.
pub(super) async fn drop_unused(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    sqlx::query(DROP_UNUSED).bind(debts).execute(conn).await.map_err(failed)?;
    Ok(())
}

pub(super) const DROP_UNUSED: &str = "DELETE FROM content WHERE debt IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.id = content.debt
        AND content.id IN (d.wanted_content, d.losses, d.sent_content, d.confirmed_content))";

/// See [`silta_ledger::Debts::raise`].
pub(super) async fn raise(ledger: &SqliteLedger, at: Micros, why: &str, which: &Raise) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let found: Vec<i64> = match which {
        Raise::Debts(debts) => sqlx::query_scalar(
            "SELECT id FROM debt WHERE id IN (SELECT value FROM json_each(?)) AND state NOT IN ('sending', 'barred')",
        )
        .bind(numbers(debts.iter().copied())),
        Raise::State { connection, state } => sqlx::query_scalar(
            "SELECT id FROM debt WHERE connection = (SELECT id FROM connection WHERE name = ?) AND state = ?
                AND state NOT IN ('sending', 'barred')",
        )
        .bind(&**connection)
        .bind(state.name()),
    }
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if found.is_empty() {
        return Ok(0);
    }
    let debts = numbers(found.iter().copied());
    let mark = next(&mut tx, 0).await?.tick;
    sqlx::query("UPDATE debt SET mark = ? WHERE id IN (SELECT value FROM json_each(?)) AND wanted_digest IS NULL")
        .bind(mark)
        .bind(&debts)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    sqlx::query(
        "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = ?, reason = ?, fixer = NULL
         WHERE id IN (SELECT value FROM json_each(?)) AND wanted_digest IS NOT NULL",
    )
    .bind(at)
    .bind(why)
    .bind(&debts)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    enqueue(&mut tx, &debts, at, Due::Now).await?;
    commit(tx).await?;
    Ok(found.len() as u64)
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
    sqlx::query(ARRIVED).bind(&held).bind(at).execute(&mut *tx).await.map_err(failed)?;
    sqlx::query(PROVED).bind(held).bind(at).execute(&mut *tx).await.map_err(failed)?;
    sqlx::query(DISPROVED).bind(&not_held).execute(&mut *tx).await.map_err(failed)?;
    sqlx::query(LOST).bind(not_held).execute(&mut *tx).await.map_err(failed)?;
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}

/// What an uncertain debt wants is there: it was accepted, and the next statement confirms it.
pub(super) const ARRIVED: &str = "UPDATE debt SET unsure = 0, state = 'sent', sent_at = ?2,
        sent_digest = iif(wanted = 'present', wanted_digest, NULL), sent_content = wanted_content
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND state = 'uncertain'
        AND iif(wanted = 'present', wanted_digest, NULL) IS unhex(o.value ->> 2)";

/// What was last accepted is there.
pub(super) const PROVED: &str = "UPDATE debt SET
        confirmed_at = ?2, confirmed_digest = sent_digest, confirmed_content = sent_content,
        state = iif(state IN ('sent', 'unverifiable'), 'confirmed', state)
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1
        AND sent_at IS NOT NULL AND sent_digest IS unhex(o.value ->> 2)";

/// What was last accepted is not there, or not any more; what was seen before that is another matter.
pub(super) const DISPROVED: &str = "UPDATE debt SET
        confirmed_at = iif(confirmed_digest IS sent_digest, NULL, confirmed_at),
        confirmed_digest = iif(confirmed_digest IS sent_digest, NULL, confirmed_digest),
        confirmed_content = iif(confirmed_digest IS sent_digest, NULL, confirmed_content),
        state = iif(state = 'confirmed', 'sent', state)
    FROM json_each(?) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1
        AND sent_at IS NOT NULL AND sent_digest IS unhex(o.value ->> 2)";

/// What an uncertain debt wants is not there: it is owed as before.
pub(super) const LOST: &str = "UPDATE debt SET state = 'owed'
    FROM json_each(?) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND state = 'uncertain'
        AND iif(wanted = 'present', wanted_digest, NULL) IS unhex(o.value ->> 2)";
