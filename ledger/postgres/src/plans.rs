//! Plans written, debts raised, observations noted: whatever decides what is owed.

use super::rows::{insert_contents, opt_digest_bytes};
use super::{PostgresLedger, commit, content_numbers, failed, tick};
use silta_ledger::batch::NewContent;
use silta_ledger::rows::row;
use silta_ledger::stored::{CALLED_OFF, digest_bytes, each_item_once, wanted_name};
use silta_ledger::{DebtState, Decision, LearnerId, Micros, Observation, Plan, Raise, Rejection, Result};
use sqlx::PgConnection;
use std::collections::HashMap;

/// Raised debts are due at once; planned ones wait with their lane.
#[derive(Clone, Copy)]
pub(super) enum Due {
    Now,
    WithLane,
}

/// Debts that are owed by their plans, column by column.
#[derive(Default)]
struct Owed {
    debts: Vec<i64>,
    wanted: Vec<String>,
    digests: Vec<Vec<u8>>,
    contents: Vec<Option<i64>>,
    losses: Vec<Option<i64>>,
}

/// Debts that are settled unsent, column by column.
#[derive(Default)]
struct SettledUnsent {
    debts: Vec<i64>,
    wanted: Vec<String>,
    states: Vec<String>,
}

/// Debts that cannot be sent, column by column.
#[derive(Default)]
struct Refused {
    debts: Vec<i64>,
    fixers: Vec<String>,
    reasons: Vec<String>,
}

/// See [`silta_ledger::Debts::plan`]. A plan whose mark is outdated, or whose item is being sent, counts for nothing.
pub(super) async fn plan(ledger: &PostgresLedger, connection: &str, at: Micros, plans: &[Plan]) -> Result<()> {
    let mut tx = ledger.write().await?;
    lock_debts(&mut tx, &plans.iter().map(|plan| plan.debt).collect::<Vec<_>>()).await?;
    let valid = valid(&mut tx, connection, plans).await?;
    let plans: Vec<(&Plan, Whose)> =
        plans.iter().filter_map(|plan| Some((plan, *valid.get(&(plan.debt, plan.mark))?))).collect();
    if plans.is_empty() {
        return Ok(());
    }
    let debts: Vec<i64> = plans.iter().map(|(plan, _)| plan.debt).collect();
    let new = plans.iter().map(|(plan, _)| match &plan.decision {
        Decision::Owe { content, losses, .. } => usize::from(content.is_some()) + usize::from(losses.is_some()),
        _ => 0,
    });
    let mut numbers = content_numbers(&mut tx, new.sum()).await?.into_iter();
    let mut contents = Vec::new();
    let (mut owed, mut settled, mut refused) = (Owed::default(), SettledUnsent::default(), Refused::default());
    let mut stand = Vec::new();
    for (plan, whose) in &plans {
        let mut store = |bytes: &'_ Option<Vec<u8>>| bytes.as_ref().and_then(|_| numbers.next());
        match &plan.decision {
            Decision::Owe { wanted, digest, content, losses } => {
                let ids = [(store(content), content), (store(losses), losses)];
                owed.debts.push(plan.debt);
                owed.wanted.push(wanted_name(*wanted).to_owned());
                owed.digests.push(digest_bytes(digest));
                owed.contents.push(ids[0].0);
                owed.losses.push(ids[1].0);
                contents.extend(ids.into_iter().filter_map(|(id, bytes)| {
                    let (learner, record) = (Some(whose.learner), Some(whose.record));
                    Some(NewContent { id: id?, learner, record, debt: Some(plan.debt), bytes: bytes.as_deref()? })
                }));
            }
            Decision::Settle { wanted, state } => {
                settled.debts.push(plan.debt);
                settled.wanted.push(wanted_name(*wanted).to_owned());
                settled.states.push(state.name().to_owned());
            }
            Decision::Refuse { fixer, reason } => {
                refused.debts.push(plan.debt);
                refused.fixers.push(fixer.name().to_owned());
                refused.reasons.push(reason.clone());
            }
            Decision::Stand => stand.push(plan.debt),
        }
    }
    insert_contents(&mut tx, &contents).await?;
    make_lanes(&mut tx, &owed.debts, at).await?;
    owe(&mut tx, at, &owed).await?;
    settle(&mut tx, at, &settled).await?;
    refuse(&mut tx, at, &refused).await?;
    sqlx::query!("UPDATE debt SET mark = 0 WHERE id = ANY($1)", &stand).execute(&mut *tx).await.map_err(failed)?;
    make_due(&mut tx, &debts, at, Due::WithLane).await?;
    rest(&mut tx, &debts).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await?;
    ledger.heads.due(at);
    Ok(())
}

