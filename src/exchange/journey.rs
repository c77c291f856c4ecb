//! One record's journey: every version, debt, load, attempt, problem and finding.

use super::ExchangeError;
use crate::delivery::compose::wholes;
use crate::gateway::Gateway;
use crate::ledger::{DebtState, FindingKind, FindingStatus, Load, Micros, Outcome, RecordId, Wanted};
use crate::reconcile::compare::Evidence;
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::delivery::Verdict;
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::{Fixer, Problem};
use silta_adapter::record::{RecordKey, RecordKind, State};
use smol_str::SmolStr;

/// One record's journey.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Journey {
    /// Opaque id.
    pub id: RecordId,
    /// Whose record.
    pub tenant: SmolStr,
    /// Its kind.
    pub kind: RecordKind,
    /// Its key as sent; absent after erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    /// The version that stands.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// Every arrival, oldest first.
    pub arrivals: Vec<ArrivalStep>,
    /// What each connection is owed for it.
    pub debts: Vec<DebtStep>,
    /// Loads it was part of, newest first.
    pub loads: Vec<Load>,
    /// What the sender was told.
    pub problems: Vec<ProblemStep>,
    /// What reading back found.
    pub findings: Vec<FindingStep>,
}

/// One arrival.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ArrivalStep {
    /// When.
    pub at: Micros,
    /// What became of it.
    pub outcome: Outcome,
    /// The version it wrote, or the one that stood.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// The source's own revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// What one connection is owed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DebtStep {
    /// Id of the debt.
    pub id: i64,
    /// The item: the record itself, or the one that identifies an item it is a part of.
    pub item: RecordId,
    /// The connection.
    pub connection: SmolStr,
    /// Its state.
    pub state: DebtState,
    /// What must be there.
    pub wanted: Wanted,
    /// Its generation.
    pub generation: i64,
    /// Since when it is owed.
    pub since: Micros,
    /// Why it is in this state.
    pub reason: String,
    /// Who can fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixer: Option<Fixer>,
    /// When it was last accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Micros>,
    /// When it was last seen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Micros>,
    /// What the destination does not hold as the record says it.
    pub losses: Vec<Loss>,
    /// Attempts, newest first.
    pub attempts: Vec<AttemptStep>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AttemptStep {
    /// When it started.
    pub at: Micros,
    /// How long it took, in microseconds.
    pub took: Micros,
    /// What became of it.
    pub verdict: Verdict,
    /// The cause it was judged by.
    pub cause: SmolStr,
    /// Why.
    pub reason: String,
}

/// One problem.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProblemStep {
    /// Where it comes from.
    pub origin: SmolStr,
    /// When it was opened.
    pub opened: Micros,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Micros>,
    /// The version that cured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<i64>,
    /// The problem.
    pub problem: Problem,
}

/// One finding.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindingStep {
    /// Its id.
    pub id: i64,
    /// The connection.
    pub connection: SmolStr,
    /// The record or item.
    pub item: RecordId,
    /// What kind of difference.
    pub kind: FindingKind,
    /// Its status.
    pub status: FindingStatus,
    /// First seen.
    pub opened: Micros,
    /// Last seen.
    pub seen: Micros,
    /// How often it was seen.
    pub sightings: i64,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Micros>,
    /// The item of the finding that implies this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implied_by: Option<RecordId>,
    /// Field-level evidence and proposed repair; absent after erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// A finding with its evidence opened.
pub fn finding(gateway: &Gateway, finding: crate::ledger::Finding) -> FindingStep {
    FindingStep {
        id: finding.id,
        connection: finding.connection,
        item: finding.item,
        kind: finding.kind,
        status: finding.status,
        opened: finding.opened,
        seen: finding.seen,
        sightings: finding.sightings,
        closed: finding.closed,
        implied_by: finding.implied_by,
        evidence: gateway.vault.open_json(&finding.evidence).ok(),
    }
}

/// A debt with its losses opened and its attempts.
///
/// # Errors
/// If the ledger fails.
pub async fn debt(gateway: &Gateway, debt: crate::ledger::Debt) -> Result<DebtStep, ExchangeError> {
    let attempts = gateway.ledger.attempts(debt.id, 50).await?;
    Ok(DebtStep {
        id: debt.id,
        item: debt.item,
        connection: debt.connection,
        state: debt.state,
        wanted: debt.wanted,
        generation: debt.generation,
        since: debt.since,
        reason: debt.reason,
        fixer: debt.fixer,
        sent_at: debt.sent_at,
        confirmed_at: debt.confirmed_at,
        losses: debt.losses.as_deref().and_then(|l| gateway.vault.open_json(l).ok()).unwrap_or_default(),
        attempts: attempts
            .into_iter()
            .map(|a| AttemptStep { at: a.at, took: a.took, verdict: a.verdict, cause: a.cause, reason: a.reason })
            .collect(),
    })
}

/// The journey of a record; `None` if it is not known.
///
/// # Errors
/// If the ledger fails or the vault cannot open a content.
pub async fn journey(gateway: &Gateway, id: RecordId) -> Result<Option<Journey>, ExchangeError> {
    let Some(stored) = gateway.ledger.record(id).await? else { return Ok(None) };
    let record = super::document::open(gateway, &stored)?;
    let mut owed = gateway.ledger.debts_of(id).await?;
    let composing = gateway.connections.iter().filter(|c| c.composes() && c.config.tenant == stored.tenant);
    for connection in composing {
        let Some(record) = &record else { break };
        for whole in wholes(gateway, connection, stored.learner, &record.head.key).await? {
            owed.extend(gateway.ledger.debt(whole.debt).await?);
        }
    }
    let mut debts = Vec::with_capacity(owed.len());
    for owed in owed {
        debts.push(debt(gateway, owed).await?);
    }
    let arrivals = gateway.ledger.history(id).await?.into_iter().map(|a| ArrivalStep {
        at: a.at,
        outcome: a.outcome,
        version: a.version,
        state: a.state,
        revision: a.revision,
    });
    let problems = gateway.ledger.problems_of(id).await?.into_iter().filter_map(|p| {
        let problem = gateway.vault.open_json(&p.content).ok()?;
        Some(ProblemStep { origin: p.origin, opened: p.opened, closed: p.closed, closed_by: p.closed_by, problem })
    });
    Ok(Some(Journey {
        id,
        tenant: stored.tenant,
        kind: stored.kind,
        key: record.map(|r| r.head.key),
        version: stored.version,
        state: stored.state,
        arrivals: arrivals.collect(),
        debts,
        loads: gateway.ledger.loads_of(id, 20).await?,
        problems: problems.collect(),
        findings: gateway.ledger.findings_of(id).await?.into_iter().map(|f| finding(gateway, f)).collect(),
    }))
}
