//! The command line of jobs, batches, queues and workers.
//!
//! Promises: what is not given comes from the settings.
//! Never: a default of its own.

use clap::{Args, Subcommand};

/// `plimsoll worker`
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Queues, the first goes first, e.g. high,default,low [default: jobs.queues]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = queue)]
    pub(crate) queue: Vec<String>,
    /// Jobs at a time [default: jobs.concurrency]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,
    /// End after so many jobs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_jobs: Option<u64>,
    /// End after so long, e.g. 90s, 30m, 1h
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    pub(crate) max_time: Option<std::time::Duration>,
    /// Let this program do the kinds that are not Plimsoll's own; split at spaces alone, see
    /// COMMAND for a program with quoted arguments
    #[arg(long, value_name = "PROGRAM ARGS", conflicts_with = "command")]
    pub(crate) exec: Option<String>,
    /// Share of each child of that program with all it starts, e.g. 256M; over it a child hands its
    /// job back
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) child_memory: Option<u64>,
    /// Say when each job begins and ends
    #[arg(long)]
    pub(crate) verbose: bool,
    /// The same as --exec, each argument as it is
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `plimsoll jobs`
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, the newest first
    List(ListArgs),
    /// Show a job, and why it does not run
    Show(OneArgs),
    /// Run a job again that failed, was cancelled or was put aside
    Retry(OneArgs),
    /// Cancel a job; one that runs stops where it looks next
    Cancel(OneArgs),
    /// Let a job wait until it is resumed
    Pause(OneArgs),
    /// Let a paused job go on
    Resume(OneArgs),
    /// Follow a job to its end: 0 when it completed, 1 when it did not
    Watch(OneArgs),
    /// Enqueue a job of any kind
    Add(AddArgs),
    /// Enqueue a file of SQL that runs over a table, range by range
    Sql(SqlArgs),
}

/// `plimsoll jobs add`
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The kind, e.g. mail.send
    pub(crate) kind: String,
    /// What it is to do, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) payload: String,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

/// `plimsoll jobs sql`
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// SQL behind the lines '-- table: NAME' and '-- key: COLUMN', see docs/JOBS.md
    pub(crate) file: std::path::PathBuf,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

/// How a job is enqueued.
#[derive(Debug, Args)]
pub(crate) struct HowArgs {
    /// Where it waits [default: that of its kind]
    #[arg(long, value_name = "NAME", value_parser = queue)]
    pub(crate) queue: Option<String>,
    /// 0 first, 9 last [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) priority: Option<u8>,
    /// While a job of that kind and key is not over, it is that job
    #[arg(long, value_name = "KEY")]
    pub(crate) unique_key: Option<String>,
    /// Not before so long from now, e.g. 90s, 30m, 1h
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    pub(crate) delay: Option<std::time::Duration>,
    /// How often it is tried [default: that of its kind]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tries: Option<u32>,
    /// Time of an attempt, e.g. 10m [default: that of its kind]
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll jobs list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only jobs in this state, e.g. failed
    #[arg(long, value_parser = state)]
    pub(crate) state: Option<plimsoll_jobs::State>,
    /// Only jobs of this queue
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Only jobs of this kind
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// So many at most
    #[arg(long, value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Older than the job of this number
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<i64>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command about one job.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The job's number
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) id: i64,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll queue`
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List queues with their jobs by state
    List(QueuesArgs),
    /// Give out no job of a queue until it is resumed
    Pause(QueueArgs),
    /// Let a paused queue go on
    Resume(QueueArgs),
    /// Its workers hand back what they have, and end to be started anew
    Restart(QueueArgs),
}

/// `plimsoll queue list`
#[derive(Debug, Args)]
pub(crate) struct QueuesArgs {
    /// Only queues that have jobs in this state, e.g. failed, and only those jobs
    #[arg(long, value_parser = state)]
    pub(crate) state: Option<plimsoll_jobs::State>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command about one queue.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// The queue
    pub(crate) queue: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll batch`
#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Show a batch: how many of its jobs are over, and how they ended
    Show(BatchArgs),
    /// List batches, the newest first
    List(BatchesArgs),
    /// Cancel a batch: what has not begun is cancelled, what runs stops where it looks next
    Cancel(OneBatchArgs),
}

/// `plimsoll batch list`
#[derive(Debug, Args)]
pub(crate) struct BatchesArgs {
    /// So many at most
    #[arg(long, value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command about one batch.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// Its id, or latest for the one that began last
    #[arg(value_name = "ID", default_value = "latest")]
    pub(crate) batch: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll batch cancel`
#[derive(Debug, Args)]
pub(crate) struct OneBatchArgs {
    /// Its id, or latest for the one that began last
    #[arg(value_name = "ID")]
    pub(crate) batch: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn queue(text: &str) -> Result<String, String> {
    let name = text.trim();
    plimsoll_jobs::check_name("queue", name).map_err(|e| e.to_string())?;
    Ok(name.to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    let size = text.parse::<plimsoll::units::ByteSize>().map(plimsoll::units::ByteSize::bytes);
    size.ok().filter(|bytes| *bytes > 0).ok_or_else(|| "a size such as 256M or 0.5G".to_owned())
}

fn state(text: &str) -> Result<plimsoll_jobs::State, String> {
    plimsoll_jobs::State::named(text).ok_or_else(|| {
        let names = plimsoll_jobs::State::ALL.map(plimsoll_jobs::State::name);
        let near = crate::config::closest(text, names.iter().copied());
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        format!("no job is ever '{text}'{near} There are: {}", names.join(", "))
    })
}
