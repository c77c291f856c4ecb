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
    let period = Duration::from_secs(connection.config.pull_every_secs);
    while !stop.is_cancelled() {
        let worked = stop.run_until_cancelled(pull(&gateway, &connection)).await;
        let again_at = match worked {
            None => return,
            Some(Ok(pulled)) => pulled.again_at,
            Some(Err(e)) => {
                tracing::error!(connection = %connection.config.name, error = %e, "pulling failed");
                None
            }
        };
        let again = again_at.map(|at| Duration::from_micros(u64::try_from(at - gateway.now()).unwrap_or(0)));
        let pause = again.unwrap_or(period).min(period);
        stop.run_until_cancelled(tokio::time::sleep(pause.max(Duration::from_millis(10)))).await;
    }
}
