//! The command line of the log.
//!
//! Promises: the words of a level are those of `log.level`.
//! Never: a file; the log goes to standard error, and its last lines are the server's.

use clap::{Args, Subcommand};

use super::ServerArgs;

/// `plimsoll logs`
#[derive(Debug, Subcommand)]
pub(crate) enum LogsCommand {
    /// Print the last lines of a running server's log, and those that come, until Ctrl-C
    Tail(TailArgs),
}

/// `plimsoll logs tail`
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only lines of this level or graver
    #[arg(long, default_value = "trace")]
    #[arg(value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub(crate) level: String,
    /// Only lines that have this text, in small letters or capitals
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// So many of those there are
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) lines: u32,
    /// End behind those there are
    #[arg(long)]
    pub(crate) no_follow: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
