//! What is owed for a dirty item.

use super::DeliveryError;
use super::compose::{Composition, Item};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{
    DebtState, Decision, DirtyItem, LearnerId, NewProblem, Outcome, Plan, ProblemReading, RecordId, Wanted,
};
use crate::vault::Vault;
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, EncodeContext, Limits, Refusal};
use silta_adapter::canonical::Digest;
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::Record;
use silta_adapter::validate::Conform;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a destination will hold of an item, and what it will not.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// What will be read back, in the order of the item. `None` where it is the item itself.
    pub records: Option<Vec<Record>>,
    /// What the document does not hold as the records say it.
    pub losses: Vec<Loss>,
}

/// The projection of an item through an adapter: what decoding its document gives.
///
/// # Errors
/// If the format cannot hold the item, or its document is not as the schema has it.
pub fn project(
    adapter: &dyn Adapter,
    schema: Option<&dyn Conform>,
    item: &[Record],
    ctx: EncodeContext<'_>,
) -> Result<Projection, Refusal> {
    let internal =
        |what: &str| Refusal::from(Problem::new("not_projected", Severity::Error, Fixer::Configuration, what));
    let (Some(encoder), Some(decoder)) = (adapter.encoder(), adapter.decoder()) else {
        return Err(internal("the adapter cannot both write and read"));
    };
    let encoded = encoder.encode(item, ctx)?;
    let faults = schema.map(|schema| schema.conform(&encoded.document)).unwrap_or_default();
    if !faults.is_empty() {
        let about = |fault: Problem| match item.first() {
            Some(root) => fault.about(&root.head.key),
            None => fault,
        };
        return Err(Refusal(faults.into_iter().map(about).collect()));
    }
    if encoded.losses.is_empty() {
        return Ok(Projection { records: None, losses: Vec::new() });
    }
    let Some(root) = item.first() else { return Err(internal("the item is empty")) };
    let decode = DecodeContext {
        tenant: root.head.key.tenant.clone(),
        source: root.head.key.source.clone(),
        limits: Limits::default(),
    };
    let mut records = Vec::new();
    let read = decoder.decode(&mut encoded.document.as_slice(), &decode, &mut |found| {
        if let Decoded::Record(record, _) = found {
            records.push(*record);
        }
        Ok(())
    });
    match read {
        Ok(_) => {
            let place = |record: &Record| item.iter().position(|of| of.head.key == record.head.key);
            records.sort_by_cached_key(|record| place(record).unwrap_or(usize::MAX));
            Ok(Projection { records: Some(records), losses: encoded.losses })
        }
        Err(_) => Err(internal("the adapter cannot read what it wrote")),
    }
}

/// What is known of a dirty item besides its record.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// How the version that stands came about.
    pub outcome: Outcome,
    /// Digest of what was last accepted.
    pub sent: Option<Digest>,
    /// Digest of what was last seen there.
    pub confirmed: Option<Digest>,
    /// True if an answer was lost: something that no watermark shows may be there.
    pub unsure: bool,
    /// The debt's state.
    pub state: DebtState,
    /// What is wanted by the plan that stands.
    pub planned: Option<(Wanted, Digest)>,
}

impl From<&DirtyItem> for Before {
    fn from(item: &DirtyItem) -> Self {
        Self {
            outcome: item.outcome,
            sent: item.sent,
            confirmed: item.confirmed,
            unsure: item.unsure,
            state: item.state,
            planned: item.planned,
        }
    }
}

/// What is owed for a record's item, and the problems to tell its sender. Pure.
pub fn decide(
    gateway: &Gateway,
    connection: &Connection,
    record: Option<&Record>,
    item: Item<'_>,
    before: Before,
) -> (Decision, Vec<Problem>) {
    if before.state == DebtState::Barred {
        return (Decision::Settle { wanted: Wanted::Absent, state: DebtState::Barred }, Vec::new());
    }
    let item = match item {
        Item::Of(item) => item,
        Item::Refused(problems) => return refuse(problems),
        Item::None => {
            // What may be there although no answer came is taken back like what is.
            let maybe = || record.filter(|_| before.unsure).map(|r| gateway.vault.digest_key().record(r));
            let decision = match before.sent.or(before.confirmed).or_else(maybe) {
                Some(digest) => Decision::Owe { wanted: Wanted::Absent, digest, content: None, losses: None },
                None => Decision::Settle { wanted: Wanted::Absent, state: DebtState::Settled },
            };
            return (decision, Vec::new());
        }
    };
    if connection.config.hold_reverted && before.outcome == Outcome::Reverted {
        let reason = "the record says again what an older version said; held for an operator".to_owned();
        return (Decision::Refuse { fixer: Fixer::Operator, reason }, Vec::new());
    }
    let schema = connection.connected.schema.as_deref();
    match project(&*connection.adapter, schema, &item, gateway.encode_context(0)) {
        Ok(projection) => (owe(&gateway.vault, &item, projection, before), Vec::new()),
        Err(Refusal(problems)) => refuse(problems),
    }
}