/// Owes what was planned, in the lanes of the debts, which are there. A projection that equals the record's content
/// shares its row; the mark vouches that the record did not change.
async fn owe(conn: &mut PgConnection, at: Micros, owed: &Owed) -> Result<()> {
    if owed.debts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = $1, mark = 0,
            fixer = NULL, reason = '', wanted = p.wanted, wanted_digest = p.digest,
            wanted_content = CASE p.wanted WHEN 'present' THEN coalesce(p.content, r.content) END,
            losses = p.losses,
            turn = CASE p.wanted WHEN 'present' THEN debt.rank ELSE 255 - debt.rank END,
            lane = coalesce(debt.lane, (SELECT l.id FROM lane l
                WHERE l.connection = debt.connection AND l.tenant = r.tenant
                    AND l.key = CASE WHEN debt.shared THEN decode(repeat('00', 16), 'hex') ELSE debt.learner END))
         FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[])
            AS p (debt, wanted, digest, content, losses), record r
         WHERE debt.id = p.debt AND r.id = debt.record",
        at,
        &owed.debts,
        &owed.wanted,
        &owed.digests,
        &owed.contents as &[Option<i64>],
        &owed.losses as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// What is wanted becomes what was last accepted, or else what the record says.
async fn settle(conn: &mut PgConnection, at: Micros, settled: &SettledUnsent) -> Result<()> {
    if settled.debts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE debt SET state = p.state, since = $1, mark = 0, fixer = NULL, reason = '', wanted = p.wanted,
            wanted_digest = coalesce(sent_digest, r.digest),
            wanted_content = CASE WHEN p.wanted <> 'present' THEN NULL
                WHEN sent_digest IS NULL THEN r.content ELSE sent_content END
         FROM unnest($2::bigint[], $3::text[], $4::text[]) AS p (debt, wanted, state), record r
         WHERE debt.id = p.debt AND r.id = debt.record",
        at,
        &settled.debts,
        &settled.wanted,
        &settled.states,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Nothing is left to send: raising a refusal without content asks for a new plan.
async fn refuse(conn: &mut PgConnection, at: Micros, refused: &Refused) -> Result<()> {
    if refused.debts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE debt SET state = 'refused', since = $1, mark = 0, fixer = p.fixer, reason = p.reason,
            wanted = 'present', wanted_digest = NULL, wanted_content = NULL, losses = NULL
         FROM unnest($2::bigint[], $3::text[], $4::text[]) AS p (debt, fixer, reason) WHERE debt.id = p.debt",
        at,
        &refused.debts,
        &refused.fixers,
        &refused.reasons,
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Whose a debt is.
#[derive(Clone, Copy)]
struct Whose {
    record: i64,
    learner: LearnerId,
}

/// Locks some debts and, before them, their lanes, each in the order of their numbers.
pub(super) async fn lock_debts(conn: &mut PgConnection, debts: &[i64]) -> Result<()> {
    sqlx::query_scalar!(
        "SELECT count(*) FROM (SELECT l.id FROM lane l
            WHERE l.id IN (SELECT d.lane FROM debt d WHERE d.id = ANY($1)) ORDER BY l.id FOR UPDATE) locked",
        debts
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed)?;
    sqlx::query_scalar!(
        "SELECT count(*) FROM (SELECT d.id FROM debt d WHERE d.id = ANY($1) ORDER BY d.id FOR UPDATE) locked",
        debts
    )
    .fetch_one(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Whose the planned debts are, by debt and standing mark.
async fn valid(conn: &mut PgConnection, connection: &str, plans: &[Plan]) -> Result<HashMap<(i64, i64), Whose>> {
    let debts: Vec<i64> = plans.iter().map(|plan| plan.debt).collect();
    let rows = sqlx::query!(
        "SELECT d.id, d.mark, d.record, d.learner FROM debt d JOIN record r ON r.id = d.record
         WHERE d.id = ANY($1) AND d.connection = (SELECT id FROM connection WHERE name = $2) AND d.mark > 0
            AND d.state <> 'sending' AND NOT EXISTS (SELECT 1 FROM load l JOIN manifest m ON m.load = l.id
                WHERE l.connection = d.connection AND l.status = 'sending' AND m.item = r.key)",
        &debts,
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

/// Makes the lanes that are not there yet of debts that are owed, or are about to be. They are due.
async fn make_lanes(conn: &mut PgConnection, debts: &[i64], at: Micros) -> Result<()> {
    sqlx::query!(
        "INSERT INTO lane (connection, tenant, key, next_at)
         SELECT DISTINCT d.connection, r.tenant,
            CASE WHEN d.shared THEN decode(repeat('00', 16), 'hex') ELSE d.learner END AS key, $2::bigint
         FROM debt d JOIN record r ON r.id = d.record
         WHERE d.id = ANY($1) AND d.lane IS NULL ORDER BY 1, 2, 3
         ON CONFLICT (connection, tenant, key) DO NOTHING",
        debts,
        at
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Gives those of some debts that are owed again their lanes and turns, and makes the lanes due. Placements come by rank,
/// withdrawals after them in reverse.
async fn enqueue(conn: &mut PgConnection, debts: &[i64], at: Micros, due: Due) -> Result<()> {
    let owed = sqlx::query_scalar!("SELECT id FROM debt WHERE id = ANY($1) AND state = 'owed'", debts)
        .fetch_all(&mut *conn)
        .await
        .map_err(failed)?;
    make_lanes(conn, &owed, at).await?;
    // As a subquery, a lane is looked up by its key whatever is thought of how many there are: a plan made while the table
    // was empty once joined every lane with every debt.
    sqlx::query!(
        "UPDATE debt SET
            turn = CASE debt.wanted WHEN 'present' THEN debt.rank ELSE 255 - debt.rank END,
            lane = coalesce(debt.lane, (SELECT l.id FROM lane l
                WHERE l.connection = debt.connection AND l.tenant = r.tenant
                    AND l.key = CASE WHEN debt.shared THEN decode(repeat('00', 16), 'hex') ELSE debt.learner END))
         FROM record r
         WHERE debt.id = ANY($1) AND r.id = debt.record
            AND (debt.lane IS NULL OR debt.turn <> CASE debt.wanted WHEN 'present' THEN debt.rank ELSE 255 - debt.rank END)",
        &owed
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    make_due(conn, &owed, at, due).await
}

/// Makes the lanes due in which some of these debts are owed.
async fn make_due(conn: &mut PgConnection, debts: &[i64], at: Micros, due: Due) -> Result<()> {
    let now = matches!(due, Due::Now);
    sqlx::query!(
        "WITH ours AS (SELECT l.id FROM lane l
            WHERE l.id IN (SELECT d.lane FROM debt d WHERE d.id = ANY($1) AND d.state = 'owed')
                AND NOT l.leased AND (l.next_at IS NULL OR ($3 AND l.next_at > $2)) ORDER BY l.id FOR UPDATE)
         UPDATE lane SET next_at = $2 FROM ours WHERE lane.id = ours.id",
        debts,
        at,
        now
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Lanes of some debts that have nothing owed any more are not due.
pub(super) async fn rest(conn: &mut PgConnection, debts: &[i64]) -> Result<()> {
    sqlx::query!(
        "UPDATE lane SET next_at = NULL WHERE next_at IS NOT NULL
            AND id IN (SELECT d.lane FROM debt d WHERE d.id = ANY($1))
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.lane = lane.id AND d.queued AND d.state = 'owed')",
        debts
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Removes projections and losses that some debts own and no watermark of theirs refers to any more.
pub(super) async fn drop_unused(conn: &mut PgConnection, debts: &[i64]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM content USING debt d WHERE content.debt = ANY($1) AND d.id = content.debt
            AND content.id IS DISTINCT FROM d.wanted_content AND content.id IS DISTINCT FROM d.losses
            AND content.id IS DISTINCT FROM d.sent_content AND content.id IS DISTINCT FROM d.confirmed_content",
        debts
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// See [`silta_ledger::Debts::raise`].
pub(super) async fn raise(ledger: &PostgresLedger, at: Micros, why: &str, which: &Raise) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let asked = match which {
        Raise::Debts(debts) => debts.clone(),
        Raise::State { connection, state } => in_state(&mut tx, connection, *state).await?,
    };
    lock_debts(&mut tx, &asked).await?;
    let only = match which {
        Raise::Debts(_) => None,
        Raise::State { state, .. } => Some(state.name()),
    };
    let found = sqlx::query_scalar!(
        "SELECT id FROM debt
         WHERE id = ANY($1) AND state NOT IN ('sending', 'barred') AND ($2::text IS NULL OR state = $2)",
        &asked,
        only
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if found.is_empty() {
        return Ok(0);
    }
    let mark = tick(&mut tx).await?;
    sqlx::query!("UPDATE debt SET mark = $1 WHERE id = ANY($2) AND wanted_digest IS NULL", mark, &found)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    sqlx::query!(
        "UPDATE debt SET state = 'owed', generation = generation + 1, attempts = 0, since = $1, reason = $2, fixer = NULL
         WHERE id = ANY($3) AND wanted_digest IS NOT NULL",
        at,
        why,
        &found
    )
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    enqueue(&mut tx, &found, at, Due::Now).await?;
    commit(tx).await?;
    ledger.heads.due(at);
    Ok(found.len() as u64)
}

async fn in_state(conn: &mut PgConnection, connection: &str, state: DebtState) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT id FROM debt WHERE connection = (SELECT id FROM connection WHERE name = $1) AND state = $2
            AND phase = CASE $2 WHEN 'sending' THEN 'owed' ELSE $2 END",
        connection,
        state.name()
    )
    .fetch_all(conn)
    .await
    .map_err(failed)
}

/// See [`silta_ledger::Debts::call_off`].
pub(super) async fn call_off(ledger: &PostgresLedger, at: Micros, debt: i64, why: &str) -> Result<bool> {
    let mut tx = ledger.write().await?;
    lock_debts(&mut tx, &[debt]).await?;
    // What was accepted is what it was; what never was waits for an operator.
    let done = sqlx::query!(
        "UPDATE debt SET since = $2,
            state = CASE
                WHEN was.accepted THEN
                    CASE WHEN confirmed_at IS NOT NULL AND confirmed_digest IS NOT DISTINCT FROM sent_digest
                        THEN 'confirmed' ELSE 'sent' END
                WHEN was.settled THEN 'settled' ELSE 'refused' END,
            fixer = CASE WHEN was.accepted OR was.settled THEN NULL ELSE 'operator' END,
            reason = CASE WHEN was.accepted OR was.settled THEN '' ELSE $4 END
         FROM (SELECT d.id,
                d.sent_at IS NOT NULL AND d.sent_digest IS NOT DISTINCT FROM
                    CASE WHEN d.wanted = 'present' THEN d.wanted_digest END AS accepted,
                d.wanted = 'absent' AND d.sent_at IS NULL AND NOT d.unsure AS settled
            FROM debt d JOIN record r ON r.id = d.record
            WHERE d.id = $1 AND d.state = 'owed' AND d.attempts = 0 AND d.reason = $3
                AND NOT EXISTS (SELECT 1 FROM load l JOIN manifest m ON m.load = l.id
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
    rest(&mut tx, &[debt]).await?;
    commit(tx).await?;
    Ok(done > 0)
}

/// See [`silta_ledger::Debts::reject`].
pub(super) async fn reject(
    ledger: &PostgresLedger,
    at: Micros,
    connection: &str,
    until: Micros,
    rejected: &[Rejection],
) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let rejected = each_item_once(rejected);
    let items: Vec<Vec<u8>> = rejected.iter().map(|one| one.item.0.to_vec()).collect();
    let debts = sqlx::query_scalar!(
        "SELECT d.id FROM debt d JOIN record r ON r.id = d.record
         WHERE r.key = ANY($1) AND d.connection = (SELECT id FROM connection WHERE name = $2)",
        &items,
        connection
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    lock_debts(&mut tx, &debts).await?;
    let fixers: Vec<String> = rejected.iter().map(|one| one.fixer.name().to_owned()).collect();
    let reasons: Vec<String> = rejected.iter().map(|one| one.reason.clone()).collect();
    // What was last accepted is what was last seen there.
    let refused = sqlx::query_scalar!(
        "UPDATE debt SET state = 'refused', since = $1, fixer = j.fixer, reason = j.reason,
            unsure = unsure OR confirmed_digest IS NULL,
            sent_at = confirmed_at, sent_digest = confirmed_digest, sent_content = confirmed_content
         FROM unnest($2::bytea[], $3::text[], $4::text[]) AS j (item, fixer, reason) JOIN record r ON r.key = j.item
         WHERE debt.id = ANY($5) AND debt.record = r.id AND debt.wanted = 'present'
            AND debt.state IN ('sent', 'confirmed', 'unverifiable') AND coalesce(debt.sent_at, 0) <= $6 AND coalesce(debt.confirmed_at, 0) <= $6 RETURNING debt.id",
        at,
        &items,
        &fixers,
        &reasons,
        &debts,
        until
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    drop_unused(&mut tx, &refused).await?;
    commit(tx).await?;
    Ok(refused.len() as u64)
}

/// See [`silta_ledger::Debts::observed`].
pub(super) async fn observed(ledger: &PostgresLedger, at: Micros, seen: &[Observation]) -> Result<()> {
    let mut tx = ledger.write().await?;
    let debts: Vec<i64> = seen.iter().map(|o| o.debt).collect();
    lock_debts(&mut tx, &debts).await?;
    proved(&mut tx, at, &seen.iter().filter(|o| o.holds).collect::<Vec<_>>()).await?;
    disproved(&mut tx, &seen.iter().filter(|o| !o.holds).collect::<Vec<_>>()).await?;
    enqueue(&mut tx, &debts, at, Due::WithLane).await?;
    drop_unused(&mut tx, &debts).await?;
    commit(tx).await?;
    ledger.heads.due(at);
    Ok(())
}

/// Observations, column by column.
fn columns(seen: &[&Observation]) -> (Vec<i64>, Vec<i64>, Vec<Option<Vec<u8>>>) {
    (
        seen.iter().map(|o| o.debt).collect(),
        seen.iter().map(|o| o.generation).collect(),
        seen.iter().map(|o| opt_digest_bytes(o.digest.as_ref())).collect(),
    )
}

async fn proved(conn: &mut PgConnection, at: Micros, seen: &[&Observation]) -> Result<()> {
    let (debts, generations, digests) = columns(seen);
    // What an uncertain debt wants is there: it was accepted, and the next statement confirms it.
    sqlx::query!(
        "UPDATE debt SET unsure = false, state = 'sent', sent_at = $1,
            sent_digest = CASE WHEN wanted = 'present' THEN wanted_digest END, sent_content = wanted_content
         FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS o (debt, generation, digest)
         WHERE debt.id = o.debt AND debt.generation = o.generation AND state = 'uncertain'
            AND CASE WHEN wanted = 'present' THEN wanted_digest END IS NOT DISTINCT FROM o.digest",
        at,
        &debts,
        &generations,
        &digests as &[Option<Vec<u8>>],
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    // What was last accepted is there.
    sqlx::query!(
        "UPDATE debt SET confirmed_at = $1, confirmed_digest = sent_digest, confirmed_content = sent_content,
            state = CASE WHEN state IN ('sent', 'unverifiable') THEN 'confirmed' ELSE state END
         FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS o (debt, generation, digest)
         WHERE debt.id = o.debt AND debt.generation = o.generation AND sent_at IS NOT NULL
            AND sent_digest IS NOT DISTINCT FROM o.digest",
        at,
        &debts,
        &generations,
        &digests as &[Option<Vec<u8>>],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn disproved(conn: &mut PgConnection, seen: &[&Observation]) -> Result<()> {
    let (debts, generations, digests) = columns(seen);
    // What was last accepted is not there, or not any more; what was seen before that is another matter.
    sqlx::query!(
        "UPDATE debt SET
            confirmed_at = CASE WHEN confirmed_digest IS DISTINCT FROM sent_digest THEN confirmed_at END,
            confirmed_digest = CASE WHEN confirmed_digest IS DISTINCT FROM sent_digest THEN confirmed_digest END,
            confirmed_content = CASE WHEN confirmed_digest IS DISTINCT FROM sent_digest THEN confirmed_content END,
            state = CASE WHEN state = 'confirmed' THEN 'sent' ELSE state END
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS o (debt, generation, digest)
         WHERE debt.id = o.debt AND debt.generation = o.generation AND sent_at IS NOT NULL
            AND sent_digest IS NOT DISTINCT FROM o.digest",
        &debts,
        &generations,
        &digests as &[Option<Vec<u8>>],
    )
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    // What an uncertain debt wants is not there: it is owed as before.
    sqlx::query!(
        "UPDATE debt SET state = 'owed'
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS o (debt, generation, digest)
         WHERE debt.id = o.debt AND debt.generation = o.generation AND state = 'uncertain'
            AND CASE WHEN wanted = 'present' THEN wanted_digest END IS NOT DISTINCT FROM o.digest",
        &debts,
        &generations,
        &digests as &[Option<Vec<u8>>],
    )
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}
