//! The items of one learner, where an adapter composes them from all of a learner's records.

use super::DeliveryError;
use super::items::open_item;
use super::rules::carries;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Holding, HoldingCursor, LearnerId, Outcome, RecordId};
use silta_adapter::adapter::Encode;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Record, RecordKey, RecordKind, State};
use std::borrow::Cow;
use std::collections::HashMap;

/// What a record is at a connection.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// The root of an item of these records, itself the first.
    Of(Cow<'a, [Record]>),
    /// No item can be made of it.
    Refused(Vec<Problem>),
    /// None: it is not carried, or is part of others only.
    None,
}

impl<'a> Item<'a> {
    /// A record as an item of its own, where the connection carries it.
    pub fn single(connection: &Connection, record: Option<&'a Record>) -> Self {
        match record.filter(|record| carries(record, &connection.config, connection.adapter.descriptor())) {
            Some(record) => Self::Of(Cow::Borrowed(std::slice::from_ref(record))),
            None => Self::None,
        }
    }
}

/// All items of a learner at a connection, by their roots.
#[derive(Debug, Default)]
pub struct Composition {
    records: Vec<Record>,
    plans: HashMap<RecordKey, Vec<usize>>,
    problems: HashMap<RecordKey, Vec<Problem>>,
    reverted: Vec<RecordKey>,
}

impl Composition {
    /// Composes the items of a learner from all records that the connection carries.
    ///
    /// # Errors
    /// If the ledger fails or a content cannot be opened.
    pub async fn of(gateway: &Gateway, connection: &Connection, learner: LearnerId) -> Result<Self, DeliveryError> {
        let (config, adapter) = (&connection.config, connection.adapter.descriptor());
        let (mut records, mut reverted) = (Vec::new(), Vec::new());
        for stored in gateway.ledger.records_of(&config.tenant, learner).await? {
            let record = gateway.vault.record(&stored)?;
            let Some(record) = record.filter(|record| carries(record, config, adapter)) else { continue };
            if config.hold_reverted && is_reverted(gateway, stored.id).await? {
                reverted.push(record.head.key.clone());
            }
            records.push(record);
        }
        Ok(Self { reverted, ..Self::compose(connection.encoder()?, records) })
    }

    fn compose(encoder: &dyn Encode, records: Vec<Record>) -> Self {
        let (plans, told) = encoder.items(&records);
        let plans = plans.into_iter().map(|plan| (plan.root, plan.members)).collect();
        let mut problems: HashMap<RecordKey, Vec<Problem>> = HashMap::new();
        for problem in told {
            // One about none of them is about the learner, whose record is the first.
            if let Some(key) = problem.key.as_ref().or_else(|| Some(&records.first()?.head.key)) {
                problems.entry(key.clone()).or_default().push(problem);
            }
        }
        Self { records, plans, problems, reverted: Vec::new() }
    }

    /// What a record is among them.
    pub fn item(&self, key: &RecordKey) -> Item<'_> {
        let problems = self.problems(key);
        match self.plans.get(key) {
            Some(members) => {
                Item::Of(members.iter().filter_map(|at| self.records.get(*at)).cloned().collect::<Vec<_>>().into())
            }
            None if problems.iter().any(|problem| problem.severity == Severity::Error) => {
                Item::Refused(problems.to_vec())
            }
            None => Item::None,
        }
    }

    /// What composing found wrong with a record.
    pub fn problems(&self, key: &RecordKey) -> &[Problem] {
        self.problems.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// True if a record of an item says again what an older version of it said. Known only where such are held.
    pub fn is_reverted(&self, item: &[Record]) -> bool {
        item.iter().any(|record| self.reverted.contains(&record.head.key))
    }
}

async fn is_reverted(gateway: &Gateway, record: RecordId) -> Result<bool, DeliveryError> {
    let arrivals = gateway.ledger.history(record).await?;
    Ok(arrivals.iter().rev().find(|arrival| arrival.outcome.wrote()).is_some_and(|a| a.outcome == Outcome::Reverted))
}

/// The item that a record was the root of, where nothing tells any more what it was sent as: as it would be composed if
/// the record and those of its learner still stood. `None` if it is the root of none.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn last_item(
    gateway: &Gateway,
    connection: &Connection,
    root: RecordId,
) -> Result<Option<Vec<Record>>, DeliveryError> {
    let Some(stored) = gateway.ledger.record(root).await? else { return Ok(None) };
    let Some(record) = gateway.vault.record(&stored)? else { return Ok(None) };
    let key = record.head.key;
    let mut records = Vec::new();
    for stored in gateway.ledger.records_of(&stored.tenant, stored.learner).await? {
        let Some(mut record) = gateway.vault.record(&stored)? else { continue };
        if record.head.key == key || stored.kind == RecordKind::Learner {
            record.head.state = State::Current;
            records.push(record);
        }
    }
    Ok(match Composition::compose(connection.encoder()?, records).item(&key) {
        Item::Of(records) => Some(records.into_owned()),
        Item::Refused(_) | Item::None => None,
    })
}

/// Items of a learner at a connection that a record is part of without being their root, as they were last planned or
/// accepted.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn wholes(
    gateway: &Gateway,
    connection: &Connection,
    learner: LearnerId,
    part: &RecordKey,
) -> Result<Vec<Holding>, DeliveryError> {
    const PAGE: u32 = 200;
    let mut after = HoldingCursor { learner, rank: 0, debt: 0 };
    let mut wholes = Vec::new();
    loop {
        let page = gateway.ledger.holdings(&connection.config.name, Some(after), PAGE).await?;
        let full = page.len() == PAGE as usize;
        after = page.last().map_or(after, Holding::cursor);
        for holding in page {
            if holding.learner != learner {
                return Ok(wholes);
            }
            let contents = [&holding.wanted_content, &holding.sent_content];
            let mut is_part = false;
            for (_, sealed) in contents.into_iter().flatten() {
                is_part |= open_item(gateway, sealed)?.iter().skip(1).any(|record| record.head.key == *part);
            }
            if is_part {
                wholes.push(holding);
            }
        }
        if !full {
            return Ok(wholes);
        }
    }
}
