//! A gateway of tests: its ledger in memory, all adapters, its clock and its randomness in the test's hand.

use silta::config::Config;
use silta::env::{ManualClock, Rng};
use silta::gateway::{Gateway, Parts};
use silta::ledger::memory::MemoryLedger;
use silta::registry;
use silta::vault::Vault;
use silta_adapter::mapping::Mappings;
use std::sync::Arc;

/// A gateway with a configuration and a secret of its own.
pub(crate) fn gateway(
    config: &str,
    secret: u8,
    mappings: impl Into<Arc<Mappings>>,
    clock: &Arc<ManualClock>,
) -> Arc<Gateway> {
    let rng = Rng::from_seed(secret.into());
    let parts = Parts {
        ledger: Arc::new(MemoryLedger::default()),
        vault: Arc::new(Vault::new(&[secret; 32], rng.clone()).expect("a vault")),
        clock: clock.clone(),
        rng,
        registry: registry::adapters(),
        mappings: mappings.into(),
    };
    Arc::new(Gateway::new(Config::from_toml(config).expect("a configuration"), parts).expect("a gateway"))
}

/// The mappings that come with the gateway.
pub(crate) fn mappings() -> Mappings {
    registry::mappings(None).expect("mappings")
}
