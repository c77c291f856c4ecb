//! `silta serve`: the gateway.

use super::open::{self, ConfigFile};
use super::{Exit, Outcome};
use crate::gateway::Gateway;
use crate::store::Store;
use crate::{alerts, console, delivery, http, learners, reconcile, retention, share, sync, telemetry};
use clap::Parser;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Run the gateway.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let config = args.config.read()?;
    let _telemetry = telemetry::start(&config.telemetry)?;
    let (gateway, store) = open::gateway(config).await?;
    let running = Running::start(gateway, &store).await?;
    tracing::info!(address = %running.address, "serving");
    stop.requested().await;
    tracing::info!("stopping");
    running.stop().await;
    Ok(Exit::Clean)
}

/// A gateway that serves and works.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    work: JoinSet<()>,
}

impl Running {
    /// Starts serving and working.
    pub(super) async fn start(gateway: Arc<Gateway>, store: &Store) -> Result<Self, super::Failure> {
        let listen = &gateway.config.server.listen;
        let listener = TcpListener::bind(listen).await.map_err(|e| format!("cannot listen on {listen}: {e}"))?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let mut work = work(&gateway, store, &stop).await?;
        let app = http::dressed(http::routes().merge(share::routes()).merge(console::routes(gateway.clone())), gateway);
        let service = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        work.spawn(async move {
            if let Err(e) = service.into_future().await {
                tracing::error!(error = %e, "serving failed");
            }
        });
        Ok(Self { address, stop, work })
    }

    /// Stops.
    pub(super) async fn stop(self) {
        finish(self.work, &self.stop).await;
    }
}

/// Starts everything a gateway does besides serving.
pub(super) async fn work(
    gateway: &Arc<Gateway>,
    store: &Store,
    stop: &CancellationToken,
) -> Result<JoinSet<()>, super::Failure> {
    delivery::replan::note_terms(gateway).await?;
    let mut work = delivery::run::start(gateway, stop);
    work.spawn(reconcile::run::schedule(gateway.clone(), stop.clone()));
    let mut pulling = sync::start(gateway, stop);
    work.spawn(async move { while pulling.join_next().await.is_some() {} });
    let mut identifying = learners::start(gateway, stop);
    work.spawn(async move { while identifying.join_next().await.is_some() {} });
    work.spawn(alerts::watch(gateway.clone(), stop.clone()));
    work.spawn(retention::watch(gateway.clone(), stop.clone()));
    store.share(gateway, stop, &mut work);
    Ok(work)
}

/// Ends work: what is being sent is finished, within bounds; whatever is not is taken up again by another gateway on the
/// store, or by the next start.
pub(super) async fn finish(mut work: JoinSet<()>, stop: &CancellationToken) {
    stop.cancel();
    let all = async { while work.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(10), all).await.is_err() {
        work.abort_all();
    }
}
