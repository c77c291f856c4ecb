//! One side of a comparison, read once and kept where its records are found again.

use super::buckets::{Buckets, Entry, Hash, Place};
use serde_json::Value;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Stop, Unreadable};
use silta_adapter::canonical::record_text;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Record, RecordKey, RecordKind};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::os::unix::fs::FileExt;

/// The records of one side: their canonical forms in one private file, their hashes in another.
pub struct Kept {
    forms: File,
    hashes: Buckets,
    /// Whether of several entries of a key the last one counts.
    newest: bool,
    unknown: HashSet<Hash>,
    /// How many records it has.
    pub records: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<RecordKind, u64>,
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
        let mut keeping = Keeping::new()?;
        keeping.read(decoder, input, ctx)?;
        keeping.whole()
    }

    /// A record's canonical form.
    pub(super) fn form(&self, place: Place) -> io::Result<Value> {
        let mut text = vec![0; place.length as usize];
        self.forms.read_exact_at(&mut text, place.offset)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// A bucket's entries, by key, content and place.
    pub(super) fn sorted(&self, bucket: usize) -> io::Result<Vec<Entry>> {
        let mut entries = self.hashes.sorted(bucket)?;
        if self.newest {
            entries.sort_unstable_by_key(|entry| (entry.key, std::cmp::Reverse(entry.place.offset)));
            entries.dedup_by_key(|entry| entry.key);
        }
        Ok(entries)
    }

    /// True if it holds something under a key that was not taken, so that nothing is known of it.
    pub fn is_unknown(&self, key: &RecordKey) -> bool {
        self.unknown.contains(&hash_of(key))
    }
}

/// Records being kept.
pub struct Keeping {
    forms: BufWriter<File>,
    end: u64,
    hashes: Buckets,
    records: u64,
    kinds: BTreeMap<RecordKind, u64>,
    problems: Vec<Problem>,
    unread: BTreeSet<String>,
}

impl Keeping {
    /// Nothing yet.
    ///
    /// # Errors
    /// If there can be no private files.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            forms: BufWriter::with_capacity(1 << 18, tempfile::tempfile()?),
            end: 0,
            hashes: Buckets::new()?,
            records: 0,
            kinds: BTreeMap::new(),
            problems: Vec::new(),
            unread: BTreeSet::new(),
        })
    }

    /// Keeps what is in a document, which is read to its end.
    ///
    /// # Errors
    /// If it cannot be read, or some part of it that belongs to no record was not taken.
    pub fn read(&mut self, decoder: &dyn Decode, input: &mut dyn BufRead, ctx: &DecodeContext) -> Result<(), NotKept> {
        let mut failed = None;
        let reading = decoder.decode(input, ctx, &mut |found| {
            self.take(found).map_err(|e| {
                failed = Some(e);
                Stop
            })
        });
        match failed {
            Some(e) => Err(e),
            None => {
                self.unread.extend(reading?.unread);
                Ok(())
            }
        }
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

    /// Keeps a record. What one that was taken back once said does not count.
    ///
    /// # Errors
    /// If the private files fail.
    pub fn keep(&mut self, record: &Record) -> io::Result<()> {
        let text = match record.head.state.is_tombstone() {
            true => record_text(&Record { head: record.head.clone(), body: None }),
            false => record_text(record),
        };
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        let place = Place { offset: self.end, length };
        self.hashes.add(&Entry { key: hash_of(&record.head.key), content: hash(&text), place })?;
        self.forms.write_all(&text)?;
        self.end += u64::from(length);
        self.records += 1;
        *self.kinds.entry(record.head.key.kind).or_default() += 1;
        Ok(())
    }

    /// All of it, every record of which was taken.
    ///
    /// # Errors
    /// If one was not.
    pub fn whole(self) -> Result<Kept, NotKept> {
        let mut lost = self.problems.iter().filter(|p| p.severity == Severity::Error);
        let lost = lost.find_map(|problem| match self.hashes.holds(&hash_of(problem.key.as_ref()?)) {
            Ok(true) => None,
            Ok(false) => Some(Ok(problem.clone())),
            Err(e) => Some(Err(e)),
        });
        match lost.transpose()? {
            Some(problem) => Err(NotKept::Lost(Box::new(problem))),
            None => self.ended(false),
        }
    }

    /// What was kept of something that may say more than once what it says of a record, of which the last counts, and
    /// that may say what cannot be taken: of that nothing is known.
    ///
    /// # Errors
    /// If the private files fail.
    pub fn newest(self) -> Result<Kept, NotKept> {
        self.ended(true)
    }

    fn ended(self, newest: bool) -> Result<Kept, NotKept> {
        let errors = self.problems.iter().filter(|p| newest && p.severity == Severity::Error);
        let unknown = errors.filter_map(|p| Some(hash_of(p.key.as_ref()?))).collect();
        Ok(Kept {
            forms: self.forms.into_inner().map_err(|e| e.into_error())?,
            hashes: self.hashes,
            newest,
            unknown,
            records: self.records,
            kinds: self.kinds,
            problems: self.problems,
            unread: self.unread.into_iter().collect(),
        })
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
