//! Keeping records: load what is known, judge in memory, write; a fixed number of statements for any batch.

use super::rows::{
    Cells, NewContent, digest_bytes, hex, insert_contents, insert_rows, keys, kind_number, list, lookups, numbers,
};
use super::{Next, SqliteLedger, commit, connection_id, failed, next};
use silta_adapter::canonical::Digest;
use silta_adapter::record::{RecordKind, State};
use silta_ledger::{
    Batch, DebtTarget, Incoming, Incumbent, Kept, LaneBy, LearnerId, Lookup, Micros, Outcome, RecordId, Result,
    TakeBack, judge,
};
use smol_str::SmolStr;
use sqlx::SqliteConnection;
use std::collections::{HashMap, HashSet};

/// What stands for a record.
#[derive(Debug, Clone, Copy)]
struct Standing {
    row: i64,
    version: i64,
    state: State,
    revision: Option<u64>,
    digest: Digest,
    content: Option<i64>,
}

/// A key as a person knows it: what two sources may not both claim.
type Claimed<'a> = (Lookup, RecordKind, &'a str);

/// What the ledger knows of the records of a batch.
#[derive(Default)]
struct Known {
    standing: HashMap<RecordId, Standing>,
    owners: Vec<(Lookup, RecordKind, SmolStr, SmolStr)>,
    superseded: HashSet<(i64, Digest)>,
}

/// One arrival, judged.
struct Judged<'a> {
    incoming: &'a Incoming,
    outcome: Outcome,
    /// What stands after it. Content and digest go together: a bare tombstone keeps both.
    standing: Standing,
}

/// What a batch comes to.
#[derive(Default)]
struct Verdicts<'a> {
    kept: Vec<Kept>,
    versions: Vec<Judged<'a>>,
    arrivals: Vec<Judged<'a>>,
    contents: Vec<NewContent<'a>>,
    /// Records to write, in order of arrival, each once.
    records: Vec<(&'a Incoming, Standing)>,
}

/// See [`silta_ledger::Records::keep`].
pub(super) async fn keep(ledger: &SqliteLedger, batch: &Batch) -> Result<Vec<Kept>> {
    let mut tx = ledger.write().await?;
    let known = load(&mut tx, batch).await?;
    let next = next(&mut tx, batch.records.len()).await?;
    let verdicts = judge_all(batch, known, &next);
    insert_contents(&mut tx, &verdicts.contents).await?;
    write_records(&mut tx, &batch.tenant, &verdicts.records).await?;
    write_versions(&mut tx, batch, &verdicts.versions).await?;
    write_arrivals(&mut tx, batch.at, &verdicts.arrivals).await?;
    if !verdicts.versions.is_empty() {
        let written = numbers(verdicts.records.iter().map(|(_, standing)| standing.row));
        for target in &batch.targets {
            mark_dirty(&mut tx, target, next.tick, batch.at, &written).await?;
        }
    }
    commit(tx).await?;
    Ok(verdicts.kept)
}

async fn load(conn: &mut SqliteConnection, batch: &Batch) -> Result<Known> {
    let mut known = Known::default();
    let rows = sqlx::query(
        "SELECT id, key, version, state, revision, digest, content FROM record
         WHERE key IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(keys(batch.records.iter().map(|r| &r.id)))
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("record", row);
        known.standing.insert(
            RecordId(cells.bytes("key")?),
            Standing {
                row: cells.get("id")?,
                version: cells.get("version")?,
                state: cells.named("state", State::from_name)?,
                revision: cells.get::<Option<i64>>("revision")?.map(i64::cast_unsigned),
                digest: cells.digest("digest")?,
                content: cells.get("content")?,
            },
        );
    }
    load_owners(conn, batch, &mut known).await?;
    load_superseded(conn, batch, &mut known).await?;
    Ok(known)
}

async fn load_owners(conn: &mut SqliteConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let new = batch.records.iter().filter(|r| !known.standing.contains_key(&r.id));
    let new: Vec<&Lookup> = new.map(|r| &r.lookup).collect();
    if new.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT id, lookup, kind, institution, source FROM record
         WHERE tenant = ? AND lookup IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(&*batch.tenant)
    .bind(lookups(new))
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("record", row);
        known.owners.push((
            Lookup(cells.bytes("lookup")?),
            cells.kind("kind")?,
            cells.text("institution")?,
            cells.text("source")?,
        ));
    }
    Ok(())
}

async fn load_superseded(conn: &mut SqliteConnection, batch: &Batch, known: &mut Known) -> Result<()> {
    let changed = batch.records.iter().filter_map(|r| {
        let standing = known.standing.get(&r.id).filter(|standing| standing.digest != r.digest)?;
        Some(format!("[{},\"{}\"]", standing.row, hex(&digest_bytes(&r.digest))))
    });
    let changed = list(changed);
    if changed == "[]" {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT v.position AS id, v.record, v.digest FROM json_each(?) j
         CROSS JOIN version v ON v.record = j.value ->> 0 AND v.digest = unhex(j.value ->> 1)",
    )
    .bind(changed)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    for row in &rows {
        let cells = Cells::new("version", row);
        known.superseded.insert((cells.get("record")?, cells.digest("digest")?));
    }
    Ok(())
}

