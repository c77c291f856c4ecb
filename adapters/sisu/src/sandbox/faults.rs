//! What a sandbox does wrong.

use serde::{Deserialize, Serialize};

/// How a refusal names the attainments that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailingIds {
    /// In an array.
    #[default]
    Array,
    /// In a JSON array inside a string.
    Text,
    /// Not at all.
    None,
}

/// What it does wrong. Numbers count down: so many of the next requests meet the fault.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Requests answered with 503.
    pub unavailable: u64,
    /// Pages that are empty and say there is more.
    pub empty_pages: u64,
    /// Pages that lack their last entity and say there is more.
    pub short_pages: u64,
    /// Feeds that the export user may not read.
    pub forbidden: Vec<String>,
    /// True to show every version of an entity instead of the newest.
    pub all_versions: bool,
    /// Seconds until the export shows what was imported.
    pub lag_secs: u64,
    /// Imports that are taken and whose answer is lost.
    pub lost_answers: u64,
    /// How a refusal names the attainments that made it.
    pub failing_ids: FailingIds,
    /// True to move the day of what is imported to the first of its month, and say nothing.
    pub move_dates: bool,
}

impl silta_adapter::faults::Faults for Faults {}

impl Faults {
    /// True if a fault is met now; counts it down.
    pub(super) fn met(count: &mut u64) -> bool {
        let met = *count > 0;
        *count = count.saturating_sub(1);
        met
    }
}
