//! The ledger compared with its source: does it hold what the register says, all of it, and nothing else?
//!
//! What the register says is a document of everything, or its feed read from the beginning. Both sides are compared as
//! [two documents](super::files) are, in constant memory. Nothing is repaired from here: what is missing is pushed again,
//! what should not be there is taken back by a push that is declared complete.

use super::compare::Evidence;
use super::evidence::Sizes;
use super::files::{Field, Finding, Keeping, Kept, NotKept, compare};
use super::reading::MOST_FINDINGS;
use crate::config::Ruling;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{self, FindingKind, LearnerId, LedgerError, Micros, NewFinding, RecordId, Summary};
use crate::sync::{self, SyncError};
use crate::vault::VaultError;
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::adapter::{Adapter, DecodeContext, Limits};
use silta_adapter::canonical::Difference;
use silta_adapter::problem::Severity;
use silta_adapter::record::{LearnerKey, Record, RecordKey, RecordKind};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Learners that are read from the ledger together.
const LEARNERS: u32 = 500;

/// A register of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Whose records.
    pub tenant: SmolStr,
    /// The register, as the tenant names it.
    pub source: SmolStr,
}

impl Source {
    /// The name under which its runs and findings are kept. No connection has it: their names have no slash.
    pub fn name(&self) -> SmolStr {
        format_smolstr!("{}/{}", self.tenant, self.source)
    }

    /// The source of a name that [`Source::name`] gave.
    pub fn from_name(name: &str) -> Option<Self> {
        let (tenant, source) = name.split_once('/')?;
        Some(Self { tenant: tenant.into(), source: source.into() })
    }

    /// How its documents are read.
    fn context(&self, gateway: &Gateway) -> DecodeContext {
        let intake = &gateway.config.intake;
        let limits = Limits {
            bytes: gateway.config.server.max_body_bytes,
            depth: intake.max_depth,
            record_bytes: intake.max_record_bytes,
            ..Limits::default()
        };
        DecodeContext { tenant: self.tenant.clone(), source: self.source.clone(), limits }
    }
}

/// What may be concluded.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Kinds of which the source said everything: what it did not say should not be there. `None` for those it said
    /// anything of.
    pub complete: Option<Vec<RecordKind>>,
    /// Least share of what the ledger holds that the source must say to be believed, 0–1; it may say no more than what
    /// the ledger holds divided by it. 0 believes everything.
    pub plausible_share: f64,
}

