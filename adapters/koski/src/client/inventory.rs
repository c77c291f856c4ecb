//! What Koski holds of what this gateway sent.

use super::http::Http;
use crate::key::is_ours;
use crate::read;
use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Decoded, Holding, Inventory, LearnerQuery, NotRead};
use silta_adapter::delivery::Judgement;
use silta_adapter::identity::Validity;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Learner, Record, RecordKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads learners by their OIDs. Only study rights under keys that this gateway makes are ours to compare.
pub(super) struct Reader(pub(super) Arc<Http>);

/// Koski shows people as the population register has them, and badges by the names of their code.
const WITHHELD: &[(RecordKind, &str)] = &[
    (RecordKind::Learner, "/body/identifiers"),
    (RecordKind::Learner, "/body/given_names"),
    (RecordKind::Learner, "/body/family_name"),
    (RecordKind::Learner, "/body/extensions"),
    (RecordKind::Attainment, "/body/title"),
];

#[async_trait]
impl Inventory for Reader {
    fn batch(&self) -> usize {
        // One call for each learner: a batch is as long as one may want to wait.
        20
    }

    fn withheld(&self) -> &'static [(RecordKind, &'static str)] {
        WITHHELD
    }

    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let mut holdings = Vec::with_capacity(learners.len());
        for (query, learner) in learners.iter().enumerate() {
            let mut holding = Holding { query, ..Holding::default() };
            self.read(ctx, learner, &mut holding).await.map_err(NotRead)?;
            holdings.push(holding);
        }
        Ok(holdings)
    }
}

impl Reader {
    async fn read(&self, ctx: &DecodeContext, learner: &LearnerQuery, holding: &mut Holding) -> Result<(), Judgement> {
        let oids = self.oids(learner).await?;
        if oids.is_empty() {
            let text =
                "Koski cannot be asked about this learner: no whole identity code, learner number or OID is known";
            holding.problems.push(Problem::warning("not_identified", text));
            return Ok(());
        }
        holding.complete = true;
        let mut seen = BTreeSet::new();
        for oid in &oids {
            let answer = match self.0.call(Method::GET, &["oppija", oid], None).await {
                Ok(answer) => answer,
                Err(judgement) if is_unknown(&judgement) => continue,
                Err(judgement) => return Err(judgement),
            };
            let answer = ours(&answer.body).ok_or_else(|| self.0.judge("answer"))?;
            let reading = read::documents(&mut answer.as_slice(), ctx, &mut |found| {
                match found {
                    // A person with several OIDs is answered whole under each.
                    Decoded::Record(record, _) if !seen.insert(record.head.key.clone()) => {}
                    Decoded::Record(mut record, _) => {
                        withhold(&mut record.body);
                        holding.records.push(*record);
                    }
                    Decoded::Problem(problem) => {
                        holding.complete &= problem.severity != Severity::Error;
                        holding.problems.push(problem);
                    }
                }
                Ok(())
            });
            reading.map_err(|_| self.0.judge("answer"))?;
        }
        holding.items = items(&holding.records);
        Ok(())
    }

    /// The OIDs under which a learner can be asked about.
    async fn oids(&self, learner: &LearnerQuery) -> Result<BTreeSet<SmolStr>, Judgement> {
        let mut oids = BTreeSet::new();
        let usable = |validity| !matches!(validity, Validity::Malformed | Validity::Partial);
        for identifier in learner.identifiers.iter().filter(|i| usable(i.validity())) {
            match identifier.scheme.as_str() {
                Learner::PERSON_OID | Learner::LEARNER_NUMBER => {
                    oids.insert(identifier.normal().into());
                }
                Learner::HETU => oids.extend(self.search(&identifier.normal()).await?),
                _ => {}
            }
        }
        Ok(oids)
    }

    /// The OID that an identity code leads to. The code goes into the body: addresses end up in logs.
    async fn search(&self, hetu: &str) -> Result<Vec<SmolStr>, Judgement> {
        let answer = match self.0.call(Method::POST, &["henkilo", "search"], Some(&json!({ "query": hetu }))).await {
            Ok(answer) => answer,
            Err(judgement) if is_unknown(&judgement) => return Ok(Vec::new()),
            Err(judgement) => return Err(judgement),
        };
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|_| self.0.judge("answer"))?;
        let people = answer.get("henkilöt").and_then(Value::as_array).ok_or_else(|| self.0.judge("answer"))?;
        Ok(people.iter().filter_map(|person| person["oid"].as_str().map(SmolStr::from)).collect())
    }
}

/// Every study right with the learner's record under its key.
fn items(records: &[Record]) -> Vec<Vec<usize>> {
    let is_learner = |record: &Record| record.head.key.kind == RecordKind::Learner;
    let learner = |right: &Record| {
        let of_it = |record: &Record| is_learner(record) && record.head.learner == right.head.learner;
        records.iter().position(of_it)
    };
    let rights = records.iter().enumerate().filter(|(_, record)| !is_learner(record));
    rights.map(|(at, right)| std::iter::once(at).chain(learner(right)).collect()).collect()
}

fn is_unknown(judgement: &Judgement) -> bool {
    judgement.cause.starts_with("key:notFound") || judgement.cause == "http:404"
}

/// The answer without study rights of other senders; `None` if it is no learner.
fn ours(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    answer.get("henkilö")?.as_object()?;
    let rights = answer.get_mut("opiskeluoikeudet")?.as_array_mut()?;
    rights.retain(is_ours);
    // Without any there is nothing of ours, and the person alone is none of our records.
    if rights.is_empty() { Some(Vec::new()) } else { serde_json::to_vec(&answer).ok() }
}

/// Takes out what Koski has from elsewhere.
fn withhold(body: &mut Option<Body>) {
    match body {
        Some(Body::Learner(learner)) => **learner = Learner::default(),
        Some(Body::Attainment(badge)) => badge.title = Default::default(),
        _ => {}
    }
}