/// Judges arrivals one after the other, each against what the ones before it left.
fn judge_all<'a>(batch: &'a Batch, known: Known, next: &Next) -> Verdicts<'a> {
    let (mut next_record, mut next_content) = (next.record, next.content);
    let Known { mut standing, owners, mut superseded } = known;
    let mut claimed: HashMap<Claimed<'_>, &str> = owners.iter().map(|o| ((o.0, o.1, &*o.2), &*o.3)).collect();
    let mut out = Verdicts { kept: Vec::with_capacity(batch.records.len()), ..Verdicts::default() };
    let mut written: HashMap<RecordId, usize> = HashMap::new();
    for incoming in &batch.records {
        let old = standing.get(&incoming.id).copied();
        let key = (incoming.lookup, incoming.kind, &*incoming.institution);
        if old.is_none() && incoming.kind != RecordKind::Learner {
            if claimed.get(&key).is_some_and(|owner| *owner != incoming.source) {
                out.kept.push(Kept { outcome: Outcome::Contested, version: 0 });
                continue;
            }
            claimed.insert(key, &incoming.source);
        }
        let incumbent = old.map(|s| Incumbent { state: s.state, revision: s.revision, digest: s.digest });
        let was_said = || old.is_some_and(|s| superseded.contains(&(s.row, incoming.digest)));
        let outcome = judge(incumbent.as_ref(), incoming, batch.reinstate, was_said);
        let mut now = old.unwrap_or(Standing {
            row: next_record,
            version: 0,
            state: incoming.state,
            revision: incoming.revision,
            digest: incoming.digest,
            content: None,
        });
        let raised = outcome == Outcome::Unchanged && incoming.revision > now.revision;
        if outcome.wrote() {
            next_record += i64::from(old.is_none());
            superseded.insert((now.row, now.digest));
            now = Standing { version: now.version + 1, state: incoming.state, ..now };
            if let Some(bytes) = &incoming.content {
                now.digest = incoming.digest;
                out.contents.push(NewContent {
                    id: next_content,
                    learner: Some(incoming.learner),
                    record: Some(now.row),
                    debt: None,
                    bytes,
                });
                now.content = Some(next_content);
                next_content += 1;
            }
        }
        if outcome.wrote() || raised {
            now.revision = incoming.revision.or(now.revision);
            standing.insert(incoming.id, now);
            let at = *written.entry(incoming.id).or_insert(out.records.len());
            match out.records.get_mut(at) {
                Some(record) => *record = (incoming, now),
                None => out.records.push((incoming, now)),
            }
        }
        out.kept.push(Kept { outcome, version: now.version });
        let judged = Judged { incoming, outcome, standing: now };
        if outcome.wrote() { out.versions.push(judged) } else { out.arrivals.push(judged) }
    }
    out
}

async fn write_records(conn: &mut SqliteConnection, tenant: &str, records: &[(&Incoming, Standing)]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO record
            (id, key, tenant, learner, lookup, source, kind, institution, version, state, revision, digest, content) ",
        " ON CONFLICT (id) DO UPDATE SET learner = excluded.learner, version = excluded.version,
            state = excluded.state, revision = excluded.revision, digest = excluded.digest, content = excluded.content",
        records,
        |row, (incoming, standing)| {
            row.push_bind(standing.row)
                .push_bind(incoming.id.0.to_vec())
                .push_bind(tenant)
                .push_bind(incoming.learner.0.to_vec())
                .push_bind(incoming.lookup.0.to_vec())
                .push_bind(incoming.source.to_string())
                .push_bind(kind_number(incoming.kind))
                .push_bind(incoming.institution.to_string())
                .push_bind(standing.version)
                .push_bind(standing.state.name())
                .push_bind(standing.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&standing.digest))
                .push_bind(standing.content);
        },
    )
    .await
}

async fn write_versions(conn: &mut SqliteConnection, batch: &Batch, versions: &[Judged<'_>]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content) ",
        "",
        versions,
        |row, judged| {
            row.push_bind(judged.standing.row)
                .push_bind(judged.standing.version)
                .push_bind(&*batch.tenant)
                .push_bind(batch.at)
                .push_bind(judged.outcome.name())
                .push_bind(judged.standing.state.name())
                .push_bind(judged.incoming.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&judged.standing.digest))
                .push_bind(judged.standing.content);
        },
    )
    .await
}

