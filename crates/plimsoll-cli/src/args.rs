//! The command line.
//!
//! Promises: every flag that is also a setting is only that setting's flag form.
//! Never: a default that the configuration also has.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use plimsoll_store::catalogue::Pack;

use crate::config::KEYS;

mod cache;
mod jobs;
mod logs;
mod report;
mod schedule;
mod tools;

pub(crate) use cache::{CacheCommand, KeyArgs, ServerArgs, WarmArgs};
pub(crate) use jobs::{
    AddArgs, BatchCommand, BatchesArgs, HowArgs, JobsCommand, ListArgs, QueueArgs, QueueCommand,
    QueuesArgs, SqlArgs, WorkerArgs,
};
pub(crate) use logs::{LogsCommand, TailArgs};
pub(crate) use report::{ReportArgs, ReportCommand};
pub(crate) use schedule::{ScheduleArgs, ScheduleCommand, SchedulesArgs, SetArgs};
pub(crate) use tools::{
    ConvertArgs, CountArgs, DistinctArgs, GroupArgs, HeadArgs, JoinArgs, QuantileArgs, SortArgs,
    ToolArgs, TopArgs,
};

/// A data backend that stays under the memory limit you set.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Memory limit of the whole process, e.g. 64M, 512MB, 0.5G [default: what is found]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Directory for databases, keys and spilled data [default: plimsoll-data]
    #[arg(long = "data", global = true, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Configuration file [default: plimsoll.toml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The other settings that were given as flags.
    #[arg(skip)]
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the resources over HTTP
    Serve(ServeArgs),
    /// Look at your own database and write a file to review: what of it is served
    Init(InitArgs),
    /// Load a file into a resource, or through a recipe
    Import(ImportArgs),
    /// Write a resource to a file or to standard output
    Export(ExportArgs),
    /// Make Plimsoll's own database or bring it up to date: the embedded one, or a PostgreSQL
    Migrate(MigrateArgs),
    /// Drop Plimsoll's schema from a PostgreSQL, and nothing else
    Uninstall(UninstallArgs),
    /// Fill Plimsoll's own database with deterministic demo data
    Seed(SeedArgs),
    /// Sort a file by some of its columns
    Sort(SortArgs),
    /// Keep the first rows by some columns, without a sort
    Top(TopArgs),
    /// Copy the first rows of a file
    Head(HeadArgs),
    /// Count the rows of a file
    Count(CountArgs),
    /// Convert between CSV and NDJSON
    Convert(ConvertArgs),
    /// Compute quantiles of a column
    Quantile(QuantileArgs),
    /// Join two files by columns
    Join(JoinArgs),
    /// Group a file by some of its columns and measure each group
    Group(GroupArgs),
    /// Write the distinct rows of a file, or count them
    Distinct(DistinctArgs),
    /// Run a command and watch its memory; stop it at --memory, which is the command's limit here
    Run(RunArgs),
    /// Run jobs of Plimsoll's own database, beside the server or alone
    Worker(WorkerArgs),
    /// List, show, follow, change and enqueue jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// List, show and cancel batches of jobs
    #[command(subcommand)]
    Batch(BatchCommand),
    /// List, pause and restart queues of jobs
    #[command(subcommand)]
    Queue(QueueCommand),
    /// List, set, pause and remove schedules: jobs at the times of cron lines
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Warm the server's cache of sales, look at it, and clear it
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Have a running server make a report, and fetch it into a file
    #[command(subcommand)]
    Report(ReportCommand),
    /// Follow the log of a running server
    #[command(subcommand)]
    Logs(LogsCommand),
    /// Make keys for an access file
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check limit, directories, disk and database
    Doctor(JsonArgs),
}

/// `plimsoll serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Make the embedded database and fill it with demo data first
    #[arg(long)]
    pub(crate) demo: bool,
    /// Listen beyond this machine although nobody is asked who they are
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Seed of the demo data
    #[arg(long, requires = "demo")]
    pub(crate) seed: Option<i64>,
}

/// `plimsoll init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "plimsoll-resources.toml")]
    pub(crate) out: PathBuf,
    /// Only tables of this schema; may be repeated
    #[arg(long = "schema", value_name = "NAME")]
    pub(crate) schemas: Vec<String>,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Write nothing; print the SQL of a role for what this file serves
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "schemas", "force"])]
    pub(crate) role_for: Option<PathBuf>,
}

