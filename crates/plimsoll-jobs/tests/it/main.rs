//! What the jobs promise, one module each.

mod batches;
mod changes;
mod events;
mod fixture;
mod machine;
mod queueing;
mod sql_jobs;
mod working;
