//! Builds and sends whole loads, in which absence means deletion.

use super::DeliveryError;
use super::carry::{Carry, Guard, carry, guard};
use super::items::{Round, open_item};
use super::settle::{Health, after, backoff, micros};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{
    Attempt, Claim, ConnectionState, HoldingCursor, LearnerId, LoadStatus, ManifestEntry, Micros, NewLoad, Sealed,
    Settled,
};
use silta_adapter::adapter::{Document, Load};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::record::Record;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

/// Builds and sends a load if the connection owes anything, its interval has passed and no load waits for an operator.
///
/// # Errors
/// If the ledger fails, a content cannot be opened or the load cannot be written. The load is closed as failed then
/// and everything stays owed.
pub async fn round(gateway: &Arc<Gateway>, connection: &Arc<Connection>) -> Result<Round, DeliveryError> {
    let pace = &gateway.config.delivery;
    let name = &connection.config.name;
    let now = gateway.now();
    // The lane is claimed without its debts: a load settles its manifest, not a claim.
    let Some(claim) = gateway.ledger.claim(name, now, now + micros(pace.lease_secs), 0).await? else {
        return Ok(Round::default());
    };
    let state = gateway.ledger.connection(name).await?;
    let due = state.last_load.map_or(now, |last| last + micros(connection.config.min_interval_secs));
    let newest = gateway.ledger.loads(Some(name), false, 1).await?.into_iter().next();
    let waits = newest.as_ref().is_some_and(|load| load.status == LoadStatus::Held);
    if due > now || waits {
        let next = if waits { now + micros(pace.poll_secs) } else { due };
        give_back(gateway, &claim, next).await?;
        return Ok(Round::default());
    }
    let released = match newest.filter(|load| load.status == LoadStatus::Released) {
        Some(load) => {
            let shrinkage = gateway.ledger.shrinkage(name, load.id).await?;
            Some(shrinkage.before.map(|_| shrinkage.removed))
        }
        None => None,
    };
    let load = gateway
        .ledger
        .open_load(&NewLoad {
            connection: name.clone(),
            tenant: connection.config.tenant.clone(),
            at: now,
            status: LoadStatus::Sending,
            reason: String::new(),
        })
        .await?;
    match build_and_send(gateway, connection, &claim, load, released).await {
        Ok(next) => {
            give_back(gateway, &claim, next).await?;
            Ok(Round { tried: 1, worked: true })
        }
        Err(e) => {
            gateway.ledger.close_load(load, gateway.now(), LoadStatus::Failed, &e.to_string()).await?;
            give_back(gateway, &claim, gateway.now() + backoff(state.failures, pace, 1.0)).await?;
            Err(e)
        }
    }
}

async fn give_back(gateway: &Gateway, claim: &Claim, next: Micros) -> Result<(), DeliveryError> {
    let settled = Settled { lane: claim.lane, token: claim.token, at: gateway.now(), next, debts: Vec::new() };
    Ok(gateway.ledger.settle(&settled).await?)
}

/// Returns when the lane may be claimed again.
async fn build_and_send(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    claim: &Claim,
    load: i64,
    released: Option<Option<i64>>,
) -> Result<Micros, DeliveryError> {
    let pace = &gateway.config.delivery;
    let name = &connection.config.name;
    let file = build(gateway, connection, claim, load).await?;
    let shrinkage = gateway.ledger.shrinkage(name, load).await?;
    if let Guard::Hold(reason) = guard(shrinkage, connection.config.shrink_share, released) {
        gateway.ledger.close_load(load, gateway.now(), LoadStatus::Held, &reason).await?;
        tracing::warn!(connection = %name, load, removed = shrinkage.removed, "load held for an operator");
        return Ok(gateway.now() + micros(pace.poll_secs));
    }
    let judgement = send(gateway, connection, load, &file).await?;
    let now = gateway.now();
    let mut state = gateway.ledger.connection(name).await?;
    let delivered = matches!(judgement.verdict, Verdict::Accepted | Verdict::AcceptedPending);
    let (status, health) = match judgement.verdict {
        _ if delivered => (LoadStatus::Delivered, Health::Good),
        Verdict::Refused | Verdict::Barred => (LoadStatus::Refused, Health::Failing),
        Verdict::Auth | Verdict::Misconfigured => (LoadStatus::Failed, Health::Misconfigured),
        _ => (LoadStatus::Failed, Health::Failing),
    };
    gateway.ledger.close_load(load, now, status, &judgement.reason).await?;
    let wait = backoff(state.failures, pace, gateway.rng.below(1000) as f64 / 1000.0);
    if delivered {
        state.last_load = Some(now);
    }
    gateway.ledger.set_connection(&after(state, health, now, pace)).await?;
    Ok(if delivered { now } else { now + judgement.retry_after.map_or(wait, |d| d.as_micros() as Micros) })
}

