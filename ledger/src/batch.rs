//! A batch of arrivals judged in memory, one after the other: what every store writes then.

use crate::{Batch, Incoming, Incumbent, Kept, LearnerId, LedgerError, Lookup, Outcome, RecordId, Result, judge};
use silta_adapter::canonical::Digest;
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What stands for a record.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Number of its row.
    pub row: i64,
    /// Whom its version is about.
    pub learner: LearnerId,
    /// Its version.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// Its revision.
    pub revision: Option<u64>,
    /// Digest of its content.
    pub digest: Digest,
    /// Number of its content.
    pub content: Option<i64>,
}

/// What a store knows of the records of a batch.
#[derive(Debug, Default)]
pub struct Known {
    /// What stands for those it has.
    pub standing: HashMap<RecordId, Standing>,
    /// Whose the keys of the others are already: look-up pseudonym, kind, institution, source.
    pub owners: Vec<(Lookup, RecordKind, SmolStr, SmolStr)>,
    /// Row and digest of versions that were said before.
    pub superseded: HashSet<(i64, Digest)>,
}

/// One arrival, judged.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The arrival.
    pub incoming: &'a Incoming,
    /// What was made of it.
    pub outcome: Outcome,
    /// What stands after it. Content and digest go together: a bare tombstone keeps both.
    pub standing: Standing,
}

/// A content to store.
#[derive(Debug, Clone, Copy)]
pub struct NewContent<'a> {
    /// Its number.
    pub id: i64,
    /// Whom it can name.
    pub learner: Option<LearnerId>,
    /// The record it is about, if it is known.
    pub record: Option<i64>,
    /// The debt that owns it.
    pub debt: Option<i64>,
    /// The sealed bytes.
    pub bytes: &'a [u8],
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub struct Verdicts<'a> {
    /// One answer per arrival.
    pub kept: Vec<Kept>,
    /// Versions to write, in order.
    pub versions: Vec<Judged<'a>>,
    /// Arrivals that write no version, in order.
    pub arrivals: Vec<Judged<'a>>,
    /// Contents to write.
    pub contents: Vec<NewContent<'a>>,
    /// Records to write, in order of arrival, each once.
    pub records: Vec<(&'a Incoming, Standing)>,
    /// Whom the versions are about, and whom their records were about before.
    pub learners: BTreeSet<LearnerId>,
}

impl Verdicts<'_> {
    /// Numbers of the records that have a new version: what only raised a revision is not among them.
    pub fn changed(&self) -> BTreeSet<i64> {
        self.versions.iter().map(|judged| judged.standing.row).collect()
    }
}

/// A key as a person knows it: what two sources may not both claim.
type Claimed<'a> = (Lookup, RecordKind, &'a str);

/// Judges arrivals one after the other, each against what the ones before it left. New rows and contents take their
/// numbers from the iterators, which need one for each arrival.
///
/// # Errors
/// If the numbers run out.
pub fn judge_batch<'a>(
    batch: &'a Batch,
    known: Known,
    mut rows: impl Iterator<Item = i64>,
    mut contents: impl Iterator<Item = i64>,
) -> Result<Verdicts<'a>> {
    let Known { mut standing, owners, mut superseded } = known;
    let mut claimed: HashMap<Claimed<'_>, &str> = owners.iter().map(|o| ((o.0, o.1, &*o.2), &*o.3)).collect();
    let mut out = Verdicts { kept: Vec::with_capacity(batch.records.len()), ..Verdicts::default() };
    let mut written: HashMap<RecordId, usize> = HashMap::new();
    for incoming in &batch.records {
        let old = standing.get(&incoming.id).copied();
        let key = (incoming.lookup, incoming.kind, &*incoming.institution);
        if old.is_none() && incoming.kind != RecordKind::Learner {
            if claimed.get(&key).is_some_and(|owner| *owner != incoming.source) {
                out.kept.push(Kept { outcome: Outcome::Contested, version: 0 });
                continue;
            }
            claimed.insert(key, &incoming.source);
        }
        let incumbent = old.map(|s| Incumbent { state: s.state, revision: s.revision, digest: s.digest });
        let was_said = || old.is_some_and(|s| superseded.contains(&(s.row, incoming.digest)));
        let outcome = judge(incumbent.as_ref(), incoming, batch.reinstate, was_said);
        let mut now = match old {
            Some(old) => old,
            None => Standing {
                row: draw(&mut rows)?,
                learner: incoming.learner,
                version: 0,
                state: incoming.state,
                revision: incoming.revision,
                digest: incoming.digest,
                content: None,
            },
        };
        let raised = outcome == Outcome::Unchanged && incoming.revision > now.revision;
        if outcome.wrote() {
            superseded.insert((now.row, now.digest));
            out.learners.extend([now.learner, incoming.learner]);
            let learner = incoming.learner;
            now = Standing { version: now.version + 1, learner, state: incoming.state, ..now };
            if let Some(bytes) = &incoming.content {
                now.digest = incoming.digest;
                let id = draw(&mut contents)?;
                let (learner, record) = (Some(incoming.learner), Some(now.row));
                out.contents.push(NewContent { id, learner, record, debt: None, bytes });
                now.content = Some(id);
            }
        }
        if outcome.wrote() || raised {
            now.revision = incoming.revision.or(now.revision);
            standing.insert(incoming.id, now);
            let at = *written.entry(incoming.id).or_insert(out.records.len());
            match out.records.get_mut(at) {
                Some(record) => *record = (incoming, now),
                None => out.records.push((incoming, now)),
            }
        }
        out.kept.push(Kept { outcome, version: now.version });
        let judged = Judged { incoming, outcome, standing: now };
        if outcome.wrote() { out.versions.push(judged) } else { out.arrivals.push(judged) }
    }
    Ok(out)
}

fn draw(numbers: &mut impl Iterator<Item = i64>) -> Result<i64> {
    numbers.next().ok_or_else(|| LedgerError::Store("a batch has more records than it was given numbers".into()))
}
