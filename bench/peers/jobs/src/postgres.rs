//! graphile_worker.
//!
//! Promises: connections as the server has them by itself, shared as it comes, or with some that
//! are the worker's own, so that it does not stand in line behind 256 enqueuers.
//! Never: a commit that is not flushed: the server's own setting is asked for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, Schema, TaskHandler, WorkerContext,
    WorkerOptions, WorkerUtils,
};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::{ENQUEUERS, Load, RUNNERS, Result, Step, rate};

/// A server takes 100 by itself.
const CONNECTIONS: u32 = 64;
/// More than runners: it fetches and completes beside them.
const OWN_CONNECTIONS: u32 = 16;

impl TaskHandler for Step {
    const IDENTIFIER: &'static str = "step";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let written = sqlx::query("insert into effects (job, step) values ($1, 1)")
            .bind(self.n)
            .execute(context.pg_pool())
            .await;
        written.map(drop).map_err(|e| e.to_string())
    }
}

async fn pool(url: &str, connections: u32) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(60))
        .connect(url)
        .await?)
}

pub async fn rates(url: &str, seconds: u64) -> Result<Vec<(String, f64)>> {
    let (pool, own) = (pool(url, CONNECTIONS).await?, pool(url, OWN_CONNECTIONS).await?);
    let flushes: (String, String) =
        sqlx::query_as("select current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(&pool)
            .await?;
    if flushes != ("on".into(), "on".into()) {
        return Err(format!("the server does not flush its commits: {flushes:?}").into());
    }
    sqlx::query("create table effects (job bigint not null, step bigint not null)")
        .execute(&pool)
        .await?;
    let mut rates = Vec::new();
    for (way, workers) in [("64 connections", &pool), ("64 and 16 connections", &own)] {
        for (how, batched) in [("", false), (", batched", true)] {
            let schema = format!("way_{}", rates.len());
            let rate = one(&pool, workers, &schema, batched, seconds).await?;
            rates.push((format!("{way}{how}"), rate));
        }
    }
    Ok(rates)
}

async fn one(
    pool: &PgPool,
    workers: &PgPool,
    schema: &str,
    batched: bool,
    seconds: u64,
) -> Result<f64> {
    let mut options = WorkerOptions::default()
        .pg_pool(workers.clone())
        .schema(schema)
        .concurrency(RUNNERS)
        .listen_os_shutdown_signals(false)
        .define_job::<Step>();
    if batched {
        options = options
            .local_queue(LocalQueueConfig::default())
            .complete_job_batch_delay(Duration::from_millis(2));
    }
    let worker = std::sync::Arc::new(options.init().await?);
    let running = worker.clone();
    // As a program has it that enqueues and runs nothing.
    let utils = WorkerUtils::new(pool.clone(), Schema::new(schema));
    let running = tokio::spawn(async move { running.run().await.map_err(|e| e.to_string()) });
    let load = Load::default();
    for _ in 0..ENQUEUERS {
        let (load, utils) = (load.clone(), utils.clone());
        tokio::spawn(async move {
            while let Some(job) = load.next() {
                if utils.add_job(job, JobSpec::default()).await.is_ok() {
                    load.acknowledge();
                }
            }
        });
    }
    let rate = rate(seconds, || completed(pool, schema, &load)).await;
    load.over.store(true, Ordering::Relaxed);
    if running.is_finished() {
        return Err(format!("graphile's worker ended: {:?}", running.await).into());
    }
    worker.request_shutdown();
    running.abort();
    rate
}

/// A job that is completed is removed.
async fn completed(pool: &PgPool, schema: &str, load: &Load) -> Result<i64> {
    let enqueued = load.acknowledged.load(Ordering::Relaxed).cast_signed();
    let sql = format!("select count(*) from {schema}._private_jobs");
    let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await?;
    Ok(enqueued - left)
}
