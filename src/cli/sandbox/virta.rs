//! `silta sandbox virta`.

use super::locked;
use crate::cli::{Exit, Outcome, Stop};
use clap::Parser;
use silta_adapter::faults::Faults as _;
use silta_virta::sandbox::{PATH, SandboxOptions};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// A simulated VIRTA: takes loads from a directory, serves SOAP reading, does wrong what it is told to.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Where it keeps its state; loads are taken from `inbox` in it.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: String,
    /// Milliseconds between looks into the inbox.
    #[arg(long, default_value_t = 1000)]
    poll_ms: u64,
    /// What its randomness starts from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A fault from the start, as name=value; can be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// The password callers must give; any if absent.
    #[arg(long, env = "SILTA_SANDBOX_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The log of the SFTP server that loads come through: a load is taken when the log says that its file was closed.
    #[arg(long, value_name = "FILE")]
    sftp_log: Option<PathBuf>,
    /// Seconds to wait for another sandbox to leave the directory.
    #[arg(long, value_name = "SECS", default_value_t = 0)]
    wait_secs: u64,
    /// End when standard input is closed and this many seconds have passed.
    #[arg(long, value_name = "SECS")]
    linger_secs: Option<u64>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let mut options = SandboxOptions::new(&args.dir);
    options.poll = Duration::from_millis(args.poll_ms.max(10));
    options.seed = args.seed;
    options.password.clone_from(&args.password);
    options.sftp_log.clone_from(&args.sftp_log);
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let _lock = locked(&args.dir, Duration::from_secs(args.wait_secs)).await?;
    let listener = super::listen(&args.listen).await?;
    let address = listener.local_addr()?;
    // One line that a starting process can wait for.
    say!("http://{address}{PATH}");
    let linger = args.linger_secs.map(Duration::from_secs);
    silta_virta::sandbox::run(options, listener, async move {
        tokio::select! {
            () = stop.requested() => {}
            () = orphaned(linger) => {}
        }
    })
    .await?;
    Ok(Exit::Clean)
}

/// Ends some time after standard input was closed: whoever started this process is gone.
async fn orphaned(linger: Option<Duration>) {
    let Some(linger) = linger else { return std::future::pending().await };
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    tokio::time::sleep(linger).await;
}
