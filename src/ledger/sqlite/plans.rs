//! Plans written, debts raised, observations noted: whatever decides what is owed.

use super::rows::{Cells, NewContent, digest_bytes, hex, insert_contents, list, numbers};
use super::{SqliteLedger, commit, failed, next};
use crate::ledger::{Decision, LearnerId, Micros, Observation, Plan, Raise, Result, Wanted};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// The name of what is wanted.
pub(super) fn wanted_name(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Present => "present",
        Wanted::Absent => "absent",
    }
}

/// What is wanted, by its name.
pub(super) fn wanted_from_name(name: &str) -> Option<Wanted> {
    [Wanted::Present, Wanted::Absent].into_iter().find(|w| wanted_name(*w) == name)
}

/// Raised debts are due at once; planned ones wait with their lane.
#[derive(Clone, Copy)]
pub(super) enum Due {
    Now,
    WithLane,
}

/// See [`crate::ledger::Debts::plan`]. A plan whose mark is outdated, or whose item is being sent, counts for nothing.
pub(super) async fn plan(ledger: &SqliteLedger, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let valid = valid(&mut tx, connection, plans).await?;
    let plans: Vec<(&Plan, Whose)> =
        plans.iter().filter_map(|plan| Some((plan, *valid.get(&(plan.debt, plan.mark))?))).collect();
    let debts = numbers(plans.iter().map(|(plan, _)| plan.debt));
    let mut content = next(&mut tx, plans.len() * 2).await?.content;
    let mut contents = Vec::new();
    let (mut owed, mut settled, mut refused) = (Vec::new(), Vec::new(), Vec::new());
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
        }
    }
    insert_contents(&mut tx, &contents).await?;
    for (sql, rows) in [(OWE, owed), (SETTLE, settled), (REFUSE, refused)] {
        if !rows.is_empty() {
            sqlx::query(sql).bind(Value::Array(rows).to_string()).bind(at).execute(&mut *tx).await.map_err(failed)?;
        }
    }
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    rest(&mut tx, &debts).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}

const VALID: &str = "SELECT d.id, d.mark, d.record, d.learner FROM debt d
    WHERE d.id IN (SELECT value FROM json_each(?)) AND d.mark > 0 AND d.state <> 'sending'
        AND d.connection = (SELECT id FROM connection WHERE name = ?)";

/// A projection that equals the record's content shares its row; the mark vouches that the record did not change.
const OWE: &str = "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = ?2, mark = 0,
        fixer = NULL, reason = '', wanted = p.value ->> 1, wanted_digest = unhex(p.value ->> 2),
        wanted_content = CASE p.value ->> 1 WHEN 'present' THEN
            coalesce(p.value ->> 3, (SELECT r.content FROM record r WHERE r.id = debt.record)) END,
        losses = p.value ->> 4
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0";

/// What is wanted is there already: the watermark follows what was seen or accepted.
const SETTLE: &str = "UPDATE debt SET state = p.value ->> 2, mark = 0, fixer = NULL, reason = '',
        since = CASE state WHEN 'unplanned' THEN ?2 ELSE since END,
        wanted = p.value ->> 1,
        wanted_digest = CASE p.value ->> 1 WHEN 'present' THEN
            CASE p.value ->> 2 WHEN 'confirmed' THEN confirmed_digest ELSE sent_digest END END,
        wanted_content = CASE p.value ->> 1 WHEN 'present' THEN
            CASE p.value ->> 2 WHEN 'confirmed' THEN confirmed_content ELSE sent_content END END
    FROM json_each(?1) p WHERE debt.id = p.value ->> 0";

/// Nothing is left to send: raising a refusal without content asks for a new plan.
const REFUSE: &str = "UPDATE debt SET state = 'refused', mark = 0, fixer = p.value ->> 1, reason = p.value ->> 2,
        since = CASE state WHEN 'refused' THEN since ELSE ?2 END,
        wanted_digest = NULL, wanted_content = NULL, losses = NULL
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
        Due::Now => {
            "UPDATE lane SET next_at = min(coalesce(next_at, ?2), ?2) WHERE leased_until IS NULL AND id IN
            (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')"
        }
        Due::WithLane => {
            "UPDATE lane SET next_at = ?2 WHERE next_at IS NULL AND leased_until IS NULL AND id IN
            (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?1)) AND d.state = 'owed')"
        }
    };
    for sql in [MAKE_LANES, JOIN_LANES] {
        sqlx::query(sql).bind(debts).execute(&mut *conn).await.map_err(failed)?;
    }
    sqlx::query(wake).bind(debts).bind(at).execute(conn).await.map_err(failed)?;
    Ok(())
}

