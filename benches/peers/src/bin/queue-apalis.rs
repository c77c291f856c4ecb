//! apalis-postgres, told of new jobs by `NOTIFY`.

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage, queries::push_tasks};
use serde::{Deserialize, Serialize};
use silta_peers::{Asked, BATCH, CONCURRENCY, Failed, Handled, offer, rate};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::time::{Duration, Instant};

const QUEUE: &str = "peer";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Job {
    number: usize,
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let asked = Asked::read()?;
    let pool = PgPoolOptions::new().max_connections(12).connect(&asked.database).await?;
    if asked.phase == "prepare" {
        return Ok(PostgresStorage::setup(&pool).await?);
    }
    let handled = Arc::new(Handled::default());
    let began = Instant::now();
    let told = match asked.phase.as_str() {
        "enqueue" => {
            for first in (0..asked.jobs).step_by(BATCH) {
                push(&pool, first..asked.jobs.min(first + BATCH)).await?;
            }
            rate(asked.jobs, began)
        }
        "drain" => {
            until(work(pool, handled.clone()), handled.drained(asked.jobs, began)).await?
        }
        "latency" => {
            let offered = async {
                let offered = offer(asked.jobs, |number| push(&pool, number..number + 1)).await;
                handled.wait(asked.jobs).await;
                offered
            };
            let offered = until(work(pool.clone(), handled.clone()), offered).await??;
            handled.latencies(&offered)
        }
        other => return Err(format!("no such phase: {other}").into()),
    };
    println!("{told}");
    Ok(())
}

async fn push(pool: &PgPool, numbers: std::ops::Range<usize>) -> Result<(), Failed> {
    let task = |number| {
        let empty = serde_json::to_vec(&Job { number, text: String::new() })?.len();
        let job = Job { number, text: "x".repeat(1024 - empty) };
        Ok(TaskBuilder::new(serde_json::to_vec(&job)?).build())
    };
    let tasks = numbers.map(task).collect::<Result<Vec<_>, serde_json::Error>>()?;
    let mut connection = pool.acquire().await?;
    Ok(push_tasks(&mut *connection, QUEUE, tasks).await?)
}

/// Works until something else is done.
async fn until<T>(work: impl Future<Output = Result<(), Failed>>, done: impl Future<Output = T>) -> Result<T, Failed> {
    tokio::select! {
        ended = work => Err(ended.err().unwrap_or_else(|| "the worker ended".into())),
        done = done => Ok(done),
    }
}

async fn work(pool: PgPool, handled: Arc<Handled>) -> Result<(), Failed> {
    let config = Config::default().queue(QUEUE).batch_size(CONCURRENCY);
    let backend = PostgresStorage::<Job>::new(&pool)
        .with_config(config)
        .with_pubsub()
        .poll_with_interval(Duration::from_millis(100));
    let worker = WorkerBuilder::new("peer").backend(backend).concurrency(CONCURRENCY).data(handled).build(handle);
    Ok(worker.run().await?)
}

async fn handle(job: Job, handled: Data<Arc<Handled>>) -> Result<(), BoxDynError> {
    handled.one(Some(job.number));
    Ok(())
}
