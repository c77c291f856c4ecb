//! What a verdict makes of a debt, and how long to wait. Pure.

use crate::config::Delivery;
use crate::ledger::{ConnectionState, DebtState, Micros};
use silta_adapter::adapter::{Descriptor, Effect};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;

/// What a verdict makes of a debt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settling {
    /// The state the debt goes to.
    pub state: DebtState,
    /// Who can fix it.
    pub fixer: Option<Fixer>,
    /// How long the lane waits, if it does: the rest of the claim is then left for later.
    pub wait: Option<Micros>,
    /// What it says about the destination as a whole.
    pub health: Health,
}

/// What a verdict says about a destination as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Good,
    /// It failed in a way that passes.
    Failing,
    /// It will not work until the configuration changes.
    Misconfigured,
}

/// What a verdict makes of a debt that was tried `attempts` times before.
///
/// A lost answer is sent again where sending again is harmless (the destination replaces by identity, or recognises
/// the idempotency key), and waits for reading back or a person where it is not.
pub fn settling(
    judgement: &Judgement,
    adapter: &Descriptor,
    readback: bool,
    attempts: i64,
    pace: &Delivery,
    jitter: f64,
) -> Settling {
    let again = |health| Settling {
        state: DebtState::Owed,
        fixer: judgement.fixer,
        wait: Some(backoff(attempts, pace, jitter)),
        health,
    };
    let done = |state| Settling { state, fixer: judgement.fixer, wait: None, health: Health::Good };
    match judgement.verdict {
        Verdict::Accepted if !readback => done(DebtState::Unverifiable),
        Verdict::Accepted | Verdict::AcceptedPending => done(DebtState::Sent),
        Verdict::RetryAfter => {
            let asked = judgement.retry_after.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
            let longest = micros(pace.max_retry_after_secs);
            let wait = asked.clamp(backoff(attempts, pace, jitter).min(longest), longest);
            Settling { wait: Some(wait), health: Health::Good, ..again(Health::Good) }
        }
        Verdict::Transient => again(Health::Failing),
        Verdict::Uncertain if adapter.honours_key || adapter.effect != Effect::Create => again(Health::Failing),
        Verdict::Uncertain => Settling { health: Health::Failing, ..done(DebtState::Uncertain) },
        Verdict::Refused => done(DebtState::Refused),
        Verdict::Barred => done(DebtState::Barred),
        Verdict::Auth | Verdict::Misconfigured => again(Health::Misconfigured),
    }
}

/// The wait after a number of attempts: doubling from the first to the longest, with up to half of it as jitter
/// (`jitter` in 0–1), so that debts that failed together are not tried together.
pub fn backoff(attempts: i64, pace: &Delivery, jitter: f64) -> Micros {
    let doublings = u32::try_from(attempts.clamp(0, 30)).unwrap_or(30);
    let full = micros(pace.first_backoff_secs).saturating_mul(1 << doublings).min(micros(pace.max_backoff_secs));
    let half = full / 2;
    half + (half as f64 * jitter.clamp(0.0, 1.0)) as Micros
}

/// Seconds in microseconds.
pub fn micros(secs: u64) -> Micros {
    i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

/// Whether a connection may be used now.
pub fn usable(state: &ConnectionState, now: Micros) -> bool {
    !state.paused && state.open_until.is_none_or(|until| until <= now)
}

/// A connection's state after a destination showed its health. After enough failures in a row the breaker opens; when
/// it has cooled down one attempt is let through, whose success closes it and whose failure opens it again.
pub fn after(mut state: ConnectionState, health: Health, now: Micros, pace: &Delivery) -> ConnectionState {
    match health {
        Health::Good => {
            state.failures = 0;
            state.open_until = None;
        }
        Health::Failing | Health::Misconfigured => {
            state.failures += 1;
            if health == Health::Misconfigured || state.failures >= pace.breaker_failures {
                state.open_until = Some(now + micros(pace.breaker_cooldown_secs));
            }
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::adapter::{Grouping, Withdraw};
    use std::time::Duration;

    fn descriptor(effect: Effect, honours_key: bool) -> Descriptor {
        Descriptor {
            name: "test",
            summary: "",
            media_types: &[],
            settings: None,
            grouping: Grouping::Record,
            effect,
            withdraw: Withdraw::None,
            readback: false,
            honours_key,
            kinds: &[],
            losses: &[],
        }
    }

    fn judged(verdict: Verdict, retry_after: Option<u64>) -> Judgement {
        Judgement {
            verdict,
            fixer: None,
            reason: String::new(),
            cause: "test".into(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_limit_and_spreads() {
        let pace = Delivery::default();
        assert_eq!(backoff(0, &pace, 1.0), 1_000_000);
        assert_eq!(backoff(0, &pace, 0.0), 500_000);
        assert_eq!(backoff(5, &pace, 1.0), 32_000_000);
        assert_eq!(backoff(1_000, &pace, 1.0), 3_600_000_000);
    }

    #[test]
    fn a_lost_answer_is_sent_again_only_where_that_is_harmless() {
        let pace = Delivery::default();
        let state = |effect, honours| {
            settling(&judged(Verdict::Uncertain, None), &descriptor(effect, honours), false, 0, &pace, 0.5).state
        };
        assert_eq!(state(Effect::Create, false), DebtState::Uncertain);
        assert_eq!(state(Effect::Create, true), DebtState::Owed);
        assert_eq!(state(Effect::Upsert, false), DebtState::Owed);
        assert_eq!(state(Effect::ReplaceAll, false), DebtState::Owed);
    }

    #[test]
    fn retry_after_is_honoured_within_bounds() {
        let pace = Delivery::default();
        let wait = |asked| {
            settling(&judged(Verdict::RetryAfter, asked), &descriptor(Effect::Upsert, true), false, 3, &pace, 1.0).wait
        };
        assert_eq!(wait(Some(120)), Some(micros(120)));
        assert_eq!(wait(Some(0)), Some(micros(8)), "not faster than our own backoff");
        assert_eq!(wait(Some(10_000_000)), Some(micros(36_000)));
        assert_eq!(wait(None), Some(micros(8)));
    }

    #[test]
    fn the_breaker_opens_after_failures_in_a_row_and_closes_on_success() {
        let pace = Delivery::default();
        let mut state = ConnectionState::new("c");
        for failure in 1..=5 {
            assert!(usable(&state, 0), "before failure {failure}");
            state = after(state, Health::Failing, 0, &pace);
        }
        assert!(!usable(&state, 0));
        assert!(usable(&state, micros(60)), "half open");
        let again = after(state.clone(), Health::Failing, micros(60), &pace);
        assert!(!usable(&again, micros(60)));
        assert!(usable(&after(state, Health::Good, micros(60), &pace), micros(60)));
        let wrong = after(again, Health::Misconfigured, 0, &pace);
        assert!(!usable(&wrong, 0));
    }
}
