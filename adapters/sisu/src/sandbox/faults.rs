//! What a sandbox does wrong.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// A fault that there is not, or a value it cannot have.
#[derive(Debug)]
pub struct BadFaults(pub String);

impl std::fmt::Display for BadFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for BadFaults {}

impl Faults {
    /// Changes the faults that an object names.
    ///
    /// # Errors
    /// If it names one there is not, or a value of another type; nothing is changed then.
    pub fn change(&mut self, changes: &Value) -> Result<(), BadFaults> {
        let mut all = serde_json::to_value(&*self).map_err(|e| BadFaults(e.to_string()))?;
        let (Value::Object(known), Value::Object(changes)) = (&mut all, changes) else {
            return Err(BadFaults("faults are an object".into()));
        };
        known.extend(changes.clone());
        *self = serde_json::from_value(all).map_err(|e| BadFaults(e.to_string()))?;
        Ok(())
    }

    /// Sets one fault, as `name=value`; the value is JSON, or text.
    ///
    /// # Errors
    /// If there is no such fault, or it cannot have the value.
    pub fn set(&mut self, fault: &str) -> Result<(), BadFaults> {
        let (name, value) = fault.split_once('=').ok_or_else(|| BadFaults("a fault is given as name=value".into()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        self.change(&Value::Object([(name.to_owned(), value)].into_iter().collect()))
    }

    /// True if a fault is met now; counts it down.
    pub(super) fn met(count: &mut u64) -> bool {
        let met = *count > 0;
        *count = count.saturating_sub(1);
        met
    }
}
