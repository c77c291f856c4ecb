//! `silta sandbox`: simulated systems, each its own process with durable state.

use super::{Exit, Failure, Outcome};
use clap::{Parser, Subcommand};
use silta_virta::sandbox::{PATH, SandboxOptions};
use std::collections::BTreeMap;
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
    /// A simulated Sisu: export feeds, import that takes or refuses whole batches, faults on demand.
    Sisu(Sisu),
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
    /// Seconds to wait for another sandbox to leave the directory.
    #[arg(long, value_name = "SECS", default_value_t = 0)]
    wait_secs: u64,
    /// End when standard input is closed and this many seconds have passed.
    #[arg(long, value_name = "SECS")]
    linger_secs: Option<u64>,
}

/// A simulated Sisu: export feeds, import that takes or refuses whole batches, faults on demand. Its users are `export`
/// and `import`; everything is in memory.
#[derive(Debug, Parser)]
pub(super) struct Sisu {
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8091")]
    listen: String,
    /// A file of entities to start with: an object with an array for each feed or list (`attainments`, `persons`,
    /// `course-units` …).
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
    /// A fault from the start, as name=value; can be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// The password of both users.
    #[arg(long, env = "SILTA_SANDBOX_PASSWORD", hide_env_values = true, default_value = "sandbox")]
    password: String,
}

pub(super) async fn run(command: &Command) -> Outcome {
    match command {
        Command::Virta(args) => virta(args).await,
        Command::Sisu(args) => sisu(args).await,
    }
}

async fn sisu(args: &Sisu) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let user = |name: &str| (name.to_owned(), args.password.clone());
    let mut options = silta_sisu::sandbox::SandboxOptions {
        export: user("export"),
        import: user("import"),
        ..silta_sisu::sandbox::SandboxOptions::default()
    };
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let sandbox = Arc::new(silta_sisu::sandbox::Sandbox::new(options));
    if let Some(file) = &args.entities {
        let feeds: BTreeMap<String, Vec<serde_json::Value>> = serde_json::from_str(&std::fs::read_to_string(file)?)
            .map_err(|e| format!("{} holds no entities by feed: {e}", file.display()))?;
        for (feed, entities) in feeds {
            for entity in entities {
                sandbox.put(&feed, entity);
            }
        }
    }
    let listener =
        TcpListener::bind(&args.listen).await.map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    say!("http://{}", listener.local_addr()?);
    sandbox.serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}

async fn virta(args: &Virta) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let mut options = SandboxOptions::new(&args.dir);
    options.poll = Duration::from_millis(args.poll_ms.max(10));
    options.seed = args.seed;
    options.password.clone_from(&args.password);
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
