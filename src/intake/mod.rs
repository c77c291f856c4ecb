//! Documents in, records kept.
//!
//! A document is read twice from a private spool: first to know whether it is well formed, which keys it holds twice
//! and which records cannot be taken; then to keep the rest, batch by batch. A record with an error is not taken at
//! all: what is known of it stays, and the sender is told.

mod read;

pub use read::{Refused, Survey};

use crate::config::CheckDigits;
use crate::delivery::plan::new_problem;
use crate::gateway::Gateway;
use crate::ledger::{Batch, Incoming, LedgerError, Outcome, ProblemReading, RecordId, TakeBack};
use silta_adapter::adapter::{Adapter, DecodeContext, Limits, Unreadable};
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{RecordKey, RecordKind, State};
use smol_str::SmolStr;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A document to take.
pub struct Submission {
    /// Whose records.
    pub tenant: SmolStr,
    /// The register they come from.
    pub source: SmolStr,
    /// The adapter that reads it.
    pub adapter: Arc<dyn Adapter>,
    /// The document, in a private file.
    pub spool: PathBuf,
    /// Kinds of record the sender may send; empty for all.
    pub allowed: Vec<RecordKind>,
    /// Kinds of which the document is declared to hold everything: what is not in it is deleted.
    pub complete: Vec<RecordKind>,
    /// Number of removals the sender confirms, where they are more than the guard allows.
    pub confirmed_removals: Option<u64>,
    /// True if tombstones may be revived.
    pub reinstate: bool,
}

/// What became of one record.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its opaque id.
    pub id: RecordId,
    /// Its key.
    pub key: RecordKey,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a document.
#[derive(Debug, Default)]
pub struct Receipt {
    /// What became of each record, in the order of the document.
    pub taken: Vec<Taken>,
    /// What to tell the sender.
    pub problems: Vec<Problem>,
    /// Records deleted because a complete document did not hold them.
    pub removed: u64,
}

/// A document was not taken; nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(Box<Problem>),
    /// Nothing in it could be read as a record.
    #[error("nothing in the document could be read as a record")]
    Nothing(Vec<Problem>),
    /// It is declared complete and would remove too much.
    #[error("it would remove {removed} of {known} records; confirm the number or send everything")]
    Shrinks {
        /// How many it would remove.
        removed: u64,
        /// How many are known.
        known: u64,
    },
    /// It is declared complete, but parts of it could not be read, so that absence means nothing.
    #[error("it is declared complete, but parts of it cannot be read")]
    Incomplete(Vec<Problem>),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The spool failed.
    #[error("the spool cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl From<Unreadable> for NotTaken {
    fn from(e: Unreadable) -> Self {
        match e {
            Unreadable::Malformed(problem) => Self::Unreadable(problem),
            Unreadable::Io(e) => Self::Io(e),
            Unreadable::Stopped => Self::Io(std::io::Error::other("reading was stopped")),
        }
    }
}

/// Takes a document.
///
/// # Errors
/// If nothing of it can be taken; see [`NotTaken`].
pub async fn take(gateway: &Arc<Gateway>, submission: Submission) -> Result<Receipt, NotTaken> {
    let ctx = DecodeContext {
        tenant: submission.tenant.clone(),
        source: submission.source.clone(),
        limits: Limits {
            bytes: gateway.config.server.max_body_bytes,
            depth: gateway.config.intake.max_depth,
            record_bytes: gateway.config.intake.max_record_bytes,
            ..Limits::default()
        },
    };
    let submission = Arc::new(submission);
    let survey = {
        let (gateway, submission, ctx) = (gateway.clone(), submission.clone(), ctx.clone());
        blocking(move || {
            let looking = read::Looking {
                strict: gateway.config.intake.check_digits == CheckDigits::Refuse,
                micro_credentials: gateway.config.micro_credentials(&submission.tenant),
                mappings: &gateway.mappings,
            };
            read::survey(&gateway.vault, &submission, &ctx, &looking)
        })
        .await??
    };
    if survey.records == 0 && survey.problems.iter().any(|p| p.severity == Severity::Error) {
        return Err(NotTaken::Nothing(survey.problems));
    }
    let removals = removals(gateway, &submission, &survey).await?;
    let survey = Arc::new(survey);
    let mut receipt = keep(gateway, &submission, &survey, ctx).await?;
    let at = gateway.now();
    for ids in removals.chunks(gateway.config.intake.batch.max(1)) {
        let batch = TakeBack {
            tenant: submission.tenant.clone(),
            at,
            state: State::Deleted,
            ids: ids.to_vec(),
            targets: gateway.targets(&submission.tenant),
        };
        receipt.removed += gateway.ledger.take_back(&batch).await?;
    }
    gateway.ring(&submission.tenant);
    Ok(receipt)
}

