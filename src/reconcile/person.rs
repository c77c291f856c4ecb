//! One person, however many learners of a tenant she is: asked about by all that is known of her, answered as one.
//!
//! A store is asked about each of her learners by its local id and by the identifiers of all of them, and what it says
//! is taken together: what it holds under another of her numbers is neither missing nor a stranger.

use crate::delivery::DeliveryError;
use crate::delivery::walk::{self, Learner};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Holding, LearnerId};
use silta_adapter::adapter::{self, LearnerQuery};
use silta_adapter::canonical;
use silta_adapter::record::{Body, Record, RecordKind};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};

/// A person with items at a connection.
pub(super) struct Person {
    /// Her learners with items there.
    learners: Vec<Learner>,
    /// What the store is asked, about each of them.
    pub(super) queries: Vec<LearnerQuery>,
    /// Under which local ids she is known.
    pub(super) names: Vec<SmolStr>,
}

impl Person {
    /// Her items.
    pub(super) fn holdings(&self) -> impl Iterator<Item = &Holding> {
        self.learners.iter().flat_map(|learner| &learner.holdings)
    }

    /// How many learners she is there.
    pub(super) fn learners(&self) -> usize {
        self.learners.len()
    }

    /// True if she is this learner, with items there.
    pub(super) fn is(&self, learner: LearnerId) -> bool {
        self.learners.iter().any(|one| one.id == learner)
    }

    /// Which of her learners a record is about.
    pub(super) fn learner_of(&self, record: Option<&Record>) -> LearnerId {
        let named = |query: &LearnerQuery| record.is_some_and(|record| record.head.learner == query.learner);
        let at = self.queries.iter().position(named).unwrap_or_default();
        self.learners.get(at).or(self.learners.first()).map_or(LearnerId([0; 16]), |learner| learner.id)
    }
}

/// Puts learners together who are one person by the links that stand now.
#[derive(Default)]
pub(super) struct Gathering {
    /// Learners who were taken with another before the walk came to them.
    taken: HashSet<LearnerId>,
}

impl Gathering {
    /// The persons of the next learners of a walk, each with her first learner there.
    pub(super) async fn persons(
        &mut self,
        gateway: &Gateway,
        connection: &Connection,
        learners: Vec<Learner>,
    ) -> Result<Vec<Person>, DeliveryError> {
        let mut persons = Vec::with_capacity(learners.len());
        for learner in learners {
            if !self.taken.remove(&learner.id) {
                persons.push(self.person(gateway, connection, learner).await?);
            }
        }
        Ok(persons)
    }

    async fn person(
        &mut self,
        gateway: &Gateway,
        connection: &Connection,
        first: Learner,
    ) -> Result<Person, DeliveryError> {
        let mut queries = vec![question(gateway, connection, first.id).await?];
        let mut names = vec![queries[0].learner.clone()];
        let mut identifiers = queries[0].identifiers.clone();
        let mut learners = vec![first];
        for other in gateway.ledger.same_person(&connection.config.tenant, learners[0].id).await? {
            if other == learners[0].id {
                continue;
            }
            let query = question(gateway, connection, other).await?;
            let more: Vec<_> = query.identifiers.iter().filter(|one| !identifiers.contains(*one)).cloned().collect();
            identifiers.extend(more);
            names.push(query.learner.clone());
            let holdings = walk::holdings_of(gateway, connection, other).await?;
            if holdings.is_empty() {
                continue;
            }
            // A link may be younger than the walk's look at her.
            if other > learners[0].id {
                self.taken.insert(other);
            }
            learners.push(Learner { id: other, holdings });
            queries.push(query);
        }
        if names.len() > 1 {
            queries.iter_mut().for_each(|query| query.identifiers.clone_from(&identifiers));
        }
        Ok(Person { learners, queries, names })
    }
}

/// What to ask about a learner: all identifiers known, from every learner record, current or not.
pub(super) async fn question(
    gateway: &Gateway,
    connection: &Connection,
    learner: LearnerId,
) -> Result<LearnerQuery, DeliveryError> {
    let mut query = LearnerQuery::default();
    for stored in gateway.ledger.records_of(&connection.config.tenant, learner).await? {
        let Some(content) = &stored.content else { continue };
        if query.learner.is_empty() || stored.kind == RecordKind::Learner {
            let record: Record = gateway.vault.open_json(content)?;
            // A tombstone that named nobody keeps the content of whom it was about: she is asked about elsewhere.
            if gateway.vault.learner_id(&record.learner_key()) != learner {
                continue;
            }
            (query.source, query.learner) = (record.head.key.source, record.head.learner);
            if let Some(Body::Learner(body)) = record.body {
                query.identifiers.extend(body.identifiers.0);
            }
        }
    }
    Ok(query)
}

/// The answers about the learners of one person as one answer: what several hold alike is there once.
pub(super) fn united(person: usize, answers: Vec<adapter::Holding>) -> adapter::Holding {
    let several = answers.len() > 1;
    let mut answers = answers.into_iter();
    let mut whole = adapter::Holding { query: person, ..answers.next().unwrap_or_default() };
    if !several {
        return whole;
    }
    let mut by_key: HashMap<_, Vec<usize>> = HashMap::new();
    for (at, record) in whole.records.iter().enumerate() {
        by_key.entry(record.head.key.clone()).or_default().push(at);
    }
    for answer in answers {
        whole.complete &= answer.complete;
        whole.problems.extend(answer.problems);
        let mut places = Vec::with_capacity(answer.records.len());
        for record in answer.records {
            let alike = by_key.entry(record.head.key.clone()).or_default();
            let there = alike.iter().find(|at| canonical::equal(&whole.records[**at], &record)).copied();
            places.push(there.unwrap_or_else(|| {
                alike.push(whole.records.len());
                whole.records.push(record);
                whole.records.len() - 1
            }));
        }
        for item in answer.items {
            let item: Vec<usize> = item.iter().filter_map(|at| places.get(*at).copied()).collect();
            if !whole.items.contains(&item) {
                whole.items.push(item);
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str, learner: &str) -> Record {
        let line = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": "1", "id": id,
            "learner": learner, "body": {"title": [{"value": "Course"}]}});
        serde_json::from_value(line).expect("a record")
    }

    fn answer(complete: bool, records: &[Record], items: &[&[usize]]) -> adapter::Holding {
        let items = items.iter().map(|item| item.to_vec()).collect();
        adapter::Holding { query: 7, records: records.to_vec(), items, complete, ..Default::default() }
    }

    #[test]
    fn answers_about_one_person_are_one() {
        let (one, two, three) = (record("A", "L1"), record("B", "L2"), record("C", "L2"));
        let first = answer(true, &[one.clone(), two.clone()], &[&[0], &[1]]);
        let second = answer(true, &[two.clone(), three.clone()], &[&[0], &[1, 0]]);
        let whole = united(0, vec![first.clone(), second.clone()]);
        assert_eq!(whole.records, [one.clone(), two.clone(), three]);
        assert_eq!(whole.items, [vec![0], vec![1], vec![2, 1]], "what both show is there once");
        assert!(whole.complete && whole.query == 0);
        let changed = record("B", "L1");
        let whole = united(0, vec![first.clone(), answer(false, std::slice::from_ref(&changed), &[])]);
        assert_eq!(whole.records, [one, two, changed], "what differs is seen");
        assert!(!whole.complete, "all of it is everything, or none");
        let alone = answer(true, &[record("A", "L1"), record("A", "L1")], &[]);
        assert_eq!(united(0, vec![alone]).records.len(), 2, "one answer stays as it is");
    }
}
