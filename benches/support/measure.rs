//! Measuring: every figure beside a yardstick of the same run.

use std::time::Instant;

/// Something that says how many seconds it took.
pub(crate) type Task<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// A task that is measured from its start to its end.
pub(crate) fn timed<'a>(mut work: impl FnMut() + 'a) -> Task<'a> {
    Box::new(move || seconds(&mut work))
}

/// Rounds of a comparison.
const ROUNDS: usize = 7;

/// Seconds that two tasks take: the medians of some rounds, in each of which both run, in turns first.
pub(crate) fn beside(mut task: Task<'_>, mut yardstick: Task<'_>) -> (f64, f64) {
    let mut taken = (Vec::new(), Vec::new());
    for round in 0..size("SILTA_BENCH_ROUNDS", ROUNDS) {
        if round % 2 == 0 {
            taken.0.push(task());
            taken.1.push(yardstick());
        } else {
            taken.1.push(yardstick());
            taken.0.push(task());
        }
    }
    (median(taken.0), median(taken.1))
}

/// Seconds that something takes.
pub(crate) fn seconds(task: impl FnOnce()) -> f64 {
    let start = now();
    task();
    start.elapsed().as_secs_f64()
}

/// This moment.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The value that as many are above as below.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number from the environment, for the size of an input.
pub(crate) fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