/// `plimsoll import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A resource, or a recipe of a pack
    pub(crate) target: String,
    /// The file; - is standard input. gzip and zstd are recognised by content
    pub(crate) file: PathBuf,
    /// csv, ndjson or json [default: by the file's name]
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// A column of the file and the column it goes to; may be repeated
    #[arg(long = "map", value_name = "FROM=TO")]
    pub(crate) renames: Vec<String>,
    /// Pass over columns of the file that the resource does not have
    #[arg(long)]
    pub(crate) ignore_unknown: bool,
    /// Take the formula guard's apostrophe off again
    #[arg(long)]
    pub(crate) strip_guard: bool,
    /// Read and check everything, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// stop at the first wrong row, or continue and write wrong rows to a file
    #[arg(long, default_value = "stop", value_parser = ["stop", "continue"])]
    pub(crate) on_error: String,
    /// What happens to a row that is already there
    #[arg(long, default_value = "error", value_parser = ["error", "skip", "update"])]
    pub(crate) on_conflict: String,
    /// The file of rejected rows [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Refuse a file that unpacks to more than this
    #[arg(long, value_name = "SIZE")]
    pub(crate) unpacked_max: Option<String>,
    /// Import the file although it was imported, or begun, before
    #[arg(long)]
    pub(crate) again: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The resource
    pub(crate) resource: String,
    /// csv, ndjson or json
    #[arg(long, default_value = "csv")]
    pub(crate) format: String,
    /// Write here, whole or not at all [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Columns, separated by commas
    #[arg(long)]
    pub(crate) fields: Option<String>,
    /// Only rows for which this is true, e.g. "price >= 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Order, e.g. -price,id
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Write text that begins like a formula as it is
    #[arg(long)]
    pub(crate) no_formula_guard: bool,
    /// Print a summary as JSON on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll migrate`
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Only say which migrations have run
    #[arg(long)]
    pub(crate) status: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll uninstall`
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// Do it; without, what would be dropped is said
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `plimsoll seed`
#[derive(Debug, Args)]
pub(crate) struct SeedArgs {
    /// Seed of the demo data
    #[arg(long)]
    pub(crate) seed: Option<i64>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Stop it after this long, e.g. 30s, 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) time_limit: Option<String>,
    /// From SIGTERM to SIGKILL where it is stopped
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) grace: String,
    /// How its memory is read; auto: by a cgroup of its own where one can be made, else by sampling
    #[arg(long, default_value = "auto", value_parser = ["auto", "cgroup", "sampling"])]
    pub(crate) watch: String,
    /// Write what happened to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `plimsoll key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print a new key, once, and the entry of the access file that lets it in
    New {
        /// Whose it is, as the audit will say
        #[arg(long)]
        name: String,
        /// What it may do, e.g. read:*; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", default_value = "read:*")]
        scopes: Vec<String>,
    },
}

/// `plimsoll config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting
    Show {
        /// And where it comes from
        #[arg(long)]
        origin: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Commands that only choose their output.
#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Demo counts by name, as chosen or by default.
pub(crate) type Counts = Vec<(Box<str>, u64)>;

/// Reads the process's arguments. The packs' demo counts become flags of `serve` and `seed`.
/// Prints help and usage errors itself and ends the process with 0 or 2.
pub(crate) fn parse(packs: &[Pack]) -> (Cli, Counts) {
    let mut command = with_settings(Cli::command());
    let requires = [("serve", Some("demo")), ("seed", None)];
    for (name, required) in requires {
        command = command.mut_subcommand(name, |sub| with_counts(sub, packs, required));
    }
    let matches = command.get_matches();
    let counts = chosen(&matches, packs);
    match Cli::from_arg_matches(&matches) {
        Ok(mut cli) => {
            cli.global.settings = settings(&matches);
            (cli, counts)
        }
        Err(error) => error.exit(),
    }
}

/// Settings that have a field of their own among the global flags.
const OWN_FLAGS: [&str; 2] = ["memory.limit", "data_dir"];

/// Every setting is a flag of every command, as its origin names it.
fn with_settings(mut command: clap::Command) -> clap::Command {
    for key in KEYS.iter().filter(|k| !OWN_FLAGS.contains(&k.name)) {
        let help = match key.name {
            "http.host" => "Address to listen on [default: 127.0.0.1]".to_owned(),
            "http.port" => "Port to listen on; 0 takes a free one [default: 8000]".to_owned(),
            "database.url" => {
                "Use this SQLite file or PostgreSQL URL instead of the embedded database".to_owned()
            }
            "database.resources" => {
                "Serve exactly what this file names of it; see `plimsoll init`".to_owned()
            }
            "database.queries" => {
                "Serve the queries in this directory's *.sql files; see docs/API.md".to_owned()
            }
            "control.url" => {
                "Keep jobs here, beside a database that is only read: a SQLite file or PostgreSQL"
                    .to_owned()
            }
            "access.file" => "Answer only whom this file names; see `plimsoll key new`".to_owned(),
            name => format!("The setting {name}; see `plimsoll config show`"),
        };
        let flag = clap::Arg::new(key.name).long(key.flag.trim_start_matches('-')).help(help);
        command = command.arg(flag.global(true).value_name("VALUE").hide_short_help(true));
    }
    command
}

fn settings(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let keys = KEYS.iter().filter(|k| !OWN_FLAGS.contains(&k.name));
    keys.filter_map(|k| Some((k.name, matches.get_one::<String>(k.name)?.clone()))).collect()
}

/// Adds a flag per count, which without the flag `required` would have no effect.
fn with_counts(
    mut command: clap::Command,
    packs: &[Pack],
    required: Option<&'static str>,
) -> clap::Command {
    for count in packs.iter().filter_map(|p| p.seed.as_ref()).flat_map(|s| &s.counts) {
        let help = format!("{} [default: {}]", count.help, count.default);
        let range = clap::value_parser!(u64).range(count.min..=count.max);
        command = command.arg(
            clap::Arg::new(count.name.to_string())
                .long(count.name.to_string())
                .value_name("N")
                .value_parser(range)
                .requires_ifs(required.map(|flag| (clap::builder::ArgPredicate::IsPresent, flag)))
                .help(help),
        );
    }
    command
}

fn chosen(matches: &ArgMatches, packs: &[Pack]) -> Counts {
    let sub = matches.subcommand().map(|(_, sub)| sub);
    let counts = packs.iter().filter_map(|p| p.seed.as_ref()).flat_map(|s| &s.counts);
    counts
        .map(|count| {
            let given = sub.and_then(|s| s.try_get_one::<u64>(&count.name).ok().flatten());
            (count.name.clone(), given.copied().unwrap_or(count.default))
        })
        .collect()
}
