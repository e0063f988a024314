//! The command line of schedules.
//!
//! Promises: what is not given is that of the kind.
//! Never: a default of its own, but for the time zone.

use clap::{Args, Subcommand};

/// `plimsoll schedule`
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List schedules by their names, with their next times
    List(SchedulesArgs),
    /// Set a schedule, or change the one of that name
    Set(SetArgs),
    /// Let it fire nothing until it is resumed; a job it enqueued goes on
    Pause(ScheduleArgs),
    /// Let it go on with its next time; what passed meanwhile is not made up for
    Resume(ScheduleArgs),
    /// Remove it; a job it enqueued goes on
    Remove(ScheduleArgs),
}

/// `plimsoll schedule list`
#[derive(Debug, Args)]
pub(crate) struct SchedulesArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command about one schedule.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// Its name
    pub(crate) name: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll schedule set`
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name
    pub(crate) name: String,
    /// When: a cron line in quotes, e.g. "30 2 * * MON-FRI" or @daily; see docs/JOBS.md
    #[arg(value_name = "CRON")]
    pub(crate) cron: String,
    /// The kind of its jobs, e.g. report.daily
    pub(crate) kind: String,
    /// The time zone of the line, e.g. Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) zone: String,
    /// What its jobs are to do, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) payload: String,
    /// Enqueue a job though the last one is not over
    #[arg(long)]
    pub(crate) overlaps: bool,
    /// Where its jobs wait [default: that of their kind]
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// 0 first, 9 last [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) priority: Option<u8>,
    /// How often a job is tried [default: that of its kind]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tries: Option<u32>,
    /// Time of an attempt, e.g. 10m [default: that of its kind]
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
