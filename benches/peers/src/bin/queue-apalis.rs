//! apalis-postgres, told of new jobs by `NOTIFY`.

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage, queries::push_tasks};
use silta_peers::{Asked, BATCH, CONCURRENCY, Failed, Handled, offer, rate};
use serde::{Deserialize, Serialize};
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
            let work = work(pool, handled.clone());
            handled.wait(asked.jobs).await;
            let told = rate(asked.jobs, began);
            work.abort();
            told
        }
        "latency" => {
            let work = work(pool.clone(), handled.clone());
            let offered = offer(asked.jobs, |number| push(&pool, number..number + 1)).await?;
            handled.wait(asked.jobs).await;
            work.abort();
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

fn work(pool: PgPool, handled: Arc<Handled>) -> tokio::task::JoinHandle<()> {
    let config = Config::default().queue(QUEUE).batch_size(CONCURRENCY);
    let backend = PostgresStorage::<Job, _, _>::new(&pool)
        .with_config(config)
        .with_pubsub()
        .poll_with_interval(Duration::from_millis(100));
    let worker = WorkerBuilder::new("peer")
        .backend(backend)
        .concurrency(CONCURRENCY)
        .data(handled)
        .build(async |job: Job, handled: Data<Arc<Handled>>| {
            handled.one(Some(job.number));
            Ok::<(), BoxDynError>(())
        });
    tokio::spawn(async move {
        if let Err(e) = worker.run().await {
            eprintln!("{e}");
        }
    })
}