async fn write_arrivals(conn: &mut SqliteConnection, at: Micros, arrivals: &[Judged<'_>]) -> Result<()> {
    insert_rows(
        conn,
        "INSERT INTO arrival (record, version, at, outcome, state, revision, digest) ",
        "",
        arrivals,
        |row, judged| {
            row.push_bind(judged.standing.row)
                .push_bind(judged.standing.version)
                .push_bind(at)
                .push_bind(judged.outcome.name())
                .push_bind(judged.incoming.state.name())
                .push_bind(judged.incoming.revision.map(u64::cast_signed))
                .push_bind(digest_bytes(&judged.incoming.digest));
        },
    )
    .await
}

/// Marks the debts of some records (a JSON list of numbers) dirty, and makes those that are not there yet.
async fn mark_dirty(
    conn: &mut SqliteConnection,
    target: &DebtTarget,
    mark: i64,
    at: Micros,
    records: &str,
) -> Result<u64> {
    let connection = connection_id(conn, &target.connection).await?;
    let marked = sqlx::query(
        "INSERT INTO debt (connection, record, learner, rank, shared, mark, since)
         SELECT ?, r.id, r.learner, r.kind, ?, ?, ?
         FROM record r WHERE r.id IN (SELECT value FROM json_each(?))
         ON CONFLICT (record, connection) DO UPDATE SET mark = excluded.mark, learner = excluded.learner",
    )
    .bind(connection)
    .bind(target.lane == LaneBy::Tenant)
    .bind(mark)
    .bind(at)
    .bind(records)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(marked.rows_affected())
}

/// See [`silta_ledger::Debts::replan`].
pub(super) async fn replan(ledger: &SqliteLedger, target: &DebtTarget, tenant: &str) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let mark = next(&mut tx, 0).await?.tick;
    let connection = connection_id(&mut tx, &target.connection).await?;
    let others = sqlx::query("UPDATE debt SET mark = ? WHERE connection = ?")
        .bind(mark)
        .bind(connection)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let new = sqlx::query(
        "INSERT INTO debt (connection, record, learner, rank, mark, shared, since)
         SELECT ?1, r.id, r.learner, r.kind, ?2, ?4,
            (SELECT v.at FROM version v WHERE v.record = r.id AND v.version = r.version)
         FROM record r WHERE r.tenant = ?3
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.record = r.id AND d.connection = ?1)",
    )
    .bind(connection)
    .bind(mark)
    .bind(tenant)
    .bind(target.lane == LaneBy::Tenant)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(others.rows_affected() + new.rows_affected())
}

/// See [`silta_ledger::Records::take_back`].
pub(super) async fn take_back(ledger: &SqliteLedger, batch: &TakeBack) -> Result<u64> {
    if !batch.state.is_tombstone() {
        return Ok(0);
    }
    let mut tx = ledger.write().await?;
    let changed: Vec<i64> = sqlx::query_scalar(
        "UPDATE record SET state = ?, version = version + 1
         WHERE key IN (SELECT unhex(value) FROM json_each(?)) AND tenant = ? AND state = 'current' RETURNING id",
    )
    .bind(batch.state.name())
    .bind(keys(&batch.ids))
    .bind(&*batch.tenant)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let records = numbers(changed.iter().copied());
    let mark = next(&mut tx, 0).await?.tick;
    sqlx::query(
        "INSERT INTO version (record, version, tenant, at, outcome, state, revision, digest, content)
         SELECT r.id, r.version, r.tenant, ?, ?, r.state, r.revision, r.digest, r.content
         FROM json_each(?) j CROSS JOIN record r ON r.id = j.value",
    )
    .bind(batch.at)
    .bind(Outcome::Updated.name())
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query("UPDATE debt SET mark = ? WHERE record IN (SELECT value FROM json_each(?))")
        .bind(mark)
        .bind(&records)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    commit(tx).await?;
    Ok(changed.len() as u64)
}

/// See [`silta_ledger::Records::erase`]. What stands is spared. Rows that refer to erased contents need no change: a
/// number is never used again.
pub(super) async fn erase(ledger: &SqliteLedger, tenant: &str, learner: LearnerId, at: Micros) -> Result<u64> {
    let mut tx = ledger.write().await?;
    let learner = learner.0.to_vec();
    let taken_back: Vec<(i64, bool)> = sqlx::query_as(
        "SELECT r.id, EXISTS (SELECT 1 FROM version v CROSS JOIN content c ON c.id = v.content WHERE v.record = r.id)
         FROM record r
         WHERE r.tenant = ? AND r.learner = ? AND r.state <> 'current'",
    )
    .bind(tenant)
    .bind(&learner)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    if taken_back.is_empty() {
        return Ok(0);
    }
    let records = numbers(taken_back.iter().map(|(id, _)| *id));
    sqlx::query(
        "DELETE FROM content WHERE learner = ?
            AND (record IS NULL OR record IN (SELECT value FROM json_each(?)))",
    )
    .bind(&learner)
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    sqlx::query(
        "UPDATE problem SET closed = ? WHERE closed IS NULL AND record IN
            (SELECT key FROM record WHERE id IN (SELECT value FROM json_each(?)))",
    )
    .bind(at)
    .bind(&records)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    commit(tx).await?;
    Ok(taken_back.iter().filter(|(_, blanked)| *blanked).count() as u64)
}
