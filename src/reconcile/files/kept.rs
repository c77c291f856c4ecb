//! One document, read once and kept where its records are found again.

use super::buckets::{Buckets, Entry, Hash, Place};
use serde_json::Value;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Stop, Unreadable};
use silta_adapter::canonical::record_form;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Record, RecordKey};
use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::os::unix::fs::FileExt;

/// The records of a document: their canonical forms in one private file, their hashes in another.
pub struct Kept {
    forms: File,
    pub(super) hashes: Buckets,
    /// How many records it has.
    pub records: u64,
    /// What is odd about records that were taken.
    pub problems: Vec<Problem>,
    /// Paths of the document that were not read, and so are not compared.
    pub unread: Vec<String>,
}

/// A document from which nothing may be concluded.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It cannot be read to its end.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A record of it, or some part that belongs to none, was not taken.
    #[error("{0}")]
    Lost(Box<Problem>),
    /// The private files failed.
    #[error("a private file cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl Kept {
    /// Reads a document to its end.
    ///
    /// # Errors
    /// If it is not known of everything in it what it is: a document that is half taken looks like one in which the
    /// other half is missing.
    pub fn read(decoder: &dyn Decode, input: &mut dyn BufRead, ctx: &DecodeContext) -> Result<Self, NotKept> {
        let mut intake = Intake::new()?;
        let mut failed = None;
        let reading = decoder.decode(input, ctx, &mut |found| {
            intake.take(found).map_err(|e| {
                failed = Some(e);
                Stop
            })
        });
        match failed {
            Some(e) => Err(e),
            None => intake.finish(reading?.unread),
        }
    }

    /// A record's canonical form.
    pub(super) fn form(&self, place: Place) -> io::Result<Value> {
        let mut text = vec![0; place.length as usize];
        self.forms.read_exact_at(&mut text, place.offset)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

struct Intake {
    forms: BufWriter<File>,
    end: u64,
    text: Vec<u8>,
    hashes: Buckets,
    records: u64,
    problems: Vec<Problem>,
}

impl Intake {
    fn new() -> io::Result<Self> {
        let forms = BufWriter::with_capacity(1 << 18, tempfile::tempfile()?);
        Ok(Self { forms, end: 0, text: Vec::new(), hashes: Buckets::new()?, records: 0, problems: Vec::new() })
    }

    fn take(&mut self, found: Decoded) -> Result<(), NotKept> {
        match found {
            Decoded::Record(record, _) => Ok(self.keep(&record)?),
            Decoded::Problem(problem) if problem.severity == Severity::Error && problem.key.is_none() => {
                Err(NotKept::Lost(Box::new(problem)))
            }
            Decoded::Problem(problem) => {
                self.problems.push(problem);
                Ok(())
            }
        }
    }

    fn keep(&mut self, record: &Record) -> io::Result<()> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, &record_form(record))?;
        let length = u32::try_from(self.text.len()).map_err(io::Error::other)?;
        let place = Place { offset: self.end, length };
        self.hashes.add(&Entry { key: hash_of(&record.head.key), content: hash(&self.text), place })?;
        self.forms.write_all(&self.text)?;
        self.end += u64::from(length);
        self.records += 1;
        Ok(())
    }

    /// A problem about a record that is not there tells of a record that was lost.
    fn finish(self, unread: Vec<String>) -> Result<Kept, NotKept> {
        for problem in self.problems.iter().filter(|p| p.severity == Severity::Error) {
            if let Some(key) = &problem.key
                && !self.hashes.holds(&hash_of(key))?
            {
                return Err(NotKept::Lost(Box::new(problem.clone())));
            }
        }
        let forms = self.forms.into_inner().map_err(|e| e.into_error())?;
        Ok(Kept { forms, hashes: self.hashes, records: self.records, problems: self.problems, unread })
    }
}

pub(super) fn hash(text: &[u8]) -> Hash {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(text).as_bytes()[..16]);
    out
}

fn hash_of(key: &RecordKey) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in [&key.tenant, &key.source, &key.institution, &key.id] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.update(key.kind.name().as_bytes());
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}
