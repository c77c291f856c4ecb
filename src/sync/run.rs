//! The loops that keep pulling.

use super::pull;
use crate::gateway::{Connection, Gateway};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Starts a loop for every connection that pulls. They end when `stop` is cancelled; a page that is being kept then is
/// kept or read again.
pub fn start(gateway: &Arc<Gateway>, stop: &CancellationToken) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    for connection in gateway.connections.iter().filter(|connection| connection.pulls()) {
        loops.spawn(every(gateway.clone(), connection.clone(), stop.clone()));
    }
    loops
}

async fn every(gateway: Arc<Gateway>, connection: Arc<Connection>, stop: CancellationToken) {
    let name = &connection.config.name;
    let period = Duration::from_secs(connection.config.pull_every_secs);
    while !stop.is_cancelled() {
        // One process pulls; the others look again when it is done, or has died.
        let duty = format!("pull:{name}");
        let Some(pulled) = stop.run_until_cancelled(gateway.in_turn(&duty, pull(&gateway, &connection))).await else {
            return;
        };
        let again = pulled
            .and_then(|pulled| pulled.again_at)
            .map(|at| Duration::from_micros(u64::try_from(at - gateway.now()).unwrap_or(0)));
        let pause = again.unwrap_or(period).min(period);
        stop.run_until_cancelled(tokio::time::sleep(pause.max(Duration::from_millis(10)))).await;
    }
}
