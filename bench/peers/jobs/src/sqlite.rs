//! apalis-sqlite.
//!
//! Promises: WAL and synchronous FULL on every connection; `SqliteStorage::setup`, which sets
//! synchronous to OFF, is not called, its migrations are.
//! Never: a worker that stopped taken for a slow one.

use std::path::Path;
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::{ENQUEUERS, Load, RUNNERS, Result, Step, rate};

/// Who shares connections: all of them, as it comes; or the worker has its own, so that it does not
/// stand in line behind 256 enqueuers.
const WAYS: [(&str, u32, Option<u32>); 3] = [
    ("10 connections", 10, None),
    ("1 and 1 connections", 1, Some(1)),
    ("1 and 8 connections", 1, Some(8)),
];
/// Jobs that are fetched at a time: as it comes, and more.
const BATCHES: [usize; 2] = [10, 100];

pub async fn rates(folder: &str, seconds: u64) -> Result<Vec<(String, f64)>> {
    let mut rates = Vec::new();
    for (how, connections, own) in WAYS {
        for batch in BATCHES {
            let file = Path::new(folder).join(format!("apalis-{}.db", rates.len()));
            let rate = one(&file, connections, own, batch, seconds).await?;
            rates.push((format!("{how}, fetches {batch}"), rate));
        }
    }
    Ok(rates)
}

async fn pool(file: &Path, connections: u32) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(60));
    Ok(SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await?)
}

async fn one(
    file: &Path,
    connections: u32,
    own: Option<u32>,
    batch: usize,
    seconds: u64,
) -> Result<f64> {
    let pool = pool(file, connections).await?;
    SqliteStorage::migrations().run(&pool).await?;
    sqlx::query("create table effects (job integer not null, step integer not null)")
        .execute(&pool)
        .await?;
    let config = Config::default().queue("steps").batch_size(batch);
    let workers = match own {
        Some(connections) => self::pool(file, connections).await?,
        None => pool.clone(),
    };
    let storage = SqliteStorage::<Step>::new(&pool).with_config(config.clone());
    let fetched = SqliteStorage::<Step>::new(&workers).with_config(config);
    let worker = WorkerBuilder::new("load")
        .backend(fetched.poll_with_interval(Duration::from_millis(5)))
        .data(workers.clone())
        .concurrency(RUNNERS)
        .build(step);
    let worker = tokio::spawn(async move { worker.run().await.map_err(|e| e.to_string()) });
    let load = Load::default();
    for _ in 0..ENQUEUERS {
        let (load, mut storage) = (load.clone(), storage.clone());
        tokio::spawn(async move {
            while let Some(job) = load.next() {
                if storage.push(job).await.is_ok() {
                    load.acknowledge();
                }
            }
        });
    }
    let rate = rate(seconds, || completed(&pool)).await;
    load.over.store(true, std::sync::atomic::Ordering::Relaxed);
    if worker.is_finished() {
        return Err(format!("apalis' worker ended: {:?}", worker.await).into());
    }
    worker.abort();
    workers.close().await;
    pool.close().await;
    rate
}

async fn step(job: Step, pool: Data<SqlitePool>) -> std::result::Result<(), BoxDynError> {
    sqlx::query("insert into effects (job, step) values (?, 1)")
        .bind(job.n)
        .execute(&*pool)
        .await?;
    Ok(())
}

async fn completed(pool: &SqlitePool) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from Jobs where status = 'Done'")
        .fetch_one(pool)
        .await?)
}
