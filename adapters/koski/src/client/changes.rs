//! What was changed at Koski since a time.

use super::http::Http;
use crate::key::is_ours;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::Value;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{NotRead, Page, Pull};
use smol_str::format_smolstr;
use std::sync::Arc;

/// The name of the one feed.
const FEED: SmolStr = SmolStr::new_static("changes");

/// The change query, for an institution that takes in what others told Koski of its learners.
///
/// Koski stores while it answers, and a change may become visible a while after the time it carries. So each page
/// reads again a stretch of what was read before; what has not changed since makes no new version here. What was erased
/// there is not in the answer: the query tells of no removals.
pub(super) struct Changes {
    pub(super) http: Arc<Http>,
    pub(super) overlap: SignedDuration,
}

#[async_trait]
impl Pull for Changes {
    fn feeds(&self) -> Vec<SmolStr> {
        vec![FEED]
    }

    /// What was changed since a cursor; everything without one. The cursor is the time of the last answer by Koski's own
    /// clock, so clocks may differ.
    async fn pull(&self, _: &str, cursor: Option<&str>) -> Result<Page, NotRead> {
        let unusable = |cause: &str| NotRead(self.http.judge(cause));
        let since = match cursor.map(str::parse::<Timestamp>) {
            None => None,
            Some(Ok(cursor)) => Some(cursor.checked_sub(self.overlap).map_err(|_| unusable("request"))?.to_string()),
            Some(Err(_)) => return Err(unusable("request")),
        };
        let query: Vec<(&str, &str)> = since.iter().map(|since| ("muuttunutJälkeen", since.as_str())).collect();
        let answer = self.http.ask(Method::GET, &["oppija"], &query, None).await.map_err(NotRead)?;
        let at = answer.at.ok_or_else(|| unusable("answer"))?;
        let learners = of_others(&answer.body).ok_or_else(|| unusable("answer"))?;
        let document = match learners.is_empty() {
            true => None,
            false => Some(Value::Array(learners).to_string().into_bytes()),
        };
        Ok(Page { document, cursor: format_smolstr!("{at}"), more: false })
    }
}

/// The learners of an answer with the study rights that no gateway like this one sent: who sent one knows it first-hand.
/// `None` if it is no list of learners.
fn of_others(answer: &[u8]) -> Option<Vec<Value>> {
    let Value::Array(mut learners) = serde_json::from_slice(answer).ok()? else { return None };
    for learner in &mut learners {
        learner.get_mut("opiskeluoikeudet")?.as_array_mut()?.retain(|right| !is_ours(right));
    }
    learners.retain(|learner| learner["opiskeluoikeudet"] != Value::Array(Vec::new()));
    Some(learners)
}