const MAKE_LANES: &str = "INSERT OR IGNORE INTO lane (connection, tenant, key)
    SELECT DISTINCT d.connection, r.tenant, CASE c.lane_by WHEN 'learner' THEN d.learner ELSE zeroblob(16) END
    FROM json_each(?) j CROSS JOIN debt d ON d.id = j.value
    CROSS JOIN record r ON r.id = d.record CROSS JOIN connection c ON c.id = d.connection
    WHERE d.state = 'owed'";

/// Placements come by rank, withdrawals after them in reverse.
const JOIN_LANES: &str = "UPDATE debt SET
        turn = CASE wanted WHEN 'present' THEN rank ELSE 255 - rank END,
        lane = (SELECT l.id FROM connection c CROSS JOIN record r CROSS JOIN lane l
            WHERE c.id = debt.connection AND r.id = debt.record AND l.connection = c.id AND l.tenant = r.tenant
                AND l.key = CASE c.lane_by WHEN 'learner' THEN debt.learner ELSE zeroblob(16) END)
    WHERE id IN (SELECT value FROM json_each(?)) AND state = 'owed'";

/// Lanes of some debts that have nothing owed any more are not due.
pub(super) async fn rest(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    let sql = "UPDATE lane SET next_at = NULL WHERE next_at IS NOT NULL
            AND id IN (SELECT d.lane FROM debt d WHERE d.id IN (SELECT value FROM json_each(?)))
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.state = 'owed')";
    sqlx::query(sql).bind(debts).execute(conn).await.map_err(failed)?;
    Ok(())
}

/// Removes projections and losses that some debts own and no watermark of theirs refers to any more.
pub(super) async fn drop_unused(conn: &mut SqliteConnection, debts: &str) -> Result<()> {
    let sql = "DELETE FROM content WHERE debt IN (SELECT value FROM json_each(?)) AND NOT EXISTS
        (SELECT 1 FROM debt d WHERE d.id = content.debt
            AND content.id IN (d.wanted_content, d.losses, d.sent_content, d.confirmed_content))";
    sqlx::query(sql).bind(debts).execute(conn).await.map_err(failed)?;
    Ok(())
}

/// See [`crate::ledger::Debts::raise`]. What has nothing to send is marked for a new plan instead; what is being sent
/// or barred stays.
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

/// See [`crate::ledger::Debts::observed`].
pub(super) async fn observed(ledger: &SqliteLedger, at: Micros, seen: &[Observation]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let debts = numbers(seen.iter().map(|o| o.debt));
    let row =
        |o: &Observation| json!([o.debt, o.generation, hex(&digest_bytes(&o.digest)), i64::from(o.holds)]).to_string();
    let rows = list(seen.iter().map(row));
    for sql in [CLEAR, PROVE, DISPROVE] {
        sqlx::query(sql).bind(&rows).bind(at).execute(&mut *tx).await.map_err(failed)?;
    }
    enqueue(&mut tx, &debts, at, Due::Now).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await
}

/// A lost answer is cleared: it arrived (and is proved by the next statement), or it did not and is owed as before.
const CLEAR: &str = "UPDATE debt SET unsure = 0,
        state = CASE o.value ->> 3 WHEN 1 THEN 'sent' ELSE 'owed' END,
        sent_at = CASE o.value ->> 3 WHEN 1 THEN ?2 ELSE sent_at END,
        sent_digest = CASE o.value ->> 3 WHEN 1 THEN iif(wanted = 'present', wanted_digest, NULL) ELSE sent_digest END,
        sent_content = CASE o.value ->> 3 WHEN 1 THEN wanted_content ELSE sent_content END
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1
        AND state = 'uncertain' AND wanted_digest = unhex(o.value ->> 2)";

/// What was last sent was seen there, or seen to be gone.
const PROVE: &str = "UPDATE debt SET confirmed_at = ?2, confirmed_digest = sent_digest, confirmed_content = sent_content,
        state = CASE WHEN state IN ('sent', 'unverifiable') THEN 'confirmed' ELSE state END
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND o.value ->> 3 = 1
        AND (sent_digest = unhex(o.value ->> 2)
            OR sent_at IS NOT NULL AND sent_digest IS NULL AND wanted = 'absent' AND wanted_digest = unhex(o.value ->> 2))";

/// What was seen there is not any more; its content stays as the last that was good.
const DISPROVE: &str = "UPDATE debt SET state = 'sent'
    FROM json_each(?1) o WHERE debt.id = o.value ->> 0 AND generation = o.value ->> 1 AND o.value ->> 3 = 0
        AND ?2 IS NOT NULL AND state = 'confirmed'
        AND coalesce(sent_digest, wanted_digest) = unhex(o.value ->> 2)";
