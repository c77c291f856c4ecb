//! Reads a store back and compares it with what was accepted there.

use super::compare::{Comparison, Expected, Finding, Terms, compare};
use super::repair;
use crate::delivery::DeliveryError;
use crate::delivery::items::open_item;
use crate::delivery::settle::micros;
use crate::delivery::walk::{Learner, Walk};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{
    FindingKind, FindingStatus, Holding, LearnerId, Micros, NewFinding, Observation, RecordId, Sealed, Summary, Wanted,
};
use silta_adapter::adapter::{DecodeContext, Inventory, LearnerQuery, Limits};
use silta_adapter::canonical::Digest;
use silta_adapter::record::{Body, Record};
use std::sync::Arc;

/// Reconciles a connection: every learner it ever held something for is read back. Returns the summary, which is also
/// stored.
///
/// # Errors
/// If the ledger fails or a content cannot be opened. A store that cannot be read is not an error: the summary says so.
pub async fn run(gateway: &Gateway, connection: &Connection) -> Result<Option<Summary>, DeliveryError> {
    let Some(inventory) = &connection.connected.inventory else { return Ok(None) };
    let _once_at_a_time = connection.reconciling.lock().await;
    let name = &connection.config.name;
    let started = gateway.now();
    let id = gateway.ledger.open_reconciliation(name, started).await?;
    let mut state = gateway.ledger.connection(name).await?;
    state.last_reconciled = Some(started);
    gateway.ledger.set_connection(&state).await?;
    let mut summary = Summary::default();
    let mut walk = Walk::new(gateway, connection);
    loop {
        let learners = walk.next(inventory.batch().max(1)).await?;
        if learners.is_empty() {
            break;
        }
        summary.learners += learners.len() as i64;
        if let Err(reason) = look_at(gateway, connection, &**inventory, id, &learners, &mut summary).await? {
            summary.failure = Some(reason);
            break;
        }
    }
    if summary.failure.is_none() && summary.complete == summary.learners {
        close_gone_strangers(gateway, connection, started).await?;
    }
    summary.repairs = repair::raise(gateway, connection).await?;
    gateway.ledger.close_reconciliation(id, gateway.now(), &summary).await?;
    Ok(Some(summary))
}

/// Asks the store about some learners and stores what comes of it. The inner error says why the store was not read.
async fn look_at(
    gateway: &Gateway,
    connection: &Connection,
    inventory: &dyn Inventory,
    reconciliation: i64,
    learners: &[Learner],
    summary: &mut Summary,
) -> Result<Result<(), String>, DeliveryError> {
    let mut queries = Vec::with_capacity(learners.len());
    for learner in learners {
        queries.push(query(gateway, connection, learner.id).await?);
    }
    let ctx = DecodeContext {
        tenant: connection.config.tenant.clone(),
        source: "readback".into(),
        limits: Limits { bytes: gateway.config.server.max_body_bytes, ..Limits::default() },
    };
    connection.paced().await;
    let answers = match inventory.holdings(&ctx, &queries).await {
        Ok(answers) => answers,
        Err(e) => return Ok(Err(e.0.reason)),
    };
    let now = gateway.now();
    let settle = micros(connection.config.settle_secs.unwrap_or(gateway.config.reconcile.settle_secs));
    for answer in answers {
        let Some(learner) = learners.get(answer.query) else { continue };
        let mut expected = Vec::with_capacity(learner.holdings.len());
        for holding in &learner.holdings {
            expected.extend(expect(gateway, holding).await?);
        }
        let terms = Terms {
            now,
            settle,
            complete: answer.complete,
            institutions: &gateway.mappings.institutions,
            withheld: inventory.withheld(),
        };
        let comparison = compare(&expected, &answer.records, terms);
        summary.complete += i64::from(answer.complete);
        summary.items += expected.len() as i64;
        summary.agreed += comparison.agreed.len() as i64;
        for one in &comparison.findings {
            *summary.findings.entry(one.kind.name().into()).or_default() += 1;
        }
        store(gateway, reconciliation, now, learner.id, &expected, &comparison, answer.complete).await?;
    }
    Ok(Ok(()))
}

/// What to ask about a learner: all identifiers known, from every learner record, current or not.
async fn query(gateway: &Gateway, connection: &Connection, learner: LearnerId) -> Result<LearnerQuery, DeliveryError> {
    let mut query = LearnerQuery { learner: Default::default(), identifiers: Vec::new() };
    for stored in gateway.ledger.records_of(&connection.config.tenant, learner).await? {
        let Some(content) = &stored.content else { continue };
        if query.learner.is_empty() || stored.kind == silta_adapter::record::RecordKind::Learner {
            let record: Record = gateway.vault.open_json(content)?;
            query.learner = record.head.learner;
            if let Some(Body::Learner(body)) = record.body {
                query.identifiers.extend(body.identifiers.0);
            }
        }
    }
    Ok(query)
}

async fn expect(gateway: &Gateway, holding: &Holding) -> Result<Option<Expected>, DeliveryError> {
    let first = |content: &Option<(Digest, Sealed)>| -> Result<Option<Record>, DeliveryError> {
        let Some((_, sealed)) = content else { return Ok(None) };
        Ok(open_item(gateway, sealed)?.into_iter().next())
    };
    let (sent, confirmed) = (first(&holding.sent_content)?, first(&holding.confirmed_content)?);
    let wanted = first(&holding.wanted_content)?;
    let mut key = sent.as_ref().or(confirmed.as_ref()).or(wanted.as_ref()).map(|r| r.head.key.clone());
    if key.is_none() && holding.wanted == Some(Wanted::Absent) {
        // An accepted withdrawal leaves no content behind; that the item is gone is proved under the record's own key.
        let record = gateway.ledger.record(holding.item).await?.and_then(|r| r.content);
        key = record.map(|c| gateway.vault.open_json::<Record>(&c)).transpose()?.map(|r| r.head.key);
    }
    // Nothing was ever sent or wanted for an item without a key: there is nothing to compare.
    Ok(key.map(|key| Expected { holding: holding.clone(), key, sent, confirmed }))
}