/// What a complete document removes, under the guard.
async fn removals(gateway: &Gateway, submission: &Submission, survey: &Survey) -> Result<Vec<RecordId>, NotTaken> {
    if submission.complete.is_empty() {
        return Ok(Vec::new());
    }
    if survey.problems.iter().any(|p| p.severity == Severity::Error && p.key.is_none()) {
        return Err(NotTaken::Incomplete(survey.problems.clone()));
    }
    let (mut removed, mut known, mut after) = (Vec::new(), 0u64, None);
    loop {
        let page = gateway
            .ledger
            .current_ids(&submission.tenant, &submission.source, &submission.complete, after, 10_000)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        known += page.len() as u64;
        removed.extend(page.into_iter().filter(|id| !survey.seen.contains(id)));
    }
    let count = removed.len() as u64;
    let allowed = (known as f64 * gateway.config.intake.shrink_share) as u64;
    if count > allowed.max(1) && submission.confirmed_removals != Some(count) {
        return Err(NotTaken::Shrinks { removed: count, known });
    }
    Ok(removed)
}

async fn keep(
    gateway: &Arc<Gateway>,
    submission: &Arc<Submission>,
    survey: &Arc<Survey>,
    ctx: DecodeContext,
) -> Result<Receipt, NotTaken> {
    let (sender, mut batches) = mpsc::channel(2);
    let reader = {
        let (gateway, submission, survey) = (gateway.clone(), submission.clone(), survey.clone());
        tokio::task::spawn_blocking(move || {
            read::batches(&gateway.vault, &submission, &survey, &ctx, gateway.config.intake.batch.max(1), &sender)
        })
    };
    let mut by_record: HashMap<RecordId, Vec<&Problem>> = HashMap::new();
    let mut loose = Vec::new();
    for problem in &survey.problems {
        match &problem.key {
            Some(key) => by_record.entry(gateway.vault.record_id(key)).or_default().push(problem),
            None => loose.push(new_problem(&gateway.vault, None, problem)),
        }
    }
    let mut receipt = Receipt { problems: survey.problems.clone(), ..Receipt::default() };
    while let Some(read::Page { mut rows, incoming }) = batches.recv().await {
        let told = keep_page(gateway, submission, &mut rows, incoming).await?;
        let mut problems: Vec<_> =
            told.iter().map(|p| (p.key.as_ref().map(|k| gateway.vault.record_id(k)), p)).collect();
        problems.extend(rows.iter().flat_map(|row| {
            by_record.remove(&row.id).unwrap_or_default().into_iter().map(|problem| (Some(row.id), problem))
        }));
        let reading = ProblemReading {
            tenant: submission.tenant.clone(),
            at: gateway.now(),
            origin: "intake".into(),
            records: rows.iter().map(|row| row.id).collect(),
            problems: problems.into_iter().map(|(id, p)| new_problem(&gateway.vault, id, p)).collect(),
        };
        gateway.ledger.settle_problems(&reading).await?;
        receipt.problems.extend(told);
        receipt.taken.append(&mut rows);
    }
    reader.await.map_err(|e| NotTaken::Io(std::io::Error::other(e.to_string())))??;
    if !loose.is_empty() {
        let reading = ProblemReading {
            tenant: submission.tenant.clone(),
            at: gateway.now(),
            origin: "intake".into(),
            records: Vec::new(),
            problems: loose,
        };
        gateway.ledger.settle_problems(&reading).await?;
    }
    Ok(receipt)
}

/// Keeps the records of a page; rows whose record is not among them were refused before. Returns what else to tell.
async fn keep_page(
    gateway: &Gateway,
    submission: &Submission,
    rows: &mut [Taken],
    incoming: Vec<(usize, Incoming)>,
) -> Result<Vec<Problem>, NotTaken> {
    let (places, records): (Vec<usize>, Vec<Incoming>) = incoming.into_iter().unzip();
    let states: Vec<State> = records.iter().map(|r| r.state).collect();
    let batch = Batch {
        tenant: submission.tenant.clone(),
        at: gateway.now(),
        reinstate: submission.reinstate,
        records,
        targets: gateway.targets(&submission.tenant),
    };
    let kept = gateway.ledger.keep(&batch).await?;
    let mut told = Vec::new();
    for ((place, kept), state) in places.into_iter().zip(kept).zip(states) {
        let row = &mut rows[place];
        row.outcome = kept.outcome;
        told.extend(remark(kept.outcome, state).map(|p| p.about(&row.key).on_line(row.line)));
    }
    Ok(told)
}

/// What to tell the sender about an outcome of the ledger.
fn remark(outcome: Outcome, state: State) -> Option<Problem> {
    match outcome {
        Outcome::Refused => Some(Problem::error(
            "withdrawn",
            if state.is_tombstone() {
                "the learner withdrew consent; nothing about this record can change"
            } else {
                "the record was taken back; only a higher revision or an explicit reinstatement revives it"
            },
        )),
        Outcome::Contested => Some(Problem::new(
            "contested",
            Severity::Error,
            Fixer::Operator,
            "the key belongs to another source of the tenant",
        )),
        _ => None,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotTaken> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NotTaken::Io(std::io::Error::other(e.to_string())))
}
