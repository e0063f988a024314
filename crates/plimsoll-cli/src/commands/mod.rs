//! The commands, one file each.
//!
//! Promises: a command reads its arguments, acts, and says how it ended.
//! Never: a decision that a crate below could make.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod count;
pub(crate) mod distinct;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod group;
mod grouping;
pub(crate) mod head;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod jobs;
pub(crate) mod join;
pub(crate) mod key;
pub(crate) mod logs;
pub(crate) mod migrate;
pub(crate) mod quantile;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod sort;
pub(crate) mod tool;
pub(crate) mod top;
pub(crate) mod uninstall;
pub(crate) mod worker;