async fn send(
    gateway: &Gateway,
    connection: &Connection,
    load: i64,
    file: &NamedTempFile,
) -> Result<Judgement, DeliveryError> {
    let name = &connection.config.name;
    connection.paced().await;
    let started = gateway.now();
    let judgement = match &connection.connected.deliver {
        Some(deliver) => {
            deliver
                .deliver(&Load {
                    idempotency_key: format!("{name}-{load:012}"),
                    tenant: connection.config.tenant.clone(),
                    document: Document::File(file.path().to_owned()),
                    withdrawal: false,
                })
                .await
        }
        None => Judgement {
            verdict: Verdict::Misconfigured,
            fixer: Some(silta_adapter::problem::Fixer::Configuration),
            reason: "the connection has nowhere to deliver to".into(),
            cause: "gateway".into(),
            retry_after: None,
        },
    };
    let attempt = Attempt {
        debt: None,
        load: Some(load),
        connection: name.clone(),
        at: started,
        took: gateway.now() - started,
        verdict: judgement.verdict,
        cause: judgement.cause.clone(),
        reason: judgement.reason.clone(),
    };
    gateway.ledger.attempted(&attempt).await?;
    Ok(judgement)
}

/// Writes the load to a private file and its manifest to the ledger, page by page.
async fn build(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    claim: &Claim,
    load: i64,
) -> Result<NamedTempFile, DeliveryError> {
    const PAGE: u32 = 1000;
    let (pages, inbox) = mpsc::channel::<(LearnerId, Sealed)>(2 * PAGE as usize);
    let writer = {
        let (gateway, connection) = (gateway.clone(), connection.clone());
        tokio::task::spawn_blocking(move || write(&gateway, &connection, inbox))
    };
    let mut cursor: Option<HoldingCursor> = None;
    loop {
        let holdings = gateway.ledger.holdings(&connection.config.name, cursor, PAGE).await?;
        let Some(last) = holdings.last() else { break };
        cursor = Some(last.cursor());
        let mut entries = Vec::with_capacity(holdings.len());
        for holding in &holdings {
            let (content, wanted) = match carry(holding) {
                Carry::Wanted(content) => (Some(content), true),
                Carry::LastGood(content) => (Some(content), false),
                Carry::LeftOut => (None, true),
                Carry::Nothing => continue,
            };
            entries.push(ManifestEntry {
                debt: holding.debt,
                item: holding.item,
                generation: holding.generation,
                digest: content.map(|(digest, _)| *digest),
                wanted,
            });
            if let Some((_, sealed)) = content {
                // The writer hangs up only when it failed; its own error is reported below.
                if pages.send((holding.learner, sealed.clone())).await.is_err() {
                    break;
                }
            }
        }
        gateway.ledger.add_to_manifest(load, &entries).await?;
        let until = gateway.now() + micros(gateway.config.delivery.lease_secs);
        gateway.ledger.renew(claim.lane, claim.token, until).await?;
    }
    drop(pages);
    writer.await.map_err(|e| DeliveryError::Spool(std::io::Error::other(e.to_string())))?
}

/// Writes contents as they come, learner by learner, kinds in the order a destination wants them.
fn write(
    gateway: &Gateway,
    connection: &Connection,
    mut inbox: mpsc::Receiver<(LearnerId, Sealed)>,
) -> Result<NamedTempFile, DeliveryError> {
    let file = NamedTempFile::new()?;
    let mut out = BufWriter::with_capacity(1 << 16, file.as_file());
    let mut writer = connection.encoder()?.document(&mut out, None, gateway.encode_context(0))?;
    let mut learner: Option<LearnerId> = None;
    let mut rows: Vec<Record> = Vec::new();
    loop {
        let next = inbox.blocking_recv();
        if next.as_ref().map(|(id, _)| *id) != learner {
            rows.sort_by_key(|r| r.head.key.kind);
            for row in rows.drain(..) {
                writer.write(std::slice::from_ref(&row))?;
            }
        }
        let Some((id, sealed)) = next else { break };
        learner = Some(id);
        rows.extend(open_item(gateway, &sealed)?);
    }
    writer.finish()?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    Ok(file)
}

/// What an operator decides about a held load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It may be sent; it is built anew and may remove no more than what was shown.
    Release,
    /// It is not sent; the next change makes a new one.
    Reject,
}

/// Rules on a held load. False if there is no such load, or it is not held.
///
/// # Errors
/// If the ledger fails.
pub async fn rule(gateway: &Gateway, load: i64, ruling: Ruling, by: &str) -> Result<bool, DeliveryError> {
    let Some(held) = gateway.ledger.load(load).await?.filter(|l| l.status == LoadStatus::Held) else {
        return Ok(false);
    };
    let (status, reason) = match ruling {
        Ruling::Release => (LoadStatus::Released, format!("released by {by}")),
        Ruling::Reject => (LoadStatus::Rejected, format!("rejected by {by}")),
    };
    gateway.ledger.close_load(load, gateway.now(), status, &reason).await?;
    if let Some(connection) = gateway.connection(&held.connection) {
        connection.bell.notify_waiters();
    }
    Ok(true)
}

/// Pauses or resumes a connection; resuming also closes its breaker.
///
/// # Errors
/// If the ledger fails.
pub async fn pause(gateway: &Gateway, connection: &Connection, paused: bool) -> Result<(), DeliveryError> {
    let state = gateway.ledger.connection(&connection.config.name).await?;
    let changed = ConnectionState { paused, failures: 0, open_until: None, ..state };
    gateway.ledger.set_connection(&changed).await?;
    connection.bell.notify_waiters();
    Ok(())
}
