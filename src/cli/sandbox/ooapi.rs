//! `silta sandbox ooapi`.

use crate::cli::{Exit, Outcome, Stop};
use clap::Parser;
use silta_ooapi::sandbox::{Faults, Sandbox};
use std::sync::Arc;

/// A simulated partner of the Open Education API: takes persons and associations in versions 5 and 6, under `/v5` and
/// `/v6`, and does wrong what it is told to. Everything is in memory; any token may write.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8093")]
    listen: String,
    /// A fault from the start, as name=value; can be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let mut faults = Faults::default();
    for fault in &args.fault {
        faults.set(fault)?;
    }
    let listener = super::listen(&args.listen).await?;
    say!("http://{}", listener.local_addr()?);
    Arc::new(Sandbox::new(faults)).serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}
