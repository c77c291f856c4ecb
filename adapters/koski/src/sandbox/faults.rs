//! What the simulated Koski does wrong, on request.

use serde::{Deserialize, Serialize};
use std::mem::take;

/// Faults to inject. Those that are counts or lists are spent one by one with the calls that change something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every call is answered with 503.
    pub unavailable: bool,
    /// Seconds of `Retry-After` on a 503; none if 0.
    pub retry_after_secs: u64,
    /// How many of the next calls are done and then not answered.
    pub lose_answers: u32,
    /// Keys of errors to answer the next calls with, in order.
    pub fail_with: Vec<String>,
    /// How many of the next calls find that somebody else has changed the study right just before.
    pub edit_before: u32,
}

impl silta_adapter::faults::Faults for Faults {}

impl Faults {
    /// The error that the next call is to meet, which is then spent.
    pub(super) fn next_error(&mut self) -> Option<String> {
        let mut keys = take(&mut self.fail_with).into_iter();
        let next = keys.next();
        self.fail_with = keys.collect();
        next
    }

    /// True if the answer of the call is to be lost.
    pub(super) fn loses(&mut self) -> bool {
        spent(&mut self.lose_answers)
    }

    /// True if somebody else is to have changed the study right before.
    pub(super) fn edits(&mut self) -> bool {
        spent(&mut self.edit_before)
    }
}

fn spent(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}
