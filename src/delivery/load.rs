//! Builds and sends whole loads, in which absence means deletion.

use super::DeliveryError;
use super::carry::{Candidate, Carry, Guard, Shape, carry, guard, last_good, make_whole};
use super::checks::{Counts, Findings};
use super::items::{Round, deliver, open_item};
use super::lease::{Lease, Moment};
use super::settle::{Health, after, backoff, micros};
use super::walk::{Learner, Walk};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{
    Attempt, Claim, ConnectionState, DebtState, LoadStatus, ManifestEntry, Micros, NewLoad, Sealed, Settled, Settlement,
};
use silta_adapter::adapter::{Document, Load};
use silta_adapter::canonical::Digest;
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;
use silta_adapter::record::{Record, RecordKind, Reference, ReferenceRole};
use smol_str::SmolStr;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

/// Builds and sends a load if the connection owes anything, its interval has passed and no load waits for an operator.
///
/// # Errors
/// If the ledger fails, a content cannot be opened or the load cannot be written. The load is closed as failed then
/// and everything stays owed.
pub async fn round(gateway: &Arc<Gateway>, connection: &Arc<Connection>) -> Result<Round, DeliveryError> {
    let pace = &gateway.config.delivery;
    let name = &connection.config.name;
    let asked = Moment::of(gateway);
    let now = asked.now;
    // The lane is claimed without its debts: a load settles its manifest, not a claim.
    let Some(claim) = gateway.ledger.claim(name, now, now + micros(pace.lease_secs), 0).await? else {
        return Ok(Round::default());
    };
    let mut lease = Lease::new(&claim, asked);
    let state = gateway.ledger.connection(name).await?;
    let due = state.last_load.map_or(now, |last| last + micros(connection.config.min_interval_secs));
    // A load that did not get through decides nothing: what an operator ruled before it still holds.
    let loads = gateway.ledger.loads(Some(name), false, 50).await?;
    let newest = loads.into_iter().find(|load| load.status != LoadStatus::Failed);
    let waits = newest.as_ref().is_some_and(|load| load.status == LoadStatus::Held);
    if due > now || waits {
        let next = if waits { now + micros(pace.poll_secs) } else { due };
        give_back(gateway, &claim, next, Vec::new()).await?;
        return Ok(Round::default());
    }
    let released = match newest.filter(|load| load.status == LoadStatus::Released) {
        Some(load) => {
            let shrinkage = gateway.ledger.shrinkage(name, load.id).await?;
            Some(shrinkage.before.map(|_| shrinkage.removed))
        }
        None => None,
    };
    let load = gateway
        .ledger
        .open_load(&NewLoad {
            connection: name.clone(),
            tenant: connection.config.tenant.clone(),
            at: now,
            status: LoadStatus::Sending,
            reason: String::new(),
        })
        .await?;
    match build_and_send(gateway, connection, &mut lease, load, released).await {
        Ok((next, waiting)) => {
            give_back(gateway, &claim, next, waiting).await?;
            Ok(Round { tried: 1, worked: true })
        }
        Err(e) => {
            gateway.ledger.close_load(load, gateway.now(), LoadStatus::Failed, &e.to_string()).await?;
            let next = gateway.now() + backoff(state.failures, pace, 1.0);
            give_back(gateway, &claim, next, Vec::new()).await?;
            Err(e)
        }
    }
}

async fn give_back(
    gateway: &Gateway,
    claim: &Claim,
    next: Micros,
    debts: Vec<Settlement>,
) -> Result<(), DeliveryError> {
    let settled = Settled { lane: claim.lane, token: claim.token, at: gateway.now(), next, debts };
    Ok(gateway.ledger.settle(&settled).await?)
}

/// Returns when the lane may be claimed again, and the debts that wait for another item.
async fn build_and_send(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    lease: &mut Lease,
    load: i64,
    released: Option<Option<i64>>,
) -> Result<(Micros, Vec<Settlement>), DeliveryError> {
    let pace = &gateway.config.delivery;
    let name = &connection.config.name;
    let (file, waiting) = build(gateway, connection, lease, load).await?;
    let shrinkage = gateway.ledger.shrinkage(name, load).await?;
    let placed = gateway.ledger.load(load).await?.map_or(0, |load| load.items);
    if let Guard::Hold(reason) = guard(placed, shrinkage, connection.config.shrink_share, released) {
        gateway.ledger.close_load(load, gateway.now(), LoadStatus::Held, &reason).await?;
        tracing::warn!(connection = %name, load, removed = shrinkage.removed, "load held for an operator");
        return Ok((gateway.now() + micros(pace.poll_secs), waiting));
    }
    let judgement = send(gateway, connection, lease, load, &file).await?;
    let now = gateway.now();
    let mut state = gateway.ledger.connection(name).await?;
    let delivered = matches!(judgement.verdict, Verdict::Accepted | Verdict::AcceptedPending);
    let (status, health) = match judgement.verdict {
        _ if delivered => (LoadStatus::Delivered, Health::Good),
        Verdict::Refused | Verdict::Barred => (LoadStatus::Refused, Health::Failing),
        Verdict::Auth | Verdict::Misconfigured => (LoadStatus::Failed, Health::Misconfigured),
        _ => (LoadStatus::Failed, Health::Failing),
    };
    gateway.ledger.close_load(load, now, status, &judgement.reason).await?;
    let wait = backoff(state.failures, pace, gateway.rng.below(1000) as f64 / 1000.0);
    if delivered {
        state.last_load = Some(now);
    }
    gateway.ledger.set_connection(&after(state, health, now, pace)).await?;
    let next = if delivered { now } else { now + judgement.retry_after.map_or(wait, |d| d.as_micros() as Micros) };
    Ok((next, waiting))
}

