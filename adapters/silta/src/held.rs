//! What another gateway holds of what it was sent.

use crate::push::{Cause, Push, answer};
use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use serde::{Deserialize, Serialize};
use silta_adapter::adapter::{DecodeContext, Holding, Inventory, LearnerQuery, NotRead};
use silta_adapter::delivery::Verdict;
use silta_adapter::record::Record;
use std::time::Duration;

/// Learners asked about at once.
const LEARNERS: usize = 100;

#[derive(Serialize)]
struct Question<'a> {
    learners: Vec<Name<'a>>,
}

#[derive(Serialize)]
struct Name<'a> {
    source: &'a str,
    id: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    learners: Vec<Held>,
}

#[derive(Deserialize)]
struct Held {
    complete: bool,
    records: Vec<Record>,
}

#[async_trait]
impl Inventory for Push {
    fn batch(&self) -> usize {
        LEARNERS
    }

    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        // Reading changes nothing, so that a question whose answer was lost is asked again.
        let passes = |(cause, wait): &Cause| {
            matches!(self.verdicts.judge(cause, *wait).verdict, Verdict::Transient | Verdict::Uncertain)
        };
        let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(3);
        let ask = || self.ask(ctx, learners);
        let asked = ask.retry(pauses).when(passes).await;
        asked.map_err(|(cause, wait)| NotRead(self.verdicts.judge(&cause, wait)))
    }
}

impl Push {
    async fn ask(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, Cause> {
        let names = learners.iter().map(|learner| Name { source: &learner.source, id: &learner.learner });
        let question = Question { learners: names.collect() };
        let request = self.request(&ctx.tenant, &["held"]).ok_or(("request".into(), None))?;
        let most = usize::try_from(ctx.limits.bytes).unwrap_or(usize::MAX);
        let (body, _) = answer(request.json(&question), most).await?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| ("answer".into(), None))?;
        if answer.learners.len() != learners.len() {
            return Err(("answer".into(), None));
        }
        let holding = |(query, held): (usize, Held)| Holding {
            query,
            // Of a learner without a name nothing can be asked.
            complete: held.complete && !learners[query].learner.is_empty(),
            records: held.records.into_iter().filter(|record| !record.head.state.is_tombstone()).collect(),
            ..Holding::default()
        };
        Ok(answer.learners.into_iter().enumerate().map(holding).collect())
    }
}
