//! The command line of reports.
//!
//! Promises: a parameter is that of the report over HTTP, by its name.
//! Never: a default that the server also has, but for the format.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServerArgs;

/// `plimsoll report`
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Have the server make a report, and fetch it into a file; killed, the same command goes on
    Run(ReportArgs),
}

/// `plimsoll report run`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// sales, analytics, the subject's path (products), a named query, or a resource
    pub(crate) name: String,
    /// The file, which appears whole or not at all; until then FILE.partial and FILE.report stand
    /// beside it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// csv, ndjson or json
    #[arg(long, default_value = "csv", value_parser = ["csv", "ndjson", "json"])]
    pub(crate) format: String,
    /// A parameter of the report, e.g. period=7d or "filter=price >= 10"; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "NAME=VALUE, e.g. period=7d".to_owned())
}
