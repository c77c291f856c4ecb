//! Time and randomness, injected: nothing else in the gateway takes them directly.

use crate::ledger::Micros;
use rand::RngCore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now(&self) -> Micros;

    /// Microseconds since some moment, on a clock that nobody sets: it may rest while the machine does.
    fn running(&self) -> Micros;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Micros {
        jiff::Timestamp::now().as_microsecond()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn running(&self) -> Micros {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Micros::try_from(START.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }
}

/// The machine's clock, set by another: processes that share a database go by the database's.
#[derive(Debug, Default)]
pub struct SharedClock(AtomicI64);

impl SharedClock {
    /// By how much the other clock is ahead.
    pub fn set(&self, ahead: Micros) {
        self.0.store(ahead, Ordering::SeqCst);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Micros {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }

    fn running(&self) -> Micros {
        SystemClock.running()
    }
}

/// A clock that moves when told to, for simulation and tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
    running: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at a time.
    pub fn at(now: Micros) -> Self {
        Self { now: AtomicI64::new(now), running: AtomicI64::default() }
    }

    /// Time passes.
    pub fn advance(&self, by: Micros) {
        self.now.fetch_add(by, Ordering::SeqCst);
        self.running.fetch_add(by, Ordering::SeqCst);
    }

    /// The clock is set forward or back.
    pub fn set(&self, by: Micros) {
        self.now.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.now.load(Ordering::SeqCst)
    }

    fn running(&self) -> Micros {
        self.running.load(Ordering::SeqCst)
    }
}

/// A source of randomness shared by the rooms that need one.
#[derive(Clone)]
pub struct Rng(Arc<Mutex<StdRng>>);

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng(…)")
    }
}

impl Rng {
    /// Seeded by the operating system.
    pub fn from_system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// Seeded by a number: the same seed gives the same numbers.
    pub fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut out);
        out
    }

    /// A number below a bound (0 for a bound of 0).
    pub fn below(&self, bound: u64) -> u64 {
        u64::from_le_bytes(self.bytes()).checked_rem(bound).unwrap_or(0)
    }
}
