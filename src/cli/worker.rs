//! `silta worker`: everything a gateway does but HTTP.

use super::open::{self, ConfigFile};
use super::{Exit, Outcome, serve};
use crate::telemetry;
use clap::Parser;
use tokio_util::sync::CancellationToken;

/// Deliver, reconcile and watch beside other gateways on the same store, without the HTTP interface.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut requested = super::Stop::listen()?;
    let config = args.config.read()?;
    let _telemetry = telemetry::start(&config.telemetry)?;
    let (gateway, store) = open::gateway(config).await?;
    let stop = CancellationToken::new();
    let work = serve::work(&gateway, &store, &stop).await?;
    tracing::info!("working");
    requested.requested().await;
    tracing::info!("stopping");
    serve::finish(work, &stop).await;
    Ok(Exit::Clean)
}
