//! Sends debts one by one, lane by lane.

use super::compose::last_item;
use super::settle::{Health, after, micros, settling};
use super::{DeliveryError, issue};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Attempt, ClaimedDebt, LaneId, LeaseToken, Settled, Settlement, Wanted};
use silta_adapter::adapter::{Document, Load};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;
use silta_adapter::record::{Record, State};

/// What one round over a lane came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Debts tried.
    pub tried: u64,
    /// True if there was a lane to work on.
    pub worked: bool,
}

/// Claims the next due lane of a connection, sends its debts in order and settles them. A failure that passes ends the
/// round: the rest of the lane waits with it, other lanes do not.
///
/// # Errors
/// If the ledger fails or a content cannot be opened. A lost lease is not an error: somebody else has the lane.
pub async fn round(gateway: &Gateway, connection: &Connection) -> Result<Round, DeliveryError> {
    let pace = &gateway.config.delivery;
    let now = gateway.now();
    let lease = now + micros(pace.lease_secs);
    let Some(claim) = gateway.ledger.claim(&connection.config.name, now, lease, pace.batch).await? else {
        return Ok(Round::default());
    };
    let mut settled = Settled {
        lane: claim.lane,
        token: claim.token,
        at: now,
        next: now,
        debts: Vec::with_capacity(claim.debts.len()),
    };
    let mut health = Health::Good;
    let mut tried = 0;
    for debt in &claim.debts {
        connection.paced().await;
        renew(gateway, claim.lane, claim.token).await?;
        let started = gateway.now();
        let judgement = send(gateway, connection, debt).await?;
        tried += 1;
        let at = gateway.now();
        gateway
            .ledger
            .attempted(&Attempt {
                debt: Some(debt.id),
                load: None,
                connection: connection.config.name.clone(),
                at: started,
                took: at - started,
                verdict: judgement.verdict,
                cause: judgement.cause.clone(),
                reason: judgement.reason.clone(),
            })
            .await?;
        let jitter = gateway.rng.below(1000) as f64 / 1000.0;
        let descriptor = connection.adapter.descriptor();
        let outcome = settling(&judgement, descriptor, connection.readback(), debt.attempts, pace, jitter);
        settled.debts.push(Settlement {
            debt: debt.id,
            generation: debt.generation,
            state: outcome.state,
            fixer: outcome.fixer,
            reason: judgement.reason,
        });
        health = outcome.health;
        settled.at = at;
        settled.next = at;
        if let Some(wait) = outcome.wait {
            settled.next = at + wait;
            break;
        }
    }
    if tried > 0 {
        let before = gateway.ledger.connection(&connection.config.name).await?;
        let now = gateway.now();
        let state = after(before.clone(), health, now, pace);
        if state != before {
            gateway.ledger.set_connection(&state).await?;
        }
    }
    gateway.ledger.settle(&settled).await?;
    Ok(Round { tried, worked: true })
}

/// Renews a lease just before something is sent under it. A process that was stopped in between starts over, and learns
/// then that it lost the lane: what it would send may be older than what was sent since.
///
/// # Errors
/// If the lease was lost, or the ledger fails.
pub(super) async fn renew(gateway: &Gateway, lane: LaneId, token: LeaseToken) -> Result<(), DeliveryError> {
    let lease = micros(gateway.config.delivery.lease_secs);
    loop {
        let asked = gateway.now();
        gateway.ledger.renew(lane, token, asked + lease).await?;
        if gateway.now() - asked <= lease / 2 {
            return Ok(());
        }
    }
}

async fn send(gateway: &Gateway, connection: &Connection, debt: &ClaimedDebt) -> Result<Judgement, DeliveryError> {
    if connection.sealer.is_some() && debt.wanted == Wanted::Absent {
        return issue::withdraw(gateway, connection, debt.item, None).await;
    }
    let Some(content) = &debt.content else {
        return Ok(judged(Verdict::Refused, Fixer::Operator, "the content was erased"));
    };
    let mut records = open_item(gateway, content)?;
    let withdrawal = debt.wanted == Wanted::Absent;
    if withdrawal {
        // One record is all that is known where nothing tells any more what was sent: the rest is composed again.
        if connection.composes()
            && records.len() == 1
            && let Some(item) = last_item(gateway, connection, debt.item).await?
        {
            records = item;
        }
        // Only the item goes: what it was composed of may stand.
        if let Some(root) = records.first_mut() {
            let gone = debt.record_state.is_tombstone();
            root.head.state = if gone { debt.record_state } else { State::Deleted };
        }
    }
    let document = match connection.encoder()?.encode(&records, gateway.encode_context(debt.generation)) {
        Ok(encoded) => encoded.document,
        Err(refusal) => return Ok(judged(Verdict::Refused, Fixer::Sender, &refusal.to_string())),
    };
    let sealed = match &connection.sealer {
        None => document,
        Some(sealer) => match issue::sealed(gateway, connection, sealer, debt, &document).await? {
            Ok(sealed) => sealed,
            Err(judgement) => return Ok(judgement),
        },
    };
    let load = Load {
        idempotency_key: format!("{}-{}-{}", connection.config.name, debt.item, debt.generation),
        tenant: debt.tenant.clone(),
        document: Document::Bytes(sealed),
        withdrawal,
    };
    let judgement = deliver(connection, &load).await;
    if connection.sealer.is_none() || !is_accepted(&judgement) {
        return Ok(judgement);
    }
    // The new one is there: those that it takes the place of are withdrawn.
    let withdrawn = issue::withdraw(gateway, connection, debt.item, Some(debt.generation)).await?;
    Ok(if is_accepted(&withdrawn) { judgement } else { withdrawn })
}

/// True if a destination has what it was sent.
pub(super) fn is_accepted(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Accepted | Verdict::AcceptedPending)
}

/// Sends a load over a connection, if it leads anywhere.
pub(super) async fn deliver(connection: &Connection, load: &Load) -> Judgement {
    match &connection.connected.deliver {
        Some(deliver) => deliver.deliver(load).await,
        None => judged(Verdict::Misconfigured, Fixer::Configuration, "the connection has nowhere to deliver to"),
    }
}

/// Opens the content of an item: one record, or the list of records of a projection.
///
/// # Errors
/// If the vault cannot open it.
pub fn open_item(gateway: &Gateway, content: &[u8]) -> Result<Vec<Record>, DeliveryError> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Item {
        Many(Vec<Record>),
        One(Box<Record>),
    }
    Ok(match gateway.vault.open_json(content)? {
        Item::Many(records) => records,
        Item::One(record) => vec![*record],
    })
}

pub(super) fn judged(verdict: Verdict, fixer: Fixer, reason: &str) -> Judgement {
    Judgement { verdict, fixer: Some(fixer), reason: reason.to_owned(), cause: "gateway".into(), retry_after: None }
}
