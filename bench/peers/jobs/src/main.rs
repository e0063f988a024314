//! Jobs a second of other queues: bench-jobs sqlite FOLDER SECONDS | postgres URL SECONDS
//!
//! ```text
//!   sqlite     apalis over a file: WAL, synchronous FULL
//!   postgres   graphile_worker over a database with synchronous_commit
//!
//!   256 tasks that enqueue a job and wait until it is durable, again and again
//!   8 jobs at a time, each writes a row (job, step), durable before its job is completed
//! ```
//!
//! It is the load of the example `load` of plimsoll-jobs. Each queue is run as it comes and as its
//! documentation makes it faster; all figures are printed, and the best one counts.
//!
//! Promises: a job counts when the database says that it is completed; the last line is JSON.
//! Never: a setting that takes a flush away.

mod postgres;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub const ENQUEUERS: usize = 256;
pub const RUNNERS: usize = 8;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What a job is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    pub n: i64,
}

/// What the enqueuers share.
#[derive(Clone, Default)]
pub struct Load {
    pub over: Arc<AtomicBool>,
    pub acknowledged: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
}

impl Load {
    /// The next job, or none any more.
    pub fn next(&self) -> Option<Step> {
        let n = self.next.fetch_add(1, Ordering::Relaxed).cast_signed();
        (!self.over.load(Ordering::Relaxed)).then_some(Step { n })
    }

    pub fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Jobs a second that are completed, behind a second of running in.
pub async fn rate<F: Future<Output = Result<i64>>>(
    seconds: u64,
    completed: impl Fn() -> F,
) -> Result<f64> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, began) = (completed().await?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (behind, took) = (completed().await?, began.elapsed());
    Ok((behind - before) as f64 / took.as_secs_f64())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, place, seconds] = &arguments[..] else {
        return Err("usage: bench-jobs sqlite FOLDER SECONDS | postgres URL SECONDS".into());
    };
    let seconds = seconds.parse()?;
    let rates = match what.as_str() {
        "sqlite" => sqlite::rates(place, seconds).await?,
        "postgres" => postgres::rates(place, seconds).await?,
        _ => return Err(format!("{what} is no database").into()),
    };
    let best = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let all: serde_json::Map<String, serde_json::Value> =
        rates.into_iter().map(|(how, rate)| (how, rate.round().into())).collect();
    println!("{}", serde_json::json!({ "jobs_per_s": best.round(), "each": all }));
    Ok(())
}
