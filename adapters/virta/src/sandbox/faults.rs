//! What the simulated store does wrong, on request.

use super::damage::Damage;
use rand::Rng;
use serde::{Deserialize, Serialize};
use silta_adapter::faults::BadFaults;
use std::mem::take;

/// Faults to inject. Shares are of requests, 0 to 1. Standing faults last until they are changed; the counts at the
/// end are spent by the next [`Sandbox::tick`](super::Sandbox::tick).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Share answered with 503.
    pub unavailable: f64,
    /// Seconds of `Retry-After` on a 503.
    pub retry_after_secs: u64,
    /// Share answered late.
    pub hang: f64,
    /// How many seconds late.
    pub hang_secs: u64,
    /// Share whose answer breaks off half-way.
    pub lose_answer: f64,
    /// Answer that nothing is held with an empty list instead of an empty response.
    pub empty_list: bool,
    /// How many ticks leave new loads waiting.
    pub delay_ticks: u32,
    /// Attainments to change silently: a credit, a grade or a name.
    pub alter_rows: usize,
    /// Rows to lose silently.
    pub lose_rows: usize,
    /// Learners to lose silently, with all their rows.
    pub lose_learners: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            unavailable: 0.0,
            retry_after_secs: 1,
            hang: 0.0,
            hang_secs: 5,
            lose_answer: 0.0,
            empty_list: false,
            delay_ticks: 0,
            alter_rows: 0,
            lose_rows: 0,
            lose_learners: 0,
        }
    }
}

/// What is to be done with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answer,
    Unavailable,
    Hang,
    LoseAnswer,
}

impl silta_adapter::faults::Faults for Faults {
    fn check(&self) -> Result<(), BadFaults> {
        let shares = [self.unavailable, self.hang, self.lose_answer];
        match shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            true => Ok(()),
            false => Err(BadFaults("a share is between 0 and 1".into())),
        }
    }
}

impl Faults {
    /// The damage that is due, which is then no longer.
    pub(super) fn take_damage(&mut self) -> Damage {
        Damage {
            alter_rows: take(&mut self.alter_rows),
            lose_rows: take(&mut self.lose_rows),
            lose_learners: take(&mut self.lose_learners),
        }
    }

    pub(super) fn fate(&self, rng: &mut impl Rng) -> Fate {
        // Each is drawn for every request, so that one fault does not change what a seed means for another.
        let [unavailable, hang, lose] = [self.unavailable, self.hang, self.lose_answer].map(|p| rng.random_bool(p));
        match (unavailable, hang, lose) {
            (true, ..) => Fate::Unavailable,
            (_, true, _) => Fate::Hang,
            (_, _, true) => Fate::LoseAnswer,
            _ => Fate::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::faults::Faults as _;

    #[test]
    fn a_share_is_a_share() {
        let mut faults = Faults::default();
        faults.set("unavailable=0.5").expect("a fault");
        for wrong in ["unavailable=2", "hang=-1"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
        assert_eq!(faults, Faults { unavailable: 0.5, ..Faults::default() });
    }
}
