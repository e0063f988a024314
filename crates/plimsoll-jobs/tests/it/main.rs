//! What the jobs promise, one module each.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests")]

mod batches;
mod by_sql;
mod changes;
mod child;
mod events;
mod exec;
mod fixture;
mod machine;
mod queueing;
mod schedules;
mod sql_jobs;
mod told;
mod typed;
mod warming;
mod working;
