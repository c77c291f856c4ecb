//! Importing attainments: batches that Sisu takes or refuses as a whole.

use crate::client::{Answer, Client, NoAnswer, verdicts};
use async_trait::async_trait;
use serde::Deserialize;
use silta_adapter::adapter::{BadSettings, Deliver, Document, Load};
use silta_adapter::delivery::{Judgement, Verdict, VerdictTable};
use silta_adapter::json::Json;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const IMPORT: [&str; 5] = ["ori", "api", "attainments", "v1", "import"];
const DELETE: [&str; 5] = ["ori", "api", "attainments", "v1", "delete"];

/// Imports attainments as the import user.
pub(crate) struct Import {
    client: Arc<Client>,
    verdicts: VerdictTable,
    recent: Arc<Recent>,
}

/// Persons something was imported for so recently that the copies which are read may not show it.
pub(crate) struct Recent {
    lag: Duration,
    persons: Mutex<HashMap<String, Instant>>,
}

impl Recent {
    pub(crate) fn new(lag: Duration) -> Self {
        Self { lag, persons: Mutex::default() }
    }

    fn note(&self, person: &str) {
        let mut persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        persons.retain(|_, at| at.elapsed() < self.lag);
        persons.insert(person.to_owned(), Instant::now());
    }

    /// True if what is read of a person may be older than what was imported.
    pub(crate) fn concerns(&self, person: &str) -> bool {
        let persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        persons.get(person).is_some_and(|at| at.elapsed() < self.lag)
    }
}

/// One attainment to import.
#[derive(Debug, Clone)]
struct Entity {
    id: String,
    person: String,
    /// True if it is to be deleted.
    deleted: bool,
    json: Json,
}

impl Import {
    pub(crate) fn open(client: Arc<Client>, recent: Arc<Recent>) -> Result<Self, BadSettings> {
        Ok(Self { client, verdicts: verdicts()?, recent })
    }

    /// Sends a batch and says what became of each attainment. One bad attainment makes Sisu refuse all of them: those it
    /// names are left out and the others sent again; where it names none, the batch is halved. A batch whose answer was
    /// lost is not sent again, and neither is anything after it.
    async fn import(&self, entities: Vec<Entity>) -> BTreeMap<String, Judgement> {
        let mut judged = BTreeMap::new();
        let mut batches = vec![entities];
        while let Some(batch) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            let (judgement, failing) = self.send(&batch).await;
            let (bad, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|entity| failing.contains(&entity.id));
            if judgement.verdict != Verdict::Refused || bad.len() + rest.len() == 1 {
                judged.extend(bad.into_iter().chain(rest).map(|entity| (entity.id, judgement.clone())));
            } else if bad.is_empty() {
                let mut first = rest;
                let second = first.split_off(first.len() / 2);
                batches.push(second);
                batches.push(first);
            } else {
                let named = self.verdicts.judge("import:failing", None);
                judged.extend(bad.into_iter().map(|entity| (entity.id, named.clone())));
                batches.push(rest);
            }
            if !matches!(judgement.verdict, Verdict::Refused | Verdict::Accepted | Verdict::AcceptedPending) {
                let untried = batches.drain(..).flatten();
                judged.extend(untried.map(|entity| (entity.id, self.verdicts.judge("import:connect", None))));
            }
        }
        judged
    }

    /// Sends one request: what it came to, and the attainments that a refusal names.
    async fn send(&self, batch: &[Entity]) -> (Judgement, Vec<String>) {
        let judge = |cause: &str| self.verdicts.judge(&format!("import:{cause}"), None);
        let deletes = batch.iter().all(|entity| entity.deleted);
        let (path, body) = match deletes {
            true => (DELETE, Json::List(batch.iter().map(|entity| Json::text(entity.id.clone())).collect())),
            false => (IMPORT, Json::List(batch.iter().map(|entity| entity.json.clone()).collect())),
        };
        batch.iter().for_each(|entity| self.recent.note(&entity.person));
        let Ok(body) = serde_json::to_vec(&body) else { return (judge("document"), Vec::new()) };
        match self.client.post(&path, body).await {
            Err(NoAnswer(cause)) => (judge(cause), Vec::new()),
            Ok(answer) => match answer.status.as_u16() {
                200 | 201 | 202 | 204 => (judge("taken"), Vec::new()),
                _ => {
                    let cause = format!("import:{}", answer.cause());
                    (self.verdicts.judge(&cause, answer.wait), failing(&answer))
                }
            },
        }
    }
}

/// The ids an answer names as failing: an array, or a JSON array inside a string.
fn failing(answer: &Answer) -> Vec<String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        List(Vec<String>),
        Text(String),
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "failingIds")]
        failing: Ids,
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Body { failing: Ids::List(ids) }) => ids,
        Ok(Body { failing: Ids::Text(text) }) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// The attainments of a document.
fn entities(document: &[u8]) -> Option<Vec<Entity>> {
    let Json::List(items) = Json::parse(std::str::from_utf8(document).ok()?.trim()).ok()? else { return None };
    let entity = |json: Json| {
        let Json::Object(members) = &json else { return None };
        let text = |name: &str| {
            members.iter().find_map(|(known, value)| match value {
                Json::Text(text) if known == name => Some(text.clone()),
                _ => None,
            })
        };
        let deleted = text("documentState")? == "DELETED";
        Some(Entity { id: text("id")?, person: text("personId")?, deleted, json })
    };
    items.into_iter().map(entity).collect()
}

#[async_trait]
impl Deliver for Import {
    async fn deliver(&self, load: &Load) -> Judgement {
        let document = match &load.document {
            Document::Bytes(bytes) => Ok(bytes.clone()),
            Document::File(path) => tokio::fs::read(path).await,
        };
        let Some(entities) = document.ok().and_then(|document| entities(&document)) else {
            return self.verdicts.judge("import:document", None);
        };
        let (deleted, placed) = entities.into_iter().partition(|entity| entity.deleted);
        let mut judged = self.import(placed).await;
        judged.append(&mut self.import(deleted).await);
        let good = |judgement: &Judgement| judgement.verdict == Verdict::AcceptedPending;
        let worst = judged.values().find(|judgement| !good(judgement)).or(judged.values().next());
        worst.cloned().unwrap_or_else(|| self.verdicts.judge("import:document", None))
    }
}
