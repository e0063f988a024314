//! How a worker works.
//!
//! Promises: plain data with bounds.
//! Never: a default that differs between server and command line.

use std::time::Duration;

use plimsoll::budget::Node;

use crate::rescue::{LEASE, RENEW_EVERY};

/// Jobs that one worker runs at a time at most: each is a thread.
pub const CONCURRENCY_MAX: u32 = 256;

/// How a worker works.
#[derive(Clone)]
pub struct WorkerOptions {
    /// Its name, of its own among all that work at the same queues.
    pub name: Box<str>,
    /// Queues, the first goes first.
    pub queues: Vec<Box<str>>,
    /// Jobs at a time.
    pub concurrency: u32,
    /// Ends after so many jobs.
    pub jobs_max: Option<u64>,
    /// Ends after so long.
    pub time_max: Option<Duration>,
    /// Where jobs reserve what they need; without one nothing is reserved.
    pub memory: Option<Node>,
    /// How long a lease holds that is not renewed.
    pub lease: Duration,
    /// How often leases are renewed.
    pub renew_every: Duration,
    /// How often it looks for jobs that others enqueued.
    pub poll_every: Duration,
    /// How often where it is told of them and found none for a while.
    pub told_every: Duration,
    /// Behind its time a job has this long to end; then its lease is taken from it.
    pub grace: Duration,
    /// Promote, rescue and prune for all workers.
    pub tends: bool,
    /// Jobs that completed or were cancelled are kept this long.
    pub keep: Duration,
}

impl WorkerOptions {
    /// Of the queue `default`, one job at a time.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self {
            name: name.into(),
            queues: vec!["default".into()],
            concurrency: 1,
            jobs_max: None,
            time_max: None,
            memory: None,
            lease: LEASE,
            renew_every: RENEW_EVERY,
            poll_every: Duration::from_millis(25),
            told_every: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            tends: true,
            keep: Duration::from_secs(7 * 86_400),
        }
    }
}
