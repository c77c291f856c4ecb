//! Reading back what a Sisu holds, from its export.

use crate::Sisu;
use crate::export::{ATTAINMENTS, Export};
use crate::import::Recent;
use async_trait::async_trait;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Holding, Inventory, LearnerQuery, NotRead};
use silta_adapter::json::Json;
use std::collections::HashMap;
use std::sync::Arc;

/// Reads back what a Sisu holds. There is no question about single persons: every call reads the whole feed, so it asks
/// about many at once. What was imported shows after the lag of the copies, about an hour.
pub(crate) struct Readback {
    export: Arc<Export>,
    recent: Arc<Recent>,
}

impl Readback {
    pub(crate) fn new(export: Arc<Export>, recent: Arc<Recent>) -> Self {
        Self { export, recent }
    }
}

#[async_trait]
impl Inventory for Readback {
    fn batch(&self) -> usize {
        10_000
    }

    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let asked: HashMap<&str, usize> = learners.iter().enumerate().map(|(at, q)| (q.learner.as_str(), at)).collect();
        let mut newest: HashMap<String, (usize, Json)> = HashMap::new();
        let mut since = 0;
        loop {
            let page = self.export.page(ATTAINMENTS, since).await?;
            keep(&page.text, &asked, &mut newest);
            since = page.next;
            if !page.more {
                break;
            }
        }
        let mut entities: Vec<Vec<Json>> = learners.iter().map(|_| Vec::new()).collect();
        for (at, entity) in newest.into_values() {
            entities[at].push(entity);
        }
        let holding = |(query, entities)| {
            let mut holding = holding(ctx, query, entities);
            // Until the copies have followed, what they do not show may be there.
            holding.complete &= !self.recent.concerns(&learners[query].learner);
            holding
        };
        Ok(entities.into_iter().enumerate().map(holding).collect())
    }
}

/// Keeps what a page says of the persons asked about; pages come in the order of ordinals, so what comes later counts.
fn keep(page: &str, asked: &HashMap<&str, usize>, newest: &mut HashMap<String, (usize, Json)>) {
    let Ok(Json::Object(members)) = Json::parse(page) else { return };
    let Some((_, Json::List(entities))) = members.into_iter().find(|(name, _)| name == "entities") else { return };
    for entity in entities {
        let Json::Object(members) = &entity else { continue };
        let text = |name: &str| {
            members.iter().find_map(|(known, value)| match value {
                Json::Text(text) if known == name => Some(text.as_str()),
                _ => None,
            })
        };
        let Some(id) = text("id").map(str::to_owned) else { continue };
        let known = newest.get(&id).map(|(at, _)| *at);
        if let Some(at) = text("personId").and_then(|person| asked.get(person).copied()).or(known) {
            let ordinal = |entity: &Json| ordinal(entity);
            if newest.get(&id).is_none_or(|(_, before)| ordinal(before) <= ordinal(&entity)) {
                newest.insert(id, (at, entity));
            }
        }
    }
}

fn ordinal(entity: &Json) -> Option<u64> {
    let member = |json: &Json, name: &str| match json {
        Json::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
        _ => None,
    };
    match member(&member(entity, "metadata")?, "modificationOrdinal")? {
        Json::Number(text) => text.parse().ok(),
        _ => None,
    }
}

fn holding(ctx: &DecodeContext, query: usize, entities: Vec<Json>) -> Holding {
    let mut holding = Holding { query, complete: true, ..Holding::default() };
    let document = serde_json::to_vec(&Json::List(entities)).unwrap_or_default();
    let mut sink = |found| {
        match found {
            // What was taken back is not held.
            Decoded::Record(record, _) if record.head.state.is_tombstone() => {}
            Decoded::Record(record, _) => holding.records.push(*record),
            Decoded::Problem(problem) => holding.problems.push(problem),
        }
        Ok(())
    };
    let read = Sisu.decode(&mut document.as_slice(), ctx, &mut sink);
    holding.complete = read.is_ok() && holding.problems.is_empty();
    holding
}
