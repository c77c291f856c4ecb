//! The loops that keep deliveries going.

use super::items::{Lane, Sender};
use super::plan::plan_all;
use super::settle::usable;
use super::{DeliveryError, items, load, reports};
use crate::gateway::{Connection, Gateway};
use futures_util::future::FutureExt;
use silta_adapter::adapter::Effect;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Starts the loops of every connection, one that plans and one that sends, and one that takes back leases of processes
/// that died. They end when `stop` is cancelled, after what they are sending.
pub fn start(gateway: &Arc<Gateway>, stop: &CancellationToken) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    for connection in &gateway.connections {
        loops.spawn(every(gateway.clone(), connection.clone(), stop.clone(), Work::Plan));
        if connection.replaces_all() {
            loops.spawn(every(gateway.clone(), connection.clone(), stop.clone(), Work::Send));
        } else {
            loops.spawn(send_items(gateway.clone(), connection.clone(), stop.clone()));
        }
    }
    for connection in gateway.connections.iter().filter(|c| c.connected.reports.is_some()) {
        loops.spawn(reported(gateway.clone(), connection.clone(), stop.clone()));
    }
    let (gateway, stop) = (gateway.clone(), stop.clone());
    loops.spawn(async move {
        let pause = Duration::from_secs(gateway.config.delivery.lease_secs.clamp(1, 30));
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            // One process at a time looks for all.
            gateway.in_turn("reap", recover(&gateway)).await;
        }
    });
    loops
}

/// Takes back leases of processes that died, and owes again what they may have sent, where sending twice is harmless.
///
/// # Errors
/// If the ledger fails.
pub async fn recover(gateway: &Gateway) -> Result<(), DeliveryError> {
    let now = gateway.now();
    gateway.ledger.reap(now).await?;
    for connection in &gateway.connections {
        let adapter = connection.adapter.descriptor();
        if (adapter.honours_key || adapter.effect != Effect::Create)
            && gateway.ledger.try_again(&connection.config.name, now).await? > 0
        {
            connection.bell.notify_waiters();
        }
    }
    Ok(())
}

/// Takes the reports of a connection as they come, one process for all. Whoever takes over reads the newest once more.
async fn reported(gateway: Arc<Gateway>, connection: Arc<Connection>, stop: CancellationToken) {
    let pause = Duration::from_secs(gateway.config.delivery.reports_secs.max(1));
    let duty = format!("reports:{}", connection.config.name);
    let mut cursor = None;
    loop {
        let taken = gateway.in_turn(&duty, reports::take(&gateway, &connection, cursor.clone())).await;
        cursor = taken.unwrap_or(cursor);
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Plan,
    Send,
}

/// Works as long as there is something to do, then waits for the bell or the next look.
async fn every(gateway: Arc<Gateway>, connection: Arc<Connection>, stop: CancellationToken, work: Work) {
    let poll = poll(&gateway);
    while !stop.is_cancelled() {
        let rung = connection.bell.notified();
        tokio::pin!(rung);
        // Registered before working, so that a ring while working is not missed.
        rung.as_mut().enable();
        let worked = match work {
            Work::Plan => plan(&gateway, &connection).await,
            Work::Send => send(&gateway, &connection).await,
        };
        match worked {
            Ok(true) => continue,
            Ok(false) => {}
            Err(DeliveryError::Ledger(crate::ledger::LedgerError::LeaseLost)) => continue,
            Err(e) => failed(&connection, work, &e),
        }
        tokio::select! {
            () = rung => {}
            () = tokio::time::sleep(poll) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Plans what is dirty. True if there was something.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn plan(gateway: &Gateway, connection: &Connection) -> Result<bool, DeliveryError> {
    Ok(plan_all(gateway, connection).await? > 0)
}

/// Sends items as they become due. When stopped, it claims no more and finishes what it is sending.
async fn send_items(gateway: Arc<Gateway>, connection: Arc<Connection>, stop: CancellationToken) {
    let poll = poll(&gateway);
    let mut sender = Sender::new(gateway, connection.clone(), by_itself);
    loop {
        let rung = connection.bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let worked = async {
            if !stop.is_cancelled() {
                sender.claim().await?;
            }
            tokio::select! {
                ended = sender.ended() => drop(sender.settle(ended).await?),
                () = rung => {}
                () = tokio::time::sleep(poll) => {}
                () = stop.cancelled(), if !stop.is_cancelled() || sender.is_idle() => {}
            }
            Ok(())
        };
        if let Err(e) = worked.await {
            failed(&connection, Work::Send, &e);
            let _ = stop.run_until_cancelled(tokio::time::sleep(poll)).await;
        }
        if stop.is_cancelled() && sender.is_idle() {
            return;
        }
    }
}

/// Lets a lane run as a task, whatever is done meanwhile with those that ended.
fn by_itself(lane: Lane) -> Lane {
    tokio::spawn(lane).map(|ended| ended.unwrap_or_else(|e| Err(std::io::Error::other(e).into()))).boxed()
}

fn failed(connection: &Connection, work: Work, error: &DeliveryError) {
    tracing::error!(connection = %connection.config.name, ?work, %error, "delivery failed");
}

/// Sends what is due now, if the connection may be used. True if there was something.
///
/// # Errors
/// If the ledger fails, or a load cannot be written.
pub async fn send(gateway: &Arc<Gateway>, connection: &Arc<Connection>) -> Result<bool, DeliveryError> {
    if !connection.replaces_all() {
        return Ok(items::round(gateway, connection).await?.worked);
    }
    let state = gateway.ledger.connection(&connection.config.name).await?;
    if !usable(&state, gateway.now()) || connection.connected.deliver.is_none() {
        return Ok(false);
    }
    Ok(load::round(gateway, connection).await?.worked)
}

/// How often queues are looked at when nothing wakes them.
pub fn poll(gateway: &Gateway) -> Duration {
    Duration::from_secs(gateway.config.delivery.poll_secs.max(1))
}
