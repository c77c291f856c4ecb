//! Sends debts one by one, lane by lane, several lanes at once.

use super::compose::last_item;
use super::lease::{Lease, Moment};
use super::settle::{Health, after, micros, settling, usable};
use super::{DeliveryError, issue};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Arrival, Attempt, Claim, ClaimedDebt, LedgerError, Micros, Outcome, Settled, Settlement, Wanted};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use silta_adapter::adapter::{Document, Load};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;
use silta_adapter::record::{Record, State};
use std::sync::Arc;

/// What one round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Debts tried.
    pub tried: u64,
    /// True if there was something to work on.
    pub worked: bool,
}

/// Sends what a connection owes until nothing is due.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn round(gateway: &Arc<Gateway>, connection: &Arc<Connection>) -> Result<Round, DeliveryError> {
    let mut sender = Sender::new(gateway.clone(), connection.clone(), std::convert::identity);
    let mut round = Round::default();
    while sender.claim().await? {
        let ended = sender.ended().await;
        round.tried += sender.settle(ended).await?;
        round.worked = true;
    }
    Ok(round)
}

/// Works on as many lanes of a connection at once as its concurrency says. Those that are free are claimed together, and
/// those that end while others are being settled are settled together: under load one commit serves many lanes.
pub(super) struct Sender {
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    lanes: FuturesUnordered<Lane>,
    start: fn(Lane) -> Lane,
}

/// A lane being worked on.
pub(super) type Lane = BoxFuture<'static, Result<Ended, DeliveryError>>;

/// A lane that was worked on.
pub(super) struct Ended {
    settled: Settled,
    attempts: Vec<Attempt>,
    health: Health,
}

impl Sender {
    /// `start` may let a lane run by itself.
    pub(super) fn new(gateway: Arc<Gateway>, connection: Arc<Connection>, start: fn(Lane) -> Lane) -> Self {
        Self { gateway, connection, lanes: FuturesUnordered::new(), start }
    }

    /// True if no lane is being worked on.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Claims due lanes as far as there is room. False if none is being worked on.
    pub(super) async fn claim(&mut self) -> Result<bool, DeliveryError> {
        let asked = Moment::of(&self.gateway);
        let room = self.room(asked.now).await?;
        if room > 0 {
            let pace = &self.gateway.config.delivery;
            let (name, until) = (&self.connection.config.name, asked.now + micros(pace.lease_secs));
            for claim in self.gateway.ledger.claim_lanes(name, asked.now, until, room, pace.batch).await? {
                let work = lane(self.gateway.clone(), self.connection.clone(), claim, asked);
                self.lanes.push((self.start)(work.boxed()));
            }
        }
        Ok(!self.is_idle())
    }

    /// How many more lanes may be worked on. While it is not known that a destination works again, one tries it.
    async fn room(&mut self, now: Micros) -> Result<u32, DeliveryError> {
        let most = self.connection.config.concurrency.max(1);
        let busy = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        if busy >= most {
            return Ok(0);
        }
        let state = self.gateway.ledger.connection(&self.connection.config.name).await?;
        if !usable(&state, now) || self.connection.connected.deliver.is_none() {
            return Ok(0);
        }
        let most = if state.open_until.is_some() { 1 } else { most };
        Ok(most.saturating_sub(busy))
    }