async fn send(
    gateway: &Gateway,
    connection: &Connection,
    lease: &mut Lease,
    load: i64,
    file: &NamedTempFile,
) -> Result<Judgement, DeliveryError> {
    let name = &connection.config.name;
    connection.paced().await;
    lease.hold(gateway).await?;
    let started = gateway.now();
    let document = Load {
        idempotency_key: format!("{name}-{load:012}"),
        tenant: connection.config.tenant.clone(),
        document: Document::File(file.path().to_owned()),
        withdrawal: false,
    };
    let judgement = renewing(gateway, lease, deliver(connection, &document)).await?;
    let attempt = Attempt {
        debt: None,
        load: Some(load),
        connection: name.clone(),
        at: started,
        took: gateway.now() - started,
        verdict: judgement.verdict,
        cause: judgement.cause.clone(),
        reason: judgement.reason.clone(),
    };
    gateway.ledger.attempted(&attempt).await?;
    Ok(judgement)
}

/// Keeps the lane while a load is sent, however long that takes. A lease that is lost ends the sending: somebody else
/// has the lane, and a load of theirs must not be overtaken by ours.
async fn renewing(
    gateway: &Gateway,
    lease: &mut Lease,
    sending: impl Future<Output = Judgement>,
) -> Result<Judgement, DeliveryError> {
    let third = Duration::from_secs((gateway.config.delivery.lease_secs / 3).max(1));
    tokio::pin!(sending);
    loop {
        match tokio::time::timeout(third, &mut sending).await {
            Ok(judgement) => return Ok(judgement),
            Err(_) => lease.renew(gateway).await?,
        }
    }
}

/// Writes the load to a private file and its manifest to the ledger, some learners at a time. Returns the file and the
/// debts that have to wait for another item.
async fn build(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    lease: &mut Lease,
    load: i64,
) -> Result<(NamedTempFile, Vec<Settlement>), DeliveryError> {
    const LEARNERS: usize = 200;
    let (pages, inbox) = mpsc::channel::<Vec<Learner>>(1);
    let (outbox, mut written) = mpsc::channel::<Page>(1);
    let writer = {
        let (gateway, connection) = (gateway.clone(), connection.clone());
        tokio::task::spawn_blocking(move || write(&gateway, &connection, inbox, &outbox))
    };
    let mut walk = Walk::new(gateway, connection);
    let (mut waiting, mut counts) = (Vec::new(), Counts::default());
    loop {
        let learners = walk.next(LEARNERS).await?;
        // The writer hangs up only when it failed; its own error is reported below.
        if learners.is_empty() || pages.send(learners).await.is_err() {
            break;
        }
        let Some(Page { lines, findings }) = written.recv().await else { break };
        findings.tell(gateway, connection, &mut counts).await?;
        let mut entries = Vec::with_capacity(lines.len());
        for Line { entry, waits } in lines {
            if let Some(reason) = waits {
                waiting.push(Settlement {
                    debt: entry.debt,
                    generation: entry.generation,
                    state: DebtState::Waiting,
                    fixer: Some(Fixer::Sender),
                    reason: reason.to_owned(),
                });
            }
            if entry.digest.is_some() || entry.wanted {
                entries.push(entry);
            }
        }
        gateway.ledger.add_to_manifest(load, &entries).await?;
        lease.renew(gateway).await?;
    }
    drop(pages);
    if !counts.is_empty() {
        tracing::info!(connection = %connection.config.name, load, ?counts, "checked");
    }
    let file = writer.await.map_err(|e| DeliveryError::Spool(std::io::Error::other(e.to_string())))??;
    Ok((file, waiting))
}

/// Some learners as the writer disposed of them.
#[derive(Default)]
struct Page {
    lines: Vec<Line>,
    findings: Findings,
}

/// One item as the writer disposed of it.
struct Line {
    entry: ManifestEntry,
    waits: Option<&'static str>,
}

