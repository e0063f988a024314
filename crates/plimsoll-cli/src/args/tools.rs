//! Flags of the file tools.
//!
//! Promises: what several tools take stands once.
//! Never: a flag that is also a setting; those are global.

use std::path::PathBuf;

use clap::Args;
use plimsoll::quantile::Fraction;

/// What every file tool takes.
#[derive(Debug, Args)]
pub(crate) struct ToolArgs {
    /// Write here, whole or not at all; .gz and .zst compress [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// csv or ndjson [default: by the input's name, else csv]
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Between fields of CSV: comma, semicolon, tab or pipe
    #[arg(long, default_value = "comma")]
    pub(crate) delimiter: String,
    /// Threads that compute [default: the machine's cores, at most 8]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: Option<u16>,
    /// Most bytes of spilled data at one time [default: what the disk has]
    #[arg(long, value_name = "SIZE")]
    pub(crate) spill_quota: Option<String>,
    /// Compression of spilled data: none, lz4, zstd, gzip, or adaptive: lz4 on a slow disk
    #[arg(long, default_value = "adaptive")]
    pub(crate) spill_codec: String,
    /// Spill to a file system that lives in memory
    #[arg(long)]
    pub(crate) spill_in_memory: bool,
    /// Longest record [default: 1M, or a 64th of a smaller limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) record_max: Option<String>,
    /// Make the output durable before it gets its name
    #[arg(long)]
    pub(crate) fsync: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print a summary as JSON on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plimsoll sort`
#[derive(Debug, Args)]
pub(crate) struct SortArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Columns to sort by, e.g. price:desc:num,id
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) by: String,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// How run sizes are chosen: adaptive, sqrt_n or fixed:ROWS
    #[arg(long, default_value = "adaptive")]
    pub(crate) chunk_strategy: String,
    /// Keep finished runs, and go on with those of the same command that was killed
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll top`
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// How many rows
    pub(crate) rows: usize,
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Columns to order by, e.g. price:desc:num,id
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) by: String,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll head`
#[derive(Debug, Args)]
pub(crate) struct HeadArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// How many rows
    #[arg(long, short = 'n', default_value_t = 10)]
    pub(crate) rows: u64,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll count`
#[derive(Debug, Args)]
pub(crate) struct CountArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Only rows for which this is true, e.g. "price >= 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll convert`
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// csv or ndjson [default: by the output's name]
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Between fields of CSV that is written: comma, semicolon, tab or pipe
    #[arg(long, default_value = "comma")]
    pub(crate) to_delimiter: String,
    /// Columns to write, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll quantile`
#[derive(Debug, Args)]
pub(crate) struct QuantileArgs {
    /// The file; gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// The column of numbers
    #[arg(long)]
    pub(crate) column: String,
    /// Quantiles, 0 to 1 with at most 18 digits behind the point, separated by commas
    #[arg(long = "q", value_delimiter = ',', default_value = "0.5", allow_hyphen_values = true)]
    pub(crate) quantiles: Vec<Fraction>,
    /// Only of rows for which this is true, e.g. "qty > 0"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Read once and say how far off the ranks may be
    #[arg(long)]
    pub(crate) approximate: bool,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll join`
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The left file; - is standard input. gzip and zstd are recognised by content
    pub(crate) left: PathBuf,
    /// The right file; - is standard input
    pub(crate) right: PathBuf,
    /// Columns that must be equal, LEFT=RIGHT, several separated by commas
    #[arg(long)]
    pub(crate) on: String,
    /// inner, or left to keep left rows without a match
    #[arg(long, default_value = "inner")]
    pub(crate) kind: String,
    /// csv or ndjson, of the right file [default: by its name, else as the left one]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) right_format: Option<String>,
    /// The side that is held in memory, left or right [default: the smaller one]
    #[arg(long, conflicts_with = "sorted")]
    pub(crate) build: Option<String>,
    /// Both files are in ascending order of their keys, as `plimsoll sort` makes it: read each once
    #[arg(long)]
    pub(crate) sorted: bool,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll group`
#[derive(Debug, Args)]
pub(crate) struct GroupArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Columns that make a group, e.g. product,store
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) key: String,
    /// Measures of each group, e.g. "count(*) as n, sum(qty*price) as revenue, max(ts)"
    #[arg(long, value_name = "MEASURES")]
    pub(crate) agg: String,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Types of columns, e.g. sku:text,ts:time [default: by the first megabyte]
    #[arg(long, value_name = "COLUMN:KIND")]
    pub(crate) types: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}

/// `plimsoll distinct`
#[derive(Debug, Args)]
pub(crate) struct DistinctArgs {
    /// The file; - is standard input. gzip and zstd are recognised by content
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Columns to look at and to write [default: all]
    #[arg(long)]
    pub(crate) columns: Option<String>,
    /// Print how many there are instead; of one column, those that are not NULL
    #[arg(long, conflicts_with = "output")]
    pub(crate) count: bool,
    /// Only rows for which this is true, e.g. "price > 10"
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Types of columns, e.g. sku:text,ts:time [default: by the first megabyte]
    #[arg(long, value_name = "COLUMN:KIND")]
    pub(crate) types: Option<String>,
    #[command(flatten)]
    pub(crate) tool: ToolArgs,
}
