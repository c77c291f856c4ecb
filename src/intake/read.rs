//! The two readings of a document: a survey, and the batches to keep.

use super::{NotTaken, Submission, Taken};
use crate::ledger::{Incoming, Outcome, RecordId};
use crate::vault::Vault;
use silta_adapter::adapter::{DecodeContext, Decoded, Stop};
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Record, RecordKey};
use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use tokio::sync::mpsc;

/// What the first reading of a document found.
#[derive(Debug, Default)]
pub struct Survey {
    /// Records in it.
    pub records: u64,
    /// Records that cannot be taken.
    pub refused: Refused,
    /// Ids of all records in it; only for documents declared complete.
    pub seen: HashSet<RecordId>,
    /// What to tell the sender.
    pub problems: Vec<Problem>,
}

/// Keys of records that cannot be taken.
pub type Refused = HashSet<RecordKey>;

fn open(submission: &Submission) -> Result<BufReader<File>, NotTaken> {
    Ok(BufReader::with_capacity(1 << 16, File::open(&submission.spool)?))
}

/// Reads a document for what is wrong with it. `strict` about identifiers: a wrong check digit refuses the learner.
pub(super) fn survey(
    vault: &Vault,
    submission: &Submission,
    ctx: &DecodeContext,
    strict: bool,
) -> Result<Survey, NotTaken> {
    let Some(decoder) = submission.adapter.decoder() else {
        return Err(unreadable_format());
    };
    let mut survey = Survey::default();
    decoder.decode(&mut open(submission)?, ctx, &mut |found| {
        match found {
            Decoded::Record(record, line) => {
                survey.records += 1;
                let key = &record.head.key;
                if !submission.complete.is_empty() {
                    survey.seen.insert(vault.record_id(key));
                }
                for problem in unacceptable(&record, submission).into_iter().chain(odd_identifiers(&record, strict)) {
                    if problem.severity == Severity::Error {
                        survey.refused.insert(key.clone());
                    }
                    survey.problems.push(problem.about(key).on_line(line));
                }
            }
            Decoded::Problem(problem) => {
                if let (Severity::Error, Some(key)) = (problem.severity, &problem.key) {
                    survey.refused.insert(key.clone());
                }
                survey.problems.push(problem);
            }
        }
        Ok(())
    })?;
    Ok(survey)
}

fn unacceptable(record: &Record, submission: &Submission) -> Option<Problem> {
    let key = &record.head.key;
    if key.tenant != submission.tenant {
        return Some(Problem::error(
            "foreign_tenant",
            "the record names another tenant than the address it was sent to",
        ));
    }
    if !submission.allowed.is_empty() && !submission.allowed.contains(&key.kind) {
        return Some(Problem::error("kind_not_allowed", format!("the token may not send the kind {}", key.kind)));
    }
    None
}

/// What is to be told about a learner's identifiers.
fn odd_identifiers(record: &Record, strict: bool) -> Vec<Problem> {
    let Some(Body::Learner(learner)) = &record.body else { return Vec::new() };
    let identifiers = learner.identifiers.iter().enumerate();
    identifiers.filter_map(|(at, i)| Some(i.problem(strict)?.at(format!("/body/identifiers/{at}")))).collect()
}

fn unreadable_format() -> NotTaken {
    NotTaken::Unreadable(Box::new(Problem::error("unreadable_format", "this format cannot be read")))
}

/// Some records of a document.
pub(super) struct Page {
    /// One row for each record, refused until kept.
    pub rows: Vec<Taken>,
    /// Those that can be taken, with their row.
    pub incoming: Vec<(usize, Incoming)>,
}

/// Reads a document into pages of records to keep.
pub(super) fn batches(
    vault: &Vault,
    submission: &Submission,
    survey: &Survey,
    ctx: &DecodeContext,
    size: usize,
    out: &mpsc::Sender<Page>,
) -> Result<(), NotTaken> {
    let Some(decoder) = submission.adapter.decoder() else {
        return Err(unreadable_format());
    };
    let fresh = || Page { rows: Vec::with_capacity(size), incoming: Vec::with_capacity(size) };
    let mut page = fresh();
    decoder.decode(&mut open(submission)?, ctx, &mut |found| {
        let Decoded::Record(record, line) = found else { return Ok(()) };
        let incoming = vault.incoming(&record);
        let row = Taken { line, id: incoming.id, key: record.head.key, outcome: Outcome::Refused };
        if !survey.refused.contains(&row.key) {
            page.incoming.push((page.rows.len(), incoming));
        }
        page.rows.push(row);
        if page.rows.len() == size {
            out.blocking_send(std::mem::replace(&mut page, fresh())).map_err(|_| Stop)?;
        }
        Ok(())
    })?;
    if !page.rows.is_empty() {
        // The keeper hangs up only when the ledger failed; it reports that itself.
        let _ = out.blocking_send(page);
    }
    Ok(())
}
