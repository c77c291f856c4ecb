//! What the runners of a comparison share: the jobs, the measured times, and how a runner tells its results.
//!
//! A runner is a program that is given one phase (`prepare`, `enqueue`, `drain`, `latency`), a number of jobs and in
//! `DATABASE_URL` the database, and ends with one line of JSON on standard output.
//! `drain` ends when all jobs are handled, or after `DRAIN_SECS`, with what was handled until then.

use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Whatever goes wrong ends a runner.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Jobs enqueued in one call, for every system.
pub const BATCH: usize = 500;
/// Jobs handled at once, for every system.
pub const CONCURRENCY: usize = 32;
/// Jobs offered in a second when the latency of starts is measured.
pub const OFFERED: usize = 200;

/// What the command line asks for.
pub struct Asked {
    /// The phase.
    pub phase: String,
    /// How many jobs.
    pub jobs: usize,
    /// The database.
    pub database: String,
}

impl Asked {
    /// Reads the command line.
    ///
    /// # Errors
    /// If something is missing.
    pub fn read() -> Result<Self, Failed> {
        let mut args = std::env::args().skip(1);
        let (phase, jobs) = (args.next().ok_or("no phase")?, args.next().ok_or("no number of jobs")?.parse()?);
        Ok(Self { phase, jobs, database: std::env::var("DATABASE_URL")? })
    }
}

/// Handled jobs are counted, and their starts noted.
#[derive(Default)]
pub struct Handled {
    count: AtomicUsize,
    starts: Mutex<Vec<(usize, Instant)>>,
    any: Notify,
}

impl Handled {
    /// A job was started; its number is noted if it has one to measure by.
    pub fn one(&self, number: Option<usize>) {
        if let Some(number) = number {
            self.starts.lock().unwrap_or_else(|e| e.into_inner()).push((number, Instant::now()));
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        self.any.notify_one();
    }

    /// Waits until so many were started, or time is over: how many a second were, since it began.
    pub async fn drained(&self, jobs: usize, began: Instant) -> Value {
        let limit = std::env::var("DRAIN_SECS").ok().and_then(|secs| secs.parse().ok()).unwrap_or(600);
        let _ = tokio::time::timeout(Duration::from_secs(limit), self.wait(jobs)).await;
        let handled = self.count.load(Ordering::SeqCst);
        let rate = handled as f64 / began.elapsed().as_secs_f64();
        json!({ "rate": rate, "handled": handled })
    }

    /// Waits until so many were started.
    pub async fn wait(&self, jobs: usize) {
        while self.count.load(Ordering::SeqCst) < jobs {
            self.any.notified().await;
        }
    }

    /// How long after its enqueueing began each job started, in milliseconds: the median, the 95th and 99th percentile.
    pub fn latencies(&self, enqueued: &[Instant]) -> Value {
        let starts = self.starts.lock().unwrap_or_else(|e| e.into_inner());
        let mut taken: Vec<f64> = starts.iter().map(|(n, at)| (*at - enqueued[*n]).as_secs_f64() * 1e3).collect();
        taken.sort_by(f64::total_cmp);
        let percentile = |p: usize| taken[(taken.len() - 1) * p / 100];
        json!({ "p50": percentile(50), "p95": percentile(95), "p99": percentile(99) })
    }
}

/// Offers one job after the other at the offered rate; when each was offered.
///
/// # Errors
/// If a job cannot be enqueued.
pub async fn offer<F>(jobs: usize, mut enqueue: impl FnMut(usize) -> F) -> Result<Vec<Instant>, Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / OFFERED as f64));
    let mut offered = Vec::with_capacity(jobs);
    for number in 0..jobs {
        tick.tick().await;
        offered.push(Instant::now());
        enqueue(number).await?;
    }
    Ok(offered)
}

/// Tells how many jobs a second were done.
pub fn rate(jobs: usize, began: Instant) -> Value {
    json!({ "rate": jobs as f64 / began.elapsed().as_secs_f64() })
}