async fn store(
    gateway: &Gateway,
    reconciliation: i64,
    now: Micros,
    learner: LearnerId,
    expected: &[Expected],
    comparison: &Comparison,
    complete: bool,
) -> Result<(), DeliveryError> {
    let observation = |at: usize, holds: bool| {
        let holding = &expected[at].holding;
        let digest = holding.sent_content.as_ref().map(|(digest, _)| *digest);
        Observation { debt: holding.debt, generation: holding.generation, digest, holds }
    };
    let proved = |at: &&usize| complete || expected[**at].sent.is_some();
    let mut seen: Vec<Observation> = comparison.agreed.iter().filter(proved).map(|at| observation(*at, true)).collect();
    seen.extend(
        comparison
            .findings
            .iter()
            // A whole that lacks a part is itself as it should be.
            .filter(|f| !matches!(f.kind, FindingKind::Settling | FindingKind::OrphanPart))
            .filter_map(|f| f.expected.map(|at| observation(at, false))),
    );
    gateway.ledger.observed(now, &seen).await?;
    let looked_at: Vec<RecordId> =
        if complete { expected.iter().map(|e| e.holding.item).collect() } else { Vec::new() };
    let findings: Vec<NewFinding> =
        comparison.findings.iter().map(|one| new_finding(gateway, learner, expected, one)).collect();
    gateway.ledger.found(reconciliation, now, &looked_at, &findings).await?;
    Ok(())
}

fn new_finding(gateway: &Gateway, learner: LearnerId, expected: &[Expected], one: &Finding) -> NewFinding {
    let item = |at: usize| expected[at].holding.item;
    NewFinding {
        item: one.expected.map_or_else(|| gateway.vault.record_id(&one.key), item),
        learner,
        debt: one.expected.map(|at| expected[at].holding.debt),
        kind: one.kind,
        digest: one.found.as_ref().map(|r| gateway.vault.digest_key().record(r)),
        implied_by: one.implied_by.map(item),
        evidence: gateway.vault.seal_json(&one.evidence),
    }
}

/// Closes findings about records that were never ours and are gone. Only after a run in which every answer was
/// everything.
async fn close_gone_strangers(
    gateway: &Gateway,
    connection: &Connection,
    started: Micros,
) -> Result<(), DeliveryError> {
    let mut after = 0;
    loop {
        let page = gateway.ledger.findings(Some(&connection.config.name), false, after, 500).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for gone in page.iter().filter(|f| f.debt.is_none() && f.seen < started) {
            gateway.ledger.set_finding(gone.id, gateway.now(), FindingStatus::Closed).await?;
        }
    }
}

/// Reconciles every connection that can be read, each at its own pace, until `stop` is cancelled.
pub async fn schedule(gateway: Arc<Gateway>, stop: tokio_util::sync::CancellationToken) {
    let mut loops = tokio::task::JoinSet::new();
    for connection in &gateway.connections {
        let every = connection.config.reconcile_every_secs.unwrap_or(gateway.config.reconcile.every_secs);
        if every == 0 || !connection.readback() {
            continue;
        }
        let (gateway, connection, stop) = (gateway.clone(), connection.clone(), stop.clone());
        loops.spawn(async move {
            while stop.run_until_cancelled(wait(&gateway, &connection, micros(every))).await.is_some() {
                let name = &connection.config.name;
                // One process reconciles; the others look again when it has begun, or has died.
                match gateway.on_duty(&format!("reconcile:{name}"), due(&gateway, &connection, micros(every))).await {
                    Ok(Some(Ok(()))) => {}
                    Ok(Some(Err(error))) => tracing::error!(connection = %name, %error, "reconciliation failed"),
                    Ok(None) => pause(&stop).await,
                    Err(error) => {
                        tracing::error!(connection = %name, %error, "reconciliation failed");
                        pause(&stop).await;
                    }
                }
            }
        });
    }
    while loops.join_next().await.is_some() {}
}

async fn pause(stop: &tokio_util::sync::CancellationToken) {
    stop.run_until_cancelled(tokio::time::sleep(std::time::Duration::from_secs(10))).await;
}

/// Reconciles a connection, unless another process did so meanwhile.
async fn due(gateway: &Gateway, connection: &Connection, every: Micros) -> Result<(), DeliveryError> {
    let last = gateway.ledger.connection(&connection.config.name).await?.last_reconciled;
    if last.is_none_or(|last| last + every <= gateway.now()) {
        run(gateway, connection).await?;
    }
    Ok(())
}

/// Waits until a connection is due, by the time it was last reconciled.
async fn wait(gateway: &Gateway, connection: &Connection, every: Micros) {
    let last = match gateway.ledger.connection(&connection.config.name).await {
        Ok(state) => state.last_reconciled,
        Err(_) => Some(gateway.now()),
    };
    let due = last.map_or(0, |last| (last + every - gateway.now()).max(0));
    tokio::time::sleep(std::time::Duration::from_micros(due as u64)).await;
}