/// Writes learners as they come, each one's rows in the order of kinds.
fn write(
    gateway: &Gateway,
    connection: &Connection,
    mut inbox: mpsc::Receiver<Vec<Learner>>,
    outbox: &mpsc::Sender<Page>,
) -> Result<NamedTempFile, DeliveryError> {
    let file = NamedTempFile::new()?;
    let mut out = BufWriter::with_capacity(1 << 16, file.as_file());
    let form = connection.encoder()?.form_for(&RecordKind::ALL);
    let mut writer = connection.encoder()?.document(&mut out, form.as_deref(), gateway.encode_context(0))?;
    while let Some(learners) = inbox.blocking_recv() {
        let mut page = Page::default();
        for learner in &learners {
            let mut items = dispose(gateway, learner, connection.composes(), &mut page.lines)?;
            items.sort_by_key(|item| item.first().map(|root| root.head.key.kind));
            for item in &items {
                writer.write(item)?;
            }
            let rows: Vec<Record> = items.into_iter().flatten().collect();
            page.findings.look(gateway, connection, learner, &rows);
        }
        if outbox.blocking_send(page).is_err() {
            break;
        }
    }
    writer.finish()?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    Ok(file)
}

/// Decides what a load carries for one learner, and gives the items.
fn dispose(
    gateway: &Gateway,
    learner: &Learner,
    composed: bool,
    lines: &mut Vec<Line>,
) -> Result<Vec<Vec<Record>>, DeliveryError> {
    let open = |content: Option<&(Digest, Sealed)>| -> Result<Vec<Record>, DeliveryError> {
        content.map_or_else(|| Ok(Vec::new()), |(_, sealed)| open_item(gateway, sealed))
    };
    let mut contents = Vec::with_capacity(learner.holdings.len());
    let mut candidates = Vec::with_capacity(learner.holdings.len());
    for holding in &learner.holdings {
        let carry = carry(holding);
        let wanted = if carry == Carry::Wanted { open(holding.wanted_content.as_ref())? } else { Vec::new() };
        // What was last accepted matters only where what is wanted may have to wait.
        let same = holding.wanted_content.as_ref().map(|c| c.0) == last_good(holding).map(|c| c.0);
        let good = if carry == Carry::Wanted && same { wanted.clone() } else { open(last_good(holding))? };
        candidates.push(Candidate { carry, wanted: shape(&wanted), last_good: shape(&good), waits: None });
        contents.push((wanted, good));
    }
    // A composed item has its parts in it.
    if !composed {
        make_whole(&mut candidates);
    }
    let mut items = Vec::with_capacity(candidates.len());
    let mut carried = |records: Vec<Record>| match composed {
        true => items.push(records),
        false => items.extend(records.into_iter().map(|row| vec![row])),
    };
    for ((holding, candidate), (wanted, good)) in learner.holdings.iter().zip(candidates).zip(contents) {
        let digest = match candidate.carry {
            Carry::Wanted => holding.wanted_content.as_ref().map(|c| c.0),
            Carry::LastGood => last_good(holding).map(|c| c.0),
            Carry::LeftOut | Carry::Nothing => None,
        };
        let entry = ManifestEntry {
            debt: holding.debt,
            item: holding.item,
            generation: holding.generation,
            digest,
            wanted: matches!(candidate.carry, Carry::Wanted | Carry::LeftOut),
        };
        lines.push(Line { entry, waits: candidate.waits });
        match candidate.carry {
            Carry::Wanted => carried(wanted),
            Carry::LastGood => carried(good),
            Carry::LeftOut | Carry::Nothing => {}
        }
    }
    Ok(items)
}

/// Source key and parts of a content.
fn shape(records: &[Record]) -> Option<Shape> {
    let record = records.first()?;
    let is_part = |r: &Reference| r.role == ReferenceRole::Part;
    let parts = record.references().into_iter().filter(is_part).map(|r| r.id).collect();
    // Keys of different kinds may be equal; only attainments are parts of each other.
    let id =
        if record.head.key.kind == RecordKind::Attainment { record.head.key.id.clone() } else { SmolStr::default() };
    Some(Shape { id, parts })
}

/// What an operator decides about a held load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It may be sent; it is built anew and may remove no more than what was shown.
    Release,
    /// It is not sent; the next change makes a new one.
    Reject,
}

/// Rules on a held load. False if there is no such load, or it is not held.
///
/// # Errors
/// If the ledger fails.
pub async fn rule(gateway: &Gateway, load: i64, ruling: Ruling, by: &str) -> Result<bool, DeliveryError> {
    let Some(held) = gateway.ledger.load(load).await?.filter(|l| l.status == LoadStatus::Held) else {
        return Ok(false);
    };
    let (status, reason) = match ruling {
        Ruling::Release => (LoadStatus::Released, format!("released by {by}")),
        Ruling::Reject => (LoadStatus::Rejected, format!("rejected by {by}")),
    };
    gateway.ledger.close_load(load, gateway.now(), status, &reason).await?;
    if let Some(connection) = gateway.connection(&held.connection) {
        connection.bell.notify_waiters();
    }
    Ok(true)
}

/// Pauses or resumes a connection; resuming also closes its breaker.
///
/// # Errors
/// If the ledger fails.
pub async fn pause(gateway: &Gateway, connection: &Connection, paused: bool) -> Result<(), DeliveryError> {
    let state = gateway.ledger.connection(&connection.config.name).await?;
    let changed = ConnectionState { paused, failures: 0, open_until: None, ..state };
    gateway.ledger.set_connection(&changed).await?;
    connection.bell.notify_waiters();
    Ok(())
}
