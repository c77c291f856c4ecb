//! `silta sandbox`: simulated systems, each its own process with durable state.

use super::{Exit, Failure, Outcome};
use crate::env::{Clock as _, SystemClock};
use clap::{Parser, Subcommand};
use silta_koski::sandbox as koski_sandbox;
use silta_virta::sandbox::{PATH, SandboxOptions};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Run a simulated system.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// A simulated VIRTA: takes loads from a directory, serves SOAP reading, does wrong what it is told to.
    Virta(Virta),
    /// A simulated Koski: takes badges by the real one's rules, keeps every version, does wrong what it is told to.
    Koski(Koski),
}

/// A simulated VIRTA: takes loads from a directory, serves SOAP reading, does wrong what it is told to.
#[derive(Debug, Parser)]
pub(super) struct Virta {
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

/// A simulated Koski: takes badges by the real one's rules, keeps every version, does wrong what it is told to.
#[derive(Debug, Parser)]
pub(super) struct Koski {
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

pub(super) async fn run(command: &Command) -> Outcome {
    match command {
        Command::Virta(args) => virta(args).await,
        Command::Koski(args) => koski(args).await,
    }
}

async fn koski(args: &Koski) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let mut options = koski_sandbox::SandboxOptions {
        directory: args.dir.clone(),
        now: Arc::new(|| jiff::Timestamp::from_microsecond(SystemClock.now()).unwrap_or_default()),
        faults: koski_sandbox::Faults::default(),
        password: args.password.clone(),
    };
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let _lock = match &args.dir {
        Some(dir) => Some(locked(dir, Duration::ZERO).await?),
        None => None,
    };
    let listener =
        TcpListener::bind(&args.listen).await.map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    say!("http://{}{}", listener.local_addr()?, koski_sandbox::PATH);
    Arc::new(koski_sandbox::Sandbox::open(options)?).serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}

async fn virta(args: &Virta) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let mut options = SandboxOptions::new(&args.dir);
    options.poll = Duration::from_millis(args.poll_ms.max(10));
    options.seed = args.seed;
    options.password.clone_from(&args.password);
    options.sftp_log.clone_from(&args.sftp_log);
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let _lock = locked(&args.dir, Duration::from_secs(args.wait_secs)).await?;
    let listener =
        TcpListener::bind(&args.listen).await.map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
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

/// Keeps the directory for this process as long as the file is open; another one is given some time to leave it.
async fn locked(dir: &Path, patience: Duration) -> Result<File, Failure> {
    const PAUSE: Duration = Duration::from_millis(50);
    std::fs::create_dir_all(dir)?;
    let file = File::create(dir.join("lock"))?;
    let held = async {
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(e)) => return Err(e),
                Ok(()) => return Ok(()),
            }
        }
    };
    match tokio::time::timeout(patience, held).await {
        Ok(held) => held?,
        Err(_) => return Err(format!("another sandbox runs on {}", dir.display()).into()),
    }
    Ok(file)
}

/// Ends some time after standard input was closed: whoever started this process is gone.
async fn orphaned(linger: Option<Duration>) {
    let Some(linger) = linger else { return std::future::pending().await };
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    tokio::time::sleep(linger).await;
}
