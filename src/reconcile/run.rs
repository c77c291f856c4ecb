//! Reconciles a connection: reads its store back, stores what is believed of it, raises repairs.

use super::compare::Evidence;
use super::evidence::SMALL;
use super::reading::{Look, Reading};
use super::repair;
use super::source::{self, Scope};
use crate::delivery::DeliveryError;
use crate::delivery::settle::micros;
use crate::delivery::walk::Walk;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{FindingKind, FindingStatus, Micros, NewFinding, RecordId, Summary};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// What a reconciliation would find and store.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DryRun {
    /// The summary it would have.
    pub summary: Summary,
    /// Its findings.
    pub findings: Vec<Foreseen>,
}

/// A finding that was not stored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Foreseen {
    /// The record or item.
    pub item: RecordId,
    /// What kind of difference.
    pub kind: FindingKind,
    /// The item of the finding that implies this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implied_by: Option<RecordId>,
    /// Field-level evidence and proposed repair.
    pub evidence: Evidence,
}

/// Reconciles a connection: every learner it ever held something for is read back. Returns the summary, which is also
/// stored; `None` if its store cannot be read back.
///
/// # Errors
/// If the ledger fails or a content cannot be opened. A store that cannot be read, or not be believed, is not an error:
/// the summary says so, and nothing is repaired.
pub async fn run(gateway: &Gateway, connection: &Connection) -> Result<Option<Summary>, DeliveryError> {
    let Some(inventory) = &connection.connected.inventory else { return Ok(None) };
    let _once_at_a_time = connection.reconciling.lock().await;
    let name = &connection.config.name;
    let started = gateway.now();
    let id = gateway.ledger.open_reconciliation(name, started).await?;
    let mut state = gateway.ledger.connection(name).await?;
    state.last_reconciled = Some(started);
    gateway.ledger.set_connection(&state).await?;
    let mut reading = Reading::new(gateway, connection, &**inventory);
    let believed = read(gateway, connection, &mut reading, Some(id)).await?;
    let (looks, doubts) = (std::mem::take(&mut reading.looks), reading.doubts());
    let mut summary = reading.summary;
    match believed {
        Err(reason) => summary.failure = Some(reason),
        Ok(()) => {
            count(&mut summary, &looks);
            for look in &looks {
                store(gateway, id, look).await?;
            }
            summary.failure = doubts;
            if summary.failure.is_none() {
                mend(gateway, connection, started, &mut summary).await?;
            }
        }
    }
    gateway.ledger.close_reconciliation(id, gateway.now(), &summary).await?;
    Ok(Some(summary))
}

/// Reads a connection's store back and says what would be found; nothing is stored and nothing repaired.
///
/// # Errors
/// As [`run`].
pub async fn dry_run(gateway: &Gateway, connection: &Connection) -> Result<Option<DryRun>, DeliveryError> {
    let Some(inventory) = &connection.connected.inventory else { return Ok(None) };
    let _once_at_a_time = connection.reconciling.lock().await;
    let mut reading = Reading::new(gateway, connection, &**inventory);
    let believed = read(gateway, connection, &mut reading, None).await?;
    let (looks, doubts) = (std::mem::take(&mut reading.looks), reading.doubts());
    let mut summary = reading.summary;
    count(&mut summary, &looks);
    summary.failure = believed.err().or(doubts);
    let foreseen = |one: NewFinding| {
        let evidence = gateway.vault.open_json(&one.evidence)?;
        Ok(Foreseen { item: one.item, kind: one.kind, implied_by: one.implied_by, evidence })
    };
    let findings =
        looks.into_iter().flat_map(|look| look.findings).map(foreseen).collect::<Result<_, DeliveryError>>()?;
    Ok(Some(DryRun { summary, findings }))
}

/// Reads all of a store. What is as it should be is noted at once, if there is a reconciliation to note it for.
async fn read(
    gateway: &Gateway,
    connection: &Connection,
    reading: &mut Reading<'_>,
    reconciliation: Option<i64>,
) -> Result<Result<(), String>, DeliveryError> {
    let mut walk = Walk::new(gateway, connection);
    loop {
        match reading.batch(&mut walk).await? {
            Err(reason) => return Ok(Err(reason)),
            Ok(false) => return Ok(reading.believed()),
            Ok(true) => {}
        }
        count(&mut reading.summary, &reading.clean);
        for look in reading.clean.iter().filter(|_| reconciliation.is_some()) {
            store(gateway, reconciliation.unwrap_or_default(), look).await?;
        }
    }
}

fn count(summary: &mut Summary, looks: &[Look]) {
    for one in looks.iter().flat_map(|look| &look.findings) {
        match one.implied_by {
            Some(_) => summary.implied += 1,
            None => *summary.findings.entry(one.kind.name().into()).or_default() += 1,
        }
    }
}

async fn store(gateway: &Gateway, reconciliation: i64, look: &Look) -> Result<(), DeliveryError> {
    let now = gateway.now();
    gateway.ledger.observed(now, &look.seen).await?;
    gateway.ledger.found(reconciliation, now, &look.looked_at, &look.findings).await?;
    Ok(())
}

/// Closes what is gone and raises repairs, unless so much differs that a person should look first.
async fn mend(
    gateway: &Gateway,
    connection: &Connection,
    started: Micros,
    summary: &mut Summary,
) -> Result<(), DeliveryError> {
    if summary.complete == summary.learners {
        close_gone_strangers(gateway, connection, started).await?;
    }
    let settling = FindingKind::Settling.name();
    let own: i64 = summary.findings.iter().filter(|(kind, _)| *kind != settling).map(|(_, n)| n).sum();
    let differ = own + summary.implied;
    let share = connection.config.max_repair_share;
    if differ > ((summary.items as f64 * share) as i64).max(SMALL) {
        summary.waits =
            Some(format!("{differ} findings about {} items: a person looks before any is repaired", summary.items));
    } else {
        summary.repairs = repair::raise(gateway, connection).await?;
    }
    Ok(())
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
        // A feed is read from its beginning only where somebody asked for it.
        let asked = connection.connected.pull.is_some() && connection.config.reconcile_every_secs.is_some();
        if every == 0 || !(connection.readback() || asked) {
            continue;
        }
        let (gateway, connection, stop) = (gateway.clone(), connection.clone(), stop.clone());
        loops.spawn(async move {
            while stop.run_until_cancelled(wait(&gateway, &connection, micros(every))).await.is_some() {
                // One process reconciles; the others look again when it has begun, or has died.
                let duty = format!("reconcile:{}", connection.config.name);
                if gateway.in_turn(&duty, due(&gateway, &connection, micros(every))).await.is_none() {
                    pause(&stop).await;
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
async fn due(gateway: &Arc<Gateway>, connection: &Connection, every: Micros) -> Result<(), DeliveryError> {
    let last = gateway.ledger.connection(&connection.config.name).await?.last_reconciled;
    if last.is_some_and(|last| last + every > gateway.now()) {
        return Ok(());
    }
    if connection.readback() {
        run(gateway, connection).await?;
    }
    if connection.connected.pull.is_some() && connection.config.reconcile_every_secs.is_some() {
        let mut state = gateway.ledger.connection(&connection.config.name).await?;
        state.last_reconciled = Some(gateway.now());
        gateway.ledger.set_connection(&state).await?;
        if let Err(error) = source::feed(gateway, connection, &Scope::default(), false).await {
            tracing::error!(connection = %connection.config.name, %error, "the source was not reconciled");
        }
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

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
