//! Non-formal learning without credits.

use super::value::{Coded, Date, Duration, EndDate, Extensions, Set, Texts};
use crate::canonical::hint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Participation in non-formal learning (a peer-learning circle, a workshop). Never pushed as credits. ELM
/// `LearningActivity`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Activity {
    /// Title.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub title: Texts,
    /// Description.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub description: Texts,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
    /// Workload as an ISO 8601 duration.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hint::duration")]
    pub workload: Option<Duration>,
    /// Who recorded it and stands behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awarding_body: Option<Coded>,
    /// Type of activity: classroom, workshop, self-study …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_type: Option<Coded>,
    /// Forms of participation.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub modes: Set<Coded>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Coded>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}
