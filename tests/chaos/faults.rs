//! What is done to processes and the database, in an order that a seed decides.

use crate::fleet::{Fleet, LEASE, Store};
use crate::traffic::Traffic;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Pushes that fail before a limit that was reached is lifted.
const FELT: u64 = 3;

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// `kill -9` of a process, which is started again.
    Kill(usize),
    /// A process is stopped for longer than its leases last, and goes on then.
    Freeze(usize),
    /// A process reaches its write limit, until it is started again without one.
    Limit(usize),
    /// The database is shut down at once and started again.
    Database,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(n) => write!(f, "kill -9 of process {n}"),
            Self::Freeze(n) => write!(f, "process {n} is stopped for longer than a lease"),
            Self::Limit(n) => write!(f, "process {n} reaches its write limit"),
            Self::Database => write!(f, "the database is restarted in immediate mode"),
        }
    }
}

/// So many faults, of every kind in turn.
pub(crate) fn schedule(seed: u64, faults: usize, fleet: &Fleet) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut schedule = Vec::new();
    while schedule.len() < faults {
        let (any, serving) = (rng.random_range(0..fleet.len()), rng.random_range(0..fleet.serving()));
        let mut kinds = vec![Fault::Kill(any), Fault::Freeze(any), Fault::Limit(serving)];
        if matches!(fleet.store, Store::Postgres(_)) {
            kinds.push(Fault::Database);
        }
        kinds.shuffle(&mut rng);
        schedule.extend(kinds);
    }
    schedule.truncate(faults);
    schedule
}

impl Fault {
    /// Does it, and lifts it again.
    pub(crate) fn befall(self, fleet: &mut Fleet, traffic: &Traffic, runtime: &Runtime) {
        match self {
            Self::Kill(n) => {
                fleet.kill(n);
                fleet.revive(n);
            }
            Self::Freeze(n) => {
                fleet.signal(n, "STOP");
                std::thread::sleep(LEASE + Duration::from_secs(1));
                fleet.signal(n, "CONT");
            }
            Self::Limit(n) => {
                fleet.kill(n);
                fleet.revive_limited(n);
                let felt = traffic.failed(traffic.failures() + FELT);
                let felt = runtime.block_on(async { tokio::time::timeout(PATIENCE, felt).await });
                felt.expect("pushes fail while nothing can be written");
                fleet.kill(n);
                fleet.revive(n);
            }
            Self::Database => {
                if let Store::Postgres(database) = &mut fleet.store {
                    database.restart();
                }
            }
        }
    }
}
