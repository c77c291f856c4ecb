//! A record in any format.

use super::ExchangeError;
use crate::gateway::Gateway;
use crate::ledger::StoredRecord;
use silta_adapter::adapter::{Adapter, Encoded, Grouping, Refusal};
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;

/// Opens a stored record.
///
/// # Errors
/// If the vault cannot open it. `None` if it has no content (erased, or a tombstone that never had any).
pub fn open(gateway: &Gateway, stored: &StoredRecord) -> Result<Option<Record>, ExchangeError> {
    Ok(gateway.vault.record(stored)?)
}

/// Writes a stored record in a format. Where the format composes items from all records of a learner (a degree with
/// its parts), the item the record belongs to is given: the one it is the root of, else the first it is part of.
///
/// # Errors
/// If the record has no content, or the format cannot hold it.
pub async fn write(gateway: &Gateway, adapter: &dyn Adapter, stored: &StoredRecord) -> Result<Encoded, ExchangeError> {
    let encoder = adapter.encoder().ok_or(ExchangeError::NoFormat)?;
    let ctx = gateway.encode_context(stored.version);
    let gone =
        || ExchangeError::Refused(Refusal::from(Problem::error("no_content", "the record has no content any more")));
    let record = open(gateway, stored)?.ok_or_else(gone)?;
    if adapter.descriptor().grouping == Grouping::Record {
        return Ok(encoder.encode(std::slice::from_ref(&record), ctx)?);
    }
    let all = gateway.ledger.records_of(&stored.tenant, stored.learner).await?;
    let all: Vec<Record> =
        all.iter().map(|s| open(gateway, s)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let (plans, _) = encoder.items(&all);
    let is_root = |plan: &&silta_adapter::adapter::ItemPlan| plan.root == record.head.key;
    let has =
        |plan: &&silta_adapter::adapter::ItemPlan| plan.members.iter().any(|m| all[*m].head.key == record.head.key);
    let plan = plans.iter().find(is_root).or_else(|| plans.iter().find(has)).ok_or_else(|| {
        let problem =
            Problem::error("no_item", "this format has no document for such a record").about(&record.head.key);
        ExchangeError::Refused(Refusal::from(problem))
    })?;
    let item: Vec<Record> = plan.members.iter().map(|m| all[*m].clone()).collect();
    Ok(encoder.encode(&item, ctx)?)
}
