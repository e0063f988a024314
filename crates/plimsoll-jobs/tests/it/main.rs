//! What the jobs promise, one module each.

mod changes;
mod fixture;
mod machine;
mod queueing;
mod working;
