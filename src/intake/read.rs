//! The two readings of a document: a survey, and the batches to keep.

use super::{NotTaken, Submission, Taken};
use crate::config::MicroCredentials;
use crate::ledger::{Incoming, Outcome, RecordId};
use crate::vault::Vault;
use silta_adapter::adapter::{DecodeContext, Decoded, Stop};
use silta_adapter::mapping::Mappings;
use silta_adapter::micro_credential;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Learner, LearnerKey, Record, RecordKey};
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

/// What a survey looks for.
pub(super) struct Looking<'a> {
    /// True if a wrong check digit refuses the learner.
    pub strict: bool,
    /// Of which attainments is told what they lack as micro-credentials.
    pub micro_credentials: MicroCredentials,
    /// Code lists.
    pub mappings: &'a Mappings,
}

/// Reads a document for what is wrong with it.
pub(super) fn survey(
    vault: &Vault,
    submission: &Submission,
    ctx: &DecodeContext,
    looking: &Looking<'_>,
) -> Result<Survey, NotTaken> {
    let Some(decoder) = submission.adapter.decoder() else {
        return Err(unreadable_format());
    };
    let mut survey = Survey::default();
    let mut learner = None;
    decoder.decode(&mut open(submission)?, ctx, &mut |found| {
        match found {
            Decoded::Record(record, line) => {
                survey.records += 1;
                let key = &record.head.key;
                if !submission.complete.is_empty() {
                    survey.seen.insert(vault.record_id(key));
                }
                for problem in
                    unacceptable(&record, submission).into_iter().chain(odd_identifiers(&record, looking.strict))
                {
                    if problem.severity == Severity::Error {
                        survey.refused.insert(key.clone());
                    }
                    survey.problems.push(problem.about(key).on_line(line));
                }
                survey.problems.extend(lacking(&record, &mut learner, looking).map(|problem| problem.on_line(line)));
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

/// What an attainment lacks as a micro-credential. `learner` is the last one whose own record was read: in documents it
/// stands before the rest. Of one that is not in the document nothing is said to be lacking.
fn lacking(
    record: &Record,
    learner: &mut Option<(LearnerKey, Box<Learner>)>,
    looking: &Looking<'_>,
) -> impl Iterator<Item = Problem> {
    if let Some(Body::Learner(own)) = &record.body {
        *learner = Some((record.learner_key(), own.clone()));
    }
    let own = learner.as_ref().filter(|(key, _)| *key == record.learner_key()).map(|(_, own)| &**own);
    let meant = match (&record.body, looking.micro_credentials) {
        (Some(Body::Attainment(_)), MicroCredentials::All) => true,
        (Some(Body::Attainment(a)), MicroCredentials::Declared) => micro_credential::is_declared(a, looking.mappings),
        _ => false,
    };
    let judged = if meant { micro_credential::assess(record, own, looking.mappings) } else { None };
    let told = judged.map(|mut judged| {
        judged.elements.retain(|element| element.id != "M1" || own.is_some());
        judged.warnings()
    });
    told.into_iter().flatten()
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