fn refuse(problems: Vec<Problem>) -> (Decision, Vec<Problem>) {
    let first = problems.first();
    let decision = Decision::Refuse {
        fixer: first.map_or(Fixer::Sender, |p| p.fixer),
        reason: first.map_or_else(|| "the destination cannot hold it".to_owned(), |p| p.message.clone()),
    };
    (decision, problems)
}

/// As [`decide`], for an item that is looked at because a record changed that it may be composed of: where nothing else
/// is wanted than before, what was planned stands, with its generation and all that was tried.
pub fn decide_composed(
    gateway: &Gateway,
    connection: &Connection,
    record: Option<&Record>,
    composition: &Composition,
    mut before: Before,
) -> (Decision, Vec<Problem>) {
    let item = record.map_or(Item::None, |record| composition.item(&record.head.key));
    if let Item::Of(item) = &item
        && composition.is_reverted(item)
    {
        before.outcome = Outcome::Reverted;
    }
    let refused = matches!(item, Item::Refused(_));
    let (decision, mut problems) = decide(gateway, connection, record, item, before);
    if let Some(record) = record.filter(|_| !refused) {
        problems.extend_from_slice(composition.problems(&record.head.key));
    }
    let stands = match (&decision, before.planned) {
        (Decision::Owe { wanted: Wanted::Present, digest, .. }, Some((Wanted::Present, planned))) => *digest == planned,
        (Decision::Owe { wanted: Wanted::Absent, .. }, Some((Wanted::Absent, _))) => before.state != DebtState::Settled,
        (Decision::Settle { wanted: Wanted::Absent, .. }, Some((Wanted::Absent, _))) => true,
        _ => false,
    };
    (if stands { Decision::Stand } else { decision }, problems)
}

fn owe(vault: &Vault, item: &[Record], projection: Projection, before: Before) -> Decision {
    let digest = vault.digest_key().records(projection.records.as_deref().unwrap_or(item));
    let settled = |state| Decision::Settle { wanted: Wanted::Present, state };
    // After a lost answer nothing can be settled unsent.
    if before.sent == Some(digest) && !before.unsure {
        match before.state {
            _ if before.confirmed == Some(digest) => return settled(DebtState::Confirmed),
            DebtState::Sent | DebtState::Unverifiable => return settled(before.state),
            _ => {}
        }
    }
    Decision::Owe {
        wanted: Wanted::Present,
        digest,
        content: match (&projection.records, item) {
            (Some(records), _) => Some(vault.seal_json(records)),
            (None, [_]) => None,
            (None, item) => Some(vault.seal_json(item)),
        },
        losses: (!projection.losses.is_empty()).then(|| vault.seal_json(&projection.losses)),
    }
}

/// Plans the dirty items of a connection until none is left, and rings for whoever sends. Returns how many were planned.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn plan_all(gateway: &Gateway, connection: &Connection) -> Result<u64, DeliveryError> {
    const BATCH: u32 = 500;
    let mut planned = 0;
    loop {
        let dirty = gateway.ledger.dirty(&connection.config.name, BATCH).await?;
        if dirty.is_empty() {
            return Ok(planned);
        }
        let mut plans = Vec::with_capacity(dirty.len());
        let mut told = Vec::new();
        let mut composed: HashMap<LearnerId, Composition> = HashMap::new();
        for item in &dirty {
            let record = gateway.vault.record(&item.record)?;
            let (decision, problems) = if connection.composes() {
                // Read after the marks: a record that changed since has set new ones, and this plan counts for nothing.
                let composition = match composed.entry(item.record.learner) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(Composition::of(gateway, connection, item.record.learner).await?),
                };
                decide_composed(gateway, connection, record.as_ref(), composition, item.into())
            } else {
                decide(gateway, connection, record.as_ref(), Item::single(connection, record.as_ref()), item.into())
            };
            told.extend(problems.into_iter().map(|p| new_problem(&gateway.vault, Some(item.record.id), &p)));
            plans.push(Plan { debt: item.debt, mark: item.mark, decision });
        }
        let now = gateway.now();
        gateway.ledger.plan(&connection.config.name, now, &plans).await?;
        connection.bell.notify_waiters();
        let reading = ProblemReading {
            tenant: connection.config.tenant.clone(),
            at: now,
            origin: connection.config.name.clone(),
            records: dirty.iter().map(|item| item.record.id).collect(),
            problems: told,
        };
        gateway.ledger.settle_problems(&reading).await?;
        planned += dirty.len() as u64;
    }
}

/// A problem as the ledger takes it.
pub fn new_problem(vault: &Vault, record: Option<RecordId>, problem: &Problem) -> NewProblem {
    NewProblem {
        record,
        code: problem.code.clone(),
        severity: problem.severity,
        fixer: problem.fixer,
        content: vault.seal_json(problem),
    }
}
