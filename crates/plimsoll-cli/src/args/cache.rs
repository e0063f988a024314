//! The command line of the cache, and of asking a server.
//!
//! Promises: what is not given comes from the settings.
//! Never: a key on the command line, where everybody on the machine would see it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which server is asked, and with which key.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server, e.g. http://127.0.0.1:8000 [default: http.host and http.port]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A file with the key to ask with [default: the variable PLIMSOLL_API_KEY, or no key]
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll cache`
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Enqueue a job that warms the sales; the server does it
    Warm(WarmArgs),
    /// Show what the server's cache holds, its hits and misses
    Stats(ServerArgs),
    /// Take everything out of the server's cache, or what stands under a key
    Clear(KeyArgs),
    /// Show where an entry is, how large and how old; of all that are kept warm, or of a key
    Inspect(KeyArgs),
}

/// `plimsoll cache warm`
#[derive(Debug, Args)]
pub(crate) struct WarmArgs {
    /// Periods, of 1d, yesterday, 7d, 30d and 90d [default: the server's cache.warm.periods]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) periods: Vec<String>,
    /// Channels, all for all of them together [default: the server's cache.warm.channels]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// Print the job as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command about one entry or all.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// A key, e.g. sales/7d/all
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
