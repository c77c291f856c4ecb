//! Deterministic simulation: everything the gateway does, in an order that a seed decides, with everything going wrong.
//!
//! Two processes of a gateway work on one ledger that fails, for five kinds of destination over a network that loses,
//! delays, repeats and partitions; documents overtake each other, processes are killed between any two commits, clocks
//! jump. Afterwards: nothing is lost, no older version came after a newer, no effect happened twice where that can be
//! known, nothing was removed that nobody withdrew, every injected difference is found and nothing else, and all of it
//! is repaired.
//!
//! `SILTA_SIM_SEED=n` replays one seed; `SILTA_SIM_SEEDS=n` runs so many (1,000 otherwise), `SILTA_SIM_STEPS=n` makes
//! each so long.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod executor;
mod ledger;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use world::World;

/// Seeds are shared out to so many tests, which run beside each other.
const SHARES: u64 = 4;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn live(seed: u64) {
    let steps = usize::try_from(number("SILTA_SIM_STEPS").unwrap_or(300)).expect("a number of steps");
    let lived = catch_unwind(AssertUnwindSafe(|| World::new(seed).live(steps)));
    if let Err(why) = lived {
        eprintln!("replay with SILTA_SIM_SEED={seed}");
        resume_unwind(why);
    }
}

fn share(of: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    match number("SILTA_SIM_SEED") {
        Some(seed) if seed % SHARES == of => live(seed),
        Some(_) => {}
        None => (0..number("SILTA_SIM_SEEDS").unwrap_or(1_000)).filter(|seed| seed % SHARES == of).for_each(live),
    }
}

#[test]
fn every_history_of_the_first_share_comes_right() {
    share(0);
}

#[test]
fn every_history_of_the_second_share_comes_right() {
    share(1);
}

#[test]
fn every_history_of_the_third_share_comes_right() {
    share(2);
}

#[test]
fn every_history_of_the_fourth_share_comes_right() {
    share(3);
}