    /// Waits until a lane ends; without a lane, for ever. Whoever gives up waiting has missed nothing.
    pub(super) async fn ended(&mut self) -> Result<Ended, DeliveryError> {
        match self.lanes.next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Settles a lane that ended, with others that have ended too or are about to; how many debts were tried. A lane that
    /// failed is left to the reaper, and so is one that was lost: somebody else has it.
    ///
    /// # Errors
    /// If the ledger fails, or a lane did after all others are settled.
    pub(super) async fn settle(&mut self, first: Result<Ended, DeliveryError>) -> Result<u64, DeliveryError> {
        let mut ended = vec![first];
        // Lanes that wait for nothing but their turn on the processor take it first.
        tokio::task::yield_now().await;
        while let Some(Some(next)) = self.lanes.next().now_or_never() {
            ended.push(next);
        }
        let (mut settled, mut attempts, mut healths) = (Vec::new(), Vec::new(), Vec::new());
        let mut failed = None;
        for lane in ended {
            match lane {
                Ok(lane) => {
                    settled.push(lane.settled);
                    healths.extend((!lane.attempts.is_empty()).then_some(lane.health));
                    attempts.extend(lane.attempts);
                }
                Err(DeliveryError::Ledger(LedgerError::LeaseLost)) => {}
                Err(e) => failed = Some(e),
            }
        }
        self.note(&healths).await?;
        if !settled.is_empty() {
            self.gateway.ledger.settle_lanes(&settled, &attempts).await?;
        }
        failed.map_or(Ok(attempts.len() as u64), Err)
    }

    /// Notes what lanes showed about the destination.
    async fn note(&mut self, healths: &[Health]) -> Result<(), DeliveryError> {
        if healths.is_empty() {
            return Ok(());
        }
        let ledger = &self.gateway.ledger;
        let before = ledger.connection(&self.connection.config.name).await?;
        let (now, pace) = (self.gateway.now(), &self.gateway.config.delivery);
        let state = healths.iter().fold(before.clone(), |state, health| after(state, *health, now, pace));
        if state != before {
            ledger.set_connection(&state).await?;
        }
        Ok(())
    }
}

/// Sends the debts of a lane in order. A failure that passes ends it: the rest of the lane waits with it, other lanes do
/// not.
async fn lane(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    claim: Claim,
    asked: Moment,
) -> Result<Ended, DeliveryError> {
    let pace = &gateway.config.delivery;
    let mut lease = Lease::new(&claim, asked);
    let Claim { lane, token, debts } = claim;
    let mut settled = Settled { lane, token, at: asked.now, next: asked.now, debts: Vec::with_capacity(debts.len()) };
    let mut attempts = Vec::with_capacity(debts.len());
    let mut health = Health::Good;
    for debt in &debts {
        if stands_again(debt) {
            settled.next = gateway.now() + micros(pace.poll_secs);
            break;
        }
        let prepared = prepare(&gateway, &connection, debt).await?;
        connection.paced().await;
        lease.hold(&gateway).await?;
        let started = gateway.now();
        let judgement = send(&gateway, &connection, debt, prepared).await?;
        let at = gateway.now();
        let jitter = gateway.rng.below(1000) as f64 / 1000.0;
        let descriptor = connection.adapter.descriptor();
        let outcome = settling(&judgement, descriptor, connection.readback(), debt.attempts, pace, jitter);
        settled.debts.push(Settlement {
            debt: debt.id,
            generation: debt.generation,
            state: outcome.state,
            fixer: outcome.fixer,
            reason: judgement.reason.clone(),
        });
        attempts.push(Attempt {
            debt: Some(debt.id),
            load: None,
            connection: connection.config.name.clone(),
            at: started,
            took: at - started,
            verdict: judgement.verdict,
            cause: judgement.cause,
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
    Ok(Ended { settled, attempts, health })
}

/// True if a record that is to be taken back came back since that was planned: what is known of it now must not be taken
/// back, and what was to be may not be known any more. The next plan says what is owed.
fn stands_again(debt: &ClaimedDebt) -> bool {
    debt.wanted == Wanted::Absent && debt.changed && !debt.record_state.is_tombstone()
}

/// What pays a debt.
enum Prepared {
    /// A load that has to be sent.
    Load(Load),
    /// Nothing is sent: what is sealed is withdrawn where it was issued.
    Withdraw,
    /// It cannot be sent.
    Judged(Judgement),
}

async fn prepare(gateway: &Gateway, connection: &Connection, debt: &ClaimedDebt) -> Result<Prepared, DeliveryError> {
    let withdrawal = debt.wanted == Wanted::Absent;
    if connection.sealer.is_some() && withdrawal {
        return Ok(Prepared::Withdraw);
    }
    let Some(content) = &debt.content else {
        return Ok(Prepared::Judged(judged(Verdict::Refused, Fixer::Operator, "the content was erased")));
    };
    let mut records = open_item(gateway, content)?;
    if withdrawal {
        take_back(gateway, connection, debt, &mut records).await?;
    }
    let document = match connection.encoder()?.encode(&records, gateway.encode_context(debt.generation)) {
        Ok(encoded) => encoded.document,
        Err(refusal) => {
            return Ok(Prepared::Judged(judged(Verdict::Refused, Fixer::Sender, &refusal.to_string())));
        }
    };
    let document = match &connection.sealer {
        None => document,
        Some(sealer) => match issue::sealed(gateway, connection, sealer, debt, &document).await? {
            Ok(sealed) => sealed,
            Err(judgement) => return Ok(Prepared::Judged(judgement)),
        },
    };
    Ok(Prepared::Load(Load {
        idempotency_key: format!("{}-{}-{}", connection.config.name, debt.item, debt.generation),
        tenant: debt.tenant.clone(),
        document: Document::Bytes(document),
        withdrawal,
    }))
}

/// Turns what was last accepted of an item into its withdrawal: only the item goes, what it was composed of may stand. It
/// carries the revision it was taken back with: whoever goes by revisions would take it for older than what is there, if
/// more arrived than was accepted by our account.
async fn take_back(
    gateway: &Gateway,
    connection: &Connection,
    debt: &ClaimedDebt,
    records: &mut Vec<Record>,
) -> Result<(), DeliveryError> {
    // One record is all that is known where nothing tells any more what was sent: the rest is composed again.
    if connection.composes()
        && records.len() == 1
        && let Some(item) = last_item(gateway, connection, debt.item).await?
    {
        *records = item;
    }
    // It may stand again since: then this is sent late, and has to look it.
    let withdrawal = gateway.ledger.history(debt.item).await?.into_iter().rev().find(takes_back);
    if let Some(root) = records.first_mut() {
        root.head.state = if debt.record_state.is_tombstone() { debt.record_state } else { State::Deleted };
        root.head.source_revision = root.head.source_revision.max(withdrawal.and_then(|w| w.revision));
    }
    Ok(())
}

fn takes_back(arrival: &Arrival) -> bool {
    arrival.state.is_tombstone() && !matches!(arrival.outcome, Outcome::Stale | Outcome::Refused | Outcome::Contested)
}

/// Sends what was prepared.
async fn send(
    gateway: &Gateway,
    connection: &Connection,
    debt: &ClaimedDebt,
    prepared: Prepared,
) -> Result<Judgement, DeliveryError> {
    let load = match prepared {
        Prepared::Load(load) => load,
        Prepared::Withdraw => return issue::withdraw(gateway, connection, debt.item, None).await,
        Prepared::Judged(judgement) => return Ok(judgement),
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
