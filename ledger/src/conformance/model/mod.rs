//! Random operations on a ledger and on a [reference](reference::Reference): every answer is the same, step by step.
//!
//! Drawn are records (some come to be about another learner), problems and erasure; plans, claims, settlements and what
//! is raised, called off, rejected and seen, for lanes of learners and of tenants and for composed items; loads,
//! findings, links, credentials and what is forgotten. Not drawn are several lanes claimed or settled at once, pages,
//! tokens, the audit trail, facts and duties: those have cases of their own, here and where several processes meet.
//!
//! A history is its seed. `SILTA_MODEL_SEED=n` replays one and `SILTA_MODEL_SEEDS=n` runs so many, from the first;
//! `SILTA_MODEL_STEPS=n` makes each so long. What fails is made as simple as it can be before it is told.

mod operation;
mod reference;
mod world;

use super::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use world::World;

/// How long a history is.
const STEPS: usize = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs histories, each on a new ledger: two for three of those that [keep the
/// invariants](random_histories_keep_the_invariants), because each step looks at three connections.
pub fn random_operations_do_what_the_reference_does<G>(histories: u32, make: impl AsyncFn() -> (Box<dyn Ledger>, G)) {
    let seeds = match number("SILTA_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SILTA_MODEL_SEEDS").unwrap_or((histories - histories / 3).into()),
    };
    let steps = number("SILTA_MODEL_STEPS").and_then(|steps| usize::try_from(steps).ok()).unwrap_or(STEPS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for seed in seeds {
        let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let lived = runner.run(&proptest::collection::vec(operation::operation(), steps), |history| {
            runtime.block_on(async {
                let (ledger, _guard) = make().await;
                let mut world = World::new(&*ledger);
                for operation in &history {
                    world.does(operation).await?;
                    world.is_the_same().await?;
                }
                world.is_the_same_in_everything().await
            })
        });
        if let Err(TestError::Fail(why, history)) = &lived {
            panic!("{why}\nafter {history:#?}\nreplay with SILTA_MODEL_SEED={seed}");
        }
        lived.expect("it ran");
    }
}
