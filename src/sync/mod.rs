//! Feeds of other systems are read here, page by page, and taken like what is pushed.
//!
//! A cursor moves only after its page is durably kept. Whatever ends the process in between, the page is read again, and
//! the ledger finds nothing new in it. What a source says about a record it said before is judged by its revision, so
//! pages may come twice and in any order.

mod run;

pub use run::start;

use crate::delivery::plan::new_problem;
use crate::delivery::settle::{Settling, settling, usable};
use crate::gateway::{Connection, Gateway};
use crate::intake::{self, NotTaken, Submission};
use crate::ledger::{Attempt, ConnectionState, LedgerError, Micros, ProblemReading};
use silta_adapter::adapter::{NotRead, Page, Pull};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::{Fixer, Problem, Severity};
use smol_str::{SmolStr, format_smolstr};
use std::io::Write;
use std::sync::Arc;

/// Pulling could not go on. No cursor moved past what was not kept, and the work is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A page could not be kept.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// A page could not be spooled.
    #[error("a page cannot be spooled: {0}")]
    Spool(#[from] std::io::Error),
}

/// What a run over the feeds of a connection came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Pages kept.
    pub pages: u64,
    /// Records taken, whatever became of them.
    pub records: u64,
    /// When a feed that failed is tried again, if one did or waits.
    pub again_at: Option<Micros>,
}

/// Reads every feed of a connection to its end. A feed that fails is left for later and does not keep the others; so is
/// one that waits after a failure.
///
/// # Errors
/// If a page could not be kept.
pub async fn pull(gateway: &Arc<Gateway>, connection: &Connection) -> Result<Pulled, SyncError> {
    let mut pulled = Pulled::default();
    let Some(source) = &connection.connected.pull else { return Ok(pulled) };
    for feed in source.feeds() {
        let state = gateway.ledger.connection(&state_name(connection, &feed)).await?;
        let connection_state = gateway.ledger.connection(&connection.config.name).await?;
        if connection_state.paused {
            continue;
        }
        let waits = match usable(&state, gateway.now()) {
            false => state.open_until,
            true => read(gateway, connection, source.as_ref(), &feed, state, &mut pulled).await?,
        };
        pulled.again_at = pulled.again_at.into_iter().chain(waits).min();
    }
    Ok(pulled)
}

/// Reads one feed to its end; when to try again, if it failed.
async fn read(
    gateway: &Arc<Gateway>,
    connection: &Connection,
    source: &dyn Pull,
    feed: &SmolStr,
    mut state: ConnectionState,
    pulled: &mut Pulled,
) -> Result<Option<Micros>, SyncError> {
    loop {
        let cursor = gateway.ledger.fact(&cursor_name(connection, feed)).await?;
        connection.paced().await;
        let started = gateway.now();
        let page = match source.pull(feed, cursor.as_deref()).await {
            Ok(page) => page,
            Err(NotRead(judgement)) => return failed(gateway, connection, feed, state, started, judgement).await,
        };
        if state.failures > 0 {
            (state.failures, state.open_until) = (0, None);
            gateway.ledger.set_connection(&state).await?;
        }
        let Page { document, cursor: next, more } = page;
        if let Some(document) = document {
            pulled.records += keep(gateway, connection, feed, &document).await?;
            pulled.pages += 1;
        }
        // Only now: everything before this position is durably kept.
        if cursor.as_deref() != Some(&next) {
            gateway.ledger.set_fact(&cursor_name(connection, feed), &next).await?;
        }
        if !more {
            return Ok(None);
        }
    }
}

/// Takes a page as if it had been pushed; the number of records in it. A page in which nothing can be read as a record is
/// told and passed: reading it again would change nothing.
async fn keep(gateway: &Arc<Gateway>, connection: &Connection, feed: &str, document: &[u8]) -> Result<u64, SyncError> {
    let mut spool = tempfile::NamedTempFile::new()?;
    spool.write_all(document)?;
    spool.flush()?;
    let submission = Submission {
        tenant: connection.config.tenant.clone(),
        source: connection.config.source().clone(),
        adapter: connection.adapter.clone(),
        spool: spool.path().to_owned(),
        allowed: Vec::new(),
        complete: Vec::new(),
        confirmed_removals: None,
        reinstate: false,
    };
    match intake::take(gateway, submission).await {
        Ok(receipt) => {
            let (records, problems) = (receipt.taken.len(), receipt.problems.len());
            tracing::info!(connection = %connection.config.name, feed, records, problems, "page kept");
            Ok(records as u64)
        }
        Err(NotTaken::Nothing(problems)) => {
            tell(gateway, connection, &problems).await?;
            Ok(0)
        }
        Err(e) => Err(e.into()),
    }
}

/// Notes that a feed could not be read, and when it is tried again. What somebody has to mend is told once.
async fn failed(
    gateway: &Gateway,
    connection: &Connection,
    feed: &SmolStr,
    mut state: ConnectionState,
    started: Micros,
    judgement: Judgement,
) -> Result<Option<Micros>, SyncError> {
    let now = gateway.now();
    let jitter = gateway.rng.below(1000) as f64 / 1000.0;
    let pace = &gateway.config.delivery;
    let Settling { wait, .. } =
        settling(&judgement, connection.adapter.descriptor(), false, state.failures, pace, jitter);
    let name = &connection.config.name;
    tracing::warn!(connection = %name, %feed, cause = %judgement.cause, reason = %judgement.reason, "feed not read");
    gateway
        .ledger
        .attempted(&Attempt {
            debt: None,
            load: None,
            connection: name.clone(),
            at: started,
            took: now - started,
            verdict: judgement.verdict,
            cause: judgement.cause.clone(),
            reason: format!("feed {feed}: {}", judgement.reason),
        })
        .await?;
    let to_mend = matches!(judgement.verdict, Verdict::Auth | Verdict::Misconfigured);
    if to_mend && state.failures == 0 {
        let fixer = judgement.fixer.unwrap_or(Fixer::Configuration);
        let message = format!("the feed {feed} of connection {name} cannot be read: {}", judgement.reason);
        tell(gateway, connection, &[Problem::new("feed_not_read", Severity::Error, fixer, message)]).await?;
    }
    state.failures += 1;
    state.open_until = Some(now + wait.unwrap_or(0).max(1));
    gateway.ledger.set_connection(&state).await?;
    Ok(state.open_until)
}

async fn tell(gateway: &Gateway, connection: &Connection, problems: &[Problem]) -> Result<(), LedgerError> {
    let reading = ProblemReading {
        tenant: connection.config.tenant.clone(),
        at: gateway.now(),
        origin: "pull".into(),
        records: Vec::new(),
        problems: problems.iter().map(|problem| new_problem(&gateway.vault, None, problem)).collect(),
    };
    gateway.ledger.settle_problems(&reading).await
}

/// The name under which the state of a feed is kept. No connection has it: their names have no point.
fn state_name(connection: &Connection, feed: &str) -> SmolStr {
    format_smolstr!("{}.{feed}", connection.config.name)
}

/// The name under which the cursor of a feed is kept.
fn cursor_name(connection: &Connection, feed: &str) -> String {
    format!("pull.{}.{feed}", connection.config.name)
}
