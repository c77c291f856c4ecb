//! The loops that keep asking registers of identities.

use super::keep_up;
use crate::gateway::{Connection, Gateway};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Starts a loop for every register of identities that is asked. They end when `stop` is cancelled.
pub fn start(gateway: &Arc<Gateway>, stop: &CancellationToken) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    for connection in gateway.connections.iter().filter(|connection| connection.identifies()) {
        loops.spawn(every(gateway.clone(), connection.clone(), stop.clone()));
    }
    loops
}

async fn every(gateway: Arc<Gateway>, connection: Arc<Connection>, stop: CancellationToken) {
    let config = &connection.config;
    let period = Duration::from_secs(config.pull_every_secs);
    // One process asks; the others look again when it is done, or has died.
    let duty = format!("identify:{}", config.name);
    while !stop.is_cancelled() {
        match stop.run_until_cancelled(gateway.on_duty(&duty, keep_up(&gateway, &connection))).await {
            None => return,
            Some(Ok(Some(Err(error)))) => {
                tracing::error!(connection = %config.name, %error, "people are not identified")
            }
            Some(Err(error)) => tracing::error!(connection = %config.name, %error, "people are not identified"),
            Some(Ok(Some(Ok(_)) | None)) => {}
        }
        stop.run_until_cancelled(tokio::time::sleep(period)).await;
    }
}
