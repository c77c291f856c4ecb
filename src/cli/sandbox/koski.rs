//! `silta sandbox koski`.

use super::locked;
use crate::cli::{Exit, Outcome, Stop};
use crate::env::{Clock as _, SystemClock};
use clap::Parser;
use silta_adapter::faults::Faults as _;
use silta_koski::sandbox::{Faults, PATH, Sandbox, SandboxOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A simulated Koski: takes badges by the real one's rules, keeps every version, does wrong what it is told to.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Where it keeps its state; only in memory if absent.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8092")]
    listen: String,
    /// A fault from the start, as name=value; can be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// The password callers must give; any if absent.
    #[arg(long, env = "SILTA_SANDBOX_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let mut options = SandboxOptions {
        directory: args.dir.clone(),
        now: Arc::new(|| jiff::Timestamp::from_microsecond(SystemClock.now()).unwrap_or_default()),
        faults: Faults::default(),
        password: args.password.clone(),
    };
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let _lock = match &args.dir {
        Some(dir) => Some(locked(dir, Duration::ZERO).await?),
        None => None,
    };
    let listener = super::listen(&args.listen).await?;
    say!("http://{}{}", listener.local_addr()?, PATH);
    Arc::new(Sandbox::open(options)?).serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}
