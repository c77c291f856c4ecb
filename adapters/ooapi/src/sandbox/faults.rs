//! What the simulated partner does wrong, on request.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::mem::take;

/// Faults to inject. Those that are counts or lists are spent one by one with the calls that change something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every call is answered with 503.
    pub unavailable: bool,
    /// How many of the next calls are done and then not answered.
    pub lose_answers: u32,
    /// Statuses to answer the next calls with, in order.
    pub fail_with: Vec<u16>,
    /// Posted objects get ids of the partner's own.
    pub own_ids: bool,
}

/// Faults are not what they should be.
#[derive(Debug)]
pub struct BadFaults(pub String);

impl std::fmt::Display for BadFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "faults: {}", self.0)
    }
}

impl std::error::Error for BadFaults {}

impl Faults {
    /// Reads `name=value`, as given on a command line, over these faults.
    ///
    /// # Errors
    /// If there is no fault of that name, or the value is not one of its kind.
    pub fn set(&mut self, setting: &str) -> Result<(), BadFaults> {
        let bad = || BadFaults(format!("{setting:?} is not of the form name=value"));
        let (name, value) = setting.split_once('=').ok_or_else(bad)?;
        let value: Value = serde_json::from_str(value).map_err(|_| bad())?;
        self.change(&Value::Object([(name.to_owned(), value)].into_iter().collect()))
    }

    /// Replaces the faults that a JSON object names.
    ///
    /// # Errors
    /// If it names one that there is not, or gives a value of another kind.
    pub fn change(&mut self, changes: &Value) -> Result<(), BadFaults> {
        let bad = |e: serde_json::Error| BadFaults(e.to_string());
        let mut whole = serde_json::to_value(&*self).map_err(bad)?;
        match (&mut whole, changes) {
            (Value::Object(whole), Value::Object(changes)) => whole.extend(changes.clone()),
            _ => return Err(BadFaults("an object is needed".into())),
        }
        *self = serde_json::from_value(whole).map_err(bad)?;
        Ok(())
    }

    /// The status that the next call is to meet, which is then spent.
    pub(super) fn next_failure(&mut self) -> Option<u16> {
        let mut statuses = take(&mut self.fail_with).into_iter();
        let next = statuses.next();
        self.fail_with = statuses.collect();
        next
    }

    /// True if the answer of the call is to be lost.
    pub(super) fn loses(&mut self) -> bool {
        let left = self.lose_answers > 0;
        self.lose_answers = self.lose_answers.saturating_sub(1);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_set_by_name_and_what_cannot_be_changes_nothing() {
        let mut faults = Faults::default();
        faults.set("unavailable=true").expect("a fault");
        faults.set("fail_with=[500]").expect("a fault");
        for wrong in ["unavailable=1", "colour=1", "lose_answers=x", "lose_answers", "lose_answers=-1"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
        assert_eq!(faults.next_failure(), Some(500));
        assert_eq!(faults, Faults { unavailable: true, ..Faults::default() });
    }
}
