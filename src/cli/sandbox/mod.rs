//! `silta sandbox`: simulated systems, each a process of its own.

mod koski;
mod onr;
mod ooapi;
mod sisu;
mod virta;
mod wallet;

use super::{Failure, Outcome};
use clap::Subcommand;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;

/// Run a simulated system.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// A simulated VIRTA: takes loads from a directory, serves SOAP reading, does wrong what it is told to.
    Virta(virta::Args),
    /// A simulated Koski: takes badges by the real one's rules, keeps every version, does wrong what it is told to.
    Koski(koski::Args),
    /// A simulated partner of the Open Education API, versions 5 and 6, in memory.
    Ooapi(ooapi::Args),
    /// A simulated Sisu: export feeds, import that takes or refuses whole batches, faults on demand.
    Sisu(sisu::Args),
    /// A simulated register of learners: look-ups, links, changes; everything is in memory.
    Onr(onr::Args),
    /// A simulated wallet: takes sealed credentials that hold and conform, once each, does wrong what it is told to.
    Wallet(wallet::Args),
}

pub(super) async fn run(command: &Command) -> Outcome {
    match command {
        Command::Virta(args) => virta::run(args).await,
        Command::Koski(args) => koski::run(args).await,
        Command::Ooapi(args) => ooapi::run(args).await,
        Command::Sisu(args) => sisu::run(args).await,
        Command::Onr(args) => onr::run(args).await,
        Command::Wallet(args) => wallet::run(args).await,
    }
}

/// Listens where it is told to.
async fn listen(address: &str) -> Result<TcpListener, Failure> {
    Ok(TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))?)
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
