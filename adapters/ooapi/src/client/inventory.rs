//! What a partner holds of what this gateway sent.

use super::http::{Http, Request, is_unknown};
use crate::dialect::Dialect;
use crate::identity::{self, Added};
use crate::read;
use async_trait::async_trait;
use serde_json::Value;
use silta_adapter::adapter::{DecodeContext, Decoded, Holding, Inventory, LearnerQuery, NotRead};
use silta_adapter::delivery::Judgement;
use silta_adapter::problem::{Problem, Severity};
use std::sync::Arc;

/// Reads persons by the ids that were made of their keys. Only what a gateway marked as its own is ours to compare.
pub(super) struct Reader {
    pub(super) http: Arc<Http>,
    pub(super) dialect: &'static Dialect,
}

/// Most pages that one list may have.
const MOST_PAGES: usize = 100;

#[async_trait]
impl Inventory for Reader {
    fn batch(&self) -> usize {
        // Several calls for each learner: a batch is as long as one may want to wait.
        10
    }

    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let mut holdings = Vec::with_capacity(learners.len());
        for (query, learner) in learners.iter().enumerate() {
            let mut holding = Holding { query, complete: true, ..Holding::default() };
            let person = identity::person(&ctx.tenant, &learner.source, &learner.learner);
            self.read(ctx, &person, &mut holding).await.map_err(NotRead)?;
            holdings.push(holding);
        }
        Ok(holdings)
    }
}

impl Reader {
    async fn read(&self, ctx: &DecodeContext, person: &str, holding: &mut Holding) -> Result<(), Judgement> {
        if let Some(object) = self.get(&["persons", person]).await? {
            self.take(ctx, object, holding)?;
        }
        let mut paths = vec![self.dialect.course.path, self.dialect.programme.path];
        paths.dedup();
        for path in paths {
            for object in self.list(person, path).await? {
                self.take(ctx, object, holding)?;
            }
        }
        Ok(())
    }

    async fn get(&self, path: &[&str]) -> Result<Option<Value>, Judgement> {
        match self.http.call(Request::get(path)).await {
            Ok(object) => Ok(Some(object)),
            Err(judgement) if is_unknown(&judgement) => Ok(None),
            Err(judgement) => Err(judgement),
        }
    }

    /// All pages of a person's associations. One that does not end is no answer.
    async fn list(&self, person: &str, path: &str) -> Result<Vec<Value>, Judgement> {
        let mut objects = Vec::new();
        for page in 1..=MOST_PAGES {
            let number = page.to_string();
            let query = [("pageSize", "250"), ("pageNumber", number.as_str())];
            let address = ["persons", person, path];
            let request = Request { query: &query, ..Request::get(&address) };
            let answer = match self.http.call(request).await {
                Ok(answer) => answer,
                Err(judgement) if is_unknown(&judgement) => return Ok(objects),
                Err(judgement) => return Err(judgement),
            };
            let Some(items) = answer["items"].as_array() else { return Err(self.http.judge("answer")) };
            objects.extend(items.iter().cloned());
            match answer["hasNextPage"].as_bool() {
                Some(false) => return Ok(objects),
                Some(true) if !items.is_empty() => {}
                _ => return Err(self.http.judge("answer")),
            }
        }
        Err(self.http.judge("answer"))
    }

    /// Takes an object into a holding, if a gateway wrote it. What was taken back is not held any more.
    fn take(&self, ctx: &DecodeContext, object: Value, holding: &mut Holding) -> Result<(), Judgement> {
        if Added::take(&mut object.clone(), self.dialect).and_then(|added| added.key).is_none() {
            return Ok(());
        }
        let document = object.to_string();
        let reading = read::documents(&mut document.as_bytes(), ctx, &mut |found| {
            match found {
                Decoded::Record(record, _) if record.head.state.is_tombstone() => {}
                Decoded::Record(record, _) => holding.records.push(*record),
                Decoded::Problem(problem) => told(holding, problem),
            }
            Ok(())
        });
        reading.map(drop).map_err(|_| self.http.judge("answer"))
    }
}

fn told(holding: &mut Holding, problem: Problem) {
    holding.complete &= problem.severity != Severity::Error;
    holding.problems.push(problem);
}
