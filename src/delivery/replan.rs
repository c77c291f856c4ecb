//! A change of rules, adapter or mapping re-plans a connection: counted first, approved above a share, then planned.

use super::DeliveryError;
use super::carry::allowed_removals;
use super::compose::{Composition, Item};
use super::plan::{Before, decide, decide_composed};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{ConnectionState, Debt, Decision, Outcome, StoredRecord, Wanted};
use schemars::JsonSchema;
use serde::Serialize;

/// What a re-plan would do, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Would be sent, as new or with other content.
    pub send: u64,
    /// Would be taken back.
    pub remove: u64,
    /// Cannot be sent.
    pub refuse: u64,
    /// Stay as they are.
    pub unchanged: u64,
}

impl Counts {
    /// How many removals need no approval.
    pub fn allowed(&self, share: f64) -> u64 {
        let all = self.send + self.remove + self.refuse + self.unchanged;
        allowed_removals(i64::try_from(all).unwrap_or(i64::MAX), share).unsigned_abs()
    }
}

/// What everything of a connection is planned under: its adapter, its rules and its schema, in words.
pub fn terms(connection: &Connection) -> String {
    let config = &connection.config;
    let mut said = format!("{} {} {:?} {}", config.adapter, config.tenant, config.rule, config.hold_reverted);
    if let Some(schema) = &connection.connected.schema {
        said += schema.version();
    }
    blake3::hash(said.as_bytes()).to_hex()[..16].to_owned()
}

/// True if a connection was planned under other terms than today's.
pub fn outdated(connection: &Connection, state: &ConnectionState) -> bool {
    !state.planned_under.is_empty() && state.planned_under != terms(connection)
}

/// Notes the terms of connections that were never planned before.
///
/// # Errors
/// If the ledger fails.
pub async fn note_terms(gateway: &Gateway) -> Result<(), DeliveryError> {
    for connection in &gateway.connections {
        let state = gateway.ledger.connection(&connection.config.name).await?;
        if state.planned_under.is_empty() {
            gateway.ledger.set_connection(&ConnectionState { planned_under: terms(connection), ..state }).await?;
        } else if outdated(connection, &state) {
            tracing::warn!(connection = %connection.config.name, "planned under other rules; waits for a re-plan");
        }
    }
    Ok(())
}

/// Counts what a re-plan would do. Nothing is changed.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn count(gateway: &Gateway, connection: &Connection) -> Result<Counts, DeliveryError> {
    const PAGE: u32 = 500;
    let tenant = &connection.config.tenant;
    let (mut counts, mut after) = (Counts::default(), None);
    loop {
        let learners = gateway.ledger.learners(tenant, after, PAGE).await?;
        let Some(last) = learners.last() else { return Ok(counts) };
        after = Some(*last);
        for learner in learners {
            let composition = match connection.composes() {
                true => Some(Composition::of(gateway, connection, learner).await?),
                false => None,
            };
            for stored in gateway.ledger.records_of(tenant, learner).await? {
                let debts = gateway.ledger.debts_of(stored.id).await?;
                let debt = debts.into_iter().find(|d| d.connection == connection.config.name);
                tally(&mut counts, &decision(gateway, connection, &stored, debt.as_ref(), composition.as_ref())?);
            }
        }
    }
}

fn decision(
    gateway: &Gateway,
    connection: &Connection,
    stored: &StoredRecord,
    debt: Option<&Debt>,
    composition: Option<&Composition>,
) -> Result<Decision, DeliveryError> {
    let record = gateway.vault.record(stored)?;
    let record = record.as_ref();
    let before = Before {
        outcome: Outcome::Unchanged,
        sent: debt.and_then(|d| d.sent_digest),
        confirmed: debt.and_then(|d| d.confirmed_digest),
        unsure: false,
        state: debt.map_or(crate::ledger::DebtState::Unplanned, |d| d.state),
        planned: debt.and_then(|d| Some((d.wanted, d.wanted_digest?))),
    };
    let (decision, _) = match composition {
        Some(composition) => decide_composed(gateway, connection, record, composition, before),
        None => decide(gateway, connection, record, Item::single(connection, record), before),
    };
    Ok(decision)
}

fn tally(counts: &mut Counts, decision: &Decision) {
    match decision {
        Decision::Owe { wanted: Wanted::Present, .. } => counts.send += 1,
        Decision::Owe { wanted: Wanted::Absent, .. } => counts.remove += 1,
        Decision::Refuse { .. } => counts.refuse += 1,
        Decision::Settle { .. } | Decision::Stand => counts.unchanged += 1,
    }
}

/// Marks everything of a connection to be planned under today's terms. Returns how many items.
///
/// # Errors
/// If the ledger fails.
pub async fn replan(gateway: &Gateway, connection: &Connection) -> Result<u64, DeliveryError> {
    let items = gateway.ledger.replan(&connection.target(), &connection.config.tenant).await?;
    let state = gateway.ledger.connection(&connection.config.name).await?;
    gateway.ledger.set_connection(&ConnectionState { planned_under: terms(connection), ..state }).await?;
    connection.bell.notify_waiters();
    Ok(items)
}