impl Default for Scope {
    fn default() -> Self {
        Self { complete: None, plausible_share: 0.5 }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Outcome {
    /// In figures.
    pub summary: Summary,
    /// Every finding, with its evidence.
    pub findings: Vec<SourceFinding>,
    /// Kinds of which it is known what should not be there.
    #[serde(skip)]
    complete: BTreeSet<RecordKind>,
}

/// A difference between a source and the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SourceFinding {
    /// What kind of difference: `missing` in the ledger, `unexpected` there, `differs`, `duplicate` or `rekeyed`.
    pub kind: FindingKind,
    /// The record's opaque id.
    pub item: RecordId,
    /// The item of the finding that implies this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implied_by: Option<RecordId>,
    /// Codes of open problems that keep the record from being taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<SmolStr>,
    /// Field by field (left what the source says, right what the ledger holds), and what it means.
    pub evidence: Evidence,
    #[serde(skip)]
    learner: LearnerId,
}

/// A run could not go on; nothing is concluded.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A content cannot be opened.
    #[error(transparent)]
    Content(#[from] VaultError),
    /// The feed could not be brought up to date.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The private files failed.
    #[error("a private file cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// Why nothing is concluded from what a source said.
type Doubt = String;

/// Compares a document of everything with the ledger, and keeps what was found unless it is a dry run.
///
/// # Errors
/// If the ledger or the private files fail. A document that cannot be read or believed is not an error: the summary
/// says so.
pub async fn document(
    gateway: &Arc<Gateway>,
    source: &Source,
    adapter: &Arc<dyn Adapter>,
    file: &Path,
    scope: &Scope,
    dry_run: bool,
) -> Result<Outcome, SourceError> {
    let started = gateway.now();
    let (ctx, adapter, file) = (source.context(gateway), adapter.clone(), file.to_owned());
    let said = blocking(move || {
        let mut keeping = Keeping::new()?;
        let Some(decoder) = adapter.decoder() else { return Ok(Err("the format cannot be read".to_owned())) };
        let read = keeping.read(decoder, &mut BufReader::with_capacity(1 << 16, File::open(file)?), &ctx);
        doubted(read.and_then(|()| keeping.newest()))
    })
    .await??;
    let outcome = match said {
        Ok(said) => against(gateway, source, Arc::new(said), scope).await?,
        Err(doubt) => doubtful(doubt),
    };
    keep(gateway, source, started, outcome, dry_run).await
}

/// Compares a feed, read from its beginning, with the ledger, once the ledger has all of it; keeps what was found unless
/// it is a dry run. `None` if the connection has no feed.
///
/// # Errors
/// As [`document`]; also if the ledger cannot be brought up to date.
pub async fn feed(
    gateway: &Arc<Gateway>,
    connection: &Connection,
    scope: &Scope,
    dry_run: bool,
) -> Result<Option<Outcome>, SourceError> {
    if connection.connected.pull.is_none() {
        return Ok(None);
    }
    let _once_at_a_time = connection.reconciling.lock().await;
    let source = Source { tenant: connection.config.tenant.clone(), source: connection.config.source().clone() };
    let started = gateway.now();
    sync::pull(gateway, connection).await?;
    let outcome = match walk(gateway, connection, &source).await? {
        Ok(said) => against(gateway, &source, Arc::new(said), scope).await?,
        Err(doubt) => doubtful(doubt),
    };
    Ok(Some(keep(gateway, &source, started, outcome, dry_run).await?))
}

/// Reads every feed of a connection from its beginning to its end. No cursor is moved.
async fn walk(gateway: &Gateway, connection: &Connection, source: &Source) -> Result<Result<Kept, Doubt>, SourceError> {
    let Some(pull) = &connection.connected.pull else { return Ok(Err("there is no feed".into())) };
    let ctx = source.context(gateway);
    let mut keeping = Keeping::new()?;
    for feed in pull.feeds() {
        let (mut cursor, mut seen) = (None::<SmolStr>, HashSet::new());
        loop {
            connection.paced().await;
            let page = match pull.pull(&feed, cursor.as_deref()).await {
                Ok(page) => page,
                Err(not_read) => return Ok(Err(format!("the feed {feed} cannot be read: {not_read}"))),
            };
            if let Some(document) = page.document {
                let (adapter, ctx, mut own) = (connection.adapter.clone(), ctx.clone(), keeping);
                let (back, read) = blocking(move || {
                    let read = match adapter.decoder() {
                        Some(decoder) => own.read(decoder, &mut document.as_slice(), &ctx),
                        None => Ok(()),
                    };
                    (own, read)
                })
                .await?;
                keeping = back;
                if let Err(doubt) = doubted(read)? {
                    return Ok(Err(format!("the feed {feed}: {doubt}")));
                }
            }
            if !page.more {
                break;
            }
            if !seen.insert(page.cursor.clone()) {
                return Ok(Err(format!("the feed {feed} repeats itself")));
            }
            cursor = Some(page.cursor);
        }
    }
    Ok(doubted(keeping.newest())?)
}

/// A document that is not taken whole is doubted; private files that fail are an error.
fn doubted<T>(read: Result<T, NotKept>) -> std::io::Result<Result<T, Doubt>> {
    match read {
        Ok(kept) => Ok(Ok(kept)),
        Err(NotKept::Io(e)) => Err(e),
        Err(e) => Ok(Err(format!("it was not read to its end, or not all of it: {e}"))),
    }
}

fn doubtful(doubt: Doubt) -> Outcome {
    Outcome { summary: Summary { failure: Some(doubt), ..Summary::default() }, ..Outcome::default() }
}

/// What the ledger holds of a source.
struct Held {
    records: Arc<Kept>,
    learners: i64,
}

/// Compares what a source says with what the ledger holds.
async fn against(
    gateway: &Arc<Gateway>,
    source: &Source,
    said: Arc<Kept>,
    scope: &Scope,
) -> Result<Outcome, SourceError> {
    let held = hold(gateway, source).await?;
    let mut summary = Summary {
        learners: held.learners,
        complete: held.learners,
        items: i64::try_from(held.records.records).unwrap_or(i64::MAX),
        ..Summary::default()
    };
    let mut differences = match differences(gateway, &said, &held.records, scope).await? {
        Ok(differences) => differences,
        Err(doubt) => {
            return Ok(Outcome { summary: Summary { failure: Some(doubt), ..summary }, ..Outcome::default() });
        }
    };
    if let Err(doubt) = sizes(&said, &held.records, &differences, scope).plausible(scope.plausible_share) {
        return Ok(Outcome { summary: Summary { failure: Some(doubt), ..summary }, ..Outcome::default() });
    }
    if !differences.is_empty() {
        // What is pushed meanwhile is no difference: one counts if the ledger shows it twice.
        let again = hold(gateway, source).await?;
        match self::differences(gateway, &said, &again.records, scope).await? {
            Ok(again) => differences.retain(|one| again.contains(one)),
            Err(doubt) => {
                return Ok(Outcome { summary: Summary { failure: Some(doubt), ..summary }, ..Outcome::default() });
            }
        }
    }
    let found = told(gateway, source, differences).await?;
    let here = |f: &&SourceFinding| !matches!(f.kind, FindingKind::Missing | FindingKind::Duplicate);
    summary.agreed = summary.items - found.iter().filter(here).count() as i64;
    for one in &found {
        match one.implied_by {
            Some(_) => summary.implied += 1,
            None => *summary.findings.entry(one.kind.name().into()).or_default() += 1,
        }
    }
    let complete = match &scope.complete {
        Some(kinds) => kinds.iter().copied().collect(),
        None => said.kinds.keys().copied().collect(),
    };
    Ok(Outcome { summary, findings: found, complete })
}

/// Reads what the ledger holds of a source, learner by learner.
async fn hold(gateway: &Arc<Gateway>, source: &Source) -> Result<Held, SourceError> {
    let (mut keeping, mut after, mut learners) = (Keeping::new()?, None, 0);
    loop {
        let page = gateway.ledger.learners(&source.tenant, after, LEARNERS).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let mut stored = Vec::new();
        for learner in &page {
            let records = gateway.ledger.records_of(&source.tenant, *learner).await?;
            let before = stored.len();
            stored.extend(records.into_iter().filter(|r| r.source == source.source && !r.state.is_tombstone()));
            learners += i64::from(stored.len() > before);
        }
        let (gateway, mut own) = (gateway.clone(), keeping);
        keeping = blocking(move || {
            for stored in &stored {
                if let Some(content) = &stored.content {
                    own.keep(&gateway.vault.open_json::<Record>(content)?)?;
                }
            }
            Ok::<_, SourceError>(own)
        })
        .await??;
    }
    match keeping.newest() {
        Ok(records) => Ok(Held { records: Arc::new(records), learners }),
        Err(e) => Err(std::io::Error::other(e.to_string()).into()),
    }
}

/// Every difference that says something, in an order of its own.
async fn differences(
    gateway: &Arc<Gateway>,
    said: &Arc<Kept>,
    held: &Arc<Kept>,
    scope: &Scope,
) -> Result<Result<Vec<Finding>, Doubt>, SourceError> {
    let (gateway, said, held, scope) = (gateway.clone(), said.clone(), held.clone(), scope.clone());
    let differences = blocking(move || {
        let mut found = Vec::new();
        let mut too_many = false;
        let compared = compare(&said, &held, false, &gateway.mappings.institutions, &mut |finding| {
            let of_kind = match &scope.complete {
                Some(kinds) => kinds.contains(&finding.key.kind),
                None => said.kinds.contains_key(&finding.key.kind),
            };
            let unsaid = finding.kind == FindingKind::Unexpected && !of_kind;
            if !unsaid && !said.is_unknown(&finding.key) {
                too_many |= found.len() == MOST_FINDINGS;
                found.push(finding);
            }
            match too_many {
                true => Err(std::io::Error::other("too many")),
                false => Ok(()),
            }
        });
        match too_many {
            true => Ok(Err(format!("more than {MOST_FINDINGS} differences: this is not the source it was taken for"))),
            false => compared.map(|()| Ok(found)),
        }
    });
    Ok(differences.await??)
}

fn sizes(said: &Kept, held: &Kept, differences: &[Finding], scope: &Scope) -> Sizes {
    let counts = |kind: &RecordKind| match &scope.complete {
        Some(kinds) => kinds.contains(kind),
        None => said.kinds.contains_key(kind),
    };
    let of = |kept: &Kept| -> i64 {
        let records = kept.kinds.iter().filter(|(kind, _)| counts(kind)).map(|(_, n)| *n).sum::<u64>();
        i64::try_from(records).unwrap_or(i64::MAX)
    };
    let absent = differences.iter().filter(|f| f.kind == FindingKind::Unexpected).count() as i64;
    let missing = differences.iter().filter(|f| f.kind == FindingKind::Missing).count() as i64;
    let known = of(held);
    // Records are not counted where they are said: a feed says some again and again.
    Sizes { known, absent, held: known - absent + missing }
}

/// Findings as they are told: with what keeps a record from being taken, and under the one that implies them.
async fn told(
    gateway: &Gateway,
    source: &Source,
    differences: Vec<Finding>,
) -> Result<Vec<SourceFinding>, SourceError> {
    let mut out = Vec::with_capacity(differences.len());
    let mut lost_learners: BTreeMap<SmolStr, RecordId> = BTreeMap::new();
    for one in differences {
        let item = gateway.vault.record_id(&one.key);
        let learner = gateway.vault.learner_id(&LearnerKey {
            tenant: source.tenant.clone(),
            source: source.source.clone(),
            id: one.learner.clone(),
        });
        let (mut kind, mut fields) = (one.kind, one.fields);
        let mut problems = Vec::new();
        if kind == FindingKind::Missing {
            if let Some(stored) = gateway.ledger.record(item).await?.filter(|r| r.state.is_tombstone()) {
                kind = FindingKind::Differs;
                let state = serde_json::Value::from(stored.state.name());
                fields = vec![Field { path: "/state".into(), expected: None, found: Some(state) }];
            }
            let open = gateway.ledger.problems_of(item).await?;
            let errors = open.iter().filter(|p| p.closed.is_none() && p.severity == Severity::Error);
            problems = errors.map(|p| p.code.clone()).collect::<BTreeSet<_>>().into_iter().collect();
            if kind == FindingKind::Missing && one.key.kind == RecordKind::Learner {
                lost_learners.insert(one.learner.clone(), item);
            }
        }
        let difference = |f: Field| Difference { path: f.path, left: f.expected, right: f.found };
        let evidence = Evidence {
            proposal: proposal(kind, &one.key, &problems),
            key: one.key,
            fields: fields.into_iter().map(difference).collect(),
            other: one.other,
            ruling: Some(Ruling::Hold),
        };
        let implied_by = Some(item).filter(|_| kind == FindingKind::Missing);
        out.push((SourceFinding { kind, item, implied_by, problems, evidence, learner }, one.learner));
    }
    let implied = |(mut finding, learner): (SourceFinding, SmolStr)| {
        let root = lost_learners.get(&learner).copied().filter(|root| *root != finding.item);
        finding.implied_by = finding.implied_by.and(root);
        finding
    };
    Ok(out.into_iter().map(implied).collect())
}

fn proposal(kind: FindingKind, key: &RecordKey, problems: &[SmolStr]) -> String {
    match kind {
        FindingKind::Missing if !problems.is_empty() => {
            format!("the source says it and it was not taken ({}): correct it there", problems.join(", "))
        }
        FindingKind::Missing => "the source says it and it never arrived: push it again".into(),
        FindingKind::Unexpected => {
            format!("the source does not say it any more: push everything of {} as complete, or withdraw it", key.kind)
        }
        FindingKind::Differs => "the source says something else: push it again".into(),
        FindingKind::Duplicate => "the source says it more than once with different content: correct it there".into(),
        _ => "the source says the same learning under another key; a person decides which key stands".into(),
    }
}

/// Keeps a run and its findings.
async fn keep(
    gateway: &Gateway,
    source: &Source,
    started: Micros,
    outcome: Outcome,
    dry_run: bool,
) -> Result<Outcome, SourceError> {
    if dry_run {
        return Ok(outcome);
    }
    let (store, name) = (&gateway.ledger, source.name());
    let run = store.open_reconciliation(&name, started).await?;
    if outcome.summary.failure.is_none() {
        let mut looked_at = BTreeSet::new();
        let mut after = 0;
        loop {
            let page = store.findings(Some(&name), false, after, 1000).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            // Whether something should not be there was looked at only for kinds the source said everything of.
            let known = |f: &&ledger::Finding| {
                let kind = gateway.vault.open_json(&f.evidence).map(|e: Evidence| e.key.kind);
                f.kind != FindingKind::Unexpected || kind.map_or(true, |kind| outcome.complete.contains(&kind))
            };
            looked_at.extend(page.iter().filter(known).map(|f| f.item));
        }
        let looked_at: Vec<RecordId> = looked_at.into_iter().collect();
        let mut found = Vec::with_capacity(outcome.findings.len());
        for one in &outcome.findings {
            found.push(new_finding(gateway, one).await?);
        }
        store.found(run, gateway.now(), &looked_at, &found).await?;
    }
    store.close_reconciliation(run, gateway.now(), &outcome.summary).await?;
    Ok(outcome)
}

async fn new_finding(gateway: &Gateway, one: &SourceFinding) -> Result<NewFinding, LedgerError> {
    let stored = gateway.ledger.record(one.item).await?;
    Ok(NewFinding {
        item: one.item,
        learner: one.learner,
        debt: None,
        kind: one.kind,
        digest: stored.map(|stored| stored.digest),
        implied_by: one.implied_by,
        evidence: gateway.vault.seal_json(&one.evidence),
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| std::io::Error::other(e.to_string()))
}
